"""What every choice that can occur brings, and the shapings of that."""

from __future__ import annotations

import networkx as nx
import numpy as np
from scipy import sparse

from goalinf.agents.agent import check_known
from goalinf.agents.checks import check_shapes
from goalinf.precision import cast, computing_in
from goalinf.rewards import Reward, ended
from goalinf.worlds import World, label


def income_of(world: World, reward: Reward) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected reward of every choice that can occur, which choices these are, and in which states one is made."""
    check_known(reward)
    check_shapes(reward, world)
    mdp = world.mdp
    live = ~over(world, reward)
    rows = np.asarray(mdp.available & live[:, None])
    with computing_in("float64"):
        values = np.broadcast_to(np.asarray(reward(cast(mdp))), mdp.probabilities.shape)
    return np.sum(mdp.probabilities * values, axis=2)[rows], rows, live


def over(world: World, reward: Reward) -> np.ndarray:
    """Where the episode has ended, ``(S,)``."""
    with computing_in("float64"):
        return np.asarray(ended(reward, cast(world.mdp)))


def shapings(world: World, rows: np.ndarray) -> sparse.csr_array:
    r"""W = E - gamma P on some choices, ``(R, S)``.

    Parameters
    ----------
    world : World
        Transitions and discount.
    rows : bool (S, A)
        Which choices.
    """
    mdp = world.mdp
    s, a = np.nonzero(rows)
    width = mdp.successors.shape[2]
    number = np.arange(len(s))
    stays = sparse.csr_array((np.ones(len(s)), (number, s)), shape=(len(s), mdp.n_states))
    moves = sparse.csr_array(
        (mdp.probabilities[s, a].ravel(), (np.repeat(number, width), mdp.successors[s, a].ravel())), shape=stays.shape
    )
    return sparse.csr_array(stays - float(mdp.discount) * moves)


def check_own_ends(world: World, reward: Reward) -> None:
    """Refuse a reward that ends the episode by itself."""
    if not np.array_equal(over(world, reward), world.mdp.terminal):
        raise ValueError("this reward ends the episode by itself (as goals do): give it a world with terminal states")


def check_ends(world: World, made: np.ndarray, live: np.ndarray) -> None:
    """Refuse a policy under which an undiscounted episode can go on for ever."""
    moves = nx.from_numpy_array((world.mdp.dense() * (made > 0)[..., None]).sum(1) > 0, create_using=nx.DiGraph)
    ending = {state for end in np.flatnonzero(~live).tolist() for state in nx.ancestors(moves, end)}
    stuck = [state for state in np.flatnonzero(live).tolist() if state not in ending]
    if stuck:
        raise ValueError(
            f"with discount 1 this policy never ends the episode from state {label(world.states[stuck[0]])}, so that "
            "no reward has values under it: use a discount below 1"
        )
