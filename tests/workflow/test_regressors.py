"""Regressors by trial, against loops over trials that share no code with the library."""

import itertools

import agent_oracles
import history_oracles
import numpy as np
import numpyro.distributions as dist
import oracles
import pandas as pd
import pytest
from scipy.special import log_softmax

import goalinf as gi

RNG = np.random.default_rng(5)
ARMS = gi.bandit(["A", "B", "C"], offers={"AB": "AB", "all": "ABC"})
POINTS = gi.RecordedReward()
QUICK = {"method": "laplace", "draws": 25}


def of_draws(fit, name):
    """Draws of one parameter, (D, …)."""
    draws = fit.posterior[name].values
    return draws.reshape(-1, *draws.shape[2:])


def entropy(p):
    p = p[p > 0]
    return -(p * np.log(p)).sum()


# -- learners ------------------------------------------------------------------------------------


def bandit_table():
    """Two subjects; a missing choice, a missing outcome, and forced trials; rows and index in no order."""
    rows = []
    for who in ("u", "v"):
        for t in range(9):
            cue = ["AB", "all"][RNG.integers(2)]
            rows.append([who, t, cue, RNG.choice(list("ABC" if cue == "all" else "AB")), round(RNG.normal(), 2), False])
    table = pd.DataFrame(rows, columns=["who", "trial", "cue", "choice", "points", "computer"])
    table.loc[3, ["choice", "points"]] = None
    table.loc[6, "points"] = None
    table.loc[[0, 4, 12], "computer"] = True
    table["my_value"] = RNG.random(len(table))
    return table.sample(frac=1.0, random_state=1).rename(lambda number: f"row {number}")


TABLE = bandit_table()
DATA = gi.read_trajectories(
    TABLE,
    ARMS,
    trajectory="who",
    step="trial",
    state="cue",
    action="choice",
    subject="who",
    outcome="points",
    forced="computer",
)


def learner_by_hand(rates, beta, persistence):
    """Quantities of one draw by row of the table; ``rates`` by subject."""
    columns = ["choice_probability", "surprise", "entropy", "value", "value[A]", "value[B]", "value[C]"]
    result = pd.DataFrame(np.nan, index=TABLE.index, columns=[*columns, "prediction_error"])
    for who, rate in zip("uv", rates, strict=True):
        value, last = dict.fromkeys("ABC", 0.0), None
        for name, row in TABLE[TABLE["who"] == who].sort_values("trial").iterrows():
            if pd.isna(row["choice"]):
                continue
            offered = list("ABC" if row["cue"] == "all" else "AB")
            logs = log_softmax([beta * value[a] + persistence * (a == last) for a in offered])
            chosen = logs[offered.index(row["choice"])]
            if not row["computer"]:
                result.loc[name, columns[:3]] = np.exp(chosen), -chosen, entropy(np.exp(logs))
            result.loc[name, "value"] = value[row["choice"]]
            for a in offered:
                result.loc[name, f"value[{a}]"] = value[a]
            result.loc[name, "prediction_error"] = error = row["points"] - value[row["choice"]]
            if not np.isnan(error):
                value[row["choice"]] += rate * error
            last = row["choice"]
    return result


@pytest.fixture(scope="module")
def fit():
    agent = gi.agents.rescorla_wagner(
        learning_rate=gi.no_pooling(dist.Beta(2.0, 2.0), by="subject"),
        beta=dist.LogNormal(0.0, 0.5),
        persistence=dist.Normal(0.0, 0.5),
    )
    return gi.infer(0, ARMS, agent=agent, reward=POINTS, data=DATA, **QUICK)


