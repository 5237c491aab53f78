"""Planners: from a believed world and a reward to Q-values, on the scale of beta times the reward."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, NamedTuple, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax

from goalinf.checks import check_choice, check_count
from goalinf.planning.bellman import Backup, Problem, action_values, backup, biased_values, passed_on
from goalinf.planning.facts import REGULAR, Facts, Invariance
from goalinf.planning.parameters import INFINITY, SHARE, Part, Ranges, check_policy, check_shape
from goalinf.planning.risk import Extremal, RiskMeasure
from goalinf.planning.solution import Plan, residual
from goalinf.planning.solvers import newton, newton_numpy
from goalinf.planning.solvers.bicgstab import solve_linear
from goalinf.planning.solvers.sparse_lu import Calm
from goalinf.precision import cast, namespace, on_host
from goalinf.rewards import Reward, ended
from goalinf.sizes import check_memory
from goalinf.worlds import World


class Ambiguity(NamedTuple):
    """Where the search for one of several plans starts, and what leaves one plan."""

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
        """The agent's own discount factor; None: that of the world."""
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
        """The planner that plans; another one than itself for a planner that wraps one."""
        return self

    def looking(self, depth: int) -> Planner:
        """Planner with a horizon of this many decisions, whose plans are those of every shorter lookahead.

        Raises
        ------
        ValueError
            Where the planner has no lookahead.
        """
        raise ValueError(f"{type(self).__name__} does not look some steps ahead: plan by a ValueIteration")

    @abc.abstractmethod
    def __call__(self, problem: Problem, near: Any = None) -> Plan:
        """Plan for the problem, or for each of several."""


class ValueIteration(Planner):
    r"""Exact planning: :math:`Q = r + \gamma P V` with :math:`V` the backup of :math:`Q` over actions.

    Parameters
    ----------
    backup : {"soft", "hard", "mean"}
        ``"soft"``: :math:`V = \frac1\beta\log\sum_a e^{\beta Q}` (maximum causal entropy, Ziebart 2010);
        ``"hard"``: :math:`V = \max_a Q`; ``"mean"``: :math:`V = \sum_a \mathrm{softmax}(\beta Q)_a Q_a`, the operator
        of Chan, Critch and Dragan (2021), which is no contraction.
    horizon : int, optional
        Number of decisions, after which nothing is collected. None: infinite.
    depth : int, optional
        Number of decisions that are looked ahead, anew at every step, so that the policy is stationary.
    outlook : RiskMeasure, optional
        How outcomes are put together. None: by their expectation.
    discount : float or Distribution, optional
        The agent's own discount factor. None: that of the world.
    leaf : float (S,), optional
        Value, in utility, of where looking ahead ends. None: zero. Only with a hard backup.
    """

    backup: Backup = eqx.field(static=True, default="hard")
    horizon: int | None = eqx.field(static=True, default=None)
    depth: int | None = eqx.field(static=True, default=None)
    outlook: RiskMeasure | None = None
    discount: Any = None
    leaf: Any = None
    parameters: ClassVar[Ranges] = {"discount": SHARE}
    known: ClassVar[Ranges] = {"leaf": (-INFINITY, INFINITY)}

    @property
    def facts(self) -> Facts:
        """A value of zero at the end breaks shaping; a given value at the leaves does not grow with the reward."""
        broken: tuple[Invariance, ...] = ()
        if not self.endless:
            # A value of zero at the end is no part of a peak, and does not rise with the rewards.
            broken = ("constant", "potential") if isinstance(self.outlook, Extremal) else ("potential",)
        return dataclasses.replace(REGULAR, breaks=broken, scales=self.leaf is None, state_values=True)

    def __check_init__(self) -> None:
        if self.outlook is not None and not isinstance(self.outlook, RiskMeasure):
            raise ValueError(f"outlook is {self.outlook!r}; expected one such as goalinf.agents.Optimism(0.5)")
        check_choice("backup", self.backup, get_args(Backup))
        for name, count in (("horizon", self.horizon), ("depth", self.depth)):
            if count is not None:
                check_count(name, count)
        if self.horizon is not None and self.depth is not None:
            raise ValueError("horizon and depth both say how far the agent plans: give one of them")
        if self.leaf is not None and (self.endless or self.backup != "hard"):
            raise ValueError("leaf is what the end of looking ahead is worth, in utility: give depth, backup='hard'")
        if self.discount is not None and self.outlook is not None and not self.outlook.discounts:
            raise ValueError(f"discount has no part in the outlook {type(self.outlook).__name__}: leave it out")

    def check(self, world: World, reward: Reward) -> None:
        """Refuse values at the end of looking ahead that do not fit the world."""
        if self.leaf is not None:
            check_shape("leaf", self.leaf, (world.n_states,), "state")

    @property
    def endless(self) -> bool:
        """Whether values are sums without end."""
        return self.horizon is None and self.depth is None

    @property
    def uses_beta(self) -> bool:
        """Whether beta enters the backup."""
        return self.backup != "hard"

    @property
    def smooth(self) -> bool:
        """Whether no maximum is taken."""
        return self.backup != "hard"

    @property
    def ambiguous(self) -> Ambiguity | None:
        """The mean is no contraction."""
        return Ambiguity() if self.endless and self.backup == "mean" else None

    @property
    def numpy(self) -> bool:
        """Whether it also plans on the host."""
        return self.outlook is None and self.backup != "mean"

    def __call__(self, problem: Problem, near: Any = None) -> Plan:
        """Plan; a stationary plan without a horizon, one per time step with it.

        ``near`` are values of a problem that is a little different, from which a stationary soft plan starts.
        """
        if self.discount is not None:
            xp = namespace(problem, self.discount)
            problem = dataclasses.replace(problem if xp is np else cast(problem), discount=xp.asarray(self.discount))
        if self.endless:
            return stationary(problem, self.backup, near)
        plan = self.sweeps(problem, self.horizon or self.depth)
        if self.horizon is not None:
            return plan
        axis = -3 if on_host(plan) else 0
        first = lambda x, axis: x.take(0, axis) if on_host(x) else x[0]  # noqa: E731
        return Plan(first(plan.q, axis), first(plan.values, -2), plan.residual)

    def looking(self, depth: int) -> ValueIteration:
        """The same planner with a horizon: its plans are those of looking ``depth``, …, 2, 1 decisions ahead."""
        return dataclasses.replace(self, depth=None, horizon=depth)

    def sweeps(self, problem: Problem, count: Any) -> Plan:
        """Backward induction: the plans of ``count`` decisions, the one with most of them ahead first."""

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
                end, found = back(end, None)
                sweeps.append(found)
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


