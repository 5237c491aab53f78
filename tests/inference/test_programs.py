"""Programs are compiled once for a model and a shape of data, and never used for another model."""

import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import goalinf as gi
from goalinf.inference.model.program_cache import _programs, recipe

HALL = gi.gridworld("s..a", discount=0.9)
WANTS = gi.StateReward(np.array([0.0, 1.0, 0.0, 2.0]), on="departure")

SCRIPT = """
    import jax, numpy as np, numpyro.distributions as dist
    import goalinf as gi

    hall = gi.gridworld("s..a", discount=0.9)
    wants = gi.StateReward(np.array([0.0, 1.0, 0.0, 2.0]), on="departure")
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if event.endswith("backend_compile_duration") else None
    )
    walks = [
        gi.simulate(jax.random.key(k), hall, gi.agents.boltzmann(beta=2.0), wants, trajectories=4, steps=5) for k in range(3)
    ]

    def look(data, sd):
        before = len(compiled)
        prior = gi.StateReward(dist.Normal(0.0, sd), on="departure")
        gi.infer(
            jax.random.key(0), hall, agent=gi.agents.boltzmann(beta=2.0), reward=prior, data=data,
            method="hmc", chains=2, warmup=50, draws=50, progress=False,
        )
        return len(compiled) - before

    print(look(walks[0], 1.0) > 0, look(walks[1], 1.0), look(walks[2], 1.0), look(walks[2], 2.0) > 0)
"""