def test_every_row_has_mean_and_sd_of_its_subject(fit):
    found = gi.workflow.regressors(fit, draws=25)
    pd.testing.assert_frame_equal(found[TABLE.columns], TABLE)
    names = ("agent.learning_rate", "agent.beta", "agent.persistence")
    draws = zip(*(of_draws(fit, name) for name in names), strict=True)
    each = np.array([learner_by_hand(*draw) for draw in draws])
    columns = learner_by_hand([0.5, 0.5], 1.0, 0.0).columns
    expected = [pd.DataFrame(moment, TABLE.index, columns) for moment in (each.mean(axis=0), each.std(axis=0, ddof=1))]
    sds = [name.replace("[", "_sd[") if "[" in name else f"{name}_sd" for name in columns]
    pd.testing.assert_frame_equal(found[columns], expected[0], rtol=1e-8)
    np.testing.assert_allclose(found[sds], expected[1], rtol=1e-6, atol=1e-12)
    assert len(found.columns) == len(TABLE.columns) + 2 * len(columns)
    assert (found["prediction_error_sd"] > 0).any()
    forced = TABLE["computer"].to_numpy(bool)
    assert found.loc[forced, "surprise"].isna().all()
    assert found.loc[forced, ["value", "prediction_error"]].notna().all(axis=None)


