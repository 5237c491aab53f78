"""Model, worlds and null directions of a fit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from goalinf.agents.agent import single_agent
from goalinf.behavior.conditions import Conditions, shown
from goalinf.behavior.fill import fill
from goalinf.data import Trajectories
from goalinf.identify.linear_algebra import kernel
from goalinf.identify.local.jacobian import Jacobian, log_policy_jacobian
from goalinf.identify.local.likelihood_jacobian import common_null_space, likelihood_jacobians
from goalinf.identify.local.null_space import NullSpace, null_space_at
from goalinf.identify.local.visited_states import VisitedStates, scored_states
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import Site, unflattened
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_data import check_data
from goalinf.rewards import Reward
from goalinf.worlds import World, label


def known_model(fit: Fit, what: str) -> StandardModel:
    """Return the model of a fit with a world, an agent and a reward; ``what`` needs them (``"an audit"``).

    Raises
    ------
    ValueError
        If the model is a user's own, or was not kept in the file.
    """
    return fit.standard(
        f"world, agent and reward, which {what} needs",
        "fit with gi.infer(key, world, agent=..., reward=..., data=...), or call "
        "gi.identify.null_space(world, agent, reward)",
    )


def trajectories_of(fit: Fit, what: str) -> Trajectories:
    """Return the data of a fit; ``what`` needs trajectories (``"the design of an experiment"``).

    Raises
    ------
    ValueError
        If the data are other observations.
    """
    if not isinstance(fit.data, Trajectories):
        kind = type(fit.data).__name__
        raise ValueError(f"{what} needs trajectories, and this fit is of {kind}: fit trajectories of the same agent")
    return fit.data


def worlds_of(fit: Fit) -> dict[str, World]:
    """Return the worlds of a fit by name: ``"here"``, or the contexts of its data, in their order.

    Raises
    ------
    ValueError
        If the names of two contexts print alike.
    """
    if isinstance(fit.world, World):
        return {"here": fit.world}
    names = fit.data.context_names
    if len({label(name) for name in names}) < len(names):
        raise ValueError(f"contexts {shown(names)}: two names print alike; give them names that differ")
    return {label(name): fit.world[name] for name in names}


@dataclasses.dataclass(frozen=True, eq=False)
class Directions:
    """Null directions of the posterior of a fit.

    For trajectories these are the null directions of the policy at the last draw, which no behavior identifies. For
    other observations they are those of these observations: directions of reward along which the likelihood of no
    observation changes at several draws, and directions with a part of the agent at the last draw.

    Parameters
    ----------
    conditions : Conditions
        Worlds and rewards, in the order of the contexts of the data.
    sites : dict of Site
        The inferred parameters.
    draws : dict of float (chain, draw, …)
        Their posterior draws.
    jacobian : Jacobian
        Derivatives in all inferred parameters at the last draw: of the log-policy, or of the log-likelihood of the
        observations.
    joint : NullSpace
        Null space of reward and agent together.
    null : float (n1, P)
        Its directions that involve the reward alone.
    nullity_data : int
        Directions of reward that the data leave unidentified: those that no number of actions in the visited states
        identifies; for other observations those along which, to first order at the last draw, the likelihood of no
        observation changes.
    n_observed : int
        Number of scored actions, or other observations.
    visits : VisitedStates or None
        For trajectories, the states with scored actions.
    """

    conditions: Conditions
    sites: dict[str, Site]
    draws: dict[str, np.ndarray]
    jacobian: Jacobian
    joint: NullSpace
    null: np.ndarray
    nullity_data: int
    n_observed: int
    visits: VisitedStates | None

    @classmethod
    def of(cls, fit: Fit, what: str) -> Directions:
        """Build from a fit with a world, one agent and a reward; ``what`` names their use (``"an audit"``).

        Raises
        ------
        ValueError
            If the model is a user's own, if the agent is a mixture, if a parameter has one value per subject or
            context, or if the data changed in place after the fit.
        """
        model = known_model(fit, what)
        check_data(fit.tree, fit.data)
        single = single_agent(f"the agent of the fit, for {what},", model.agent)
        contexts = fit.data.context_names
        if several := [site for site in fit.sites if site.by or site.computed]:
            name, units = several[0].name, " and ".join(several[0].by) or "level"
            raise ValueError(
                f"{name} has one value per {units}, and {what} is about one agent and one reward: fit the data of one "
                f"{units} alone, with a prior in place of the pooling, for {what}"
            )
        sites = {site.name: site for site in fit.sites}
        draws = {name: np.asarray(fit.posterior[name].values, float) for name in sites}
        agent, reward = fill(single, model.reward, {name: values[-1, -1] for name, values in draws.items()})
        conditions = Conditions.of(model.world, model.reward, contexts)
        jacobian: Jacobian
        if isinstance(fit.data, Trajectories):
            jacobian = of_policy = log_policy_jacobian(model.world, agent, reward, wrt=tuple(sites), contexts=contexts)
            visited, n_observed = scored_states(fit.data, of_policy)
            null, matrix = None, of_policy.reward_part().matrix(visited)
            visits = VisitedStates.of(visited, of_policy, conditions)
        else:
            jacobian_at = likelihood_jacobians(model, fit.data, tuple(sites))
            jacobian = jacobian_at({name: values[-1, -1] for name, values in draws.items()})
            null, matrix = common_null_space(jacobian_at, draws, jacobian.n_rewards), jacobian.reward_part().matrix()
            visits, n_observed = None, fit.data.n_observed
        reward_at_draw = Conditions.of(model.world, reward, contexts).rewards[0]
        joint = null_space_at([jacobian], conditions, [agent], reward_at_draw, null)
        moves_agent = np.zeros(joint.dimension, bool)
        for part in joint.agent.data_vars.values():
            moves_agent |= part.values.astype(bool).any(axis=tuple(range(1, part.ndim)))
        of_reward = jacobian.reward_part()
        rows = joint.basis.values.reshape(joint.dimension, of_reward.n_rewards)[~moves_agent]
        nullity = kernel(matrix, of_reward.tolerance).dimension
        return cls(conditions, sites, draws, jacobian, joint, rows, nullity, n_observed, visits)

    @property
    def n_rewards(self) -> int:
        """Number of inferred parameters of the reward, P."""
        return self.jacobian.n_rewards

    @property
    def reward_sites(self) -> list[str]:
        """Names of the parameters of the reward, in the order of the columns."""
        return [column.name for column in self.jacobian.reward_columns]

    def rewards(self) -> np.ndarray:
        """Return draws of the reward, ``(chain, draw, P)``."""
        values = [self.draws[name] for name in self.reward_sites]
        return np.concatenate([array.reshape(*array.shape[:2], -1) for array in values], axis=2)

    def reward(self, fit: Fit, flat: np.ndarray) -> Reward:
        """Return the reward with the numbers ``flat (P,)``."""
        sites = [self.sites[name] for name in self.reward_sites]
        return fit.standard("reward").reward_at(unflattened(sites, flat))

    def priors(self) -> list[Any]:
        """Return the priors of the parameters of the reward, in the order of ``reward_sites``."""
        return [self.sites[name].prior for name in self.reward_sites]
