"""Options: policies that are initiated, followed, and terminated, possibly too early or too late."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Bool, Float

from goalinf.agents.abstract_kinds import SingleModeAgent
from goalinf.agents.hidden.hidden_mode_agent import ModeProcess
from goalinf.agents.parts.value_iteration import stationary
from goalinf.agents.policy import HiddenModes, Policy
from goalinf.planning.bellman import Problem
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.log_space import safe_log
from goalinf.planning.parameters import SHARE, DefaultPriors, Parameter, Ranges, check_shape
from goalinf.precision import cast, namespace
from goalinf.rewards import Reward, ended
from goalinf.types import Numbers, Numeric
from goalinf.worlds import MDP, World


class Option(eqx.Module):
    """Option: initiation set, policy and termination probabilities (Sutton, Precup and Singh 1999).

    Parameters
    ----------
    policy : float (S, A)
        Probability of each action in each state.
    termination : float (S,)
        Probability of terminating on arrival in each state.
    initiation : bool (S,), optional
        States in which it may be initiated. None: all.
    name : str
        Name in messages.

    Raises
    ------
    ValueError
        Where numbers are not probabilities or shapes do not fit each other.
    """

    policy: Float[Array | np.ndarray, "S A"]
    termination: Float[Array | np.ndarray, " S"]
    initiation: Bool[Array | np.ndarray, " S"]
    name: str = eqx.field(static=True)

    def __init__(
        self,
        policy: Numbers,
        termination: Numbers,
        initiation: Numeric | Sequence[bool] | None = None,
        name: str = "option",
    ):
        self.policy = np.asarray(policy, float)
        self.termination = np.asarray(termination, float)
        self.initiation = np.ones(self.termination.shape, bool) if initiation is None else np.asarray(initiation, bool)
        self.name = name

    def __check_init__(self) -> None:
        if self.policy.ndim != 2:
            raise ValueError(f"policy of {self.name!r} has shape {self.policy.shape}; expected (state, action)")
        n_states = len(self.policy)
        for part, value in (("termination", self.termination), ("initiation", self.initiation)):
            if value.shape != (n_states,):
                raise ValueError(f"{part} of {self.name!r} has shape {value.shape}; its policy has {n_states} states")
        for part, value in (("policy", self.policy), ("termination", self.termination)):
            if not ((value >= 0) & (value <= 1)).all():
                raise ValueError(f"{part} of {self.name!r} holds numbers outside [0, 1]; expected probabilities")


class Options(ModeProcess):
    r"""Hidden modes of an agent that follows one option at a time, and may terminate it too early or too late.

    An option is chosen by its value, which assumes termination without errors,

    .. math:: Q_O(s,o) &= \sum_a \pi_o(a \mid s) \Big[r(s,a) + \gamma \sum_t P(t \mid s,a)\,U(t,o)\Big]\\
        U(t,o) &= (1 - \beta_o(t))\,Q_O(t,o) + \beta_o(t) \max_{o' \text{ that may begin in } t} Q_O(t,o')

    by the agent's choice rule over the options that may begin. On arrival in s an option terminates with probability
    :math:`(1 - \zeta_o)\,\beta_o(s) + \zeta_e\,(1 - \beta_o(s))`, and the next option is chosen, possibly the same
    one. The current option is the hidden mode.

    Parameters
    ----------
    options : tuple of Option
        The options.
    early : float or Distribution
        :math:`\zeta_e`, in [0, 1]: probability of terminating where the option continues.
    overshoot : float or Distribution
        :math:`\zeta_o`, in [0, 1]: probability of continuing where the option terminates.
    """

    options: tuple[Option, ...]
    early: Parameter = 0.0
    overshoot: Parameter = 0.0
    facts: ClassVar[Facts] = REGULAR
    parameters: ClassVar[Ranges] = {"early": SHARE, "overshoot": SHARE}
    default_priors: ClassVar[DefaultPriors] = {
        "early": lambda: dist.Beta(1.0, 9.0),
        "overshoot": lambda: dist.Beta(1.0, 9.0),
    }

    def __check_init__(self) -> None:
        if not self.options or not all(isinstance(option, Option) for option in self.options):
            raise ValueError("options are a tuple of at least one goalinf.agents.Option")

    def check_agent(self, agent: SingleModeAgent) -> None:
        """Refuse an agent that plans in other states than those of the world."""
        if not agent.planning.beliefs.same_states:
            raise ValueError("options cannot be planned for an agent that expects to stop learning: leave updates out")

    def check(self, world: World, reward: Reward) -> None:
        """Refuse options that do not fit the world, or a state in which no option may begin."""
        continuing = ~np.asarray(ended(reward, world.mdp))
        for option in self.options:
            check_shape(f"policy of {option.name!r}", option.policy, world.mdp.available.shape, "state, action")
            total = np.where(world.mdp.available, option.policy, 0.0).sum(axis=1)
            if (wrong := continuing & (abs(total - 1.0) > 1e-6)).any():
                state = int(wrong.argmax())
                raise ValueError(
                    f"policy of {option.name!r} in state {world.states[state]!r} gives the available actions "
                    f"{total[state]:g} in total; expected 1"
                )
        may_begin = np.any([option.initiation for option in self.options], axis=0)
        if (idle := continuing & ~may_begin).any():
            raise ValueError(f"no option may begin in state {world.states[int(idle.argmax())]!r}; give one for it")

    def policies(self, agent: SingleModeAgent, mdp: MDP, reward: Reward) -> Policy:
        """Compute the policies of the modes: one for each option."""
        planning = agent.planning
        problem = Problem.of(planning.beliefs(mdp), reward, 1.0)
        if planning.beliefs.foresees:
            problem = planning.beliefs.foresee(problem, agent.slip)
        if planning.discount is not None:
            problem = dataclasses.replace(problem, discount=jnp.asarray(planning.discount))
        policies, ends, starts = self._stacked()
        q, residual = _option_values(problem, policies, ends, starts)

        beta = 1.0 if agent.beta is None else agent.beta
        over = jnp.asarray(ended(reward, mdp))
        may_begin = starts | ~starts.any(axis=0)  # where no option may begin, the episode has ended
        log_choice = planning.choice(beta * q, may_begin, ~over)
        stop = ((1.0 - self.overshoot) * ends + self.early * (1.0 - ends)).T[..., None]
        stays = jnp.eye(len(self.options), dtype=q.dtype)
        available = jnp.asarray(mdp.available)
        probs = jnp.where((over | ~available.any(1))[:, None], available / available.sum(1, keepdims=True), policies)
        return Policy(
            jax.vmap(lambda policy: agent.recorded(safe_log(policy), available))(probs),
            beta * q,
            over,
            residual,
            modes=HiddenModes(log_choice, safe_log(stop * jnp.exp(log_choice)[:, None] + (1.0 - stop) * stays)),
            memory=agent.memory(mdp, reward),
        )

    def _stacked(self) -> tuple[Any, Any, Any]:
        """Stack policies (O, S, A), termination probabilities (O, S), and initiation sets (O, S)."""
        parts = [[getattr(o, part) for o in self.options] for part in ("policy", "termination", "initiation")]
        policies, ends, starts = (cast(namespace(*arrays).stack(arrays)) for arrays in parts)
        return policies, ends, starts


def _option_values(problem: Problem, policies: Array, ends: Array, starts: Array) -> tuple[Any, Any]:
    """Compute Q of following each option from each state (O, S), and the residual.

    They are the values of a larger problem. Its states are pairs of an option and a state, (O, S), in which the option
    is followed, and the states in which an option is chosen, (S,), whose actions are the options. The discount is
    included in its weights.
    """
    problem = cast(problem)
    (n_options, n_states), n_neighbors = ends.shape, len(problem.neighbors)
    numbers, size = jnp.arange(n_options), n_options * n_states
    following_states = n_states * numbers[:, None] + jnp.arange(n_states)  # (O, S): numbers of the states of following
    option_policies = jnp.where(problem.fixed, 0.0, policies.swapaxes(1, 2))  # (O, A, S)
    onward = problem.discount * jnp.einsum("oas,aus->uos", option_policies, problem.weights)
    end_probs = jnp.moveaxis(ends[:, problem.neighbors], 0, 1)  # (U, O, S)

    def rows(following, choosing):
        """Join arrays of the states of following (2 U, O, S) and of choosing (O, S) to (U', O S + S)."""
        both = following.reshape(2 * n_neighbors, size), choosing
        return jnp.concatenate(
            [jnp.pad(part, ((0, max(2 * n_neighbors, n_options) - len(part)), (0, 0))) for part in both], axis=1
        )

    def weights(option):
        """Return the weights of one action; the first action continues where an option is followed."""
        going = jnp.where(option == 0, jnp.concatenate([onward * (1.0 - end_probs), onward * end_probs]), 0.0)
        return rows(going, jnp.broadcast_to((numbers == option)[:, None], ends.shape).astype(onward.dtype))

    next_following = following_states[:, :1] + problem.neighbors[:, None]
    next_choosing = jnp.broadcast_to(size + problem.neighbors[:, None], next_following.shape)
    neighbors = rows(jnp.concatenate([next_following, next_choosing]), following_states)
    reward = jnp.where(numbers[:, None] == 0, (option_policies * problem.reward).sum(axis=1).ravel(), 0.0)
    fixed = jnp.tile(problem.fixed, n_options + 1)
    going_on = jnp.broadcast_to(numbers[:, None] == 0, (n_options, size))
    larger = Problem(
        reward=jnp.concatenate([reward, jnp.zeros_like(ends)], axis=1),
        weights=jax.vmap(weights)(numbers),
        neighbors=neighbors,
        origins=jnp.zeros((0, fixed.size), int),
        available=jnp.concatenate([going_on, starts], axis=1) | fixed,
        fixed=fixed,
        fixed_value=jnp.tile(problem.fixed_value, n_options + 1),
        discount=jnp.ones_like(problem.discount),
        initial=jnp.zeros(fixed.size),
    )
    plan = stationary(larger, "hard")
    return plan.values[:size].reshape(ends.shape), plan.residual
