"""Values in place of the priors of an agent and a reward."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import equinox as eqx
from numpyro.distributions import Distribution

from goalinf.agents.agent import Agent
from goalinf.planning.parameters import Parameter
from goalinf.rewards import Reward
from goalinf.rewards.base import parameter_of
from goalinf.types import Numbers

_Agent = TypeVar("_Agent", bound=Agent)
_Rewards = TypeVar("_Rewards", bound=Reward | Mapping[Any, Reward])


def fill(agent: _Agent, reward: _Rewards, values: Mapping[str, Parameter | Numbers]) -> tuple[_Agent, _Rewards]:
    """Replace priors in agent and reward by values, which are keyed by ``agent.<name>`` and ``reward.<name>``."""
    for name, value in values.items():
        owner, parameter = name.split(".", 1)
        if owner == "agent":
            agent = agent.at(**{parameter: value})
        elif owner == "reward":
            reward = eqx.tree_at(
                partial(parameter_of, name=parameter),
                reward,
                value,
                is_leaf=lambda leaf: isinstance(leaf, Distribution),
            )
    return agent, reward
