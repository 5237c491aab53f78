"""Simulation of agents, with parameters that are known or drawn from their priors."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array

from goalinf.agents import MixtureAgent
from goalinf.agents.agent import Agent
from goalinf.behavior import sample_trajectories
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.behavior.simulation import options_of_units
from goalinf.checks import PRNGKey, numpy_generator, takes_key
from goalinf.data import Labels, Observations, Trajectories
from goalinf.data.trajectory_arrays import schedule_of
from goalinf.inference.model import site_labels
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.priors import Site, draw_sites
from goalinf.inference.results.replicated import replicated_at
from goalinf.planning.pooling import Pooling
from goalinf.precision import Precision, computing_in
from goalinf.types import Numbers, StateName
from goalinf.workflow.design_table import template_of


@takes_key
def simulate(
    key: PRNGKey,
    world: Worlds,
    agent: Agent,
    reward: Rewards,
    *,
    trajectories: int | None = None,
    steps: int | None = None,
    starts: StateName | list[StateName] | None = None,
    subject: Hashable | None = None,
    like: pd.DataFrame | Trajectories | None = None,
    outcomes: Numbers | None = None,
    precision: Precision | None = None,
) -> Trajectories:
    """Sample trajectories of an agent; priors in the agent and the reward are drawn first.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world, reward : World and Reward, or mappings from context to them
        World in which the agent acts, and its reward.
    agent : Agent
        Agent. An option of a mixture is drawn once for all trajectories, or for each with ``by="trajectory"``.
    trajectories : int
        Number of trajectories, N; in each context where there are several.
    steps : int
        Largest number of decisions in a trajectory, T; a trajectory ends earlier at a state that ends the episode.
    starts : state or sequence of states, optional
        First state of all trajectories, or of each; default: drawn from the world's initial distribution.
    subject : hashable, optional
        Name of the subject; default: no name.
    like : DataFrame or Trajectories, optional
        Design, in place of the four arguments before: a table of trajectories (:func:`~goalinf.design`), or data from
        which subjects, contexts, covariates, starts, lengths, missing and forced actions are taken.
    outcomes : float (T, A), (N, T, A) or (N, T, S, A), optional
        Outcome that every action would have, for learners under a :class:`~goalinf.RecordedReward`: for all
        trajectories, for each, or by state. Default: those of ``like``.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.

    Returns
    -------
    Trajectories
        Parameters that were drawn from priors are in its ``drawn``, labeled as those of a fit.

    Raises
    ------
    ValueError
        Where a count is not positive or the trajectories exceed the memory of this machine, a start is unknown, a
        parameter has one value per subject and ``like`` is not given, the horizon is too short, an undiscounted problem
        cannot end, or the design does not fit the worlds.
    ConvergenceError, PrecisionError
        Where the planner fails.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=1.0), reward, trajectories=2, steps=3).n_steps
    6

    Two subjects, each with a value of its own:

    >>> agent = gi.agents.soft_optimal(beta=gi.no_pooling(dist.LogNormal(0.0, 1.0), by="subject"))
    >>> data = gi.simulate(0, hall, agent, reward, like=gi.design(hall, subjects=2, trajectories=1, steps=3))
    >>> data.drawn["agent.beta"].dims
    ('subject',)
    """
    size = {"trajectories": trajectories, "steps": steps}
    model = StandardModel.checked(world, agent, reward)
    if like is None:
        if missing := [name for name, value in size.items() if value is None]:
            raise ValueError(f"gi.simulate needs {' and '.join(f'{name}=' for name in missing)}; or a design, like=")
        assert trajectories is not None
        assert steps is not None
        by_level = [name for name, prior in model.priors.items() if isinstance(prior, Pooling)]
        if by_level:
            raise ValueError(
                f"{by_level[0]} has one value per level ({model.priors[by_level[0]]!r}): give like=, a design with "
                "subjects, such as gi.design(world, subjects=12, trajectories=5, steps=30)"
            )
        key_prior, key_walks = jax.random.split(key)
        agent, reward, drawn = _drawn(key_prior, model) if model.priors else (agent, reward, None)
        walks = sample_trajectories(
            key_walks if drawn is not None else key,
            world,
            agent,
            reward,
            trajectories=trajectories,
            steps=steps,
            starts=starts,
            subject=subject,
            outcomes=outcomes,
            precision=precision,
        )
        return walks if drawn is None else _with_drawn(walks, drawn)
    given = [name for name, value in {**size, "starts": starts, "subject": subject}.items() if value is not None]
    if given:
        raise ValueError(f"{given[0]}= and like= are both given; the design determines {given[0]}")
    template = as_template(key, world, like)
    if outcomes is not None:
        schedule = schedule_of(outcomes, template.n_trajectories, template.max_steps)
        if schedule.ndim == 3:  # the same in all states
            n_states = max(each.n_states for each in Conditions.of(world, reward, template.context_names).worlds)
            schedule = np.repeat(schedule[:, :, None], n_states, axis=2)
        template = dataclasses.replace(template, outcomes=schedule)
    return simulate_like(key, model, template, precision)


def as_template(key: PRNGKey, world: Worlds, like: object) -> Trajectories:
    """Return the trajectories whose design is simulated: those of a table, or the data themselves.

    Raises
    ------
    TypeError
        Where ``like`` is neither.
    """
    if isinstance(like, pd.DataFrame):
        return template_of(numpy_generator(jax.random.fold_in(jnp.asarray(key), 7)), world, like)
    if isinstance(like, Trajectories):
        return like
    raise TypeError(
        f"like is a {type(like).__name__}; expected a design (a DataFrame, such as gi.design makes) or trajectories"
    )


def simulate_like(
    key: PRNGKey, model: StandardModel, data: Trajectories, precision: Precision | None = None
) -> Trajectories:
    """Draw all priors of a model, and data with the design of a data set; the draws are in its ``drawn``."""
    key_prior, key_options, key_data = jax.random.split(jnp.asarray(key), 3)
    _check_horizon(model, data)
    with computing_in(precision) as chosen:
        sites = model.sites(data)
        values = draw_sites(key_prior, sites)
        option = _options(key_options, model, values, data)
        replicated = replicated_at(key_data, model, values, data, option, chosen)
    assert isinstance(replicated, Trajectories)
    drawn = _labeled(model, sites, values, data, option)
    return _with_drawn(replicated, drawn) if drawn.data_vars else replicated


def _check_horizon(model: StandardModel, data: Trajectories) -> None:
    longest = int(np.max(data.lengths))
    for option in model.agent.components:
        if option.horizon is not None and longest > option.horizon:
            raise ValueError(
                f"the longest trajectory has {longest} steps, above the agent's horizon of {option.horizon}: give it a "
                "longer horizon"
            )


def _drawn(key: Array, model: StandardModel) -> tuple[Agent, Rewards, xr.Dataset]:
    """Draw all priors of a model without levels; return the known agent and reward, and the draws."""
    from goalinf.inference.model.priors import find_sites

    with computing_in("float64"):
        sites = find_sites(model.agent, model.reward, Conditions.of(model.world, model.reward).world)
        values = draw_sites(key, sites)
    agent, reward = model.filled(values)
    return agent, reward, _labeled(model, sites, values, None, None)


def _options(
    key: Array, model: StandardModel, values: Mapping[str, np.ndarray], data: Observations
) -> np.ndarray | None:
    """Draw the option of a mixture for every trajectory; None for a single agent."""
    if model.mixture is None:
        return None
    weights = {name: values[name] for name in ("agent.weights",) if name in values}
    agent = model.agent.at(weights=weights["agent.weights"]) if weights else model.agent
    return options_of_units(key, agent, data)


def _labeled(
    model: StandardModel,
    sites: list[Site],
    values: Mapping[str, np.ndarray],
    data: Observations | None,
    option: np.ndarray | None,
) -> xr.Dataset:
    """Label drawn values, and the drawn options of a mixture, like those of a fit."""
    contexts = None if data is None else data.context_names
    world = Conditions.of(model.world, model.reward, contexts).world
    dims, coords = site_labels.site_coords(sites, world, model.reward, model.agent, data)
    all_values, all_dims = dict(values), dict(dims)
    if isinstance(mixture := model.agent, MixtureAgent) and data is not None and option is not None:
        name = f"agent.{mixture.parameter}"
        names = np.array(mixture.names) if mixture.numeric else np.arange(len(mixture.names))
        unit = mixture.by
        members = np.asarray(data.members(unit))
        of_unit = np.zeros(1 if unit == "data" else len(data.names(unit)), int)
        of_unit[members] = option
        all_values[name] = names[of_unit[0]] if unit == "data" else names[of_unit]
        all_dims[name] = () if unit == "data" else (unit,)
    labels, _ = site_labels.split_coords(coords)
    return site_labels.dataset(all_values, all_dims, labels, ())


def _with_drawn(data: Trajectories, drawn: xr.Dataset) -> Trajectories:
    labels = data.labels or Labels(data.trajectory_names, data.subject_names, data.context_names)
    return dataclasses.replace(data, labels=dataclasses.replace(labels, drawn=drawn), contexts=None)
