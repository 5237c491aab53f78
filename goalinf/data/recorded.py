"""Arrays of trajectories, how much they hold, and their units: what functions of trajectories need to know."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float, Int

from goalinf.data.cells import Cells
from goalinf.data.labels import Labels, decision_name
from goalinf.data.observations import Observations, Plans
from goalinf.data.trajectory_arrays import check, check_outcomes
from goalinf.types import Numbers
from goalinf.worlds.world import label


class Recorded(Observations):
    """Record of trajectories; abstract. Its only class is :class:`~goalinf.Trajectories`, which documents the fields.

    The functions that check, score and print trajectories take this class, and the conversions of
    :class:`~goalinf.Trajectories` are built on them.
    """

    units: ClassVar[tuple[str, ...]] = ("step", "trajectory", "subject", "data")
    unit: ClassVar[str] = "trajectory"
    noun: ClassVar[str] = "action"

    states: Int[Array | np.ndarray, "N visits"]
    actions: Int[Array | np.ndarray, "N T"]
    lengths: Int[Array | np.ndarray, " N"]
    observed: Bool[Array | np.ndarray, "N T"]
    subject: Int[Array | np.ndarray, " N"]
    context: Int[Array | np.ndarray, " N"]
    cells: Cells
    labels: Labels | None = eqx.field(static=True, default=None)
    contexts: tuple[Any, ...] | None = eqx.field(static=True, default=None)
    outcomes: Float[Array | np.ndarray, "N T *S A"] | None = None
    forced: Bool[Array | np.ndarray, "N T"] | None = None

    def __check_init__(self) -> None:
        fields = (self.states, self.actions, self.lengths, self.observed, self.subject, self.context)
        if all(isinstance(field, np.ndarray) for field in fields):
            forced = None if self.forced is None else np.asarray(self.forced)
            check(self.labels, *[np.asarray(field) for field in fields], contexts=self.contexts, forced=forced)
            if self.outcomes is not None:
                check_outcomes(np.asarray(self.outcomes), np.asarray(self.states), np.asarray(self.actions))

    @abc.abstractmethod
    def select(self, trajectories: slice | Numbers) -> Recorded:
        """Select trajectories by mask ``(N,)``, by number, or by slice."""

    @abc.abstractmethod
    def to_frame(self, **columns: Numbers) -> pd.DataFrame:
        """Return the data as a long table, with further columns aligned to its rows."""

    # -- how much there is ----------------------------------------------------------------------

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories, N."""
        return self.states.shape[-2]

    @property
    def max_steps(self) -> int:
        """Number of decision steps of the longest trajectory, T."""
        return self.actions.shape[-1]

    @property
    def n_steps(self) -> int:
        """Number of decision steps in all, missing choices included."""
        return int(np.sum(self.lengths, dtype=np.int64))

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return len(self.subject_names)

    @property
    def n_contexts(self) -> int:
        """Number of contexts."""
        return len(self.context_names)

    @property
    def trajectory_names(self) -> tuple[Hashable, ...]:
        """Key of each trajectory; its number where there are no labels."""
        return self.labels.trajectories if self.labels else tuple(range(self.n_trajectories))

    @property
    def subject_names(self) -> tuple[Hashable, ...]:
        """Name of each subject; its number where there are no labels."""
        return self.labels.subjects if self.labels else tuple(range(int(np.max(self.subject, initial=-1)) + 1))

    @property
    def named_contexts(self) -> tuple[Hashable, ...] | None:
        """Name of each context, in compiled code too; None where contexts have no names."""
        return self.labels.contexts if self.labels else self.contexts

    @property
    def choices(self) -> Bool[Array | np.ndarray, "N T"]:
        """True where the agent chose the recorded action, which is scored; False where the action was forced."""
        return self.observed if self.forced is None else self.observed & ~self.forced

    @property
    def chosen_outcomes(self) -> Float[np.ndarray, "N T"]:
        """Outcomes of the recorded actions; NaN where there is none, or no action."""
        actions = np.asarray(self.actions)
        if self.outcomes is None:
            return np.full(actions.shape, np.nan)
        chosen = np.take_along_axis(self.outcomes_at_states, np.maximum(actions, 0)[..., None], axis=2)[..., 0]
        return np.where(actions >= 0, chosen, np.nan)

    @property
    def outcomes_at_states(self) -> Float[np.ndarray, "N T A"]:
        """Outcomes of all actions in the states of the data; NaN where unknown."""
        outcomes = np.asarray(self.outcomes)
        if outcomes.ndim < 4:
            return outcomes
        states = np.maximum(np.asarray(self.states)[:, :-1], 0)
        return np.take_along_axis(outcomes, states[..., None, None], axis=2)[:, :, 0]

    def state_visits(self, n_states: int) -> np.ndarray:
        """Count the visits of each state, ``(S,)``: at every decision, missing choices included, and at the end."""
        states = np.asarray(self.states)
        return np.bincount(states[states >= 0], minlength=n_states)

    def choice_counts(
        self, n_states: int, n_actions: int, *, contexts: int | Sequence[int] | np.ndarray | None = None
    ) -> np.ndarray:
        """Count how often each action was chosen in each state, ``(S, A)``, over all subjects.

        Forced actions are not counted. ``contexts`` are the numbers of some; by default all count.
        """
        cells = self.cells
        of_contexts = slice(None) if contexts is None else np.isin(np.asarray(cells.context), contexts)
        counts = np.zeros((n_states, n_actions))
        state, action, weight = (np.asarray(x)[of_contexts] for x in (cells.state, cells.action, cells.weight))
        np.add.at(counts, (state, action), weight)
        return counts

    # -- observations -----------------------------------------------------------------------------

    def log_likelihood(self, plans: Plans, unit: str) -> Float[Array | np.ndarray, ...]:
        """Return the log-probability of the choices, in nats; see :class:`goalinf.data.Observations`."""
        return plans.actions(self, unit)

    def scored(self, unit: str) -> Bool[np.ndarray, ...]:
        """Return True for every step ``(N, T)`` or trajectory ``(N,)`` with a choice: forced actions are not scored."""
        choices = np.asarray(self.choices)
        return choices if unit == "step" else np.asarray(choices.any(axis=-1))

    def arrays(self) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return the names of the axes and the numbers of every array."""
        steps = ("trajectory", "step")
        axes = {"states": ("trajectory", "visit"), "actions": steps, "observed": steps, "forced": steps}
        names = ["states", "actions", "lengths", "observed", "subject", "context"]
        if self.forced is not None:
            names.append("forced")
        if self.outcomes is not None:
            by_state = ("outcome_state",) if np.ndim(self.outcomes) > 3 else ()
            axes["outcomes"] = (*steps, *by_state, "outcome_action")
            names.append("outcomes")
        return {name: (axes.get(name, ("trajectory",)), np.asarray(getattr(self, name))) for name in names}

    def names(self, unit: str) -> tuple[Hashable, ...]:
        """Return the names of trajectories or subjects."""
        return self.subject_names if unit == "subject" else self.trajectory_names

    def where(self, unit: str, *item: int) -> str:
        """Return ``"row 17 (trajectory 3, step 5)"`` for messages."""
        if unit == "step":
            return decision_name(self.labels, *item)
        return f"{unit} {label(self.names(unit)[item[0]])}"
