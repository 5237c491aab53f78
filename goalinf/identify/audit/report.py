"""Result of an audit: record, sentences and table."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from goalinf import display
from goalinf.identify.audit.answers import Answers
from goalinf.identify.audit.contraction import Contraction
from goalinf.identify.audit.scale_temperature import Ridge
from goalinf.identify.local.null_directions import Direction
from goalinf.identify.local.null_space import NullSpace
from goalinf.identify.local.visited_states import VisitedStates

_NAMED = 8  # unvisited states named in print, at most
_WITH_AGENT = ("scale", "agent", "trade-off")  # kinds of null direction that involve parameters of the agent


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """Identified and unidentified parts of a posterior; ``print`` it, or :meth:`to_frame`.

    Parameters
    ----------
    n_observed : int
        Number of scored actions, or other observations.
    n_parameters : int
        Number of inferred parameters of the reward.
    nullity_joint : int
        Dimension of the null space of the reward and the free parameters of the agent together; for trajectories, if
        every state is visited.
    nullity_data : int
        Directions of reward that the data leave unidentified, at least `nullity`: those that no number of actions in
        the visited states identifies; for other observations those along which, to first order at the last draw, the
        likelihood of no observation changes.
    null_space : NullSpace
        The null directions of `nullity_joint`, named; the first `nullity` of them involve the reward alone.
    free : tuple of str
        Names of the free parameters of the agent.
    visits : VisitedStates, optional
        For trajectories, the states with and without a scored action; None for other observations.
    contraction : Contraction, optional
        Posterior variance relative to the prior; None if the reward was known or its prior has no finite variance.
    ridge : Ridge, optional
        Scale of the reward and inverse temperature; None if beta or the reward was known.
    diagnosis : str
        Convergence diagnosis of the fit.
    answers : Answers, optional
        Zero reward, other planners, degenerate pairs, expected regret and further data; None with ``quick=True``, or
        if the reward was known.
    fit : Fit
        The audited fit.
    """

    n_observed: int
    n_parameters: int
    nullity_joint: int
    nullity_data: int
    null_space: NullSpace
    free: tuple[str, ...]
    visits: VisitedStates | None
    contraction: Contraction | None
    ridge: Ridge | None
    diagnosis: str
    answers: Answers | None
    fit: Any

    @property
    def nullity(self) -> int:
        """Number of null directions of the reward, given the agent, along which its posterior equals its prior.

        For trajectories, if every state is visited; for other observations, at all examined draws.
        """
        return self.nullity_joint - sum(direction.dimension for direction in self._with_agent())

    @property
    def effective_dimension(self) -> float | None:
        """Effective identified dimension: sum of contractions over the identified directions."""
        return self.contraction.effective_dimension if self.contraction is not None else None

    def to_frame(self) -> pd.DataFrame:
        """Return the audit as a table: ``quantity``, ``value``, ``meaning``."""
        rows: list[tuple[str, float, str]] = [("observed", self.n_observed, f"scored {self._noun}s")]
        if (visits := self.visits) is not None:
            rows += [
                ("states", visits.n_states, "states in which an action can be scored"),
                ("unvisited", len(visits.unvisited), "states in which an action can be scored and none was observed"),
            ]
            assumption, by_data = "agent known, every state visited", "not identified by actions in the visited states"
        else:
            assumption, by_data = (
                "agent known, at all examined draws",
                f"null for all {self._noun}s, to first order at one draw",
            )
        rows += [
            ("reward_parameters", self.n_parameters, "inferred parameters of the reward"),
            ("nullity", self.nullity, f"null directions of the reward ({assumption})"),
            ("nullity_joint", self.nullity_joint, "null directions of reward and free agent parameters together"),
            ("nullity_data", self.nullity_data, f"directions of reward {by_data}"),
        ]
        directions = self.null_space.directions
        rows += [(f"null: {direction.kind}", direction.dimension, direction.sentence) for direction in directions]
        if (contraction := self.contraction) is not None:
            change = "mean of 1 - posterior variance / prior variance"
            rows += [
                ("effective_dimension", contraction.effective_dimension, "sum of contractions, identified directions"),
                ("contraction_identified", _mean(1 - contraction.identified), f"{change}, identified directions"),
                ("contraction_unidentified", _mean(1 - contraction.unidentified), f"{change}, unidentified directions"),
                (
                    "contraction_unidentified_error",
                    _mean_error(contraction),
                    "Monte Carlo standard error of this mean, unidentified directions",
                ),
            ]
        if self.ridge is not None:
            size = "size of the reward"
            rows.append(("ridge_correlation", self.ridge.correlation, f"posterior correlation of log beta, log {size}"))
            quantities = {"beta": "log beta", "size": f"log {size}", "product": f"log (beta * {size})"}
            for name, quantity in quantities.items():
                rows.append((f"ridge_{name}", getattr(self.ridge, name), f"posterior sd of {quantity}"))
                rows.append((f"ridge_prior_{name}", getattr(self.ridge, f"prior_{name}"), f"prior sd of {quantity}"))
        if self.answers is not None:
            rows += self.answers.rows()
        return pd.DataFrame(rows, columns=["quantity", "value", "meaning"])

    def __str__(self) -> str:
        lines = [
            "Audit of the posterior: identified and unidentified directions",
            *self._data(),
            *self._reward(),
            *self._agent(),
        ]
        lines += self._contraction()
        if self.ridge is not None:
            lines.append(str(self.ridge))
        if self.answers is not None:
            lines += self.answers.lines(self.n_observed)
        if self.diagnosis:
            lines.append(f"Sampler: {self.diagnosis}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        summary = f"{self.nullity} of {self.n_parameters} directions of reward unidentified"
        summary = summary if self.n_parameters else "reward known"
        return f"Audit({_count(self.n_observed, self._noun)}, {summary}; print it for the sentences)"

    def _repr_html_(self) -> str:
        head, *lines = str(self).splitlines()
        parts = display.paragraphs("\n".join(lines)), display.table(self.readable(), index=False)
        return display.card(head, *parts)

    def readable(self) -> pd.DataFrame:
        """Table of :meth:`to_frame` in words: ``quantity`` and ``value``."""
        frame = self.to_frame()
        items = [f"{item}: " if colon else "" for _, colon, item in (q.partition(": ") for q in frame["quantity"])]
        words = [item + meaning for item, meaning in zip(items, frame["meaning"], strict=True)]
        return pd.DataFrame({"quantity": words, "value": frame["value"]})

    @property
    def _noun(self) -> str:
        return self.fit.data.noun

    def _with_agent(self) -> list[Direction]:
        return [direction for direction in self.null_space.directions if direction.kind in _WITH_AGENT]

    def _data(self) -> list[str]:
        text = f"Data: {_count(self.n_observed, self._noun)}"
        if (visits := self.visits) is not None:
            text += f" in {visits.n_states - len(visits.unvisited)} of {_count(visits.n_states, 'state')}"
            if visits.unvisited:
                names = ", ".join(visits.unvisited[:_NAMED]) + (", …" if len(visits.unvisited) > _NAMED else "")
                text += f". No action was observed in {names}"
        text += "."
        return [text, *filter(None, [getattr(self.fit, "pooled", "")])]

    def _reward(self) -> list[str]:
        if not self.n_parameters:
            return ["The reward was known and was not inferred."]
        lines = self._nullity() if self.visits is not None else self._nullity_of_observations()
        reward_only = (direction for direction in self.null_space.directions if direction.kind not in _WITH_AGENT)
        lines[2:2] = map(_line, reward_only)
        return lines

    def _nullity(self) -> list[str]:
        """Return what any behavior, and actions in the visited states, identify of the reward."""
        lines = [
            f"Identified: {self.n_parameters - self.nullity} of {_count(self.n_parameters, 'direction')} of reward, if "
            "every state is visited and the agent's parameters are known."
        ]
        if self.nullity:
            lines.append(
                f"Not identified: {_count(self.nullity, 'direction')}. {self._equal_prior} for any amount of data."
            )
        if more := self.nullity_data - self.nullity:
            lines.append(
                f"The visited states leave {_count(more, 'further direction')} unidentified "
                f"({self.nullity_data} in total)."
            )
        else:
            lines.append("The visited states leave no further direction unidentified.")
        return lines

    def _nullity_of_observations(self) -> list[str]:
        """Return what the observations of the fit identify of the reward; others may identify more."""
        lines = [
            f"Identified by {self.null_space.source}: {self.n_parameters - self.nullity_data} of "
            f"{_count(self.n_parameters, 'direction')} of reward, to first order at one posterior draw, if the agent's "
            "parameters are known."
        ]
        if self.nullity:
            lines.append(
                f"Not identified at any draw: {_count(self.nullity, 'direction')}. {self._equal_prior}; other "
                "observations may identify more."
            )
        if more := self.nullity_data - self.nullity:
            lines.append(f"Not identified at one draw: {_count(more, 'further direction')}, which depend on the draw.")
        return lines

    @property
    def _equal_prior(self) -> str:
        owner = "Its posterior equals its" if self.nullity == 1 else "Their posterior equals their"
        return f"{owner} prior"

    def _agent(self) -> list[str]:
        if not self.free:
            return []
        names = " and ".join(name.removeprefix("agent.") for name in self.free)
        what = "of reward and agent together" if self.n_parameters else "of the agent"
        verb = "is" if self.nullity_joint == 1 else "are"
        with_agent = self._with_agent()
        head = f"With {names} free, {_count(self.nullity_joint, 'direction')} {what} {verb} not identified"
        head += "" if self.null_space.source is None else f" by {self.null_space.source}, to first order at one draw"
        return [head + (":" if with_agent else "."), *map(_line, with_agent)]

    def _contraction(self) -> list[str]:
        if not self.n_parameters:
            return []
        if (contraction := self.contraction) is None:
            return ["Contraction: not computed, because the prior of the reward has no finite variance."]
        lines = []
        if len(contraction.identified):
            lines.append(
                f"Contraction: in the identified directions, the posterior variance is on average "
                f"{np.mean(contraction.identified):.0%} of the prior variance. "
                f"Effective identified dimension: {contraction.effective_dimension:.1f} of "
                f"{len(contraction.identified)}."
            )
        if len(contraction.unidentified):
            verdict = {
                True: "equal to the prior within Monte Carlo error",
                None: "too few effective draws for a comparison",
                False: "different from the prior by more than Monte Carlo error",
            }[contraction.equals_prior]
            ratio = f"{np.mean(contraction.unidentified):.0%} ± {_mean_error(contraction):.0%}"
            what = "it" if lines else "the posterior variance"
            lines.append(f"In the unidentified directions, {what} is {ratio} of the prior variance: {verdict}.")
            if contraction.equals_prior is False:
                unless = "" if self.visits is not None else _UNLESS
                lines.append(f"  {_GAUSSIAN + unless if contraction.gaussian else _NOT_GAUSSIAN}")
        return lines


_GAUSSIAN = "With a Gaussian prior the two are equal at convergence: the chains have not converged."
_UNLESS = " Or the directions are null at the examined draws only."
_NOT_GAUSSIAN = (
    "The prior is not Gaussian: its directions are dependent, and the data narrow the unidentified ones through the "
    "prior alone."
)


def _line(direction: Direction) -> str:
    return f"  {direction.kind} ({direction.dimension}): {direction.sentence}"


def _mean(x: np.ndarray) -> float:
    return float(np.mean(x)) if len(x) else float("nan")


def _mean_error(contraction: Contraction) -> float:
    """Compute the standard error of the mean ratio; directions are independent under the prior."""
    error = contraction.error
    return float(np.sqrt(np.sum(error**2)) / len(error)) if len(error) else float("nan")


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' * (n != 1)}"
