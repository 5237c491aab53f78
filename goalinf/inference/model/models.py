"""Models of observed behavior: world, agent and reward with priors, or a NumPyro model of the user."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
from numpyro.distributions import Distribution

from goalinf.agents import Agent, MixtureAgent
from goalinf.agents.agent import check_agent
from goalinf.behavior import Behavior
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.behavior.fill import fill
from goalinf.behavior.levels import Levels
from goalinf.data import Observations
from goalinf.inference.model.hierarchical.design_matrix import axes_of
from goalinf.inference.model.log_density import Model
from goalinf.inference.model.priors import Site, find_sites, own_arrays, priors_of
from goalinf.inference.model.tabulated.likelihood_table import LikelihoodTable, TabulatedBehavior
from goalinf.planning.pooling import Pooling, link_of
from goalinf.rewards import Reward, check_reward

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

    @classmethod
    def checked(cls, world: Worlds, agent: Agent, reward: Rewards) -> StandardModel:
        """Return the model; refuse an agent or a reward of another kind.

        Raises
        ------
        TypeError
            Where one is.
        """
        check_agent("agent", agent)
        for known in reward.values() if isinstance(reward, Mapping) else [reward]:
            check_reward("reward", known)
        return cls(world, agent, reward)

    def sites(self, data: Observations, fitted: Observations | None = None) -> list[Site]:
        """Return the parameters that have priors, for these data; ``fitted`` are those that code covariates."""
        world = Conditions.of(self.world, self.reward, data.context_names).world
        return find_sites(self.agent, self.reward, world, data, fitted)

    def levels(self, data: Observations) -> Levels | None:
        """Return the levels of the parameters with one value per level; None where there are none."""
        priors = self.priors
        by = {name: axes_of(prior, data) for name, prior in priors.items() if isinstance(prior, Pooling)}
        return Levels.of(data, by, Conditions.of(self.world, self.reward, data.context_names)) if by else None

    @property
    def priors(self) -> dict[str, Distribution]:
        """Priors of the agent and the reward, by the names of their parameters."""
        return priors_of(self.agent, self.reward)

    @property
    def mixture(self) -> MixtureAgent | None:
        """Mixture of agents; None for a single agent."""
        return self.agent if isinstance(self.agent, MixtureAgent) else None

    def filled(self, draw: Draw) -> tuple[Agent, Rewards]:
        """Return agent and reward with a value in place of every prior.

        Raises
        ------
        ValueError
            Where a parameter has one value per subject or context.
        """
        for name, prior in self.priors.items():
            if isinstance(prior, Pooling):
                raise ValueError(
                    f"{name} has one value per {' and '.join(prior.by) or 'level'}: no single agent and reward "
                    f"describe the data; read the values from fit.posterior[{name!r}]"
                )
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

    def observing(
        self, observed: object, draw: Draw, contexts: Sequence[Hashable], levels: Levels | None = None
    ) -> Behavior | TabulatedBehavior:
        """Return the distribution of observations, or of a table of their log-likelihoods; traceable."""
        if not isinstance(observed, LikelihoodTable):
            return self.behavior(draw, contexts, levels)
        assert levels is not None
        (name,) = levels.by
        prior = self.priors[name]
        assert isinstance(prior, Pooling)
        value = dataclasses.replace(levels, values={name: draw[name]}).at()[name]
        weights = {each: draw[each] for each in self.priors if each != name}
        agent, _ = fill(self.agent, self.reward, weights)
        return TabulatedBehavior(agent, link_of(prior.prior).inv(jnp.asarray(value)))

    def behavior(self, draw: Draw, contexts: Sequence[Hashable], levels: Levels | None = None) -> Behavior:
        """Return the distribution of the observations at one value of every site; traceable.

        ``levels`` are those of the data, where parameters have one value per subject or context.
        """
        if levels is None:
            return Behavior(self.world, *self.filled(draw), contexts=contexts)
        levels = dataclasses.replace(levels, values={name: draw[name] for name in levels.by})
        known = {name: draw[name] for name in self.priors if name not in levels.by}
        agent, reward = fill(self.agent, self.reward, known)
        return Behavior(self.world, agent, reward, contexts=contexts, levels=levels)


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
