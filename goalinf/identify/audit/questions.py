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
        return [*_said(self.zero), *planners, *self._pairs(), *self._acting(), *_said(self.design)]

    def _planners(self, n_observed: int) -> list[str]:
        if not isinstance(self.planners, pd.DataFrame):
            return _said(self.planners)
        alike = [str(name) for name, row in self.planners.iterrows() if np.isposinf(row["choices"])]
        lines = ["Other planners, each with the reward that fits best:"]
        if alike:
            agents, owner = ("This agent fits", "its") if len(alike) == 1 else ("These agents fit", "their")
            lines.append(f"  {agents} the behavior equally well with a reward of {owner} own: {', '.join(alike)}.")
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
        found: list[tuple[str, float, str]] = []
        if isinstance(self.zero, ZeroReward):
            found.append(
                (
                    "zero_log_bayes_factor",
                    self.zero.log_bayes_factor,
                    "log Bayes factor of zero reward over the fitted model (nats)",
                )
            )
            if self.zero.slope is not None:
                found.append(
                    (
                        "zero_slope",
                        self.zero.slope,
                        "change of this log Bayes factor per factor of e in the width of the prior (nats)",
                    )
                )
        if isinstance(self.planners, pd.DataFrame):
            for name, gap in self.planners["gap"].items():
                found.append((f"gap: {name}", float(gap), "evidence against this planner (nats per action)"))
        if isinstance(self.pairs, pd.DataFrame):
            for name, row in self.pairs.iterrows():
                found.append(
                    (
                        f"difference: {name}",
                        float(row["difference"]),
                        "log-likelihood minus that of the posterior mean (nats)",
                    )
                )
                found.append((f"bits: {name}", float(row["bits"]), "description length (bits)"))
        if isinstance(self.acting, pd.DataFrame):
            for name, row in self.acting.iterrows():
                found.append(
                    (
                        f"regret: {name}",
                        float(row["regret"]),
                        "mean regret of acting on the posterior mean (share of the range of returns)",
                    )
                )
                found.append(
                    (
                        f"regret_at_risk: {name}",
                        float(row["value_at_risk"]),
                        "95 % quantile of this regret (share of the range of returns)",
                    )
                )
        if isinstance(self.design, Design):
            for name, one in self.design.table.iterrows():
                found.append(
                    (f"information: {name}", float(one["information"]), "expected information about the reward (nats)")
                )
                if "evsi" in one:
                    found.append((f"evsi: {name}", float(one["evsi"]), "expected value of these data (utility)"))
        return found


def answer(
    fit: Fit,
    worlds: Mapping[str, World],
    planners: Mapping[str, Agent] | None,
    experiments: Mapping[str, Experiment] | None,
    bar: Progress,
) -> Answers:
    """Answer all questions; see :func:`~goalinf.audit` for the arguments."""

    def always(what: str, ask: Callable[[], _Answer]) -> _Answer | str:
        bar.say(f"audit: {what}")
        found = _tried(what, ask)
        bar.advance(1)
        return found

    def maybe(what: str, ask: Callable[[], _Answer], others: Mapping[str, Any] | None) -> _Answer | str | None:
        if others is None or len(others):
            return always(what, ask)
        bar.advance(1)  # an empty mapping omits the question
        return None

    key = jax.random.key(0)  # fixed, so that the audit of a fit is deterministic
    everywhere = {**worlds_of(fit), **worlds}
    agent, reward = _mean(fit)
    return Answers(
        zero=always("comparison with zero reward", lambda: zero_reward(key, fit, scales=())),
        planners=maybe("comparison with other planners", lambda: _planners(fit, agent, reward, planners), planners),
        pairs=always("degenerate pairs", lambda: _pairs(fit, agent, reward)),
        acting=always("expected regret", lambda: expected_regret(fit, everywhere)),
        design=maybe(
            "design of further data",
            lambda: _design(key, fit, agent, experiments, everywhere),
            experiments,
        ),
    )


def _tried(what: str, ask: Callable[[], _Answer]) -> _Answer | str:
    try:
        return ask()
    except _WHY_NOT as error:
        return f"Not computed: {what}; {error}."


