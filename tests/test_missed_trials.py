"""Trials whose response was missed: the table has a row with an empty action, and learners stay as they were."""

import itertools
import re
import textwrap

import history_oracles
import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import goalinf as gi
from goalinf.behavior import replicate

READ = {"trajectory": "subject", "step": "t", "state": "state", "action": "action"}
STEPS = [("cue", "left", "good"), ("cue", "right", "bad"), ("good", "next", "cue"), ("bad", "next", "cue")]


def bandit(*more, discount=0.0):
    """Two arms: left leads to a gain of 1, right to a loss of 1; then the next trial begins."""
    table = pd.DataFrame([*STEPS, *more], columns=["state", "action", "next_state"])
    world = gi.from_table(table, initial="cue", discount=discount)
    return world, gi.StateReward.at(world, {"good": 1.0, "bad": -1.0}, default=0.0, on="arrival")


def trials(choices):
    """Rows of a table: two for a trial, cue and outcome; one, with an empty action, where the response was missed."""
    rows = []
    for choice in choices:
        rows.append(("cue", choice))
        if choice is not None:
            rows.append(({"left": "good", "right": "bad"}[choice], "next"))
    rows.append(("cue", None))
    return pd.DataFrame(rows, columns=["state", "action"]).assign(subject=0, t=range(len(rows)))


LEARNER = gi.agents.q_learning(learning_rate=0.3, beta=2.0)
SEEN = ["left", "right", "left"]


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_missed_trial_leaves_the_learner_as_it_was(place):
    world, reward = bandit()
    data = gi.read_trajectories(trials([*SEEN[:place], None, *SEEN[place:]]), world, **READ)
    assert data.n_observed == 6
    assert float(gi.Behavior(world, LEARNER, reward).log_prob(data)) == pytest.approx(-1.993918, abs=5e-7)
    # By hand: even, then values .3 and 0, then .3 and -.3, at beta 2.
    by_hand = -np.log(2) - np.log1p(np.exp(0.6)) - np.log1p(np.exp(-1.2))
    assert by_hand == pytest.approx(-1.993918, abs=5e-7)


def test_an_action_to_stay_is_another_task():
    """It can be chosen in every trial, which the subject could not."""
    world, reward = bandit(("cue", "stay", "cue"))
    data = gi.read_trajectories(trials([*SEEN, None]), world, **READ)
    assert float(gi.Behavior(world, LEARNER, reward).log_prob(data)) == pytest.approx(-3.054606, abs=5e-7)


