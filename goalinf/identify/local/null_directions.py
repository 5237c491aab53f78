r"""Names for the null directions of a reward.

Every name stands for a formula: a family of rewards that do not change the policy, or, for observations that are not
trajectories, a family in which there are null directions of their likelihood. The null space of the Jacobian is
intersected with these families one after the other; a direction in none of them is called ``other``. The dimensions
therefore add up to the dimension of the null space, and a direction has a name only if it satisfies the formula
numerically.

=========================  =====================================================================================
inert                      entries that are never collected: :math:`\partial r(s,a)/\partial\theta = 0` for all s, a
redistribution             :math:`\theta` with :math:`r(s,a) = 0` for all s, a
whatever is chosen         :math:`r(s,a) = g(s)`, at discount 0 or where a single decision is made
constant                   :math:`r(s,a) = c`
potential shaping          :math:`r = (E - \gamma P)\Phi` with :math:`\Phi = 0` where the episode has ended
controllability deficit    the same for state rewards: :math:`\rho = (I - \gamma P_1)v` with v in ker D, whether
                           they are collected on departure or on arrival; with a finite horizon, :math:`r(s,a) = g(s)`
=========================  =====================================================================================
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from goalinf.identify.linear_algebra import kernel
from goalinf.identify.local.jacobian import Jacobian
from goalinf.identify.local.jacobian_columns import Column
from goalinf.identify.policy_evaluation import shapings
from goalinf.rewards import ActionReward, Reward, StateReward, TransitionReward, base_of
from goalinf.worlds import World

INSIDE = 1e-6  # largest residual of a unit vector that counts as inside a family


@dataclasses.dataclass(frozen=True)
class Direction:
    """Null directions under one name.

    Parameters
    ----------
    kind : str
        The name.
    dimension : int
        Number of independent directions.
    sentence : str
        Explanation in words.
    """

    kind: str
    dimension: int
    sentence: str


def unchanged_by(source: str | None) -> str:
    """Return in words what null directions do not change: the policy, or the likelihood of the observations."""
    return "the policy" if source is None else f"the likelihood of {source}"


def name_directions(
    null: np.ndarray,
    jacobians: Sequence[Jacobian],
    worlds: tuple[World, ...],
    reward: Reward,
    horizons: tuple[int | None, ...],
) -> tuple[np.ndarray, list[Direction]]:
    """Rotate a null space to named directions, and return the names.

    Parameters
    ----------
    null : float (n, P)
        Orthonormal rows of the null space.
    jacobians : sequence of Jacobian
        The Jacobians of the null space, with columns for the reward alone.
    worlds : tuple of World
        In the order of the Jacobians.
    reward : Reward
        The kind of reward.
    horizons : tuple of int or None
        Horizons of the agents in these worlds.

    Returns
    -------
    basis : float (n, P)
        Orthonormal rows of the same space, in the order of the names.
    directions : list of Direction
        Their dimensions add up to n.
    """
    basis, directions, unnamed = [], [], np.eye(len(null))
    for kind, residual, sentence in _families(null, jacobians, worlds, reward, horizons):
        if not unnamed.shape[1]:
            break
        # Combinations of the directions without a name that have no residual outside the family.
        combinations = kernel(residual @ unnamed, INSIDE).basis
        if len(combinations):
            rows = combinations @ unnamed.T @ null
            basis.append(_unit_vectors(rows) if kind == "inert" else _signed(rows))
            directions.append(Direction(kind, len(combinations), sentence))
            unnamed = unnamed @ kernel(combinations, 0.5).basis.T  # the singular values of orthonormal rows are ones
    return np.concatenate([*basis, np.zeros((0, null.shape[1]))]), directions


def _families(
    null: np.ndarray,
    jacobians: Sequence[Jacobian],
    worlds: tuple[World, ...],
    reward: Reward,
    horizons: tuple[int | None, ...],
) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield name, residual of each null direction outside the family (a column), and sentence."""
    base = base_of(reward)
    derivatives = [derivative for jacobian in jacobians for derivative in jacobian.expected_reward]
    rows = [mask for jacobian in jacobians for mask in jacobian.rows]
    largest = max(max(float(np.abs(derivative).max(initial=0.0)) for derivative in derivatives), np.finfo(float).tiny)
    # Expected reward of each action under each null direction, by world, and the states of these actions.
    collected = [derivative[mask] @ null.T / largest for derivative, mask in zip(derivatives, rows, strict=True)]
    departures = [np.nonzero(mask)[0] for mask in rows]
    all_rewards = np.concatenate(collected)
    no_residual = np.zeros((0, len(null)))

    if all(jacobian.beta == 0 for jacobian in jacobians):
        yield "no preference", no_residual, "beta is 0: the policy is uniform for every reward"
    inert = ~np.any([derivative.any(axis=(0, 1)) for derivative in derivatives], axis=0)
    yield "inert", null[:, ~inert].T, _INERT
    yield "redistribution", all_rewards, _REDISTRIBUTION.get(type(base), _COLLINEAR)
    on_arrival = isinstance(base, StateReward) and base.on == "arrival"
    greedy = [horizon == 1 or float(world.mdp.discount) == 0.0 for world, horizon in zip(worlds, horizons, strict=True)]
    if not on_arrival and all(greedy):
        yield "whatever is chosen", np.concatenate(list(map(_residual_of_states, collected, departures))), _MYOPIC
    unchanged = unchanged_by(jacobians[0].source)
    constant = f"adding a constant to every reward does not change {unchanged}"
    yield "constant", all_rewards - all_rewards.mean(0), constant
    residual = np.concatenate(
        [
            _residual_of_shapings(expected, world, row) if horizon is None else _residual_of_states(expected, states)
            for expected, world, row, states, horizon in zip(collected, worlds, rows, departures, horizons, strict=True)
        ]
    )
    if any(horizon is not None for horizon in horizons):
        yield "controllability deficit", residual, _DEFICIT_HORIZON
    elif isinstance(base, StateReward):
        yield "controllability deficit", residual, _DEFICIT
    else:
        yield "potential shaping", residual, _SHAPING
    yield "other", no_residual, f"directions without a name in goalinf that do not change {unchanged}"