def _said(found: ZeroReward | Design | str | None) -> list[str]:
    return [str(found)] if found is not None else []


def _mean(fit: Fit) -> tuple[SingleAgent, Reward]:
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


def _planners(fit: Fit, agent: SingleAgent, reward: Reward, others: Mapping[str, Agent] | None) -> pd.DataFrame:
    visits = _visits(fit)
    if others is None:
        others = _usual(agent, float(next(iter(worlds_of(fit).values())).mdp.discount))
    world: Any = fit.world if isinstance(fit.world, World) else {name: fit.world[name] for name in visits}
    given = visits if isinstance(world, Mapping) else next(iter(visits.values()))
    prior: Any = fit.reward
    return agent_equivalence(world, agent, reward, others, prior=prior, visits=given, starts=2)


def _pairs(fit: Fit, agent: SingleAgent, reward: Reward) -> pd.DataFrame:
    data, worlds = trajectories_of(fit, "this analysis"), list(worlds_of(fit).values())
    if len(worlds) > 1:
        raise ValueError("degenerate pairs are defined for one world, and this fit has several")
    return score_pairs(worlds[0], degenerate_pairs(worlds[0], agent, reward), data)


def _usual(agent: SingleAgent, discount: float) -> dict[str, SingleAgent]:
    """Return other planners with the beliefs, choice rule and noise of the agent, without the agent itself."""
    half = soft_optimal(beta=1.0, discount=discount / 2)
    found = {
        name: _named(agent.with_planning(dataclasses.replace(agent.planning, planner=like.planning.planner)), name)
        for name, like in {
            "soft_optimal": soft_optimal(beta=1.0),
            "boltzmann": boltzmann(beta=1.0),
            "discount halved": half,
            f"lookahead {_DEPTH}": lookahead(depth=_DEPTH, beta=1.0),
        }.items()
    }
    if (opposite := agent.planning.choice.opposite) is not None:
        contrary = dataclasses.replace(agent.planning, planner=boltzmann(beta=1.0).planning.planner, choice=opposite)
        found["opposite choice rule"] = _named(agent.with_planning(contrary), "opposite choice rule")
    return {name: one for name, one in found.items() if not _alike(one, agent)}


def _named(agent: SingleAgent, name: str) -> SingleAgent:
    renamed: Any = dataclasses.replace
    return renamed(agent, name=name)


def _alike(one: SingleAgent, other: SingleAgent) -> bool:
    """Return True where two agents have the same planner and choice rule."""
    mine, theirs = one.planning, other.planning
    return bool(eqx.tree_equal((mine.planner, mine.choice), (theirs.planner, theirs.choice)))


def _design(
    key: PRNGKey,
    fit: Fit,
    agent: SingleAgent,
    experiments: Mapping[str, Experiment] | None,
    targets: Mapping[str, World],
) -> Design:
    if experiments is None:
        experiments = _further(fit, agent)
    return design_experiment(key, fit, experiments, targets=targets, data_sets=_DATA_SETS, draws=_DRAWS)


def _further(fit: Fit, agent: SingleAgent) -> dict[str, Experiment]:
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
    (world,), (seen,) = worlds.values(), visits.values()
    live = np.flatnonzero(~np.asarray(world.mdp.terminal))
    rarest = world.states[int(live[seen[live].argmin()])]
    count = data.n_trajectories
    makers = {
        f"{_trajectories(count, 'more')} from the same starts": (agent, None),
        f"{_trajectories(count, 'more')} from {label(rarest)}": (agent, rarest),
    }
    planning = agent.planning
    if "discount" in planning.planner.parameters:
        planner = dataclasses.replace(planning.planner, discount=np.asarray(float(world.mdp.discount) / 2))
        halved = agent.with_planning(dataclasses.replace(planning, planner=planner))
        makers[f"{_trajectories(count)} with the discount halved"] = (halved, None)
    return {
        name: Demonstrations(world, one, trajectories=count, steps=steps, starts=start)
        for name, (one, start) in makers.items()
    }


def _trajectories(count: int, which: str = "") -> str:
    """Return a number of trajectories in words."""
    return f"{count:,} {which} ".rstrip() + f" trajector{'y' if count == 1 else 'ies'}"
