"""Agents that do not know in which world they are: what they expect, and what they think they will learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from goalinf.agents.parts.beliefs import Beliefs
from goalinf.checks import check_count, check_kind
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import Ranges, check_parameter
from goalinf.precision import namespace
from goalinf.rewards import Reward, ShapedReward
from goalinf.worlds import MDP, World
from goalinf.worlds.world import Belief, label

_OPEN = (1e-9, 1.0 - 1e-9)  # who is certain from the first needs a world of that prior: :func:`belief_world`


class Ignorance(Beliefs):
    r"""The agent expects what its belief says, and not what happens; see :func:`~goalinf.agents.ignorant`.

    .. math:: \tilde P((s', b') \mid (s, b), a) = \sum_w b(w)\,P_w(s' \mid s, a)

    Planning is in the states of the belief world; or, for an agent that thinks it will stop learning, in triples
    (state, belief, updates left), of which the states of the belief world are those with all updates left.

    Parameters
    ----------
    inside, outside : float (S', A, K)
        Joint probability of what follows and that the world is the one that ``prior`` is about, or another one.
    mdp : MDP
        What is expected; the states of the belief world come first.
    place : int (S',)
        The state of the belief world that each state of ``mdp`` takes its reward from.
    slots : int (S', A, K)
        That of each outcome: one in which the outcome is expected; −1 where there is none.
    after, available : int (S, A, K), bool (S, A)
        Successors and available actions of the belief world.
    chance : float
        Probability that the belief world gives that world at first.
    prior : float or Distribution, optional
        What the agent gives it, in (0, 1); the other worlds share the rest as they do in the belief world. None: the
        prior of the belief world.
    """

    inside: Float[Array | np.ndarray, "N A K"]
    outside: Float[Array | np.ndarray, "N A K"]
    mdp: MDP
    place: Int[Array | np.ndarray, " N"]
    slots: Int[Array | np.ndarray, "N A K"]
    after: Int[Array | np.ndarray, "S A K"]
    available: Bool[Array | np.ndarray, "S A"]
    chance: Float[Array | np.ndarray, ""]
    prior: Any = None
    parameters: ClassVar[Ranges] = {"prior": _OPEN}
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("redistribution",), onto=None)

    @classmethod
    def of(cls, world: World, *, updates: int | None = None, prior: Any = None, about: Hashable = None) -> Ignorance:
        """The ignorance of somebody in a belief world; arguments as for :func:`~goalinf.agents.ignorant`.

        Raises
        ------
        ValueError, TypeError
            Where the world is no belief world, or the numbers mean nothing there.
        """
        check_kind("world", world, World, "a World that gi.belief_world made")
        belief = world.memory
        if not isinstance(belief, Belief):
            raise ValueError("the states of this world hold no beliefs; expected one that gi.belief_world made")
        if updates is not None:
            check_count("updates", updates, least=0)
        if prior is not None:
            prior = check_parameter("prior", prior, *_OPEN)
        number = _about(belief, prior, about)
        if updates is None:
            pairs, after, place = belief.pairs, world.mdp.successors, np.arange(world.n_states)
            slots = np.broadcast_to(place[:, None, None], after.shape)
        else:
            pairs, after, place, slots = _imagined(world.mdp, belief, updates)
        which, here = pairs.T
        joint = belief.beliefs[which].T[:, :, None, None] * belief.laws[:, here]
        inside = joint[number]
        outside = np.delete(joint, number, axis=0).sum(axis=0)
        seen = belief.base.mdp
        return cls(
            inside=inside,
            outside=outside,
            mdp=MDP.of(
                after,
                inside + outside,
                seen.available[here],
                seen.terminal[here],
                np.pad(world.mdp.initial, (0, len(pairs) - world.n_states)),
                world.mdp.discount,
            ),
            place=place,
            slots=slots,
            after=world.mdp.successors,
            available=world.mdp.available,
            chance=np.asarray(belief.beliefs[0, number]),
            prior=prior,
        )

    @property
    def same_states(self) -> bool:
        """False for an agent that expects to stop learning: the updates that are left are part of a state."""
        return len(self.place) == len(self.after)

    @property
    def numpy(self) -> bool:
        """It also works on the host."""
        return True

    def check(self, world: World, reward: Reward) -> None:
        """Refuse another world than the one that the agent is ignorant in."""
        found, expected = world.mdp.successors.shape, self.after.shape
        same = found == expected and np.array_equal(world.mdp.successors, self.after)
        if not (same and np.array_equal(world.mdp.available, self.available)):
            raise ValueError(
                f"this agent is ignorant in a belief world of {expected[0]} states and {expected[1]} actions; the "
                f"world, of {found[0]} and {found[1]}, is another one: expected the one that it was made with, or that "
                "with truth=… of the same worlds, prior and horizon"
            )
        if any("successor" in axes for axes in reward.dims.values()) and (unpaid := (self.slots < 0).any((1, 2))).any():
            state = world.states[int(self.place[unpaid.argmax()])]
            raise ValueError(
                "this agent, who thinks it will not learn, expects what no belief of the belief world expects in "
                f"state {label(state)}, and the {type(reward).__name__} does not say what that is worth: use a reward "
                "of states or of actions"
            )

    def __call__(self, mdp: MDP) -> MDP:
        """What is expected."""
        if self.prior is None:
            return self.mdp
        xp = namespace(self.inside, self.prior)
        joint = self.prior / self.chance * xp.asarray(self.inside)
        joint = joint + (1.0 - self.prior) / (1.0 - self.chance) * xp.asarray(self.outside)
        return dataclasses.replace(self.mdp, probabilities=joint / joint.sum(axis=-1, keepdims=True))

    def unfold(self, tree: Any) -> Any:
        """A reward, or numbers by state (or a single one, or None), for the states that are planned in."""
        if self.same_states or tree is None or not (isinstance(tree, Reward) or np.ndim(tree)):
            return tree
        return _taken(tree, self.place, self.slots) if isinstance(tree, Reward) else _at(tree, self.place)

    def fold(self, plan: Any) -> Any:
        """A plan for the states of the belief world, which have all updates left."""
        n_states = self.after.shape[0]
        return dataclasses.replace(plan, q=plan.q[..., :n_states], values=plan.values[..., :n_states])


def _about(belief: Belief, prior: Any, about: Hashable) -> int:
    """Number of the world that a prior is about."""
    names = ", ".join(map(repr, belief.worlds))
    if about is None and prior is not None and len(belief.worlds) > 2:
        raise ValueError(f"prior is the probability of one world: say of which, about= one of {names}")
    if about is not None and about not in belief.worlds:
        raise ValueError(f"about is {about!r}; expected one of the worlds, {names}")
    number = 0 if about is None else belief.worlds.index(about)
    chance = belief.beliefs[0, number]
    if prior is not None and not _OPEN[0] <= chance <= _OPEN[1]:
        raise ValueError(
            f"the prior of {belief.worlds[number]!r} in the belief world is {chance:g}, so that nothing is learned "
            "about it; an agent with another prior needs a belief world that gives it one between 0 and 1, such as 0.5"
        )
    return number


def _imagined(mdp: MDP, belief: Belief, updates: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs ``(N, 2)``, successors ``(N, A, K)``, places and slots of triples (state, belief, updates left).

    First those with all updates left, then those with one less, and so on: all pairs of the belief world each time.
    Without any left the belief stays, and there are more pairs: whatever state can be reached with whatever belief.
    """
    n_pairs, n_states = len(belief.pairs), len(belief.successors)
    keys = belief.pairs[:, 0] * n_states + belief.pairs[:, 1]
    frozen, layer, follow = np.empty(0, np.int64), keys, []
    while layer.size:
        frozen = np.concatenate([frozen, layer])
        which, here = np.divmod(layer, n_states)
        possible = (belief.expected(which, here) > 0) & ~belief.base.mdp.terminal[here][:, None, None]
        after = np.where(possible, which[:, None, None] * n_states + belief.successors[here], layer[:, None, None])
        follow.append(after)
        layer = np.setdiff1d(after, frozen)
    order = np.argsort(frozen)
    last = order[np.searchsorted(frozen[order], np.concatenate(follow))]
    pairs = np.stack(np.divmod(frozen, n_states), axis=1)
    somewhere = np.empty(n_states, np.int64)  # a pair of the belief world in every state
    somewhere[belief.pairs[:, 1]] = np.arange(n_pairs)
    # An outcome that one belief excludes has no reward there, but may have one where another belief expects it.
    paid = np.full((n_states, *mdp.successors.shape[1:]), -1)
    for pair, possible in enumerate(belief.expected(*belief.pairs.T) > 0):
        paid[belief.pairs[pair, 1]][possible] = pair
    expected = belief.expected(*pairs[n_pairs:].T) > 0
    extra = np.where(expected, paid[pairs[n_pairs:, 1]], somewhere[pairs[n_pairs:, 1]][:, None, None])
    extra = np.where(mdp.terminal[somewhere[pairs[n_pairs:, 1]]][:, None, None], extra.clip(0), extra)
    known = np.tile(np.arange(n_pairs), updates + 1)
    learning = [np.asarray(mdp.successors) + n_pairs * (done + 1) for done in range(updates)]
    return (
        np.concatenate([belief.pairs] * updates + [pairs]),
        np.concatenate([*learning, last + n_pairs * updates]),
        np.concatenate([known, somewhere[pairs[n_pairs:, 1]]]),
        np.concatenate([np.broadcast_to(known[:, None, None], (len(known), *extra.shape[1:])), extra]),
    )


def _taken(reward: Any, place: Any, slots: Any) -> Any:
    """A reward for other states, each of which is paid as one of the old ones; or outcome by outcome."""
    fields = {}
    for name, axes in reward.dims.items():
        values = getattr(reward, name)
        if "successor" in axes:
            xp = namespace(values, slots)
            outcomes = slots, np.arange(slots.shape[1])[:, None], np.arange(slots.shape[2])
            known = xp.expand_dims(slots >= 0, tuple(range(3, values.ndim)))
            fields[name] = xp.where(known, xp.asarray(values)[outcomes], np.nan)  # what nobody pays is no number
        elif "state" in axes:
            fields[name] = _at(values, place)
    if isinstance(reward, ShapedReward):
        fields["base"] = _taken(reward.base, place, slots)
    return eqx.tree_at(lambda r: [getattr(r, name) for name in fields], reward, list(fields.values()))


def _at(values: Any, place: Any) -> Any:
    """Values, whose first axis is one of states, at some states."""
    return namespace(values, place).take(values, place, axis=0)
