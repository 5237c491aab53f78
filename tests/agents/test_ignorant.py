"""Agents that do not know the world, against recursions over (state, belief) that share nothing with the library."""

import itertools

import evans_oracles as evans
import jax
import numpy as np
import numpyro.distributions as dist
import oracles
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import goalinf as gi
from goalinf.agents import Ignorance, solve
from goalinf.inference.results.files.serialize import Reader, Writer

BETA, DISCOUNT, HORIZON = 1.7, 0.9, 3


# -- the oracle: expectimax -------------------------------------------------------------------


class Expectimax:
    """Choice probabilities by recursion over (state, belief, steps left, updates left, delay); R[s, a, t]."""

    def __init__(self, laws, R, ends, backup, updates=None, k=None, sophisticated=False):
        self.laws, self.R, self.ends, self.updates = laws, R, ends, updates
        self.backup, self.k, self.sophisticated = backup, k, sophisticated

    def bayes(self, b, s, a, t):
        joint = b * self.laws[:, s, a, t]
        return joint / joint.sum() if joint.sum() > 0 else b

    def policy(self, s, b, n):
        return self.softmax(self.values(s, b, n, self.updates, 0))

    def softmax(self, Q):
        odds = np.exp(BETA * (Q - Q.max()))
        return odds / odds.sum()

    def count(self, delay):
        return DISCOUNT**delay if self.k is None else 1.0 / (1.0 + self.k * delay)

    def values(self, s, b, n, u, d):
        """In utility of today for hyperbolic agents, in that of the delay for others."""
        total = np.zeros(self.laws.shape[2])
        for a, t in itertools.product(range(self.laws.shape[2]), range(len(self.ends))):
            chance = b @ self.laws[:, s, a, t]
            if chance == 0.0:
                continue
            after, left = (b, 0) if u == 0 else (self.bayes(b, s, a, t), None if u is None else u - 1)
            now = self.R[s, a, t] * (1.0 if self.k is None else self.count(d))
            total[a] += chance * (now + (DISCOUNT if self.k is None else 1.0) * self.best(t, after, n - 1, left, d + 1))
        return total

    def best(self, s, b, n, u, d):
        if n == 0 or self.ends[s]:
            return 0.0
        Q = self.values(s, b, n, u, d)
        if self.k is not None:
            chosen = self.values(s, b, n, u, 0) if self.sophisticated else Q
            return self.softmax(chosen) @ Q
        return Q.max() if self.backup == "hard" else np.log(np.exp(BETA * Q).sum()) / BETA


def random_worlds(seed, holes=0.3, discount=DISCOUNT):
    rng = np.random.default_rng(seed)
    laws = oracles.random_law(rng, 2, 3, 2, 3) * (rng.random((2, 3, 2, 3)) > holes)
    laws[..., 2] += 1.0 - laws.sum(-1)
    R, ends = rng.normal(size=(3, 2, 3)), np.arange(3) == 2
    worlds = {
        w: gi.from_arrays(law, terminal=ends, initial=0, discount=discount) for w, law in zip("vw", laws, strict=True)
    }
    return laws, R, ends, worlds


def transition_reward(world, R):
    here = world.memory.pairs[:, 1]
    return gi.TransitionReward(R[here[:, None, None], np.arange(2)[None, :, None], here[world.mdp.successors]])


def step(world, pair, action, following):
    """The pair that comes next."""
    slots = world.memory.pairs[world.mdp.successors[pair, action], 1] == following
    return int(world.mdp.successors[pair, action][slots & (world.mdp.probabilities[pair, action] > 0)][0])


def compare(agent, world, oracle, truth, b0):
    """Policies along every trajectory, with beliefs by hand; the probabilities of all trajectories sum to one."""
    policy = np.exp(solve(agent, world, transition_reward(world, oracle.R)).log_probs)
    total = 0.0
    todo = [(0, b0, int(np.flatnonzero(world.mdp.initial)[0]), 0, 1.0)]
    while todo:
        s, b, pair, t, chance = todo.pop()
        assert world.memory.pairs[pair, 1] == s
        np.testing.assert_allclose(world.memory.beliefs[world.memory.pairs[pair, 0]], b, atol=1e-9)
        if t == HORIZON or oracle.ends[s]:
            total += chance
            continue
        np.testing.assert_allclose(policy[t, pair], oracle.policy(s, b, HORIZON - t), atol=1e-9)
        for a, t_next in np.argwhere(truth[s] > 0).tolist():
            after, then = oracle.bayes(b, s, a, t_next), step(world, pair, a, t_next)
            todo.append((t_next, after, then, t + 1, chance * policy[t, pair, a] * truth[s, a, t_next]))
    assert total == pytest.approx(1.0, abs=1e-9)


