"""A posterior in one or two parameterizations, with values and labels of its draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from goalinf.agents import Agent, MixtureAgent
from goalinf.data import Observations
from goalinf.inference.model.hierarchical.standardized import informed, to_natural
from goalinf.inference.model.linear_reward.scale_mixture import ScaleMixture, split_product
from goalinf.inference.model.log_density import Data
from goalinf.inference.model.models import AnyModel, Draw, StandardModel
from goalinf.inference.model.parameterization import Parameterization
from goalinf.inference.model.priors import Site
from goalinf.inference.model.program_cache import mapped, shared
from goalinf.inference.model.tabulated.likelihood_table import LikelihoodTable
from goalinf.inference.model.tabulated.tabulate import OutsideTableError, check_inside
from goalinf.sizes import check_memory
from goalinf.types import PRNGKey

_STATISTICS = 6  # sampler statistics per draw
_Result = TypeVar("_Result")


@dataclasses.dataclass(frozen=True, eq=False)
class Posterior:
    """A posterior ready for sampling.

    Parameters
    ----------
    model : StandardModel or CustomModel
        Model of the data.
    natural : Parameterization
        The model as it was written.
    product : Parameterization or None
        The model in terms of beta times the reward, where possible; ``scale`` is the prior of that product.
    uninformed : Parameterization or None
        The model in terms of standardized differences of levels from their group, where there are groups.
    labeled : pytree
        Observed data with their names.
    dims, coords : mapping
        Axis names of every site, and the labels along them.
    sites : list of Site
        Empty for a user's own model.
    table : LikelihoodTable or None
        Log-likelihood of every trajectory, where it depends on one parameter alone.
    tabulated : Parameterization or None
        The model as it was written, given a table in place of the data.
    direct : Posterior or None
        The same posterior without the table.
    """

    model: AnyModel
    natural: Parameterization
    product: Parameterization | None
    uninformed: Parameterization | None
    scale: ScaleMixture | None
    labeled: Data
    dims: Mapping[str, Sequence[str]]
    coords: Mapping[str, Any]
    sites: list[Site]
    table: LikelihoodTable | None = None
    tabulated: Parameterization | None = None
    direct: Posterior | None = None

    def check_draws(self, chains: int, draws: int) -> None:
        """Refuse more draws than fit into memory, with coordinates, values and log-likelihoods by trajectory."""
        free = self.uninformed_preferred.target.start.size if self.sites or not self.standard else 0
        scored = len(self.labeled.subject) if isinstance(self.labeled, Observations) else 0
        numbers = 2 * free + scored + _STATISTICS
        what = f"{draws:,} draws of each of {chains:,} chains, with {free:,} parameters and {scored:,} log-likelihoods,"
        # Three copies: drawn, joined, and labeled.
        check_memory(what, 24.0 * numbers * float(draws) * float(chains), "draw fewer (draws=, chains=)")

    @property
    def data(self) -> Any:
        """Observed data without names, as they enter compiled code."""
        return self.natural.data

    @property
    def written(self) -> Parameterization:
        """The model as it was written, given the table where there is one."""
        return self.tabulated or self.natural

    @property
    def preferred(self) -> Parameterization:
        """Parameterization to sample in: not the natural one, where another is available."""
        return self.product or self.bounded

    @cached_property
    def standardized(self) -> Parameterization | None:
        """Parameterization by differences from conditional means, given a group and the likelihood of each level."""
        return None if self.uninformed is None else informed(self.uninformed, self.sites)

    @property
    def uninformed_preferred(self) -> Parameterization:
        """The preferred parameterization before levels are informed, which takes searches for the mode."""
        return self.product or self.uninformed or self.written

    @property
    def bounded(self) -> Parameterization:
        """Parameterization whose density has a maximum: that of a group is unbounded in the natural one."""
        return self.standardized or self.written

    def named(self, name: str) -> Parameterization | None:
        """Return the parameterization of this name, without information about levels; None where there is none."""
        return {"natural": self.written, "product": self.product, "standardized": self.uninformed}.get(name)

    def restart(self) -> None:
        """Let planning start as at first, so that results do not depend on earlier computations in the last digits."""
        for parameterization in (self.natural, self.product, self.uninformed, self.tabulated):
            if parameterization is not None:
                parameterization.restart()

    def check_inside(self, values: Mapping[str, np.ndarray]) -> None:
        """Refuse draws at the ends of the table of log-likelihoods.

        Raises
        ------
        OutsideTableError
            Where there are such draws: :func:`covered` then uses the posterior without the table.
        """
        if self.table is not None:
            check_inside(self.table, self.sites, values)

    def at(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Return every site's value at one point in the unconstrained coordinates of ``bounded``."""
        if self.natural.closed is not None:
            return self._closed_values(flat)
        bounded = self.bounded
        values = jax.device_get(bounded.density.constrain(jnp.asarray(flat), bounded.data))
        return jax.device_get(to_natural(self.sites, values, bounded.evidence)) if bounded.evidence else values

    def values(self, key: PRNGKey, parameterization: Parameterization, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Return every site's value at points ``(B, D)`` of a parameterization; draw beta where it is summed out."""
        if parameterization.closed is not None:
            values = self._closed_values(flat)
        else:
            density, data = parameterization.density, parameterization.data
            values = density.over_draws("constrain", density.constrain, flat, data)
        if parameterization.name == "natural":
            return values
        if parameterization.evidence:
            return jax.device_get(to_natural(self.sites, values, parameterization.evidence))
        assert self.scale is not None
        split = partial(split_product, sites=self.sites, prior=self.scale)
        (product,) = values.values()
        program = shared(parameterization.recipe, "split", lambda: mapped(lambda draw: split(draw[0], product=draw[1])))
        return jax.device_get(program((jax.random.split(key, len(flat)), product), ()))

    @property
    def mixture(self) -> MixtureAgent | None:
        """Mixture of agents; None for a single agent."""
        return self.model.mixture if isinstance(self.model, StandardModel) else None

    @property
    def agent(self) -> Agent | None:
        """Agent with its priors; None for a model of the user's own."""
        return self.model.agent if isinstance(self.model, StandardModel) else None

    @property
    def standard(self) -> bool:
        """True where the model consists of world, agent and reward."""
        return isinstance(self.model, StandardModel)

    def by_group(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Compute log-likelihoods ``(B, K, G)`` of the units of the mixture under every option, at B values of sites.

        B is one where there are no sites.
        """
        model, contexts = self.model, self.labeled.context_names
        assert isinstance(model, StandardModel)
        levels = model.levels(self.labeled)
        unit = model.agent.by or "data"

        def score(draw: Draw, observed: Data) -> Any:
            return model.observing(observed, draw, contexts, levels).by_option(unit, observed)[1]

        if values:
            density, observed = self.written.density, self.written.data
            scores = density.over_draws("by group", score, dict(values), observed)
        else:
            scores = jax.device_get(score({}, self.data))[None]
        numbers = np.unique(self.labeled.members(unit))
        groups = 1 if unit == "data" else len(self.labeled.names(unit))
        by_number = np.zeros((*scores.shape[:-1], groups))
        by_number[..., numbers] = scores[..., : len(numbers)]
        return by_number

    def favored(self, key: PRNGKey, parameterization: Parameterization, flat: np.ndarray) -> list[int]:
        """Select from points ``(B, D)``, for each option, the point where it exceeds the best of the others by most."""
        scores = self.by_group(self.values(key, parameterization, flat)).sum(axis=-1)
        scores = np.where(np.isfinite(scores), scores, -np.inf)
        selected = []
        for option, score in enumerate(scores.T):
            best_other = np.delete(scores, option, axis=1).max(axis=1, initial=-np.inf)
            margin = np.where(np.isfinite(score), score - np.where(np.isfinite(best_other), best_other, score), -np.inf)
            selected.append(int(margin.argmax()))
        return sorted(set(selected))

    def _closed_values(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        (site,) = (site for site in self.sites if site.name != "agent.beta")
        return {site.name: flat.reshape(*flat.shape[:-1], *site.prior.shape())}  # normal: coordinates are values

    def by_trajectory(self, values: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Compute log-likelihoods ``(B, N)`` by trajectory at values ``(B, …)`` of sites; None without closed form."""
        if (closed := self.preferred.closed) is None:
            return None
        beta = values["agent.beta"] if self.product else np.ones(1)
        (linear,) = (site for site in values if site != "agent.beta")
        flat = values[linear].reshape(len(values[linear]), -1)
        return closed.scores(beta[:, None] * flat)[1]


def covered(posterior: Posterior, use: Callable[[Posterior], _Result]) -> _Result:
    """Apply a function to a posterior; to that without a table where draws lie at the ends of the table."""
    try:
        return use(posterior)
    except OutsideTableError:
        assert posterior.direct is not None
        built = posterior.model.built
        built.update({precision: posterior.direct for precision in built if built[precision] is posterior})
        return use(posterior.direct)
