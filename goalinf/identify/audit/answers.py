"""Answers to the questions of an audit, as sentences and as rows of a table."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from goalinf import display
from goalinf.identify.audit.zero_reward import ZeroReward
from goalinf.identify.experiments.design import Design

# Reported columns of the table of each answer: title of their rows, and meaning.
_REPORTED = {
    "planners": {"gap": ("gap", "evidence against this planner (nats per action)")},
    "pairs": {
        "difference": ("difference", "log-likelihood minus that of the posterior mean (nats)"),
        "bits": ("bits", "description length (bits)"),
    },
    "regret": {
        "regret": ("regret", "mean regret of acting on the posterior mean (share of the range of returns)"),
        "value_at_risk": ("regret_at_risk", "95 % quantile of this regret (share of the range of returns)"),
    },
    "design": {
        "information": ("information", "expected information about the reward (nats)"),
        "evsi": ("evsi", "expected value of these data (utility)"),
    },
}


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
    regret : DataFrame or str
        Expected regret, from :func:`~goalinf.identify.expected_regret`.
    design : Design, str or None
        Comparison of further data; None if no experiments were given.
    """

    zero: ZeroReward | str
    planners: pd.DataFrame | str | None
    pairs: pd.DataFrame | str
    regret: pd.DataFrame | str
    design: Design | str | None

    def lines(self, n_observed: int) -> list[str]:
        """Return the answers as sentences."""
        planners = self._planners(n_observed)
        return [*_sentences(self.zero), *planners, *self._pairs(), *self._regret(), *_sentences(self.design)]

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

    def _regret(self) -> list[str]:
        if isinstance(self.regret, str):
            return [self.regret]
        lines = [
            "Expected regret of the policy that is optimal for the posterior mean (share of the range of returns "
            "between the best and the worst policy):"
        ]
        for row in self.regret.itertuples():
            lines.append(
                f"  {row.Index}: mean {row.regret:.1%}, 95 % quantile {row.value_at_risk:.1%} (uniform policy: mean "
                f"{row.chance:.1%})."
            )
        return lines

    def rows(self) -> list[tuple[str, float, str]]:
        """Return the answers as rows of a table."""
        rows: list[tuple[str, float, str]] = []
        if isinstance(self.zero, ZeroReward):
            meaning = "log Bayes factor of zero reward over the fitted model (nats)"
            rows.append(("zero_log_bayes_factor", self.zero.log_bayes_factor, meaning))
            if self.zero.slope is not None:
                meaning = "change of this log Bayes factor per factor of e in the width of the prior (nats)"
                rows.append(("zero_slope", self.zero.slope, meaning))
        design = self.design.table if isinstance(self.design, Design) else self.design
        tables = {"planners": self.planners, "pairs": self.pairs, "regret": self.regret, "design": design}
        for question, columns in _REPORTED.items():
            if isinstance(table := tables[question], pd.DataFrame):
                for name, row in table.iterrows():
                    for column, (title, meaning) in columns.items():
                        if column in row:
                            rows.append((f"{title}: {name}", float(row[column]), meaning))
        return rows


def _sentences(result: ZeroReward | Design | str | None) -> list[str]:
    return [str(result)] if result is not None else []
