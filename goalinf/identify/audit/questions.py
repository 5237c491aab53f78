"""Further analyses of an audit; an analysis that cannot be computed is replaced by a sentence with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np
import pandas as pd

from goalinf.agents import Agent, SingleAgent, boltzmann, lookahead, soft_optimal
from goalinf.agents.agent import single_agent
from goalinf.errors import ConvergenceError, PrecisionError
from goalinf.identify.agents.degenerate import degenerate_pairs, score_pairs
from goalinf.identify.agents.equivalence import agent_equivalence
from goalinf.identify.audit.answers import Answers
from goalinf.identify.audit.expected_regret import expected_regret
from goalinf.identify.audit.zero_reward import zero_reward
from goalinf.identify.experiments.design import Design, design_experiment
from goalinf.identify.experiments.kinds import Demonstrations, Experiment
from goalinf.identify.local.unidentified import trajectories_of, worlds_of
from goalinf.inference.results.fit import Fit
from goalinf.inference.samplers.progress import Progress
from goalinf.rewards import Reward
from goalinf.types import PRNGKey
from goalinf.worlds import World, label

QUESTIONS = 5
_DRAWS, _DATA_SETS = 100, 100
_DEPTH = 3
_WHY_NOT = (ValueError, ConvergenceError, PrecisionError)  # errors that become the sentence of an answer
_Answer = TypeVar("_Answer")


def answer(
    fit: Fit,
    worlds: Mapping[str, World],
    planners: Mapping[str, Agent] | None,
    experiments: Mapping[str, Experiment] | None,
    bar: Progress,
) -> Answers:
    """Answer all questions; see :func:`~goalinf.audit` for the arguments."""

    def run(what: str, analysis: Callable[[], _Answer]) -> _Answer | str:
        bar.say(f"audit: {what}")
        result = _or_reason(what, analysis)
        bar.advance(1)
        return result

    def run_if(what: str, analysis: Callable[[], _Answer], items: Mapping[str, Any] | None) -> _Answer | str | None:
        if items is None or len(items):
            return run(what, analysis)
        bar.advance(1)  # an empty mapping omits the question
        return None

    key = jax.random.key(0)  # fixed, so that the audit of a fit is deterministic
    targets = {**worlds_of(fit), **worlds}
    agent, reward = _posterior_mean(fit)
    return Answers(
        zero=run("comparison with zero reward", lambda: zero_reward(key, fit, scales=())),
        planners=run_if("comparison with other planners", lambda: _planners(fit, agent, reward, planners), planners),
        pairs=run("degenerate pairs", lambda: _pairs(fit, agent, reward)),
        regret=run("expected regret", lambda: expected_regret(fit, targets)),
        design=run_if(
            "design of further data",
            lambda: _design(key, fit, agent, experiments, targets),
            experiments,
        ),
    )


def _or_reason(what: str, analysis: Callable[[], _Answer]) -> _Answer | str:
    try:
        return analysis()
    except _WHY_NOT as error:
        return f"Not computed: {what}; {error}."


def _posterior_mean(fit: Fit) -> tuple[SingleAgent, Reward]:
    """Agent and reward at the posterior mean."""
    means = {site.name: fit.posterior[site.name].mean(("chain", "draw")).values for site in fit.sites}
    model = fit.standard("agent")
    return single_agent("the agent of the fit", model.filled(means)[0]), model.reward_at(means)


def _visits(fit: Fit) -> dict[Any, np.ndarray]:
    """Count the actions in every state ``(S,)`` by context; for all contexts together, named None, in one world."""
    data = trajectories_of(fit, "this analysis")
    if isinstance(fit.world, World):
        return {None: data.choice_counts(*fit.world.mdp.available.shape).sum(1)}
    return {
        name: data.choice_counts(*fit.world[name].mdp.available.shape, contexts=number).sum(1)
        for number, name in enumerate(data.context_names)
    }


def _planners(fit: Fit, agent: SingleAgent, reward: Reward, planners: Mapping[str, Agent] | None) -> pd.DataFrame:
    visits = _visits(fit)
    if planners is None:
        planners = _default_planners(agent, float(next(iter(worlds_of(fit).values())).mdp.discount))
    world: Any = fit.world if isinstance(fit.world, World) else {name: fit.world[name] for name in visits}
    visits_given = visits if isinstance(world, Mapping) else next(iter(visits.values()))
    prior: Any = fit.reward
    return agent_equivalence(world, agent, reward, planners, prior=prior, visits=visits_given, starts=2)


def _pairs(fit: Fit, agent: SingleAgent, reward: Reward) -> pd.DataFrame:
    data, worlds = trajectories_of(fit, "this analysis"), list(worlds_of(fit).values())
    if len(worlds) > 1:
        raise ValueError("degenerate pairs are defined for one world, and this fit has several")
    return score_pairs(worlds[0], degenerate_pairs(worlds[0], agent, reward), data)


def _default_planners(agent: SingleAgent, discount: float) -> dict[str, SingleAgent]:
    """Return other planners with the beliefs, choice rule and noise of the agent, without the agent itself."""
    half = soft_optimal(beta=1.0, discount=discount / 2)
    planners = {
        name: _renamed(agent.with_planning(dataclasses.replace(agent.planning, planner=like.planning.planner)), name)
        for name, like in {
            "soft_optimal": soft_optimal(beta=1.0),
            "boltzmann": boltzmann(beta=1.0),
            "discount halved": half,
            f"lookahead {_DEPTH}": lookahead(depth=_DEPTH, beta=1.0),
        }.items()
    }
    if (opposite := agent.planning.choice.opposite) is not None:
        hard_planner = boltzmann(beta=1.0).planning.planner
        reversed_agent = dataclasses.replace(agent.planning, planner=hard_planner, choice=opposite)
        planners["opposite choice rule"] = _renamed(agent.with_planning(reversed_agent), "opposite choice rule")
    return {name: planner for name, planner in planners.items() if not _plan_alike(planner, agent)}


def _renamed(agent: SingleAgent, name: str) -> SingleAgent:
    replace: Any = dataclasses.replace
    return replace(agent, name=name)


def _plan_alike(first: SingleAgent, second: SingleAgent) -> bool:
    """Return True where two agents have the same planner and choice rule."""
    pairs = [(agent.planning.planner, agent.planning.choice) for agent in (first, second)]
    return bool(eqx.tree_equal(*pairs))


def _design(
    key: PRNGKey,
    fit: Fit,
    agent: SingleAgent,
    experiments: Mapping[str, Experiment] | None,
    targets: Mapping[str, World],
) -> Design:
    if experiments is None:
        experiments = _default_experiments(fit, agent)
    return design_experiment(key, fit, experiments, targets=targets, data_sets=_DATA_SETS, draws=_DRAWS)


def _default_experiments(fit: Fit, agent: SingleAgent) -> dict[str, Experiment]:
    """Return the default experiments: as many trajectories again, from another start, or with half the discount."""
    data, visits = trajectories_of(fit, "this analysis"), _visits(fit)
    worlds, steps = worlds_of(fit), data.max_steps
    if len(worlds) > 1:
        counts = np.bincount(np.asarray(data.context), minlength=len(visits))
        return {
            f"{_trajectories(int(count), 'more')} in {label(name)}": Demonstrations(
                worlds[label(name)], agent, trajectories=int(count), steps=steps
            )
            for name, count in zip(visits, counts, strict=True)
            if count
        }
    (world,), (counts_by_state,) = worlds.values(), visits.values()
    acting = np.flatnonzero(~np.asarray(world.mdp.terminal))
    rarest = world.states[int(acting[counts_by_state[acting].argmin()])]
    count = data.n_trajectories
    designs = {
        f"{_trajectories(count, 'more')} from the same starts": (agent, None),
        f"{_trajectories(count, 'more')} from {label(rarest)}": (agent, rarest),
    }
    planning = agent.planning
    if "discount" in planning.planner.parameters:
        planner = dataclasses.replace(planning.planner, discount=np.asarray(float(world.mdp.discount) / 2))
        halved = agent.with_planning(dataclasses.replace(planning, planner=planner))
        designs[f"{_trajectories(count)} with the discount halved"] = (halved, None)
    return {
        name: Demonstrations(world, demonstrator, trajectories=count, steps=steps, starts=start)
        for name, (demonstrator, start) in designs.items()
    }


def _trajectories(count: int, which: str = "") -> str:
    """Return a number of trajectories in words."""
    return f"{count:,} {which} ".rstrip() + f" trajector{'y' if count == 1 else 'ies'}"