def test_other_data_of_a_model_compile_nothing():
    """In a process of its own, where nothing has been compiled before."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    run = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["True", "0", "0", "True"]


STATES = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
FEATURES = gi.LinearReward(np.arange(8.0).reshape(4, 2), dist.Normal(0.0, 1.0), on="departure")
EITHER = gi.one_of([gi.agents.soft_optimal(beta=2.0), gi.agents.myopic(discount=0.5, beta=2.0)])
FREE = dist.LogNormal(0.0, 0.5)
KINDS = {
    "linear": (gi.agents.soft_optimal(beta=2.0), FEATURES, "auto"),
    "tabular": (gi.agents.soft_optimal(beta=2.0), STATES, "hmc"),
    "free beta": (gi.agents.soft_optimal(beta=FREE), STATES, "auto"),
    "free beta, hard maximum": (gi.agents.boltzmann(beta=FREE), STATES, "hmc"),
    "priors that are not normal": (
        gi.agents.soft_optimal(beta=dist.Gamma(4.0, 2.0)),
        gi.StateReward(dist.StudentT(5.0, 0.0, 1.0), on="departure"),
        "hmc",
    ),
    "an expanded prior": (
        gi.agents.boltzmann(beta=FREE),
        gi.StateReward(dist.Normal(0.0, 1.0).expand([4]), on="departure"),
        "hmc",
    ),
    "known reward": (gi.agents.boltzmann(beta=FREE), WANTS, "auto"),
    "one of two agents": (EITHER, WANTS, "auto"),
    "one of two agents and a reward": (EITHER, STATES, "hmc"),
    "hidden modes": (gi.agents.abandoning(hazard=0.05, beta=2.0, recovery=0.05), STATES, "hmc"),
    "habits": (gi.agents.habitual(persistence=0.5, beta=FREE, habit_rate=0.5), WANTS, "hmc"),
    "NUTS": (gi.agents.boltzmann(beta=2.0), STATES, "nuts"),
}


@pytest.fixture
def lowered():
    """Programs that were lowered, for compilation or for the cache of it, since the test began."""
    found = []

    def hear(event, *_, **__):
        if event.endswith("jaxpr_to_mlir_module_duration"):
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(hear)
    yield found
    jax.monitoring.unregister_event_duration_listener(hear)


def walks_with(cells_from):
    """Walks of one shape, in which few or many different choices are made."""
    return gi.simulate(cells_from, HALL, gi.agents.boltzmann(beta=2.0), WANTS, trajectories=4, steps=5)


@pytest.mark.filterwarnings("ignore::goalinf.errors.UnidentifiedWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_second_fit_lowers_nothing(kind, lowered):
    """Of other data of the same shape, with agents and rewards as they are, by any sampler."""
    agent, reward, method = KINDS[kind]
    options = {"chains": 2, "draws": 50, "method": method, "progress": False}
    if kind != "one of two agents":  # its posterior is exact and takes no warm-up
        options["warmup"] = 50
    for seed in range(2):
        lowered.clear()
        gi.infer(seed, HALL, agent=agent, reward=reward, data=walks_with(seed), **options)
    assert lowered == []


@pytest.mark.parametrize("method", ["find_map", "laplace", "svi"])
def test_a_second_quick_look_lowers_nothing(method, lowered):
    for seed in range(2):
        lowered.clear()
        parts = {"agent": gi.agents.boltzmann(beta=2.0), "reward": STATES, "data": walks_with(seed)}
        if method == "find_map":
            gi.inference.find_map(seed, HALL, **parts)
        else:
            gi.infer(seed, HALL, **parts, method=method, draws=50, steps=50 if method == "svi" else None)
    assert lowered == []


def test_a_second_goal_posterior_lowers_nothing(lowered):
    for seed in range(2):
        lowered.clear()
        goals = gi.goals(HALL, {"left": "s", "right": "a"})
        gi.goal_posterior(HALL, gi.agents.boltzmann(beta=2.0 + seed), goals, walks_with(seed))
    assert lowered == []


def test_data_of_one_shape_share_programs_whatever_was_chosen():
    """A cell is a different choice: their number depends on the data, what is compiled for must not."""
    once, often = walks_with(0), walks_with(1)
    repeated = gi.Trajectories.of(np.repeat(once.states[:1], 4, axis=0), np.repeat(once.actions[:1], 4, axis=0))
    for most in (20, 64, 1000):
        sizes = {len(data.cells.padded(most).weight) for data in (once, often, repeated)}
        assert len(sizes) == 1
    assert len(once.cells.padded(5000).weight) == 1024
    for padded in (once.cells.padded(20), once.cells.padded(5000)):
        assert padded.weight.sum() == once.cells.weight.sum()
        assert (padded.weight[len(once.cells.weight) :] == 0).all()


def look(key, data, agent, sd):
    prior = gi.StateReward(dist.Normal(0.0, sd), on="departure")
    fit = gi.infer(key, HALL, agent=agent, reward=prior, data=data, method="hmc", chains=2, warmup=50, draws=50)
    return fit.posterior["reward.values"].values, fit.tree["log_likelihood"]["choices"].values


@pytest.mark.slow
def test_shared_programs_change_nothing():
    """Two sets of data, two priors, a known and a free beta: as where every one of them is compiled anew."""
    cases = [
        (data, agent, sd)
        for agent, sd in (
            (gi.agents.boltzmann(beta=2.0), 1.0),
            (gi.agents.boltzmann(beta=2.0), 3.0),
            (gi.agents.boltzmann(beta=dist.LogNormal(0, 1)), 1.0),
        )
        for data in (
            gi.simulate(jax.random.key(k), HALL, gi.agents.boltzmann(beta=2.0), WANTS, trajectories=4, steps=5)
            for k in range(2)
        )
    ]
    together = [look(jax.random.key(1), *case) for case in cases]
    for case, found in zip(cases, together, strict=True):
        _programs.cache_clear()
        for one, other in zip(look(jax.random.key(1), *case), found, strict=True):
            np.testing.assert_array_equal(one, other)


def parts(**changed):
    agent = {"beta": dist.LogNormal(0.0, 1.0), "lapse": 0.1} | changed.pop("agent", {})
    reward = gi.StateReward(changed.pop("prior", dist.Normal(0.0, 1.0)), on=changed.pop("on", "departure"))
    return gi.agents.boltzmann(**agent), reward, changed.pop("contexts", ("a", "b"))


def test_what_is_made_anew_is_the_same_model():
    assert recipe(HALL, parts()) == recipe(HALL, parts())
    assert hash(recipe(HALL, parts())) == hash(recipe(HALL, parts()))


CHANGED = {
    "wider prior of beta": {"agent": {"beta": dist.LogNormal(0.0, 2.0)}},
    "another prior of beta": {"agent": {"beta": dist.Gamma(1.0, 1.0)}},
    "beta known": {"agent": {"beta": 1.0}},
    "another lapse": {"agent": {"lapse": 0.2}},
    "another planner": {"agent": {"backup": "mean"}},
    "another mean of the reward": {"prior": dist.Normal(1.0, 1.0)},
    "a mean for every state": {"prior": dist.Normal(np.zeros(4), 1.0)},
    "on arrival": {"on": "arrival"},
    "contexts in another order": {"contexts": ("b", "a")},
}


@pytest.mark.parametrize("name", CHANGED)
def test_another_model_is_another_one(name):
    assert recipe(HALL, parts(**CHANGED[name])) != recipe(HALL, parts())


def test_worlds_are_told_apart_even_where_they_are_changed():
    world = gi.gridworld("s..a", discount=0.9)
    first = recipe(world, parts())
    assert recipe(HALL, parts()) != first
    both = recipe({"a": world, "b": HALL}, parts())
    assert both != recipe({"a": HALL, "b": world}, parts())
    assert both != recipe({"b": world, "a": HALL}, parts())
    world.mdp.initial[:] = world.mdp.initial[::-1]
    assert recipe(world, parts()) != first


class Plain(dist.Distribution):
    """A prior of somebody's own, whose number JAX does not know of."""

    support = dist.constraints.real_vector

    def __init__(self, width):
        self.width = width
        super().__init__((), (4,))

    def log_prob(self, value):
        return dist.Normal(0.0, self.width).log_prob(value).sum(-1)

    def sample(self, key, sample_shape=()):
        return self.width * jax.random.normal(key, (*sample_shape, 4))


