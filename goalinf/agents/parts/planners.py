"""Planners: maps from a believed world and a reward to Q-values, on the scale of beta times the reward."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, NamedTuple, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import lax
from jax.typing import ArrayLike

from goalinf.checks import check_choice, check_count
from goalinf.planning.bellman import Backup, Problem, action_values, backup, biased_values, passed_on
from goalinf.planning.facts import REGULAR, Facts, Invariance
from goalinf.planning.parameters import (
    INFINITY,
    SHARE,
    DefaultPriors,
    Dims,
    Parameter,
    Part,
    Ranges,
    check_policy,
    discount_prior,
)
from goalinf.planning.risk import Extremal, RiskMeasure
from goalinf.planning.solution import Plan, residual
from goalinf.planning.solvers import newton, newton_numpy
from goalinf.planning.solvers.bicgstab import solve_linear
from goalinf.planning.solvers.sparse_lu import Calm
from goalinf.precision import cast, namespace, on_host
from goalinf.rewards import Reward, ended
from goalinf.sizes import check_memory
from goalinf.types import Numeric
from goalinf.worlds import World


class Ambiguity(NamedTuple):
    """Start of the search for one of several plans, and a remedy that leaves one plan."""

    start: str = "values of zero"
    way_out: str = "a smaller beta, or a horizon"


class Planner(Part):
    """Map from a Bellman problem, and an initial guess of the values or None, to a :class:`~goalinf.planning.Plan`.

    A planner plans in units of utility with expected values unless it says otherwise.
    """

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

    def looking(self, depth: int) -> Planner:
        """Return a planner with this horizon, whose plans are the plans of every shorter lookahead.

        Raises
        ------
        ValueError
            Where the planner has no lookahead.
        """
        raise ValueError(f"{type(self).__name__} has no lookahead: use a ValueIteration as the planner")

    @abc.abstractmethod
    def __call__(self, problem: Problem, near: Numeric | None = None) -> Plan:
        """Compute the plan for the problem, or for each of several problems."""


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
    """

    backup: Backup = eqx.field(static=True, default="hard")
    horizon: int | None = eqx.field(static=True, default=None)
    depth: int | None = eqx.field(static=True, default=None)
    outlook: RiskMeasure | None = None
    discount: Parameter | None = None
    leaf: ArrayLike | None = None
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

    def __call__(self, problem: Problem, near: Numeric | None = None) -> Plan:
        """Compute the plan: stationary without a horizon, one per time step with a horizon.

        ``near`` are the values of a similar problem, the initial guess of a stationary soft plan.
        """
        if self.discount is not None:
            xp = namespace(problem, self.discount)
            problem = dataclasses.replace(problem if xp is np else cast(problem), discount=xp.asarray(self.discount))
        count = self.horizon or self.depth
        if count is None:
            return stationary(problem, self.backup, near)
        plan = self.sweeps(problem, count)
        if self.horizon is not None:
            return plan
        axis = -3 if on_host(plan) else 0
        first = lambda x, axis: x.take(0, axis) if on_host(x) else x[0]  # noqa: E731
        return Plan(first(plan.q, axis), first(plan.values, -2), plan.residual)

    def looking(self, depth: int) -> ValueIteration:
        """Return the planner with a horizon: its plans are the plans of lookahead ``depth``, …, 2, 1."""
        return dataclasses.replace(self, depth=None, horizon=depth)

    def sweeps(self, problem: Problem, count: int) -> Plan:
        """Compute the plans of ``count`` decisions by backward induction, in order of time."""

        def back(values, _):
            now = backup(problem, values, self.backup)[0]
            return now, (biased_values(problem, action_values(problem, values)), now)

        check_sweeps("depth" if self.horizon is None else "horizon", count, problem)
        xp = namespace(problem, self.leaf)
        leaf = 0.0 if self.leaf is None else self.leaf
        end = xp.where(problem.pinned, problem.pins, leaf)
        if xp is np:
            sweeps = []
            for _ in range(count):
                end, sweep = back(end, None)
                sweeps.append(sweep)
            q, values = (np.stack(each[::-1], axis=end.ndim - 1) for each in zip(*sweeps, strict=True))
        else:
            _, (q, values) = lax.scan(back, end, None, length=count, reverse=True)
        return Plan(q, values, xp.zeros(end.shape[:-1], values.dtype))


