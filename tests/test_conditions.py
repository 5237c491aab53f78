"""Worlds, rewards and data are matched by the name of the context: no order of anything changes a score."""

import itertools

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import oracles
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpyro.infer.util import log_density
from scipy.stats import norm

import goalinf as gi
from goalinf.data import Trajectories
from goalinf.identify.candidates import policies_of
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.files.serialize import Reader, Writer
from goalinf.precision import computing_in

BETA, DISCOUNT = 1.5, 0.8
AGENT = gi.agents.soft_optimal(beta=BETA)
_RNG = np.random.default_rng(3)
LAWS = [oracles.random_law(_RNG, 3, 2, 3) for _ in range(3)]
VALUES = [_RNG.normal(size=(3, 2)) for _ in range(3)]
POLICIES = [oracles.mce(law, value, DISCOUNT, BETA).policy for law, value in zip(LAWS, VALUES, strict=True)]
NAMES = {
    "text": ("pre", "post", "later"),
    "numbers": (10, 2, 5),
    "fractions": (0.5, 0.25, 2),
    "numbers and text": (1, "2", "a"),
    "pairs": (("a", 2), ("a", 1), ("b", 0)),
}
TABLE = pd.DataFrame(
    [
        (walk, walk % 3, step, state, action)
        for walk, (states, actions) in enumerate(
            zip(_RNG.integers(0, 3, (7, 4)).tolist(), _RNG.integers(0, 2, (7, 4)).tolist(), strict=True)
        )
        for step, (state, action) in enumerate(zip(states, actions, strict=True))
    ],
    columns=["walk", "condition", "step", "state", "action"],
)
EXPECTED = np.array(
    [
        np.log([POLICIES[row.condition][row.state, row.action] for row in rows.itertuples()]).sum()
        for _, rows in TABLE.groupby("walk")
    ]
)


def case(kind, order, other, rows):
    """Worlds, rewards and data of three conditions, each in an order of its own."""
    names = NAMES[kind]
    worlds = {names[c]: gi.from_arrays(LAWS[c], discount=DISCOUNT) for c in order}
    rewards = {names[c]: gi.ActionReward(VALUES[c]) for c in other}
    table = TABLE.iloc[rows].copy()
    table["condition"] = pd.Series([names[c] for c in table["condition"]], index=table.index, dtype=object)
    columns = {"trajectory": "walk", "step": "step", "state": "state", "action": "action"}
    return worlds, rewards, gi.read_trajectories(table, worlds, context="condition", **columns)


ORDERS = st.permutations(range(3))


@settings(max_examples=15)
@given(st.sampled_from(sorted(NAMES)), ORDERS, ORDERS, st.permutations(range(len(TABLE))), st.sets(st.integers(0, 6)))
def test_no_order_changes_a_score(kind, order, other, rows, left_out):
    """Mappings, rows and subsets in any order, against the policy of each condition by the oracle."""
    worlds, rewards, data = case(kind, order, other, rows)
    chosen = [n for n in range(7) if n not in left_out] or [0]
    part, expected = data.select(chosen), EXPECTED[chosen]
    with computing_in("float64"):
        behavior = gi.Behavior(worlds, AGENT, rewards)
        for value in (part, part.unlabeled()):
            np.testing.assert_allclose(behavior.log_prob_by("trajectory", value), expected, atol=1e-10)
            np.testing.assert_allclose(np.sum(behavior.log_prob_by("step", value), axis=1), expected, atol=1e-10)
            assert float(behavior.log_prob(value)) == pytest.approx(expected.sum(), abs=1e-10)
        like_all = gi.Behavior(worlds, AGENT, rewards, like=data).log_prob(part)
        like_part = gi.Behavior(worlds, AGENT, rewards, like=part).log_prob(part)
    assert float(like_all) == pytest.approx(expected.sum(), abs=1e-10)
    assert float(like_part) == pytest.approx(expected.sum(), abs=1e-10)


def test_sampled_contexts_keep_their_names():
    """Three states against four: a condition that is taken for another one would hold numbers that do not exist."""
    worlds = {"pre": gi.gridworld("s.a", discount=DISCOUNT), "post": gi.gridworld("b..s", discount=DISCOUNT)}
    rewards = {name: gi.StateReward(np.ones(world.n_states), on="departure") for name, world in worlds.items()}
    walks = gi.simulate(jax.random.key(0), worlds, AGENT, rewards, trajectories=2, steps=3)
    for order in itertools.permutations(worlds):
        again = gi.Behavior(worlds, AGENT, rewards, like=walks, contexts=order).sample(jax.random.key(1))
        assert [again.named_contexts[n] for n in np.asarray(again.context)] == ["pre", "pre", "post", "post"]
        assert np.isfinite(gi.Behavior(worlds, AGENT, rewards).log_prob(again))
        np.testing.assert_array_equal(again.states[:, 0], walks.states[:, 0])


