"""The directions in which a posterior cannot be moved by behavior, from the fit itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from goalinf.agents import Mixture
from goalinf.behavior.conditions import Setting
from goalinf.identify.local.jacobian import Jacobian, log_policy_jacobian
from goalinf.identify.local.null_space import NullSpace, null_space_at, reward_part
from goalinf.inference.model.priors import Site, fill, unflattened
from goalinf.rewards import Reward


@dataclasses.dataclass(frozen=True, eq=False)
class Directions:
    """What a fit leaves open, at its last draw.

    Parameters
    ----------
    setting : Setting
        Worlds and rewards, in the order of the contexts of the data.
    sites : dict of Site
        The parameters that had priors.
    draws : dict of float (chain, draw, …)
        Their posterior draws.
    jacobian, alone : Jacobian
        Derivatives of the log-policy in everything that was inferred, and in the reward alone.
    joint : NullSpace
        Of reward and agent together.
    null : float (n1, P)
        The part of it that moves the reward and not the agent.
    """

    setting: Setting
    sites: dict[str, Site]
    draws: dict[str, np.ndarray]
    jacobian: Jacobian
    alone: Jacobian
    joint: NullSpace
    null: np.ndarray

    @classmethod
    def of(cls, fit: Any, what: str) -> Directions:
        """Of a fit with a world, one agent and a reward; ``what`` needs them (``"an audit"``).

        Raises
        ------
        ValueError
            Where the model is a user's own, or the agent is one of several.
        """
        missing = [name for name in ("world", "agent", "reward") if getattr(fit, name, None) is None]
        if missing:
            raise ValueError(
                f"{what} needs the {', the '.join(missing)} that was fitted, and a model of your own does not say: "
                "fit with gi.infer(key, world, agent=..., reward=..., data=...), or call "
                "gi.identify.null_space(world, agent, reward)"
            )
        if isinstance(fit.agent, Mixture):
            raise ValueError(
                f"{what} is of one agent, and this fit is of {fit.agent.name}: fit one of them, such as the likeliest "
                "by fit.responsibilities, and take that"
            )
        contexts = fit.data.context_names
        sites = {site.name: site for site in fit.sites}
        draws = {name: np.asarray(fit.posterior[name].values, float) for name in sites}
        agent, reward = fill(fit.agent, fit.reward, {name: values[-1, -1] for name, values in draws.items()})
        jacobian = log_policy_jacobian(fit.world, agent, reward, wrt=tuple(sites), contexts=contexts)
        setting = Setting.of(fit.world, fit.reward, contexts)
        joint = null_space_at([jacobian], setting, [agent], Setting.of(fit.world, reward, contexts).rewards[0])
        moves_agent = np.zeros(joint.dimension, bool)
        for part in joint.agent.data_vars.values():
            moves_agent |= part.values.astype(bool).any(axis=tuple(range(1, part.ndim)))
        alone = reward_part(jacobian)
        rows = joint.basis.values.reshape(joint.dimension, alone.log_policy.shape[-1])
        return cls(setting, sites, draws, jacobian, alone, joint, rows[~moves_agent])

    @property
    def n_rewards(self) -> int:
        """Numbers of the reward that were inferred, P."""
        return self.alone.log_policy.shape[-1]

    @property
    def reward_sites(self) -> list[str]:
        """Names of the parameters of the reward, in the order of the columns."""
        return [column.name for column in self.alone.columns]

    def rewards(self) -> np.ndarray:
        """Draws of the reward, ``(chain, draw, P)``."""
        values = [self.draws[name] for name in self.reward_sites]
        return np.concatenate([one.reshape(*one.shape[:2], -1) for one in values], axis=2)

    def reward(self, fit: Any, flat: np.ndarray) -> Reward:
        """The reward with these numbers ``(P,)``."""
        sites = [self.sites[name] for name in self.reward_sites]
        return fill(fit.agent, fit.reward, unflattened(sites, flat))[1]

    def priors(self) -> list[Any]:
        """Priors of the parts of the reward, in the same order."""
        return [self.sites[name].prior for name in self.reward_sites]
