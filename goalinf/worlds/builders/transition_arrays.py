"""Worlds from arrays of transition probabilities."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from goalinf.types import InitialStates, Numbers, States
from goalinf.worlds.builders.packing import initial_distribution, pack, place_nodes, renormalized, terminal_mask
from goalinf.worlds.mdp import MDP
from goalinf.worlds.names import Names, label, plain
from goalinf.worlds.world import World


def from_arrays(
    transitions: Numbers | Sequence[sparse.sparray | sparse.spmatrix] | None = None,
    *,
    successors: Numbers | None = None,
    probabilities: Numbers | None = None,
    available: Numbers | None = None,
    terminal: States | None = (),
    initial: InitialStates | None = None,
    discount: float | int,
    states: Sequence[Hashable] | None = None,
    actions: Sequence[Hashable] | None = None,
    positions: Mapping[Any, Numbers] | Numbers | None = None,
) -> World:
    """Make a world from transition probabilities, dense or sparse.

    Parameters
    ----------
    transitions : float (S, A, S), or a sequence of A sparse matrices (S, S)
        ``transitions[s, a, t]``, or ``transitions[a][s, t]`` where they are sparse, is the probability of t
        after action a in s.
    successors, probabilities : int and float (S, A, K)
        Instead of ``transitions``: the K states that may follow, and their probabilities. The order of the K is kept,
        so that it agrees with rewards of transitions. Rows in float32 that sum to one within its precision are divided
        by their sum in float64.
    available : bool (S, A), optional
        Available actions. Default: all.
    terminal : names of states, or bool (S,)
        States in which the episode ends; rows of terminal states are ignored.
    initial : names, mapping from names to probabilities, or float (S,), optional
        Distribution of the first state. Default: uniform over all states that are not terminal.
    discount : float
        Discount factor per step, in [0, 1].
    states : sequence (S,), optional
        Names of states. Default: 0 to S − 1.
    actions : sequence (A,), or nested (S, A), optional
        Names of actions. Default: 0 to A − 1.
    positions : mapping from name to (x, y), or float (S, 2), optional
        Plot coordinates of states.

    Returns
    -------
    World

    Raises
    ------
    ValueError
        Where shapes do not fit, a row of an available action does not sum to one, or a row lists a state twice.

    Examples
    --------
    >>> chances = [[[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]
    >>> world = from_arrays(chances, discount=0.9, actions=["left", "right"])
    >>> world
    World(table: 2 states, 2 actions, discount 0.9)
    >>> world.mdp.dense()[0, world.action_index("left")]
    array([0.5, 0.5])
    """
    if (transitions is None) == (successors is None) or (successors is None) != (probabilities is None):
        raise ValueError("give either transitions (S, A, S), or both successors and probabilities (S, A, K)")
    next_states, next_probs = _listed(successors, probabilities) if transitions is None else _packed(transitions)
    n_states, n_actions, _ = next_states.shape
    if not n_states or not n_actions:
        raise ValueError(f"found {n_states} states and {n_actions} actions; expected at least one of each")
    state_names = tuple(range(n_states)) if states is None else tuple(plain(name) for name in states)
    if len(state_names) != n_states:
        raise ValueError(f"states: found {len(state_names)} names for {n_states} states; give one name per state")
    mask = np.ones((n_states, n_actions), bool) if available is None else np.asarray(available)
    if mask.shape != (n_states, n_actions) or mask.dtype != bool:
        expected = f"bool ({n_states}, {n_actions}), one per state and action"
        raise ValueError(f"available: found {mask.dtype} {mask.shape}; expected {expected}")
    names = Names(state_names)
    ends = terminal_mask(names, terminal)
    if transitions is None:
        _refuse_repeated(next_states, next_probs, mask & ~ends[:, None], state_names)
    mdp = MDP.of(next_states, next_probs, mask, ends, initial_distribution(names, initial, ~ends), discount)
    return World(
        mdp=mdp,
        states=state_names,
        actions=tuple(range(n_actions)) if actions is None else tuple(plain(name) for name in actions),
        positions=place_nodes(positions, state_names),
    )


def _packed(transitions: Numbers | Sequence[sparse.sparray | sparse.spmatrix]) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(transitions, Sequence) and len(transitions) and sparse.issparse(transitions[0]):
        return _packed_sparse(transitions)
    dense = _numbers(transitions, "transitions")
    if dense.ndim != 3 or dense.shape[0] != dense.shape[2]:
        hint = ""
        if dense.ndim == 3 and dense.shape[1] == dense.shape[2]:
            hint = "; this looks like (A, S, S): swap the first two axes with numpy.swapaxes(transitions, 0, 1)"
        raise ValueError(f"transitions: found shape {dense.shape}; expected (S, A, S){hint}")
    dense = renormalized(dense, transitions)
    s, a, t = np.nonzero(dense)
    return pack(s, a, t, dense[s, a, t], *dense.shape[:2])


def _packed_sparse(transitions: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    n_states = transitions[0].shape[0]
    for i, matrix in enumerate(transitions):
        if not sparse.issparse(matrix) or matrix.shape != (n_states, n_states):
            kind = f"a sparse matrix {matrix.shape}" if sparse.issparse(matrix) else type(matrix).__name__
            raise ValueError(f"transitions: action {i} is {kind}; expected a sparse matrix ({n_states}, {n_states})")
    entries = [sparse.coo_array(matrix) for matrix in transitions]
    s, t = (np.concatenate([entry.coords[axis] for entry in entries]) for axis in (0, 1))
    a = np.repeat(np.arange(len(entries)), [entry.nnz for entry in entries])
    values = np.concatenate([entry.data for entry in entries])
    successors, probabilities = pack(s, a, t, values, n_states, len(entries))
    return successors, renormalized(probabilities, values)


def _listed(successors: Numbers | None, probabilities: Numbers | None) -> tuple[np.ndarray, np.ndarray]:
    next_states, next_probs = np.asarray(successors), _numbers(probabilities, "probabilities")
    next_probs = renormalized(next_probs, probabilities) if next_probs.ndim else next_probs
    if next_states.dtype.kind not in "iu" or next_states.ndim != 3:
        raise ValueError(f"successors: found {next_states.dtype} {next_states.shape}; expected whole numbers (S, A, K)")
    if next_probs.shape != next_states.shape:
        raise ValueError(
            f"probabilities: found shape {next_probs.shape}; expected that of successors, {next_states.shape}"
        )
    if not next_states.shape[2]:
        raise ValueError("successors: the last axis is empty (K = 0); expected at least one successor")
    return next_states, next_probs


def _numbers(values: Numbers | None, what: str) -> np.ndarray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: expected an array of numbers ({error})") from None


def _refuse_repeated(successors: np.ndarray, probs: np.ndarray, live: np.ndarray, states: tuple[Hashable, ...]) -> None:
    """Refuse a successor that is listed twice: it would have two rewards, of which a likelihood could use only one."""
    possible = (probs > 0) & live[:, :, None]
    ranked = np.sort(np.where(possible, successors, -1 - np.arange(successors.shape[2])), axis=2)
    twice = (np.diff(ranked, axis=2) == 0).any(2)
    if twice.any():
        s, a = np.argwhere(twice)[0]
        listed = successors[s, a][possible[s, a]]
        t = next(t for t in listed if (listed == t).sum() > 1)
        raise ValueError(
            f"successors: state {label(states[s])}, action number {a} lists state number {t} twice; add their "
            "probabilities up in one place"
        )
