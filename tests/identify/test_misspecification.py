"""The wrong planner: against loops over everything, and what has to hold of every matrix."""

import itertools

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import goalinf as gi
from goalinf.identify.agents import misspecification

DISCOUNT, BETA, NEAR = 0.8, 2.0, 0.3
PAIR = {"far": gi.agents.boltzmann(beta=BETA), "near": gi.agents.myopic(discount=NEAR, beta=BETA)}
HALL = gi.gridworld("a.s.b", discount=0.9)
HALL_WANTS = [gi.StateReward.at(HALL, {mark: 1.0}, default=0.0, on="departure") for mark in "ab"]
KEEN = {"keen": gi.agents.boltzmann(beta=3.0)}
MEASURES = ("log_score", "regret", "starc", "coverage")


# -- loops over everything ---------------------------------------------------------------------------------------------


class ByHand:
    """Two planners, their likelihoods and all four measures on three states and two choices, in plain loops."""

    def __init__(self, seed, n_rewards=3, level=0.8):
        rng = np.random.default_rng(seed)
        laws = rng.dirichlet(np.ones(3), size=(2, 3, 2))
        self.P, self.P_there, self.level = *laws, level
        self.start, self.start_there = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.1, 0.8])
        self.rewards = rng.normal(size=(n_rewards, 3, 2))
        discounts = {"far": DISCOUNT, "near": NEAR}
        self.policies = {
            name: [self.chosen(reward, discount) for reward in self.rewards] for name, discount in discounts.items()
        }

    @property
    def world(self):
        return gi.from_arrays(self.P, initial=self.start, discount=DISCOUNT)

    @property
    def transfer(self):
        return gi.from_arrays(self.P_there, initial=self.start_there, discount=DISCOUNT)

    @property
    def candidates(self):
        return [gi.ActionReward(reward) for reward in self.rewards]

    def chosen(self, reward, discount):
        """Softmax of the values after so many sweeps that the rest is rounding."""
        Q = np.zeros((3, 2))
        for _ in range(300):
            for s, a in itertools.product(range(3), range(2)):
                Q[s, a] = reward[s, a] + discount * sum(self.P[s, a, t] * max(Q[t]) for t in range(3))
        weights = np.exp(BETA * Q)
        return weights / weights.sum(axis=1, keepdims=True)

    def judge(self, steps, assumed, truth):
        """The measures of a data set, a list of pairs of state and action."""
        likelihoods = np.array(
            [np.prod([self.policies[assumed][k][s, a] for s, a in steps]) for k in range(len(self.rewards))]
        )
        posterior = likelihoods / likelihoods.sum()
        mean = sum(p * reward for p, reward in zip(posterior, self.rewards, strict=True))
        covered, total = set(), 0.0
        for k in sorted(range(len(posterior)), key=lambda k: -posterior[k]):
            if total < self.level:
                covered.add(k)
            total += posterior[k]
        return np.log(posterior[truth]), self.lost(truth, mean), self.apart(truth, mean), float(truth in covered)

    def lost(self, truth, mean):
        """The share that is lost in the other world, by trying all policies there."""
        every = list(itertools.product(range(2), repeat=3))
        returns = [self.worth(policy, self.rewards[truth]) for policy in every]
        acted = max(every, key=lambda policy: self.worth(policy, mean, start=np.ones(3) / 3))
        return (max(returns) - self.worth(acted, self.rewards[truth])) / (max(returns) - min(returns))

    def worth(self, policy, reward, start=None):
        moves = np.array([self.P_there[s, policy[s]] for s in range(3)])
        values = np.linalg.solve(np.eye(3) - DISCOUNT * moves, [reward[s, policy[s]] for s in range(3)])
        return (self.start_there if start is None else start) @ values

    def apart(self, truth, mean):
        """Distance of directions, without what a potential could change."""
        W = np.array([np.eye(3)[s] - DISCOUNT * self.P[s, a] for s in range(3) for a in range(2)])
        forms = [r.ravel() - W @ np.linalg.lstsq(W, r.ravel(), rcond=None)[0] for r in (self.rewards[truth], mean)]
        one, two = (form / np.linalg.norm(form) for form in forms)
        return np.linalg.norm(one - two) / 2


