r"""Pseudometrics between rewards that are invariant to changes with the same order of policies: STARC, EPIC, DARD.

All three compute canonical rewards and compare their directions. STARC compares rewards in one world, with its
transitions; EPIC compares them for all transition functions, impossible transitions included; DARD is intermediate,
with the transitions of the world and the rewards of transitions between states that are close in it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from goalinf.agents.plannable import check_known, check_shapes
from goalinf.checks import check_kind
from goalinf.identify.distance.canonical import TRIVIAL, canonical, value_adjusted
from goalinf.identify.policy_evaluation import collected, expected_rewards, without_decisions
from goalinf.precision import computing_in
from goalinf.rewards import Reward, base_of, check_reward
from goalinf.sizes import check_memory
from goalinf.worlds import World, from_arrays, label

Canonicalization = Literal["minimal", "value-adjusted"]
_TABLES = 6  # arrays (S, A, S) in memory at once for a distance of all transitions
_CANONICALIZATIONS = {"minimal": canonical, "value-adjusted": value_adjusted}


def starc(world: World, reward1: Reward, reward2: Reward, *, canonicalization: Canonicalization = "minimal") -> float:
    r"""Compute the STARC distance between two rewards in a world, in [0, 1].

    0: the rewards order all policies alike; 1: they order them oppositely. A trivial reward, under which all policies
    have the same return (constants, shapings), has no direction: its distance to another trivial reward is 0, to any
    other reward 1/2.

    .. math:: d = \tfrac12 \left\| \frac{c_1}{\|c_1\|} - \frac{c_2}{\|c_2\|} \right\|_2,
        \qquad c = r - W W^{+} r \quad\text{or}\quad c = r + \gamma P V^\pi - E V^\pi

    Parameters
    ----------
    world : World
        World of the comparison: transitions and discount. All available actions have equal weight.
    reward1, reward2 : Reward
        Known rewards. Rewards of transitions enter by their expectation.
    canonicalization : {"minimal", "value-adjusted"}
        The reward of smallest norm, or value-adjusted levelling: the advantage of the uniform policy. The distances
        differ, and are zero for the same pairs.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a reward is still a prior or does not fit the world, or if the two end the episode in different states.
    ConvergenceError
        If the least squares problem of a large world was not solved.

    References
    ----------
    Skalse, Farnik, Motwani, Jenner, Gleave and Abate (2024), "STARC: a general framework for quantifying differences
    between reward functions": minimal canonicalization and value-adjusted levelling.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> same = gi.ShapedReward(reward, [0.0, 3.0, -1.0, 2.0])
    >>> opposite = gi.StateReward(-reward.values, on="departure")
    >>> [round(starc(hall, reward, other), 6) for other in (same, opposite, gi.StateReward.zero(hall))]
    [0.0, 1.0, 0.5]
    """
    check_pair(world, reward1, reward2)
    if canonicalization not in get_args(Canonicalization):
        raise ValueError(f"canonicalization is {canonicalization!r}; expected 'minimal' or 'value-adjusted'")
    canonicalize = _CANONICALIZATIONS[canonicalization]
    unit1, unit2 = (
        _unit(canonicalize(world, reward), expected_rewards(world, reward)[0]) for reward in (reward1, reward2)
    )
    return min(float(np.linalg.norm(unit1 - unit2)) / 2, 1.0)


def epic(world: World, reward1: Reward, reward2: Reward) -> float:
    r"""Compute the EPIC distance between two rewards, in [0, 1], independent of the transitions.

    .. math:: D = \sqrt{(1 - \rho(C_1, C_2)) / 2},\qquad C(s,a,s') = R(s,a,s')
        + \mathbb{E}[\gamma R(s', A, S') - R(s, A, S') - \gamma R(S, A, S')]

    with :math:`\rho` Pearson's correlation over all (s, a, s'), and S, A, S' independent and uniform. The distance
    depends on the states, the actions and the discount of the world. For state rewards on departure it equals the
    Pearson distance of the values. The distance between two trivial rewards (constants, shapings) is 0; between a
    trivial reward and any other reward, whose correlation counts as 0, it is :math:`\sqrt{1/2}`.

    Parameters
    ----------
    world : World
        States, actions and discount; the transitions are not used.
    reward1, reward2 : Reward
        Known rewards of all transitions, impossible ones included.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a reward is still a prior, does not fit the world or is defined for possible transitions only, or if the two
        end the episode in different states.

    References
    ----------
    Gleave, Dennis, Legg, Russell and Leike (2021), "Quantifying differences in reward functions".

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> same = gi.ShapedReward(reward, [0.0, 3.0, -1.0, 2.0])
    >>> opposite = gi.StateReward(-reward.values, on="departure")
    >>> [round(epic(hall, reward, other), 6) for other in (same, opposite)]
    [0.0, 1.0]
    """
    check_pair(world, reward1, reward2)
    discount = float(world.mdp.discount)
    tables = [all_transitions(world, reward) for reward in (reward1, reward2)]

    def canonicalize(R: np.ndarray) -> np.ndarray:
        mean = R.mean((1, 2))
        return R + discount * mean - mean[:, None, None] - discount * mean.mean()

    return _pearson(canonicalize, tables, np.ones_like(tables[0]))


def dard(world: World, reward1: Reward, reward2: Reward) -> float:
    r"""Compute the DARD distance between two rewards, in [0, 1], with the transitions of the world.

    .. math:: D = \sqrt{(1 - \rho(C_1, C_2)) / 2},\qquad C(s,a,s') = R(s,a,s')
        + \mathbb{E}_A[\gamma R(s', A, S'') - R(s, A, S') - \gamma R(S', A, S'')],\quad
        S' \sim P(s, A),\ S'' \sim P(s', A)

    with :math:`\rho` Pearson's correlation over the transitions of all available actions with equal weights, and A
    uniform over all actions. Rewards of impossible transitions enter only for pairs of next states :math:`S'` and
    :math:`S''`.

    Parameters
    ----------
    world : World
        World of the comparison.
    reward1, reward2 : Reward
        Known rewards of all transitions, impossible ones included.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As :func:`epic`.

    References
    ----------
    Wulfe, Ellis, Mercat, McAllister and Gaidon (2022), "Dynamics-aware comparison of learned reward functions".

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> round(dard(hall, reward, gi.ShapedReward(reward, [0.0, 3.0, -1.0, 2.0])), 6)
    0.0
    """
    check_pair(world, reward1, reward2)
    discount, P = float(world.mdp.discount), world.mdp.dense()
    weights = P * (world.mdp.available & ~without_decisions(world, reward1)[:, None])[..., None]

    def canonicalize(R: np.ndarray) -> np.ndarray:
        mean = np.einsum("sat,sat->s", P, R) / P.shape[1]
        cross = np.einsum("sax,xay,tay->st", P, R, P, optimize=True) / P.shape[1]
        return R + discount * mean - mean[:, None, None] - discount * cross[:, None, :]

    return _pearson(canonicalize, [all_transitions(world, reward) for reward in (reward1, reward2)], weights)


def check_pair(world: World, reward1: Reward, reward2: Reward) -> None:
    """Raise an error unless both rewards are known and belong to one problem."""
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    for name, reward in (("reward1", reward1), ("reward2", reward2)):
        check_reward(name, reward)
        check_known(reward)
        check_shapes(reward, world)
    if not np.array_equal(without_decisions(world, reward1), without_decisions(world, reward2)):
        raise ValueError(
            "the two rewards end the episode in different states (as goals do), so they belong to different problems: "
            "compare rewards that end the episode in the same states"
        )


def all_transitions(world: World, reward: Reward) -> np.ndarray:
    """Compute the reward of every transition, ``(S, A, S)``, impossible transitions included."""
    n_states, n_actions, mdp = world.n_states, world.n_actions, world.mdp
    shape = (n_states, n_actions, n_states)
    purpose = f"two rewards of all transitions between {n_states:,} states by {n_actions:,} actions"
    check_memory(
        purpose, _TABLES * 8.0 * np.prod(shape, dtype=float), "use gi.identify.distance.starc, or a smaller world"
    )
    with computing_in("float64"):
        if not any("successor" in axes for axes in base_of(reward).dims.values()):
            mdp = from_arrays(
                successors=np.broadcast_to(np.arange(n_states), shape),
                probabilities=np.full(shape, 1.0 / n_states),
                discount=float(mdp.discount),
            ).mdp
            mdp = dataclasses.replace(mdp, terminal=world.mdp.terminal)  # where shaping is zero
    values = collected(mdp, reward)
    table = np.full(shape, np.nan)
    s, a, k = np.nonzero(np.asarray(mdp.probabilities) > 0)
    table[s, a, np.asarray(mdp.successors)[s, a, k]] = values[s, a, k]
    missing = np.argwhere(np.isnan(table))
    if len(missing):
        state, action, following = missing[0]
        raise ValueError(
            f"this distance compares rewards of all transitions, and the reward of going from "
            f"{label(world.states[state])} to {label(world.states[following])} (action {action}) is not given, as this "
            "transition is impossible in the world: use gi.identify.distance.starc, or a state or action reward"
        )
    return table


def _pearson(canonicalize: Callable[[np.ndarray], np.ndarray], tables: list[np.ndarray], weights: np.ndarray) -> float:
    """Compute the Pearson distance of the canonical rewards of two tables."""
    weights = weights / weights.sum()
    units = []
    for table in tables:
        centered = canonicalize(table) - (weights * canonicalize(table)).sum()
        norm, norm_original = (np.sqrt((weights * x**2).sum()) for x in (centered, table))
        units.append(centered / norm if norm > TRIVIAL * norm_original else np.zeros_like(centered))
    unit1, unit2 = units
    if not unit1.any() and not unit2.any():
        return 0.0
    return float(np.sqrt(np.clip((1.0 - (weights * unit1 * unit2).sum()) / 2, 0.0, 1.0)))


def _unit(vector: np.ndarray, original: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > TRIVIAL * np.linalg.norm(original) else np.zeros_like(vector)