AGENTS = {
    "boltzmann": (lambda beliefs: gi.agents.boltzmann(beta=BETA, horizon=HORIZON, beliefs=beliefs), {"backup": "hard"}),
    "soft_optimal": (
        lambda beliefs: gi.agents.soft_optimal(beta=BETA, horizon=HORIZON, beliefs=beliefs),
        {"backup": "soft"},
    ),
    "naive": (lambda beliefs: gi.agents.hyperbolic(k=0.5, beta=BETA, horizon=HORIZON, beliefs=beliefs), {"k": 0.5}),
    "sophisticated": (
        lambda beliefs: gi.agents.hyperbolic(k=0.5, beta=BETA, horizon=HORIZON, sophisticated=True, beliefs=beliefs),
        {"k": 0.5, "sophisticated": True},
    ),
}


@pytest.mark.parametrize("updates", [None, 0, 1, 2])
@pytest.mark.parametrize("name", AGENTS)
@settings(max_examples=3)
@example(seed=20)  # an outcome that one belief excludes and another expects
@given(seed=st.integers(0, 10_000))
def test_planning_is_expectimax_over_beliefs(name, updates, seed):
    laws, R, ends, worlds = random_worlds(seed)
    b0 = np.array([[0.7, 0.3], [1.0, 0.0]][seed % 2])
    world = gi.belief_world(worlds, dict(zip("vw", b0, strict=True)), horizon=HORIZON)
    true = gi.belief_world(worlds, dict(zip("vw", b0, strict=True)), horizon=HORIZON, truth="w")
    make, options = AGENTS[name]
    oracle = Expectimax(laws, R, ends, **{"backup": "hard", **options}, updates=updates)
    agent = make(Ignorance.of(world, updates=updates))
    assume(updates is None or (agent.beliefs.slots >= 0).all())
    compare(agent, true, oracle, laws[1], b0)


def test_outcomes_that_no_belief_expects_have_no_reward():
    """Who is in state 1 knows the world, as the first step tells; who learns nothing thinks it may be the other one."""
    _, R, _, worlds = random_worlds(14)
    world = gi.belief_world(worlds, {"v": 0.7, "w": 0.3}, horizon=HORIZON)
    agent = gi.agents.boltzmann(beta=BETA, horizon=HORIZON, beliefs=Ignorance.of(world, updates=0))
    with pytest.raises(
        ValueError, match=r"expects an outcome that no belief of the belief world expects in state .*TransitionRew"
    ):
        agent.policy(world, transition_reward(world, R))
    assert np.isfinite(agent.policy(world, gi.StateReward.zero(world)).sel(step=0)[0]).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8)
def test_who_has_nothing_to_learn_is_an_mdp_agent(seed):
    _, _, _, worlds = random_worlds(seed, holes=0.0)
    wants = gi.StateReward(np.random.default_rng(seed).normal(size=3), on="arrival")
    expected = gi.agents.soft_optimal(beta=BETA).policy(worlds["v"], wants).values
    same = {"v": worlds["v"], "again": worlds["v"]}
    for worlds_, prior in ((worlds, {"v": 1.0, "w": 0.0}), (same, {"v": 0.4, "again": 0.6})):
        world = gi.belief_world(worlds_, prior)
        lifted = gi.StateReward(wants.values[world.memory.pairs[:, 1]], on="arrival")
        for updates in (None, 0, 2):
            agent = gi.agents.ignorant(world, beta=BETA, backup="soft", updates=updates)
            np.testing.assert_allclose(agent.policy(world, lifted), expected, atol=1e-9)


# -- what it is good for ----------------------------------------------------------------------

PLACES = ("hall", "note left", "note right", "left", "right", "prize", "nothing")