def test_every_number_by_loops(monkeypatch):
    """The same data sets, judged by code that shares nothing with the library."""
    hand, seen = ByHand(1), []

    def recorded(*arguments, **options):
        seen.append(gi.simulate(*arguments, **options))
        return seen[-1]

    monkeypatch.setattr(misspecification, "sample_trajectories", recorded)
    found = gi.identify.misspecification_matrix(
        jax.random.key(0), hand.world, PAIR, hand.candidates,
        trajectories=2, steps=3, data_sets=6, transfer=hand.transfer, level=hand.level,
    )  # fmt: skip
    for (true, walks), assumed in itertools.product(zip(PAIR, seen, strict=True), PAIR):
        for d in range(6):
            mine = walks.context == d
            steps = list(zip(walks.states[mine, :-1].ravel(), walks.actions[mine].ravel(), strict=True))
            assert len(steps) == 6
            expected = hand.judge(steps, assumed, int(found.candidate[d]))
            one = [found[f"{name}_each"].sel(true=true, assumed=assumed).values[d] for name in MEASURES]
            np.testing.assert_allclose(one, expected, rtol=1e-8, atol=1e-9)
    for d, truth in enumerate(found.candidate.values.tolist()):
        expected = hand.judge([], "far", truth)[:3]
        np.testing.assert_allclose(found.log_score_each.sel(assumed="prior").values[:, d], np.log(1 / 3))
        np.testing.assert_allclose(found.regret_each.sel(assumed="prior").values[:, d], expected[1], atol=1e-9)
        np.testing.assert_allclose(found.starc_each.sel(assumed="prior").values[:, d], expected[2], atol=1e-9)
    for name in MEASURES:
        each = found[f"{name}_each"]
        np.testing.assert_allclose(found[name], each.mean("data_set"))
        np.testing.assert_allclose(found[f"{name}_error"], each.std("data_set", ddof=1) / np.sqrt(6), atol=1e-12)


def test_means_are_those_of_all_possible_data():
    """Every walk of two choices, weighted by its probability; the log score of these is best on the diagonal."""
    hand = ByHand(2)
    expected = {(true, assumed): np.zeros(4) for true in PAIR for assumed in PAIR}
    for truth, s, a, t, b in itertools.product(range(3), range(3), range(2), range(3), range(2)):
        for true, assumed in expected:
            policy = hand.policies[true][truth]
            chance = hand.start[s] * policy[s, a] * hand.P[s, a, t] * policy[t, b] / 3
            expected[true, assumed] += chance * np.array(hand.judge([(s, a), (t, b)], assumed, truth))
    found = gi.identify.misspecification_matrix(
        jax.random.key(3), hand.world, PAIR, hand.candidates,
        trajectories=1, steps=2, data_sets=400, transfer=hand.transfer, level=hand.level,
    )  # fmt: skip
    for (true, assumed), values in expected.items():
        assert expected[true, true][0] >= values[0]
        for name, value in zip(MEASURES, values, strict=True):
            here = {"true": true, "assumed": assumed}
            assert abs(found[name].sel(here) - value) <= 4 * found[f"{name}_error"].sel(here) + 1e-12


# -- what has to hold --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grid():
    """Seven agents in a small grid, two of whom are one; rewards of all states."""
    world = gi.gridworld("s..\n.#.\n...", slip=0.1, discount=0.9)
    rng = np.random.default_rng(5)
    wants = {f"reward {k}": gi.StateReward(rng.normal(size=8), on="departure") for k in range(12)}
    agents = {
        "soft": gi.agents.soft_optimal(beta=3.0),
        "keen": gi.agents.boltzmann(beta=3.0),
        "greedy": gi.agents.lookahead(depth=1, beta=3.0),
        "hopeful": gi.agents.optimistic(optimism=2.0, beta=3.0),
        "contrary": gi.agents.anti_rational(beta=3.0, negated=True),
        "gives up": gi.agents.abandoning(hazard=0.2, beta=3.0),
        "stubborn": gi.agents.abandoning(hazard=0.0, beta=3.0),
    }
    found = gi.identify.misspecification_matrix(
        jax.random.key(1), world, agents, wants, trajectories=3, steps=8, data_sets=100
    )
    return world, agents, wants, found