def test_what_the_page_on_data_shows_runs(repository, tmp_path, monkeypatch):
    page = (repository / "docs" / "concepts" / "data.rst").read_text(encoding="utf-8")
    found = re.findall(r"code-block:: (\w+)\n\n((?: {3}.*\n|\n)+)", page)
    blocks = dict(reversed(found))  # the first of each language
    (tmp_path / "trials.csv").write_text(textwrap.dedent(blocks["text"]).strip() + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, _, told = textwrap.dedent(blocks["python"]).strip().rpartition("  # ")
    head, last = code.rsplit("\n", 1)
    scope = {"gi": gi, "pd": pd}
    exec(head, scope)
    assert f"{float(eval(last, scope)):.6f}" == told == "-1.993918"
    # The example with recorded outcomes, up to its fit.
    (bandit_example,) = (code for language, code in found if "RecordedReward" in code)
    table = pd.DataFrame({"subject": [0, 0, 1, 1], "trial": [1, 2, 1, 2], "state": "choice", "points": [5, -1, 0, 3]})
    table.assign(choice=["left", "right", "right", "right"]).to_csv("trials.csv", index=False)
    scope |= {"dist": dist}
    exec(textwrap.dedent(bandit_example).partition("fit = ")[0], scope)
    assert np.nansum(scope["data"].outcomes) == 7.0
    assert scope["agent"].parameters["loss_rate"] is not None


AGENTS = {
    "q_learning": (gi.agents.q_learning(learning_rate=0.3, beta=2.0), bandit(discount=0.9)),
    "habitual": (gi.agents.habitual(persistence=0.7, beta=1.5, habit_rate=0.4), bandit(discount=0.9)),
    "habits of states": (
        gi.agents.habitual(persistence=0.7, beta=1.5, habit_rate=0.4, by_state=True),
        bandit(discount=0.9),
    ),
}


@pytest.mark.parametrize("name", AGENTS)
def test_a_missed_trial_is_as_good_as_none(name):
    """Wherever it stands, and however many there are; also where values of later trials count."""
    agent, (world, reward) = AGENTS[name]
    behavior = gi.Behavior(world, agent, reward)
    choices = ["left", None, "left", None, None, "right", "left"]
    table, without = trials(choices), trials([choice for choice in choices if choice is not None])
    found = np.asarray(behavior.log_prob_by("step", gi.read_trajectories(table, world, **READ)))[0]
    expected = np.asarray(behavior.log_prob_by("step", gi.read_trajectories(without, world, **READ)))[0]
    chosen = table["action"].notna().to_numpy()[: found.size]
    np.testing.assert_allclose(found[chosen], expected, rtol=1e-10)
    np.testing.assert_array_equal(found[~chosen], 0.0)


@pytest.mark.parametrize("by_state", [False, True])
def test_an_unseen_choice_feeds_no_habit(by_state):
    """Wherever it was made: the habit is that of the choices that were seen."""
    P = np.array([[[0.6, 0.4], [0.3, 0.7]], [[0.5, 0.5], [0.2, 0.8]]])
    r = np.array([[0.4, 0.0], [0.0, 0.3]])
    world, reward, beta = gi.from_arrays(P, discount=0.5), gi.ActionReward(r), 2.0
    agent = gi.agents.habitual(persistence=0.8, beta=beta, habit_rate=0.6, by_state=by_state)
    Q = np.log(gi.agents.boltzmann(beta=beta).policy(world, reward).values) / beta
    states, actions = np.array([0, 1, 0, 0, 1, 1]), np.array([0, 1, 1, 0, 1])
    for seen in itertools.product([False, True], repeat=5):
        observed = np.array(seen)
        data = gi.Trajectories.of(states[None], actions[None], observed=observed[None])
        found = np.asarray(gi.Behavior(world, agent, reward).log_prob_by("step", data))[0]
        for t in range(5):
            counts = observed[:t] & ((states[:t] == states[t]) | (not by_state))
            policy = history_oracles.persevering(Q, beta, 0.8, actions[:t][counts], rate=0.6)
            expected = np.log(policy[states[t], actions[t]]) if observed[t] else 0.0
            assert found[t] == pytest.approx(expected, rel=1e-10, abs=1e-14), (seen, t)


def test_without_an_action_column_nothing_can_be_missed():
    world, _ = bandit()
    table = trials([None, "left"]).drop(columns="action")
    with pytest.raises(ValueError, match=r"no action leads from state cue to state cue.*name the action column"):
        gi.read_trajectories(table, world, trajectory="subject", step="t", state="state")


def test_a_step_with_an_action_that_does_not_stay_is_refused():
    world, _ = bandit()
    table = trials(["left", None, "left"])
    table.loc[2, "action"] = "left"
    with pytest.raises(ValueError, match=r"row 2 .*action left in state cue never leads to state cue"):
        gi.read_trajectories(table, world, **READ)


def test_with_memory_a_missed_step_is_not_remembered():
    """One comes from where one came from before."""
    world, _ = bandit()
    second = gi.with_memory(world)
    told = {}
    for name, choices in {"missed": ["left", None, None, "right"], "none": ["left", "right"]}.items():
        data = gi.read_trajectories(trials(choices), second, **READ)
        told[name] = [second.states[s] for s in data.states[0] if s >= 0]
    assert told["none"] == [(None, "cue"), ("cue", "good"), ("good", "cue"), ("cue", "bad"), ("bad", "cue")]
    assert told["missed"] == [*told["none"][:3], ("good", "cue"), ("good", "cue"), *told["none"][3:]]


def test_a_missed_step_teaches_nothing_about_the_world():
    def when(door):
        steps = [("hall", "left", f"{door} door"), ("hall", "right", "road"), ("open door", "left", "shop")]
        steps += [("shut door", "left", "hall"), ("road", "left", "hall"), ("road", "right", "shop")]
        table = pd.DataFrame(steps, columns=["state", "action", "next_state"])
        return gi.from_table(table, terminal="shop", initial="hall", discount=0.9)

    world = gi.belief_world({"open": when("open"), "shut": when("shut")}, {"open": 0.5, "shut": 0.5})
    visits = ["hall", "hall", "shut door", "hall", "hall", "road"]
    table = pd.DataFrame({"subject": 0, "t": range(6), "state": visits})
    table["action"] = [None, "left", "left", None, "right", None]
    numbers = gi.read_trajectories(table, world, **READ).states[0]
    without = table[table["t"].isin([1, 2, 4, 5])].assign(t=range(4))
    assert numbers[[1, 2, 4, 5]].tolist() == gi.read_trajectories(without, world, **READ).states[0].tolist()
    assert numbers[0] == numbers[1] != numbers[3] == numbers[4]


def test_simulation_like_data_with_missed_trials():
    """Nothing is done there, and nothing learned from choices that are missing, just as they are scored."""
    world, reward = bandit()
    quick = gi.agents.q_learning(learning_rate=1.0, beta=50.0)
    one = trials(["left", None, "left", "left"])
    table = pd.concat([one.assign(subject=i) for i in range(400)], ignore_index=True)
    data = gi.read_trajectories(table, world, **READ)
    cue = world.states.index("cue")
    for again in (
        replicate(jax.random.key(0), world, quick, reward, data),
        gi.Behavior(world, quick, reward, like=data).sample(jax.random.key(1)),
    ):
        states, actions = np.asarray(again.states), np.asarray(again.actions)
        assert (states[:, [0, 2, 3, 5, 7]] == cue).all()
        assert (states[:, [1, 4, 6]] != cue).all()  # where an action was made the state moves on
        assert (actions[:, 2] == -1).all()
        assert (actions[:, 3] == actions[:, 5]).all()  # by then the good arm is known
    hidden = gi.Trajectories.of(data.states, data.actions, observed=np.asarray(data.observed) & (np.arange(7) > 4))
    again = replicate(jax.random.key(2), world, quick, reward, hidden)
    first = np.mean(np.asarray(again.actions)[:, 5] == 0)
    assert abs(first - 0.5) < 5 * 0.5 / np.sqrt(400)


def test_a_lapse_of_a_learner_is_made_once():
    """Before anything is learned: the default policy, of which a share gives way to any available action."""
    world, reward = bandit()
    left, right, onward = (world.actions.index(name) for name in ("left", "right", "next"))
    cue, default = world.index("cue"), np.zeros((world.n_states, world.n_actions))
    default[:, onward] = 1.0
    default[cue] = np.eye(3)[left] * 0.8 + np.eye(3)[right] * 0.2
    agent = gi.agents.q_learning(learning_rate=0.3, beta=2.0, default=default, lapse=0.3)
    data = gi.Trajectories.of([[cue, -1]], [[left]])
    assert float(gi.Behavior(world, agent, reward).log_prob(data)) == pytest.approx(np.log(0.7 * 0.8 + 0.3 / 2))