def _residual_of_states(rewards: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Return r(s, a) minus its mean over the actions of each state."""
    copies = (states[:, None] == np.unique(states)[None]).astype(float)
    return rewards - copies @ ((copies.T @ rewards) / copies.sum(0)[:, None])


def _residual_of_shapings(rewards: np.ndarray, world: World, rows: np.ndarray) -> np.ndarray:
    """Return r(s, a) minus the nearest shaping, with potentials on states whose value is not fixed."""
    rows = rows[: world.n_states, : world.n_actions]  # without padding
    family = shapings(world, rows)[:, rows.any(1)].toarray()
    return rewards - family @ np.linalg.lstsq(family, rewards, rcond=None)[0]


def _signed(rows: np.ndarray) -> np.ndarray:
    """Make the largest entry of every row positive, so that equal worlds give equal bases."""
    largest = np.abs(rows).argmax(1)
    return rows * np.where(rows[np.arange(len(rows)), largest] < 0, -1.0, 1.0)[:, None]


def _unit_vectors(rows: np.ndarray) -> np.ndarray:
    """Replace rows that span some of the axes by unit vectors."""
    axes = np.argsort(-(rows**2).sum(0), kind="stable")[: len(rows)]
    return np.eye(rows.shape[1])[np.sort(axes)]


_INERT = (
    "entries that are never collected (of terminal states, unavailable actions, impossible transitions, "
    "or states that no action leads to)"
)
_REDISTRIBUTION: dict[Any, str] = {
    TransitionReward: "reward redistributed over the possible next states of an action, with the same expectation",
    StateReward: "values of next states with expectation zero after every action",
    ActionReward: "values of state-action pairs that are never collected",
}
_COLLINEAR = "collinear features: combinations with zero expected reward for every action"
_MYOPIC = (
    "rewards g(s) of being in a state: later rewards do not count and every action collects the same, "
    "so the policy does not depend on them"
)
_SHAPING = (
    "discount * Phi(next state) - Phi(state), for any potential Phi over the states "
    "(beside the constant; Ng, Harada and Russell 1999)"
)
_DEFICIT = (
    "values built from features of the next state whose expectation no action influences "
    "(such as the color of the square, where every move changes it)"
)
_DEFICIT_HORIZON = (
    "rewards g(s) of being in a state whose expectations no action influences at any step before the horizon"
)


def name_with_agent(
    null: np.ndarray, derivatives: Sequence[Jacobian], reward: Reward
) -> tuple[np.ndarray, list[Direction]]:
    """Name the directions that involve free parameters of the agent: the scale, the agent alone, trade-offs."""
    directions: list[Direction] = []
    rows: list[np.ndarray] = []
    columns, unchanged = derivatives[0].columns, unchanged_by(derivatives[0].source)
    scale = np.concatenate([_scale(column, reward) for column in columns])
    projection = null.T @ (null @ scale)
    if len(null) and derivatives[0].n_rewards and any(column.name == "agent.beta" for column in columns):
        # Within the rows, apart from the null directions of the reward alone, the scale is a single direction.
        length = np.linalg.norm(projection)
        size = max(1.0, float(np.linalg.norm(scale)))
        no_change = [np.abs(jac.matrix() @ scale).max(initial=0.0) <= jac.tolerance * size for jac in derivatives]
        if length > 0 and all(no_change):
            rows.append(projection[None] / length)
            directions.append(Direction("scale", 1, "only the product of beta and the reward is identified"))
            null = kernel((null @ projection)[None] / length, 0.5).basis @ null
    scaled = bool(rows)
    # Combinations in which the reward does not change.
    agent_alone = kernel(null[:, : derivatives[0].n_rewards].T, INSIDE).basis
    for kind, basis in (("agent", agent_alone @ null), ("trade-off", kernel(agent_alone, 0.5).basis @ null)):
        if len(basis):
            parts = {column.name: basis[:, column.start : column.start + column.size] for column in columns}
            moved = [name for name, part in parts.items() if np.abs(part).max() > INSIDE]
            involved = [name.removeprefix("agent.") for name in moved if not name.startswith("reward.")]
            names = " or ".join([name for name in involved if name != "beta" or not scaled] or involved)
            together = "alone" if kind == "agent" else "together with a change of the reward"
            rows.append(basis)
            directions.append(
                Direction(kind, len(basis), f"a change of {names} {together} does not change {unchanged}")
            )
    return np.concatenate([*rows, np.zeros((0, null.shape[1]))]), directions


def _scale(column: Column, reward: Reward) -> np.ndarray:
    """Return the scale direction, a larger reward with a smaller beta: the reward's values, minus one for log beta."""
    if column.name.startswith("reward."):
        return np.asarray(getattr(base_of(reward), column.name.removeprefix("reward.")), float).ravel()
    return np.full(column.size, -1.0 if column.name == "agent.beta" else 0.0)
