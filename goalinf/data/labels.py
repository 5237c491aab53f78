"""Names of a data set; they stay on the host and never enter compiled code."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np
import pandas as pd
import xarray as xr

from goalinf.rewards import Reward, digest
from goalinf.worlds.names import canonical, check_alike, check_present
from goalinf.worlds.table_files import row_name
from goalinf.worlds.world import World, label


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Labels:
    """Names of the numbers in a :class:`~goalinf.Trajectories`.

    Two labels are equal only if they are the same object: comparing tables would be slow, and labels are removed
    (:meth:`~goalinf.Trajectories.unlabeled`) before data enter compiled code.

    Parameters
    ----------
    trajectories : tuple (N,)
        One key per trajectory; a tuple where several columns name it.
    subjects, contexts : tuple
        Names of the subjects and contexts; the single name 0 where the data have no such column.
    worlds : tuple of World, optional
        The world of each context, in the order of `contexts`; empty where unknown.
    rewards : tuple of str, optional
        Digest of the known reward of each context of simulated data, which detects a changed reward; see
        :func:`goalinf.rewards.digest`. Empty where unknown.
    columns : mapping, optional
        Column of the table (a name, or a tuple of names) for each of ``trajectory``, ``step``, ``state``, ``action``,
        ``subject``, ``context``, ``forced``. For simulated data without a table, those that have names.
    table : DataFrame, optional
        The table that was read, unchanged.
    rows : int (N, T+1), optional
        Position in the table of every visit, −1 where there is none. Column ``t`` is decision ``t``; the
        column after a trajectory's last decision is the visit to its last state.
    source : str, optional
        Name of the text file that the table was read from.
    counted : bool
        True where the trajectories are single choices that were given as counts.
    covariates : DataFrame (N rows), optional
        Further columns of data without a table, one row per trajectory.
    drawn : Dataset, optional
        Parameters of simulated data that were drawn from their priors.

    Raises
    ------
    ValueError
        Where two names print alike (1 and ``"1"``), the name of a subject stands for a missing value, or there is not
        one row of covariates per trajectory.
    """

    trajectories: tuple[Hashable, ...]
    subjects: tuple[Hashable, ...] = (0,)
    contexts: tuple[Hashable, ...] = (0,)
    worlds: tuple[World, ...] = ()
    rewards: tuple[str, ...] = ()
    columns: Mapping[str, Hashable] = dataclasses.field(default_factory=dict)
    table: pd.DataFrame | None = None
    rows: np.ndarray | None = None
    source: str | None = None
    counted: bool = False
    covariates: pd.DataFrame | None = None
    drawn: xr.Dataset | None = None

    def __post_init__(self):
        if self.covariates is not None and len(self.covariates) != len(self.trajectories):
            raise ValueError(
                f"covariates have {len(self.covariates)} rows; expected {len(self.trajectories)}, one per trajectory"
            )
        check_present(self.subjects, "subjects")
        for what in ("trajectories", "subjects", "contexts"):
            check_alike(getattr(self, what), what)

    def select(self, trajectories: np.ndarray, subjects: np.ndarray, contexts: np.ndarray, width: int) -> Labels:
        """Select the names of some trajectories, subjects and contexts (all given by number), over `width` visits."""
        return dataclasses.replace(
            self,
            trajectories=tuple(self.trajectories[i] for i in trajectories),
            subjects=tuple(self.subjects[i] for i in subjects),
            contexts=tuple(self.contexts[i] for i in contexts),
            worlds=tuple(self.worlds[i] for i in contexts) if self.worlds else (),
            rewards=tuple(self.rewards[i] for i in contexts) if self.rewards else (),
            rows=None if self.rows is None else self.rows[trajectories, :width],
            covariates=None if self.covariates is None else self.covariates.iloc[trajectories].reset_index(drop=True),
        )

    def where(self, trajectory: SupportsIndex, step: SupportsIndex) -> str:
        """Return the name of a decision for messages: ``"row 17 (trajectory 3, step 5)"``.

        Errors about a step, such as an action of probability zero, use this name.
        """
        if self.table is None or self.rows is None or self.rows[trajectory, step] < 0:
            return f"trajectory {label(self.trajectories[trajectory])}, step {step}"
        position = int(self.rows[trajectory, step])
        value = self.table[self.columns["step"]].iloc[position]
        return f"{row_name(self.table, position, self.source)} ({step_name(self.trajectories[trajectory], value)})"

    def __repr__(self) -> str:
        counts = [len(names) for names in (self.trajectories, self.subjects, self.contexts)]
        return "Labels({} trajectories, {} subjects, {} contexts)".format(*counts)


def provenance(worlds: Sequence[World], rewards: Sequence[Reward], n_contexts: int) -> dict[str, Any]:
    """Return world and digest of the reward of every context, for the labels of simulated data.

    There is one world per context or one for all; the same holds for rewards.
    """
    pairs = [(worlds[min(c, len(worlds) - 1)], rewards[min(c, len(rewards) - 1)]) for c in range(n_contexts)]
    return {
        "worlds": tuple(world for world, _ in pairs),
        "rewards": tuple(digest(reward, world.mdp) for world, reward in pairs),
    }


def decision_name(labels: Labels | None, trajectory: int, step: int) -> str:
    """Return the name of a decision by :meth:`Labels.where`; by number where the data have no labels."""
    if labels is None:
        return f"trajectory {trajectory}, step {step}"
    return labels.where(trajectory, step)


def step_name(trajectory: Hashable, step: object) -> str:
    """Return ``"trajectory 3, step 5"``; a step stored as 5.0 is step 5."""
    return f"trajectory {label(trajectory)}, step {canonical(step)}"
