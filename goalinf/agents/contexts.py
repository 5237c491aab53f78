"""Several worlds or rewards in one data set: a mapping from context, stacked so that one program plans them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import jax

from goalinf.agents.agent import Agent
from goalinf.agents.alternatives import Mixture
from goalinf.agents.planning import plan, plan_each, plan_to_depths
from goalinf.agents.policy import Policy
from goalinf.rewards import Reward, check_reward, pad_reward, stack_rewards
from goalinf.worlds import MDP, World, stack

Worlds = World | Mapping[Any, World]
Rewards = Reward | Mapping[Any, Reward]


@dataclasses.dataclass(frozen=True, eq=False)
class Setting:
    """The worlds and rewards of a data set, in the order of its contexts.

    Parameters
    ----------
    contexts : tuple
        Names of the contexts.
    worlds : tuple of World
        One per context, or one for all.
    rewards : tuple of Reward
        One per context, or one for all.
    """

    contexts: tuple[Hashable, ...]
    worlds: tuple[World, ...]
    rewards: tuple[Reward, ...]

    @classmethod
    def of(cls, world: Worlds, reward: Rewards, contexts: Sequence[Hashable] | None = None) -> Setting:
        """Line worlds and rewards up with the contexts of the data (default: those of the mappings).

        Raises
        ------
        ValueError
            Where a context has no world or no reward, or data without contexts meets a mapping.
        """
        mappings = {name: given for name, given in (("world", world), ("reward", reward)) if isinstance(given, Mapping)}
        for name, mapping in mappings.items():
            if not mapping:
                raise ValueError(f"the mapping from context to {name} is empty")
        if contexts is None:
            contexts = tuple(next(iter(mappings.values()))) if mappings else (0,)
        for name, mapping in mappings.items():
            missing = [context for context in contexts if context not in mapping]
            if missing and len(contexts) == 1 and contexts[0] in (0, None):
                raise ValueError(f"several {name}s were given but the data name no context: read them with context=")
            if missing:
                raise ValueError(
                    f"context {missing[0]!r} has no {name}; the mapping has {', '.join(map(str, mapping))}"
                )
        worlds = tuple(world[context] for context in contexts) if isinstance(world, Mapping) else (world,)
        rewards = tuple(reward[context] for context in contexts) if isinstance(reward, Mapping) else (reward,)
        for each in worlds:
            if not isinstance(each, World):
                raise TypeError(
                    f"expected a World, found {type(each).__name__}; make one with gi.gridworld, gi.graph_world, …"
                )
        for one in rewards:
            check_reward("reward", one)
        return cls(tuple(contexts), worlds, rewards)

    @property
    def world(self) -> World:
        """The world of the first context."""
        return self.worlds[0]

    def mdp(self) -> MDP:
        """The MDP, with a leading axis where there are several worlds."""
        return self.worlds[0].mdp if len(self.worlds) == 1 else stack([world.mdp for world in self.worlds])

    def stacked_reward(self) -> Reward:
        """The reward, with a leading axis where there are several, padded to the sizes of :meth:`mdp`."""
        mdps = [world.mdp for world in self.worlds]
        sizes = {
            "state": max(mdp.n_states for mdp in mdps),
            "action": max(mdp.n_actions for mdp in mdps),
            "successor": max(mdp.successors.shape[2] for mdp in mdps),
        }
        if len(self.rewards) == 1:
            if len({mdp.n_states for mdp in mdps}) > 1:
                raise ValueError(
                    "worlds of different sizes cannot share one reward: give a mapping from context to reward"
                )
            return self.rewards[0]
        return stack_rewards([pad_reward(reward, sizes) for reward in self.rewards])

    def plan_all(self, agent: Agent | Mixture) -> tuple[Policy, ...]:
        """Policies of all contexts, one for every agent that it may be."""
        if isinstance(agent, Agent):
            return (self.plan(agent),)
        if agent.parameter == "depth":
            depths = [option.planner.depth for option in agent.agents]
            every = plan_to_depths(agent.agents[0], max(depths), self.plan)
            return tuple(map(partial(_at_depth, every), depths))
        return tuple(map(self.plan, agent.agents))

    def plan(
        self, agent: Agent, mdp: MDP | None = None, reward: Reward | None = None, near: Policy | None = None
    ) -> Policy:
        """Policies of all contexts, ``(C, …)``; traceable. ``mdp`` and ``reward`` stand in for the setting's own.

        Planning starts from the values of the policies ``near``.
        """
        mdp = self.mdp() if mdp is None else mdp
        reward = self.stacked_reward() if reward is None else reward
        values = None if near is None else near.values
        axes = (0 if len(self.worlds) > 1 else None, 0 if len(self.rewards) > 1 else None)
        if axes == (None, None):
            start = None if values is None else values[0]
            return jax.tree.map(lambda leaf: leaf[None], plan(agent, mdp, reward, start))
        return plan_each(agent, mdp, reward, values, (*axes, None if values is None else 0))


def _at_depth(every: Policy, depth: int) -> Policy:
    """One of the policies of all depths, which stand on the axis of time."""
    log_probs, values = every.log_probs[..., depth - 1, :, :], every.values[..., depth - 1, :]
    return dataclasses.replace(every, log_probs=log_probs, values=values)