@pytest.mark.parametrize("kind", NAMES)
def test_compiled_models_know_the_names(kind):
    """The log density of a user's own model, traced with data as its argument, of all data and of a part."""
    for order, other in itertools.islice(zip(itertools.permutations(range(3)), [(2, 0, 1)] * 6, strict=True), 0, 6, 2):
        worlds, rewards, data = case(kind, order, other, range(len(TABLE)))

        def model(seen, worlds=worlds, rewards=rewards):
            beta = numpyro.sample("beta", dist.Delta(BETA))
            numpyro.sample("choices", gi.Behavior(worlds, gi.agents.soft_optimal(beta=beta), rewards), obs=seen)

        with computing_in("float64"):
            for chosen in (slice(None), [1, 4, 2], [5]):
                value = data.select(chosen).unlabeled()
                found = jax.jit(lambda seen, model=model: log_density(model, (seen,), {}, {"beta": BETA})[0])(value)
                assert float(found) == pytest.approx(EXPECTED[chosen].sum(), abs=1e-10)


def test_contexts_without_names():
    """Numbers are names where the mapping has numbers; otherwise contexts without names are refused."""
    worlds, rewards, data = case("text", (0, 1, 2), (0, 1, 2), range(len(TABLE)))
    numbers = TABLE.groupby("walk")["condition"].first().to_numpy()
    plain = Trajectories.of(data.states, data.actions, lengths=data.lengths, context=numbers)
    said = r"context 0 has no world or reward; the mapping has 'pre', 'post', 'later'; the data have 0, 1, 2"
    behavior = gi.Behavior(worlds, AGENT, rewards)
    with pytest.raises(ValueError, match=said):
        behavior.log_prob(plain)
    with pytest.raises(ValueError, match=said):
        jax.jit(behavior.log_prob)(plain)
    by_number = [
        {number: mapping[name] for number, name in ((2, "later"), (0, "pre"), (1, "post"))}
        for mapping in (worlds, rewards)
    ]
    with computing_in("float64"):
        found = gi.Behavior(by_number[0], AGENT, by_number[1]).log_prob(plain)
        named = behavior.log_prob(
            Trajectories.of(plain.states, plain.actions, context=numbers, contexts=("pre", "post", "later"))
        )
        ordered = gi.Behavior(worlds, AGENT, rewards, contexts=("pre", "post", "later")).log_prob(plain)
    assert [float(x) for x in (found, named, ordered)] == pytest.approx([EXPECTED.sum()] * 3, abs=1e-10)
    with pytest.raises(
        ValueError,
        match=r"trajectory \d is of context number 2; expected 0 to 1, the numbers of the contexts 'pre', 'post'",
    ):
        gi.Behavior(worlds, AGENT, rewards, contexts=("pre", "post")).log_prob(plain)


def test_names_of_contexts_are_kept_in_files():
    """Of data without labels too; dates as text, which a file can hold."""
    for names, kept in ((("pre", 2), ("pre", 2)), ((pd.Timestamp("2020-01-01"), "b"), ("2020-01-01 00:00:00", "b"))):
        data = Trajectories.of([[0, 1], [1, 0]], [[0], [1]], context=[0, 1], contexts=names)
        writer = Writer()
        structure = writer.structure(data)
        again = Reader(writer.arrays, writer.records).value(structure)
        assert again.contexts == kept
        assert again.context.tolist() == [0, 1]
    del writer.records[-1]["fields"]["contexts"]  # as in a file of before
    assert Reader(writer.arrays, writer.records).value(structure).contexts is None


def test_contexts_that_nothing_is_known_of():
    worlds, rewards, data = case("text", (0, 1, 2), (0, 1, 2), range(len(TABLE)))
    some = {name: rewards[name] for name in ("post", "pre")}
    with pytest.raises(ValueError, match=r"context 'later' has no world or reward; the mapping has 'post', 'pre'; the"):
        gi.Behavior(worlds["pre"], AGENT, some).log_prob(data)
    one = {"pre": rewards["pre"]}
    with pytest.raises(ValueError, match=r"the mapping has 'pre'; the data have 'later', 'post', 'pre'"):
        gi.Behavior(worlds["pre"], AGENT, one).log_prob_by("step", data)
    assert np.isfinite(float(gi.Behavior(worlds["pre"], AGENT, one).log_prob(data.select([0, 3]))))


