"""The audit of a posterior: identified directions, unidentified directions, and contraction relative to the prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goalinf.agents import Agent
from goalinf.agents.plannable import check_shapes
from goalinf.checks import check_flag, check_kind
from goalinf.identify.audit.contraction import Contraction, contraction
from goalinf.identify.audit.questions import QUESTIONS, answer
from goalinf.identify.audit.report import Audit
from goalinf.identify.audit.scale_temperature import Ridge, ridge
from goalinf.identify.experiments.kinds import Demonstrations, Experiment, PreferenceQuery
from goalinf.identify.local.unidentified import Directions, known_model, worlds_of
from goalinf.inference.results.fit import Fit
from goalinf.inference.samplers.progress import Progress
from goalinf.rewards import Reward
from goalinf.worlds import World


def audit(
    fit: Fit,
    *,
    worlds: World | Mapping[str, World] | None = None,
    planners: Mapping[str, Agent] | None = None,
    experiments: Mapping[str, Experiment] | None = None,
    quick: bool = False,
    progress: bool | None = None,
) -> Audit:
    r"""Separate the information of the data from the information of the prior in a posterior.

    For trajectories the Jacobian of the log-policy is evaluated at one posterior draw (the last). Its null space holds
    the directions that no behavior identifies. For other observations the Jacobian is that of the log-likelihood of
    every observation, at this draw and at further draws. Directions that are null at all of these draws are not
    identified by *these* observations; other observations may identify them.

    The posterior is compared with the prior in the null space, where a Gaussian prior must be unchanged, and in the
    orthogonal complement, where the generalized eigenvalues :math:`\mu_j` of posterior against prior covariance give
    the effective identified dimension :math:`d_{\mathrm{eff}} = \sum_j (1 - \mu_j)`.

    Five further analyses follow, each by a function of its own: the Bayes factor of zero reward
    (:func:`~goalinf.identify.zero_reward`); other planners that fit the behavior
    (:func:`~goalinf.identify.agent_equivalence`); degenerate pairs of planner and reward, with their likelihood and
    description length (:func:`~goalinf.identify.score_pairs`); the expected regret of acting on the posterior mean
    (:func:`~goalinf.identify.expected_regret`); the most informative further data
    (:func:`~goalinf.identify.design_experiment`). If one of them cannot be computed, the audit gives the reason: other
    planners, degenerate pairs and further data need trajectories.

    Parameters
    ----------
    fit : Fit
        Result of :func:`~goalinf.infer` with a world, an agent and a reward.
    worlds : World or mapping from name to World, optional
        Further worlds for the expected regret, with as many states and actions.
    planners : mapping from name to Agent, optional
        Other planners to compare. Default: soft maximum, hard maximum, half the discount, lookahead of three steps, and
        the opposite choice rule; all other parts as in the fitted agent, at its posterior mean. An empty mapping omits
        this analysis.
    experiments : mapping from name to Demonstrations or PreferenceQuery, optional
        Further data to compare. Default: as many trajectories as in the data from the same starts, from the state with
        the fewest observations, and of the same agent with half the discount. An empty mapping omits this analysis.
    quick : bool
        Omit the five further analyses, which take ten to sixty seconds, and longer in large worlds.
    progress : bool, optional
        Show a progress bar; default: if the error stream is a terminal.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If the model is a user's own, so that world, agent and reward are not known, or if the agent is a mixture.

    References
    ----------
    Contraction: Betancourt (2018), "Calibrating model-based inferences and decisions", by parameter. Null
    spaces: Cao, Cohen and Szpruch (2021), theorem 1.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), reward, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=data, draws=100)
    >>> gi.audit(fit, quick=True).nullity
    1
    """
    check_flag("quick", quick)
    targets = {"elsewhere": worlds} if isinstance(worlds, World) else worlds or {}
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    known_model(fit, "an audit")
    _check_arguments(fit, targets, planners, experiments)
    with Progress("audit: directions", 1 if quick else 1 + QUESTIONS, divergences=False, show=progress) as bar:
        directions = Directions.of(fit, "an audit")
        bar.advance(1)
        return _audit_directions(fit, directions, targets, planners, experiments, quick, bar)


def _audit_directions(
    fit: Fit,
    directions: Directions,
    targets: Mapping[str, World],
    planners: Mapping[str, Agent] | None,
    experiments: Mapping[str, Experiment] | None,
    quick: bool,
    bar: Progress,
) -> Audit:
    """Audit a fit whose null directions are known."""
    change, scale_ridge = _against_prior(directions)
    answers = None
    if not quick and directions.n_rewards:
        answers = answer(fit, targets, planners, experiments, bar)
    return Audit(
        fit=fit,
        answers=answers,
        n_observed=directions.n_observed,
        n_parameters=directions.n_rewards,
        nullity_joint=directions.joint.dimension,
        nullity_data=directions.nullity_data,
        null_space=directions.joint,
        free=tuple(column.name for column in directions.jacobian.columns[len(directions.reward_sites) :]),
        visits=directions.visits,
        contraction=change,
        ridge=scale_ridge,
        diagnosis=fit.diagnosis,
    )


def _check_arguments(fit: Fit, worlds: Any, planners: Any, experiments: Any) -> None:
    """Raise an error for arguments that cannot be compared, before any computation."""
    kinds: dict[str, tuple[Any, type | tuple[type, ...], str]] = {
        "worlds": (worlds, World, "a World, such as gi.gridworld makes"),
        "planners": (planners, Agent, "an agent, such as gi.agents.boltzmann(beta=1.0)"),
        "experiments": (
            experiments,
            (Demonstrations, PreferenceQuery),
            "gi.identify.Demonstrations or gi.identify.PreferenceQuery",
        ),
    }
    for argument, (mapping, kind, expected) in kinds.items():
        if mapping is None:
            continue
        check_kind(argument, mapping, Mapping, f"a mapping from name to {expected}")
        for name, value in mapping.items():
            check_kind(f"{argument}: {name!r}", value, kind, expected)
    reward, data_worlds = fit.reward, worlds_of(fit)
    for name, world in worlds.items():
        if name in data_worlds:
            raise ValueError(f"worlds: {name!r} is the name of a world of the data; give another name")
        if isinstance(reward, Reward):
            try:
                check_shapes(fit.mean_reward(), world)
            except ValueError as error:
                raise ValueError(f"worlds: {name!r} does not fit the reward of this fit: {error}") from error


def _against_prior(directions: Directions) -> tuple[Contraction | None, Ridge | None]:
    """Compare posterior draws of the reward and of beta with their priors."""
    if not directions.n_rewards:
        return None, None
    rewards, priors = directions.rewards(), directions.priors()
    change = contraction(rewards, priors, directions.null)
    has_scale = any(direction.kind == "scale" for direction in directions.joint.directions)
    if not has_scale or directions.draws["agent.beta"].ndim != 2 or len(directions.null) == directions.n_rewards:
        return change, None
    beta, rewards_by_draw = directions.draws["agent.beta"].ravel(), rewards.reshape(-1, directions.n_rewards)
    return change, ridge(beta, rewards_by_draw, (directions.sites["agent.beta"].prior, priors), directions.null)