def test_the_log_score_is_proper(grid):
    """Paired differences to the true agent: never above zero by more than chance, and below it for the wrong ones."""
    _, agents, _, found = grid
    wrong = 0
    for true in agents:
        row = found.log_score_each.sel(true=true)
        for assumed in [*agents, "prior"]:
            if assumed != true:
                gain = (row.sel(assumed=assumed) - row.sel(assumed=true)).values
                error = gain.std(ddof=1) / np.sqrt(len(gain))
                assert gain.mean() <= 4 * error + 1e-12
                wrong += gain.mean() < -4 * error
    assert wrong >= 15
    assert found.log_score.sel(true="soft", assumed="contrary") < np.log(1 / 12) < found.log_score.sel(
        true="soft", assumed="soft"
    )  # fmt: skip


def test_the_right_agent_is_calibrated(grid):
    _, agents, _, found = grid
    for name in agents:
        here = {"true": name, "assumed": name}
        # By level 0.9 of 100 data sets; a set of whole candidates covers more than it has to.
        assert 100 * found.coverage.sel(here) >= stats.binom(100, 0.9).ppf(1e-4)
    assert found.coverage.sel(true="soft", assumed="contrary") < 0.5
    assert (found.coverage.sel(assumed="prior") == 1.0).all()


def test_the_column_of_the_prior_is_the_mean_of_all_candidates(grid):
    world, _, wants, found = grid
    mean = gi.StateReward(np.mean([reward.values for reward in wants.values()], axis=0), on="departure")
    assert set(found.candidate.values) <= set(wants)
    for measure, metric in (("regret", gi.identify.distance.regret), ("starc", gi.identify.distance.starc)):
        costs = {name: metric(world, reward, mean) for name, reward in wants.items()}
        expected = [costs[truth] for truth in found.candidate.values]
        column = found[f"{measure}_each"].sel(assumed="prior")
        np.testing.assert_allclose(column, np.broadcast_to(expected, column.shape), atol=1e-7)


def test_choices_that_are_equally_good():
    """Somebody who does not know left from right goes either way, as in the regret of two rewards."""
    found = gi.identify.misspecification_matrix(jax.random.key(0), HALL, KEEN, HALL_WANTS, data_sets=4)
    both = gi.StateReward(np.mean([reward.values for reward in HALL_WANTS], axis=0), on="departure")
    assert gi.identify.distance.regret(HALL, HALL_WANTS[0], both) == pytest.approx(0.5)
    np.testing.assert_allclose(found.regret.sel(assumed="prior"), 0.5)


def test_an_agent_and_its_opposite():
    """With every reward's opposite among the candidates, who takes one for the other learns exactly the opposite."""
    rng = np.random.default_rng(0)
    world = gi.from_arrays(rng.dirichlet(np.ones(4), size=(4, 2)), discount=0.8)
    tables = rng.normal(size=(4, 4, 2))
    wants = [gi.ActionReward(sign * table) for table in tables for sign in (1.0, -1.0)]
    agents = {"keen": gi.agents.boltzmann(beta=2.0), "contrary": gi.agents.anti_rational(beta=2.0, negated=True)}
    found = gi.identify.misspecification_matrix(
        jax.random.key(2), world, agents, wants, trajectories=5, steps=10, data_sets=30
    )
    for true, other in (("keen", "contrary"), ("contrary", "keen")):
        row = found.sel(true=true)
        right, wrong = (row.starc_each.sel(assumed=one) for one in (true, other))
        np.testing.assert_allclose(right**2 + wrong**2, 1.0)  # opposite directions
        right, wrong = (row.log_score_each.sel(assumed=one) for one in (true, other))
        assert (np.exp(right) + np.exp(wrong) <= 1.0 + 1e-12).all()
        right, wrong = (row.regret.sel(assumed=one) for one in (true, other))
        assert right < 0.2 < 0.8 < wrong


