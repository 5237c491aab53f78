"""The audit of a posterior: what the data said, what they could not say, and what is the prior and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from goalinf.agents import Agent
from goalinf.agents.plannable import check_shapes
from goalinf.behavior.conditions import Setting
from goalinf.checks import check_flag, check_kind
from goalinf.identify.audit.contraction import Contraction, contraction
from goalinf.identify.audit.expected_regret import worlds_of
from goalinf.identify.audit.questions import QUESTIONS, answer
from goalinf.identify.audit.report import Audit
from goalinf.identify.audit.scale_temperature import Ridge, ridge
from goalinf.identify.experiments.kinds import Demonstrations, Experiment, PreferenceQuery
from goalinf.identify.linear_algebra import kernel
from goalinf.identify.local.jacobian import Jacobian
from goalinf.identify.local.unidentified import Directions
from goalinf.inference.samplers.progress import Progress
from goalinf.rewards import Reward
from goalinf.worlds import World, label


def audit(
    fit: Any,
    *,
    worlds: World | Mapping[str, World] | None = None,
    planners: Mapping[str, Agent] | None = None,
    experiments: Mapping[str, Experiment] | None = None,
    quick: bool = False,
    progress: bool | None = None,
) -> Audit:
    r"""Say what a posterior owes to the data and what it owes to the prior.

    The Jacobian of the log-policy is taken at one posterior draw (the last): its null space is what no data could
    say. The posterior is compared with the prior inside it, where a Gaussian prior must come back unchanged, and at
    right angles to it, where the generalized eigenvalues :math:`\mu_j` of posterior against prior variance tell how
    much was learned: :math:`d_{\mathrm{eff}} = \sum_j (1 - \mu_j)` directions' worth.

    Then five questions are asked, each of a function of its own: do the data refuse that nothing is wanted
    (:func:`~goalinf.identify.zero_reward`)? Which other planners would act alike
    (:func:`~goalinf.identify.agent_equivalence`)? Which degenerate pairs explain the data as well, and how long is
    their description (:func:`~goalinf.identify.score_pairs`)? What would acting on this reward cost
    (:func:`~goalinf.identify.expected_regret`)? Which further data would help most
    (:func:`~goalinf.identify.design_experiment`)? Where one of them cannot be answered, the audit says why.

    Parameters
    ----------
    fit : Fit
        From :func:`~goalinf.infer` with a world, an agent and a reward.
    worlds : World or mapping from name to World, optional
        Where else somebody may act on the reward: with as many states and actions.
    planners : mapping from name to Agent, optional
        Who might have acted instead. Default: with soft and hard maximum, with half the discount, looking three steps
        ahead, and choosing the worst; all else as the agent that was fitted, at its posterior mean. An empty mapping
        leaves the question out.
    experiments : mapping from name to Demonstrations or PreferenceQuery, optional
        What could be observed next. Default: as many walks again; as many from the place that was seen least; as many
        of somebody like this with half the discount. An empty mapping leaves the question out.
    quick : bool
        Leave the five questions out, which take some ten to sixty seconds, and longer in large worlds.
    progress : bool, optional
        Show a progress bar; default: where the error stream is a terminal.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        Where the model is a user's own, so that world, agent and reward are not known; or the agent is one of
        several.

    References
    ----------
    Contraction: Betancourt (2018), "Calibrating model-based inferences and decisions", there by parameter. Null
    spaces: Cao, Cohen and Szpruch (2021), theorem 1.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), wants, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=walks, draws=100)
    >>> gi.audit(fit, quick=True).nullity
    1
    """
    check_flag("quick", quick)
    elsewhere = {"elsewhere": worlds} if isinstance(worlds, World) else worlds or {}
    _check_asked(fit, elsewhere, planners, experiments)
    with Progress("audit: directions", 1 if quick else 1 + QUESTIONS, divergences=False, show=progress) as bar:
        found = Directions.of(fit, "an audit")
        bar.advance(1)
        return _audited(fit, found, elsewhere, planners, experiments, quick, bar)


def _audited(
    fit: Any,
    found: Directions,
    elsewhere: Mapping[str, World],
    planners: Mapping[str, Agent] | None,
    experiments: Mapping[str, Experiment] | None,
    quick: bool,
    bar: Progress,
) -> Audit:
    """The audit of a fit whose directions are known."""
    setting, jacobian, joint = found.setting, found.jacobian, found.joint
    visited, n_choices = _visits(fit.data, jacobian)
    seen = np.asarray(visited.any(1)) if visited.ndim == 3 else visited
    places = np.argwhere(jacobian.rows.any(2)).tolist()
    compared, trade = _against_prior(found)
    answers = None
    if not quick and found.n_rewards:
        several = isinstance(fit.world, Mapping)
        names = fit.data.context_names if several else (None,)
        visits = {}
        for number, name in enumerate(names):
            shape = setting.worlds[number].mdp.available.shape
            visits[name] = fit.data.choice_counts(*shape, context=number if several else None).sum(1)
        answers = answer(fit, visits, elsewhere, planners, experiments, bar)
    return Audit(
        fit=fit,
        answers=answers,
        n_choices=n_choices,
        n_parameters=found.n_rewards,
        nullity_joint=joint.dimension,
        nullity_visited=kernel(found.alone.matrix(visited), found.alone.tolerance).dimension,
        null_space=joint,
        free=tuple(column.name for column in jacobian.columns[len(found.alone.columns) :]),
        unvisited=tuple(_place(setting, c, s) for c, s in places if not seen[c, s]),
        n_places=len(places),
        contraction=compared,
        ridge=trade,
        diagnosis=str(getattr(fit, "diagnosis", "") or ""),
    )


def _check_asked(fit: Any, worlds: Any, planners: Any, experiments: Any) -> None:
    """Refuse what cannot be compared before anything is computed."""
    kinds: dict[str, tuple[Any, type | tuple[type, ...], str]] = {
        "worlds": (worlds, World, "a World, such as gi.gridworld makes"),
        "planners": (planners, Agent, "an agent, such as gi.agents.boltzmann(beta=1.0)"),
        "experiments": (
            experiments,
            (Demonstrations, PreferenceQuery),
            "gi.identify.Demonstrations or gi.identify.PreferenceQuery",
        ),
    }
    for what, (given, kind, expected) in kinds.items():
        if given is None:
            continue
        check_kind(what, given, Mapping, f"a mapping from name to {expected}")
        for name, one in given.items():
            check_kind(f"{what}: {name!r}", one, kind, expected)
    reward = getattr(fit, "reward", None)
    taken = worlds_of(fit) if getattr(fit, "world", None) is not None else {}
    for name, world in worlds.items():
        if name in taken:
            raise ValueError(f"worlds: {name!r} is the name of a world of the data; give another name")
        if isinstance(reward, Reward):
            try:
                check_shapes(fit.mean_reward(), world)
            except ValueError as error:
                raise ValueError(f"worlds: {name!r} is no world for the reward of this fit: {error}") from error


def _against_prior(found: Directions) -> tuple[Contraction | None, Ridge | None]:
    """Posterior draws of the reward, and of beta with it, against their priors."""
    if not found.n_rewards:
        return None, None
    rewards, priors = found.rewards(), found.priors()
    compared = contraction(rewards, priors, found.null)
    if "agent.beta" not in found.sites or found.draws["agent.beta"].ndim != 2 or len(found.null) == found.n_rewards:
        return compared, None
    beta, flat = found.draws["agent.beta"].ravel(), rewards.reshape(-1, found.n_rewards)
    return compared, ridge(beta, flat, (found.sites["agent.beta"].prior, priors), found.null)


def _visits(data: Any, jacobian: Jacobian) -> tuple[np.ndarray, int]:
    """Where choices were scored, bool ``(C, S)`` or, with a finite horizon, ``(C, T, S)``; and how many."""
    steps = data.actions.shape[1]
    n_contexts, n_states, _ = jacobian.rows.shape
    live = np.asarray(jacobian.rows.any(2))
    context = np.asarray(data.context) if n_contexts > 1 else np.zeros(len(data.context), int)
    context = np.broadcast_to(context[:, None], data.actions.shape)
    states = np.maximum(np.asarray(data.states)[:, :steps], 0)
    scored = np.asarray(data.observed) & live[context, states]
    if jacobian.log_policy.ndim == 4:
        visited = np.zeros((n_contexts, n_states), bool)
        visited[context[scored], states[scored]] = True
    else:
        visited = np.zeros((n_contexts, jacobian.log_policy.shape[1], n_states), bool)
        time = np.broadcast_to(np.arange(steps), data.actions.shape)
        visited[context[scored], time[scored], states[scored]] = True
    return visited, int(scored.sum())


def _place(setting: Setting, context: int, state: int) -> str:
    """Name of a state, with its context where there are several policies."""
    world = setting.worlds[min(context, len(setting.worlds) - 1)]
    several = len(setting.worlds) > 1 or len(setting.rewards) > 1
    return label(world.states[state]) + (f" (context {label(setting.contexts[context])})" if several else "")
