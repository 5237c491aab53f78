"""Levels: parameters that have one value per subject or context, and the plans that they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Int

from goalinf.agents.agent import Agent
from goalinf.agents.policy import Policy
from goalinf.behavior.conditions import Conditions, Rewards
from goalinf.behavior.fill import fill
from goalinf.data import Observations
from goalinf.planning.pooling import Unit
from goalinf.precision import cast, on_host
from goalinf.rewards import Reward
from goalinf.types import Numeric, Real
from goalinf.worlds import MDP

_MOST_CHOICES = 4  # choices of levels in conditions that are computed for each one that has data


@dataclasses.dataclass(frozen=True, eq=False)
class Levels:
    """Parameters with one value per subject or context, in the data for which they are made.

    A plan is needed for each condition and each level in it: subjects with equal parameters and the same world and
    reward share a plan.

    Parameters
    ----------
    number : int (C, U)
        Number of the plan of every context and subject; -1 where there are no data.
    subject, context : int (P,)
        Subject and context of every plan; one of them where several have the plan.
    subjects, contexts : tuple
        Their names, by number.
    by : mapping
        Parameter, such as ``"agent.beta"``, to the units that have values of their own.
    values : mapping
        Parameter to its values, with one leading axis per unit, in the order of the numbers of the units.
    """

    number: Int[np.ndarray, "C U"]
    subject: Int[np.ndarray, " P"]
    context: Int[np.ndarray, " P"]
    subjects: tuple[Hashable, ...]
    contexts: tuple[Hashable, ...]
    by: Mapping[str, tuple[Unit, ...]]
    values: Mapping[str, Numeric] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, data: Observations, by: Mapping[str, tuple[Unit, ...]], conditions: Conditions) -> Levels:
        """Find the plans that a data set needs; ``conditions`` are those of its contexts."""
        subjects, contexts = data.names("subject"), data.context_names
        pairs = np.unique(np.stack([np.asarray(data.context), np.asarray(data.subject)], axis=1), axis=0)
        condition = conditions.number[pairs[:, 0]] if conditions.by_name else np.zeros(len(pairs), int)
        members = np.stack([condition, *_levels(by, pairs[:, 1], pairs[:, 0])], axis=1)
        _, first, plan = np.unique(members, axis=0, return_index=True, return_inverse=True)
        number = np.full((len(contexts), len(subjects)), -1, np.int32)
        number[pairs[:, 0], pairs[:, 1]] = plan.ravel()
        return cls(number, pairs[first, 1], pairs[first, 0], subjects, contexts, by)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Numbers on which compiled programs depend."""
        return self.number, self.subject, self.context

    def check(self, data: Observations) -> None:
        """Refuse data whose subjects or contexts have other names, or that need plans which are not there.

        Raises
        ------
        ValueError
            Where they do.
        """
        for what, names, expected in (
            ("subject", data.names("subject"), self.subjects),
            ("context", data.context_names, self.contexts),
        ):
            numbered = names == tuple(range(len(names)))  # data without names
            if not numbered and names[: len(expected)] != expected[: len(names)]:
                raise ValueError(
                    f"the {what}s of the data are {', '.join(map(repr, names))}; parameters have values for "
                    f"{', '.join(map(repr, expected))}: give the data for which the levels were made"
                )
        context, subject = np.asarray(data.context), np.asarray(data.subject)
        inside = (context < self.number.shape[0]) & (subject < self.number.shape[1])
        known = inside & (self.number[np.where(inside, context, 0), np.where(inside, subject, 0)] >= 0)
        if not known.all():
            item = int((~known).argmax())
            raise ValueError(
                f"{data.where(data.unit, item)}: parameters have no values for its subject in its context: give the "
                "data for which the levels were made"
            )

    def check_gaps(self) -> None:
        """Refuse numbers of subjects, or contexts, without data, whose values would be those of the prior.

        Raises
        ------
        ValueError
            Where there are such numbers.
        """
        unused = {"subject": (self.number < 0).all(axis=0), "context": (self.number < 0).all(axis=1)}
        names = {"subject": self.subjects, "context": self.contexts}
        for name, units in self.by.items():
            for unit in units:
                if unused[unit].any():
                    raise ValueError(
                        f"{name} has one value per {unit}, and {unit} {names[unit][int(unused[unit].argmax())]!r} has "
                        f"no data ({unused[unit].sum()} such {unit}s of {len(names[unit])}): number the {unit}s that "
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
        numbers = {"subject": self.subject[plans], "context": self.context[plans]}
        return {name: value[tuple(numbers[unit] for unit in self.by[name])] for name, value in self.values.items()}

    def plan(self, conditions: Conditions, agent: Agent, reward: Rewards) -> tuple[Policy, ...]:
        """Plan the policies of all plans, ``(P, …)``, for every option of a mixture; traceable.

        Parameters
        ----------
        conditions : Conditions
            Conditions of the contexts.
        agent, reward : Agent, and Reward or mapping from context to it
            With priors in place of the parameters that have levels.
        """
        condition = conditions.number[self.context] if conditions.by_name else np.zeros(len(self.context), int)
        distinct = conditions.distinct
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
        members = np.stack(_levels(self.by, self.subject, self.context), axis=1)
        return np.unique(members, axis=0, return_index=True, return_inverse=True)

    def _plan_conditions(
        self, conditions: Conditions, condition: np.ndarray, agent: Agent, first: np.ndarray, level: np.ndarray
    ) -> tuple[Policy, ...]:
        """Plan every condition once, for choices that differ between levels."""

        def plan_level(values: dict[str, Numeric]) -> tuple[Policy, ...]:
            filled, _ = fill(agent, conditions.rewards[0], values)
            return filled.plan_each(conditions.plan)

        policies = jax.vmap(plan_level)(cast(self.at(first)))
        return jax.tree.map(lambda leaf: leaf[level.ravel(), condition], policies)


def _levels(by: Mapping[str, tuple[Unit, ...]], subject: np.ndarray, context: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of subjects and contexts, zero for a unit without values of its own."""
    units = {unit for units in by.values() for unit in units}
    return [subject * ("subject" in units), context * ("context" in units)]
