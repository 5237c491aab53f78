r"""Policy, and the records that it may carry: hidden modes and a memory.

With hidden modes the agent follows the policy :math:`\pi_m` in mode m; from step to step the mode changes by a
transition kernel. The likelihood of a trajectory is the exact sum over all sequences of modes, in log space and forward
in time (Baum and Petrie 1966):

.. math:: \alpha_1(m) = p_1(m),\quad
    p(a_t \mid \text{past}) = \sum_m \hat\alpha_t(m)\,\pi_m(a_t \mid s_t),\quad
    \alpha_{t+1}(m') = \sum_m \hat\alpha_t(m)\,\pi_m(a_t \mid s_t)\,\mathrm{Tr}(m' \mid m, s_{t+1})

A memory changes from step to step along a trajectory and adjusts the action probabilities of the next step. The
likelihood loops over the steps only for :meth:`Memory.read` and :meth:`Memory.update`: the rest is computed for all
steps at once.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Int

from goalinf.planning.log_space import log_sum_exp
from goalinf.types import Numbers, Numeric
from goalinf.worlds import World, label

Row = Float[Array, "*T A N"]
PolicyLike = Numbers | xr.DataArray  # probabilities (S, A), labeled or not, or the number of an action (S,)
_Content = TypeVar("_Content")
_Seen = TypeVar("_Seen")
_Signal = TypeVar("_Signal")


class Policy(eqx.Module):
    """Action probabilities of an agent in every state; several policies have a leading axis.

    Parameters
    ----------
    log_probs : float (S, A), (T, S, A), (M, S, A) or (M, T, S, A)
        Log-probability of each action, −inf where unavailable; in each hidden mode where the agent has modes, and
        time-indexed with a finite horizon. In a goal state it is the stationary policy of an agent for which the value
        of the goal state is zero; in a terminal state of the world no action is chosen.
    values : float (S,), (T, S), (M, S) or (M, T, S)
        beta times the value that the planner assigns to a state.
    ended : bool (S,)
        States in which a simulated episode ends: terminal states of the world, and goal states.
    residual : float
        Relative residual of the planner's fixed point.
    modes : HiddenModes, optional
        Initial distribution and transitions of the hidden mode.
    memory : Memory, optional
        Memory by which earlier steps change the log-probabilities.
    planned : PlannedValues, optional
        Values in utility, where the planner has them.
    """

    log_probs: Float[Array | np.ndarray, "*M S A"]
    values: Float[Array | np.ndarray, "*M S"]
    ended: Bool[Array | np.ndarray, "*G S"]
    residual: Float[Array | np.ndarray, "*G"]
    modes: HiddenModes | None = None
    memory: Memory[Any, Any, Any] | None = None
    planned: PlannedValues | None = None

    @property
    def simple(self) -> bool:
        """True where action probabilities depend only on the state and the time."""
        return self.modes is None and self.memory is None


class PlannedValues(eqx.Module):
    """Values that a planner assigns, in utility; NaN at an inverse temperature of 0 that is the scale of the plan.

    Parameters
    ----------
    action : float (A, S), (T, A, S), (M, A, S) or (M, T, A, S)
        Q, with the axes of :class:`Policy`.
    state : float (S,), (T, S), (M, S) or (M, T, S)
        V.
    """

    action: Float[Array | np.ndarray, "*M A S"]
    state: Float[Array | np.ndarray, "*M S"]


class Learned(NamedTuple):
    """Values and prediction errors of learners at T steps of N trajectories, in utility.

    Parameters
    ----------
    values : float (T, A, N)
        Value of every action in the state of the step, before its outcome.
    error : float (T, N)
        Prediction error of the recorded action; NaN where nothing is learned.
    parts : mapping from name to float (T, N)
        Further values of the recorded action, of which the learner's value is made; NaN where there are none.
    """

    values: Array
    error: Array
    parts: Mapping[str, Array] = MappingProxyType({})


class Step(eqx.Module):
    """One step of N trajectories; of T steps with a leading axis.

    Parameters
    ----------
    state, action, following : int (N,)
        State, action and next state.
    observed : bool (N,)
        True where the action was observed; it was chosen or forced.
    outcomes : float (A, N), optional
        Recorded outcomes of all actions; NaN where unknown.
    """

    state: Int[Array, "*T N"]
    action: Int[Array, "*T N"]
    following: Int[Array, "*T N"]
    observed: Bool[Array, "*T N"]
    outcomes: Float[Array, "*T A N"] | None = None


class Tables(eqx.Module):
    """Tables with a leading axis of plans, in which trajectories look up entries; abstract."""

    @abc.abstractmethod
    def of_trajectories(self, plan: Int[Array, " N"]) -> Tables:
        """Return the same tables with the number of the plan of every trajectory."""


class Memory(eqx.Module, Generic[_Content, _Seen, _Signal]):
    """Memories of trajectories: parameters of their updates; the content is passed from step to step.

    Policies carry one memory for each plan, with a leading axis; :meth:`of_trajectories` selects that of every
    trajectory. The last axis of all other arrays numbers the trajectories, because loops over steps are fastest on
    arrays with a long last axis. The types are those of the content, of the part that is read in a state, and of the
    signals of a step.
    """

    def of_trajectories(self, plan: Int[Array, " N"]) -> Memory[_Content, _Seen, _Signal]:
        """Return the memories of trajectories with these numbers of plans, as all other methods expect it."""

        def select(leaf: Any) -> Any:
            if isinstance(leaf, Tables):
                return leaf.of_trajectories(plan)
            return leaf[plan] if leaf.shape[0] > 1 else leaf[0]

        return jax.tree.map(select, self, is_leaf=lambda leaf: isinstance(leaf, Tables))

    @abc.abstractmethod
    def start(self, n_states: int, n_actions: int, count: int, dtype: Any) -> _Content:
        """Return the content of the memories of ``count`` trajectories before the first step."""

    @abc.abstractmethod
    def read(self, memory: _Content, state: Int[Array, " N"]) -> _Seen:
        """Return the part of the memory that is relevant in a state."""

    @abc.abstractmethod
    def adjust(self, seen: _Seen, row: Row) -> Row:
        """Return log-probabilities of the recorded actions ``(…, A, N)`` in a state, given those without a memory.

        With ``seen`` at several steps, both have a further axis of steps before these.
        """

    @abc.abstractmethod
    def signals(self, steps: Step) -> _Signal:
        """Return signals of the steps that do not depend on the memory, with the leading axis of the steps."""

    @abc.abstractmethod
    def update(self, memory: _Content, step: Step, signal: _Signal) -> _Content:
        """Return the content of the memory after one more step."""

    @abc.abstractmethod
    def seen(self, start: _Content, steps: Step) -> _Seen:
        """Return what :meth:`read` returns before the update of each step, with a leading axis of steps."""

    def learned(self, start: _Content, steps: Step) -> Learned | None:
        """Return values and prediction errors at every step; None for a memory that holds no values."""
        return None


class HiddenModes(eqx.Module):
    """Distribution of the mode at the first step, and its transition kernel.

    Parameters
    ----------
    initial : float (M,) or (S, M)
        Log-probability of each mode at the first step; by first state where it depends on that.
    kernel : float (M, M) or (S, M, M), optional
        Log-probability of each mode given the previous one; by the state of arrival where it depends on that. None:
        the mode is constant.
    jump : int (S, M), optional
        Mode that replaces each mode on arrival in a state, before the kernel is applied; also in the first state.
    by_state : bool
        True where every state has its own mode, drawn at the first visit and constant after it: no kernel, no jump.
    """

    initial: Float[Array | np.ndarray, "*S M"]
    kernel: Float[Array | np.ndarray, "*S M M"] | None = None
    jump: Int[Array | np.ndarray, "S M"] | None = None
    by_state: bool = eqx.field(static=True, default=False)

    @property
    def stays(self) -> bool:
        """True where the mode never changes."""
        return self.kernel is None and self.jump is None

    def begin(self, state: Int[Array, ""]) -> Float[Array, " M"]:
        """Return the log-probability of each mode in the first state."""
        return self._jumped(self.initial[state] if self.initial.ndim == 2 else self.initial, state)

    def move(self, log_weights: Float[Array, " M"], state: Int[Array, ""]) -> Float[Array, " M"]:
        """Return the log-weights of the modes after arrival in a state."""
        landed = self._jumped(log_weights, state)
        if self.kernel is None:
            return landed
        return _sums(landed[:, None] + (self.kernel[state] if self.kernel.ndim == 3 else self.kernel))

    def _jumped(self, log_weights: Numeric, state: Array) -> Any:
        if self.jump is None:
            return log_weights
        landed = self.jump[state][:, None] == jnp.arange(log_weights.size)
        return _sums(jnp.where(landed, log_weights[:, None], -jnp.inf))


def labeled(policy: Policy, world: World, *, timed: bool) -> xr.DataArray:
    """Label action probabilities with the names of states and actions.

    Parameters
    ----------
    policy : Policy
        Policy in the world, on the host.
    world : World
        The world.
    timed : bool
        True where the policy has an axis of decisions.
    """
    dims: tuple[str, ...] = ("step", "state", "action") if timed else ("state", "action")
    if policy.modes is not None:
        dims = ("mode", *dims)
    coords = dict(world.coords())
    if world.local_actions:
        names = [[label(name) if name is not None else "" for name in names] for names in world.actions]
        coords["choice"] = (("state", "action"), np.array(names))
    else:
        numbers = all(isinstance(name, int) for name in world.actions)
        coords["action"] = list(world.actions) if numbers else [label(name) for name in world.actions]
    return xr.DataArray(np.exp(policy.log_probs), dims=dims, coords=coords, name="probability")


def _sums(terms: Array) -> Any:
    """Compute the log-sum-exp over the first axis, in which all terms may be minus infinity."""
    some = (terms > -jnp.inf).any(axis=0)
    return jnp.where(some, log_sum_exp(jnp.where(some, terms, 0.0)), -jnp.inf)
