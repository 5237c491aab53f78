"""Conditions: the units of planning, pairs of a world and a reward, matched with the contexts of the data by name.

Contexts that have the same world and the same reward are one condition and are planned once; the conditions are
stacked, so that one program plans all of them. The order of a mapping has no effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import jax
import numpy as np

from goalinf.agents.agent import SingleAgent
from goalinf.agents.policy import Policy
from goalinf.rewards import Reward, ShapedReward, check_reward, pad_reward, stack_rewards
from goalinf.worlds import MDP, World, stack
from goalinf.worlds.alike import different_place

Worlds = World | Mapping[Any, World]
Rewards = Reward | Mapping[Any, Reward]
_Record = TypeVar("_Record", World, Reward)


@dataclasses.dataclass(frozen=True, eq=False)
class Conditions:
    """Worlds and rewards by context, and the conditions among them.

    Parameters
    ----------
    contexts : tuple
        Names of the contexts.
    worlds : tuple of World
        One per context, or one for all.
    rewards : tuple of Reward
        One per context, or one for all.
    by_name : bool
        True where worlds or rewards were given by context, so that the data must name their contexts.
    """

    contexts: tuple[Hashable, ...]
    worlds: tuple[World, ...]
    rewards: tuple[Reward, ...]
    by_name: bool

    @classmethod
    def of(cls, world: Worlds, reward: Rewards, contexts: Sequence[Hashable] | None = None) -> Conditions:
        """Match worlds and rewards to contexts by name. Default: all contexts of the mappings.

        Raises
        ------
        ValueError
            Where a context has no world or no reward, or the data have no contexts and a mapping was given.
        """
        mappings = {name: by for name, by in (("world", world), ("reward", reward)) if isinstance(by, Mapping)}
        for name, mapping in mappings.items():
            if not mapping:
                raise ValueError(f"the mapping from context to {name} is empty")
        if contexts is None:
            contexts = tuple(next(iter(mappings.values()))) if mappings else (0,)
        for name, mapping in mappings.items():
            check_known_contexts(contexts, mapping, name)
        worlds = tuple(world[context] for context in contexts) if isinstance(world, Mapping) else (world,)
        rewards = tuple(reward[context] for context in contexts) if isinstance(reward, Mapping) else (reward,)
        for item in worlds:
            if not isinstance(item, World):
                raise TypeError(
                    f"expected a World, found {type(item).__name__}; build one with gi.gridworld, gi.graph_world, …"
                )
        for one_reward in rewards:
            check_reward("reward", one_reward)
        _check_shared(worlds, rewards)
        return cls(tuple(contexts), worlds, rewards, bool(mappings))

    def places(self, names: Sequence[Hashable], used: Sequence[int] | None = None) -> np.ndarray:
        """Return the number of each context, by name, ``(C,)``; -1 for unknown contexts without data.

        Parameters
        ----------
        names : sequence
            Names of the contexts of the data, by number.
        used : sequence of int, optional
            Numbers of the contexts that occur in the data; default: all of them.

        Raises
        ------
        ValueError
            Where a context that occurs in the data has no world or no reward.
        """
        number_of = {context: number for number, context in enumerate(self.contexts)}
        occurring = names if used is None else [names[number] for number in used]
        check_known_contexts(occurring, self.contexts, "world or reward")
        return np.array([number_of.get(name, -1) for name in names], np.int32)

    def pairs(self) -> list[tuple[World, Reward]]:
        """Return the world and the reward of every context."""
        count = range(len(self.contexts))
        return [(self.worlds[min(c, len(self.worlds) - 1)], self.rewards[min(c, len(self.rewards) - 1)]) for c in count]

    @cached_property
    def distinct(self) -> Conditions:
        """Conditions without repetition: the first context of each pair of world and reward."""
        first_contexts = np.unique(self.number, return_index=True)[1]
        if len(first_contexts) == len(self.contexts):
            return self
        pairs = [self.pairs()[context] for context in first_contexts]
        worlds, rewards = _once([world for world, _ in pairs]), _once([reward for _, reward in pairs])
        return Conditions(tuple(self.contexts[context] for context in first_contexts), worlds, rewards, self.by_name)

    @cached_property
    def number(self) -> np.ndarray:
        """Number of the condition of each context, ``(C,)``."""
        numbers: dict[tuple[int, int], int] = {}
        return np.array([numbers.setdefault((id(world), id(reward)), len(numbers)) for world, reward in self.pairs()])

    @property
    def world(self) -> World:
        """The world of the first context."""
        return self.worlds[0]

    def mdp(self) -> MDP:
        """Return the MDP, with a leading axis where there are several worlds."""
        return stacked_mdp(self.worlds)

    def stacked_reward(self) -> Reward:
        """Return the reward, with a leading axis where there are several, padded to the sizes of :meth:`mdp`."""
        mdps = [world.mdp for world in self.worlds]
        sizes = {
            "state": max(mdp.n_states for mdp in mdps),
            "action": max(mdp.n_actions for mdp in mdps),
            "successor": max(mdp.successors.shape[2] for mdp in mdps),
        }
        if len(self.rewards) == 1:
            if any(self.rewards[0].dims.values()) and len({mdp.n_states for mdp in mdps}) > 1:
                raise ValueError(
                    "worlds of different sizes cannot share one reward: give a mapping from context to reward"
                )
            return self.rewards[0]
        return stack_rewards([pad_reward(reward, sizes) for reward in self.rewards])

    def plan(
        self,
        agent: SingleAgent,
        mdp: MDP | None = None,
        reward: Reward | None = None,
        initial_guess: Policy | None = None,
    ) -> Policy:
        """Plan the policies of all contexts, ``(C, …)``; traceable.

        ``mdp`` and ``reward`` replace the MDP and the reward of the conditions.
        The values of the policies ``initial_guess`` are the initial guess (warm start) of planning; the values of the
        last policy serve all further conditions.
        """
        mdp = self.mdp() if mdp is None else mdp
        reward = self.stacked_reward() if reward is None else reward
        count = len(self.contexts)
        values = None if initial_guess is None else initial_guess.values
        if values is not None:
            values = values[np.minimum(np.arange(count), len(values) - 1)]
        axes = (0 if len(self.worlds) > 1 else None, 0 if len(self.rewards) > 1 else None)
        if axes == (None, None):
            start = None if values is None else values[0]
            return jax.tree.map(lambda leaf: leaf[None], agent.policies(mdp, reward, initial=start))
        return agent.policies_each(mdp, reward, values, (*axes, None if values is None else 0))


def stacked_mdp(worlds: Sequence[World]) -> MDP:
    """Return the MDP, with a leading axis where there are several worlds."""
    return worlds[0].mdp if len(worlds) == 1 else stack([world.mdp for world in worlds])


def _once(records: Sequence[_Record]) -> tuple[_Record, ...]:
    """Return one record where all are the same object, else all."""
    return tuple(records) if any(record is not records[0] for record in records) else (records[0],)


def _check_shared(worlds: Sequence[World], rewards: Sequence[Reward]) -> None:
    """Refuse one reward for worlds in which its entries belong to different states or actions."""
    if len(rewards) > 1:
        return
    (reward,) = rewards
    parts = [*getattr(reward, "options", (reward,))]
    parts += [part.base for part in parts if isinstance(part, ShapedReward)]
    axes = frozenset(axis for part in parts for names in part.dims.values() for axis in names)
    for world in worlds[1:]:
        if world is worlds[0] or world.mdp.available.shape != worlds[0].mdp.available.shape:
            continue  # other sizes are refused where they are stacked
        if mismatch := different_place(worlds[0], world, axes):
            raise ValueError(
                f"one reward for several worlds needs the same states and actions in all of them, but {mismatch}: give "
                "a mapping from context to reward, or build the worlds with their states and actions in one order"
            )


def check_known_contexts(contexts: Sequence[Hashable], names: Iterable[Hashable], what: str) -> None:
    """Refuse contexts of the data that are not known by name; ``what`` is missing for them (``"world"``)."""
    named = dict.fromkeys(names)  # keeps the order, with fast lookup
    missing = [context for context in contexts if context not in named]
    if missing and len(contexts) == 1 and contexts[0] in (0, None):
        raise ValueError(
            f"{what.replace(' or ', 's or ')}s were given by context ({shown(named)}), but the data name no context: "
            "read them with context="
        )
    if missing:
        raise ValueError(
            f"context {missing[0]!r} has no {what}; the mapping has {shown(named)}; the data have {shown(contexts)}"
        )


def shown(names: Iterable[Hashable]) -> str:
    """Return the names, in quotes where they are text, so that 1 and "1" differ."""
    return ", ".join(map(repr, names))