def test_names_of_contexts_have_to_name_all_of_them():
    with pytest.raises(ValueError, match="contexts= names 'a'; expected a different name for each of 2 contexts"):
        Trajectories.of([[0, 1], [0, 1]], [[0], [0]], context=[0, 1], contexts=("a",))
    with pytest.raises(ValueError, match="contexts= names 'a', 'a'; expected a different name for each of 2 contexts"):
        Trajectories.of([[0, 1], [0, 1]], [[0], [0]], context=[0, 1], contexts=("a", "a"))
    labels = gi.data.Labels((0,), contexts=("a",))
    with pytest.raises(ValueError, match="give either labels= or contexts="):
        Trajectories.of([[0, 1]], [[0]], labels=labels, contexts=("a",))


def test_rewards_with_labels_are_matched_by_name_or_refused():
    """A reward does not know its world: what has labels is given by name, in any order."""
    hall = gi.gridworld("s.a", discount=0.9)
    series = pd.Series({"a": 1.0, "s": -1.0})
    for order in (["a", "s"], ["s", "a"]):
        found = gi.StateReward.at(hall, series[order].to_dict(), default=0.0, on="departure")
        assert found.values.tolist() == [-1.0, 0.0, 1.0]
    with pytest.raises(TypeError, match=r"values of a StateReward is a Series, .* by name with StateReward\.at\(world"):
        gi.StateReward(series, on="departure")
    frame = pd.DataFrame(np.zeros((3, 4)), index=list(hall.states), columns=list(hall.actions))
    with pytest.raises(TypeError, match=r"an ActionReward is a DataFrame, .* by name with frame\.reindex\(index=world"):
        gi.ActionReward(frame)
    ordered = gi.ActionReward(frame.reindex(index=hall.states, columns=hall.actions).values)
    assert ordered.values.shape == (3, 4)
    policy = AGENT.policy(hall, gi.StateReward.zero(hall))
    with pytest.raises(
        TypeError, match="features of a LinearReward is a DataFrame, whose labels a reward cannot match"
    ):
        gi.LinearReward(frame, np.zeros(4), on="departure")
    with pytest.raises(TypeError, match="values of an ActionReward is a DataArray"):
        gi.ActionReward(policy)


# -- what is made of several worlds ------------------------------------------------------------------


def test_null_spaces_do_not_depend_on_the_order_of_experts():
    """The same subspace in any order, with what belongs to an expert under the expert's name."""
    world = gi.from_arrays(LAWS[0], discount=0.9)
    experts = {"patient": gi.agents.soft_optimal(beta=2.0), "hasty": gi.agents.soft_optimal(beta=1.0, discount=0.5)}
    both = {name: gi.from_arrays(law, discount=0.9) for name, law in (("patient", LAWS[0]), ("hasty", LAWS[1]))}
    reward = gi.ActionReward(VALUES[0])
    for worlds in (world, both):
        found = []
        for order in (("patient", "hasty"), ("hasty", "patient")):
            given = worlds if worlds is world else {name: worlds[name] for name in reversed(order)}
            space = gi.identify.null_space(given, {name: experts[name] for name in order}, reward, free=("beta",))
            beta = space.agent["agent.beta"].sel(expert=["patient", "hasty"]).values
            joint = np.concatenate([space.basis.values.reshape(space.dimension, -1), beta], axis=1)
            found.append(joint.T @ joint)
        np.testing.assert_allclose(*found, atol=1e-8)


def test_null_spaces_do_not_depend_on_the_order_of_worlds():
    worlds = {name: gi.from_arrays(law, discount=0.9) for name, law in zip("abc", LAWS, strict=True)}
    reward = gi.ActionReward(VALUES[0])
    first = gi.identify.null_space(worlds, AGENT, reward)
    second = gi.identify.null_space(dict(reversed(worlds.items())), AGENT, reward)
    bases = [space.basis.values.reshape(space.dimension, -1) for space in (first, second)]
    np.testing.assert_allclose(*[basis.T @ basis for basis in bases], atol=1e-8)
    np.testing.assert_allclose(first.singular_values, second.singular_values, atol=1e-10)