def test_a_loaded_fit_gives_the_same_table(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    loaded = gi.workflow.regressors(gi.load(tmp_path / "fit.nc"), draws=10, seed=3)
    kept = gi.workflow.regressors(fit, draws=10, seed=3)
    pd.testing.assert_frame_equal(loaded, kept, check_index_type=False)
    other = gi.workflow.regressors(fit, draws=10, seed=4, prefix="m.")
    assert [name for name in other if name.startswith("m.")] == [f"m.{name}" for name in kept if name not in TABLE]
    assert not np.allclose(other["m.value"].dropna(), kept["value"].dropna(), rtol=1e-9)


def test_wrong_requests_are_refused(fit):
    with pytest.raises(ValueError, match="n is 26; this fit has 25 draws"):
        gi.workflow.regressors(fit, draws=26)
    with pytest.raises(TypeError, match="fit is"):
        gi.workflow.regressors(DATA)
    with pytest.raises(ValueError, match="draws is 0"):
        gi.workflow.regressors(fit, draws=0)
    with pytest.raises(ValueError, match="the table has a column 'my_value' already; give prefix="):
        gi.workflow.regressors(fit, draws=5, prefix="my_")


LEARNERS = {
    "Kalman": gi.agents.kalman_learner(
        observation_sd=0.8, drift_sd=0.3, initial=0.2, initial_sd=1.5, exploration=0.6, beta=1.2
    ),
    "Pearce-Hall": gi.agents.pearce_hall(learning_rate=0.4, associability_rate=0.3, initial=0.1, beta=1.2),
    "unchosen": gi.agents.rescorla_wagner(learning_rate=0.5, unchosen_rate=0.3, beta=1.2, by_state=True),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_prediction_errors_are_those_by_which_the_learner_learns(name):
    """Values and errors of each rule, in two states; the outcomes of all options are known."""
    states = RNG.integers(0, 2, (1, 13))
    actions = np.array([[RNG.integers(0, 3 if s else 2) for s in states[0, :-1]]])
    outcomes = RNG.normal(size=(1, 12, 3))
    data = gi.Trajectories.of(states, actions, outcomes=outcomes)
    found = gi.Behavior(ARMS, LEARNERS[name], POINTS).step_values(data)
    mean, variance, attention, table = np.full(3, 0.2), np.full(3, 1.5**2), np.ones(3), np.zeros((2, 3))
    if name == "Pearce-Hall":
        mean = np.full(3, 0.1)
    for t, (s, a, u) in enumerate(zip(states[0], actions[0], outcomes[0], strict=False)):
        values = table[s] if name == "unchosen" else mean
        offered = np.arange(3) < (3 if s else 2)
        utility = values + 0.6 * np.sqrt(variance) if name == "Kalman" else values
        p = np.exp(log_softmax(np.where(offered, 1.2 * utility, -np.inf)))
        error = u[a] - values[a]
        assert found["value"][0, t] == pytest.approx(values[a])
        np.testing.assert_allclose(found["values"][0, t], np.where(offered, values, np.nan))
        assert found["prediction_error"][0, t] == pytest.approx(error)
        assert found["choice_probability"][0, t] == pytest.approx(p[a])
        assert found["entropy"][0, t] == pytest.approx(entropy(p))
        if name == "Kalman":
            gain = variance[a] / (variance[a] + 0.8**2)
            mean[a] += gain * error
            variance[a] *= 1 - gain
            variance += 0.3**2
        elif name == "Pearce-Hall":
            mean[a] += 0.4 * attention[a] * error
            attention[a] = 0.7 * attention[a] + 0.3 * abs(error)
        else:
            table[s] += np.where(np.arange(3) == a, 0.5, 0.3) * (u - table[s])


def test_temporal_difference_errors_of_a_q_learner():
    world = gi.gridworld("s.a", discount=0.9)
    reward = gi.StateReward.at(world, {"a": 1.0}, default=-0.1, on="arrival")
    agent = gi.agents.q_learning(learning_rate=0.4, initial=0.3, beta=1.5)
    data = gi.simulate(2, world, agent, reward, trajectories=3, steps=8)
    found = gi.Behavior(world, agent, reward).step_values(data)
    available, rewards = np.asarray(world.mdp.available), np.where(np.arange(3) == 2, 1.0, -0.1)
    assert not np.asarray(world.mdp.terminal).any()
    for n in range(3):
        Q = np.where(available, 0.3, -np.inf)
        for t in range(int(data.lengths[n])):
            s, a, after = int(data.states[n, t]), int(data.actions[n, t]), int(data.states[n, t + 1])
            error = rewards[after] + 0.9 * Q[after].max() - Q[s, a]
            assert found["prediction_error"][n, t] == pytest.approx(error)
            assert found["value"][n, t] == pytest.approx(Q[s, a])
            assert found["surprise"][n, t] == pytest.approx(-log_softmax(1.5 * Q[s])[a])
            Q[s, a] += 0.4 * error


def test_both_stages_of_the_two_step_task():
    rows = [("1", a, s, p) for a, c in (("a", 0.7), ("b", 0.3)) for s, p in (("x", c), ("y", 1 - c))]
    rows += [(s, a, "1", 1.0) for s in "xy" for a in "ab"]
    steps = pd.DataFrame(rows, columns=["state", "action", "next_state", "probability"])
    world = gi.from_table(steps, initial="1", discount=0.9, probability="probability")
    trials, (a1, a2, b1, b2, lam, p, w) = 10, (0.5, 0.3, 2.0, 1.5, 0.6, 0.2, 0.4)
    agent = gi.agents.two_step(
        learning_rate_1=a1,
        learning_rate_2=a2,
        beta_1=b1,
        beta_2=b2,
        eligibility=lam,
        repetition=p,
        model_based=w,
        first=world.index("1"),
    )
    c1, s2, c2 = RNG.integers(0, 2, (3, trials))
    R = RNG.normal(size=trials)
    c2[4], R[4] = -1, np.nan  # a missed second stage: the next trial begins
    visits = [[world.index("1"), world.index("xy"[s])] for s in s2]
    states = [*np.ravel(visits), world.index("1")]
    actions, outcomes = np.stack([c1, c2], axis=1), np.stack([np.full(trials, np.nan), R], axis=1)
    data = gi.Trajectories.of([states], [actions.ravel()], outcomes=[outcomes.ravel()])
    found = gi.Behavior(world, agent, POINTS).step_values(data)
    found = {name: np.asarray(array)[0].reshape(trials, 2, *array.shape[2:]) for name, array in found.items()}
    scores = history_oracles.two_step(c1, s2, c2, R, a1, a2, b1, b2, lam, p, w)
    made = actions >= 0
    np.testing.assert_allclose(-found["surprise"][made], scores[made], rtol=1e-9)
    reach, free, Q2 = np.array([[0.7, 0.3], [0.3, 0.7]]), np.zeros(2), np.zeros((2, 2))
    for t in range(trials):
        planned = reach @ Q2.max(axis=1)
        np.testing.assert_allclose(found["values"][t, 0], w * planned + (1 - w) * free)
        assert found["value_model_based"][t, 0] == pytest.approx(planned[c1[t]])
        assert found["value_model_free"][t, 0] == pytest.approx(free[c1[t]])
        assert np.isnan(found["value_model_free"][t, 1])
        if c2[t] < 0:
            assert np.isnan(found["prediction_error"][t]).all()
            continue
        met = Q2[s2[t], c2[t]]
        errors = met - free[c1[t]], R[t] - met
        np.testing.assert_allclose(found["prediction_error"][t], errors)
        assert found["value"][t, 1] == pytest.approx(met)
        free[c1[t]] += a1 * (errors[0] + lam * errors[1])
        Q2[s2[t], c2[t]] += a2 * errors[1]


# -- agents that plan ----------------------------------------------------------------------------

HALL = gi.gridworld("a.s.b", discount=0.8)
TO_A = gi.StateReward.at(HALL, {"a": 1.0, "b": 0.4}, default=0.0, on="departure")
WALKS = gi.Trajectories.of([[2, 3, 4, 3], [2, 1, 0, -1]], [[3, 3, 2], [2, 2, -1]])
P = np.zeros((5, 4, 5))
for s, a in itertools.product(range(5), range(4)):
    P[s, a, min(max(s + {2: -1, 3: 1}.get(a, 0), 0), 4)] = 1.0
R = np.repeat(np.array([1.0, 0, 0, 0, 0.4])[:, None], 4, axis=1)
VISITED = [(0, 0, 2, 3), (0, 1, 3, 3), (0, 2, 4, 2), (1, 0, 2, 2), (1, 1, 1, 2)]  # n, t, state, action


@pytest.mark.parametrize("beta", [0.4, 2.0])
def test_values_of_a_soft_optimal_agent(beta):
    found = gi.Behavior(HALL, gi.agents.soft_optimal(beta=beta), TO_A).step_values(WALKS)
    plan = oracles.mce(P, R, 0.8, beta)
    logs = log_softmax(beta * plan.Q, axis=1)
    for n, t, s, a in VISITED:
        assert found["state_value"][n, t] == pytest.approx(plan.V[s], rel=1e-7)
        assert found["action_value"][n, t] == pytest.approx(plan.Q[s, a], rel=1e-7)
        assert found["advantage"][n, t] == pytest.approx(logs[s, a] / beta, rel=1e-6)
        assert found["surprise"][n, t] == pytest.approx(-logs[s, a], rel=1e-7)
    assert set(found) == {"choice_probability", "surprise", "entropy", "state_value", "action_value", "advantage"}


@pytest.mark.parametrize("beta", [0.0, 1.3])
def test_values_of_optimal_planning_over_a_horizon_with_lapses_and_habits(beta):
    """They are those of the planner: lapses, habits and beta change the choices alone."""
    agent = gi.agents.habitual(persistence=0.7, habit_rate=0.5, beta=beta, horizon=3, lapse=0.1)
    found = gi.Behavior(HALL, agent, TO_A).step_values(WALKS)
    plan = oracles.finite(P, R, 0.8, max(beta, 1.0), 3, oracles.hard)
    for n, t, s, a in VISITED:
        assert found["state_value"][n, t] == pytest.approx(plan.V[t][s])
        assert found["action_value"][n, t] == pytest.approx(plan.Q[t][s, a])
        previous = [action for m, k, _, action in VISITED if m == n and k < t]
        kernel = history_oracles.choice_kernel(previous, 0.5, 4)[-1]
        p = 0.9 * agent_oracles.act(plan.Q[t], beta, 0.7 * kernel)[s] + 0.1 / 4
        assert found["choice_probability"][n, t] == pytest.approx(p[a])
        assert found["entropy"][n, t] == pytest.approx(entropy(p))


def test_subjects_with_one_of_several_depths():
    """The probability of a depth is given all steps of the subject, in both of its trajectories."""
    agent = gi.agents.lookahead(depth=gi.one_of([1, 3], weights=[0.3, 0.7]), beta=2.0)
    plans = {depth: oracles.finite(P, R, 0.8, 2.0, depth, oracles.hard) for depth in (1, 3)}
    fit = gi.infer(0, HALL, agent=agent, reward=TO_A, data=WALKS)
    table = gi.workflow.regressors(fit).set_index(["trajectory", "step"])
    weights = np.array([0.3, 0.7])
    for n, t, s, a in VISITED:
        rows = np.array([agent_oracles.act(plan.Q[0], 2.0)[s] for plan in plans.values()])
        row, p = table.loc[(n, t)], weights @ rows
        assert row["choice_probability"] == pytest.approx(p[a])
        assert row["entropy"] == pytest.approx(entropy(p))
        assert row["state_value"] == pytest.approx(weights @ [plan.V[0][s] for plan in plans.values()])
        weights = weights * rows[:, a] / p[a]
        np.testing.assert_allclose(row[["probability[1]", "probability[3]"]].to_numpy(float), weights, rtol=1e-9)
        assert row["probability_sd[1]"] == 0.0


def test_goals_of_a_switching_agent():
    """Against the sum over all sequences of goals."""
    switch = 0.2
    goals = gi.goals(HALL, {"left": "a", "right": "b"}, step_cost=1.0)
    agent = gi.agents.switching(switch=switch, beta=dist.LogNormal(0.3, 0.3))
    fit = gi.infer(0, HALL, agent=agent, reward=gi.one_of(goals), data=WALKS, **QUICK)
    table = gi.workflow.regressors(fit, draws=25).set_index(["trajectory", "step"])
    kernel = (1 - switch) * np.eye(2) + switch / 2
    for n, t, s, a in VISITED:
        past = [(s, a) for m, k, s, a in VISITED if m == n and k <= t]
        probabilities, choices, values = [], [], []
        for beta in of_draws(fit, "agent.beta"):
            known = gi.agents.boltzmann(beta=beta)
            policies = [np.log(known.policy(HALL, goal).values) for goal in goals.values()]
            joint, before = np.zeros(2), np.zeros(2)
            for modes in itertools.product(range(2), repeat=len(past)):
                log = np.log(0.5) + sum(np.log(kernel[i, j]) for i, j in itertools.pairwise(modes))
                logs = [policies[z][cell] for z, cell in zip(modes, past, strict=True)]
                joint[modes[-1]] += np.exp(log + sum(logs))
                before[modes[-1]] += np.exp(log + sum(logs[:-1]))
            probabilities.append(joint / joint.sum())
            choices.append(joint.sum() / before.sum())
            # V of a goal: minus the number of steps to it, discounted.
            distance = np.array([s, 4 - s])
            values.append(before / before.sum() @ -((1 - 0.8**distance) / (1 - 0.8)))
        row = table.loc[(n, t)]
        found = row[["probability[left]", "probability[right]"]].to_numpy(float)
        np.testing.assert_allclose(found, np.mean(probabilities, axis=0), rtol=1e-6)
        assert row["choice_probability"] == pytest.approx(np.mean(choices), rel=1e-6)
        assert row["surprise_sd"] == pytest.approx(np.std(-np.log(choices), ddof=1), rel=1e-5)
        assert row["state_value"] == pytest.approx(np.mean(values), rel=1e-6)


def test_modes_of_which_one_has_no_plan():
    """The agent that has given up follows a policy without values; its modes have no names."""
    reward, agent = gi.ActionReward(R), gi.agents.abandoning(hazard=0.1, beta=1.0)
    found = gi.Behavior(HALL, agent, reward).step_values(WALKS)
    np.testing.assert_allclose(found["modes"], gi.Behavior(HALL, agent, reward).mode_posterior(WALKS))
    np.testing.assert_allclose(-found["surprise"][0], gi.Behavior(HALL, agent, reward).log_prob_by("step", WALKS)[0])
    assert set(found) == {"choice_probability", "surprise", "entropy", "modes"}


def test_a_model_of_your_own_has_no_agent():
    import numpyro

    def model(data):
        beta = numpyro.sample("beta", dist.LogNormal(0.0, 0.5))
        numpyro.sample("choices", gi.Behavior(HALL, gi.agents.boltzmann(beta=beta), TO_A), obs=data)

    fit = gi.infer(0, model=model, data=WALKS, **QUICK)
    with pytest.raises(ValueError, match="regressors need the agent"):
        gi.workflow.regressors(fit)