def treasure(side):
    """Two boxes, one of which holds a prize; a note in the hall says which, and reading it costs a step."""
    P = np.zeros((7, 3, 7))  # actions: left, right, read
    P[:3, 0, 3] = P[:3, 1, 4] = P[1, 2, 1] = P[2, 2, 2] = 1.0
    P[0, 2, 1 if side == "left" else 2] = 1.0
    P[3, :, 5 if side == "left" else 6] = P[4, :, 6 if side == "left" else 5] = P[5:, :, 6] = 1.0
    names = {"states": PLACES, "actions": ("left", "right", "read")}
    return gi.from_arrays(P, terminal=["prize", "nothing"], initial="hall", discount=0.9, **names)


TREASURE = {side: treasure(side) for side in ("left", "right")}
HALL = gi.belief_world(TREASURE, {"left": 0.6, "right": 0.4})
PRIZE = gi.StateReward.at(HALL, {"prize": 1.0}, default=0.0, on="arrival")


@pytest.mark.parametrize(("updates", "reads"), [(None, True), (3, True), (1, True), (0, False)])
def test_information_has_a_value_for_those_who_expect_to_learn(updates, reads):
    agent = gi.agents.ignorant(HALL, beta=100.0, updates=updates)
    policy = agent.policy(HALL, PRIZE)
    assert policy.sel(state="hall,left 0.6, right 0.4").idxmax("action").item() == ("read" if reads else "left")
    assert policy.sel(state="note right,right 1").idxmax("action").item() == "right"  # what it learned it knows


def test_which_updates_can_be_summed_over_and_goals_planned_together():
    agent = gi.agents.ignorant(HALL, beta=5.0, updates=gi.one_of([0, None], weights=[0.5, 0.5]))
    data = gi.simulate(jax.random.key(0), HALL, gi.agents.ignorant(HALL, beta=5.0), PRIZE, trajectories=5, steps=3)
    each = [gi.Behavior(HALL, option, PRIZE).log_prob(data) for option in agent.components]
    both = gi.Behavior(HALL, agent, PRIZE).log_prob(data)
    np.testing.assert_allclose(both, np.logaddexp(*each) - np.log(2.0), rtol=1e-6)
    places, one = gi.goals(HALL, {"prize": "prize", "left": "left"}), gi.agents.ignorant(HALL, beta=2.0, updates=1)
    found = gi.goal_posterior(HALL, one, places, data).isel(step=-1)
    scores = [gi.Behavior(HALL, one, goal).log_prob_by("trajectory", data) for goal in places.values()]
    np.testing.assert_allclose(np.log(found[:, 0] / found[:, 1]), np.subtract(*scores), atol=1e-6)


def test_a_prior_of_its_own():
    """Reweighting the beliefs of one world is the same as building another with that prior."""
    other = gi.belief_world(TREASURE, {"left": 0.2, "right": 0.8})
    for updates in (None, 1):
        expected = solve(gi.agents.ignorant(other, beta=3.0, updates=updates), other, PRIZE).log_probs
        agent = gi.agents.ignorant(HALL, beta=3.0, prior=0.2, about="left", updates=updates)
        np.testing.assert_allclose(solve(agent, HALL, PRIZE).log_probs, expected, atol=1e-9)
    data = gi.simulate(jax.random.key(1), HALL, agent, PRIZE, trajectories=20, steps=3)

    def score(prior):
        return gi.Behavior(HALL, agent.at(prior=prior), PRIZE).log_prob(data)

    grid = np.append(np.linspace(0.01, 0.99, 99), [0.3 + 1e-5, 0.3 - 1e-5])
    with jax.enable_x64(True):
        slope = jax.jit(jax.grad(score))(np.float64(0.3))
        *scores, above, below = np.asarray(jax.jit(jax.vmap(score))(grid))
        assert float(slope) == pytest.approx((above - below) / 2e-5, rel=1e-4)
    free = gi.agents.ignorant(HALL, beta=3.0, prior=dist.Uniform(0.0, 1.0))
    mode = gi.inference.find_map(jax.random.key(2), HALL, agent=free, reward=PRIZE, data=data)
    density = scores + np.log(grid * (1.0 - grid))[:99]
    assert abs(float(mode.values["agent.prior"]) - grid[np.argmax(density)]) < 0.02


