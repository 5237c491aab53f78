"""Trajectories: what was observed, as rectangular arrays, and the counts that the likelihood needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Array

from goalinf.agents.agent import Agent
from goalinf.checks import takes_key
from goalinf.data.cells import Cells
from goalinf.data.counts import Counts, from_counts
from goalinf.data.covariates import replicated_labels
from goalinf.data.frame import to_frame
from goalinf.data.labels import Labels, provenance
from goalinf.data.matching.admission import check_data, check_forced
from goalinf.data.observations import Plans
from goalinf.data.recorded import Recorded
from goalinf.data.summary import as_html, in_words
from goalinf.data.trajectory_arrays import Rows, check_schedule, chosen_numbers, completed, forced_of, outcomes_of
from goalinf.types import Numbers
from goalinf.worlds.world import World


class Trajectories(Recorded):
    """Observed behavior: N trajectories of up to T decisions, padded to a rectangle.

    Made by :func:`~goalinf.read_trajectories` from a table, by :func:`~goalinf.simulate`, by :meth:`of` from arrays, or
    by :meth:`from_counts` from counts of choices. A pytree, so that it can be the value of a NumPyro distribution.

    Padding and a missing choice are different facts. A *missing choice* is a step before the end of its
    trajectory where no action was recorded: the state moves on (or stays, where a response was missed and nothing was
    done), the likelihood gets nothing. *Padding* lies behind the end. `observed` is False for both.

    A *forced* action is recorded, and was set by the experimenter: an agent learns from its outcome and forms habits as
    from any other action, and it is not scored. It is no evidence on parameters, hidden modes or options of a mixture.

    Parameters
    ----------
    states : int (N, T+1)
        State before each decision, and the state after the last one; −1 for padding and for a last state
        that was not seen.
    actions : int (N, T)
        Chosen actions, −1 where missing or padding.
    lengths : int (N,)
        Number of decision steps, missing choices included.
    observed : bool (N, T)
        True where an action was recorded.
    subject, context : int (N,)
        Numbers of the subject and the context of each trajectory, into ``labels.subjects`` and
        ``labels.contexts``.
    cells : Cells
        Counts of the choices.
    labels : Labels, optional
        Names, and the table the data came from; on the host only.
    contexts : tuple, optional
        Name of each context, by number, where there are no labels; compiled code reads it. None: a context is named by
        its number.
    outcomes : float (N, T, A) or (N, T, S, A), optional
        Outcome of every action, in every state where it depends on that; NaN where unknown.
    forced : bool (N, T), optional
        True where the recorded action was forced; None where no action was.

    Raises
    ------
    ValueError
        Where NumPy arrays do not agree with one another (traced arrays are not looked at).

    Examples
    --------
    >>> import goalinf as gi
    >>> data = gi.Trajectories.of([[0, 1, 2], [1, 2, -1]], [[0, 0], [0, -1]])
    >>> print(data)
    Trajectories: 2 trajectories, 1 to 2 steps each, 3 in all
    no missing choices
    1 subject, 1 context
    >>> data.cells.state, data.cells.weight
    (array([0, 1], dtype=int32), array([1., 2.]))
    """

    @classmethod
    def of(
        cls,
        states: Rows,
        actions: Rows,
        *,
        lengths: Rows | None = None,
        observed: Rows | None = None,
        subject: Rows | None = None,
        context: Rows | None = None,
        labels: Labels | None = None,
        contexts: Collection[Hashable] | None = None,
        outcomes: Rows | None = None,
        forced: Rows | None = None,
    ) -> Trajectories:
        """Assemble the record from arrays, on the host, and count the cells.

        Parameters
        ----------
        states : int (N, T+1)
            −1 where there is none. Append a column of −1 where last states were not seen.
        actions : int (N, T)
            −1 where missing or padding.
        lengths : int (N,), optional
            Decision steps. Whatever lies behind them is blanked. Without them a trajectory ends at its last
            state; that last state counts as a decision only if an action was recorded there.
        observed : bool (N, T), optional
            False hides a recorded choice, which then counts as missing. Default: wherever there is an action.
        subject, context : int (N,), optional
            Default: one subject, one context.
        labels : Labels, optional
            Names.
        contexts : sequence, optional
            Name of each context, by number, where there are no labels.
        outcomes : float (N, T), (N, T, A) or (N, T, S, A), optional
            Outcome of every step, from which agents learn under a :class:`~goalinf.RecordedReward`: of the chosen
            action; of every action, where the agent saw all of them or they are known in advance; or of every state
            and action. NaN where there is none.
        forced : bool (N, T), optional
            True where the action was set by the experimenter: it is learned from and not scored. Default: nowhere.

        Raises
        ------
        ValueError
            Where shapes do not fit, a number is not an integer, a decision has no state, a forced step has no action,
            or names do not fit.
        """
        arrays = completed(states, actions, lengths, observed, subject, context)
        named = None if contexts is None else tuple(contexts)
        given = None if outcomes is None else outcomes_of(outcomes, arrays["actions"])
        imposed = None if forced is None else forced_of(forced, arrays["lengths"], arrays["observed"], observed)
        data = cls(**arrays, cells=_no_cells(), labels=labels, contexts=named, outcomes=given, forced=imposed)
        return _with_cells(data)

    @classmethod
    def from_counts(cls, world: World, counts: Counts) -> Trajectories:
        """Assemble the record from counts of choices n(s, a).

        Every choice becomes a trajectory of one step after which the next state was not seen, so that counts can be
        given wherever trajectories are scored. Counts have no order: they are all that the likelihood of a stationary
        policy needs. Agents with latent modes, a memory or a finite horizon refuse them, and so do mixtures with
        ``by="trajectory"``.

        Parameters
        ----------
        world : World
            Where the choices were made.
        counts : int (S, A), mapping, Series or DataFrame
            How often each action was chosen in each state: an array in the order of the world's states and actions; a
            mapping from (state, action), or from state to a mapping from action; a Series with such an index; a frame
            with states as its index and actions as its columns, or with the columns ``state``, ``action``, ``count``.
            By name, what is not listed was not chosen, and neither is an empty cell of a frame.

        Returns
        -------
        Trajectories
            As many as there are choices, at most 100,000.

        Raises
        ------
        ValueError
            Where a count is not a whole number of at least 0, a name is unknown or counted twice, an action is not
            available or its state terminal, the shape does not fit, or there is no choice or too many.
        TypeError
            Where ``counts`` is an xarray array, whose labels would be lost, or ``world`` is no world.

        Examples
        --------
        >>> import goalinf as gi
        >>> hall = gi.gridworld("s.a", discount=0.9)
        >>> data = gi.Trajectories.from_counts(hall, {("s", "right"): 3, ((0, 1), "left"): 1})
        >>> data.choice_counts(3, 4)
        array([[0., 0., 0., 3.],
               [0., 0., 1., 0.],
               [0., 0., 0., 0.]])
        """
        return cls.of(**from_counts(world, counts))

    @classmethod
    def traced(
        cls,
        states: Array,
        actions: Array,
        *,
        lengths: Array,
        observed: Array,
        subject: Array,
        context: Array,
        contexts: tuple[Any, ...] | None = None,
        outcomes: Array | None = None,
        forced: Array | None = None,
    ) -> Trajectories:
        """Assemble the record inside compiled code: one cell per step, nothing checked, no labels."""
        choices = observed if forced is None else observed & ~forced
        cells = Cells.each(states, actions, choices, subject, context)
        return cls(
            states=states,
            actions=actions,
            lengths=lengths,
            observed=observed,
            subject=subject,
            context=context,
            cells=cells,
            contexts=contexts,
            outcomes=outcomes,
            forced=forced,
        )

    def check(self, worlds: Sequence[World], agent: Agent) -> None:
        """Refuse data that cannot come from these worlds, or counts where the order of the actions matters.

        Raises
        ------
        ValueError
            Where an action does not exist, follows a terminal state, or has probability zero of leading to the next
            state; or where the data are counts and the actions of the agent depend on their order, or every trajectory
            comes from one of several agents.
        """
        check_data(jax.tree.map(np.asarray, self), worlds, agent)

    @takes_key
    def replicated(self, key: Array, plans: Sequence[Plans], option: np.ndarray) -> Trajectories:
        """Draw trajectories with these starts, lengths, missing and forced actions; see :class:`Observations`."""
        if any(reward.recorded for plan in plans for reward in plan.rewards):
            check_schedule(self, plans[0].worlds)
        simulated = [plan.rolled_out(key, self) for plan in plans]
        rows = option, np.arange(self.n_trajectories)
        states, actions, alive = (np.stack(arrays)[rows] for arrays in zip(*simulated, strict=True))
        alive = alive & (np.arange(self.max_steps) < np.asarray(self.lengths)[:, None])
        source = provenance(plans[0].worlds, plans[0].rewards, self.n_contexts)
        forced = None if self.forced is None else alive & np.asarray(self.forced)
        if forced is not None:
            check_forced(self, plans[0].worlds, states, forced)
        return Trajectories.of(
            states,
            actions,
            lengths=alive.sum(1),
            observed=alive & np.asarray(self.observed),
            subject=self.subject,
            context=self.context,
            labels=replicated_labels(self, **source),
            contexts=self.contexts,
            outcomes=self.outcomes,
            forced=forced,
        )

    # -- other forms of the same data -------------------------------------------------------------

    def unlabeled(self, n_pairs: int | None = None) -> Trajectories:
        """Keep the numbers, as compiled code needs them, and of all names those of the contexts.

        Worlds and rewards are matched with contexts by name. Contexts that are named by their numbers need no names.
        With ``n_pairs``, states times actions of the largest world, the counts are padded, so that further data of the
        same shape share compiled programs.
        """
        names = self.named_contexts
        by_number = names is None or all(type(name) is int and name == i for i, name in enumerate(names))
        cells = self.cells
        if n_pairs is not None:
            cells = cells.padded(min(self.observed.size, self.n_subjects * self.n_contexts * n_pairs))
        return dataclasses.replace(self, cells=cells, labels=None, contexts=None if by_number else names)

    def in_contexts(self, context: np.ndarray) -> Trajectories:
        """Replace the number of the context of every trajectory, ``(N,)``; without labels."""
        return _with_cells(dataclasses.replace(self, context=np.asarray(context, np.int32), labels=None, contexts=None))

    def select(self, trajectories: slice | Numbers) -> Trajectories:
        """Select trajectories by mask ``(N,)``, by number, or by slice; repeats are allowed (bootstrap).

        Subjects and contexts that no longer occur are left out of the names, so a subject may have another
        number than before; without labels, numbers stay what they are.

        Raises
        ------
        ValueError
            Where a mask has another length than N, a number is out of range, or nothing is selected.
        """
        chosen = chosen_numbers(trajectories, self.n_trajectories)
        width = max(int(np.asarray(self.lengths)[chosen].max()), 1)
        subject, context, labels = np.asarray(self.subject)[chosen], np.asarray(self.context)[chosen], self.labels
        if labels is not None:
            subjects, subject = np.unique(subject, return_inverse=True)
            contexts, context = np.unique(context, return_inverse=True)
            labels = labels.select(chosen, subjects, contexts, width + 1)
        return Trajectories.of(
            np.asarray(self.states)[chosen, : width + 1],
            np.asarray(self.actions)[chosen, :width],
            lengths=np.asarray(self.lengths)[chosen],
            observed=np.asarray(self.observed)[chosen, :width],
            subject=subject,
            context=context,
            labels=labels,
            contexts=self.contexts,
            outcomes=None if self.outcomes is None else np.asarray(self.outcomes)[chosen, :width],
            forced=None if self.forced is None else np.asarray(self.forced)[chosen, :width],
        )

    @property
    def drawn(self) -> xr.Dataset:
        """Parameters that were drawn from their priors for these simulated data, labeled as those of a fit.

        Raises
        ------
        ValueError
            Where the data were not simulated, or by a known agent.
        """
        if self.labels is None or self.labels.drawn is None:
            raise ValueError(
                "no parameter was drawn for these data: gi.simulate(…) draws the priors of an agent and a reward"
            )
        return self.labels.drawn

    def to_frame(self, **columns: Numbers) -> pd.DataFrame:
        """Return the data as a long table, with further columns aligned to its rows.

        Data that were read from a table come back as that table: its rows, columns, order and index (after
        :meth:`select`, the rows of the selected trajectories). Other data become one row per decision with
        the columns ``subject``, ``trajectory``, ``step``, ``state``, ``action``, ``next_state``, with
        ``context`` where contexts have names and ``row`` and ``col`` on maps; states and actions
        carry their names where the labels know the world, and on worlds with memory the state is this node. Outcomes
        are the column ``outcome``, and ``outcome of <action>`` for all actions where those of others are known; where
        actions were forced, there is a column ``forced``.

        Parameters
        ----------
        **columns : array (N, T)
            One value per decision, such as log-probabilities. Rows without a recorded action (missing
            choices, visits to a last state) get NaN; those of forced actions keep their value.

        Raises
        ------
        ValueError
            Where an array is not ``(N, T)`` or the table has a column of that name.

        Examples
        --------
        >>> import goalinf as gi
        >>> data = gi.Trajectories.of([[0, 1, -1], [1, 1, 0]], [[0, 1], [1, 0]])
        >>> data.to_frame(surprise=data.actions * 2.0)
           subject  trajectory  step  state  action  next_state  surprise
        0        0           0     0      0       0         1.0       0.0
        1        0           0     1      1       1         NaN       2.0
        2        0           1     0      1       1         1.0       2.0
        3        0           1     1      1       0         0.0       0.0
        """
        return to_frame(self, columns)

    def __repr__(self) -> str:
        return in_words(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def _no_cells() -> Cells:
    none = np.zeros(0, np.int32)
    return Cells(subject=none, context=none, state=none, action=none, weight=np.zeros(0))


def _with_cells(data: Trajectories) -> Trajectories:
    """Count the cells of the data; counting comes after the checks of construction."""
    cells = Cells.count(data.states, data.actions, data.choices, data.subject, data.context)
    return eqx.tree_at(lambda d: d.cells, data, cells)
