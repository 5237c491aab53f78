"""What infinite behavior cannot say about the planner: gaps, sample sizes, and Bayes factors that stay finite."""

import golden
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.identify.agents.visits import long_run
from goalinf.identify.local.jacobian import log_policy_jacobian

G3 = gi.from_arrays(golden.G3_P, discount=golden.G3_DISCOUNT)
G3_REWARD = gi.ActionReward(golden.G3_R)
RATIONAL = gi.agents.soft_optimal(beta=2.0)


def formula_law(c):
    """P(t | s, a) in proportion to 1 + ((2s + 3a + 5t + st(a + 1) + c(s + 2at + 1)) mod 7)."""
    s, a, t = np.meshgrid(range(4), range(3), range(4), indexing="ij")
    law = 1.0 + (2 * s + 3 * a + 5 * t + s * t * (a + 1) + c * (s + 2 * a * t + 1)) % 7
    return law / law.sum(-1, keepdims=True)


ONE, TWO = (gi.from_arrays(formula_law(c), discount=0.9) for c in (0, 1))
WANTS = gi.StateReward(np.array([1.0, 0.0, -0.5, 0.5]), on="departure")
# The table of planner equivalence: the planner, its gap in one environment, and in both.
PUBLISHED = {
    "other beta": (gi.agents.soft_optimal(beta=1.0), 0.0, 0.0),
    "other discount": (gi.agents.soft_optimal(beta=2.0, discount=0.5), 0.0, 2.0e-5),
    "hard": (gi.agents.boltzmann(beta=2.0), 0.0, 7.7e-5),
    "present bias": (gi.agents.quasi_hyperbolic(present_bias=0.6, beta=2.0, sophisticated=False), 0.0, 7.7e-5),
    "three steps": (gi.agents.lookahead(depth=3, beta=2.0), 0.0, 1.3e-4),
    "anti-Boltzmann": (gi.agents.anti_rational(beta=2.0), 0.0, 6.3e-5),
    "lapse": (gi.agents.boltzmann(beta=2.0, lapse=0.1), 1.8e-6, 7.8e-5),
    "entropic": (gi.agents.risk_sensitive(risk=-1.0, beta=2.0), 1.4e-4, 3.5e-4),
    "illusion": (gi.agents.illusion_of_control(control=2.0, beta=2.0), 1.1e-3, 1.1e-3),
    "false dynamics": (gi.agents.false_dynamics(confusion=0.3, beta=2.0, alternative=[2, 0, 1]), 2.4e-3, 2.5e-3),
    "optimism": (gi.agents.optimistic(optimism=1.0, beta=2.0), 3.4e-3, 2.4e-3),
    "greedy": (gi.agents.lookahead(depth=1, beta=2.0), 3.14e-2, 2.4e-2),
}


@pytest.mark.parametrize(
    ("worlds", "column"),
    [
        pytest.param(ONE, 1, marks=pytest.mark.slow, id="one world"),
        pytest.param({"one": ONE, "two": TWO}, 2, id="two worlds"),
    ],
)
def test_the_table_of_planner_equivalence(worlds, column):
    """Zeros in one environment; the rest to 10 %."""
    table = gi.identify.agent_equivalence(worlds, RATIONAL, WANTS, {name: row[0] for name, row in PUBLISHED.items()})
    for name, row in PUBLISHED.items():
        if row[column] == 0.0:
            assert table["gap"][name] < 1e-12
            assert table["choices"][name] == np.inf
            assert np.isfinite(table["log_bayes_factor"][name])
            assert "not distinguished from" in table["meaning"][name]
        else:
            assert table["gap"][name] == pytest.approx(row[column], rel=0.1)
            assert table["choices"][name] == pytest.approx(5.0 / table["gap"][name])
            assert table["log_bayes_factor"][name] == -np.inf
    assert table["share"]["greedy"] == pytest.approx(1.0)  # it does not look at rewards that all choices share
    assert table["dimension"]["greedy"] == 0


def test_bayes_factors_after_infinite_data():
    """On G3, where a reward of choices can make every planner act alike; the wrong one may be preferred."""
    others = {
        "hard": (gi.agents.boltzmann(beta=2.0), -0.334),
        "other discount": (gi.agents.soft_optimal(beta=2.0, discount=0.5), 0.261),
        "hard, other discount": (gi.agents.boltzmann(beta=2.0, discount=0.5), 0.167),
        "greedy": (gi.agents.soft_optimal(beta=2.0, discount=0.0), 0.379),
        "beta 1": (gi.agents.soft_optimal(beta=1.0), 0.454),
        "beta 4": (gi.agents.soft_optimal(beta=4.0), -1.673),
        "beta 1/2": (gi.agents.soft_optimal(beta=0.5), -3.967),
        "itself": (RATIONAL, 0.0),
    }
    table = gi.identify.agent_equivalence(G3, RATIONAL, G3_REWARD, {name: one for name, (one, _) in others.items()})
    assert (table["gap"] < 1e-12).all()
    assert (table["dimension"] == 3).all()
    for name, (_, expected) in others.items():
        assert table["log_bayes_factor"][name] == pytest.approx(expected, abs=1e-3)


