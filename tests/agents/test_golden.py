"""The golden table: the library, code that shares nothing with it, and the numbers of the theory say the same."""

import agent_oracles as exact
import golden
import history_oracles as histories
import named_agents
import numpy as np
import oracles
import pytest
from problems import G3, G3_REWARD

import goalinf as gi
from goalinf.agents import solve
from goalinf.behavior.scores import score_steps
from goalinf.precision import computing_in

P, R, DISCOUNT, BETA = golden.G3_P, golden.G3_R, golden.G3_DISCOUNT, golden.G3_BETA
OPTIMAL = oracles.boltzmann_q(P, R, DISCOUNT, BETA)
THIRDS = np.full(3, 1 / 3)


def delayed(sophisticated):
    return exact.delayed(P, R, BETA, lambda d: 1 / (1 + d), 6, sophisticated).policy[0]


def planned(planner, *parameters):
    return planner(P, R, DISCOUNT, BETA, *parameters).policy


HABIT = "perseveration .5 after 0"  # what was done before counts: see below
# Row of the table -> the agent, and its policy by the oracle.
GOLDEN = {
    "boltzmann_q": (gi.agents.boltzmann(beta=BETA), OPTIMAL.policy),
    "mce": (gi.agents.soft_optimal(beta=BETA), oracles.mce(P, R, DISCOUNT, BETA).policy),
    "mce_horizon_4": (
        gi.agents.finite_horizon(horizon=4, beta=BETA),
        oracles.finite(P, R, DISCOUNT, BETA, 4, oracles.soft(BETA)).policy[0],
    ),
    "boltzmann_horizon_4": (
        gi.agents.finite_horizon(horizon=4, beta=BETA, backup="hard"),
        oracles.finite(P, R, DISCOUNT, BETA, 4, oracles.hard).policy[0],
    ),
    "boltz_operator": (gi.agents.boltzmann(beta=BETA, backup="mean"), planned(exact.boltz_operator)),
    "lookahead 2": (gi.agents.lookahead(depth=2, beta=BETA), planned(exact.lookahead, 2)),
    "greedy": (gi.agents.lookahead(depth=1, beta=BETA), planned(exact.lookahead, 1)),
    "myopic discount .5": (gi.agents.myopic(discount=0.5, beta=BETA), exact.linear(P, R, 0.5, BETA).policy),
    "hyperbolic naive k=1 H=6": (gi.agents.hyperbolic(k=1.0, beta=BETA, horizon=6), delayed(False)),
    "hyperbolic sophisticated k=1 H=6": (
        gi.agents.hyperbolic(k=1.0, beta=BETA, horizon=6, sophisticated=True),
        delayed(True),
    ),
    "quasi-hyperbolic naive .6": (
        gi.agents.quasi_hyperbolic(present_bias=0.6, beta=BETA),
        planned(exact.quasi_naive, 0.6),
    ),
    "quasi-hyperbolic sophisticated .6": (
        gi.agents.quasi_hyperbolic(present_bias=0.6, beta=BETA, sophisticated=True),
        planned(exact.quasi_sophisticated, 0.6),
    ),
    "chan_hyperbolic .1": (gi.agents.chan_hyperbolic(curvature=0.1, beta=BETA), planned(exact.chan_hyperbolic, 0.1)),
    "KL default (.8, .2)": (gi.agents.kl_bounded(beta=BETA, default=[0.8, 0.2]), planned(exact.kl_default, [0.8, 0.2])),
    "rational inattention 1/3": (
        gi.agents.rational_inattention(beta=BETA, visits=[1.0, 1.0, 1.0]),
        exact.rational_inattention(OPTIMAL.Q, BETA, THIRDS)[0],
    ),
    "entropic -1": (gi.agents.risk_sensitive(risk=-1.0, beta=BETA), planned(exact.entropic, -1.0)),
    "entropic +1": (gi.agents.risk_sensitive(risk=1.0, beta=BETA), planned(exact.entropic, 1.0)),
    "CVaR .5": (gi.agents.cvar(tail=0.5, beta=BETA), planned(exact.cvar, 0.5)),
    "prospect log 2": (gi.agents.prospect(loss_aversion=2.0, beta=BETA), planned(exact.prospect_log, 2.0)),
    "prospect power .88 2.25": (
        gi.agents.prospect(loss_aversion=2.25, beta=BETA, exponent=0.88),
        planned(exact.prospect_power, 0.88, 2.25),
    ),
    "optimism +1": (gi.agents.optimistic(optimism=1.0, beta=BETA), planned(exact.optimism, 1.0)),
    "optimism -1": (gi.agents.optimistic(optimism=-1.0, beta=BETA), planned(exact.optimism, -1.0)),
    "illusion 2": (gi.agents.illusion_of_control(control=2.0, beta=BETA), planned(exact.illusion_of_control, 2.0)),
    "illusion 0": (gi.agents.illusion_of_control(control=0.0, beta=BETA), planned(exact.illusion_of_control, 0.0)),
    "extremal .5": (gi.agents.extremal(peak=0.5, beta=BETA), exact.extremal(P, R, BETA, 0.5).policy),
    "false dynamics: swapped .2": (
        gi.agents.false_dynamics(confusion=0.2, beta=BETA, alternative=[1, 0]),
        planned(exact.false_dynamics, P[:, [1, 0]], 0.2),
    ),
    "lapse .1": (gi.agents.boltzmann(beta=BETA, lapse=0.1), exact.lapse(OPTIMAL.policy, 0.1)),
    "anti_boltzmann": (gi.agents.anti_rational(beta=BETA), exact.act(OPTIMAL.Q, -BETA)),
    HABIT: (gi.agents.habitual(persistence=0.5, beta=BETA), histories.persevering(OPTIMAL.Q, BETA, 0.5, [1, 1, 0])),
    "successor": (gi.agents.successor_representation(beta=BETA), planned(exact.successor)),
    "hybrid .5": (gi.agents.successor_representation(beta=BETA, model_based=0.5), planned(exact.successor, 0.5)),
    "satisficing .2 10": (
        gi.agents.satisficing(aspiration=0.2, sharpness=10.0),
        exact.satisficing(OPTIMAL.Q, 0.2, 10.0),
    ),
    "slip aware .2": (
        gi.agents.slipping(slip=0.2, beta=BETA, foreseen=True, recorded="intended"),
        planned(exact.slip_aware, 0.2),
    ),
    "slip unaware .2": (gi.agents.slipping(slip=0.2, beta=BETA), exact.lapse(OPTIMAL.policy, 0.2)),
}


