"""Every hypothesis is scored on the same choices: goals that were reached, rival ends, terminal states of the world."""

import goal_oracles
import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import goalinf as gi

HALL = gi.gridworld("c.a.s.b", discount=1.0)
HALL_GOALS = gi.goals(HALL, {name: name for name in "abc"}, step_cost=1.0)
THROUGH = gi.Trajectories.of([[4, 3, 2, 1, 0]], [[2, 2, 2, 2]])  # to a, and past it on to c
# Numbers of independent code.
THROUGH_POSTERIOR = [
    [0.468311, 0.063379, 0.468311],
    [0.495463, 0.009075, 0.495463],
    [0.200630, 0.001977, 0.797393],
    [0.032919, 0.000324, 0.966756],
]

FORK = gi.from_table(
    pd.DataFrame({"state": list("ssmm"), "action": ["left", "right"] * 2, "next_state": list("amsb")}),
    terminal=["a", "b"],
    discount=1.0,
)
FORK_GOALS = gi.goals(FORK, {"A": "a", "B": "b"}, step_cost=1.0)


def fork_walk(*names):
    actions = [[FORK.action_index("right")] * (len(names) - 1)]
    return gi.Trajectories.of([[FORK.index(name) for name in names]], actions)


# -- golden numbers --------------------------------------------------------------------------------


def test_walking_past_a_goal_speaks_against_it():
    found = gi.goal_posterior(HALL, gi.agents.boltzmann(beta=1.0), HALL_GOALS, THROUGH)
    np.testing.assert_allclose(found[0, 1:], THROUGH_POSTERIOR, rtol=0, atol=5e-7)


def test_a_goal_that_never_changes_is_a_goal():
    """The forward filter over goals that are switched with rate zero."""
    behavior = gi.Behavior(HALL, gi.agents.switching(switch=0.0, beta=1.0), gi.one_of(HALL_GOALS))
    np.testing.assert_allclose(behavior.mode_posterior(THROUGH)[0], THROUGH_POSTERIOR, rtol=0, atol=5e-7)
    found = gi.goal_posterior(HALL, gi.agents.boltzmann(beta=1.0), HALL_GOALS, THROUGH)
    assert float(behavior.log_prob(THROUGH)) == pytest.approx(found["evidence"].item(), rel=1e-12)


def test_a_goal_that_ends_the_episode_is_ruled_out_by_the_next_choice():
    found = gi.goal_posterior(HALL, gi.agents.boltzmann(beta=1.0), HALL_GOALS, THROUGH, after_goal="impossible")
    np.testing.assert_allclose(found[0, 1:3], THROUGH_POSTERIOR[:2], rtol=0, atol=5e-7)
    expected = np.array(THROUGH_POSTERIOR[2:]) * [0.0, 1.0, 1.0]
    np.testing.assert_allclose(found[0, 3:], expected / expected.sum(1, keepdims=True), rtol=0, atol=1e-6)
    assert (found.sel(goal="a")[0, 3:] == 0.0).all()
    assert np.isneginf(found["log_likelihood"].sel(goal="a"))


def test_a_choice_that_was_not_observed_rules_out_nothing_until_the_next_one():
    hidden = gi.Trajectories.of(THROUGH.states, THROUGH.actions, observed=[[True, True, False, True]])
    found = gi.goal_posterior(HALL, gi.agents.boltzmann(beta=1.0), HALL_GOALS, hidden, after_goal="impossible")
    np.testing.assert_array_equal(found[0, 3], found[0, 2])
    assert found.sel(goal="a")[0, 4] == 0.0


def test_no_goal_may_be_left():
    with pytest.raises(ValueError, match=r"trajectory 0, step 2: .*every goal.*after_goal='impossible'"):
        gi.goal_posterior(HALL, gi.agents.boltzmann(beta=1.0), {"a": HALL_GOALS["a"]}, THROUGH, after_goal="impossible")


def test_a_rival_end_is_a_dead_end():
    """Going right, away from A and past no other way back."""
    found = gi.goal_posterior(FORK, gi.agents.boltzmann(beta=2.0), FORK_GOALS, fork_walk("s", "m", "b"))
    np.testing.assert_allclose(found[0, 1:], [[0.017711, 0.982289], [0.000045, 0.999955]], rtol=0, atol=5e-7)


def door(*, locked):
    """A hall s with a door to the goal and a way to b and back; a locked door leads nowhere."""
    rows = [("s", "door", "s" if locked else "goal"), ("s", "right", "b"), ("b", "left", "s"), ("goal", "right", "s")]
    return gi.from_table(pd.DataFrame(rows, columns=["state", "action", "next_state"]), discount=0.9)


