"""What an audit says: its record, its sentences and its table."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from goalinf import display
from goalinf.identify.audit.contraction import Contraction
from goalinf.identify.audit.questions import Answers
from goalinf.identify.audit.scale_temperature import Ridge
from goalinf.identify.local.null_directions import Direction
from goalinf.identify.local.null_space import NullSpace

_NAMED = 8  # so many unvisited states are named in print
_WITH_AGENT = ("scale", "trade-off")  # kinds of direction that move the agent along with the reward


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """What a posterior can and cannot say; ``print`` it, or :meth:`to_frame`.

    Parameters
    ----------
    n_choices : int
        Choices that were scored.
    n_parameters : int
        Parameters of the reward that were inferred.
    nullity_joint : int
        Directions of the reward and the agent's free parameters together that no amount of behavior shows, as if every
        state were visited.
    nullity_visited : int
        Directions of reward that no amount of choices in the states of these data would show: at least `nullity`.
    null_space : NullSpace
        The directions of `nullity_joint`, named; the first `nullity` of them are of the reward alone.
    free : tuple of str
        The agent's free parameters.
    unvisited : tuple of str
        States without a scored choice (and the context, where there are several), ended ones left out.
    n_places : int
        How many states there are in which a choice could be scored.
    contraction : Contraction, optional
        Posterior against prior; None where the reward was known or its prior has no finite variance.
    ridge : Ridge, optional
        Scale against temperature; None where beta or the reward was known.
    diagnosis : str
        What the fit says of its convergence.
    answers : Answers, optional
        Zero reward, other planners, the cost of acting and further data; None where they were not asked for, or the
        reward was known.
    fit : Fit
        What was audited.
    """

    n_choices: int
    n_parameters: int
    nullity_joint: int
    nullity_visited: int
    null_space: NullSpace
    free: tuple[str, ...]
    unvisited: tuple[str, ...]
    n_places: int
    contraction: Contraction | None
    ridge: Ridge | None
    diagnosis: str
    answers: Answers | None
    fit: Any

    @property
    def nullity(self) -> int:
        """Directions of reward that no amount of behavior shows, the agent known and every state visited."""
        return self.nullity_joint - sum(one.dimension for one in self._with_agent())

    @property
    def effective_dimension(self) -> float | None:
        """Effective identified dimension, the sum of contractions over the directions that behavior can show."""
        return self.contraction.effective_dimension if self.contraction is not None else None

    def to_frame(self) -> pd.DataFrame:
        """The audit as a table: ``quantity``, ``value``, ``meaning``."""
        rows: list[tuple[str, float, str]] = [
            ("choices", self.n_choices, "choices that were scored"),
            ("states", self.n_places, "states in which a choice can be scored"),
            ("unvisited", len(self.unvisited), "states in which a choice can be scored and none was seen"),
            ("reward_parameters", self.n_parameters, "parameters of the reward that were inferred"),
            ("nullity", self.nullity, "directions of reward that no behavior shows, agent known, every state visited"),
            (
                "nullity_joint",
                self.nullity_joint,
                "directions of reward and free agent parameters that no behavior shows",
            ),
            (
                "nullity_visited",
                self.nullity_visited,
                "directions of reward that choices in visited states cannot show",
            ),
        ]
        rows += [(f"null: {one.kind}", one.dimension, one.sentence) for one in self.null_space.directions]
        if (found := self.contraction) is not None:
            change = "mean of 1 - posterior variance / prior variance"
            rows += [
                ("effective_dimension", found.effective_dimension, "sum of contractions, identified directions"),
                ("contraction_identified", _mean(1 - found.identified), f"{change}, identified directions"),
                ("contraction_unidentified", _mean(1 - found.unidentified), f"{change}, unidentified directions"),
                (
                    "contraction_unidentified_error",
                    _mean_error(found),
                    "Monte Carlo standard error of this mean, unidentified directions",
                ),
            ]
        if self.ridge is not None:
            size = "size of the reward"
            rows.append(("ridge_correlation", self.ridge.correlation, f"posterior correlation of log beta, log {size}"))
            for name, of in {"beta": "log beta", "size": f"log {size}", "product": f"log (beta * {size})"}.items():
                rows.append((f"ridge_{name}", getattr(self.ridge, name), f"posterior sd of {of}"))
                rows.append((f"ridge_prior_{name}", getattr(self.ridge, f"prior_{name}"), f"prior sd of {of}"))
        if self.answers is not None:
            rows += self.answers.rows()
        return pd.DataFrame(rows, columns=["quantity", "value", "meaning"])

    def __str__(self) -> str:
        lines = ["What this posterior can say, and what it cannot", *self._data(), *self._reward(), *self._agent()]
        lines += self._contraction()
        if self.ridge is not None:
            lines.append(str(self.ridge))
        if self.answers is not None:
            lines += self.answers.lines(self.n_choices)
        if self.diagnosis:
            lines.append(f"Sampler: {self.diagnosis}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        known = f"{self.nullity} of {self.n_parameters} directions of reward unidentified"
        known = known if self.n_parameters else "reward known"
        return f"Audit({self.n_choices:,} choices, {known}; print it for the sentences)"

    def _repr_html_(self) -> str:
        head, *lines = str(self).splitlines()
        parts = display.paragraphs("\n".join(lines)), display.table(self.readable(), index=False)
        return display.card(head, *parts)

    def readable(self) -> pd.DataFrame:
        """The table of :meth:`to_frame` in words: ``quantity`` and ``value``."""
        frame = self.to_frame()
        items = [f"{item}: " if colon else "" for _, colon, item in (q.partition(": ") for q in frame["quantity"])]
        words = [item + meaning for item, meaning in zip(items, frame["meaning"], strict=True)]
        return pd.DataFrame({"quantity": words, "value": frame["value"]})

    def _with_agent(self) -> list[Direction]:
        return [one for one in self.null_space.directions if one.kind in _WITH_AGENT]

    def _data(self) -> list[str]:
        seen = self.n_places - len(self.unvisited)
        text = f"Data: {_count(self.n_choices, 'choice')} in {seen} of {_count(self.n_places, 'state')}."
        if self.unvisited:
            names = ", ".join(self.unvisited[:_NAMED]) + (", …" if len(self.unvisited) > _NAMED else "")
            text += f" No choice was seen in {names}."
        return [text, *filter(None, [getattr(self.fit, "pooled", "")])]

    def _reward(self) -> list[str]:
        if not self.n_parameters:
            return ["The reward was known; nothing about it was inferred."]
        lines = [
            f"Identified: {self.n_parameters - self.nullity} of {_count(self.n_parameters, 'direction')} of reward, if "
            "every state is visited and the agent's parameters are known."
        ]
        if self.nullity:
            lines.append(f"Prior and nothing else: {_count(self.nullity, 'direction')}, however much data there is.")
            own = (one for one in self.null_space.directions if one.kind not in _WITH_AGENT)
            lines += [f"  {one.kind} ({one.dimension}): {one.sentence}" for one in own]
        if more := self.nullity_visited - self.nullity:
            lines.append(
                f"These visits hide {more} more: {_count(self.nullity_visited, 'direction')} cannot be told from "
                "choices in the visited states alone."
            )
        else:
            lines.append("These visits hide no more than that.")
        return lines

    def _agent(self) -> list[str]:
        if not self.free:
            return []
        names = " and ".join(name.removeprefix("agent.") for name in self.free)
        what = "of reward and agent together" if self.n_parameters else "of the agent"
        verb = "is" if self.nullity_joint == 1 else "are"
        more = self._with_agent()
        head = f"With {names} free, {_count(self.nullity_joint, 'direction')} {what} {verb} not identified"
        return [head + (":" if more else "."), *(f"  {one.kind} ({one.dimension}): {one.sentence}" for one in more)]

    def _contraction(self) -> list[str]:
        if not self.n_parameters:
            return []
        if (found := self.contraction) is None:
            return ["Contraction cannot be said: the prior of the reward has no finite variance to compare with."]
        lines = []
        if len(found.identified):
            lines.append(
                f"Contraction: in the identified directions the posterior variance is on average "
                f"{np.mean(found.identified):.0%} of the prior's. "
                f"Effective identified dimension: {found.effective_dimension:.1f} of {len(found.identified)}."
            )
        if len(found.unidentified):
            verdict = {
                True: "the posterior is the prior, within Monte Carlo error",
                None: "too few effective draws to say more",
                False: "which differs from the prior by more than Monte Carlo error",
            }[found.equals_prior]
            ratio = f"{np.mean(found.unidentified):.0%} ± {_mean_error(found):.0%}"
            what = "it" if lines else "the posterior variance"
            lines.append(f"In the unidentified directions {what} is {ratio} of the prior's: {verdict}.")
            if found.equals_prior is False:
                lines.append(f"  {_GAUSSIAN if found.gaussian else _NOT_GAUSSIAN}")
        return lines


_GAUSSIAN = "The prior is Gaussian, so that they should be equal: the chains have not converged."
_NOT_GAUSSIAN = (
    "The prior is not Gaussian: it ties directions together, and the data narrow these through the prior alone."
)


def _mean(x: np.ndarray) -> float:
    return float(np.mean(x)) if len(x) else float("nan")


def _mean_error(found: Contraction) -> float:
    """Standard error of the mean ratio; directions are independent under the prior."""
    return float(np.sqrt(np.sum(found.error**2)) / len(found.error)) if len(found.error) else float("nan")


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' * (n != 1)}"