def policy_of(agent):
    """Value at the first step."""
    policy = agent.policy(G3, G3_REWARD).values
    return policy[0] if policy.ndim == 3 else policy


def test_every_row_has_an_agent_and_an_oracle():
    assert GOLDEN.keys() == golden.G3_POLICY.keys() | golden.G3_AGENT_POLICY.keys()


@pytest.mark.parametrize("name", GOLDEN)
def test_policies(name):
    agent, exactly = GOLDEN[name]
    if name == HABIT:
        walks = gi.Trajectories.of([[s, s, s, s, s] for s in range(3)], [[1, 1, 0, 0]] * 3)
        with computing_in("float64"):  # the choices by themselves: no action stays in these states
            found = np.exp(score_steps(gi.Behavior(G3, agent, G3_REWARD).policy, walks))[:, 3]
    else:
        np.testing.assert_allclose(policy_of(agent).sum(1), 1.0, rtol=1e-12)
        found = policy_of(agent)[:, 0]
    tolerance = 1e-8 if name.startswith("rational") else 1e-10
    np.testing.assert_allclose(found, exactly[:, 0], rtol=0, atol=tolerance)
    np.testing.assert_allclose(found, (golden.G3_POLICY | golden.G3_AGENT_POLICY)[name], rtol=0, atol=6e-7)