def check_sweeps(name: str, count: int, problem: Problem) -> None:
    """Refuse a horizon or depth whose plans (Q, V and policy of every decision) do not fit into memory."""
    n_actions, n_states = problem.reward.shape[-2:]
    plans = problem.reward.size // (n_actions * n_states)
    what = f"the plans of {name}={count:,} decisions in {n_states:,} states with {n_actions:,} actions"
    check_memory(what, 8.0 * count * plans * n_states * (3 * n_actions + 2), f"give a shorter {name}, or none")


def stationary(problem: Problem, kind: Backup, near: Numeric | None = None) -> Plan:
    """Compute the plan at the fixed point of a backup."""
    if on_host(problem, near):
        # Values that are not numbers are detected by the residual.
        with np.errstate(all="ignore"), Calm(problem.neighbors.shape[1]):
            values = newton_numpy.fixed_point(problem, kind, None if near is None else np.asarray(near))
            gap = residual(problem, values, kind)
            return Plan(action_values(problem, values), values, gap)
    problem, near = cast((problem, near))
    found = newton.fixed_point(problem, kind, near)
    q = biased_values(problem, action_values(problem, found))
    return Plan(q, found, residual(problem, found, kind))


class SuccessorRepresentation(Planner):
    r"""Values of a default policy by its successor representation, or mixed with optimal values (Dayan 1993).

    .. math:: Q = w\,Q^* + (1 - w)\,(r + \gamma P M r_{\pi_0}),\quad M = (I - \gamma P_{\pi_0})^{-1}

    (Russek et al. 2017 for the mixture.)

    Parameters
    ----------
    default : float (A,) or (S, A), optional
        :math:`\pi_0`, restricted to the available actions. None: uniform.
    model_based : float or Distribution
        :math:`w`, in [0, 1]. 0: only the successor representation; 1: optimal planning.
    """

    default: ArrayLike | None = None
    model_based: Parameter = 0.0
    parameters: ClassVar[Ranges] = {"model_based": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"model_based": lambda: dist.Beta(1.0, 1.0)}
    known: ClassVar[Ranges] = {"default": SHARE}
    dims: ClassVar[Dims] = {"default": ("state", "action")}
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, onto=None, state_values=True)

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a default policy that does not fit the world."""
        if self.default is not None:
            check_policy("default", self.default, world, ended(reward, world.mdp))

    def __call__(self, problem: Problem, near: Numeric | None = None) -> Plan:
        """Compute the plan."""
        problem = cast(problem)
        default = jnp.ones(problem.reward.shape[0]) if self.default is None else jnp.asarray(self.default)
        default = default.T if default.ndim == 2 else default[:, None]
        default = jnp.where(problem.available & ~problem.pinned, default, 0.0)
        default = default / jnp.where(problem.pinned, 1.0, default.sum(axis=0))
        reward = jnp.where(problem.pinned, problem.pins, (default * problem.reward).sum(axis=0))
        values = solve_linear(problem, passed_on(problem, reward, default), reward)
        q, zero = action_values(problem, values), problem.reward.dtype.type(0.0)
        if isinstance(self.model_based, np.ndarray) and self.model_based == 0.0:
            return Plan(q, values, jnp.zeros_like(zero))
        best = stationary(problem, "hard")
        weight = jnp.asarray(self.model_based)
        return Plan(weight * best.q + (1.0 - weight) * q, weight * best.values + (1.0 - weight) * values, best.residual)


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

    def looking(self, depth: int) -> Negated:
        """Return the negation of the wrapped planner with a horizon."""
        return Negated(self.planner.looking(depth))

    def __call__(self, problem: Problem, near: Numeric | None = None) -> Plan:
        """Compute the plan for the negated reward."""
        outcomes = problem.outcomes
        if outcomes is not None:
            outcomes = dataclasses.replace(outcomes, reward=-outcomes.reward)
        opposite = dataclasses.replace(problem, reward=-problem.reward, pins=-problem.pins, outcomes=outcomes)
        return self.planner(opposite, near)
