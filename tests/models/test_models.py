"""What single models claim: against brute force, against other code of the library, against published numbers."""

from itertools import pairwise, product

import jax
import numpy as np
import numpyro
import pandas as pd
import pytest
from numpyro.infer.util import log_density
from scipy.optimize import minimize

import goalinf as gi
from goalinf_models import baker_2009, chan_2021, delay_discounting, exact, planning_depth, reddy_2018, ziebart_2008

# -- maximum entropy ------------------------------------------------------------------------------


def log_likelihood(model, data, weights):
    """Of the model that does not causally condition."""
    with jax.enable_x64(True):
        prior = numpyro.distributions.Normal(0, 1).log_prob(np.asarray(weights)).sum()
        return float(log_density(model["model"], (data.unlabeled(),), {}, {"reward.weights": weights})[0] - prior)


@pytest.mark.parametrize("slip", [0.0, 0.3])
def test_maximum_entropy_of_2008_and_2010_agree_only_where_nothing_is_random(slip):
    town = ziebart_2008.world(slip)
    data = ziebart_2008.example(jax.random.key(2), where=town)
    weights = np.array([-0.8, 0.5])
    reward = gi.LinearReward(ziebart_2008.features(town), weights, on="arrival")
    causal = gi.Behavior(town, gi.agents.finite_horizon(horizon=ziebart_2008.HORIZON, beta=1.0), reward).log_prob_by(
        "trajectory", data
    )
    acausal = log_likelihood(ziebart_2008.model(data, "2008", where=town), data, weights)
    assert (abs(acausal - float(causal.sum())) < 1e-8) == (slip == 0.0)


def test_all_paths_of_maximum_entropy_by_brute_force():
    town = gi.gridworld("sm\nf#", slip=0.2, discount=1.0)
    mdp, worth = town.mdp, ziebart_2008.features(town) @ np.array([-0.8, 0.5])
    dense = mdp.dense()
    for start in range(3):
        total = 0.0
        for actions in product(range(4), repeat=3):
            for path in product(range(3), repeat=3):
                states = (start, *path)
                chance = np.prod([dense[s, a, t] for s, a, t in zip(states, actions, path, strict=False)])
                total += chance * np.exp(sum(worth[t] for t in path))
        with jax.enable_x64(True):
            found = log_partition(town, worth, 3)[start]
        assert float(found) == pytest.approx(np.log(total), abs=1e-10)


def log_partition(town, worth, steps):
    kept, ziebart_2008.HORIZON = ziebart_2008.HORIZON, steps
    try:
        return ziebart_2008.log_partition(town, worth)
    finally:
        ziebart_2008.HORIZON = kept


def test_a_path_without_its_end_is_refused():
    data = gi.simulate(
        jax.random.key(0),
        ziebart_2008.world(),
        gi.agents.uniform(),
        gi.StateReward.zero(ziebart_2008.world()),
        trajectories=2,
        steps=5,
    )
    with pytest.raises(ValueError, match="expected trajectories of 8 steps"):
        ziebart_2008.model(data)


# -- goals ----------------------------------------------------------------------------------------


def test_one_goal_is_the_goal_posterior_of_the_library():
    walks = baker_2009.example(jax.random.key(0))
    found = exact(**baker_2009.model(walks))
    agent = baker_2009.walker("M1", baker_2009.world())
    other = gi.goal_posterior(baker_2009.world(), agent, baker_2009.places(), walks)
    np.testing.assert_allclose(found.values, other.transpose("trajectory", "step", "goal").values, atol=1e-9)
    np.testing.assert_allclose(found.evidence[:, -1], other.evidence, atol=1e-9)


def test_walking_past_a_place_speaks_against_it_in_the_model_as_in_the_library():
    hall = gi.gridworld("c.a.s.b", discount=1.0)
    places, walk = gi.goals(hall, {name: name for name in "abc"}), gi.Trajectories.of([[4, 3, 2, 1, 0]], [[2, 2, 2, 2]])
    found = exact(**baker_2009.model(walk, where=hall, goals=places))
    other = gi.goal_posterior(hall, baker_2009.walker("M1", hall), places, walk)
    np.testing.assert_allclose(found.values, other.values, atol=1e-9)
    assert (np.diff(found.sel(goal="a")[0, 2:]) < 0).all()


def test_goals_that_change_by_enumerating_every_sequence_of_goals():
    walks = baker_2009.example(jax.random.key(3), "M2")
    arguments = baker_2009.model(walks, "M2")
    found = baker_2009.present_goal(**arguments)
    steps, switch = 5, baker_2009.SWITCH
    policy = arguments["agent"].policy(arguments["world"], gi.one_of(arguments["goals"])).values
    for n in range(walks.n_trajectories):
        joint = np.zeros(3)
        for goals in product(range(3), repeat=steps):
            weight = 1 / 3
            for before, after in pairwise(goals):
                weight *= (1 - switch) * (before == after) + switch / 3
            for t, goal in enumerate(goals):
                weight *= policy[goal, walks.states[n, t], walks.actions[n, t]]
            joint[goals[-1]] += weight
        np.testing.assert_allclose(found[n, steps], joint / joint.sum(), atol=1e-10)
        assert float(found.evidence[n, steps]) == pytest.approx(np.log(joint.sum()), abs=1e-10)
    behavior = gi.Behavior(arguments["world"], arguments["agent"], gi.one_of(arguments["goals"]))
    np.testing.assert_allclose(found.evidence[:, -1], behavior.log_prob_by("trajectory", walks), atol=1e-8)