def test_a_bayes_factor_by_integration():
    """A bandit, where the density of the log odds is a normal one: beta scales it."""
    arms = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
    reward = gi.ActionReward(np.array([[0.7, 0.0]]))
    prior = gi.ActionReward(dist.Normal(0.3, 1.5))  # its mean is no matter to a difference
    table = gi.identify.agent_equivalence(
        arms, gi.agents.soft_optimal(beta=2.0), reward, {"calm": gi.agents.soft_optimal(beta=1.0)}, prior=prior
    )
    odds = 1.4
    density = [dist.Normal(0.0, beta * 1.5 * np.sqrt(2)).log_prob(odds) for beta in (1.0, 2.0)]
    assert table["log_bayes_factor"]["calm"] == pytest.approx(float(density[0] - density[1]), abs=1e-6)


def test_curved_fibers_have_no_number():
    """The rewards with which a prospect theorist has one policy lie on no plane: no density of this kind."""
    others = {"prospect": gi.agents.prospect(loss_aversion=2.25, beta=2.0, exponent=0.88)}
    found = gi.identify.agent_equivalence(G3, RATIONAL, G3_REWARD, others).loc["prospect"]
    assert found["gap"] < 1e-10
    assert np.isnan(found["log_bayes_factor"])
    assert found["choices"] == np.inf


def test_long_run_visits():
    """Against many steps of the walk; episodes begin anew where they end."""
    hall = gi.gridworld("s.a", slip=0.2, discount=0.9, terminal="a")
    wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="arrival")
    behavior = log_policy_jacobian(hall, RATIONAL, wants)
    shares = long_run(hall, behavior)[0]
    law = np.einsum("sa,sat->st", behavior.policy[0], hall.mdp.dense())
    law[2] = hall.mdp.initial
    often = np.linalg.matrix_power(law, 1000)[0, :2]
    np.testing.assert_allclose(shares, [*often / often.sum(), 0.0], rtol=1e-6)


def test_visits_that_are_given():
    """Only visits where choices differ can speak against a planner."""
    others = {"optimism": gi.agents.optimistic(optimism=1.0, beta=2.0)}
    even = gi.identify.agent_equivalence(ONE, RATIONAL, WANTS, others, visits=np.ones(4))
    single = gi.identify.agent_equivalence(ONE, RATIONAL, WANTS, others, visits=[1.0, 0.0, 0.0, 0.0])
    assert even["gap"]["optimism"] > 1e-4
    assert single["gap"]["optimism"] < 1e-10  # two numbers, four rewards


def test_visits_belong_to_worlds_by_name():
    others = {"optimism": gi.agents.optimistic(optimism=1.0, beta=2.0)}
    worlds, visits = {"x": ONE, "y": TWO}, {"x": np.array([9.0, 1, 1, 1]), "y": np.array([1.0, 1, 1, 9])}
    gaps = [
        gi.identify.agent_equivalence(worlds, RATIONAL, WANTS, others, visits=given)["gap"]["optimism"]
        for given in (visits, dict(reversed(visits.items())))
    ]
    assert gaps[0] == gaps[1]


def test_refused():
    with pytest.raises(ValueError, match="has a horizon"):
        gi.identify.agent_equivalence(G3, RATIONAL, G3_REWARD, {"short": gi.agents.finite_horizon(horizon=3, beta=2.0)})
    with pytest.raises(ValueError, match="prior holds no distribution"):
        gi.identify.agent_equivalence(G3, RATIONAL, G3_REWARD, {"hard": gi.agents.boltzmann(beta=2.0)}, prior=G3_REWARD)
    prior = gi.ActionReward(dist.Cauchy(0.0, 1.0))
    with pytest.raises(ValueError, match="no finite variance"):
        gi.identify.agent_equivalence(G3, RATIONAL, G3_REWARD, {"hard": gi.agents.boltzmann(beta=2.0)}, prior=prior)
    with pytest.raises(
        ValueError, match=r"visits have shape \(5,\) and type float64; expected a number for each of 3 states"
    ):
        gi.identify.agent_equivalence(
            G3, RATIONAL, G3_REWARD, {"hard": gi.agents.boltzmann(beta=2.0)}, visits=np.ones(5)
        )
    with pytest.raises(ValueError, match=r"visits have shape \(\) and type object"):
        gi.identify.agent_equivalence(
            G3, RATIONAL, G3_REWARD, {"hard": gi.agents.boltzmann(beta=2.0)}, visits={0: [1], 1: [1]}
        )
    several = {"x": ONE, "y": TWO}
    with pytest.raises(ValueError, match="expected numbers for each of the worlds x, y"):
        gi.identify.agent_equivalence(
            several, RATIONAL, WANTS, {"hard": gi.agents.boltzmann(beta=2.0)}, visits={"x": np.ones(4)}
        )
    goal = gi.goals(ONE, {"end": 2})["end"]
    with pytest.raises(ValueError, match="ends the episode by itself"):
        gi.identify.agent_equivalence(ONE, RATIONAL, goal, {"hard": gi.agents.boltzmann(beta=2.0)})
    with pytest.raises(ValueError, match="visits are zero"):
        gi.identify.agent_equivalence(
            G3, RATIONAL, G3_REWARD, {"hard": gi.agents.boltzmann(beta=2.0)}, visits=np.zeros(3)
        )
    with pytest.raises(ValueError, match="does not act by one policy"):
        gi.identify.agent_equivalence(G3, RATIONAL, G3_REWARD, {"habit": gi.agents.habitual(persistence=0.5, beta=2.0)})
    with pytest.raises(ValueError, match="prior"):
        gi.identify.agent_equivalence(
            G3,
            gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0)),
            G3_REWARD,
            {"hard": gi.agents.boltzmann(beta=2.0)},
        )
