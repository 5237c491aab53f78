"""Held-out log predictive density: scores of data that were not fitted, given subjects and contexts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from goalinf.agents.plannable import check_shapes
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import check_kind
from goalinf.data import Observations, Trajectories
from goalinf.data.matching.align import new_names
from goalinf.data.matching.fitting import check_same_conditions
from goalinf.inference.model.log_density import Model
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_data import check_data
from goalinf.inference.results.fitted_density import fitted_density
from goalinf.inference.scoring.by_option import (
    AgentScorer,
    Draws,
    agent_scorer,
    flattened,
    options_of_own_model,
    thinned,
)
from goalinf.inference.scoring.leave_one_out import check_observations
from goalinf.inference.scoring.new_levels import differences, has_new_levels, over_new_levels
from goalinf.planning.log_space import safe_log
from goalinf.precision import computing_in
from goalinf.rewards import digest
from goalinf.worlds.world import World, label

_DRAWS = 1000  # further draws hardly change the mean of a density


def log_predictive_density(
    fit: Fit,
    data: Observations,
    *,
    world: Worlds | None = None,
    reward: Rewards | None = None,
    model: Model | None = None,
) -> pd.DataFrame:
    r"""Compute the log predictive density of trajectories, or other observations, that were not fitted.

    .. math:: \log p(y_n \mid y) = \log \frac1D \sum_d p(y_n \mid \theta_d)

    over the draws :math:`\theta_d` (at most 1,000, evenly spaced). The usual summary is bits per step,
    ``table.bits.sum() / table.steps.sum()``; a uniform policy over k actions has :math:`\log_2 k`, and less is better.

    Where each subject is one of several agents (``gi.one_of``, ``gi.agents.mixture`` with ``by="subject"``), the
    density of the new trajectories of subject i is

    .. math:: \frac1D \sum_d \sum_k m_{dik} \prod_{n \in i} p_k(y_n \mid \theta_d),

    with :math:`m_{dik}` the posterior probability that subject i is agent k for a subject of the fit, and the weight
    :math:`w_{dk}` of agent k for a new subject. The density of a trajectory is conditional on the earlier trajectories
    of its subject in ``data``, so that the rows of a subject add up to the joint density. With ``by="data"`` all
    trajectories belong to one such unit; with ``by="trajectory"`` each new trajectory is a new unit.

    Where subjects have parameters of their own (:func:`~goalinf.partial_pooling`, :func:`~goalinf.no_pooling`,
    :func:`~goalinf.regression`), a subject of the fit is scored with its own, and those of a new subject are integrated
    over the group (without a group, over their prior),

    .. math:: \frac1D \sum_d \int \prod_{n \in i} p(y_n \mid u, \theta_d)\,p(u \mid \theta_d)\,du,

    by importance sampling. The rows of a new subject add up to this joint density, too. The mean over new subjects of
    their sums, divided by the number of choices, predicts further subjects in nats per choice.

    Parameters
    ----------
    fit : Fit
        Posterior draws.
    data : Trajectories or other Observations
        New data, of the class of the fitted data. Subjects and contexts are matched with those of the fit by name.
    world : World or mapping from context to World, optional
        Worlds of the new data. Default: those of the fit.
    reward : reward or mapping from context to reward, optional
        Rewards of the new data; priors in them are filled with the draws of the fit. Default: those of the fit.
    model : callable, optional
        Your own model with the worlds and rewards of the new data, and the sites of the model that was fitted. Default:
        the model that was fitted.

    Returns
    -------
    DataFrame
        One row per trajectory with a choice: ``steps`` (choices; forced actions are not scored), ``log_density``
        (nats), ``bits`` (minus the log density, to base 2), ``bits_per_step``, and ``algorithm``, the
        source of the draws. Scores from an approximation (``"laplace"``, ``"svi"``) contain its error.

    Raises
    ------
    ValueError
        Where the data do not fit the world or hold no action; an action has probability zero at every draw; a context
        has no world or reward; the data were read in another world, or simulated with another known reward, than the
        fitted data of the same context, and ``world=`` or ``reward=`` is not given; a model of your own has no
        parameter for a new subject, or its fit was loaded from a file; the fitted data changed in place after the fit.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), reward, trajectories=6, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> agent = gi.agents.soft_optimal(beta=2.0)
    >>> fit = gi.infer(jax.random.key(1), hall, agent=agent, reward=prior, data=data.select([0, 1, 2]), draws=100)
    >>> table = gi.inference.log_predictive_density(fit, data.select([3, 4, 5]))
    >>> bool(table.bits.sum() / table.steps.sum() < 2.0)
    True
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    check_observations(fit)
    check_kind("data", data, type(fit.data), f"new {type(fit.data).__name__}, as the fitted data are")
    if not data.n_observed:
        raise ValueError(f"the data hold no observed {data.noun} that is scored; expected at least one")
    check_data(fit.tree, fit.data)
    _check_arguments(fit, data, world, reward, model)
    return _table(fit, data, log_densities(*by_draw(fit, data, world, reward, model)))


