"""Expected rewards of state-action pairs, their shapings, and values of a policy."""

from __future__ import annotations

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.sparse import linalg as splinalg

from goalinf.agents.agent import Agent
from goalinf.agents.plannable import check_known, check_shapes
from goalinf.agents.policy import Policy, PolicyLike
from goalinf.precision import cast, computing_in
from goalinf.rewards import Reward, ended, pinned
from goalinf.worlds import MDP, World, label


def expected_rewards(world: World, reward: Reward) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return expected rewards ``(R,)`` of possible actions, the mask of these actions, and of states with actions."""
    check_known(reward)
    check_shapes(reward, world)
    mdp = world.mdp
    live = ~without_decisions(world, reward)
    rows = np.asarray(mdp.available & live[:, None])
    return np.sum(mdp.probabilities * collected(mdp, reward), axis=2)[rows], rows, live


def collected(mdp: MDP, reward: Reward) -> np.ndarray:
    """Compute the reward of every transition, ``(S, A, K)``, with the discounted value of a dead end as next state."""
    with computing_in("float64"):
        mdp = cast(mdp)
        dead, value = pinned(reward, mdp)
        next_value = mdp.discount * np.where(np.asarray(dead), float(value), 0.0)
        return np.broadcast_to(np.asarray(reward(mdp) + next_value[mdp.successors]), mdp.successors.shape)


def without_decisions(world: World, reward: Reward) -> np.ndarray:
    """Mark states without further decisions, ``(S,)``: terminal states, and dead ends with a fixed value."""
    with computing_in("float64"):
        mdp = cast(world.mdp)
        return np.asarray(ended(reward, mdp) | pinned(reward, mdp)[0])


def shapings(world: World, rows: np.ndarray) -> sparse.csr_array:
    r"""Compute W = E - gamma P on some state-action pairs, ``(R, S)``.

    Parameters
    ----------
    world : World
        Transitions and discount.
    rows : bool (S, A)
        The state-action pairs.
    """
    mdp = world.mdp
    s, a = np.nonzero(rows)
    width = mdp.successors.shape[2]
    number = np.arange(len(s))
    departures = sparse.csr_array((np.ones(len(s)), (number, s)), shape=(len(s), mdp.n_states))
    transitions = sparse.csr_array(
        (mdp.probabilities[s, a].ravel(), (np.repeat(number, width), mdp.successors[s, a].ravel())),
        shape=departures.shape,
    )
    return sparse.csr_array(departures - float(mdp.discount) * transitions)


def check_own_ends(world: World, reward: Reward) -> None:
    """Raise an error for a reward that ends the episode by itself, or has dead ends that are not terminal."""
    if not np.array_equal(without_decisions(world, reward), world.mdp.terminal):
        raise ValueError(
            "this reward ends the episode by itself (as goals do), or has dead ends that are not terminal: "
            "give a world with terminal states and a reward without goals and dead ends"
        )


def action_probabilities(world: World, policy: PolicyLike, rows: np.ndarray) -> np.ndarray:
    """Return a policy as action probabilities ``(S, A)``, zero in terminal states.

    Parameters
    ----------
    world : World
        World of the policy.
    policy : int (S,), float (S, A) or DataArray
        The number of the action in every state, or action probabilities.
    rows : bool (S, A)
        Possible state-action pairs.

    Raises
    ------
    ValueError
        If the argument is not a policy of the world.
    """
    if isinstance(policy, (Agent, Policy)):
        raise TypeError(
            f"policy is a {type(policy).__name__}; expected probabilities, such as agent.policy(world, reward)"
        )
    try:
        array: np.ndarray = np.asarray(policy)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    live = np.asarray(rows.any(axis=1))
    if array.shape == (world.n_states,):
        if array.dtype.kind not in "iu" or not np.isin(array[live], np.arange(world.n_actions)).all():
            raise ValueError(f"policy is {array.tolist()}; expected the number of an action in every state")
        array = np.eye(world.n_actions)[np.where(live, array, 0)]
    if array.shape != rows.shape or array.dtype.kind not in "biuf":
        raise ValueError(
            f"policy has shape {array.shape} and type {array.dtype}; expected the number of an action in every state, "
            f"({world.n_states},), or probabilities, {rows.shape}"
        )
    probabilities = np.where(live[:, None], array, 0.0)
    possible = (probabilities >= 0).all(1) & ~(np.where(rows, 0.0, probabilities) > 0).any(1)
    invalid = np.flatnonzero(live & ~(possible & np.isclose(probabilities.sum(1), 1.0)))
    if len(invalid):
        state = int(invalid[0])
        raise ValueError(
            f"policy gives the actions in state {label(world.states[state])} the probabilities "
            f"{probabilities[state].tolist()}; expected numbers that are not negative, add up to 1, and are "
            "0 for unavailable actions"
        )
    return probabilities


def values_of(world: World, probabilities: np.ndarray, rows: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Compute the values of a policy in states that are not terminal, ``(S', ...)``, from rewards ``(R, ...)``.

    The values are linear in the rewards.

    Raises
    ------
    ValueError
        If an undiscounted episode need not end under the policy.
    """
    live, states = np.asarray(rows.any(axis=1)), np.nonzero(rows)[0]
    if float(world.mdp.discount) == 1.0:
        _check_ends(world, probabilities, live)
    average = sparse.csr_array((probabilities[rows], (states, np.arange(len(states)))), shape=(len(rows), len(states)))[
        live
    ]
    # The mean advantage over the actions of a policy is zero: the mean of W V equals the mean reward.
    return splinalg.splu((average @ shapings(world, rows)[:, live]).tocsc()).solve(average @ rewards)


def _check_ends(world: World, probabilities: np.ndarray, live: np.ndarray) -> None:
    """Raise an error for a policy under which an undiscounted episode need not end."""
    moves = nx.from_numpy_array(
        (world.mdp.dense() * (probabilities > 0)[..., None]).sum(1) > 0, create_using=nx.DiGraph
    )
    ending = {state for end in np.flatnonzero(~live).tolist() for state in nx.ancestors(moves, end)}
    stuck = [state for state in np.flatnonzero(live).tolist() if state not in ending]
    if stuck:
        raise ValueError(
            f"with discount 1 this policy never ends the episode from state {label(world.states[stuck[0]])}, so that "
            "its values are not defined: use a discount below 1"
        )
