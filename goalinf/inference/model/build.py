"""Construction of a posterior from agent, reward and data, or from a user's own model."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import xarray as xr
from numpyro.distributions import Distribution

from goalinf.agents.agent import Agent, check_agent
from goalinf.agents.plannable import check_plannable, discount_of
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.behavior.fill import fill
from goalinf.data import Observations, Trajectories
from goalinf.errors import PrecisionError, UnidentifiedWarning
from goalinf.inference.model import site_labels
from goalinf.inference.model.curvature import owners
from goalinf.inference.model.hierarchical.standardized import ENDING, sample_standardized, uninformed, values_at_medians
from goalinf.inference.model.linear_reward.closed_form import ClosedForm, starting_values
from goalinf.inference.model.linear_reward.normal_prior import Normal
from goalinf.inference.model.linear_reward.scale_mixture import ScaleMixture, product_prior, sample_product
from goalinf.inference.model.log_density import Data, Density, Model
from goalinf.inference.model.models import AnyModel, CustomModel, StandardModel
from goalinf.inference.model.parameterization import Parameterization, WithEvidence
from goalinf.inference.model.posterior import Posterior
from goalinf.inference.model.priors import Site, median, priors_of, sample_sites
from goalinf.inference.model.program_cache import recipe, shapes
from goalinf.inference.model.tabulated.tabulate import table_of
from goalinf.precision import computing_in
from goalinf.rewards import Reward
from goalinf.types import PRNGKey


def model_of(
    world: Worlds | None,
    agent: Agent | None,
    reward: Rewards | None,
    function: Model | None,
    dims: Mapping[str, Sequence[str]] | None,
    coords: Mapping[str, Any] | None,
) -> AnyModel:
    """Return the model that the arguments of :func:`~goalinf.infer` describe.

    Raises
    ------
    ValueError
        Where an argument is missing, or both kinds of model were given.
    """
    if function is not None:
        if agent is not None or reward is not None or world is not None:
            raise ValueError("give either model=, or world, agent and reward, not both")
        return CustomModel(function, dims=dims or {}, coords=coords or {})
    missing = [name for name, given in (("world", world), ("agent=", agent), ("reward=", reward)) if given is None]
    if missing:
        raise ValueError(f"gi.infer needs {', '.join(missing)}; or a model of your own as model=")
    check_agent("agent", agent)
    assert agent is not None
    assert world is not None
    assert reward is not None
    return StandardModel(world, agent, reward)


def posterior_of(model: AnyModel, data: Data, key: PRNGKey | None = None) -> Posterior:
    """Return the posterior of a model, built once for each data set and precision, with no warm start.

    The key, which is needed to trace a model, does not affect the density. Default: a fixed one.

    Raises
    ------
    ValueError
        See :func:`~goalinf.infer`; or where the function of a model is not known.
    """
    name = jnp.result_type(float).name
    if name not in model.built or model.built[name].labeled is not data:
        key = jax.random.key(0) if key is None else key
        if isinstance(model, StandardModel):
            model.built[name] = _standard_posterior(key, model, data)
        else:
            model.built[name] = _custom_posterior(key, model, data)
    posterior = model.built[name]
    posterior.restart()
    return posterior


def _standard_posterior(key: PRNGKey, model: StandardModel, data: Data) -> Posterior:
    """Build the posterior of an agent and a reward with priors, also in terms of beta times the reward where possible.

    Raises
    ------
    ValueError
        See :func:`~goalinf.infer`.
    """
    conditions, sites = _checked(model, data)
    agent, reward = model.agent, model.reward
    model_copy, levels = model.own_arrays(), model.levels(data)
    if levels is not None:
        levels.check_gaps()

    contexts = data.context_names

    def score(values: dict[str, Any], observed: Data) -> None:
        numpyro.sample("choices", model_copy.observing(observed, values, contexts, levels), obs=observed)

    def function_of(draw: Callable[[list[Site]], dict[str, Any]]) -> Model:
        return lambda observed: score(draw(sites), observed)

    def of_differences(given: Data) -> None:
        assert isinstance(given, WithEvidence)
        score(sample_standardized(sites, given), given.observed)

    n_pairs = max(world.mdp.available.size for world in conditions.worlds)
    bare = (data if levels is None else levels.coded(data)).unlabeled(n_pairs)
    scale = product_prior(sites, reward) if agent.scales else None
    start = starting_values(sites, scale) | values_at_medians(sites)
    # Priors of coefficients depend on the covariates of all trajectories, not only on those of the levels.
    of_levels = [site.prior if site.hierarchy is None else site.hierarchy.design.arrays for site in sites]
    plans = None if levels is None else (levels.arrays, of_levels)

    def parameterization(
        function: Model, name: str, given: Data, prior: ScaleMixture | None = None
    ) -> Parameterization:
        closed = None if levels else ClosedForm.of(conditions, agent, reward, sites, data, prior)
        # Priors may hold numbers of one precision, and programs of the other precision cannot use them. Data of another
        # shape count as another model, so that the cache drops their programs, too.
        precision = jnp.result_type(float).name
        made_of = recipe(*model.contents(), contexts, name, precision, shapes(given), plans)

        def trace() -> Density:
            density = Density.of(function, given, key, start, unknown=bool(sites), recipe=made_of)
            return density if name == "product" else _with_owners(density, sites, agent)

        return Parameterization(trace, given, closed, made_of, name)

    def differences(observed: Data) -> Parameterization | None:
        evidence = uninformed(sites)
        return (
            parameterization(of_differences, "standardized", WithEvidence.of(observed, evidence)) if evidence else None
        )

    natural, product = parameterization(function_of(sample_sites), "natural", bare), None
    if scale is not None:
        product = parameterization(function_of(partial(sample_product, prior=scale)), "product", bare, scale)
    dims, coords = site_labels.site_coords(sites, conditions.world, reward, agent, data)
    posterior = Posterior(model, natural, product, differences(bare), scale, data, dims, coords, sites)
    if (table := table_of(model_copy, data, levels, sites, natural.recipe)) is not None:
        rows = table.by_plan()
        tabulated = parameterization(function_of(sample_sites), "natural", rows)
        posterior = dataclasses.replace(
            posterior, table=table, tabulated=tabulated, uninformed=differences(rows), direct=posterior
        )
    if sites:
        _check_defined(posterior, data)
    return posterior


def _with_owners(density: Density, sites: Sequence[Site], agent: Agent) -> Density:
    """Return the density with the units to which its coordinates belong."""
    if not sites:
        return density
    numbers = density.unravel(np.arange(density.size))
    names = {site.name: f"{site.name}{ENDING}" for site in sites if f"{site.name}{ENDING}" in numbers}
    return dataclasses.replace(density, owner=owners(sites, names, agent.by, numbers))


def _checked(model: StandardModel, data: Data) -> tuple[Conditions, list[Site]]:
    """Match the model with the data; refuse what does not fit together or cannot be planned for."""
    world, agent, reward = model.world, model.agent, model.reward
    if not isinstance(data, Observations):
        raise TypeError(f"data is a {type(data).__name__}; read a table with gi.read_trajectories first")
    if not data.n_observed:
        raise ValueError(f"the data hold no observed {data.noun} that is scored; expected at least one")
    data.check_contexts(data.context_names)
    conditions = Conditions.of(world, reward, data.context_names)
    data.check(conditions.worlds, agent)
    sites = model.sites(data)
    if not sites and agent.by is None:
        raise ValueError(
            "no parameter has a prior: give a parameter of the agent or the reward a distribution, "
            "such as gi.StateReward(dist.Normal(0, 1), on='departure')"
        )
    parameters = priors_of(agent, reward)
    typical = {site.name: _typical(site) for site in sites if site.name in parameters}
    known_agent, known_reward = fill(agent, reward, typical)
    known = Conditions.of(world, known_reward, data.context_names)
    for one_world, one_reward in known.distinct.pairs():
        check_plannable(known_agent, one_world, one_reward)

    _check_scale(agent, reward, sites, conditions)
    _warn_of_outcomes(agent, conditions, data)
    return conditions, sites


def _warn_of_outcomes(agent: Agent, conditions: Conditions, data: Observations) -> None:
    """Warn where an agent learns and its reward does not use the outcomes of the data."""
    learns = any(not option.planning.planner.plans for option in agent.components)
    unused = isinstance(data, Trajectories) and data.outcomes is not None
    if learns and unused and not all(reward.recorded for reward in conditions.rewards):
        warnings.warn(
            "the data hold outcomes, and this agent learns from the rewards of the world instead: for learning from "
            "the outcomes give reward=gi.RecordedReward()",
            UserWarning,
            stacklevel=7,  # above gi.infer and the function that converts its key
        )


def warn_unidentified(posterior: Posterior) -> None:
    """Warn before sampling about priors of the agent that no amount of behavior identifies.

    The facts of an agent are about its policies: what other observations identify is not known.
    """
    if not isinstance(posterior.model, StandardModel) or not isinstance(posterior.labeled, Trajectories):
        return
    world, agent, reward = posterior.model.world, posterior.model.agent, posterior.model.reward
    unknown = {site.parameter for site in posterior.sites if site.name.startswith("agent.")}
    free = [site.name for site in posterior.sites if site.name.startswith("reward.")]
    if not isinstance(reward, Reward) or not unknown or not free:
        return
    worlds = Conditions.of(world, reward, posterior.labeled.context_names).worlds
    ends = any(world.mdp.terminal.any() for world in worlds)
    has_null_space = agent.by is None and agent.components[0].one_policy
    for name, why in agent.confounded(reward, len(worlds), ends=ends).items():
        if name in unknown:
            others = "gi.LinearReward with few features, several worlds, " if name != "beta" else ""
            shown = (
                f"; gi.identify.null_space(world, agent, reward, free=({name!r},)) shows it" if has_null_space else ""
            )
            warnings.warn(
                f"agent.{name} and {free[0]} both have a prior and are not jointly identified for any amount of data: "
                f"{why}. The posterior of agent.{name} depends on the priors. Remedy: a known {name} "
                f"(agent.at({name}=…)), {others}or known values of the reward{shown}",
                UnidentifiedWarning,
                stacklevel=4,  # above gi.infer and the function that converts its key
            )


def _typical(site: Site) -> np.ndarray:
    """Return a value in the support of a parameter, for which planning is checked."""
    return np.broadcast_to(median(site.entry) if site.name.startswith("agent.") else 0.0, site.entry.shape())


def _usual(prior: Distribution) -> np.ndarray:
    """Return a value of typical size: one standard deviation above the mean of a normal prior, else a draw."""
    if (normal := Normal.of(prior)) is not None:
        return (normal.mean + normal.sd).reshape(prior.shape())
    with computing_in("float64"):
        return np.asarray(prior.sample(jax.random.key(0)))


def _check_scale(agent: Agent, reward: Rewards, sites: Sequence[Site], conditions: Conditions) -> None:
    """Refuse a beta for which log-probabilities under rewards of the size of their prior exceed the float precision."""
    parameters = priors_of(agent, reward)
    typical = {site.name: _usual(site.entry) for site in sites if site.name in parameters}
    eps = float(jnp.finfo(jnp.result_type(float)).eps)
    filled, filled_reward = fill(agent, reward, typical)
    by_context = filled_reward.values() if isinstance(filled_reward, Mapping) else [filled_reward]
    rewards = [option for known in by_context for option in getattr(known, "options", [known])]
    for option in filled.components:
        if option.beta is None:
            continue
        beta, discount = float(np.max(option.beta)), discount_of(option, conditions.world)
        size = max(float(np.abs(known(conditions.world.mdp)).max(initial=0.0)) for known in rewards)
        reach = beta * size / max(1.0 - discount, eps)
        if reach * eps > 1.0 and discount < 1.0:
            raise PrecisionError(
                f"beta is {beta:.3g} and the reward reaches {size:.3g} at a typical value of its prior: the discounted "
                f"sum of their product reaches {reach:.2g} at discount {discount!r}, where the rounding error of a "
                f"log-probability is {reach * eps:.2g}; use a smaller beta, a smaller discount or a narrower prior"
            )


def _custom_posterior(key: PRNGKey, model: CustomModel, data: Data) -> Posterior:
    """Build the posterior of a user's own NumPyro model.

    Raises
    ------
    ValueError
        Where the function is not known, or the names do not fit the sites or their axes.
    """
    function = model.known()
    bare = data.unlabeled() if isinstance(data, Observations) else data
    natural = Parameterization(lambda: Density.of(function, bare, key, labeled=data), bare)
    posterior = Posterior(model, natural, None, None, None, data, model.dims, model.coords, [])
    _check_names(posterior)
    if isinstance(data, Observations):
        _check_defined(posterior, data)
    return posterior


def _check_names(posterior: Posterior) -> None:
    """Check before sampling that the draws of the sites of a model can be labeled."""
    density = posterior.natural.density
    sites = jax.eval_shape(density.constrain, density.start, posterior.data)
    axes = [axis for name in sites for axis in posterior.dims.get(name, ())]
    for what, names in (("site", sites), ("axis", axes)):
        if apart := next((name for name in names if "/" in str(name)), None):
            raise ValueError(
                f"{what} {apart!r} has a '/' in its name, which separates the groups of a file: use another character; "
                "numpyro.handlers.scope takes divider='.'"
            )
    draws = {name: np.broadcast_to(0.0, (1, 1, *site.shape)) for name, site in sites.items()}
    try:
        labeled = site_labels.dataset(draws, posterior.dims, posterior.coords, ("chain", "draw"))
        xr.DataTree.from_dict({"posterior": labeled})
    except ValueError as error:
        shapes = ", ".join(f"{name} {site.shape}" for name, site in sites.items())
        raise ValueError(f"dims= and coords= do not fit the sites of the model ({shapes}): {error}") from error


def _check_defined(posterior: Posterior, data: Observations) -> None:
    """Check that the density is finite at the start of the mode search; otherwise raise with the reason."""
    if np.isfinite(posterior.uninformed_preferred.start_value()):
        return
    density, bare = posterior.natural.density, posterior.data
    sites = jax.device_get(density.constrain(jnp.asarray(density.start), bare))
    unit = data.units[0]
    scored, residual = jax.device_get(jax.jit(partial(density.log_likelihood, unit=unit))(sites, bare))
    wrong = np.argwhere(np.isneginf(scored)) if np.ndim(scored) else np.empty((0, 2), int)
    if len(wrong):
        raise ValueError(
            f"{data.where(unit, *wrong[0].tolist())}: this {data.noun} has probability zero under the agent "
            f"({len(wrong)} such {unit}s). Check that the action is available there; remove the step, mark the action "
            "as missing, or use an agent with lapses"
        )
    remedy = (
        "The value of an undiscounted soft-optimal agent is infinite where steps cost less than log(number of "
        "actions)/beta: use a discount below 1, a horizon, or a prior whose center can be planned for"
    )
    if isinstance(model := posterior.model, StandardModel):
        worlds = model.world.values() if isinstance(model.world, Mapping) else [model.world]
        discount = max(discount_of(option, world) for option in model.agent.components for world in worlds)
        if discount < 1.0:
            remedy = f"The discount is {discount!r}: use a smaller one, or a prior whose center can be planned for"
    raise ValueError(
        "the log density is not finite at the center of the prior, where the search for the mode starts "
        f"(relative residual of the planner: {residual:.2g}). {remedy}"
    )
