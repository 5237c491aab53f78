"""Cone of rewards under which a policy is optimal, and its properties by linear programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np
import xarray as xr
from scipy.optimize import OptimizeResult, linprog

from goalinf.checks import check_number, takes_key
from goalinf.errors import ConvergenceError
from goalinf.identify.linear_algebra import kernel
from goalinf.identify.policy_evaluation import check_own_ends, expected_rewards
from goalinf.precision import computing_in
from goalinf.rewards import ActionReward, Reward, StateReward, check_reward
from goalinf.types import PRNGKey
from goalinf.worlds import World, label

Class = Literal["departure", "arrival", "action"]
_TOLERANCE = 1e-9  # of advantages, relative to the largest reward
_LARGEST = float(np.finfo(float).max)
_CLASS_NOUNS = {"departure": "of states on departure", "arrival": "of states on arrival", "action": "of actions"}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FeasibleSet:
    r"""Set of rewards of a class under which a policy is optimal: a cone in P dimensions.

    Parameters
    ----------
    world : World
        World of the policy.
    rewards : {"departure", "arrival", "action"}
        The class: rewards of states, P = S, or of state-action pairs, P = S A.
    losses : float (n, P)
        Losses of the actions with probability zero, :math:`-A^\pi(s, a)`, as a linear map of the reward: not negative
        in the set.
    ties : float (m, P)
        Advantages of the actions that the policy mixes with others: zero in the set.
    choices : int (n, 2)
        State and action of the rows of `losses`.
    """

    world: World
    rewards: Class
    losses: np.ndarray
    ties: np.ndarray
    choices: np.ndarray

    @property
    def lineality(self) -> int:
        r"""Dimension of the largest linear subspace of the cone: directions that an optimal policy never identifies.

        For state rewards with all actions available it equals :math:`\kappa`, see
        :func:`~goalinf.identify.controllability_deficit`.
        """
        rows = np.concatenate([self.losses, self.ties])
        return kernel(rows / max(np.abs(rows).max(initial=0.0), 1.0), _TOLERANCE).dimension

    def contains(self, reward: Reward) -> bool:
        """Return True where the policy is optimal under a reward of this class (``"action"`` contains all rewards)."""
        return self.margin(reward) >= 0.0

    def margin(self, reward: Reward) -> float:
        """Compute the smallest loss of an action with probability zero, in utility.

        Minus infinity if the policy is not optimal, infinity if no action has probability zero.
        """
        vector = self._vector(reward)
        size = _TOLERANCE * max(float(np.abs(vector).max(initial=0.0)), np.finfo(float).tiny)
        loss = float((self.losses @ vector).min(initial=np.inf))
        if loss < -size or np.abs(self.ties @ vector).max(initial=0.0) > size:
            return -np.inf
        return max(loss, 0.0)

    def ng_russell(self, penalty: float | int = 0.0, *, bound: float | int = 1.0) -> Reward:
        r"""Solve the linear program of Ng and Russell: maximize the losses of the second-best actions.

        .. math:: \max_R \sum_s \min_{a \ne \pi(s)} -A^\pi_R(s, a) - \lambda \|R\|_1
            \quad\text{in the cone},\ |R| \le R_{\max}

        Parameters
        ----------
        penalty : float
            :math:`\lambda`, at least 0; from :meth:`critical_penalty` on the solution is zero. Ng and Russell omit a
            factor :math:`\gamma` of the first term: for departure rewards their penalty is this penalty divided by
            :math:`\gamma`.
        bound : float
            :math:`R_{\max}`, above 0.

        Returns
        -------
        Reward
            A reward of the class; one solution if there are several.
        """
        check_number("penalty", penalty, 0.0, _LARGEST, "a number of at least 0")
        _check_bound(bound)
        upper, equal = self._smallest_losses()
        n, n_states = self._size, upper.shape[1] - 2 * self._size
        gain = np.concatenate([np.full(2 * n, -float(penalty)), np.ones(n_states)])
        solution = _solve(-gain, upper, equal, [(0.0, bound)] * (2 * n) + [(0.0, None)] * n_states)
        return self._reward(solution.x[:n] - solution.x[n : 2 * n])

    def critical_penalty(self) -> float:
        r"""Compute the smallest penalty for which the solution of :meth:`ng_russell` is zero.

        :math:`\lambda^* = \max \sum_s \min_{a \ne \pi(s)} -A^\pi_R(s, a)` over the cone with
        :math:`\|R\|_1 \le 1`: both terms of the objective are proportional to the size of R.
        """
        upper, equal = self._smallest_losses()
        price = np.arange(upper.shape[1]) < 2 * self._size
        limits = np.r_[np.zeros(len(upper)), 1.0]
        solution = _solve(-(~price).astype(float), np.vstack([upper, price]), equal, [(0.0, None)] * len(price), limits)
        return max(0.0, -float(solution.fun))

    def intervals(
        self, *, bound: float | int = 1.0, margin: float | int = 0.0, known: Mapping[Any, float | int] | None = None
    ) -> xr.DataArray:
        """Compute the smallest and the largest value of every entry, by two linear programs each.

        Parameters
        ----------
        bound : float
            All entries lie in [-bound, bound]; above 0.
        margin : float
            Smallest loss of every action with probability zero, in utility. With margin 0 the constants are in the set,
            and the entries are bounded by ``bound`` only.
        known : mapping, optional
            Name of a state (for action rewards: state and action) -> its reward.

        Returns
        -------
        DataArray (..., end)
            ``end`` is ``low`` and ``high``.

        Raises
        ------
        ValueError
            If no reward is feasible: the margin is too large for the bound and the known values.
        """
        upper, limits, bounds = self._constraints(bound, margin, known)
        equal = self.ties, np.zeros(len(self.ties))
        ends = [
            [sign * float(_solve(sign * entry, upper, equal, bounds, limits).fun) for sign in (1.0, -1.0)]
            for entry in np.eye(self._size)
        ]
        shaped = self._labeled(np.array(ends).T[0])
        return xr.concat([shaped, self._labeled(np.array(ends).T[1])], dim="end").assign_coords(end=["low", "high"])

    def center(
        self, *, bound: float | int = 1.0, margin: float | int = 0.0, known: Mapping[Any, float | int] | None = None
    ) -> tuple[Reward, float]:
        """Compute the Chebyshev center: center and radius of the largest ball of rewards in the set.

        Parameters
        ----------
        bound, margin, known
            As for :meth:`intervals`. The ball is in the space of the unknown entries, and within the bound.

        Returns
        -------
        reward : Reward
            The center.
        radius : float
            In utility; 0 if the policy mixes actions in some state, so that the set has no interior.
        """
        upper, limits, bounds = self._constraints(bound, margin, known)
        free = np.array([low < high for low, high in bounds])
        walls = np.vstack([upper, np.eye(self._size)[free], -np.eye(self._size)[free]])
        limits = np.concatenate([limits, np.full(2 * free.sum(), float(bound))])
        radius = np.linalg.norm(walls[:, free], axis=1)
        if np.abs(self.ties).max(initial=0.0) > 0:
            radius = np.zeros_like(radius)
        equal = np.hstack([self.ties, np.zeros((len(self.ties), 1))]), np.zeros(len(self.ties))
        cost = np.r_[np.zeros(self._size), -1.0]
        limit = None if radius.any() else 0.0
        solution = _solve(cost, np.column_stack([walls, radius]), equal, [*bounds, (0.0, limit)], limits)
        return self._reward(solution.x[:-1]), float(solution.x[-1])

    @takes_key
    def extreme(self, key: PRNGKey, *, bound: float | int = 1.0, margin: float | int = 0.0) -> Reward:
        """Compute a vertex of the set: the reward that is largest in a random direction.

        Parameters
        ----------
        key : int or jax.random key
            A seed, or a source of randomness, which is consumed.
        bound, margin
            As for :meth:`intervals`.
        """
        with computing_in("float64"):
            direction = np.asarray(jax.random.normal(key, (self._size,)), float)
        upper, limits, bounds = self._constraints(bound, margin, None)
        return self._reward(_solve(-direction, upper, (self.ties, np.zeros(len(self.ties))), bounds, limits).x)

    def __repr__(self) -> str:
        return (
            f"FeasibleSet({self._size} rewards {_CLASS_NOUNS[self.rewards]}, {len(self.losses)} inequalities, "
            f"{len(self.ties)} equalities)"
        )

    @property
    def _size(self) -> int:
        return self.losses.shape[1]

    def _smallest_losses(self) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Return constraints for R+, R- and the smallest loss of every state (at most each loss), and for ties."""
        states, state_index = np.unique(self.choices[:, 0], return_inverse=True)
        upper = np.hstack([-self.losses, self.losses, np.eye(len(states))[state_index]])
        equal = np.hstack([self.ties, -self.ties, np.zeros((len(self.ties), len(states)))])
        return upper, (equal, np.zeros(len(equal)))

    def _constraints(
        self, bound: float | int, margin: float | int, known: Mapping[Any, float | int] | None
    ) -> tuple[Any, Any, Any]:
        _check_bound(bound)
        check_number("margin", margin, 0.0, _LARGEST, "a number of at least 0")
        bounds = [(-float(bound), float(bound))] * self._size
        for name, value in (known or {}).items():
            within = f"a number within the bound, [{-bound:g}, {bound:g}]"
            check_number(f"the known reward of {name!r}", value, -float(bound), float(bound), within)
            bounds[self._index(name)] = (float(value), float(value))
        return -self.losses, np.full(len(self.losses), -float(margin)), bounds

    def _index(self, name: Hashable) -> int:
        if self.rewards != "action":
            return self.world.index(name)
        if not isinstance(name, tuple) or len(name) != 2:
            raise ValueError(f"{name!r} is not a state-action pair; expected (state, action)")
        state = self.world.index(name[0])
        return state * self.world.n_actions + self.world.action_index(name[1], state=state)

    def _vector(self, reward: Reward) -> np.ndarray:
        """Return a reward as numbers of this class: its values, or expected rewards of state-action pairs."""
        check_reward("reward", reward)
        check_own_ends(self.world, reward)
        expected, rows, _ = expected_rewards(self.world, reward)
        if self.rewards == "action":
            table = np.zeros(rows.shape)
            table[rows] = expected
            return table.ravel()
        if isinstance(reward, StateReward) and reward.on == self.rewards:
            return np.asarray(reward.values, float)
        raise ValueError(
            f"expected a reward {_CLASS_NOUNS[self.rewards]}, found {type(reward).__name__}: make the feasible set of "
            "that class, or of 'action' rewards with the expected reward of every action as a gi.ActionReward"
        )

    def _reward(self, vector: np.ndarray) -> Reward:
        if self.rewards == "action":
            return ActionReward(vector.reshape(self.world.n_states, self.world.n_actions))
        return StateReward(vector, on=self.rewards)

    def _labeled(self, vector: np.ndarray) -> xr.DataArray:
        coords = dict(self.world.coords())
        if self.rewards != "action":
            return xr.DataArray(vector, dims="state", coords=coords)
        if not self.world.local_actions:
            coords["action"] = [label(name) for name in self.world.actions]
        shape = self.world.n_states, self.world.n_actions
        return xr.DataArray(vector.reshape(shape), dims=("state", "action"), coords=coords)


def _check_bound(bound: Any) -> None:
    check_number("bound", bound, np.finfo(float).tiny, _LARGEST, "a number above 0")


def _solve(
    cost: np.ndarray,
    upper: np.ndarray,
    equal: tuple[np.ndarray, np.ndarray],
    bounds: Sequence[tuple[float | None, float | None]],
    limits: np.ndarray | None = None,
) -> OptimizeResult:
    """Solve a linear program with HiGHS."""
    limits = np.zeros(len(upper)) if limits is None else limits
    solution = linprog(cost, A_ub=upper, b_ub=limits, A_eq=equal[0], b_eq=equal[1], bounds=bounds, method="highs")
    if solution.status == 2:
        raise ValueError(
            "no reward is left under which this policy is optimal: the margin is too large for the bound, or the known "
            "values are infeasible"
        )
    if not solution.success:
        raise ConvergenceError(f"the linear program was not solved: {solution.message}")
    return solution
