"""Model-based and model-free learning in the two-step task."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Int

from goalinf.agents.memory.experience import LEARNS, Experience
from goalinf.agents.memory.memory_agent import MemoryProcess, after_noise, scanned
from goalinf.agents.memory.value_tables import cell_of, entry_of, is_number, moved, row_of
from goalinf.agents.parts.noise import Noise
from goalinf.agents.planning_agent import PlanningAgent
from goalinf.agents.policy import Learned, Memory, Row, Step
from goalinf.checks import check_count
from goalinf.planning.bellman import highest
from goalinf.planning.facts import Facts
from goalinf.planning.parameters import INFINITY, SHARE, DefaultPriors, Parameter, Ranges
from goalinf.rewards import Reward, ended
from goalinf.worlds import MDP, World, label

_Content = tuple[Array, Array, tuple[Array, Array]]
_Seen = tuple[Array, Array, Array, Array]
_Signal = tuple[Array, Array]
_UNSEEN = -1  # number of a first-stage action that was not observed


class TwoStep(MemoryProcess):
    r"""Hybrid of model-based and model-free learning in the two-step task (Daw et al. 2011).

    In the first state the action follows a softmax of :math:`\beta_1\,[w\,Q_{MB} + (1 - w)\,Q_{MF} +
    p\,\mathrm{rep}]`, in a second-stage state a softmax of :math:`\beta_2\,Q_2`, where :math:`Q_{MB}(a) = \sum_{s'}
    P(s' \mid a) \max_b Q_2(s', b)` and rep indicates the last first-stage action. After the reward R of a trial, both
    with :math:`Q_2` before the update,

    .. math:: Q_{MF}(a) &\leftarrow Q_{MF}(a) + \alpha_1\,[Q_2 - Q_{MF}(a)] + \alpha_1 \lambda\,[R - Q_2]\\
        Q_2 &\leftarrow Q_2 + \alpha_2\,[R - Q_2]

    Parameters
    ----------
    learning_rate_1, learning_rate_2 : float or Distribution
        :math:`\alpha_1` and :math:`\alpha_2`, in [0, 1].
    beta_1, beta_2 : float or Distribution
        Inverse temperatures of both stages, at least 0.
    eligibility : float or Distribution
        :math:`\lambda`, in [0, 1]: weight of the second-stage prediction error in the first-stage update.
    repetition : float or Distribution
        p, in utility: bonus of repeating the last first-stage action.
    model_based : float or Distribution
        w, in [0, 1]. 0: model-free; 1: model-based.
    first : int (static)
        Number of the first state; the second-stage states are its successors.
    """

    learning_rate_1: Parameter
    learning_rate_2: Parameter
    beta_1: Parameter
    beta_2: Parameter
    eligibility: Parameter
    repetition: Parameter
    model_based: Parameter
    first: int = eqx.field(static=True, default=0)
    facts: ClassVar[Facts] = LEARNS
    parameters: ClassVar[Ranges] = {
        "learning_rate_1": SHARE,
        "learning_rate_2": SHARE,
        "beta_1": (0.0, INFINITY),
        "beta_2": (0.0, INFINITY),
        "eligibility": SHARE,
        "repetition": (-INFINITY, INFINITY),
        "model_based": SHARE,
    }
    default_priors: ClassVar[DefaultPriors] = {
        "learning_rate_1": lambda: dist.Beta(2.0, 2.0),
        "learning_rate_2": lambda: dist.Beta(2.0, 2.0),
        "beta_1": lambda: dist.LogNormal(1.0986122886681098, 0.7),
        "beta_2": lambda: dist.LogNormal(1.0986122886681098, 0.7),
        "eligibility": lambda: dist.Beta(1.0, 1.0),
        "repetition": lambda: dist.Normal(0.0, 1.0),
        "model_based": lambda: dist.Beta(1.0, 1.0),
    }

    def __check_init__(self) -> None:
        check_count("first, the number of the first state,", self.first, least=0)

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a first state in which no trial can begin."""
        if self.first >= world.n_states:
            raise ValueError(f"first is {self.first}; expected the number of a state, below {world.n_states}")
        if ended(reward, world.mdp)[self.first]:
            raise ValueError(
                f"first is {self.first}, state {label(world.states[self.first])}, where the episode has ended: give "
                "the number of the state in which trials begin"
            )

    def memory(self, agent: PlanningAgent, mdp: MDP, reward: Reward) -> Trials:
        """Return the memory before the first trial."""
        numbers = {name: jnp.asarray(getattr(self, name), float) for name in self.parameters}
        return Trials(experience=Experience.of(mdp, reward), noise=agent.noise, first=self.first, **numbers)


