"""Every bias as an agent of the library and as an oracle, and random problems for both."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any, NamedTuple

import agent_oracles as exact
import numpy as np
import oracles
import pytest
from problems import random_problem

import goalinf as gi
from goalinf.agents import (
    Agent,
    CVaR,
    DefaultPolicy,
    EntropicRisk,
    Extremal,
    FalseDynamics,
    ForeseesSlips,
    Hyperbolic,
    HyperbolicBellman,
    IllusionOfControl,
    Lapse,
    Negated,
    Optimism,
    PlanningAgent,
    Prospect,
    QuasiHyperbolic,
    RationalInattention,
    Satisficing,
    Slip,
    Softmax,
    SuccessorRepresentation,
    ValueIteration,
    solve,
)


class Dense(NamedTuple):
    """A world, and what the oracles take: P[s, a, t], R[s, a, t], where actions are available, where episodes end."""

    world: gi.World
    P: np.ndarray
    R: np.ndarray
    discount: float
    available: np.ndarray
    terminal: np.ndarray

    def reward(self, R=None) -> gi.TransitionReward:
        """The reward, or another one, in the order of the successors of the world."""
        listed = np.asarray(self.world.mdp.successors)
        return gi.TransitionReward(np.take_along_axis(self.R if R is None else R, listed, 2))

    def ask(self, planner: Callable, *args: Any, R=None) -> Any:
        """An oracle's answer to planner(P, R, *args)."""
        return planner(self.P, self.R if R is None else R, *args, available=self.available, terminal=self.terminal)

    @property
    def counted(self) -> np.ndarray:
        """Choices that can be made, (S, A)."""
        return self.available & ~self.terminal[:, None]


def random_dense(seed: int, discount: float, terminal: bool = True) -> Dense:
    """A random problem with transition rewards."""
    world, _, available, ends, rng = random_problem(seed, discount, terminal)
    P = world.mdp.dense()  # idle rows are loops
    return Dense(world, P, rng.normal(size=P.shape), discount, available, ends)


class Bias(NamedTuple):
    """agent(beta, *x); policy(problem, beta, *x) of the oracle; between which numbers each parameter is drawn.

    ``invariant``: whether behavior stays the same where the reward grows by a constant, is shaped, is spread
    differently over successors (theory 1.8). ``transitions``: whether rewards of transitions make sense.
    ``slow``: whether the oracle asks outcome by outcome.
    """

    agent: Callable[..., Agent]
    policy: Callable[..., np.ndarray]
    ranges: tuple[tuple[float, float], ...] = ()
    invariant: tuple[bool, bool, bool] = (True, True, True)
    transitions: bool = True
    slow: bool = False

    def solve(self, d: Dense, beta: float, *x: float, R=None, **options: Any) -> Any:
        """What the library says."""
        R = d.R if R is None else R
        reward = d.reward(R) if self.transitions else gi.ActionReward(oracles.expected(d.P, R))
        return solve(self.agent(beta, *x), d.world, reward, **options)

    def draw(self, rng: np.random.Generator) -> list[float]:
        """Parameters."""
        return [rng.uniform(*ends) for ends in self.ranges]