def test_a_prior_of_your_own():
    assert recipe(HALL, Plain(1.0)) == recipe(HALL, Plain(1.0))
    assert recipe(HALL, Plain(1.0)) != recipe(HALL, Plain(5.0))
    data = gi.simulate(jax.random.key(0), HALL, gi.agents.uniform(), WANTS, trajectories=2, steps=2)
    agent = gi.agents.soft_optimal(beta=2.0)
    for width in (1.0, 5.0):
        prior = gi.StateReward(Plain(width), on="departure")
        mode = gi.inference.find_map(jax.random.key(1), HALL, agent=agent, reward=prior, data=data)
        values = mode.values["reward.values"].values
        behavior = gi.Behavior(HALL, agent, gi.StateReward(values, on="departure"))
        expected = float(behavior.log_prob(data)) + stats.norm(0.0, width).logpdf(values).sum()
        assert mode.log_posterior == pytest.approx(expected, rel=1e-9)


def test_arrays_that_are_changed_later():
    """What was fitted is what the arrays held at that moment."""
    data = gi.simulate(jax.random.key(0), HALL, gi.agents.uniform(), WANTS, trajectories=2, steps=3)
    features = np.array([[1.0], [0.0], [0.0], [2.0]])

    def scores(features, draws):
        reward = gi.LinearReward(features, dist.Normal(0.0, 1.0), on="departure")
        options = {"chains": 1, "warmup": 50, "draws": draws, "method": "hmc"}
        fit = gi.infer(
            jax.random.key(1), HALL, agent=gi.agents.boltzmann(beta=2.0), reward=reward, data=data, **options
        )
        return fit.tree["log_likelihood"]["choices"].values

    scores(features, 50)
    features[:] = features[::-1]
    found = scores(np.array([[1.0], [0.0], [0.0], [2.0]]), 100)
    _programs.cache_clear()
    np.testing.assert_array_equal(found, scores(np.array([[1.0], [0.0], [0.0], [2.0]]), 100))


def test_names_of_contexts_of_two_types():
    rewards, agent = {1: WANTS, "b": WANTS}, gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0))
    data = gi.simulate(jax.random.key(0), HALL, gi.agents.soft_optimal(beta=2.0), rewards, trajectories=3, steps=4)
    assert np.isfinite(
        gi.inference.find_map(jax.random.key(1), HALL, agent=agent, reward=rewards, data=data).log_posterior
    )


def test_agents_without_a_beta_are_compiled():
    data = gi.simulate(jax.random.key(0), HALL, gi.agents.uniform(), WANTS, trajectories=3, steps=4)
    agent, prior = (
        gi.agents.satisficing(aspiration=0.5, sharpness=1.0),
        gi.StateReward(dist.Normal(0.0, 1.0), on="departure"),
    )
    fit = gi.infer(jax.random.key(1), HALL, agent=agent, reward=prior, data=data, chains=1, warmup=50, draws=20)
    assert fit.n_draws == 20


def test_what_cannot_be_compared_is_shared_with_nothing():
    assert recipe(HALL, [1]) == recipe(HALL, [1])
    assert recipe(HALL, {1}) != recipe(HALL, {1})  # a set cannot be hashed


def test_one_prior_in_both_precisions():
    """Its arrays are constants of a program of either precision."""
    data = gi.simulate(jax.random.key(0), HALL, gi.agents.boltzmann(beta=2.0), WANTS, trajectories=4, steps=5)
    prior = gi.StateReward(dist.Normal(np.zeros(4), 1.0), on="departure")
    agent = gi.agents.soft_optimal(beta=2.0, discount=0.5)
    single, double = (
        gi.inference.find_map(
            jax.random.key(1), HALL, agent=agent, reward=prior, data=data, precision=precision
        ).log_posterior
        for precision in ("float32", "float64")
    )
    assert single == pytest.approx(double, rel=1e-5)
