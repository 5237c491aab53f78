r"""Exact Jacobian and Fisher information of a policy with respect to the reward and the agent.

The derivative of the log-policy goes through the planner's fixed point by implicit differentiation, in forward mode
and float64: :math:`\partial\log\pi/\partial r = \beta G` with
:math:`G = (I - E\Pi)(I - \gamma P\,\Pi)^{-1}` for the soft planner (:math:`\Pi` averages over the policy and
:math:`E` copies the value of a state to its actions), and likewise for every other planner. Directions in its null
space are not identified by any amount of behavior.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Hashable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from goalinf.agents.agent import Agent, SingleAgent, single_agent
from goalinf.agents.plannable import check_known, check_plannable, check_solved
from goalinf.agents.policy import Policy
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.identify.local.jacobian_columns import (
    Column,
    check_size,
    columns_of,
    expected_rewards,
    in_each_world,
    moved_by,
)
from goalinf.precision import cast, computing_in
from goalinf.rewards import Reward, reward_parameters
from goalinf.types import Numeric
from goalinf.worlds import MDP, stack

TOLERANCE = 1e-8  # singular values below, in units of beta times the reward, count as zero


@dataclasses.dataclass(frozen=True, eq=False)
class Jacobian(abc.ABC):
    r"""Derivatives of log-probabilities under one agent in C worlds with respect to P numbers; abstract.

    Parameters
    ----------
    expected_reward : float (C, S, A, P)
        :math:`\partial r(s,a) / \partial\theta`, derivative of the expected reward of an action; zero in rows
        that do not count.
    rows : bool (C, S, A)
        The rows that count: available actions of states whose value is not given (ended, dead ends, padding).
    columns : tuple of Column
        The parameters of the P columns.
    beta : float
        The agent's inverse temperature (1 where it has none): the unit of the derivatives.
    source : str or None
        The observations of which these are derivatives (``"these 12 choices"``); None for the policy, which is what
        infinite behavior identifies.
    """

    expected_reward: np.ndarray
    rows: np.ndarray
    columns: tuple[Column, ...]
    beta: float
    source: str | None

    @abc.abstractmethod
    def matrix(self) -> np.ndarray:
        """Return the derivatives that count, ``(R, P)``."""

    @abc.abstractmethod
    def reward_part(self) -> Jacobian:
        """Return the derivatives with respect to the reward alone."""

    @property
    def reward_columns(self) -> tuple[Column, ...]:
        """Columns of the reward, which are the first ones."""
        return tuple(column for column in self.columns if column.name.startswith("reward."))

    @property
    def n_rewards(self) -> int:
        """Number of the columns of the reward."""
        return sum(column.size for column in self.reward_columns)

    @property
    def tolerance(self) -> float:
        """Largest singular value that counts as zero: 1e-8 times beta times the largest derivative of a reward."""
        largest = float(np.abs(self.expected_reward[..., : self.n_rewards]).max(initial=0.0)) if self.n_rewards else 1.0
        return TOLERANCE * self.beta * largest


@dataclasses.dataclass(frozen=True, eq=False)
class PolicyJacobian(Jacobian):
    r"""Derivatives of the log-policies of one agent in C worlds; see :class:`Jacobian` for the other fields.

    Parameters
    ----------
    log_policy : float (C, S, A, P) or (C, T, S, A, P)
        :math:`\partial \log\pi(a \mid s) / \partial\theta`; zero in rows that do not count.
    policy : float (C, S, A) or (C, T, S, A)
        The policy itself.
    """

    log_policy: np.ndarray
    policy: np.ndarray

    def reward_part(self) -> PolicyJacobian:
        """Return the derivatives with respect to the reward alone."""
        n = self.n_rewards
        log_policy, expected_reward = self.log_policy[..., :n], self.expected_reward[..., :n]
        return dataclasses.replace(
            self, log_policy=log_policy, expected_reward=expected_reward, columns=self.reward_columns
        )

    def matrix(self, visited: np.ndarray | None = None) -> np.ndarray:
        """Return the rows that count, ``(R, P)``; if given, of visited states only, ``(C, S)`` or ``(C, T, S)``."""
        counted = np.broadcast_to(_over_time(self.rows, self.log_policy.ndim), self.log_policy.shape[:-1])
        if visited is not None:
            if visited.ndim == 2:
                visited = _over_time(visited, self.log_policy.ndim)
            counted = counted & visited[..., None]
        return self.log_policy[counted]

    def fisher(self, visits: np.ndarray) -> np.ndarray:
        r"""Compute the Fisher information of a number of visits to every state, ``(P, P)``.

        .. math:: I(\theta) = \sum_s d(s) \sum_a \pi(a \mid s)\,
            \frac{\partial\log\pi(a \mid s)}{\partial\theta} \frac{\partial\log\pi(a \mid s)}{\partial\theta}^{\!\top}

        which for a reward r(s, a) is :math:`\beta^2 \sum_s d(s)\,G_s^\top(\mathrm{diag}\,\pi_s - \pi_s\pi_s^\top)G_s`.

        Parameters
        ----------
        visits : float (S,), (C, S) or (C, T, S)
            :math:`d(s)`, number of actions in each state.
        """
        visits = np.atleast_2d(np.asarray(visits, float))
        if visits.ndim == 2:
            visits = _over_time(visits, self.log_policy.ndim)
        weights = (visits[..., None] * self.policy).ravel()
        flat = self.log_policy.reshape(-1, self.log_policy.shape[-1])
        return flat.T @ (weights[:, None] * flat)


def log_policy_jacobian(
    world: Worlds,
    agent: Agent,
    reward: Rewards,
    *,
    wrt: Sequence[str] | None = None,
    contexts: Sequence[Hashable] | None = None,
) -> PolicyJacobian:
    """Compute the exact derivatives of the log-policy at a known agent and a known reward.

    Parameters
    ----------
    world : World or mapping from context to World
        World of the agent; several worlds are stacked.
    agent : Agent
        A known agent.
    reward : Reward or mapping from context to Reward
        A known reward. Derivatives with respect to several rewards are not available.
    wrt : sequence of str, optional
        Names of the parameters: ``"reward.values"``, ``"agent.beta"``, ``"discount"``, … Default: all parameters
        of the reward.
    contexts : sequence, optional
        Order of the worlds and rewards. Default: the order of the mapping.

    Returns
    -------
    PolicyJacobian

    Raises
    ------
    ValueError
        If a parameter does not exist or is still a prior, if an undiscounted problem cannot end, or if the Jacobian
        does not fit in memory.
    ConvergenceError, PrecisionError
        If the planner fails.

    References
    ----------
    Cao, Cohen and Szpruch (2021), theorem 1, for the null space that follows; Rust (1988) for the implicit derivative.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> jacobian = log_policy_jacobian(hall, gi.agents.soft_optimal(beta=2.0), reward)
    >>> jacobian.log_policy.shape
    (1, 3, 4, 3)
    """
    agent = single_agent("agent", agent)
    conditions = Conditions.of(world, reward, contexts)
    check_known(agent, conditions.rewards)
    for distinct_world, distinct_reward in conditions.distinct.pairs():
        check_plannable(agent, distinct_world, distinct_reward)
    if not agent.one_policy:
        raise ValueError(
            f"{agent.name} does not act by one policy: its actions depend on a hidden mode or on a memory; give an "
            "agent without them, such as gi.agents.boltzmann(beta=…)"
        )
    names = tuple(wrt) if wrt is not None else reward_parameters(conditions.rewards[0])
    if len(conditions.rewards) > 1 and any(name.startswith("reward.") for name in names):
        raise ValueError(
            "several rewards have to be known; derivatives are taken with respect to one reward of all contexts"
        )
    columns = columns_of(agent, conditions.rewards[0], names)
    n_columns = sum(column.size for column in columns)
    check_size(len(conditions.worlds) * (agent.horizon or 1) * conditions.world.mdp.available.size, n_columns)
    # Padded to one shape and stacked, so that many worlds need one program.
    mdps = stack([context_world.mdp for context_world in conditions.worlds])
    with computing_in("float64"):
        arguments = cast((agent, mdps, conditions.stacked_reward()))
        varies = (len(conditions.worlds) > 1, len(conditions.rewards) > 1)
        evaluated = jax.device_get(_evaluate(*arguments, names=names, n_columns=n_columns, varies=varies))
    log_policy, expected_reward, policy, rows = evaluated
    check_solved(policy.residual, policy.values, "float64", agent, conditions.worlds)
    beta = float(np.max(agent.parameters.get("beta", 1.0)))
    return PolicyJacobian(expected_reward, rows, columns, beta, None, log_policy, np.exp(policy.log_probs))


@partial(jax.jit, static_argnames=("names", "n_columns", "varies"))
def _evaluate(
    agent: SingleAgent,
    mdps: MDP,
    rewards: Reward,
    *,
    names: tuple[str, ...],
    n_columns: int,
    varies: tuple[bool, bool],
) -> tuple[Array, Numeric, Policy, Numeric]:
    def evaluate(mdp: MDP, reward: Reward) -> tuple[Array, Numeric, Policy, Numeric]:
        columns = columns_of(agent, reward, names)

        def log_policy(x):
            moved_agent, moved_mdp, moved_reward = moved_by(agent, mdp, reward, columns, x)
            policy = moved_agent.policies(moved_mdp, moved_reward)
            return policy.log_probs, policy

        derivative, policy = jax.jacfwd(log_policy, has_aux=True)(jnp.zeros(n_columns))
        expected_reward, rows = expected_rewards(agent, mdp, reward, columns)
        return jnp.where(rows[..., None], derivative, 0.0), expected_reward, policy, rows

    return in_each_world(evaluate, mdps, rewards, varies)


def _over_time(array: np.ndarray, ndim: int) -> np.ndarray:
    """Return an array by world and state with a time axis if the Jacobian has one."""
    return array[:, None] if ndim == 5 else array