def test_hidden_modes_are_summed_over(grid):
    """Somebody who gives up: the posterior is that of the likelihoods of Behavior, data set by data set."""
    world, agents, wants, found = grid
    names = list(wants)
    truths = [names.index(one) for one in found.candidate.values]
    for d in range(3):
        own = jax.random.fold_in(jax.random.key(1), 1 + list(agents).index("gives up"))
        walks = gi.simulate(
            own, world, agents["gives up"], {n: wants[names[k]] for n, k in enumerate(truths)},
            trajectories=3, steps=8, precision="float64",
        )  # fmt: skip
        mine = walks.select(walks.context == d)
        assert mine.n_trajectories == 3
        logs = gi.goal_posterior(world, agents["gives up"], wants, mine).log_likelihood.sum("trajectory").values
        one = found.log_score_each.sel(true="gives up", assumed="gives up").values[d]
        assert one == pytest.approx(logs[truths[d]] - np.logaddexp.reduce(logs), abs=1e-9)


def test_never_giving_up_is_no_hidden_mode(grid):
    for name in MEASURES:
        column = grid[-1][f"{name}_each"]
        np.testing.assert_allclose(column.sel(assumed="keen"), column.sel(assumed="stubborn"), atol=1e-9)


def test_another_agent_at_the_end_changes_nothing_before_it():
    one, two = (
        gi.identify.misspecification_matrix(jax.random.key(0), HALL, agents, HALL_WANTS, data_sets=5)
        for agents in (KEEN, KEEN | {"dull": gi.agents.boltzmann(beta=0.1)})
    )
    for name in MEASURES:
        np.testing.assert_array_equal(
            one[f"{name}_each"], two[f"{name}_each"].sel(true=["keen"], assumed=["keen", "prior"])
        )


@pytest.mark.parametrize(
    ("posterior", "level", "expected"),
    [
        ([0.5, 0.3, 0.2], 0.5, [1, 0, 0]),
        ([0.5, 0.3, 0.2], 0.51, [1, 1, 0]),
        ([0.2, 0.3, 0.5], 0.9, [1, 1, 1]),
        ([0.4, 0.4, 0.2], 0.3, [1, 1, 0]),  # equally probable ones go together
        ([0.25, 0.25, 0.25, 0.25], 0.5, [1, 1, 1, 1]),
    ],
)
def test_credible_sets(posterior, level, expected):
    size = len(posterior)
    found = misspecification._covered(np.tile(posterior, (size, 1)), np.arange(size), level)
    np.testing.assert_array_equal(found, expected)


# -- wrong input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"key": -1}, "key is -1"),
        ({"agents": {}}, "no agents were given"),
        ({"agents": {"prior": gi.agents.boltzmann(beta=1.0)}}, "rename the agent"),
        ({"agents": {"old": gi.agents.hyperbolic(k=1.0, beta=1.0, horizon=5)}}, "agent 'old': steps is 20"),
        ({"rewards": HALL_WANTS[:1]}, "1 candidate rewards were given"),
        ({"rewards": gi.goals(HALL, {"left": "a", "right": "b"})}, "ends the episode by itself"),
        ({"rewards": [HALL_WANTS[0], gi.ActionReward(np.zeros((5, 4)))]}, "must be of one kind"),
        ({"transfer": gi.gridworld("a.b", discount=0.9)}, "has shape"),
        ({"trajectories": 0}, "trajectories is 0"),
        ({"data_sets": 1}, "data_sets is 1; expected a whole number of at least 2"),
        ({"level": 1.0}, "level is 1.0"),
    ],
)
def test_wrong_input(changed, words):
    given = {"key": jax.random.key(0), "world": HALL, "agents": KEEN, "rewards": HALL_WANTS} | changed
    positional = [given.pop(name) for name in ("key", "world", "agents", "rewards")]
    with pytest.raises(ValueError, match=words):
        gi.identify.misspecification_matrix(*positional, **given)


def test_priors_are_refused():
    unsure = {"unsure": gi.agents.boltzmann(beta=dist.LogNormal(0.0, 1.0))}
    with pytest.raises(ValueError, match="agent 'unsure': a LogNormal prior"):
        gi.identify.misspecification_matrix(jax.random.key(0), HALL, unsure, HALL_WANTS)


def test_what_somebody_never_does():
    agents = KEEN | {"left only": gi.agents.uniform(default=[0.0, 0.0, 1.0, 0.0])}
    with pytest.raises(
        ValueError, match=r"data set .* of agent 'keen' has probability 0 under agent 'left only' .* lapse=0\.01"
    ):
        gi.identify.misspecification_matrix(jax.random.key(0), HALL, agents, HALL_WANTS, data_sets=3)
