"""Tables of the log-likelihood of models in which levels differ in one parameter and nothing else is unknown.

All levels have the same function of the parameter from which plans and choices follow. It is computed once, at the
nodes of an interpolation, for all trajectories; samplers then evaluate polynomials in place of plans. This is the case
for a known reward and one pooled parameter of the agent, whatever the agent, also for mixtures with pooled weights.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from goalinf.behavior import Behavior
from goalinf.behavior.conditions import Conditions
from goalinf.behavior.fill import fill
from goalinf.behavior.levels import Levels
from goalinf.data import Observations, Trajectories
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import Site, drawing
from goalinf.inference.model.program_cache import mapped, shared
from goalinf.inference.model.tabulated.likelihood_table import LikelihoodTable
from goalinf.inference.model.tabulated.piecewise import Piecewise
from goalinf.planning.pooling import link_of
from goalinf.planning.solution import solved

_WEIGHTS = "agent.weights"  # the only other unknown that a mixture may have
_DRAWS = 1000  # of the prior, that determine the interval
_STRETCHES = (2.0, 1.0)  # of the interval from its center, tried in turn
_GRID = 1001  # points at which it is checked where the link can be inverted
_EDGE = 0.02  # share of the interval at each end in which no draw may lie
_MOST_FUNCTIONS = 20_000  # of all trajectories and options: 2,432 numbers each, of which several copies are made


class OutsideTableError(Exception):
    """Draws that lie at the ends of a table of log-likelihoods, or outside."""


def table_of(
    model: StandardModel, data: Observations, levels: Levels | None, sites: Sequence[Site], recipe: Hashable
) -> LikelihoodTable | None:
    """Tabulate the log-likelihood of every trajectory as a function of the one parameter that is unknown.

    Parameters
    ----------
    model : StandardModel
        Model with priors.
    data : Observations
        Data, with their names.
    levels : Levels or None
        Levels of parameters in these data.
    sites : sequence of Site
        All sites of the model.
    recipe : hashable
        Contents of the model and of the levels: equal models share compiled programs.

    Returns
    -------
    LikelihoodTable or None
        None where more is unknown than one number at every level, and weights of options; where planning fails for
        values that the prior reaches; where the function is not smooth enough, as with a hard maximum in a parameter of
        the planner; or in single precision.
    """
    site = _parameter(model, levels, sites)
    if site is None or not isinstance(data, Trajectories) or jnp.result_type(float) != np.float64:
        return None
    assert levels is not None
    options = len(model.agent.components)
    if options * data.n_trajectories > _MOST_FUNCTIONS:
        return None
    cell, subject = np.asarray(levels.coded(data).context), np.asarray(data.subject)
    unit = np.zeros(data.n_trajectories, int)
    if model.agent.by not in (None, "data"):
        unit = np.unique(data.members(model.agent.by), return_inverse=True)[1]
    contexts = data.context_names
    worlds = Conditions.of(model.world, model.reward, contexts).worlds
    bare = data.unlabeled(max(world.mdp.available.size for world in worlds))
    weights = {_WEIGHTS: np.full(options, 1.0 / options)}
    known = {name: value for name, value in weights.items() if name in model.priors}  # scores do not depend on them
    link = link_of(site.entry)

    def score(x: Any, data: Trajectories) -> Any:
        agent, reward = fill(model.agent, model.reward, known | {site.name: link(x)})
        behavior = Behavior(model.world, agent, reward, contexts=contexts)
        scores = behavior.by_option("trajectory", data)[1]
        converged = jnp.stack([solved(policy.residual, policy.values) for policy in behavior.policies]).all()
        return jnp.where(converged, scores, jnp.nan)

    program = shared(recipe, "table", lambda: mapped(score))
    for low, high in _intervals(sites, site, recipe):
        try:
            functions = Piecewise.through(lambda x: jax.device_get(program(x, (bare,))), low, high)
        except FloatingPointError:
            continue
        if functions is None:
            return None
        return LikelihoodTable(functions, levels.number[cell, subject], unit, int(unit.max()) + 1)
    return None


def _parameter(model: StandardModel, levels: Levels | None, sites: Sequence[Site]) -> Site | None:
    """Return the site whose values by level are all that is unknown, apart from weights; None where there is none."""
    unknown = set(model.priors) - {_WEIGHTS}
    if levels is None or len(unknown) != 1 or unknown != set(levels.by):
        return None
    site = next(site for site in sites if site.name in unknown)
    return site if site.entry.shape() == () else None


def _intervals(sites: Sequence[Site], site: Site, recipe: Hashable) -> list[tuple[float, float]]:
    """Return intervals around the prior draws of a parameter, on the scale of its link, the widest first."""
    link = link_of(site.entry)
    draw = shared(recipe, "prior of levels", lambda: drawing(sites))
    x = np.asarray(link.inv(draw(jax.random.split(jax.random.key(0), _DRAWS))[site.name]))
    low, high = x[np.isfinite(x)].min(), x[np.isfinite(x)].max()
    intervals = []
    for stretch in _STRETCHES:
        middle, half = 0.5 * (low + high), 0.5 * stretch * (high - low)
        grid = np.linspace(middle - half, middle + half, _GRID)
        grid = grid[np.abs(np.asarray(link.inv(link(grid))) - grid) < 1.0]  # not where a probability rounds to one
        intervals.append((float(grid.min()), float(grid.max())))
    return intervals


def check_inside(table: LikelihoodTable, sites: Sequence[Site], values: Mapping[str, np.ndarray]) -> None:
    """Refuse draws at the ends of a table, which may have cut off others.

    Raises
    ------
    OutsideTableError
        Where there are such draws.
    """
    site = next(site for site in sites if site.by and site.prior_of_unit is not None)
    low, high = float(table.functions.low), float(table.functions.high)
    x = np.asarray(link_of(site.entry).inv(jnp.asarray(values[site.name])))
    margin = _EDGE * (high - low)
    if not ((x > low + margin) & (x < high - margin)).all():
        raise OutsideTableError
