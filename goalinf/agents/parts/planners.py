"""Planners: maps from a believed world and a reward to Q-values, on the scale of beta times the reward."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from goalinf.planning.bellman import Problem
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import Part
from goalinf.planning.risk import RiskMeasure
from goalinf.planning.solution import Plan
from goalinf.types import Numeric


class Ambiguity(NamedTuple):
    """Start of the search for one of several plans, and a remedy that leaves one plan."""

    start: str = "values of zero"
    way_out: str = "a smaller beta, or a horizon"


class Planner(Part):
    """Map from a Bellman problem, and an initial guess of the values or None, to a :class:`~goalinf.planning.Plan`.

    A planner plans in units of utility with expected values unless it says otherwise.
    """

    plans: ClassVar[bool] = True  # False: the agent does not need to know its reward before it acts

    @property
    def horizon(self) -> int | None:
        """Number of decisions; None: the policy is stationary."""
        return None

    @property
    def depth(self) -> int | None:
        """Number of decisions of a lookahead; None: no lookahead."""
        return None

    @property
    def outlook(self) -> RiskMeasure | None:
        """Risk measure of the outcomes of an action; None: the expectation."""
        return None

    @property
    def discount(self) -> Any:
        """The agent's own discount factor; None: the discount factor of the world."""
        return None

    @property
    def leaf(self) -> Any:
        """Known values at the end of a lookahead, in utility; None: zero."""
        return None

    @property
    def endless(self) -> bool:
        """True where values are infinite sums, which have to be finite."""
        return True

    @property
    def uses_beta(self) -> bool:
        """True where the plan depends on the inverse temperature."""
        return False

    @property
    def smooth(self) -> bool:
        """True where the policy is a smooth function of the reward."""
        return False

    @property
    def ambiguous(self) -> Ambiguity | None:
        """Start of the search and a remedy, where there can be several plans; None where there is one."""
        return None

    @property
    def innermost(self) -> Planner:
        """The planner itself; for a planner that wraps another, the innermost one."""
        return self

    def looking(self, depths: Sequence[int]) -> Planner:
        """Return a planner of several lookaheads, whose plans are on the axis of time.

        Raises
        ------
        ValueError
            Where the planner has no lookahead.
        """
        raise ValueError(f"{type(self).__name__} has no lookahead: use a ValueIteration as the planner")

    @abc.abstractmethod
    def __call__(self, problem: Problem, initial_guess: Numeric | None = None) -> Plan:
        """Compute the plan for the problem, or for each of several problems."""


class Negated(Planner):
    r"""Planner for the negated reward, :math:`(-p)(R) = p(-R)` (Armstrong and Mindermann 2018).

    Parameters
    ----------
    planner : Planner
        Planner of the negated reward.
    """

    planner: Planner
    facts: ClassVar[Facts] = REGULAR

    @property
    def horizon(self) -> Any:
        """Horizon of the wrapped planner."""
        return self.planner.horizon

    @property
    def depth(self) -> Any:
        """Lookahead of the wrapped planner."""
        return self.planner.depth

    @property
    def discount(self) -> Any:
        """Discount factor of the wrapped planner."""
        return self.planner.discount

    @property
    def leaf(self) -> Any:
        """Known values at the end of the wrapped planner's lookahead."""
        return self.planner.leaf

    @property
    def innermost(self) -> Planner:
        """Innermost planner of the wrapped planner."""
        return self.planner.innermost

    @property
    def endless(self) -> bool:
        """True where values are infinite sums, which have to be finite."""
        return self.planner.endless

    @property
    def uses_beta(self) -> bool:
        """True where the wrapped planner depends on beta."""
        return self.planner.uses_beta

    @property
    def smooth(self) -> bool:
        """True where the policy of the wrapped planner is smooth in the reward."""
        return self.planner.smooth

    @property
    def ambiguous(self) -> Ambiguity | None:
        """Start of the search of the wrapped planner, where there can be several plans."""
        return self.planner.ambiguous

    @property
    def numpy(self) -> bool:
        """True where the planner also works on the host."""
        return self.planner.numpy

    @property
    def outlook(self) -> Any:
        """Risk measure of the wrapped planner."""
        return self.planner.outlook

    def looking(self, depths: Sequence[int]) -> Negated:
        """Return the negation of the wrapped planner with several lookaheads."""
        return Negated(self.planner.looking(depths))

    def __call__(self, problem: Problem, initial_guess: Numeric | None = None) -> Plan:
        """Compute the plan for the negated reward."""
        outcomes = problem.outcomes
        if outcomes is not None:
            outcomes = dataclasses.replace(outcomes, reward=-outcomes.reward)
        reward, fixed_value = -problem.reward, -problem.fixed_value
        negated = dataclasses.replace(problem, reward=reward, fixed_value=fixed_value, outcomes=outcomes)
        return self.planner(negated, initial_guess)
