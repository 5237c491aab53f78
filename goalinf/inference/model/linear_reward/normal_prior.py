"""Normal priors of reward parameters, and of beta times them, with derivatives, on the host."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpyro.distributions as dist

from goalinf.planning.log_space import log_sum_exp
from goalinf.planning.parameters import entry_prior


@dataclasses.dataclass(frozen=True)
class Normal:
    """Normal prior of independent entries: mean and standard deviation ``(F,)``."""

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, prior: dist.Distribution) -> Normal | None:
        """Convert a prior with independent normal entries; None for other priors."""
        entry = entry_prior(prior)
        if not isinstance(entry, dist.Normal):
            return None
        return cls(*(np.broadcast_to(np.asarray(x, float), prior.shape()).ravel() for x in (entry.loc, entry.scale)))

    def log_prob(self, x: np.ndarray) -> Any:
        """Compute the log density ``(...)`` of points ``(..., F)``."""
        z = (x - self.mean) / self.sd
        return -0.5 * (z**2).sum(axis=-1) - np.log(self.sd * np.sqrt(2 * np.pi)).sum()

    def derivatives(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return log density, gradient and Hessian."""
        return float(self.log_prob(x)), -(x - self.mean) / self.sd**2, np.diag(-1 / self.sd**2)

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Sample ``(size, F)``."""
        return self.mean + self.sd * rng.standard_normal((size, self.mean.size))


@dataclasses.dataclass(frozen=True)
class NormalProduct:
    """Prior of beta times a normal reward, with beta summed out on the nodes of a scale mixture."""

    reward: Normal
    log_beta: np.ndarray
    log_weight: np.ndarray  # of every node: prior of log beta, times the step between nodes
    middle: float  # median of log beta

    @property
    def mean(self) -> np.ndarray:
        """Starting point: the mean of the reward times the median of beta."""
        return self.reward.mean * np.exp(self.middle)

    def log_joint(self, x: np.ndarray) -> Any:
        """Compute the joint log density ``(..., nodes)`` of points ``(..., F)`` and each beta."""
        mean, sd = self.reward.mean, self.reward.sd
        # The squares of (x / beta - mean) / sd, multiplied out: no array has entries and nodes.
        squares = [(product / sd**2).sum(axis=-1, keepdims=True) for product in (x**2, x * mean, mean**2)]
        z = squares[0] * np.exp(-2 * self.log_beta) - 2 * squares[1] * np.exp(-self.log_beta) + squares[2]
        return -0.5 * z - np.log(sd * np.sqrt(2 * np.pi)).sum() - x.shape[-1] * self.log_beta + self.log_weight

    def log_prob(self, x: np.ndarray) -> Any:
        """Compute the log density ``(...)`` of points ``(..., F)``."""
        return log_sum_exp(self.log_joint(x), axis=-1)

    def derivatives(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return log density, gradient and Hessian."""
        beta = np.exp(self.log_beta)[:, None]
        slope = -(x / beta - self.reward.mean) / (beta * self.reward.sd**2)
        curvature = -1 / (beta * self.reward.sd) ** 2
        value = self.log_prob(x)
        weights = np.exp(self.log_joint(x) - value)
        gradient = weights @ slope
        hessian = np.diag(weights @ curvature) + (slope.T * weights) @ slope - np.outer(gradient, gradient)
        return float(value), gradient, hessian

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Sample ``(size, F)``."""
        share = np.exp(self.log_weight - log_sum_exp(self.log_weight, axis=-1))
        log_beta = rng.choice(self.log_beta, size, p=share / share.sum())
        return self.reward.sample(rng, size) * np.exp(log_beta)[:, None]
