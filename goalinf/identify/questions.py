"""The questions of an audit that take their own computations; each is answered, or it is said why it cannot be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np
import pandas as pd

from goalinf.agents import Agent, anti_rational, boltzmann, lookahead, soft_optimal
from goalinf.errors import ConvergenceError, PrecisionError
from goalinf.identify.acting import cost_of_acting, worlds_of
from goalinf.identify.design import Design, design_experiment
from goalinf.identify.equivalence import planner_equivalence
from goalinf.identify.experiments import Demonstrations, Experiment
from goalinf.identify.zero import ZeroReward, zero_reward
from goalinf.infer.fit import Fit
from goalinf.infer.priors import fill
from goalinf.rewards import Reward
from goalinf.worlds import World, label

_DRAWS, _DATA_SETS = 100, 100
_DEPTH = 3
_WHY_NOT = (ValueError, TypeError, ConvergenceError, PrecisionError, NotImplementedError)
_Answer = TypeVar("_Answer")


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """What was found, or in its place a sentence that says why it was not.

    Parameters
    ----------
    zero : ZeroReward or str
        Whether the data refuse that nothing is wanted.
    planners : DataFrame or str
        Which other planners act alike, from :func:`~goalinf.planner_equivalence`, at the posterior mean.
    acting : DataFrame or str
        From :func:`~goalinf.cost_of_acting`.
    design : Design or str
        Which further data would help.
    """

    zero: ZeroReward | str
    planners: pd.DataFrame | str
    acting: pd.DataFrame | str
    design: Design | str

    def lines(self, n_choices: int) -> list[str]:
        """The answers in sentences."""
        return [*_said(self.zero), *self._planners(n_choices), *self._acting(), *_said(self.design)]

    def _planners(self, n_choices: int) -> list[str]:
        if isinstance(self.planners, str):
            return [self.planners]
        alike = [str(name) for name, row in self.planners.iterrows() if not np.isfinite(row["choices"])]
        lines = ["Other planners, each with a reward of its own:"]
        if alike:
            lines.append(f"  No behavior in these worlds speaks against {', '.join(alike)}.")
        for name, row in self.planners.iterrows():
            if np.isfinite(row["choices"]):
                lines.append(
                    f"  Some {row['choices']:,.0f} choices would speak against {name} by 5 nats; these are "
                    f"{n_choices:,}."
                )
        return lines

    def _acting(self) -> list[str]:
        if isinstance(self.acting, str):
            return [self.acting]
        lines = ["Acting on the posterior mean gives away, of the range between best and worst:"]
        for row in self.acting.itertuples():
            lines.append(
                f"  {row.Index}: {row.regret:.1%} on average, {row.value_at_risk:.1%} at the 95 % quantile (choosing "
                f"evenly: {row.chance:.1%})."
            )
        return lines

    def rows(self) -> list[tuple[str, float, str]]:
        """The answers as rows of a table."""
        found: list[tuple[str, float, str]] = []
        if isinstance(self.zero, ZeroReward):
            found.append(("zero_log_bayes_factor", self.zero.log_bayes_factor, "of zero reward over the fit, nats"))
            if self.zero.slope is not None:
                found.append(("zero_slope", self.zero.slope, "its change per factor of e in the width of the prior"))
        if isinstance(self.planners, pd.DataFrame):
            for name, gap in self.planners["gap"].items():
                found.append((f"gap: {name}", float(gap), "nats per choice that speak against this planner"))
        if isinstance(self.acting, pd.DataFrame):
            for name, row in self.acting.iterrows():
                found.append((f"regret: {name}", float(row["regret"]), "mean regret of acting on the posterior mean"))
                found.append((f"regret_at_risk: {name}", float(row["value_at_risk"]), "its 95 % quantile"))
        if isinstance(self.design, Design):
            for name, one in self.design.table.iterrows():
                found.append((f"information: {name}", float(one["information"]), "expected nats about the reward"))
                if "evsi" in one:
                    found.append((f"evsi: {name}", float(one["evsi"]), "expected value of its data, utility"))
        return found


def answer(
    fit: Fit,
    visits: np.ndarray,
    worlds: Mapping[str, World] | None,
    planners: Mapping[str, Agent] | None,
    experiments: Mapping[str, Experiment] | None,
) -> Answers:
    """Everything that can be said; see :func:`~goalinf.audit` for the arguments."""
    key = jax.random.key(0)  # an audit is of a fit, and the same for the same fit
    everywhere = {**worlds_of(fit), **(worlds or {})}
    agent, reward = _mean(fit)
    return Answers(
        zero=_tried("whether nothing at all is wanted", lambda: zero_reward(key, fit, scales=())),
        planners=_tried("which other planners act alike", lambda: _planners(fit, agent, reward, visits, planners)),
        acting=_tried("what acting on this reward would cost", lambda: cost_of_acting(fit, everywhere)),
        design=_tried(
            "which further data would help", lambda: _design(key, fit, agent, visits, experiments, everywhere)
        ),
    )


def _tried(what: str, ask: Callable[[], _Answer]) -> _Answer | str:
    try:
        return ask()
    except _WHY_NOT as error:
        return f"Not said: {what}; {error}."


def _said(found: Any) -> list[str]:
    return [str(found)] if found is not None else []


def _mean(fit: Fit) -> tuple[Agent, Reward]:
    """Agent and reward at the posterior mean."""
    means = {site.name: fit.posterior[site.name].mean(("chain", "draw")).values for site in fit.sites}
    return fill(fit.agent, fit.reward, means)


def _planners(
    fit: Fit, agent: Agent, reward: Reward, visits: np.ndarray, others: Mapping[str, Agent] | None
) -> pd.DataFrame:
    if others is None:
        beta = float(np.mean(agent.parameters.get("beta", 1.0)))
        half = float(next(iter(worlds_of(fit).values())).mdp.discount) / 2
        others = {
            "soft_optimal": soft_optimal(beta),
            "boltzmann": boltzmann(beta),
            "half the discount": soft_optimal(beta, discount=half),
            f"{_DEPTH} steps ahead": lookahead(_DEPTH, beta),
            "anti_rational": anti_rational(beta),
        }
        others = {name: one for name, one in others.items() if name != agent.name}
    given = dict(zip(fit.world, visits, strict=True)) if isinstance(fit.world, Mapping) else visits[0]
    assert fit.world is not None
    return planner_equivalence(fit.world, agent, reward, others, prior=fit.reward, visits=given, starts=2)  # type: ignore[arg-type]


def _design(
    key: Any,
    fit: Fit,
    agent: Agent,
    visits: np.ndarray,
    experiments: Mapping[str, Experiment] | None,
    targets: Mapping[str, World],
) -> Design:
    if experiments is None:
        world = next(iter(worlds_of(fit).values()))
        size = {"trajectories": fit.data.n_trajectories, "steps": fit.data.max_steps}
        live = np.flatnonzero(~np.asarray(world.mdp.terminal))
        rarest = world.states[int(live[visits[0][live].argmin()])]
        half = float(world.mdp.discount) / 2
        experiments = {
            "more of the same": Demonstrations(world, agent, **size),
            f"more from {label(rarest)}": Demonstrations(world, agent, **size, starts=rarest),
            "with half the discount": Demonstrations(
                world, dataclasses.replace(agent, planner=dataclasses.replace(agent.planner, discount=half)), **size
            ),
        }
    return design_experiment(key, fit, experiments, targets=targets, data_sets=_DATA_SETS, draws=_DRAWS)
