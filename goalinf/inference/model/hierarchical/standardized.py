"""Parameterization of groups by the standardized differences of their units.

The differences are from the conditional mean of each unit given its group, so that samplers move the group without
moving the units out of their likelihoods (see :class:`~goalinf.inference.model.hierarchical.unit_effects.UnitEffects`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro

from goalinf.inference.model.hierarchical.correlation import Correlations
from goalinf.inference.model.hierarchical.hierarchy import Evidence, Hierarchy
from goalinf.inference.model.hierarchical.unit_effects import EvidenceBySite, UnitEffects
from goalinf.inference.model.mode import climb
from goalinf.inference.model.parameterization import Parameterization, WithEvidence
from goalinf.inference.model.priors import Site, median

ENDING = ".standardized"  # of the name of a site
_ROUNDS = 2  # approximations of the likelihood, each at the mode that the last one has led to


def groups(sites: Sequence[Site]) -> dict[str, Hierarchy]:
    """Return the values by level of every parameter with a group, by the name of their sampled site."""
    return {site.name: site.hierarchy for site in sites if site.hierarchy is not None and not site.computed}


def unit_effects(sites: Sequence[Site]) -> dict[str, UnitEffects]:
    """Return the deviations of units by the name of the first of their sites."""
    return {site.name: site.effects for site in sites if site.effects is not None and site.effects.name == site.name}


def _first(site: Site) -> bool:
    """Return True for the first drawn site of deviations with a common distribution."""
    return site.effects is not None and site.effects.name == site.name


def uninformed(sites: Sequence[Site]) -> dict[str, Evidence]:
    """Return no information about the levels of all groups."""
    return {name: hierarchy.uninformed for name, hierarchy in groups(sites).items()}


def values_at_medians(sites: Sequence[Site]) -> dict[str, np.ndarray]:
    """Return values of all units at the prior median of their group, and their differences from it, zero.

    Correlations of zero belong to them: medians by pair need not be correlations of any effects.
    """
    start = {}
    for site in sites:
        if site.deviates:
            hierarchy = site.hierarchy
            assert hierarchy is not None
            middle = median(hierarchy.prior) if hierarchy.sampled else np.zeros(())
            start[site.name] = np.broadcast_to(middle, hierarchy.site_shape)
        elif isinstance(site.prior, Correlations):
            start[site.name] = np.zeros(site.prior.shape())
    return start | {f"{name}{ENDING}": np.zeros(each.shape) for name, each in unit_effects(sites).items()}


def sample_standardized(sites: Sequence[Site], given: WithEvidence) -> dict[str, Any]:
    """Draw every parameter, with standardized differences of units as sites of a NumPyro model."""
    values: dict[str, Any] = {}
    for site in sites:
        if site.computed:
            continue  # computed with the deviations below, or from a group without deviations
        if not site.deviates:
            values[site.name] = numpyro.sample(site.name, site.prior)
            continue
        if not _first(site):
            continue  # located with the first site of the same effects
        effects = site.effects
        assert effects is not None
        differences = numpyro.sample(f"{site.name}{ENDING}", effects.standardized(values, given.evidence))
        located = effects.located(values, differences, given.evidence)
        for member, deviations in zip(effects.members, located, strict=True):
            values[member.name] = member.value(values, deviations, given.shifts[member.site_name])
    for site in sites:
        if site.computed and site.name not in values:
            values[site.name] = site.compute(values)
    return values


def to_natural(sites: Sequence[Site], values: Mapping[str, Any], evidence: EvidenceBySite) -> dict[str, Any]:
    """Return the values of all sites, given those of :func:`sample_standardized`, with equal leading axes."""
    return _each(sites, values, lambda one: _to_natural(sites, one, evidence))


def from_natural(sites: Sequence[Site], values: Mapping[str, Any], evidence: EvidenceBySite) -> dict[str, Any]:
    """Return the values of the sites of :func:`sample_standardized`, given those of all sites."""
    return _each(sites, values, lambda one: _from_natural(sites, one, evidence))


def _to_natural(sites: Sequence[Site], values: Mapping[str, Any], evidence: EvidenceBySite) -> dict[str, Any]:
    natural: dict[str, Any] = {}
    for site in sites:
        if site.computed:
            natural[site.name] = site.compute(natural)
        elif site.deviates:
            if not _first(site):
                continue
            effects = site.effects
            assert effects is not None
            located = effects.located(natural, values[f"{site.name}{ENDING}"], evidence)
            for member, deviations in zip(effects.members, located, strict=True):
                natural[member.site_name] = member.site(natural, deviations)
        else:
            natural[site.name] = values[site.name]
    return natural


def _from_natural(sites: Sequence[Site], values: Mapping[str, Any], evidence: EvidenceBySite) -> dict[str, Any]:
    standardized = {site.name: values[site.name] for site in sites if not site.computed}
    for name, effects in unit_effects(sites).items():
        deviations = [member.deviations(values, standardized.pop(member.site_name)) for member in effects.members]
        standardized[f"{name}{ENDING}"] = effects.differences(values, deviations, evidence)
    return standardized


def _each(
    sites: Sequence[Site], values: Mapping[str, Any], function: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Apply a function to the values at every index of their equal leading axes."""
    first = next(site for site in sites if site.hierarchy is None)
    lead = np.shape(values[first.name])[: np.ndim(values[first.name]) - len(first.prior.shape())]
    if not lead:
        return function(values)
    flat = {name: jnp.reshape(value, (-1, *np.shape(value)[len(lead) :])) for name, value in values.items()}
    return {name: value.reshape(*lead, *value.shape[1:]) for name, value in jax.vmap(function)(flat).items()}


