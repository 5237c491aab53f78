"""Exact planning: value iteration over a horizon or a lookahead, and the fixed point of the Bellman backup."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, get_args

import equinox as eqx
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from goalinf.agents.parts.planners import Ambiguity, Planner
from goalinf.checks import check_choice, check_count
from goalinf.planning.bellman import Backup, Problem, action_values, backup, biased_values
from goalinf.planning.facts import REGULAR, Facts, Invariance
from goalinf.planning.parameters import (
    INFINITY,
    SHARE,
    DefaultPriors,
    Dims,
    Parameter,
    Ranges,
    discount_prior,
)
from goalinf.planning.risk import Extremal, RiskMeasure
from goalinf.planning.solution import Plan, residual
from goalinf.planning.solvers import newton, newton_numpy
from goalinf.planning.solvers.sparse_lu import OneThread
from goalinf.sizes import check_memory
from goalinf.types import Numeric


class ValueIteration(Planner):
    r"""Exact planning: :math:`Q = r + \gamma P V` with :math:`V` the backup of :math:`Q` over actions.

    Parameters
    ----------
    backup : {"soft", "hard", "mean"}
        ``"soft"``: :math:`V = \frac1\beta\log\sum_a e^{\beta Q}` (maximum causal entropy, Ziebart 2010);
        ``"hard"``: :math:`V = \max_a Q`; ``"mean"``: :math:`V = \sum_a \mathrm{softmax}(\beta Q)_a Q_a`, the operator
        of Chan, Critch and Dragan (2021), which is no contraction.
    horizon : int, optional
        Number of decisions, after which no reward is collected. None: infinite.
    depth : int, optional
        Number of decisions of a lookahead, repeated at every step, so that the policy is stationary.
    outlook : RiskMeasure, optional
        Risk measure of the outcomes of an action. None: the expectation.
    discount : float or Distribution, optional
        The agent's own discount factor. None: the discount factor of the world.
    leaf : float (S,), optional
        Value, in utility, of the states at the end of the lookahead. None: zero. Only with a hard backup.
    decisions : tuple of int, optional
        Numbers of the decisions before the horizon that are planned for. None: all.
    """

    backup: Backup = eqx.field(static=True, default="hard")
    horizon: int | None = eqx.field(static=True, default=None)
    depth: int | None = eqx.field(static=True, default=None)
    outlook: RiskMeasure | None = None
    discount: Parameter | None = None
    leaf: ArrayLike | None = None
    decisions: tuple[int, ...] | None = eqx.field(static=True, default=None)
    parameters: ClassVar[Ranges] = {"discount": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"discount": discount_prior}
    known: ClassVar[Ranges] = {"leaf": (-INFINITY, INFINITY)}
    dims: ClassVar[Dims] = {"leaf": ("state",)}

    @property
    def facts(self) -> Facts:
        """Facts: a value of zero at the end breaks shaping; known values of leaves are not scaled with the reward."""
        broken: tuple[Invariance, ...] = ()
        if not self.endless:
            # A value of zero at the end does not change when a constant is added to the rewards, but a peak does.
            broken = ("constant", "potential") if isinstance(self.outlook, Extremal) else ("potential",)
        return dataclasses.replace(REGULAR, breaks=broken, scales=self.leaf is None, state_values=True)

    def __check_init__(self) -> None:
        if self.outlook is not None and not isinstance(self.outlook, RiskMeasure):
            raise ValueError(
                f"outlook is {self.outlook!r}; expected a risk measure such as goalinf.agents.Optimism(0.5)"
            )
        check_choice("backup", self.backup, get_args(Backup))
        for name, count in (("horizon", self.horizon), ("depth", self.depth)):
            if count is not None:
                check_count(name, count)
        if self.horizon is not None and self.depth is not None:
            raise ValueError("horizon and depth both set how far the agent plans: give one of them")
        if self.decisions is not None and not all(0 <= number < (self.horizon or 0) for number in self.decisions):
            raise ValueError(
                f"decisions are {self.decisions}, with horizon {self.horizon}; expected numbers below the horizon"
            )
        if self.leaf is not None and (self.endless or self.backup != "hard"):
            raise ValueError("leaf is the value at the end of a lookahead, in utility: give depth, backup='hard'")
        if self.discount is not None and self.outlook is not None and not self.outlook.discounts:
            raise ValueError(f"discount has no effect with the outlook {type(self.outlook).__name__}: leave it out")

    @property
    def endless(self) -> bool:
        """True where values are infinite sums, which have to be finite."""
        return self.horizon is None and self.depth is None

    @property
    def uses_beta(self) -> bool:
        """True where beta enters the backup."""
        return self.backup != "hard"

    @property
    def smooth(self) -> bool:
        """True where no maximum is taken."""
        return self.backup != "hard"

    @property
    def ambiguous(self) -> Ambiguity | None:
        """Start of the search, for the stationary mean backup, which is no contraction; else None."""
        return Ambiguity() if self.endless and self.backup == "mean" else None

    @property
    def numpy(self) -> bool:
        """True where the planner also works on the host."""
        return self.outlook is None and self.backup != "mean"

    def __call__(self, problem: Problem, initial_guess: Numeric | None = None) -> Plan:
        """Compute the plan: stationary without a horizon, one per time step with a horizon.

        ``initial_guess`` are the values of a similar problem, from which the search for a stationary soft plan starts.
        """
        if self.discount is not None:
            problem = dataclasses.replace(problem, discount=problem.xp.asarray(self.discount))
        count = self.horizon or self.depth
        if count is None:
            return stationary(problem, self.backup, initial_guess)
        plan = self.sweeps(problem, count)
        if self.horizon is not None and self.decisions is None:
            return plan
        kept = 0 if self.decisions is None else np.array(self.decisions)
        return Plan(plan.q[..., kept, :, :], plan.values[..., kept, :], plan.residual)

    def looking(self, depths: Sequence[int]) -> ValueIteration:
        """Return the planner with a horizon, which plans the decisions that have these numbers of decisions left."""
        decisions = tuple(max(depths) - depth for depth in depths)
        return dataclasses.replace(self, depth=None, horizon=max(depths), decisions=decisions)

    def sweeps(self, problem: Problem, count: int) -> Plan:
        """Compute the plans of ``count`` decisions by backward induction, in order of time."""

        def step_back(values, _):
            backed_up = backup(problem, values, self.backup)[0]
            return backed_up, (biased_values(problem, action_values(problem, values)), backed_up)

        check_sweeps("depth" if self.horizon is None else "horizon", count, problem)
        xp, leaf = problem.xp, 0.0 if self.leaf is None else self.leaf
        end = xp.where(problem.fixed, problem.fixed_value, leaf)
        if xp is np:
            sweeps = []
            for _ in range(count):
                end, sweep = step_back(end, None)
                sweeps.append(sweep)
            q, values = (np.stack(each[::-1], axis=end.ndim - 1) for each in zip(*sweeps, strict=True))
        else:
            _, (q, values) = lax.scan(step_back, end, None, length=count, reverse=True)
        return Plan(q, values, xp.zeros(end.shape[:-1], values.dtype))


def check_sweeps(name: str, count: int, problem: Problem) -> None:
    """Refuse a horizon or depth whose plans (Q, V and policy of every decision) do not fit into memory."""
    n_actions, n_states = problem.reward.shape[-2:]
    plans = problem.reward.size // (n_actions * n_states)
    what = f"the plans of {name}={count:,} decisions in {n_states:,} states with {n_actions:,} actions"
    check_memory(what, 8.0 * count * plans * n_states * (3 * n_actions + 2), f"give a shorter {name}, or none")


def stationary(problem: Problem, kind: Backup, initial_guess: Numeric | None = None) -> Plan:
    """Compute the plan at the fixed point of a backup."""
    if problem.xp is np:
        # Values that are not numbers are detected by the residual.
        with np.errstate(all="ignore"), OneThread(problem.neighbors.shape[1]):
            guess = None if initial_guess is None else np.asarray(initial_guess)
            values = newton_numpy.fixed_point(problem, kind, guess)
            error = residual(problem, values, kind)
            return Plan(action_values(problem, values), values, error)
    solution = newton.fixed_point(problem, kind, initial_guess)
    q = biased_values(problem, action_values(problem, solution))
    return Plan(q, solution, residual(problem, solution, kind))
