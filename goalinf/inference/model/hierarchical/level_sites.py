"""Sites of parameters with one value per level: their groups, deviations, correlations and values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpyro.distributions import Distribution, Normal

from goalinf.data import Observations
from goalinf.inference.model.hierarchical.correlation import Correlations, pair_names
from goalinf.inference.model.hierarchical.design_matrix import column_scales, design_of
from goalinf.inference.model.hierarchical.hierarchy import Hierarchy
from goalinf.inference.model.hierarchical.site import Site, expanded
from goalinf.inference.model.hierarchical.unit_effects import UnitEffects
from goalinf.planning.pooling import Pooling, width_of
from goalinf.planning.shared_correlation import SharedCorrelation

CORRELATION = "correlation"  # in names of sites


def sites_of(
    name: str,
    prior: Distribution,
    dims: tuple[str, ...],
    sizes: Mapping[str, int],
    data: Observations | None,
    fitted: Observations | None,
) -> list[Site]:
    """Return the sites of one parameter: one, or those of a group and of the values by level."""
    if not isinstance(prior, Pooling):
        return [Site(name, expanded(name, prior, dims, sizes), dims)]
    if data is None:
        raise ValueError(f"the prior of {name} has one value per {' and '.join(prior.by)}, and there are no data")
    entry = expanded(name, prior.prior, dims, sizes)
    design = design_of(name, prior, data, fitted)
    axes, shape = design.axes, design.shape
    if prior.spread is None and prior.formula is None:
        return [Site(name, entry.expand(shape).to_event(len(shape)), (*axes, *dims), axes, entry)]
    unit_effects = None
    hierarchy = Hierarchy(name, entry, design, sampled=prior.formula is None)
    group = [Site(f"{name}.mean", entry, dims), *_coefficients(name, prior, dims, sizes, hierarchy, fitted)]
    if prior.spread is not None:
        unit_effects, of_units = _units(name, prior, dims, sizes, hierarchy)
        group += of_units
    computed = prior.formula is not None
    values = Site(name, hierarchy, (*axes, *dims), axes, entry, hierarchy, unit_effects, computed)
    return [*group, values]


def _units(
    name: str, prior: Pooling, dims: tuple[str, ...], sizes: Mapping[str, int], hierarchy: Hierarchy
) -> tuple[UnitEffects, list[Site]]:
    """Return the deviations of units, and the sites of their spread, correlations and, in a regression, values."""
    assert prior.spread is not None
    design = hierarchy.design
    axes = (f"{name}_effect",) if design.slopes else ()
    labels = dict.fromkeys(axes, design.effects)
    spread = expanded(f"{name}.sd", prior.spread, dims, sizes)
    if design.slopes:
        spread = spread.expand((len(design.effects), *spread.batch_shape)).to_event(1)
    sites = [Site(f"{name}.sd", spread, (*axes, *dims), labels=labels)]
    if isinstance(prior.correlation, float):
        effects = UnitEffects((hierarchy,), f"{name}.{CORRELATION}")
        sites.append(_correlations(effects, prior.correlation, design.effects, dims))
    else:
        effects = UnitEffects((hierarchy,))
    if prior.formula is not None:
        deviations = Normal(0.0, 1.0).expand(hierarchy.site_shape).to_event(len(hierarchy.site_shape))
        site_dims, site = (*prior.by, *axes, *dims), hierarchy.deviations_name
        sites.append(Site(site, deviations, site_dims, prior.by, None, hierarchy, effects, labels=labels))
    return effects, sites


def _coefficients(
    name: str,
    prior: Pooling,
    dims: tuple[str, ...],
    sizes: Mapping[str, int],
    hierarchy: Hierarchy,
    fitted: Observations | None,
) -> list[Site]:
    """Return one site for each term of a regression; by default its prior is normal, as wide as that of the group."""
    if prior.formula is None or fitted is None:
        return []
    scales, shape = column_scales(prior, fitted), tuple(sizes[dim] for dim in dims)
    width = np.broadcast_to(width_of(prior.prior), shape)
    sites = []
    for term, columns in hierarchy.design.columns.items():
        site, axis = f"{name}.{term}", f"{name}.{term}_effect"
        axes, lead = ((axis,), scales[term].shape) if columns else ((), ())
        if term in prior.effects:
            one = expanded(site, prior.effects[term], dims, sizes)
            coefficients = one.expand((*lead, *one.batch_shape))
        else:
            sd = width / scales[term].reshape(-1, *(1,) * len(shape))
            coefficients = Normal(np.zeros((*lead, *shape)), sd.reshape((*lead, *shape)))
        coefficients = coefficients.to_event(len(coefficients.batch_shape))
        sites.append(Site(site, coefficients, (*axes, *dims), labels=dict.fromkeys(axes, columns)))
    return sites


def joined(sites: Sequence[Site], priors: Mapping[str, Distribution]) -> list[Site]:
    """Return the sites with correlations that several parameters share, after the groups of these parameters.

    Parameters
    ----------
    sites : sequence of Site
        Sites of all parameters.
    priors : mapping from name to Distribution
        Priors of the parameters.

    Raises
    ------
    ValueError
        Where parameters that share correlations have other units or concentrations, or are arrays; or where there is
        one effect alone.
    """
    shared: dict[str, dict[str, Pooling]] = {}
    for name, prior in priors.items():
        if isinstance(prior, Pooling) and isinstance(prior.correlation, SharedCorrelation):
            shared.setdefault(prior.correlation.name, {})[name] = prior
    ordered = list(sites)
    for name, members in shared.items():
        of_members = {site.name: site for site in ordered if site.hierarchy and site.hierarchy.name in members}
        hierarchies = {site.hierarchy.name: site.hierarchy for site in of_members.values() if site.hierarchy}
        unit_effects = UnitEffects(tuple(hierarchies.values()), f"{CORRELATION}.{name}")
        effects = tuple(
            f"{each.name}{'' if effect == 'intercept' else f'.{effect}'}"
            for each in hierarchies.values()
            for effect in each.design.effects
        )
        concentration = _agreed_concentration(name, members, hierarchies, effects)
        last = max(number for number, site in enumerate(ordered) if site.name in of_members)
        ordered = [
            *(site for site in ordered[: last + 1] if site.name not in of_members),
            _correlations(unit_effects, concentration, effects, ()),
            *(dataclasses.replace(site, effects=unit_effects) for site in of_members.values()),
            *ordered[last + 1 :],
        ]
    return ordered


def _correlations(
    unit_effects: UnitEffects, concentration: float, effects: tuple[str, ...], dims: tuple[str, ...]
) -> Site:
    """Return the site of the correlations of all pairs of effects."""
    assert unit_effects.correlation is not None
    axis = f"{unit_effects.correlation}_pair"
    prior = Correlations(concentration, len(effects), unit_effects.shape[2:])
    return Site(unit_effects.correlation, prior, (axis, *dims), labels={axis: pair_names(effects)})


def _agreed_concentration(
    name: str, members: Mapping[str, Pooling], hierarchies: Mapping[str, Hierarchy], effects: tuple[str, ...]
) -> float:
    """Return the concentration that the members of a shared correlation agree on."""
    (first, prior), *others = members.items()
    assert isinstance(prior.correlation, SharedCorrelation)
    what = f"the correlation {name!r} is shared by {' and '.join(members)}"
    for _, its in others:
        if its.by != prior.by:
            raise ValueError(
                f"{what}, with values by {' and '.join(prior.by)} and by {' and '.join(its.by)}; expected the same by= "
                "for all of them"
            )
        if its.correlation != prior.correlation:
            raise ValueError(
                f"{what}, as {prior.correlation!r} and as {its.correlation!r}; expected one record for all of them"
            )
    if arrays := [each.name for each in hierarchies.values() if each.prior.shape()]:
        raise ValueError(
            f"{what}, and {arrays[0]} is an array of shape {hierarchies[arrays[0]].prior.shape()}; expected parameters "
            "that are single numbers"
        )
    if len(effects) < 2:
        raise ValueError(
            f"the correlation {name!r} belongs to {first} alone, which has one effect per unit: give it to a second "
            "parameter, or leave correlation= out"
        )
    return prior.correlation.concentration
