"""Belief worlds: the true world is one of several, and a state is a pair of a state and a belief."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from goalinf.checks import check_count
from goalinf.sizes import check_world
from goalinf.worlds.builders.belief_checks import check_prior, check_worlds
from goalinf.worlds.builders.packing import pack
from goalinf.worlds.mdp import MDP
from goalinf.worlds.names import label
from goalinf.worlds.world import Belief, World

_DIGITS = 12  # beliefs that agree to this number of digits are merged


def belief_world(
    worlds: Mapping[Any, World],
    prior: Mapping[Any, float],
    *,
    truth: Hashable | None = None,
    horizon: int | None = None,
    limit: int = 10_000,
) -> World:
    r"""Make the belief world of an agent that is uncertain among several worlds: a state is the pair (state, belief).

    With :math:`P_w` the transitions of the worlds w, the expected transitions and the belief update are

    .. math:: P((s', b') \mid (s, b), a) = \sum_w b(w)\,P_w(s' \mid s, a),\quad
        b'(w) \propto b(w)\,P_w(s' \mid s, a)

    so that planning in this world takes later belief updates, and their value, into account. There are pairs for all
    sequences of states that are possible in any of the worlds, from the initial states on. Where an outcome has
    probability zero under the belief (the prior of the true world is zero), the belief is unchanged.

    Parameters
    ----------
    worlds : mapping from name to World
        Possible worlds: different transitions between the same states, by the same actions, with the same initial
        distribution, terminal states and discount. An observation (such as a closed door) is a separate state, which
        the worlds reach with different probabilities.
    prior : mapping from name to float
        Initial belief; sums to one.
    truth : name, optional
        The true world: the transition probability :math:`P((s', b') \mid (s, b), a)` is then
        :math:`P_{\text{truth}}(s' \mid s, a)`. The states are the same; the agent of such a world is
        :func:`~goalinf.agents.ignorant`. Default: transitions are the expected ones.
    horizon : int, optional
        Number of steps after which beliefs are constant, where there would be too many. It has no effect on episodes
        of at most this number of decisions. Default: no limit.
    limit : int
        Largest number of states.

    Returns
    -------
    World
        States are named ``(state, belief)``, such as ``("door", "open 0.9, closed 0.1")``; ``world.memory`` is the
        ``Belief`` that defines them. The name of a state of the worlds names it under every belief, wherever a reward
        or goal is given by name; a :class:`~goalinf.TransitionReward` is aligned with the successors of this world.
        Make goals (:func:`~goalinf.goals`) without ``truth``: a dead end is then a state from which the agent believes
        that the goal cannot be reached. Data are read with the names of the worlds, and beliefs are computed.

    Raises
    ------
    ValueError
        Where the worlds differ in more than their transitions, the prior is not a distribution, or there are too many
        states, for ``limit`` or for the memory of this machine.

    Notes
    -----
    Beliefs that rule out the same worlds and agree to 12 digits are merged, so that a belief that converges to
    certainty reaches a last state but never becomes certain.

    References
    ----------
    Kaelbling, Littman and Cassandra (1998); Evans, Stuhlmüller and Goodman (2016).

    Examples
    --------
    One of two boxes holds an object, and the agent can look:

    >>> import goalinf as gi
    >>> import pandas as pd
    >>> def boxes(left):
    ...     rows = [("start", "look", "sees left", left), ("start", "look", "sees right", 1 - left)]
    ...     rows += [(s, side, f"took {side}", 1.0) for s in ("sees left", "sees right") for side in ("l", "r")]
    ...     table = pd.DataFrame(rows, columns=["state", "action", "next_state", "p"])
    ...     return gi.from_table(
    ...         table, probability="p", terminal=["took l", "took r"], initial="start", discount=0.9
    ...     )
    >>> world = gi.belief_world({"left": boxes(0.8), "right": boxes(0.2)}, {"left": 0.5, "right": 0.5})
    >>> world.states[:3]
    (('start', 'left 0.5, right 0.5'), ('sees left', 'left 0.8, right 0.2'), ('took l', 'left 0.8, right 0.2'))
    >>> world.cells("sees left"), world.cells("took l")
    ([1], [2, 5])
    """
    base = check_worlds(worlds)
    initial_belief = check_prior(worlds, prior)
    if truth is not None and truth not in worlds:
        raise ValueError(f"truth is {truth!r}; expected one of the worlds, {', '.join(map(repr, worlds))}")
    if horizon is not None:
        check_count("horizon", horizon, least=0)
    check_count("limit", limit)
    successors, laws = _common_successors([world.mdp for world in worlds.values()])
    pairs, beliefs, successor_pairs = _explore(base.mdp, successors, laws, initial_belief, horizon, limit)
    belief_index, state_index = pairs.T
    mdp = base.mdp
    belief = Belief(
        base=worlds[truth] if truth is not None else _union_of_worlds(base, successors, laws),
        pairs=pairs,
        beliefs=beliefs,
        successors=successors,
        laws=laws,
        worlds=tuple(worlds),
    )
    return World(
        mdp=MDP.of(
            successors=successor_pairs,
            probabilities=belief.expected(belief_index, state_index)
            if truth is None
            else laws[list(worlds).index(truth), state_index],
            available=mdp.available[state_index],
            terminal=mdp.terminal[state_index],
            initial=np.where(belief_index == 0, mdp.initial[state_index], 0.0),
            discount=mdp.discount,
        ),
        states=_names(base, tuple(worlds), pairs, beliefs),
        actions=tuple(base.actions[i] for i in state_index) if base.local_actions else base.actions,
        positions=None if base.positions is None else base.positions[state_index],
        memory=belief,
    )


def _union_of_worlds(base: World, successors: np.ndarray, laws: np.ndarray) -> World:
    """Make a world in which a transition is possible where it is possible in any world; data are read in it."""
    mdp = base.mdp
    union = MDP.of(successors, laws.mean(axis=0), mdp.available, mdp.terminal, mdp.initial, mdp.discount)
    return dataclasses.replace(base, mdp=union)


def _common_successors(mdps: list[MDP]) -> tuple[np.ndarray, np.ndarray]:
    """Return successors in any of the worlds, ``(S, A, K)``, and their probabilities in each, ``(W, S, A, K)``."""
    steps = [np.nonzero(mdp.probabilities) for mdp in mdps]
    s, a = (np.concatenate([step[axis] for step in steps]) for axis in (0, 1))
    t = np.concatenate([mdp.successors[step] for mdp, step in zip(mdps, steps, strict=True)])
    n_states, n_actions = mdps[0].available.shape
    successors, listed = pack(s, a, t, np.ones(len(t)), n_states, n_actions)

    def law(mdp: MDP) -> np.ndarray:
        equal_state = (successors[..., None] == mdp.successors[:, :, None, :]) & (listed > 0)[..., None]
        return np.where(equal_state, mdp.probabilities[:, :, None, :], 0.0).sum(axis=-1)

    return successors, np.stack([law(mdp) for mdp in mdps])


def _explore(
    mdp: MDP, successors: np.ndarray, laws: np.ndarray, prior: np.ndarray, horizon: int | None, limit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute all reachable pairs, ``(N, 2)``; the beliefs, ``(B, W)``; and the successor pairs, ``(N, A, K)``."""
    n_states, count = mdp.n_states, len(prior)
    histories = _Histories(prior)
    layer = np.flatnonzero(mdp.initial > 0)  # a history and a state as one number; the empty history is number 0
    explored, layers = np.empty(0, np.int64), list[tuple[np.ndarray, np.ndarray]]()
    while layer.size:
        explored = np.concatenate([explored, layer])
        if len(explored) > limit:
            raise ValueError(
                f"the belief world has more than {limit} states: {len(histories.found)} beliefs after {len(layers)} "
                f"steps in {n_states} states; give horizon= (largest number of decisions of an episode), fewer worlds, "
                "transitions that differ in fewer states, or a larger limit"
            )
        check_world(len(explored), *successors.shape[1:])
        history, state = np.divmod(layer, n_states)
        counts = np.stack(histories.found)[history].reshape(-1, 2, count).max(axis=1)  # believed, or not ruled out
        possible = np.einsum("nw,wnak->nak", counts, laws[:, state]) > 0
        possible &= (mdp.available & ~mdp.terminal[:, None])[state][:, :, None]
        next_history = np.broadcast_to(history[:, None, None], possible.shape).copy()
        if horizon is None or len(layers) < horizon:
            row, action, slot = np.nonzero(possible)
            next_history[possible] = histories.updated(history[row], laws[:, state[row], action, slot].T)
        next_keys = np.where(possible, next_history * n_states + successors[state], -1)
        layers.append((layer, next_keys))
        layer = np.setdiff1d(next_keys[possible], explored)
    beliefs, belief_of_history = histories.beliefs()

    def pair(key: np.ndarray) -> np.ndarray:
        return np.where(key < 0, -1, belief_of_history[key // n_states] * n_states + key % n_states)

    # Histories with equal beliefs are merged; of their successors, the ones that were found first are kept.
    keys = np.unique(pair(explored))
    successor_pairs = np.full((len(keys), *successors.shape[1:]), -1)
    for layer, next_keys in layers:
        candidates = np.full_like(successor_pairs, -1)
        np.maximum.at(candidates, np.searchsorted(keys, pair(layer)), pair(next_keys))
        successor_pairs = np.where(successor_pairs < 0, candidates, successor_pairs)
    successor_pairs = np.where(
        successor_pairs < 0, np.arange(len(keys))[:, None, None], np.searchsorted(keys, successor_pairs)
    )
    return np.stack(np.divmod(keys, n_states), axis=1), beliefs, successor_pairs


class _Histories:
    """Sufficient statistics of histories: the belief, and an indicator of worlds that are not ruled out, ``(2 W,)``.

    A world with a prior of zero may still be the true one; a world with a positive belief may be ruled out, where an
    outcome had probability zero under the belief. Beliefs that agree to the stored digits are merged.
    """

    def __init__(self, prior: np.ndarray):
        self.found: list[np.ndarray] = []
        self._known: dict[bytes, int] = {}
        self._numbers(np.concatenate([prior, np.ones(len(prior))])[None])

    def updated(self, history: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
        """Return numbers of the histories ``(N,)`` after outcomes of these likelihoods ``(N, W)``."""
        prior_belief, not_excluded = np.split(np.stack(self.found)[history], 2, axis=1)
        joint = prior_belief * likelihood
        total = joint.sum(axis=1, keepdims=True)
        belief = np.where(total > 0, joint / np.where(total > 0, total, 1.0), prior_belief)
        return self._numbers(np.concatenate([belief, not_excluded * (likelihood > 0)], axis=1))

    def _numbers(self, histories: np.ndarray) -> np.ndarray:
        marks, first_rows, inverse = np.unique(_marks(histories), axis=0, return_index=True, return_inverse=True)
        numbers = np.empty(len(marks), np.int64)
        for i in np.argsort(first_rows):
            numbers[i] = self._known.setdefault(marks[i].tobytes(), len(self.found))
            if numbers[i] == len(self.found):
                self.found.append(histories[first_rows[i]])
        return numbers[inverse.ravel()]

    def beliefs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the beliefs ``(B, W)``, the prior first, and the number of the belief of each history."""
        all_beliefs = np.split(np.stack(self.found), 2, axis=1)[0]
        _, first_rows, inverse = np.unique(_marks(all_beliefs), axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first_rows)
        return all_beliefs[first_rows[order]], np.argsort(order)[inverse.ravel()]


def _marks(probabilities: np.ndarray) -> np.ndarray:
    return np.concatenate([np.round(probabilities, _DIGITS), probabilities > 0], axis=1)


def _names(base: World, worlds: tuple[Hashable, ...], pairs: np.ndarray, beliefs: np.ndarray) -> tuple[Any, ...]:
    """Return the names of the pairs; beliefs have as few digits as distinguish them."""
    for digits in range(2, 18):
        texts = [
            ", ".join(f"{label(name)} {p:.{digits}g}" for name, p in zip(worlds, belief, strict=True) if p)
            for belief in beliefs.tolist()
        ]
        if len(set(texts)) == len(texts):
            break
    return tuple((base.states[state], texts[belief_index]) for belief_index, state in pairs.tolist())