def test_dead_ends_belong_to_a_world():
    """Where a door is locked in one condition only, dead ends of one world are none of the other."""
    worlds = {"open": door(locked=False), "locked": door(locked=True)}
    assert worlds["open"].states == worlds["locked"].states
    wants = {name: gi.goals(world, {"goal": "goal"}, dead_end=-50.0)["goal"] for name, world in worlds.items()}
    one = worlds["open"]
    walks = [[one.index(name) for name in "sbs"]] * 2
    moves = [[one.action_index(name) for name in ("right", "left")]] * 2
    data = gi.Trajectories.of(walks, moves, context=[0, 1], contexts=["open", "locked"])
    agent = gi.agents.boltzmann(beta=1.0)
    # By hand. Open: the door costs 1; to b and back 1 + .9 + .81. Locked: both moves end in a dead end, and b has one.
    expected = [-np.log1p(np.exp(-1.0 + 1.0 + 0.9 + 0.81)), -np.log(2.0)]
    found = gi.Behavior(worlds, agent, wants).log_prob_by("trajectory", data)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    message = "state b is not a dead end in this world and is one of them .2 such states.*gi.goals"
    for wrong in (
        lambda: gi.Behavior(worlds["open"], agent, wants["locked"]),
        lambda: gi.Behavior(worlds, agent, wants["locked"]),
        lambda: agent.policy(worlds["open"], wants["locked"]),
        lambda: gi.goal_posterior(worlds["open"], agent, {"goal": wants["locked"]}, data.select([0])),
        lambda: gi.Behavior(
            worlds["open"], gi.agents.switching(switch=0.1, beta=1.0), gi.one_of({"goal": wants["locked"]})
        ),
        lambda: gi.Behavior(worlds, agent, {"open": wants["locked"], "locked": wants["locked"]}),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
    with pytest.raises(ValueError, match="state b is a dead end in this world and is not one of them"):
        gi.Behavior(worlds["locked"], agent, wants["open"])
    one_world = {"a": wants["open"], "b": wants["locked"]}
    with pytest.raises(ValueError, match=message):
        gi.simulate(0, worlds["open"], agent, one_world, trajectories=1, steps=1)
    detour = gi.agents.subgoal(detour=0.5, beta=1.0, world=worlds["locked"], places=["goal"])
    with pytest.raises(ValueError, match="dead ends of a subgoal belong to another world"):
        detour.policy(worlds["open"], wants["open"])


def test_the_value_of_a_dead_end_decides_results():
    """Both moves of the fork under goal A, by hand: the way back to a takes two steps, b is worth what dead_end says."""
    for dead_end in (0.0, -1.0, -4.0, -50.0):
        wants = gi.goals(FORK, {"A": "a", "B": "b"}, step_cost=1.0, dead_end=dead_end)["A"]
        policy = gi.agents.boltzmann(beta=2.0).policy(FORK, wants)
        expected = 1.0 / (1.0 + np.exp(2.0 * (-2.0 - (-1.0 + dead_end))))
        np.testing.assert_allclose(policy.sel(state="m", action="right"), expected, rtol=1e-12)


# -- against enumeration, which shares no code -------------------------------------------------------


STEPS = 5
SIZES = st.tuples(st.integers(3, 5), st.integers(2, 3), st.integers(2, 3))  # states, actions, goals


@st.composite
def problems(draw, sizes=SIZES):
    """A deterministic world, some sets of goal states, and a walk that can happen in it."""
    size, width, count = draw(sizes)
    numbers = st.integers(0, size - 1)
    row = st.lists(numbers, min_size=width, max_size=width)
    successors = draw(st.lists(row, min_size=size, max_size=size))
    terminal = draw(st.sets(numbers, max_size=2))
    goals = draw(st.lists(st.frozensets(numbers, min_size=1, max_size=2), min_size=count, max_size=count))
    state = draw(st.sampled_from(sorted(set(range(size)) - terminal)))
    states, actions = [state], []
    while len(actions) < STEPS and states[-1] not in terminal:
        actions.append(draw(st.integers(0, width - 1)))
        states.append(successors[states[-1]][actions[-1]])
    return successors, terminal, goals, states, actions


def made(successors, terminal, goals, discount):
    """The world and the rewards of the library."""
    world = gi.from_arrays(
        successors=np.array(successors)[:, :, None],
        probabilities=np.ones((*np.shape(successors), 1)),
        terminal=sorted(terminal),
        initial=np.eye(len(successors))[min(set(range(len(successors))) - terminal)],
        discount=discount,
    )
    return world, gi.goals(world, {f"g{g}": sorted(goal) for g, goal in enumerate(goals)}, step_cost=1.0)


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from([1.0, 0.9]), st.booleans())
def test_goal_posteriors_against_every_path(problem, discount, impossible):
    successors, terminal, goals, states, actions = problem
    world, rewards = made(successors, terminal, goals, discount)
    data, agent, after = (
        gi.Trajectories.of([states], [actions]),
        gi.agents.boltzmann(beta=1.3),
        ("continue", "impossible"),
    )
    expected = goal_oracles.posterior(
        successors, terminal, goals, -len(successors), discount, 1.3, states, actions, impossible=impossible
    )
    if expected[-1] is None:
        with pytest.raises(ValueError, match="probability zero under every goal"):
            gi.goal_posterior(world, agent, rewards, data, after_goal=after[impossible])
        return
    found = gi.goal_posterior(world, agent, rewards, data, after_goal=after[impossible])
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(problems(), st.integers(0, 2))
def test_goal_posteriors_with_a_horizon_against_every_sequence(problem, more):
    """Dead ends keep their value at the very end of the horizon."""
    successors, terminal, goals, states, actions = problem
    world, rewards = made(successors, terminal, goals, 0.9)
    horizon = len(actions) + more
    found = gi.goal_posterior(
        world, gi.agents.boltzmann(beta=1.3, horizon=horizon), rewards, gi.Trajectories.of([states], [actions])
    )
    expected = goal_oracles.posterior(
        successors, terminal, goals, -len(successors), 0.9, 1.3, states, actions, horizon=horizon
    )
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-10)