@pytest.mark.parametrize(
    "agent",
    [
        gi.agents.noisy_plan(plan_noise=0.7, beta=BETA, draws=3),
        gi.agents.habitual(persistence=1.0, beta=BETA, by_state=True),
    ],
)
def test_conditions_beside_larger_ones(agent):
    """A world that is padded to more states and actions has the scores that it has by itself."""
    worlds = {"small": gi.from_arrays(LAWS[0], discount=0.9), "large": gi.gridworld("....", discount=0.9)}
    wants = {"small": VALUES[0][:, 0], "large": np.eye(4)[3]}
    rewards = {name: gi.StateReward(values, on="arrival") for name, values in wants.items()}
    walks = {"small": ([0, 1, 2, 1], [0, 1, 1]), "large": ([0, 1, 2, 3], [3, 3, 3])}
    alone = [
        float(gi.Behavior(worlds[name], agent, rewards[name]).log_prob(gi.Trajectories.of([states], [actions])))
        for name, (states, actions) in walks.items()
    ]
    states, actions = zip(*walks.values(), strict=True)
    together = gi.Trajectories.of(states, actions, context=[0, 1], contexts=list(walks))
    found = gi.Behavior(worlds, agent, rewards).log_prob_by("trajectory", together)
    np.testing.assert_allclose(found, alone, rtol=1e-10)


def test_one_reward_for_worlds_with_states_in_another_order():
    """Numbers of a shared reward mean the same states and actions everywhere, or are refused."""
    here, there = (gi.from_arrays(LAWS[0], discount=0.9, states=names, actions=["x", "y"]) for names in ("abc", "acb"))
    swapped = gi.from_arrays(LAWS[0], discount=0.9, states="abc", actions=["y", "x"])
    departure = gi.StateReward(np.arange(3.0), on="departure")
    with pytest.raises(ValueError, match="but state number 1 is 'b' in one and 'c' in another: give a mapping"):
        gi.Behavior({"here": here, "there": there}, AGENT, departure)
    gi.Behavior({"here": here, "there": swapped}, AGENT, departure)
    with pytest.raises(ValueError, match="but action number 0 in state 'a' is 'x' in one and 'y' in another"):
        gi.Behavior({"here": here, "there": swapped}, AGENT, gi.ActionReward(VALUES[0]))
    gi.Behavior({"here": here, "there": there}, AGENT, {"here": departure, "there": departure})
    marked, plain = gi.gridworld("s.a", discount=0.9), gi.gridworld("...", discount=0.9)
    gi.Behavior({"here": marked, "there": plain}, AGENT, departure)


def test_a_fit_of_some_of_the_worlds():
    """Mappings may hold more than the data: nothing is read off the first world of a mapping."""
    big, small = gi.open_grid(1, 5, discount=0.9), gi.open_grid(1, 3, discount=0.9)
    prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    known = gi.StateReward(np.array([0.0, 0.0, 1.0]), on="departure")
    data = gi.simulate(jax.random.key(0), {"small": small}, AGENT, known, trajectories=5, steps=5)
    fits = [
        gi.infer(jax.random.key(1), worlds, agent=AGENT, reward=prior, data=data, draws=20, method="laplace")
        for worlds in ({"big": big, "small": small}, {"small": small})
    ]
    for fit in fits:
        assert [site.prior.shape() for site in fit.sites] == [(3,)]
        np.testing.assert_array_equal(fit.posterior["reward.values"], fits[1].posterior["reward.values"])
        assert gi.identify.expected_regret(fit, draws=5).index.tolist() == ["small"]


def test_the_density_of_a_fit_has_no_order():
    """Log joint density of ``gi.infer`` in the logarithm of beta, a standard normal; by the oracle of each condition."""
    expected = EXPECTED.sum() + norm.logpdf(np.log(BETA))
    for order, other in (((0, 1, 2), (0, 1, 2)), ((2, 0, 1), (1, 0, 2))):
        worlds, rewards, data = case("numbers and text", order, other, range(len(TABLE)))
        agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0))
        with computing_in("float64"):
            posterior = posterior_of(StandardModel(worlds, agent, rewards), data)
            assert posterior.model.world is worlds
            found = -posterior.natural.density.potential(np.array([np.log(BETA)]), posterior.data)
        assert float(found) == pytest.approx(expected, abs=1e-9)