def informed(parameterization: Parameterization, sites: Sequence[Site]) -> Parameterization:
    """Return the parameterization that is standardized by normal approximations of the likelihoods of the levels.

    The approximation of a level has the gradient and the curvature of its likelihood at the mode; where the likelihood
    is not concave there, the level stays without information.
    """
    for _ in range(_ROUNDS):
        mode = climb(parameterization.target)
        if not np.isfinite(mode.potential):
            return parameterization
        density, data = parameterization.density, parameterization.data
        assert isinstance(data, WithEvidence)
        values = density.constrain(jnp.asarray(mode.flat), data)
        number = density.unravel(np.arange(mode.flat.size))
        potential = density.potential
        program = density.program("information", partial(_compiled_information, potential))
        slopes, curvatures = jax.device_get(program(mode.flat, data))
        by_group, start = {}, mode.flat.copy()
        for name, effects in unit_effects(sites).items():
            differences = values[f"{name}{ENDING}"]
            start[np.asarray(number[f"{name}{ENDING}"]).astype(int)] = 0.0  # conditional means, close to the mode
            located = effects.located(values, differences, data.evidence)
            for member, deviations in zip(effects.members, located, strict=True):
                linear, of_site = np.asarray(member.linear(values, deviations)), member.site_name
                precision = np.maximum(curvatures[of_site], 0.0)
                weighted = np.where(precision > 0.0, precision * linear - slopes[of_site], 0.0)
                by_group[of_site] = Evidence(precision, weighted)
        parameterization = parameterization.with_evidence(by_group, start)
    return parameterization


def _compiled_information(potential: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(_information(potential))


def _information(potential: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a point and the data: slope and curvature of minus the log-likelihood of every level.

    Levels are conditionally independent, so that the Hessian by the values of one entry is diagonal: its product with
    ones is its diagonal.
    """

    def information(flat: Any, data: WithEvidence) -> tuple[dict[str, Any], dict[str, Any]]:
        zeros = data.shifts

        def gradient(shifts: Any) -> Any:
            return jax.grad(lambda moved: potential(flat, data._replace(shifts=moved)))(shifts)

        curvatures = {}
        for name, shift in zeros.items():
            entries = shift.shape[2:]
            rows = []
            for entry in np.ndindex(entries):
                ones = {other: jnp.zeros_like(value) for other, value in zeros.items()}
                ones[name] = ones[name].at[(slice(None), slice(None), *entry)].set(1.0)
                rows.append(jax.jvp(gradient, (zeros,), (ones,))[1][name][(slice(None), slice(None), *entry)])
            curvatures[name] = jnp.stack(rows, axis=-1).reshape(shift.shape)
        return gradient(zeros), curvatures

    return information