@settings(max_examples=12, deadline=None)
@given(problems(st.just((4, 2, 2))))  # of one shape, compiled once
def test_all_goals_are_scored_on_the_same_choices_in_every_way(problem):
    """Every observed choice has a score under every goal; totals, steps, trajectories and evidence agree."""
    successors, terminal, goals, states, actions = problem
    world, rewards = made(successors, terminal, goals, 0.9)
    missing = STEPS - len(actions)
    data = gi.Trajectories.of([states + [-1] * missing] * 2, [actions + [-1] * missing] * 2)
    agent = gi.agents.boltzmann(beta=1.3)
    posterior = gi.goal_posterior(world, agent, rewards, data)
    for name, reward in rewards.items():
        behavior = gi.Behavior(world, agent, reward)
        by_step = behavior.log_prob_by("step", data)
        assert (by_step[np.asarray(data.observed)] < 0).all()
        np.testing.assert_allclose(behavior.log_prob_by("trajectory", data), by_step.sum(1), rtol=1e-12)
        np.testing.assert_allclose(behavior.log_prob(data), by_step.sum(), rtol=1e-12)
        np.testing.assert_allclose(posterior["log_likelihood"].sel(goal=name), by_step.sum(1), rtol=1e-12)
    never = gi.Behavior(world, gi.agents.switching(switch=0.0, beta=1.3), gi.one_of(rewards))
    np.testing.assert_allclose(never.log_prob_by("trajectory", data), posterior["evidence"], rtol=1e-9)
    np.testing.assert_allclose(never.mode_posterior(data)[0], posterior[0, 1:], atol=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 9), st.data(), st.floats(0.8, 3.0), st.sampled_from(["boltzmann", "soft_optimal"]))
def test_moving_away_from_a_goal_that_was_reached_never_makes_it_likelier(length, data, beta, kind):
    """In a corridor from the goal to a rival on the other side, and between any two goals on the way there."""
    hall = gi.gridworld("." * length, discount=1.0)
    near = data.draw(st.integers(0, length - 2))
    start = data.draw(st.integers(0, near))
    rewards = gi.goals(hall, {"reached": (0, near), "rival": (0, length - 1)}, step_cost=2.0)
    walk = list(range(start, length))
    agent = getattr(gi.agents, kind)(beta=beta)
    found = gi.goal_posterior(hall, agent, rewards, gi.Trajectories.of([walk], [[3] * (len(walk) - 1)]))
    reached = found.sel(goal="reached")[0].values[near - start :]
    assert (np.diff(reached) <= 1e-12).all()
    assert reached[-1] < reached[0]


# -- agents of every kind ----------------------------------------------------------------------------


RING = gi.gridworld("a..\n.#.\n..b", discount=0.9, terminal="b")


