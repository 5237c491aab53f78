"""Further analyses of an audit; an analysis that cannot be computed is replaced by a sentence with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import equinox as eqx
import jax
import numpy as np
import pandas as pd

from goalinf import display
from goalinf.agents import Agent, SingleAgent, boltzmann, lookahead, soft_optimal
from goalinf.agents.agent import single_agent
from goalinf.errors import ConvergenceError, PrecisionError
from goalinf.identify.agents.degenerate import degenerate_pairs, score_pairs
from goalinf.identify.agents.equivalence import agent_equivalence
from goalinf.identify.audit.expected_regret import expected_regret
from goalinf.identify.audit.zero_reward import ZeroReward, zero_reward
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


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """Answers to the questions of an audit; an answer that was not computed is a sentence with the reason.

    Parameters
    ----------
    zero : ZeroReward or str
        Comparison with zero reward.
    planners : DataFrame, str or None
        Other planners that fit the behavior, from :func:`~goalinf.identify.agent_equivalence`, at the posterior mean;
        None if no planners were given.
    pairs : DataFrame or str
        Degenerate pairs of planner and reward with the policy of the posterior mean, from
        :func:`~goalinf.identify.score_pairs`.
    acting : DataFrame or str
        Expected regret, from :func:`~goalinf.identify.expected_regret`.
    design : Design, str or None
        Comparison of further data; None if no experiments were given.
    """

    zero: ZeroReward | str
    planners: pd.DataFrame | str | None
    pairs: pd.DataFrame | str
    acting: pd.DataFrame | str
    design: Design | str | None

    def lines(self, n_observed: int) -> list[str]:
        """Return the answers as sentences."""
        planners = self._planners(n_observed)
        return [*_sentences(self.zero), *planners, *self._pairs(), *self._acting(), *_sentences(self.design)]

    def _planners(self, n_observed: int) -> list[str]:
        if not isinstance(self.planners, pd.DataFrame):
            return _sentences(self.planners)
        equivalent = [str(name) for name, row in self.planners.iterrows() if np.isposinf(row["choices"])]
        lines = ["Other planners, each with the reward that fits best:"]
        if equivalent:
            agents, owner = ("This agent fits", "its") if len(equivalent) == 1 else ("These agents fit", "their")
            lines.append(f"  {agents} the behavior equally well with a reward of {owner} own: {', '.join(equivalent)}.")
        for name, row in self.planners.iterrows():
            if np.isfinite(row["choices"]):
                lines.append(
                    f"  {name}: about {display.number(round(row['choices']))} actions give 5 nats of evidence against "
                    f"it (the data hold {n_observed:,})."
                )
            elif np.isnan(row["gap"]):
                lines.append(f"  {name}: {row['meaning']}.")
        return lines

    def _pairs(self) -> list[str]:
        if isinstance(self.pairs, str):
            return [self.pairs]
        lines = [
            "Degenerate pairs of planner and reward with the same policy (log-likelihood minus that of the posterior "
            "mean; description length):"
        ]
        for row in self.pairs.itertuples():
            difference = round(row.difference, 2) + 0.0  # no negative zero
            lines.append(f"  {row.Index}: {difference:+.2f} nats, {row.bits:,} bits; {row.meaning}.")
        return lines

    def _acting(self) -> list[str]:
        if isinstance(self.acting, str):
            return [self.acting]
        lines = [
            "Expected regret of the policy that is optimal for the posterior mean (share of the range of returns "
            "between the best and the worst policy):"
        ]
        for row in self.acting.itertuples():
            lines.append(
                f"  {row.Index}: mean {row.regret:.1%}, 95 % quantile {row.value_at_risk:.1%} (uniform policy: mean "
                f"{row.chance:.1%})."
            )
        return lines

    def rows(self) -> list[tuple[str, float, str]]:
        """Return the answers as rows of a table."""
        rows: list[tuple[str, float, str]] = []
        if isinstance(self.zero, ZeroReward):
            rows.append(
                (
                    "zero_log_bayes_factor",
                    self.zero.log_bayes_factor,
                    "log Bayes factor of zero reward over the fitted model (nats)",
                )
            )
            if self.zero.slope is not None:
                rows.append(
                    (
                        "zero_slope",
                        self.zero.slope,
                        "change of this log Bayes factor per factor of e in the width of the prior (nats)",
                    )
                )
        if isinstance(self.planners, pd.DataFrame):
            for name, gap in self.planners["gap"].items():
                rows.append((f"gap: {name}", float(gap), "evidence against this planner (nats per action)"))
        if isinstance(self.pairs, pd.DataFrame):
            for name, row in self.pairs.iterrows():
                rows.append(
                    (
                        f"difference: {name}",
                        float(row["difference"]),
                        "log-likelihood minus that of the posterior mean (nats)",
                    )
                )
                rows.append((f"bits: {name}", float(row["bits"]), "description length (bits)"))
        if isinstance(self.acting, pd.DataFrame):
            for name, row in self.acting.iterrows():
                rows.append(
                    (
                        f"regret: {name}",
                        float(row["regret"]),
                        "mean regret of acting on the posterior mean (share of the range of returns)",
                    )
                )
                rows.append(
                    (
                        f"regret_at_risk: {name}",
                        float(row["value_at_risk"]),
                        "95 % quantile of this regret (share of the range of returns)",
                    )
                )
        if isinstance(self.design, Design):
            for name, row in self.design.table.iterrows():
                rows.append(
                    (f"information: {name}", float(row["information"]), "expected information about the reward (nats)")
                )
                if "evsi" in row:
                    rows.append((f"evsi: {name}", float(row["evsi"]), "expected value of these data (utility)"))
        return rows


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
        acting=run("expected regret", lambda: expected_regret(fit, targets)),
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


def _sentences(result: ZeroReward | Design | str | None) -> list[str]:
    return [str(result)] if result is not None else []


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
