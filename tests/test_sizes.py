"""Sizes that cannot work are refused at once, with the memory that they would take."""

import jax
import networkx as nx
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import goalinf as gi
from goalinf import sizes

KEY = jax.random.key(0)
HALL = gi.gridworld("s.a", discount=0.9)
WANTS = gi.StateReward([0.0, 0.0, 1.0], on="departure")
SOFT = gi.agents.soft_optimal(beta=1.0)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of 8 GB, whatever the tests run on."""
    monkeypatch.setattr(sizes, "physical_memory", lambda: 8e9)


@pytest.fixture(scope="module")
def walks():
    return gi.simulate(KEY, HALL, SOFT, WANTS, trajectories=3, steps=4)


def acts(agent):
    return lambda walks: agent.policy(HALL, WANTS)


def learns(**options):
    return lambda walks: gi.infer(KEY, HALL, agent=SOFT, reward=PRIOR, data=walks, **options)


TOO_LARGE = {
    "open_grid": (lambda walks: gi.open_grid(5000, 5000, discount=0.9), "25,000,000 states with 4 actions", "62.5 GB"),
    "huge grid": (lambda walks: gi.open_grid(10**6, 10**6, moves=8, stay=True, discount=0.9), "9 actions", "TB"),
    "garnet": (
        lambda walks: gi.garnet(KEY, states=10**7, actions=4, branching=5, discount=0.9),
        "10,000,000 states with 4 actions and 5 successors",
        "41 GB",
    ),
    "star": (lambda walks: gi.graph_world(nx.star_graph(4000), discount=0.9), "4,000 actions", "8.8 GB"),
    "memory": (
        lambda walks: gi.with_memory(gi.from_arrays(np.full((700, 3, 700), 1 / 700), discount=0.9)),
        "490,700 states with 3 actions and 700 successors",
        "104 GB",
    ),
    "dense": (lambda walks: gi.open_grid(200, 200, discount=0.9).mdp.dense(), "40,000 states and 4 actions", "51.2 GB"),
    "horizon": (
        acts(gi.agents.finite_horizon(horizon=10**9, beta=1.0)),
        "plans of horizon=1,000,000,000 decisions in 3 states",
        "336",
    ),
    "depth": (acts(gi.agents.lookahead(beta=1.0, depth=10**9)), "depth=1,000,000,000", "336 GB"),
    "delays": (acts(gi.agents.hyperbolic(k=1.0, beta=1.0, horizon=10**9)), "horizon=1,000,000,000", "336 GB"),
    "draws of a wrong plan": (
        acts(gi.agents.noisy_plan(plan_noise=0.3, beta=1.0, draws=10**9)),
        "1,000,000,000 draws of the noise",
        "384 GB",
    ),
    "commitment": (
        acts(gi.agents.plan_commitment(replan=0.3, beta=1.0, depths=1000, commitment=1000)),
        "the changes between 500,500 hidden modes",
        "8.02 TB",
    ),
    "epic": (
        lambda walks: gi.identify.distance.epic(
            gi.open_grid(100, 100, discount=0.9), *[gi.StateReward(np.arange(10.0**4), on="departure")] * 2
        ),
        "two rewards of all transitions between 10,000 states by 4 actions",
        "19.2 GB",
    ),
    "a horizon of a density": (
        lambda walks: gi.Behavior(HALL, gi.agents.finite_horizon(horizon=10**9, beta=1.0), WANTS).log_prob(walks),
        "horizon=1,000,000,000",
        "336 GB",
    ),
    "a horizon of a posterior": (
        lambda walks: gi.infer(
            KEY, HALL, agent=gi.agents.finite_horizon(horizon=10**9, beta=1.0), reward=PRIOR, data=walks
        ),
        "horizon=1,000,000,000",
        "336 GB",
    ),
    "simulate": (
        lambda walks: gi.simulate(KEY, HALL, SOFT, WANTS, trajectories=10**6, steps=10**4),
        "1,000,000 trajectories of 10,000 steps",
        "600 GB",
    ),
    "draws": (learns(draws=10**9), "1,000,000,000 draws of each of 4 chains, with 3 parameters", "1.44 TB"),
    "chains": (learns(chains=10**9), "1,000 draws of each of 1,000,000,000 chains", "360 TB"),
    "laplace": (
        lambda walks: gi.infer(KEY, HALL, agent=SOFT, reward=PRIOR, data=walks, draws=10**8, method="laplace"),
        "100,000,000 draws of each of 1 chains",
        "36 GB",
    ),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_refused_at_once(case, walks):
    attempt, what, size = TOO_LARGE[case]
    with pytest.raises(ValueError, match="this machine has 8 GB, of which half may be used: ") as caught:
        attempt(walks)
    assert what in str(caught.value)
    assert size in str(caught.value)


def test_depths_whose_probability_is_zero_are_refused():
    with pytest.raises(ValueError, match="depths is 1,000,000,000; beyond 1,074 their probability is zero"):
        gi.agents.plan_commitment(replan=0.3, beta=1.0, depths=10**9)


def test_a_belief_world_is_refused_as_it_grows(monkeypatch):
    monkeypatch.setattr(sizes, "physical_memory", lambda: 1e5)
    table = pd.DataFrame(
        [("x", "look", o, p) for o, p in (("x", 0.6), ("y", 0.4))] + [("y", "look", o, 0.5) for o in "xy"],
        columns=["state", "action", "next_state", "p"],
    )
    other = table.assign(p=[0.3, 0.7, 0.5, 0.5])
    worlds = {name: gi.from_table(rows, probability="p", discount=0.9) for name, rows in (("a", table), ("b", other))}
    with pytest.raises(ValueError, match=r"states with 1 action and 2 successors each take about [\d.]+ kB"):
        gi.belief_world(worlds, {"a": 0.5, "b": 0.5}, limit=10**9)


def test_padding_of_a_table(monkeypatch):
    monkeypatch.setattr(sizes, "physical_memory", lambda: 1e5)
    rows = [(0, t, (0, t % 2)) for t in range(100)] + [(n, t, (0, t)) for n in range(1, 20) for t in range(2)]
    table = pd.DataFrame(rows, columns=["trajectory", "step", "state"])
    table = table.assign(row=0, col=[state[1] for state in table.state])
    with pytest.raises(ValueError, match="20 trajectories, padded to the longest of 99 steps, take about 119 kB"):
        gi.read_trajectories(table, HALL, trajectory="trajectory", step="step", state=["row", "col"])


def test_what_fits_is_made(monkeypatch):
    """The threshold is half of the memory, on both sides."""
    need = sizes.world_bytes(100, 4)
    monkeypatch.setattr(sizes, "physical_memory", lambda: 2 * need)
    assert gi.open_grid(10, 10, discount=0.9).n_states == 100
    monkeypatch.setattr(sizes, "physical_memory", lambda: 1.99 * need)
    with pytest.raises(ValueError, match="100 states with 4 actions and 1 successor each take about 250 kB"):
        gi.open_grid(10, 10, discount=0.9)
    monkeypatch.setattr(sizes, "physical_memory", lambda: None)  # unknown: nothing is refused
    sizes.check_memory("numbers", 1e30, "wait")


@pytest.mark.parametrize(
    ("size", "said"),
    [(10.0, "0.01 kB"), (999.4e3, "999 kB"), (62.5e9, "62.5 GB"), (1.6e12, "1.6 TB"), (4e18, "4,000,000 TB")],
)
def test_bytes_as_they_are_said(size, said):
    assert sizes.shown(size) == said


def test_the_memory_of_a_container(monkeypatch, tmp_path):
    monkeypatch.undo()
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(sizes, "_CONTAINER", limit)
    monkeypatch.setattr(sizes.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__)
    found = []
    for content in ("1000000\n", "max\n", "9000000\n"):
        limit.write_text(content)
        sizes.physical_memory.cache_clear()
        found.append(sizes.physical_memory())
    sizes.physical_memory.cache_clear()
    assert found == [1e6, 4096e3, 4096e3]