@pytest.mark.slow
def test_a_detour_makes_up_minds_later():
    walks = baker_2009.example(jax.random.key(0))  # straight to B
    straight, detours = (exact(**baker_2009.model(walks, variant)) for variant in ("M1", "M3"))
    for found in (straight, detours):
        assert (found[:, -1].idxmax("goal") == "B").all()
    assert (detours[:, -1].max("goal") < straight[:, -1].max("goal")).all()


# -- biases ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_someone_with_a_bias_wants_is_found_with_the_bias_and_missed_without():
    walks = chan_2021.example(jax.random.key(0), "one_of")
    right, wrong = (exact(**chan_2021.model(walks, bias))[0, -1] for bias in (chan_2021.OF_THE_EXAMPLE, "rational"))
    assert float(right.evidence) > float(wrong.evidence) + 3
    assert float(right.sel(a=1.0).sum()) > 0.9
    every = exact(**chan_2021.model(walks, "one_of"))[0, -1]
    assert every.sum(("a", "b")).idxmax().item() == chan_2021.OF_THE_EXAMPLE
    # The joint posterior is the single ones, weighted by their evidence.
    shares = every.sel(bias="rational") / every.sel(bias="rational").sum()
    np.testing.assert_allclose(shares, wrong, atol=1e-9)


def test_every_bias_of_the_paper_is_there():
    assert set(chan_2021.BIASES) == {
        *("rational", "boltzmann", "illusion_of_control", "optimism", "pessimism", "prospect", "extremal"),
        *("myopic_discount", "myopic_planning", "hyperbolic"),
    }
    want = gi.StateReward.at(chan_2021.world(), {"a": 1.0, "b": -0.5}, default=0.0, on="arrival")
    policies = [agent.policy(chan_2021.world(), want).values for agent in chan_2021.BIASES.values()]
    for i, one in enumerate(policies):
        for other in policies[:i]:
            assert np.abs(one - other).max() > 1e-3


# -- beliefs and depths ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["tasks", "reward"])
def test_false_beliefs_are_found(variant):
    fit = gi.infer(
        jax.random.key(1), **reddy_2018.model(reddy_2018.example(jax.random.key(0), variant), variant), progress=False
    )
    draws = fit.posterior["agent.confusion"].values
    assert abs(draws.mean() - reddy_2018.CONFUSION) < 3 * draws.std()
    assert draws.mean() > 3 * draws.std() if variant == "tasks" else draws.mean() < 0.5


def test_depths_by_enumeration():
    """What every subject did under every depth, one agent after another; the depths are found."""
    data = planning_depth.example(jax.random.key(0))
    arguments = planning_depth.model(data)
    grid, layouts, beta = arguments["world"], arguments["reward"], planning_depth.BETA
    found = gi.Behavior(grid, arguments["agent"].at(beta=beta), layouts, like=data).by_option("subject", data)[1]
    scores = np.array(
        [
            gi.Behavior(grid, gi.agents.lookahead(depth=depth, beta=beta), layouts, like=data).log_prob_by(
                "trajectory", data
            )
            for depth in planning_depth.DEPTHS
        ]
    )
    expected = np.stack([scores[:, data.subject == p].sum(axis=1) for p in range(data.n_subjects)], axis=1)
    np.testing.assert_allclose(found[:, : data.n_subjects], expected, atol=1e-4)
    likeliest = np.array(planning_depth.DEPTHS)[expected.argmax(axis=0)]
    assert (likeliest == planning_depth.SUBJECTS).all()


# -- now or later ---------------------------------------------------------------------------------


def direct(table, k, beta, variant):
    """The log-likelihood by its formula, row by row."""
    p = pd.factorize(table["subjID"], sort=True)[0]
    worth = {}
    for when in ("sooner", "later"):
        delay = table[f"delay_{when}"].to_numpy(float)
        factor = 1 / (1 + k[p] * delay) if variant == "hyperbolic" else np.exp(-k[p] * delay)
        worth[when] = table[f"amount_{when}"].to_numpy(float) * factor
    sign = np.where(table["choice"] == 1, 1.0, -1.0)
    return -np.logaddexp(0.0, -sign * beta[p] * (worth["later"] - worth["sooner"]))


@pytest.mark.parametrize("variant", delay_discounting.VARIANTS)
def test_offers_are_scored_by_the_formula(variant):
    table = delay_discounting.example(jax.random.key(4), variant).sample(frac=1.0, random_state=1)
    made = delay_discounting.offers(table)
    k, beta = np.array([0.01, 0.02, 0.3, 0.0]), np.array([0.5, 1.0, 2.0, 0.1])
    with jax.enable_x64(True):
        found = made.behavior(k, beta, variant).log_prob_by("trajectory", made.data)
    np.testing.assert_allclose(found, direct(table, k, beta, variant), atol=1e-10)


@pytest.mark.parametrize(("variant", "expected"), [("hyperbolic", 900.7), ("exponential", 926.7)])
def test_maximum_likelihood_on_the_table_of_hbayesdm(shared, variant, expected):
    path = shared / "hbayesdm_examples" / "delay_discounting.csv"
    if not path.is_file():
        pytest.skip("../shared/data/hbayesdm_examples is absent")
    made = delay_discounting.offers(pd.read_csv(path))
    people = len(made.names)
    assert people == 20

    def loss(x):
        k, beta = jax.numpy.exp(x[:people]), jax.numpy.exp(x[people:])
        return -made.behavior(k, beta, variant).log_prob(made.data)

    with jax.enable_x64(True):
        value = jax.jit(jax.value_and_grad(loss))
        start = np.repeat([-4.0, -1.0], people)
        best = minimize(
            lambda x: tuple(np.asarray(y, float) for y in value(x)),
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-12.0, 3.0)] * (2 * people),
            options={"maxiter": 2000, "ftol": 1e-12},
        )
    assert f"{best.fun:.1f}" == f"{expected:.1f}", best.fun