SHARE, SIGNED, NO_SHAPING, NO_SPREAD = (0.0, 1.0), (-1.0, 1.0), (True, False, True), (True, True, False)
HORIZON, DEPTH = 4, 3
HABIT = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [1 / 3] * 3, [0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
ORDER = np.array([1, 2, 0])
OTHER = random_problem(77, 0.5)[0].mdp


def planned(planner: Callable[..., Any], noise: Any = None) -> Callable[..., Agent]:
    """An agent that plans in this way and follows a softmax."""
    return lambda beta, *x: PlanningAgent(planner=planner(*x), choice=Softmax(beta), noise=noise)


def looking(outlook: type) -> Callable[..., Agent]:
    """An agent of an outlook."""
    return planned(lambda *x: ValueIteration(outlook=outlook(*x)))


def answered(planner: Callable, discounted: bool = True) -> Callable[..., np.ndarray]:
    """The policy of planner(P, R, [discount,] beta, *x)."""
    return lambda d, beta, *x: d.ask(planner, *([d.discount] if discounted else []), beta, *x).policy


def optimal_q(d: Dense) -> np.ndarray:
    return d.ask(exact.linear, d.discount, 1.0).Q


def hyperbolic(sophisticated: bool) -> Bias:
    def policy(d, beta, k):
        return d.ask(exact.delayed, beta, lambda delay: 1 / (1 + k * delay), HORIZON, sophisticated).policy

    return Bias(planned(lambda k: Hyperbolic(k, HORIZON, sophisticated)), policy, ((0.0, 3.0),), (True, False, True))


def inattentive(d: Dense, beta: float) -> np.ndarray:
    met = ~d.terminal / (~d.terminal).sum()
    return exact.rational_inattention(optimal_q(d), beta, met)[0]


def false(alternative: Any, believed: Callable[[Dense], np.ndarray]) -> Bias:
    """Rewards of choices: nobody says what transitions pay that are only believed in."""

    def policy(d, beta, m):
        return d.ask(exact.false_dynamics, d.discount, beta, believed(d), m, R=oracles.expected(d.P, d.R)).policy

    agent = lambda beta, m: PlanningAgent(FalseDynamics(m, alternative), choice=Softmax(beta))  # noqa: E731
    return Bias(agent, policy, (SHARE,), transitions=False)


BIASES: dict[str, Bias] = {
    "hard": Bias(planned(ValueIteration), answered(exact.linear)),
    "soft": Bias(
        planned(lambda: ValueIteration("soft")),
        lambda d, beta: oracles.mce(d.P, oracles.expected(d.P, d.R), d.discount, beta, d.available, d.terminal).policy,
    ),
    "mean": Bias(planned(lambda: ValueIteration("mean")), answered(exact.boltz_operator)),
    "lookahead": Bias(
        planned(lambda: ValueIteration(depth=DEPTH)),
        lambda d, beta: d.ask(exact.lookahead, d.discount, beta, DEPTH).policy,
        invariant=NO_SHAPING,
    ),
    "own discount": Bias(
        planned(lambda own: ValueIteration(discount=own)),
        lambda d, beta, own: d.ask(exact.linear, own, beta).policy,
        ((0.0, 0.95),),
        NO_SHAPING,
    ),
    "hyperbolic, naive": hyperbolic(False),
    "hyperbolic, sophisticated": hyperbolic(True),
    "present bias, naive": Bias(planned(QuasiHyperbolic), answered(exact.quasi_naive), (SHARE,), NO_SHAPING),
    "present bias, sophisticated": Bias(
        planned(lambda b: QuasiHyperbolic(b, sophisticated=True)),
        answered(exact.quasi_sophisticated),
        (SHARE,),
        NO_SHAPING,
    ),
    "default": Bias(
        lambda beta: PlanningAgent(planner=ValueIteration("soft"), choice=Softmax(beta, HABIT)),
        lambda d, beta: d.ask(exact.kl_default, d.discount, beta, HABIT).policy,
    ),
    "default of actions": Bias(
        lambda beta: PlanningAgent(planner=ValueIteration("soft"), choice=Softmax(beta, HABIT[0])),
        lambda d, beta: d.ask(exact.kl_default, d.discount, beta, HABIT[0]).policy,
    ),
    "default, hard": Bias(
        lambda beta: PlanningAgent(choice=Softmax(beta, HABIT)),
        lambda d, beta: exact.act(optimal_q(d), beta, np.log(HABIT)),
    ),
    "rational inattention": Bias(lambda beta: PlanningAgent(choice=RationalInattention(beta)), inattentive),
    "entropic": Bias(looking(EntropicRisk), answered(exact.entropic), (SIGNED,), NO_SPREAD, slow=True),
    "CVaR": Bias(looking(CVaR), answered(exact.cvar), ((0.1, 1.0),), NO_SPREAD, slow=True),
    "optimism": Bias(looking(Optimism), answered(exact.optimism), (SIGNED,), NO_SPREAD, slow=True),
    "extremal": Bias(
        looking(Extremal), answered(exact.extremal, False), ((0.0, 0.9),), (True, False, False), slow=True
    ),
    "prospect, log": Bias(looking(Prospect), answered(exact.prospect_log), ((0.0, 3.0),), (False, False, False)),
    "prospect, power": Bias(
        looking(lambda loss, power: Prospect(loss, power)),
        lambda d, beta, loss, power: answered(exact.prospect_power)(d, beta, power, loss),
        ((0.0, 3.0), (0.3, 1.5)),
        (False, False, False),
    ),
    "prospect, cumulative": Bias(
        looking(Prospect),
        lambda d, beta, loss, power, c: answered(exact.cumulative_prospect)(d, beta, power, loss, c),
        ((0.0, 3.0), (0.3, 1.5), (0.28, 1.0)),
        (False, False, False),
        slow=True,
    ),
    "illusion": Bias(
        lambda beta, n: PlanningAgent(IllusionOfControl(n), choice=Softmax(beta)),
        answered(exact.illusion_of_control),
        ((0.0, 3.0),),
        NO_SPREAD,
        slow=True,
    ),
    "false: actions": false(ORDER, lambda d: d.P[:, ORDER]),
    "false: world": false(OTHER, lambda d: OTHER.dense()),
    "successor": Bias(
        planned(lambda w: SuccessorRepresentation(model_based=w)),
        lambda d, beta, w: d.ask(exact.successor, d.discount, beta, w).policy,
        (SHARE,),
    ),
    "successor of a habit": Bias(
        planned(lambda: SuccessorRepresentation(HABIT)),
        lambda d, beta: d.ask(exact.successor, d.discount, beta, 0.0, cut(HABIT, d)).policy,
    ),
    "negated": Bias(
        planned(lambda: Negated(ValueIteration("soft"))),
        lambda d, beta: BIASES["soft"].policy(d._replace(R=-d.R), beta),
    ),
    "negated optimism": Bias(
        planned(lambda w: Negated(ValueIteration(outlook=Optimism(w)))),
        lambda d, beta, w: BIASES["optimism"].policy(d._replace(R=-d.R), beta, w),
        (SIGNED,),
        NO_SPREAD,
        slow=True,
    ),
    "anti-Boltzmann": Bias(
        lambda beta: PlanningAgent(choice=Softmax(beta, sign=-1)), lambda d, beta: exact.act(optimal_q(d), -beta)
    ),
    "satisficing": Bias(
        lambda _, c, k: PlanningAgent(choice=Satisficing(c, k)),
        lambda d, _, c, k: exact.satisficing(optimal_q(d), c, k),
        ((0.0, 1.0), (0.1, 10.0)),
    ),
    "lapse": Bias(
        lambda beta, eps: PlanningAgent(choice=Softmax(beta), noise=Lapse(eps)),
        lambda d, beta, eps: exact.lapse(exact.act(optimal_q(d), beta), eps, d.available),
        (SHARE,),
    ),
    "slip, unaware": Bias(
        lambda beta, eta: PlanningAgent(choice=Softmax(beta), noise=Slip(eta)),
        lambda d, beta, eta: exact.lapse(exact.act(optimal_q(d), beta), eta, d.available),
        (SHARE,),
    ),
    "slip, aware": Bias(
        lambda beta, eta: PlanningAgent(ForeseesSlips(), choice=Softmax(beta), noise=Slip(eta, "intended")),
        answered(exact.slip_aware),
        (SHARE,),
    ),
    "slip, aware, executed": Bias(
        lambda beta, eta: PlanningAgent(ForeseesSlips(), choice=Softmax(beta), noise=Slip(eta)),
        lambda d, beta, eta: exact.lapse(answered(exact.slip_aware)(d, beta, eta), eta, d.available),
        (SHARE,),
    ),
    "default policy": Bias(
        lambda _: PlanningAgent(choice=DefaultPolicy(HABIT)),
        lambda d, _: np.where(d.terminal[:, None], np.nan, cut(HABIT, d)),
    ),
}
# Its values have to be small and positive: 1 + kV > 0.
CHAN = Bias(looking(HyperbolicBellman), answered(exact.chan_hyperbolic), ((0.0, 0.3),), (False, False, False))


# Each of these compiles a program of its own, or none.
QUICK = (
    *("CVaR", "anti-Boltzmann", "default", "default policy", "default, hard", "entropic", "extremal", "false: world"),
    *("hard", "hyperbolic, naive", "hyperbolic, sophisticated", "illusion", "lapse", "lookahead", "mean", "optimism"),
    *("own discount", "present bias, sophisticated", "prospect, power", "rational inattention", "satisficing"),
    *("slip, aware", "slip, unaware", "soft", "successor"),
)


def quick(names: Iterable[str], chosen: Container[str] = QUICK) -> list[Any]:
    """Names as parameters of a test, of which all but those chosen are marked slow."""
    return [name if name in chosen else pytest.param(name, marks=pytest.mark.slow) for name in sorted(names)]


def cut(habit: np.ndarray, d: Dense) -> np.ndarray:
    """A habit of what is available."""
    kept = np.where(d.available, habit, 0.0)
    return kept / kept.sum(1, keepdims=True)


def assert_same(found: Any, policy: np.ndarray, d: Dense, scale: float = 1e3, least: float = 1e-12) -> None:
    """Log-probabilities agree to the rounding of values that are sums over the future.

    Below ``least`` the probabilities of the oracle are not exact.
    """
    size = 1.0 + np.abs(found.values).max()
    atol = scale * np.finfo(float).eps * size / max(1.0 - d.discount, 1e-2)
    counted = np.broadcast_to(d.counted, policy.shape) & (policy > least)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.log(policy)
    np.testing.assert_allclose(found.log_probs[counted], expected[counted], rtol=1e-9, atol=atol)
    rest = np.broadcast_to(d.counted, policy.shape) & ~counted
    assert (found.log_probs[rest] < np.log(least) + 0.1).all()
    assert (found.log_probs[..., ~d.counted & ~d.terminal[:, None]] == -np.inf).all()
    np.testing.assert_allclose(np.exp(found.log_probs).sum(-1), 1.0, atol=1e-12)
