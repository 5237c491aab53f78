"""One parameterization of a posterior: its density for samplers and for the search of modes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from goalinf.checks import numpy_generator
from goalinf.data import Observations
from goalinf.inference.model.hierarchical.hierarchy import Evidence
from goalinf.inference.model.linear_reward.closed_form import ClosedForm
from goalinf.inference.model.log_density import Data, Density
from goalinf.inference.model.mode import Compiled, Remembered
from goalinf.inference.model.tabulated.likelihood_table import LikelihoodTable
from goalinf.types import PRNGKey


class WithEvidence(NamedTuple):
    """Data as they enter compiled code, with what is known of the levels of groups.

    Parameters
    ----------
    observed : Observations or LikelihoodTable
        Data, or a table of their log-likelihoods.
    evidence : mapping
        Approximations of the likelihood of every level.
    shifts : mapping to float (U, C, E)
        Numbers that are added to the values of every level, on the scale of the link: zeros, by which the likelihood is
        differentiated.
    """

    observed: Observations | LikelihoodTable
    evidence: Mapping[str, Evidence]
    shifts: Mapping[str, Any]

    @classmethod
    def of(cls, observed: Observations | LikelihoodTable, evidence: Mapping[str, Evidence]) -> WithEvidence:
        """Return the data with shifts of zero."""
        return cls(observed, evidence, {name: np.zeros(np.shape(each.precision)) for name, each in evidence.items()})


@dataclasses.dataclass(frozen=True, eq=False)
class Parameterization:
    """Parameterization of a posterior.

    Parameters
    ----------
    trace : callable
        Function without arguments that returns the density.
    data : pytree
        Data as they enter compiled code.
    closed : ClosedForm or None
        Density with derivatives in closed form, where available.
    recipe : hashable
        Contents of the posterior: posteriors with equal recipes share their compiled programs.
    name : {"natural", "product", "standardized"}
        The model as written; in terms of beta times the reward; with standardized differences of levels from their
        group as parameters.
    """

    trace: Callable[[], Density]
    data: Data
    closed: ClosedForm | None = None
    recipe: Hashable = dataclasses.field(default_factory=object)
    name: str = "natural"

    def with_evidence(self, evidence: Mapping[str, Evidence], start: np.ndarray | None = None) -> Parameterization:
        """Return the same density, standardized by other approximations; ``start (D,)`` is for its mode search."""
        assert isinstance(self.data, WithEvidence)
        density = self.density if start is None else dataclasses.replace(self.density, start=start)
        return dataclasses.replace(self, trace=lambda: density, data=WithEvidence.of(self.data.observed, evidence))

    @cached_property
    def density(self) -> Density:
        """Density; traced at its first use."""
        return self.trace()

    @cached_property
    def target(self) -> Remembered:
        """Potential with derivatives: in closed form where available, else compiled."""
        return Remembered(self.closed or Compiled(self.density, self.data))

    @property
    def evidence(self) -> Mapping[str, Evidence]:
        """Approximations of the likelihood of every level of groups; empty where nothing is standardized by them."""
        return self.data.evidence if isinstance(self.data, WithEvidence) else {}

    def restart(self) -> None:
        """Let planning start as at first, so that results do not depend on earlier computations in the last digits."""
        self.__dict__.pop("target", None)
        if self.closed is not None:
            self.closed.restart()
            self.start_value()

    @property
    def size(self) -> int:
        """Number of unconstrained coordinates, D."""
        return self.target.start.size

    def log_density(self, flat: np.ndarray) -> np.ndarray:
        """Compute the log joint density ``(B,)`` at points ``(B, D)``, minus infinity where undefined."""
        if self.closed is not None:
            return -self.closed.scores(flat)[0]
        density = self.density
        log_prob = -np.asarray(density.over_draws("potential", density.potential, flat, self.data))
        return np.where(np.isfinite(log_prob), log_prob, -np.inf)

    def start_value(self) -> float:
        """Compute the potential at the start of the mode search, without a compiled Hessian, which takes minutes."""
        if self.closed is not None:
            return self.target.derivatives(self.target.start)[0]
        return self.value(self.density.start)

    def value(self, flat: np.ndarray) -> float:
        """Compute minus the log joint density at one point ``(D,)``; NaN or infinite where undefined."""
        if self.closed is not None:
            return float(self.closed.scores(flat[None])[0][0])
        return float(self.density.value(flat, self.data))

    def operations(self) -> float:
        """Estimate the operations of one value; infinite for loops that end by a condition, as in planners."""
        return np.inf if self.closed is not None else self.density.operations(self.data)

    def draw_prior(self, key: PRNGKey, size: int) -> np.ndarray:
        """Sample ``(size, D)`` from the prior."""
        if self.closed is not None:
            rng = numpy_generator(key)
            return self.closed.prior.sample(rng, size)
        keys = jax.random.split(key, size)
        return np.asarray(self.density.over_draws("prior", self.density.draw_prior, keys, self.data), float)