def by_draw(
    fit: Fit,
    data: Observations,
    world: Worlds | None = None,
    reward: Rewards | None = None,
    model: Model | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (D, N) of every trajectory given the earlier ones of its unit, and the number of the unit (N,)."""
    new_subjects = new_names("subject", data.names("subject"), fit.data.names("subject"))
    with computing_in(fit.tree.attrs["precision"]):
        values = flattened(thinned(fit.posterior, max(1, _DRAWS // fit.posterior.sizes["chain"])))
        if isinstance(fit.model, StandardModel):
            return _of_agent(fit, agent_scorer(fit, values, data, world, reward), data)
        return _of_own_model(fit, values, data, model, new_subjects)


def _of_agent(fit: Fit, scorer: AgentScorer, data: Observations) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (D, N) of every trajectory given the earlier ones of its unit, and the number of the unit (N,)."""
    responsibilities, members = _responsibilities(fit), np.asarray(data.members(scorer.by))

    def conditional(log_weights: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return _chained(_starts(scorer.by, log_weights, responsibilities, fit, data), scores, members)

    new = has_new_levels(fit, scorer, data)
    if not new.any():
        return conditional(*scorer.at({})), members
    by_subject = members.max() + 1 + np.asarray(data.subject)  # parameters of the subject are integrated out
    return over_new_levels(fit, scorer, data, new, conditional), np.where(new, by_subject, members)


def _of_own_model(
    fit: Fit, values: Draws, data: Observations, model: Model | None, new_subjects: list[Hashable]
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (D, N) of every trajectory given the earlier ones of its unit, and the number of the unit (N,)."""
    by, all_scores, responsibilities = options_of_own_model(fit, values, data, model, new_subjects)
    log_probs = sum(
        _chained(_starts(unit, log_weights, members, fit, data), scores, np.asarray(data.members(unit)))
        for unit, (log_weights, scores), members in zip(by, all_scores, responsibilities, strict=True)
    )
    return np.asarray(log_probs), np.asarray(data.members(max(by, key=data.units.index)))


def _responsibilities(fit: Fit) -> np.ndarray | None:
    """Return log posterior probabilities of the options of every unit of the fit, ``(D, G, K)``; None for new units."""
    if fit.agent.by in (None, fit.data.unit):
        return None
    (shares,) = thinned(fit.responsibilities, max(1, _DRAWS // fit.posterior.sizes["chain"])).values()
    return safe_log(shares.reshape(shares.shape[0] * shares.shape[1], -1, shares.shape[-1]))


def _starts(by: str, log_weights: np.ndarray, members: np.ndarray | None, fit: Fit, data: Observations) -> np.ndarray:
    """Return the log probability of every option for every unit before the new data, ``(D, K, N)``."""
    if members is None:
        return np.repeat(log_weights[:, :, None], len(data.subject), axis=2)
    if by == "data":
        return np.repeat(members[:, 0, :, None], len(data.subject), axis=2)
    number_of = {name: number for number, name in enumerate(fit.data.names("subject"))}
    names = [data.names("subject")[number] for number in np.asarray(data.subject)]
    log_probs = [members[:, number_of[name]] if name in number_of else log_weights for name in names]
    return np.stack(np.broadcast_arrays(*log_probs), axis=2)


def log_densities(log_probs: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Average scores ``(D, N)`` to log densities ``(N,)`` of each trajectory given the earlier ones of its unit."""
    nats = np.empty(log_probs.shape[1])
    for unit in np.unique(units):
        of_unit = np.flatnonzero(units == unit)
        log_joint = logsumexp(np.cumsum(log_probs[:, of_unit], axis=1), axis=0) - np.log(len(log_probs))
        nats[of_unit] = differences(log_joint[None])[0]
    return nats


def _chained(start: np.ndarray, scores: np.ndarray, units: np.ndarray) -> np.ndarray:
    r"""Return the log-likelihood of every trajectory given the earlier ones of its unit, by draw, ``(D, N)``.

    Parameters
    ----------
    start : float (D, K, N)
        Log probability that the unit of a trajectory is option k, before any of these trajectories.
    scores : float (D, K, N)
        Log-likelihood under every option.
    units : int (N,)
        Unit of every trajectory.
    """
    log_probs = np.empty((max(len(start), len(scores)), scores.shape[2]))
    for unit in np.unique(units):
        of_unit = np.flatnonzero(units == unit)
        log_joint = start[:, :, of_unit] + np.cumsum(scores[:, :, of_unit], axis=2)
        log_probs[:, of_unit] = differences(logsumexp(log_joint, axis=1))
    return log_probs


# -- arguments and result -------------------------------------------------------------------------


def _check_arguments(
    fit: Fit, data: Observations, world: Worlds | None, reward: Rewards | None, model: Model | None
) -> None:
    """Refuse arguments of the other kind of fit, and data of changed worlds or rewards without an argument for them."""
    custom = not isinstance(fit.model, StandardModel)
    if custom and (world is not None or reward is not None):
        raise ValueError(
            "a model of your own contains its worlds and rewards: give model=, your model with the worlds and rewards "
            "of the new data"
        )
    if not custom and model is not None:
        raise ValueError("model= is for a model of your own; this fit takes world= and reward=")
    if not isinstance(data, Trajectories):  # others do not know their worlds and rewards
        return
    reward_known = not custom and not any(site.name.startswith("reward.") for site in fit.sites)

    def digest_in(name: Hashable, world: World) -> str:
        known_reward = fit.reward[name] if isinstance(fit.reward, Mapping) else fit.reward
        check_shapes(known_reward, world)
        return digest(known_reward, world.mdp)

    one_world, one_reward = _one_for_all(fit) if model is None else (False, False)
    check_same_conditions(
        data,
        fit.data,
        worlds=model is None if custom else world is None,
        rewards=model is None if custom else reward is None and reward_known,
        remedy="model=: your model with the {0} of the new data, or the fitted model"
        if custom
        else "{0}= with the {0} of the new data, or {0}=fit.{0}",
        one_world=one_world,
        one_reward=one_reward,
        digest_in=digest_in if reward_known else None,
    )


def _one_for_all(fit: Fit) -> tuple[bool, bool]:
    """Return True where all contexts of a fit share one world, and True where they share one reward."""
    if isinstance(fit.model, StandardModel):
        return isinstance(fit.model.world, World), not isinstance(fit.model.reward, Mapping)
    with computing_in(fit.tree.attrs["precision"]):
        density, data = fitted_density(fit), fit.data.unlabeled()
        conditions = [behavior.conditions for behavior, _ in density.behaviors(density.sites(data), data)]
    return all(len(each.worlds) == 1 for each in conditions), all(len(each.rewards) == 1 for each in conditions)


def _table(fit: Fit, data: Observations, nats: np.ndarray) -> pd.DataFrame:
    part, unit = data.units[0], data.unit
    count = data.scored(part).reshape(len(nats), -1).sum(axis=1)
    some = count > 0
    names = [label(name) if isinstance(name, tuple) else name for name in data.names(unit)]
    if (impossible := np.flatnonzero(some & np.isneginf(nats))).size:
        raise ValueError(
            f"{data.where(unit, int(impossible[0]))}: its {data.noun}s have probability zero at every draw "
            f"({impossible.size} of {some.sum()}). Check that all actions are available; remove the step, mark "
            "the action as missing, or use an agent with lapses"
        )
    index = pd.Index([name for name, is_scored in zip(names, some, strict=True) if is_scored], name=unit)
    bits = -nats / np.log(2.0)
    columns = {f"{part}s": count, "log_density": nats, "bits": bits, f"bits_per_{part}": bits / np.maximum(count, 1)}
    table = pd.DataFrame({name: values[some] for name, values in columns.items()}, index=index)
    return table.assign(algorithm=str(fit.tree.attrs.get("algorithm", "")))