class Trials(Memory[_Content, _Seen, _Signal]):
    """Memory of a :class:`TwoStep` agent.

    The content are the second-stage values (S, A, N), the model-free values of the first-stage actions (A, N), and the
    numbers of the first-stage action of this trial and of the last observed one (N,). In a loop over many steps each of
    these three is computed by a loop of its own, because none depends on those after it.
    """

    experience: Experience
    learning_rate_1: Any
    learning_rate_2: Any
    beta_1: Any
    beta_2: Any
    eligibility: Any
    repetition: Any
    model_based: Any
    noise: Noise
    first: int = eqx.field(static=True)

    def start(self, n_states: int, n_actions: int, count: int, dtype: Any) -> _Content:
        """Return a memory of zero values and no action."""
        unseen = jnp.full(count, _UNSEEN)
        return jnp.zeros((n_states, n_actions, count), dtype), jnp.zeros((n_actions, count), dtype), (unseen, unseen)

    def read(self, memory: _Content, state: Int[Array, " N"]) -> _Seen:
        """Return the state, the values, and the last first-stage action."""
        values, model_free, (_, repeated) = memory
        return state, values, model_free, repeated

    def adjust(self, seen: _Seen, row: Row) -> Row:
        """Return log-probabilities of the recorded actions by their learned values."""
        state, values, model_free, repeated = seen
        mixed = self._mixed(self._model_based(values), model_free)
        first = self.beta_1 * (mixed + self.repetition * is_number(values.shape[-2], repeated))
        at_first = (state == self.first)[..., None, :]
        utility = jnp.where(at_first, first, self.beta_2 * row_of(values, state))
        return after_noise(self.noise, jax.nn.log_softmax(row + utility, axis=-2))

    def _mixed(self, model_based: Array, model_free: Array) -> Array:
        """Return the values by which first-stage actions are chosen."""
        return self.model_based * model_based + (1.0 - self.model_based) * model_free

    def _model_based(self, values: Array) -> Array:
        """Return the values of first-stage actions by the known transitions, given second-stage values."""
        n_states, world = values.shape[-3], self.experience
        available, fixed, known = map(world.by_trajectory, (world.available, world.fixed, world.values))
        best = jnp.where(fixed, known, highest(jnp.where(available, values, -jnp.inf)))
        leads = world.successors[:, self.first, :, :, None] == jnp.arange(n_states)
        transitions = world.by_trajectory((world.probability[:, self.first, :, :, None] * leads).sum(axis=-2))
        return (transitions * best[..., None, :, :]).sum(axis=-2)

    def learned(self, start: _Content, steps: Step) -> Learned:
        """Return the values of both stages, and the prediction error of each stage at its own step."""
        _, values, model_free, _ = self.seen(start, steps)
        reward, second = self.signals(steps)
        at_first = steps.state == self.first
        planned = self._model_based(values)
        row = jnp.where(at_first[..., None, :], self._mixed(planned, model_free), row_of(values, steps.state))
        of_second = cell_of(values, steps.state, steps.action)
        of_planned, of_free = (entry_of(each, steps.action) for each in (planned, model_free))
        arrived, met = (jnp.concatenate([each[1:], jnp.zeros_like(each[:1])]) for each in (second, of_second))
        chosen_first = at_first & steps.observed
        error = jnp.where(chosen_first & arrived, met - of_free, jnp.where(second, reward - of_second, jnp.nan))
        parts = {"model_based": of_planned, "model_free": of_free}
        return Learned(row, error, {name: jnp.where(chosen_first, each, jnp.nan) for name, each in parts.items()})

    def signals(self, steps: Step) -> _Signal:
        """Return the rewards, and an indicator of a second-stage action."""
        world = self.experience
        leads = world.successors[:, self.first, :, :, None] == jnp.arange(world.reward.shape[1])
        second = (leads & (world.probability[:, self.first, :, :, None] > 0)).any(axis=(1, 2))
        second_stage = second[(world.plan if len(second) > 1 else 0, steps.state)]
        reward = world.reward_of(steps)
        known = ~jnp.isnan(reward)
        return jnp.where(known, reward, 0.0), steps.observed & (steps.state != self.first) & second_stage & known

    def update(self, memory: _Content, step: Step, signal: _Signal) -> _Content:
        """Return the content of the memory after one more step; both updates use the value before the update."""
        values, model_free, actions = memory
        expected = cell_of(values, step.state, step.action)
        return (
            self._second_stage(values, step, signal),
            self._first_stage(model_free, step, (signal, expected, actions[0])),
            self._actions(actions, step, ()),
        )

    def seen(self, start: _Content, steps: Step) -> _Seen:
        """Return what was relevant at every step."""
        signals = self.signals(steps)
        values, model_free, actions = start
        chosen, repeated = scanned(self._actions, _whole, actions, steps, ())
        all_values = scanned(self._second_stage, _whole, values, steps, signals)
        expected = cell_of(all_values, steps.state, steps.action)
        learned = scanned(self._first_stage, _whole, model_free, steps, (signals, expected, chosen))
        return steps.state, all_values, learned, repeated

    def _second_stage(self, values: Array, step: Step, signal: _Signal) -> Array:
        """Return the second-stage values after one more step."""
        reward, second = signal
        return moved(values, step.state, step.action, jnp.where(second, self.learning_rate_2, 0.0), reward)

    def _first_stage(self, model_free: Array, step: Step, signal: tuple[_Signal, Array, Array]) -> Array:
        """Return the model-free values of first-stage actions after one more step."""
        (reward, second), expected, chosen = signal
        rate = jnp.where(second & (chosen >= 0), self.learning_rate_1, 0.0)
        target = expected + self.eligibility * (reward - expected)
        return moved(model_free[None], jnp.zeros_like(chosen), chosen, rate, target)[0]

    def _actions(self, actions: tuple[Array, Array], step: Step, signal: tuple[()]) -> tuple[Array, Array]:
        """Return the first-stage actions after one more step."""
        chosen, repeated = actions
        begins = step.state == self.first
        return (
            jnp.where(begins, jnp.where(step.observed, step.action, _UNSEEN), chosen),
            jnp.where(begins & step.observed, step.action, repeated),
        )


def _whole(memory: Any, state: Array) -> Any:
    """Return the whole content of a memory."""
    return memory