def stationary(problem: Problem, kind: Backup, near: Any = None) -> Plan:
    """The plan at the fixed point of a backup."""
    if on_host(problem, near):
        # The residual says whether values are numbers.
        with np.errstate(all="ignore"), Calm(problem.neighbors.shape[1]):
            values = newton_numpy.fixed_point(problem, kind, near)
            gap = residual(problem, values, kind)
            return Plan(action_values(problem, values), values, gap)
    problem, near = cast((problem, near))
    found = newton.fixed_point(problem, kind, near)
    q = biased_values(problem, action_values(problem, found))
    return Plan(q, found, residual(problem, found, kind))


class SuccessorRepresentation(Planner):
    r"""Improves on a habit by one step, from where the habit leads (Dayan 1993; Russek et al. 2017).

    .. math:: Q = w\,Q^* + (1 - w)\,(r + \gamma P M r_{\pi_0}),\quad M = (I - \gamma P_{\pi_0})^{-1}

    Parameters
    ----------
    default : float (A,) or (S, A), optional
        :math:`\pi_0`, cut to the available actions. None: uniform.
    model_based : float or Distribution
        :math:`w`, in [0, 1]. 0: only the successor representation; 1: rational.
    """

    default: Any = None
    model_based: Any = 0.0
    parameters: ClassVar[Ranges] = {"model_based": SHARE}
    known: ClassVar[Ranges] = {"default": SHARE}
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, onto=None, state_values=True)

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a default policy that does not fit the world."""
        if self.default is not None:
            check_policy("default", self.default, world, ended(reward, world.mdp))

    def __call__(self, problem: Problem, near: Any = None) -> Plan:
        """Plan."""
        problem = cast(problem)
        default = jnp.ones(problem.reward.shape[0]) if self.default is None else jnp.asarray(self.default)
        default = default.T if default.ndim == 2 else default[:, None]
        default = jnp.where(problem.available & ~problem.pinned, default, 0.0)
        default = default / jnp.where(problem.pinned, 1.0, default.sum(axis=0))
        income = jnp.where(problem.pinned, problem.pins, (default * problem.reward).sum(axis=0))
        values = solve_linear(problem, passed_on(problem, income, default), income)
        q, left = action_values(problem, values), problem.reward.dtype.type(0.0)
        if isinstance(self.model_based, np.ndarray) and self.model_based == 0.0:
            return Plan(q, values, jnp.zeros_like(left))
        best = stationary(problem, "hard")
        weight = jnp.asarray(self.model_based)
        return Plan(weight * best.q + (1.0 - weight) * q, weight * best.values + (1.0 - weight) * values, best.residual)


class Negated(Planner):
    r"""Plans for the opposite of the reward, :math:`(-p)(R) = p(-R)` (Armstrong and Mindermann 2018).

    Parameters
    ----------
    planner : Planner
        How.
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
        """Whether values are sums without end."""
        return self.planner.endless

    @property
    def uses_beta(self) -> bool:
        """Whether the planner uses it."""
        return self.planner.uses_beta

    @property
    def smooth(self) -> bool:
        """Whether the planner is."""
        return self.planner.smooth

    @property
    def ambiguous(self) -> Ambiguity | None:
        """As the planner is."""
        return self.planner.ambiguous

    @property
    def numpy(self) -> bool:
        """Whether it also plans on the host."""
        return self.planner.numpy

    @property
    def outlook(self) -> Any:
        """Risk measure of the wrapped planner."""
        return self.planner.outlook

    def looking(self, depth: int) -> Negated:
        """The opposite of the planner with a horizon."""
        return Negated(self.planner.looking(depth))

    def __call__(self, problem: Problem, near: Any = None) -> Plan:
        """Plan."""
        outcomes = problem.outcomes
        if outcomes is not None:
            outcomes = dataclasses.replace(outcomes, reward=-outcomes.reward)
        opposite = dataclasses.replace(problem, reward=-problem.reward, pins=-problem.pins, outcomes=outcomes)
        return self.planner(opposite, near)
