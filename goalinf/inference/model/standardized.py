"""Parameterization of groups by the standardized differences of their levels.

The differences are from the conditional mean of each level given its group, so that samplers move the group without
moving the levels out of their likelihoods (see :class:`~goalinf.inference.model.hierarchy.Hierarchy`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro

from goalinf.inference.model.hierarchy import Evidence, Hierarchy
from goalinf.inference.model.mode import climb
from goalinf.inference.model.parameterization import Parameterization
from goalinf.inference.model.priors import Site, median

ENDING = ".standardized"  # of the name of a site
_ROUNDS = 2  # approximations of the likelihood, each at the mode that the last one has led to

EvidenceBySite = Mapping[str, Evidence]


def groups(sites: Sequence[Site]) -> dict[str, Hierarchy]:
    """Return the prior of all levels of every parameter with a group."""
    return {site.name: site.prior for site in sites if isinstance(site.prior, Hierarchy)}


def uninformed(sites: Sequence[Site]) -> dict[str, Evidence]:
    """Return no information about the levels of all groups."""
    return {name: prior.uninformed for name, prior in groups(sites).items()}


def values_at_medians(sites: Sequence[Site]) -> dict[str, np.ndarray]:
    """Return values of all levels at the prior median of their group, and their differences from it, zero."""
    start = {}
    for site in sites:
        if isinstance(site.prior, Hierarchy):
            start[site.name] = np.broadcast_to(median(site.entry), site.prior.shape())
            start[f"{site.name}{ENDING}"] = np.zeros(site.prior.shape())
    return start


def sample_standardized(sites: Sequence[Site], evidence: EvidenceBySite) -> dict[str, Any]:
    """Draw every parameter, with standardized differences of levels as sites of a NumPyro model."""
    values: dict[str, Any] = {}
    for site in sites:
        if isinstance(site.prior, Hierarchy):
            group = values[f"{site.name}.mean"], values[f"{site.name}.sd"]
            prior = site.prior.standardized(*group, evidence[site.name])
            differences = numpyro.sample(f"{site.name}{ENDING}", prior)
            values[site.name] = site.prior.located(*group, differences, evidence[site.name])
        else:
            values[site.name] = numpyro.sample(site.name, site.prior)
    return values


def to_natural(sites: Sequence[Site], values: Mapping[str, Any], evidence: EvidenceBySite) -> dict[str, Any]:
    """Return the values of all sites, given those of :func:`sample_standardized`, with equal leading axes."""
    natural = {site.name: values[site.name] for site in sites if site.name in values}
    for name, prior in groups(sites).items():
        group = values[f"{name}.mean"], values[f"{name}.sd"]
        natural[name] = prior.located(*group, values[f"{name}{ENDING}"], evidence[name])
    return natural


def from_natural(sites: Sequence[Site], values: Mapping[str, Any], evidence: EvidenceBySite) -> dict[str, Any]:
    """Return the values of the sites of :func:`sample_standardized`, given those of all sites."""
    standardized = dict(values)
    for name, prior in groups(sites).items():
        group = values[f"{name}.mean"], values[f"{name}.sd"]
        standardized[f"{name}{ENDING}"] = prior.differences(*group, standardized.pop(name), evidence[name])
    return standardized


def informed(parameterization: Parameterization, sites: Sequence[Site]) -> Parameterization:
    """Return the parameterization that is standardized by normal approximations of the likelihoods of the levels.

    The approximation of a level has the gradient and the curvature of its likelihood at the mode; where the likelihood
    is not concave there, the level stays without information. Above 1,500 parameters, where no curvature is computed,
    all levels do.
    """
    for _ in range(_ROUNDS):
        mode = climb(parameterization.target)
        if mode.curvature is None or not np.isfinite(mode.potential):
            return parameterization
        density, evidence = parameterization.density, parameterization.evidence
        values = density.constrain(jnp.asarray(mode.flat), parameterization.data)
        curvature, number = np.diag(mode.curvature), density.unravel(np.arange(mode.flat.size))
        by_group, start = {}, mode.flat.copy()
        for name, prior in groups(sites).items():
            group, differences = (values[f"{name}.mean"], values[f"{name}.sd"]), values[f"{name}{ENDING}"]
            entries = np.asarray(number[f"{name}{ENDING}"]).astype(int)
            start[entries] = 0.0  # the conditional means, which are close to the mode
            by_group[name] = prior.evidence(*group, differences, evidence[name], curvature[entries])
        parameterization = parameterization.with_evidence(by_group, start)
    return parameterization
