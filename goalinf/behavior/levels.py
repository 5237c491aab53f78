"""Levels: parameters that have one value per subject, context or covariate, and the plans that they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jaxtyping import Int

from goalinf.agents.agent import Agent
from goalinf.agents.policy import Policy
from goalinf.behavior.conditions import Conditions, Rewards
from goalinf.behavior.fill import fill
from goalinf.data import Observations, Trajectories
from goalinf.data.covariates import level_names, level_numbers
from goalinf.precision import cast, on_host
from goalinf.rewards import Reward
from goalinf.types import Numeric, Real
from goalinf.worlds import MDP

_Data = TypeVar("_Data", bound=Observations)
_ALWAYS = ("subject", "context")  # units of all data
_OTHER_DATA = "parameters have no values for its subject in its context: give the data for which the levels were made"
_MOST_CHOICES = 4  # choices of levels in conditions that are computed for each one that has data


@dataclasses.dataclass(frozen=True, eq=False)
class Levels:
    """Parameters with one value per subject, context or covariate, in the data for which they are made.

    A cell of the design is a context together with one value of every covariate. A plan is needed for each condition
    and each level in it: subjects with equal parameters and the same world and reward share a plan.

    Parameters
    ----------
    number : int (D, U)
        Number of the plan of every cell and subject; -1 where there are no data.
    subject, cell : int (P,)
        Subject and cell of every plan; one of them where several have the plan.
    cells : int (D, 1 + V)
        Number of the context of every cell, and of the level of each of the V covariates.
    names : mapping
        Names of the levels, by number: of ``"subject"``, ``"context"``, and then of every covariate.
    by : mapping
        Parameter, such as ``"agent.beta"``, to the units that have values of their own.
    values : mapping
        Parameter to its values, with one leading axis per unit, in the order of the numbers of the levels.
    """

    number: Int[np.ndarray, "D U"]
    subject: Int[np.ndarray, " P"]
    cell: Int[np.ndarray, " P"]
    cells: Int[np.ndarray, "D axes"]
    names: Mapping[str, tuple[Hashable, ...]]
    by: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Numeric] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, data: Observations, by: Mapping[str, tuple[str, ...]], conditions: Conditions) -> Levels:
        """Find the plans that a data set needs; ``conditions`` are those of its contexts.

        Raises
        ------
        TypeError, ValueError
            Where the data do not have a covariate.
        """
        covariates = dict.fromkeys(unit for units in by.values() for unit in units if unit not in _ALWAYS)
        names = {unit: level_names(data, unit) for unit in (*_ALWAYS, *covariates)}
        if covariates:
            members = np.stack([level_numbers(data, unit) for unit in ("context", *covariates)], axis=1)
            cells, cell = np.unique(members, axis=0, return_inverse=True)
            cell = cell.ravel()
        else:
            cells, cell = np.arange(len(names["context"]))[:, None], np.asarray(data.context)
        pairs = np.unique(np.stack([cell, np.asarray(data.subject)], axis=1), axis=0)
        number = np.full((len(cells), len(names["subject"])), -1, np.int32)
        levels = cls(number, pairs[:, 1], pairs[:, 0], cells, names, by)
        condition = levels.condition(conditions)
        members = np.stack([condition, *levels._used()], axis=1)
        _, first, plan = np.unique(members, axis=0, return_index=True, return_inverse=True)
        number[pairs[:, 0], pairs[:, 1]] = plan.ravel()
        return dataclasses.replace(levels, subject=pairs[first, 1], cell=pairs[first, 0])

    @property
    def context(self) -> Int[np.ndarray, " P"]:
        """Context of every plan."""
        return self.cells[self.cell, 0]

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariates."""
        return tuple(self.names)[len(_ALWAYS) :]

    def condition(self, conditions: Conditions) -> Int[np.ndarray, " P"]:
        """Return the number of the condition of every plan, where conditions are those of the contexts."""
        return conditions.number[self.context] if conditions.by_name else np.zeros(len(self.cell), int)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Numbers on which compiled programs depend."""
        return self.number, self.subject, self.cell, self.cells

    def coded(self, data: Observations) -> Any:
        """Return data in which contexts are cells of the design, of the same class.

        Data without labels are returned unchanged: they have no covariates, or their contexts are cells already.

        Raises
        ------
        ValueError
            Where the data have other covariates or contexts than those for which the levels were made.
        """
        if not self._in_contexts(data):
            return data
        assert isinstance(data, Trajectories)
        members = np.stack([self._numbers(data, unit) for unit in ("context", *self.covariates)], axis=1)
        number_of = {tuple(cell): number for number, cell in enumerate(self.cells.tolist())}
        cell = np.array([number_of.get(tuple(member), -1) for member in members.tolist()], np.int32)
        if (unknown := np.flatnonzero(cell < 0)).size:
            raise ValueError(f"{data.where(data.unit, int(unknown[0]))}: {_OTHER_DATA}")
        return data.in_contexts(cell)

    def in_contexts(self, data: _Data) -> _Data:
        """Return data with numbers of contexts, where :meth:`coded` has replaced them."""
        if not self.covariates or self._in_contexts(data):
            return data
        return data.renumbered(self.cells[:, 0])

    def _in_contexts(self, data: Observations) -> bool:
        """Return True for data with covariates, and contexts that are not yet replaced by cells."""
        return bool(self.covariates) and isinstance(data, Trajectories) and data.labels is not None

    def _numbers(self, data: Observations, unit: str) -> np.ndarray:
        """Return the number of the level of every trajectory by the names of these levels; -1 for others."""
        number_of = {name: number for number, name in enumerate(self.names[unit])}
        numbers = np.array([number_of.get(name, -1) for name in level_names(data, unit)])
        return numbers[level_numbers(data, unit)]

    def check(self, data: Observations) -> None:
        """Refuse data whose subjects or contexts have other names, or that need plans which are not there.

        Raises
        ------
        ValueError
            Where they do.
        """
        data_in_contexts = self.in_contexts(data)
        for what, names in (("subject", data.names("subject")), ("context", data_in_contexts.context_names)):
            expected = self.names[what]
            numbered = names == tuple(range(len(names)))  # data without names
            if not numbered and names[: len(expected)] != expected[: len(names)]:
                raise ValueError(
                    f"the {what}s of the data are {', '.join(map(repr, names))}; parameters have values for "
                    f"{', '.join(map(repr, expected))}: give the data for which the levels were made"
                )
        cell, subject = np.asarray(self.coded(data).context), np.asarray(data.subject)
        inside = (cell < self.number.shape[0]) & (subject < self.number.shape[1])
        known = inside & (self.number[np.where(inside, cell, 0), np.where(inside, subject, 0)] >= 0)
        if not known.all():
            raise ValueError(f"{data.where(data.unit, int((~known).argmax()))}: {_OTHER_DATA}")

    def check_gaps(self) -> None:
        """Refuse numbers of subjects, or contexts, without data, whose values would be those of the prior.

        Raises
        ------
        ValueError
            Where there are such numbers.
        """
        has_data = np.asarray(self.number >= 0)
        with_context = self.cells[np.asarray(has_data.any(axis=1)), 0]
        used = {
            "subject": np.asarray(has_data.any(axis=0)),
            "context": np.isin(np.arange(len(self.names["context"])), with_context),
        }
        for name, units in self.by.items():
            for unit in (unit for unit in units if unit in used):
                unused = ~used[unit]
                if unused.any():
                    raise ValueError(
                        f"{name} has one value per {unit}, and {unit} {self.names[unit][int(unused.argmax())]!r} has "
                        f"no data ({unused.sum()} such {unit}s of {len(unused)}): number the {unit}s that "
                        f"have data from 0 without gaps, or name them with gi.read_trajectories({unit}=…)"
                    )

    def check_slips(self, agent: Agent) -> None:
        """Refuse to simulate slips that data do not record, with a probability that has several values.

        Raises
        ------
        ValueError
            Where it has.
        """
        hidden = any(component.hidden_slip is not None for component in agent.components)
        if hidden and any(name.endswith("slip") for name in self.by):
            raise ValueError(
                "the probability of slips has one value per subject or context, and the data do not record slips: "
                "such trajectories cannot be simulated; use one probability for all"
            )

    def first(self) -> dict[str, Real]:
        """Return the value of every parameter at its first level."""
        return {name: value[(0,) * len(self.by[name])] for name, value in self.values.items()}

    def at(self, plans: slice | np.ndarray = slice(None)) -> dict[str, Numeric]:
        """Return the value of every parameter in each of these plans, with a leading axis."""
        numbers = self._by_plan()
        return {
            name: value[tuple(numbers[unit][plans] for unit in self.by[name])] for name, value in self.values.items()
        }

    def plan(self, conditions: Conditions, agent: Agent, reward: Rewards) -> tuple[Policy, ...]:
        """Plan the policies of all plans, ``(P, …)``, for every option of a mixture; traceable.

        Parameters
        ----------
        conditions : Conditions
            Conditions of the contexts.
        agent, reward : Agent, and Reward or mapping from context to it
            With priors in place of the parameters that have levels.
        """
        condition, distinct = self.condition(conditions), conditions.distinct
        in_plans = self._in_plans(agent)
        if len(distinct.contexts) > 1 and not in_plans:
            _, first, level = self._unique_levels()
            if len(first) * len(distinct.contexts) <= _MOST_CHOICES * len(condition):
                return self._plan_conditions(distinct, condition, agent, first, level)
        mdp, known = distinct.mdp(), distinct.stacked_reward() if isinstance(reward, Mapping) else reward
        axes = [0 if len(part) > 1 else None for part in (distinct.worlds, distinct.rewards)]
        if in_plans or axes != [None, None] or not on_host(agent, mdp, known):
            mdp, known = cast((mdp, known))  # else planned once, on the host
        if axes[0] == 0:
            mdp = jax.tree.map(lambda leaf: leaf[condition], mdp)
        if axes[1] == 0:
            known = jax.tree.map(lambda leaf: leaf[condition], known)

        def plan_one(values: dict[str, Numeric], mdp: MDP, reward: Reward) -> tuple[Policy, ...]:
            filled, filled_reward = fill(agent, reward, values)
            return filled.plan_each(lambda single: single.policies(mdp, filled_reward))

        return jax.vmap(plan_one, (0, *axes))(cast(self.at()), mdp, known)

    def rewards(self, with_priors: tuple[Agent, Rewards], of_contexts: Sequence[Reward]) -> tuple[Reward, ...]:
        """Return the reward of every plan, or one for all; given agent and reward with priors, and known rewards."""
        agent, reward = with_priors
        if isinstance(reward, Mapping):
            return tuple(of_contexts)
        if not any(name.startswith("reward.") for name in self.by):
            return (of_contexts[0],)
        count, values = len(self.subject), self.at()
        each = [{name: value[plan] for name, value in values.items()} for plan in range(count)]
        return tuple(fill(agent, reward, values_of_plan)[1] for values_of_plan in each)

    def _in_plans(self, agent: Agent) -> bool:
        """Return True where a parameter with levels changes the plan, and not only the choice among planned values."""
        planned = {name for component in agent.components for name in component.plan_parameters}
        return any(name.startswith("reward.") or name.rpartition(".")[2] in planned for name in self.by)

    def _unique_levels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return all different levels, the first plan of each, and the number of the level of every plan."""
        return np.unique(np.stack(self._used(), axis=1), axis=0, return_index=True, return_inverse=True)

    def _by_plan(self) -> dict[str, np.ndarray]:
        """Return the number of the level of every plan, by unit."""
        of_cells = zip(("context", *self.covariates), self.cells.T, strict=True)
        return {"subject": self.subject, **{unit: numbers[self.cell] for unit, numbers in of_cells}}

    def _used(self) -> list[np.ndarray]:
        """Return the numbers of the levels of every plan; zero for a unit without values of its own."""
        units = {unit for units in self.by.values() for unit in units}
        return [numbers * (unit in units) for unit, numbers in self._by_plan().items()]

    def _plan_conditions(
        self, conditions: Conditions, condition: np.ndarray, agent: Agent, first: np.ndarray, level: np.ndarray
    ) -> tuple[Policy, ...]:
        """Plan every condition once, for choices that differ between levels."""

        def plan_level(values: dict[str, Numeric]) -> tuple[Policy, ...]:
            filled, _ = fill(agent, conditions.rewards[0], values)
            return filled.plan_each(conditions.plan)

        policies = jax.vmap(plan_level)(cast(self.at(first)))
        return jax.tree.map(lambda leaf: leaf[level.ravel(), condition], policies)