def test_contexts_of_one_condition_are_planned_once():
    """Contexts with the same world and reward share a policy; every score is that of the context alone."""
    two = [
        (gi.from_arrays(law, discount=DISCOUNT), gi.ActionReward(values))
        for law, values in zip(LAWS[:2], VALUES[:2], strict=True)
    ]
    of = {name: two[name in "yu"] for name in "xyzu"}
    worlds, rewards = ({name: pair[part] for name, pair in of.items()} for part in (0, 1))
    data = gi.simulate(0, worlds, AGENT, rewards, trajectories=3, steps=4)
    behavior = gi.Behavior(worlds, AGENT, rewards)
    assert behavior.policy.log_probs.shape[0] == 2
    scores = np.asarray(behavior.log_prob_by("trajectory", data))
    for number, name in enumerate(worlds):
        mine = np.asarray(data.context) == number
        alone = gi.Trajectories.of(data.states[mine], data.actions[mine])
        expected = gi.Behavior(worlds[name], AGENT, rewards[name]).log_prob(alone)
        assert scores[mine].sum() == pytest.approx(float(expected), abs=1e-12)
    world, reward = two[0]
    assert gi.Behavior(dict.fromkeys("xz", world), AGENT, reward).policy.log_probs.shape[0] == 1


def test_messages_count_contexts():
    worlds = {name: gi.from_arrays(law, discount=DISCOUNT) for name, law in zip("xyz", LAWS, strict=True)}
    rewards = {name: gi.ActionReward(values) for name, values in zip("xyz", VALUES, strict=True)}
    some = {name: (worlds[name], rewards[name]) for name in "xy"}
    two, of_two = ({name: pair[part] for name, pair in some.items()} for part in (0, 1))
    with pytest.raises(ValueError, match="steps in each of 2 contexts take"):
        gi.simulate(0, two, AGENT, of_two, trajectories=10**6, steps=10**6)
    with pytest.raises(ValueError, match="trajectories of 1,000,000 steps take"):
        gi.simulate(0, worlds["x"], AGENT, rewards["x"], trajectories=10**6, steps=10**6)
    three = gi.Trajectories.of([[0, 0]] * 3, [[0]] * 3, context=[0, 1, 2])
    with pytest.raises(
        ValueError, match="is of context number 2; expected 0 to 1, the numbers of the contexts 'x', 'y'"
    ):
        gi.Behavior(two, AGENT, of_two, contexts=("x", "y")).log_prob(three)
    named = gi.Trajectories.of([[0, 0]] * 2, [[0]] * 2, context=[0, 1], contexts=(0, "x"))
    with pytest.raises(ValueError, match="context 0 has no world"):
        gi.Behavior(worlds, AGENT, rewards).log_prob(named)
    with pytest.raises(ValueError, match="the data name no context"):
        gi.Behavior(worlds, AGENT, rewards).log_prob(gi.Trajectories.of([[0, 0]], [[0]]))


def test_a_warm_start_with_fewer_conditions():
    """The plans of one reward for all contexts are a start for two rewards; the scores are the same without it."""
    world, (one, two) = gi.from_arrays(LAWS[0], discount=DISCOUNT), map(gi.ActionReward, VALUES[:2])
    data = gi.simulate(0, {"x": world, "y": world}, AGENT, {"x": one, "y": two}, trajectories=3, steps=4)
    first = gi.Behavior(world, AGENT, {"x": one, "y": one})
    scores = [
        gi.Behavior(world, AGENT, {"x": one, "y": two}, near=near).log_prob(data) for near in (None, first.policy)
    ]
    assert float(scores[1]) == pytest.approx(float(scores[0]), abs=1e-9)


def test_a_negative_context():
    world = gi.from_arrays(LAWS[0], discount=DISCOUNT)
    behavior = gi.Behavior({"x": world}, AGENT, gi.ActionReward(VALUES[0]), contexts=("x",))
    with pytest.raises(ValueError, match="context"):
        behavior.log_prob(gi.Trajectories.of([[0, 0]], [[0]], context=[-1]))


def test_a_candidate_that_occurs_twice():
    world, (one, two) = gi.from_arrays(LAWS[0], discount=DISCOUNT), map(gi.ActionReward, VALUES[:2])
    policies = policies_of(world, AGENT, [one, two, one])
    assert policies.log_probs.shape == (3, 1, 3, 2)
    np.testing.assert_array_equal(policies.log_probs[0], policies.log_probs[2])
    assert not np.allclose(policies.log_probs[0], policies.log_probs[1])