@pytest.mark.parametrize("name", named_agents.GOLDEN)
def test_policies_of_further_agents(name):
    np.testing.assert_allclose(policy_of(named_agents.AGENTS[name])[:, 0], named_agents.GOLDEN[name], rtol=0, atol=6e-7)


def test_the_first_choice_has_no_habit():
    once = gi.Trajectories.of([[s, s] for s in range(3)], [[0]] * 3)
    scores = gi.Behavior(G3, GOLDEN[HABIT][0], G3_REWARD).log_prob_by("step", once)
    np.testing.assert_allclose(np.exp(scores)[:, 0], OPTIMAL.policy[:, 0], rtol=0, atol=1e-10)


def test_values():
    for name, exactly, digits in (
        ("boltzmann_q", OPTIMAL.V, golden.G3_V_HARD),
        ("mce", oracles.mce(P, R, DISCOUNT, BETA).V, golden.G3_V_SOFT),
        ("chan_hyperbolic .1", exact.chan_hyperbolic(P, R, DISCOUNT, BETA, 0.1).V, golden.G3_V_CHAN_HYPERBOLIC),
    ):
        found = solve(GOLDEN[name][0], G3, G3_REWARD).values / BETA
        np.testing.assert_allclose(found, exactly, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found, digits, rtol=0, atol=6e-7)
    habit = policy_of(GOLDEN["rational inattention 1/3"][0]).mean(axis=0)
    np.testing.assert_allclose(habit, exact.rational_inattention(OPTIMAL.Q, BETA, THIRDS)[1], rtol=0, atol=1e-8)
    np.testing.assert_allclose(habit, golden.G3_INATTENTIVE_HABIT, rtol=0, atol=6e-7)


# -- what cannot be done, and what comes after the end --------------------------------------------

# Those whose parameters have an entry for every action, with a third one.
WIDE = {
    "KL default (.8, .2)": gi.agents.kl_bounded(beta=BETA, default=[0.8, 0.2, 0.0]),
    "false dynamics: swapped .2": gi.agents.false_dynamics(confusion=0.2, beta=BETA, alternative=[1, 0, 2]),
}
ENDS = np.array([False, False, True])
PLANNED = [name for name in GOLDEN if name != HABIT]


def choices(world, agent, reward):
    policy = agent.policy(world, gi.ActionReward(reward)).values
    return policy[0] if policy.ndim == 3 else policy


@pytest.mark.parametrize("name", PLANNED)
def test_what_is_unavailable_is_as_good_as_absent(name):
    wide_P = np.concatenate([P, np.full((3, 1, 3), 1 / 3)], axis=1)
    wide_R = np.concatenate([R, np.full((3, 1), 9.0)], axis=1)
    available = np.array([[True, True, False]] * 3)
    for ends in (None, [2]):
        options = {"discount": 0.5} | ({} if ends is None else {"terminal": ends})
        wide = gi.from_arrays(wide_P, available=available, **options)
        found = choices(wide, WIDE.get(name, GOLDEN[name][0]), wide_R)[: 3 if ends is None else 2]
        expected = choices(gi.from_arrays(P, **options), GOLDEN[name][0], R)
        np.testing.assert_allclose(found[:, :2], expected[: len(found)], rtol=0, atol=1e-9)
        np.testing.assert_array_equal(found[:, 2], 0.0)


@pytest.mark.parametrize("name", [name for name in PLANNED if not name.startswith(("rational", "mce"))])
def test_what_comes_after_the_end_does_not_matter(name):
    """A terminal state is a state of no reward that is never left, as far as the others are concerned.

    Not so for rational inattention, for which the choices there would count, nor for the largest causal entropy, which
    they would add to.
    """
    absorbing, nothing = P.copy(), R.copy()
    absorbing[2], nothing[2] = [0, 0, 1], 0.0
    found = choices(gi.from_arrays(P, terminal=[2], discount=0.5), GOLDEN[name][0], R)
    expected = choices(gi.from_arrays(absorbing, discount=0.5), GOLDEN[name][0], nothing)
    np.testing.assert_allclose(found[:2], expected[:2], rtol=0, atol=1e-9)