@pytest.mark.parametrize(
    "agent",
    [
        gi.agents.soft_optimal(beta=1.5),
        gi.agents.boltzmann(beta=1.5, horizon=9),
        gi.agents.lookahead(depth=2, beta=1.5),
        gi.agents.abandoning(hazard=0.2, beta=1.5),
        gi.agents.habitual(persistence=0.5, beta=1.5),
        gi.agents.q_learning(learning_rate=0.3, beta=1.5),
        gi.agents.subgoal(detour=0.5, beta=1.5, world=RING, places=[(0, 2)]),
        gi.agents.noisy_plan(plan_noise=0.5, beta=1.5, draws=5),
        gi.agents.plan_commitment(replan=0.3, beta=1.5, depths=3),
        gi.agents.hyperbolic(k=0.5, beta=1.5, horizon=9),
    ],
    ids=lambda agent: agent.name,
)
def test_every_agent_goes_on_behind_its_goal(agent):
    """A walk through the goal has as many scores as choices; without the part behind it, its scores are the same."""
    wants = gi.goals(RING, {"a": "a"}, step_cost=1.0)["a"]
    states = [RING.index(place) for place in [(1, 0), "a", (0, 1), "a", (1, 0), (2, 0)]]
    actions = [RING.action_index(move) for move in ["up", "right", "left", "down", "down"]]
    whole, part = gi.Trajectories.of([states], [actions]), gi.Trajectories.of([states[:2]], [actions[:1]])
    behavior = gi.Behavior(RING, agent, wants)
    by_step = behavior.log_prob_by("step", whole)
    assert np.isfinite(by_step).all()
    assert (by_step < 0).all()
    np.testing.assert_allclose(by_step[:, :1], behavior.log_prob_by("step", part), rtol=1e-12)
    np.testing.assert_allclose(behavior.log_prob(whole), by_step.sum(), rtol=1e-10)
    walks = gi.simulate(jax.random.key(0), RING, agent, wants, trajectories=40, steps=9)
    ended = np.asarray(walks.states)[np.arange(40), np.asarray(walks.lengths)]
    early = np.asarray(walks.lengths) < 9
    assert early.any()
    assert set(ended[early]) <= {RING.index("a"), RING.index("b")}  # a simulated episode ends at its goal


def test_mixtures_and_rates_of_switching():
    """One of several agents, by trajectory, by subject and together, by sums over what each of them says."""
    wants, options = HALL_GOALS["a"], {"sharp": gi.agents.boltzmann(beta=2.0), "dull": gi.agents.boltzmann(beta=0.5)}
    data = gi.Trajectories.of(
        [[4, 3, 2, 1, 0], [4, 3, 4, 3, 2]], [[2, 2, 2, 2], [2, 3, 2, 2]], subject=np.zeros(2, np.int32)
    )
    alone = np.stack([gi.Behavior(HALL, agent, wants).log_prob_by("step", data).sum(1) for agent in options.values()])
    for by, groups in (
        ("trajectory", alone),
        ("subject", alone.sum(1, keepdims=True)),
        ("data", alone.sum(1, keepdims=True)),
    ):
        behavior = gi.Behavior(HALL, gi.one_of(options, by=by), wants)
        expected = np.log(0.5 * np.exp(groups).sum(0)).sum()
        np.testing.assert_allclose(behavior.log_prob(data), expected, rtol=1e-10)
        np.testing.assert_allclose(behavior.log_prob_by("trajectory", data).sum(), expected, rtol=1e-10)
        np.testing.assert_allclose(behavior.log_prob_by("step", data).sum(), expected, rtol=1e-10)


# -- one log-likelihood of one fit ---------------------------------------------------------------------


def test_within_a_fit_lp_is_prior_and_log_likelihood():
    """Walks behind the goal, a cost of steps with a normal prior: no change of variables."""
    agent = gi.agents.boltzmann(beta=1.0)
    data = gi.simulate(jax.random.key(1), HALL, agent, HALL_GOALS["c"], trajectories=6, steps=8, starts="s")
    assert (np.asarray(data.states)[:, :-1] == 2).any()  # past a
    with pytest.raises(ValueError, match=r"step_cost is a prior \(Normal\), .*: give dead_end=, a number"):
        gi.goals(HALL, {"a": "a"}, step_cost=dist.Normal(2.0, 0.2))
    prior = gi.goals(HALL, {"a": "a"}, step_cost=dist.Normal(2.0, 0.2), dead_end=-7.0)["a"]
    fit = gi.infer(
        jax.random.key(0), HALL, agent=agent, reward=prior, data=data, draws=50, warmup=50, chains=2, progress=False
    )
    scores = fit.tree["log_likelihood"]["choices"].sum("trajectory").values
    expected = stats.norm(2.0, 0.2).logpdf(fit.posterior["reward.step_cost"].values) + scores
    np.testing.assert_allclose(fit.sample_stats["lp"].values, expected, rtol=0, atol=1e-8)
    assert fit.tree.attrs["choices_scored"] == data.n_observed
    assert f"{data.n_observed} choices scored)" in repr(fit)
    step, cost = gi.inference.loo(fit, "step"), float(fit.posterior["reward.step_cost"][0, 0])
    assert len(step.elpd_i) == data.n_observed
    one = gi.GoalReward(prior.goal, prior.dead, step_cost=cost, dead_end=-7.0)
    np.testing.assert_allclose(scores[0, 0], gi.Behavior(HALL, agent, one).log_prob(data), rtol=1e-10)
