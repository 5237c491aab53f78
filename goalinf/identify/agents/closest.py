"""Search for the reward with which a planner is closest to a policy, and the induced prior density of the policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from goalinf.agents import Agent, soft_optimal
from goalinf.behavior.conditions import Conditions, Worlds
from goalinf.behavior.fill import fill
from goalinf.errors import ConvergenceError, PrecisionError
from goalinf.identify.linear_algebra import kernel
from goalinf.identify.local.jacobian import PolicyJacobian, log_policy_jacobian
from goalinf.identify.local.whitening import Frame, gaussian
from goalinf.inference.model.mode import Remembered, climb
from goalinf.inference.model.priors import Site, find_sites, unflattened
from goalinf.rewards import Reward

_FLAT = 1e-6  # largest change of log-policy along a null space that counts as none
_ENOUGH = 1e-13  # nats per action; below, no further start is tried
_GRADIENT = 1e-9  # nats per action and prior standard deviation, at which a search ends
_SMALLEST = 1e-300  # lower bound of a probability before its logarithm


@dataclasses.dataclass(frozen=True)
class PolicyDensity:
    """Prior density of a policy under a planner whose reward has a prior.

    Parameters
    ----------
    dimension : int
        Number of directions of the reward that the policy of the planner identifies.
    log_density : float
        Log density in the coordinates of the log-policy, nats.
    plane : bool
        True where all rewards with this policy differ by directions of one null space, as the density assumes.
    """

    dimension: int
    log_density: float
    plane: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """Search among the rewards of a prior, in whitened coordinates ``z`` (prior standard deviations from the mean).

    Parameters
    ----------
    world : World or mapping from context to World
        World of the agent.
    prior : Reward
        A reward with distributions.
    sites : sequence of Site
        The distributions.
    frame : Frame
        Prior mean and covariance.
    target : float (C, S, A)
        The target policy.
    weights : float (C, S)
        Share of the decisions in each state.
    """

    world: Worlds
    prior: Reward
    sites: Sequence[Site]
    frame: Frame
    target: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, world: Worlds, prior: Reward, target: PolicyJacobian, weights: np.ndarray) -> Search:
        """Build for the policy of a PolicyJacobian.

        Raises
        ------
        ValueError
            If the reward holds no prior, or a prior without a finite variance.
        """
        sites = find_sites(soft_optimal(beta=1.0), prior, Conditions.of(world, prior).world)
        if not sites:
            raise ValueError(
                "prior holds no distribution: give it one, such as gi.StateReward(dist.Normal(0, 1), on=…)"
            )
        priors = [site.prior for site in sites]
        size = sum(int(np.prod(site_prior.shape(), dtype=int)) for site_prior in priors)
        frame = Frame.of(priors, np.zeros((0, size)))
        if frame is None:
            raise ValueError(
                "the prior has no finite variance; expected one, as rewards are compared in prior standard deviations"
            )
        return cls(world, prior, sites, frame, target.policy, weights)

    @property
    def size(self) -> int:
        """Number of parameters of the reward, P."""
        return len(self.frame.mean)

    @property
    def normal(self) -> bool:
        """True where the prior is normal."""
        return gaussian([site.prior for site in self.sites])

    def divergence(self, policy: np.ndarray) -> float:
        """Compute the Kullback–Leibler divergence of a policy from the target, nats per action."""
        ratio = np.log(np.maximum(self.target, _SMALLEST)) - np.log(np.maximum(policy, _SMALLEST))
        return float((self.weights[..., None] * self.target * ratio).sum())

    def at(self, planner: Agent, z: np.ndarray) -> PolicyJacobian:
        """Compute the policy and its derivatives of a planner with one reward."""
        values = unflattened(self.sites, self.frame.mean + self.frame.root @ z)
        reward = fill(planner, self.prior, values)[1]
        return log_policy_jacobian(self.world, planner, reward, wrt=tuple(values))

    def closest(self, planner: Agent, starts: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        """Return the smallest divergence over all starts, and its reward; infinite if planning fails everywhere."""
        best = np.inf, starts[0]
        for start in starts:
            with np.errstate(all="ignore"):  # steps near rewards for which planning fails overflow
                optimum = climb(Remembered(Divergence(self, planner, start)), gradient=_GRADIENT)
            if optimum.potential < best[0]:
                best = max(optimum.potential, 0.0), optimum.flat
            if best[0] < _ENOUGH:
                break
        return best

    def density(self, planner: Agent, z: np.ndarray) -> PolicyDensity:
        """Compute the prior density of the policy of the planner with a reward."""
        jacobian = self.at(planner, z)
        matrix = jacobian.matrix() @ self.frame.root
        null = kernel(matrix, jacobian.tolerance * np.abs(self.frame.root).max())
        smallest = z - null.basis.T @ (null.basis @ z)
        identified = null.singular_values[: self.size - null.dimension]
        shifted = self.at(planner, smallest + null.basis.T @ np.random.default_rng(0).standard_normal(null.dimension))
        log_policy, log_shifted = (np.log(np.maximum(at.policy, _SMALLEST)) for at in (jacobian, shifted))
        change = np.where(jacobian.rows, log_shifted - log_policy, 0.0)
        log_density = float(
            stats.norm.logpdf(0.0) * len(identified) - 0.5 * smallest @ smallest - np.log(identified).sum()
        )
        return PolicyDensity(len(identified), log_density, bool(np.abs(change).max() < _FLAT))


@dataclasses.dataclass(frozen=True, eq=False)
class Divergence:
    """Divergence of the policy of a planner from the target, by its reward; infinite if planning fails."""

    search: Search
    planner: Agent
    start: np.ndarray

    def derivatives(self, flat: np.ndarray) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Return divergence, gradient and Fisher information, the limit of the Hessian as the divergence vanishes."""
        search, root = self.search, self.search.frame.root
        try:
            jacobian = search.at(self.planner, flat)
        except (ConvergenceError, PrecisionError):
            return np.inf, np.zeros(flat.shape), None
        slope = np.einsum("csa,csap->p", search.weights[..., None] * search.target, jacobian.log_policy)
        return search.divergence(jacobian.policy), -slope @ root, root.T @ jacobian.fisher(search.weights) @ root
