"""Models of observed behavior: world, agent and reward with priors, or a NumPyro model of the user."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

from goalinf.agents import Agent, MixtureAgent
from goalinf.behavior import Behavior
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.inference.model.log_density import Model
from goalinf.inference.model.priors import Site, fill, find_sites, own_arrays
from goalinf.rewards import Reward

Draw: TypeAlias = Mapping[str, Any]  # site name -> value


@dataclasses.dataclass(frozen=True, eq=False)
class StandardModel:
    """World, agent and reward; every distribution in agent and reward is a prior.

    Parameters
    ----------
    world : World or mapping from context to World
        Worlds of the data.
    agent : Agent
        Agent, with priors of its unknown parameters.
    reward : Reward or mapping from context to Reward
        Reward, with priors of its unknown parameters.
    """

    world: Worlds
    agent: Agent
    reward: Rewards
    built: dict[str, Any] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def sites(self, contexts: Sequence[Hashable]) -> list[Site]:
        """Return the parameters that have priors, for data of these contexts."""
        return find_sites(self.agent, self.reward, Conditions.of(self.world, self.reward, contexts).world)

    @property
    def mixture(self) -> MixtureAgent | None:
        """Mixture of agents; None for a single agent."""
        return self.agent if isinstance(self.agent, MixtureAgent) else None

    def filled(self, draw: Draw) -> tuple[Agent, Rewards]:
        """Return agent and reward with a value in place of every prior."""
        return fill(self.agent, self.reward, draw)

    def reward_at(self, draw: Draw) -> Reward:
        """Return the reward with a value in place of every prior; a reward with priors is one for all contexts.

        Raises
        ------
        ValueError
            Where there are rewards by context, which are known.
        """
        _, reward = self.filled(draw)
        if isinstance(reward, Mapping):
            raise ValueError("the rewards were given by context and are known: no reward was inferred")
        return reward

    def own_arrays(self) -> StandardModel:
        """Return the model with copies of all arrays, which the user cannot change."""
        agent, reward = own_arrays(self.agent), self.reward
        if isinstance(reward, Mapping):  # not as a pytree, whose keys would have to be sorted
            copies = {id(known): own_arrays(known) for known in reward.values()}  # one reward of two contexts stays one
            return StandardModel(self.world, agent, {name: copies[id(known)] for name, known in reward.items()})
        return StandardModel(self.world, agent, own_arrays(reward))

    def contents(self) -> tuple[Any, ...]:
        """Return what the model is made of, in an order that compiled programs depend on."""
        return self.world, self.agent, list(self.reward.items()) if isinstance(self.reward, Mapping) else self.reward

    def behavior(self, draw: Draw, contexts: Sequence[Hashable]) -> Behavior:
        """Return the distribution of the observations at one value of every site; traceable."""
        return Behavior(self.world, *self.filled(draw), contexts=contexts)


@dataclasses.dataclass(frozen=True, eq=False)
class CustomModel:
    """NumPyro model of the user.

    Parameters
    ----------
    function : callable or None
        Function of the data with NumPyro sites; None where the fit was loaded from a file, which cannot hold functions.
    lost : str
        Reason for which the function, or world, agent and reward, are not known.
    dims, coords : mapping
        Axis names of every site, and the labels along them.
    """

    function: Model | None
    lost: str = "the model of this fit is not known"
    dims: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    coords: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    built: dict[str, Any] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def known(self) -> Model:
        """Return the function.

        Raises
        ------
        ValueError
            Where it is not known.
        """
        if self.function is None:
            raise ValueError(f"{self.lost}. For this the fit is needed that gi.infer returned")
        return self.function


AnyModel: TypeAlias = StandardModel | CustomModel