def test_ignorance_is_stored():
    agent = gi.agents.ignorant(HALL, beta=3.0, updates=1)
    writer = Writer()
    structure = writer.structure(agent)
    again = Reader(writer.arrays, writer.records).value(structure)
    np.testing.assert_array_equal(solve(again, HALL, PRIZE).log_probs, solve(agent, HALL, PRIZE).log_probs)


# -- the restaurant ---------------------------------------------------------------------------


def restaurant(is_open):
    """The streets of theory 4.2 from (3, 1); a closed door sends one back to the street, and one knows."""
    moves, waiting = {"end": {}}, [((3, 1), None), ((5, 3), (5, 2))]
    while waiting:
        place, previous = waiting.pop()
        if place not in evans.SHOPS and (place, previous) not in moves:
            leads = evans.exits(place, previous)
            moves[place, previous] = {a: q if q in evans.SHOPS else (q, place) for a, q in leads.items()}
            waiting += [(q, place) for q in leads.values()]
    moves |= {shop: {"l": "end"} for shop in evans.SHOPS}
    states, P = list(moves), np.zeros((len(moves), 4, len(moves)))
    for i, ways in enumerate(moves.values()):
        for action, there in ways.items():
            shut = there == NOODLE and not is_open
            P[i, list(evans.MOVES).index(action), states.index(((5, 3), NOODLE) if shut else there)] = 1.0
    names = [str(state) for state in states]
    options = {"available": P.sum(-1) > 0, "terminal": "end", "initial": str(((3, 1), None)), "discount": 1.0}
    return gi.from_arrays(P, **options, states=names, actions=list(evans.MOVES))


NOODLE = (5, 2)
SHOPS = {"open": restaurant(True), "closed": restaurant(False)}
TASTES = {"(0, 0)": 0.2, "(2, 5)": 0.2, "(5, 2)": 2.0, "(4, 7)": 1.0, "end": 0.01}


@pytest.mark.parametrize(
    ("believed", "path"),
    [(0.9, "uurrduuulul"), (1.0, "uurrduuulul"), (0.0, "uuuuurul")],
    ids=["wrong", "certain", "informed"],
)
def test_a_wrong_prior_walks_to_the_closed_shop_and_turns(believed, path):
    prior = {"open": believed, "closed": 1.0 - believed}
    world, true = gi.belief_world(SHOPS, prior), gi.belief_world(SHOPS, prior, truth="closed")
    wants = gi.StateReward.at(world, TASTES, default=-0.01, on="departure")
    agent = gi.agents.ignorant(world, beta=1000.0, horizon=11)
    walk = gi.simulate(jax.random.key(0), true, agent, wants, trajectories=1, steps=11).to_frame()
    assert "".join(walk.action) == path
    again = gi.read_trajectories(walk, true, trajectory="trajectory", step="step", state="state", action="action")
    assert gi.Behavior(true, agent, wants).log_prob(again) == pytest.approx(0.0, abs=1e-3)
    last = true.states[again.states[0, len(path) - 1]]
    assert last == ("(4, 7)", "open 1" if believed == 1.0 else "closed 1")


# -- what is refused --------------------------------------------------------------------------

WRONG = {
    "the states of this world hold no beliefs": lambda: gi.agents.ignorant(TREASURE["left"], beta=1.0),
    "updates is -1; expected a whole number of at least 0": lambda: gi.agents.ignorant(HALL, beta=1.0, updates=-1),
    "about is 'up'; expected one of the worlds, 'left', 'right'": lambda: gi.agents.ignorant(
        HALL, beta=1.0, prior=0.5, about="up"
    ),
    r"prior is 1; expected a finite number in \(0, 1\)": lambda: gi.agents.ignorant(HALL, beta=1.0, prior=1.0),
    "ignorant has an Ignorance already": lambda: gi.agents.ignorant(HALL, beta=1.0, beliefs=Ignorance.of(HALL)),
    "has beliefs for a belief world of .* states and 3 actions; the world, of 7 and 3, is another": lambda: (
        gi.agents.ignorant(HALL, beta=1.0).policy(TREASURE["left"], gi.StateReward.zero(TREASURE["left"]))
    ),
    "the prior of 'left' in the belief world is 1, so that its probability never": lambda: gi.agents.ignorant(
        gi.belief_world(TREASURE, {"left": 1.0, "right": 0.0}), beta=1.0, prior=0.5
    ),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_refused(said):
    with pytest.raises(ValueError, match=said):
        WRONG[said]()
