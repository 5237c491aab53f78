"""Beliefs about the world: expected transitions, and expected belief updates, of an agent that is uncertain."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any, ClassVar, TypeVar

import equinox as eqx
import numpy as np
import numpyro.distributions as dist
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from goalinf.agents.parts.beliefs import Beliefs, Unfolded
from goalinf.checks import check_count, check_kind
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import DefaultPriors, Parameter, Ranges, check_parameter
from goalinf.planning.solution import Plan
from goalinf.precision import namespace
from goalinf.rewards import Reward, ShapedReward
from goalinf.types import Numeric
from goalinf.worlds import MDP, World
from goalinf.worlds.world import Belief, label

_OPEN = (1e-9, 1.0 - 1e-9)  # an agent that is certain at the start needs a belief world of that prior

_R = TypeVar("_R", bound=Reward)


class Ignorance(Beliefs):
    r"""Beliefs of an agent that expects the transitions of its belief; see :func:`~goalinf.agents.ignorant`.

    .. math:: \tilde P((s', b') \mid (s, b), a) = \sum_w b(w)\,P_w(s' \mid s, a)

    Planning is in the states of the belief world; or, for an agent that expects to stop learning, in triples
    (state, belief, updates left), of which the states of the belief world are those with all updates left.

    Parameters
    ----------
    inside, outside : float (S', A, K)
        Joint probability of each outcome and of the world that ``prior`` refers to, or of any other world.
    mdp : MDP
        Expected MDP; the states of the belief world come first.
    reward_state : int (S',)
        State of the belief world whose reward each state of ``mdp`` has.
    slots : int (S', A, K)
        State of the belief world whose reward each outcome has: a state in which the outcome is expected; −1 where
        there is none.
    after, available : int (S, A, K), bool (S, A)
        Successors and available actions of the belief world.
    chance : float
        Prior probability of that world in the belief world.
    prior : float or Distribution, optional
        The agent's prior probability of that world, in (0, 1); the other worlds share the rest in the proportions of
        the belief world. None: the prior of the belief world.
    """

    inside: Float[Array | np.ndarray, "N A K"]
    outside: Float[Array | np.ndarray, "N A K"]
    mdp: MDP
    reward_state: Int[Array | np.ndarray, " N"]
    slots: Int[Array | np.ndarray, "N A K"]
    after: Int[Array | np.ndarray, "S A K"]
    available: Bool[Array | np.ndarray, "S A"]
    chance: Float[Array | np.ndarray, ""]
    prior: Parameter | None = None
    parameters: ClassVar[Ranges] = {"prior": _OPEN}
    default_priors: ClassVar[DefaultPriors] = {"prior": lambda: dist.Beta(1.0, 1.0)}
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, breaks=("redistribution",), onto=None)

    @classmethod
    def of(
        cls, world: World, *, updates: int | None = None, prior: Parameter | None = None, about: Hashable = None
    ) -> Ignorance:
        """Make the beliefs of an agent in a belief world; arguments as for :func:`~goalinf.agents.ignorant`.

        Raises
        ------
        ValueError, TypeError
            Where the world is no belief world, or the other arguments do not fit it.
        """
        check_kind("world", world, World, "a World that gi.belief_world made")
        belief = world.memory
        if not isinstance(belief, Belief):
            raise ValueError("the states of this world hold no beliefs; expected one that gi.belief_world made")
        if updates is not None:
            check_count("updates", updates, least=0)
        if prior is not None:
            prior = check_parameter("prior", prior, *_OPEN)
        world_number = _about(belief, prior, about)
        if updates is None:
            pairs, successors, reward_state = belief.pairs, world.mdp.successors, np.arange(world.n_states)
            slots = np.broadcast_to(reward_state[:, None, None], successors.shape)
        else:
            pairs, successors, reward_state, slots = _imagined(world.mdp, belief, updates)
        belief_numbers, states = pairs.T
        joint = belief.beliefs[belief_numbers].T[:, :, None, None] * belief.laws[:, states]
        inside = joint[world_number]
        outside = np.delete(joint, world_number, axis=0).sum(axis=0)
        base = belief.base.mdp
        return cls(
            inside=inside,
            outside=outside,
            mdp=MDP.of(
                successors,
                inside + outside,
                base.available[states],
                base.terminal[states],
                np.pad(world.mdp.initial, (0, len(pairs) - world.n_states)),
                world.mdp.discount,
            ),
            reward_state=reward_state,
            slots=slots,
            after=world.mdp.successors,
            available=world.mdp.available,
            chance=np.asarray(belief.beliefs[0, world_number]),
            prior=prior,
        )

    @property
    def same_states(self) -> bool:
        """False for an agent that expects to stop learning: the number of remaining updates is part of a state."""
        return len(self.reward_state) == len(self.after)

    @property
    def numpy(self) -> bool:
        """True: the beliefs also work on the host."""
        return True

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a world other than the agent's belief world."""
        shape, expected = world.mdp.successors.shape, self.after.shape
        same_world = shape == expected and np.array_equal(world.mdp.successors, self.after)
        if not (same_world and np.array_equal(world.mdp.available, self.available)):
            raise ValueError(
                f"this agent has beliefs for a belief world of {expected[0]} states and {expected[1]} actions; the "
                f"world, of {shape[0]} and {shape[1]}, is another one: expected the belief world that the agent was "
                "made with, or one with truth=… of the same worlds, prior and horizon"
            )
        if any("successor" in axes for axes in reward.dims.values()) and (unpaid := (self.slots < 0).any((1, 2))).any():
            state = world.states[int(self.reward_state[unpaid.argmax()])]
            raise ValueError(
                "this agent, which expects to stop learning, expects an outcome that no belief of the belief world "
                f"expects in state {label(state)}, and the {type(reward).__name__} has no value for it: use a reward "
                "of states or of actions"
            )

    def __call__(self, mdp: MDP) -> MDP:
        """Return the expected MDP."""
        if self.prior is None:
            return self.mdp
        xp = namespace(self.prior)
        joint = self.prior / self.chance * xp.asarray(self.inside)
        joint = joint + (1.0 - self.prior) / (1.0 - self.chance) * xp.asarray(self.outside)
        return dataclasses.replace(self.mdp, probabilities=joint / joint.sum(axis=-1, keepdims=True))

    def unfold(self, tree: Unfolded) -> Unfolded:
        """Convert a reward, or numbers by state (or a single number, or None), to the states of the believed MDP."""
        if self.same_states or tree is None or not (isinstance(tree, Reward) or np.ndim(tree)):
            return tree
        state = self.reward_state
        return _unfold_reward(tree, state, self.slots) if isinstance(tree, Reward) else _at(tree, state)

    def fold(self, plan: Plan) -> Plan:
        """Restrict a plan to the states of the belief world, which have all updates left."""
        n_states = self.after.shape[0]
        return dataclasses.replace(plan, q=plan.q[..., :n_states], values=plan.values[..., :n_states])


def _about(belief: Belief, prior: Parameter | None, about: Hashable) -> int:
    """Return the number of the world that a prior refers to."""
    names = ", ".join(map(repr, belief.worlds))
    if about is None and prior is not None and len(belief.worlds) > 2:
        raise ValueError(f"prior is the probability of one world; give about=, one of {names}")
    if about is not None and about not in belief.worlds:
        raise ValueError(f"about is {about!r}; expected one of the worlds, {names}")
    number = 0 if about is None else belief.worlds.index(about)
    chance = belief.beliefs[0, number]
    if prior is not None and not _OPEN[0] <= chance <= _OPEN[1]:
        raise ValueError(
            f"the prior of {belief.worlds[number]!r} in the belief world is {chance:g}, so that its probability never "
            "changes; an agent with another prior needs a belief world with a prior between 0 and 1, such as 0.5"
        )
    return number


def _imagined(mdp: MDP, belief: Belief, updates: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Build pairs ``(N, 2)``, successors ``(N, A, K)``, places and slots of triples (state, belief, updates left).

    Triples with all updates left come first, then triples with one update less, and so on, each with all pairs of the
    belief world. Without updates left the belief is constant, and there are more pairs: every state that can be reached
    with each belief.
    """
    n_pairs, n_states = len(belief.pairs), len(belief.successors)
    keys = belief.pairs[:, 0] * n_states + belief.pairs[:, 1]
    frozen, layer, successor_keys = np.empty(0, np.int64), keys, []
    while layer.size:
        frozen = np.concatenate([frozen, layer])
        beliefs, states = np.divmod(layer, n_states)
        possible = (belief.expected(beliefs, states) > 0) & ~belief.base.mdp.terminal[states][:, None, None]
        after = np.where(possible, beliefs[:, None, None] * n_states + belief.successors[states], layer[:, None, None])
        successor_keys.append(after)
        layer = np.setdiff1d(after, frozen)
    order = np.argsort(frozen)
    frozen_successors = order[np.searchsorted(frozen[order], np.concatenate(successor_keys))]
    pairs = np.stack(np.divmod(frozen, n_states), axis=1)
    any_pair = np.empty(n_states, np.int64)  # a pair of the belief world in every state
    any_pair[belief.pairs[:, 1]] = np.arange(n_pairs)
    # An outcome that one belief excludes has no reward there; its reward is taken from a belief that expects it.
    paying_pair = np.full((n_states, *mdp.successors.shape[1:]), -1)
    for pair, possible in enumerate(belief.expected(*belief.pairs.T) > 0):
        paying_pair[belief.pairs[pair, 1]][possible] = pair
    expected = belief.expected(*pairs[n_pairs:].T) > 0
    extra_slots = np.where(expected, paying_pair[pairs[n_pairs:, 1]], any_pair[pairs[n_pairs:, 1]][:, None, None])
    extra_slots = np.where(mdp.terminal[any_pair[pairs[n_pairs:, 1]]][:, None, None], extra_slots.clip(0), extra_slots)
    numbers = np.tile(np.arange(n_pairs), updates + 1)
    learning = [np.asarray(mdp.successors) + n_pairs * (n_updates + 1) for n_updates in range(updates)]
    return (
        np.concatenate([belief.pairs] * updates + [pairs]),
        np.concatenate([*learning, frozen_successors + n_pairs * updates]),
        np.concatenate([numbers, any_pair[pairs[n_pairs:, 1]]]),
        np.concatenate([np.broadcast_to(numbers[:, None, None], (len(numbers), *extra_slots.shape[1:])), extra_slots]),
    )


def _unfold_reward(reward: _R, state: Numeric, slots: Numeric) -> _R:
    """Map a reward to new states, each with the reward of one of the old states; or outcome by outcome."""
    fields = {}
    for name, axes in reward.dims.items():
        values = getattr(reward, name)
        if "successor" in axes:
            xp = namespace(values, slots)
            outcomes = slots, np.arange(slots.shape[1])[:, None], np.arange(slots.shape[2])
            possible = xp.expand_dims(slots >= 0, tuple(range(3, values.ndim)))
            fields[name] = xp.where(possible, xp.asarray(values)[outcomes], np.nan)  # no reward: not a number
        elif "state" in axes:
            fields[name] = _at(values, state)
    if isinstance(reward, ShapedReward):
        fields["base"] = _unfold_reward(reward.base, state, slots)
    return eqx.tree_at(lambda r: [getattr(r, name) for name in fields], reward, list(fields.values()))


def _at(values: ArrayLike, state: Numeric) -> Any:
    """Select values, whose first axis is states, at some states."""
    return namespace(values, state).take(values, state, axis=0)
