"""Beliefs of an agent about the world: maps from the MDP of the world to the MDP that the agent plans in."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from types import ModuleType
from typing import Any, ClassVar, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.typing import ArrayLike

from goalinf.planning.bellman import Problem
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import INFINITY, SHARE, DefaultPriors, Parameter, Part, Ranges
from goalinf.planning.solution import Plan
from goalinf.precision import computing_in, namespace
from goalinf.rewards import Reward, ShapedReward
from goalinf.types import Numeric
from goalinf.worlds import MDP, World
from goalinf.worlds.validate import check_believed

Unfolded = TypeVar("Unfolded", bound=Reward | ArrayLike | None)


class Beliefs(Part):
    """Map from the MDP of a world to the MDP that the agent plans in."""

    foresees: ClassVar[bool] = False  # slips of the agent's own noise are part of the plan

    @property
    def same_states(self) -> bool:
        """True where the states of the believed MDP are those of the world."""
        return True

    @abc.abstractmethod
    def __call__(self, mdp: MDP) -> MDP:
        """Return the believed MDP: rows are distributions, and a row may list a successor more than once."""

    def check_rows(self, world: World) -> None:
        """Refuse a world in which a row of the believed MDP is no distribution; traced parameters are not looked at.

        Raises
        ------
        ValueError
            Where it is not; the message names the state and the action.
        """
        with computing_in("float64"):
            believed = self(world.mdp)
        if believed is not world.mdp and not isinstance(believed.probabilities, jax.core.Tracer):
            check_believed(believed, world)

    def foresee(self, problem: Problem, slip: ArrayLike) -> Problem:
        """Return the problem in which slips of this probability are foreseen."""
        return problem

    def unfold(self, tree: Unfolded) -> Unfolded:
        """Convert a reward, or numbers by state, to the states of the believed MDP."""
        return tree

    def fold(self, plan: Plan) -> Plan:
        """Convert a plan for the believed MDP to the states of the world."""
        return plan


class TrueBeliefs(Beliefs):
    """Beliefs of an agent that knows the world."""

    numpy: ClassVar[bool] = True
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, state_values=True)

    def __call__(self, mdp: MDP) -> MDP:
        """Return the MDP of the world."""
        return mdp


class IllusionOfControl(Beliefs):
    r"""Beliefs that overestimate or underestimate likely outcomes (Chan, Critch and Dragan 2021).

    .. math:: \tilde P(t \mid s,a) \propto P(t \mid s,a)^n \text{ over the possible outcomes}

    Parameters
    ----------
    control : float or Distribution
        :math:`n`, at least 0. 0: all possible outcomes are equally probable; 1: true probabilities; towards infinity:
        only the most probable outcome.
    """

    control: Parameter
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("redistribution",))
    parameters: ClassVar[Ranges] = {"control": (0.0, INFINITY)}
    default_priors: ClassVar[DefaultPriors] = {"control": lambda: dist.LogNormal(0.0, 0.7)}

    def __call__(self, mdp: MDP) -> MDP:
        """Return the MDP with distorted probabilities of the same outcomes."""
        xp = namespace(mdp.probabilities, self.control)
        probabilities = xp.asarray(mdp.probabilities)
        # A successor can be listed several times: the total of its probabilities is distorted.
        same = mdp.slots[..., :, None] == mdp.slots[..., None, :]
        total = xp.sum(xp.where(same, probabilities[..., None, :], 0.0), axis=-1)
        possible = probabilities > 0
        share = xp.where(possible, probabilities / xp.where(possible, total, 1.0), 0.0)
        highest = xp.where(possible, total, 0.0).max(axis=-1, keepdims=True)
        ratio = xp.where(possible, total / highest, 1.0)
        distorted = share * ratio**self.control
        return dataclasses.replace(mdp, probabilities=distorted / distorted.sum(axis=-1, keepdims=True))


class FalseDynamics(Beliefs):
    r"""Belief in a mixture of the world and another world (Reddy, Dragan and Levine 2018).

    .. math:: \tilde P = (1 - m) P + m P'

    Parameters
    ----------
    confusion : float or Distribution
        :math:`m`, in [0, 1]. 0: true probabilities.
    alternative : World, MDP or int (A,)
        :math:`P'`: another world with the same states and actions; or for every action the number of the action whose
        outcomes it is believed to have (an action that is not available stays in place).
    """

    confusion: Parameter
    alternative: Any = eqx.field(converter=lambda value: _alternative(value))
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("redistribution",))
    parameters: ClassVar[Ranges] = {"confusion": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"confusion": lambda: dist.Beta(1.0, 3.0)}
    numpy: ClassVar[bool] = True

    def check(self, world: World, reward: Reward) -> None:
        """Refuse an alternative of another size, and a reward that is not defined for other outcomes."""
        n_states, n_actions = world.n_states, world.n_actions
        if isinstance(self.alternative, MDP):
            shape = self.alternative.n_states, self.alternative.n_actions
            if shape != (n_states, n_actions):
                raise ValueError(
                    f"alternative is a world of {shape[0]} states and {shape[1]} actions; "
                    f"this world has {n_states} and {n_actions}"
                )
        elif len(self.alternative) != n_actions or not (self.alternative < n_actions).all():
            raise ValueError(
                f"alternative is {self.alternative.tolist()}; expected the numbers of {n_actions} actions, "
                f"each from 0 to {n_actions - 1}"
            )
        if "successor" in {axis for axes in _all_dims(reward) for axis in axes}:
            raise ValueError(
                "a reward by outcome is not defined for the outcomes that this agent believes in: "
                "use a StateReward, ActionReward, LinearReward of these, or a goal"
            )

    def __call__(self, mdp: MDP) -> MDP:
        """Return the MDP with the outcomes of both worlds side by side."""
        xp = namespace(mdp.probabilities, self.confusion)
        other, slots, joined_neighbors = self._other_world(mdp, xp)
        probabilities = [(1.0 - self.confusion) * mdp.probabilities, self.confusion * other.probabilities]
        return dataclasses.replace(
            mdp,
            successors=xp.concatenate([mdp.successors, other.successors], axis=-1),
            probabilities=xp.concatenate(probabilities, axis=-1),
            slots=xp.concatenate([mdp.slots, slots], axis=-1),
            **joined_neighbors,
        )

    def _other_world(self, mdp: MDP, xp: ModuleType) -> tuple[MDP, Any, dict[str, Any]]:
        """Return the other world, positions of its successors among the neighbors of both worlds, and the neighbors."""
        if not isinstance(self.alternative, MDP):
            swapped = {name: getattr(mdp, name)[:, self.alternative] for name in ("successors", "probabilities")}
            return dataclasses.replace(mdp, **swapped), mdp.slots[:, self.alternative], {}
        other = self.alternative
        (width, n_states), width_other = mdp.neighbors.shape, other.neighbors.shape[0]
        beyond = (width + width_other) * n_states
        origins = xp.zeros((0, n_states), np.int32)
        if len(mdp.origins) and len(other.origins):
            world_origins = xp.where(mdp.origins == width * n_states, beyond, mdp.origins)
            other_origins = xp.where(other.origins == width_other * n_states, beyond, other.origins + width * n_states)
            origins = xp.concatenate([world_origins, other_origins])
        neighbors = xp.concatenate([mdp.neighbors, other.neighbors])
        return other, other.slots + width, {"neighbors": neighbors, "origins": origins}


def _alternative(value: World | MDP | Numeric | Sequence[int]) -> Any:
    """Return the MDP of a world, or action numbers as an array."""
    if isinstance(value, (MDP, jax.Array)):
        return value
    if isinstance(value, World):
        return value.mdp
    order = np.asarray(value)
    if order.ndim != 1 or order.dtype.kind not in "iu" or not (order >= 0).all():
        raise ValueError(
            f"alternative is {value!r}; expected a World, or for every action the number of one, such as [1, 0]"
        )
    return order


def _all_dims(reward: Reward) -> list[tuple[str, ...]]:
    return [*reward.dims.values(), *(_all_dims(reward.base) if isinstance(reward, ShapedReward) else [])]


class ForeseesSlips(Beliefs):
    r"""Beliefs of an agent that knows the world, and the probability of its own execution errors.

    .. math:: \tilde P(\cdot \mid s,a) = \sum_{a'} e(a' \mid s,a)\,P(\cdot \mid s,a'),\quad
        e = (1 - \eta)\,\delta_a + \eta\,/\,|A(s)|

    and likewise for the reward. The probability :math:`\eta` of a slip is a parameter of the agent's noise.
    """

    foresees: ClassVar[bool] = True
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, onto=None, state_values=True)

    def __call__(self, mdp: MDP) -> MDP:
        """Return the MDP of the world."""
        return mdp

    def foresee(self, problem: Problem, slip: ArrayLike) -> Problem:
        """Return the problem in which every intended action has the outcomes of the executed actions."""
        slip_policy = problem.available / problem.available.sum(axis=0)  # actions executed by a slip, (A, S)

        def mixed(x):
            axes = (slice(None), *(None,) * (x.ndim - 2), slice(None))
            return (1.0 - slip) * x + slip * (slip_policy[axes] * x).sum(axis=0)

        reward, weights = mixed(problem.reward), mixed(problem.weights)
        outcomes = problem.outcomes
        if outcomes is not None:
            n_actions, width, n_states = outcomes.reward.shape
            spread = lambda x: jnp.broadcast_to(  # noqa: E731
                x.reshape(1, n_actions * width, n_states), (n_actions, n_actions * width, n_states)
            )
            join = lambda x: jnp.concatenate([x, spread(x)], axis=1)  # noqa: E731
            by_slip = spread(slip * slip_policy[:, None] * outcomes.probability)
            outcomes = dataclasses.replace(
                outcomes,
                reward=join(outcomes.reward),
                successors=join(outcomes.successors),
                slots=join(outcomes.slots),
                probability=jnp.concatenate([(1.0 - slip) * outcomes.probability, by_slip], axis=1),
            )
        return dataclasses.replace(problem, reward=reward, weights=weights, outcomes=outcomes)
