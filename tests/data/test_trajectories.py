"""The record: hand-worked counts, padding against missing choices, subsets, and life as a pytree."""

import dataclasses
from collections import Counter

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import goalinf as gi
from goalinf.data import Cells, Labels, Trajectories

STATES = [[0, 1, 0, 2], [2, 2, 1, -1], [1, -1, -1, -1]]
ACTIONS = [[0, -1, 0], [1, 1, -1], [0, -1, -1]]


@pytest.fixture
def data():
    # Walk 0 has a choice missing in the middle, walk 1 ends in a seen state, walk 2 in one that was not seen.
    return Trajectories.of(STATES, ACTIONS, subject=[0, 1, 1], context=[0, 0, 1])


def test_lengths_padding_and_missing_choices_are_told_apart(data):
    assert data.lengths.tolist() == [3, 2, 1]
    assert data.observed.tolist() == [[True, False, True], [True, True, False], [True, False, False]]
    assert (data.n_steps, data.n_observed, data.max_steps, data.n_trajectories) == (6, 5, 3, 3)
    assert (data.n_subjects, data.n_contexts) == (2, 2)


def test_a_last_state_with_an_action_is_a_decision_and_one_without_is_not():
    ended = Trajectories.of([[0, 1, -1]], [[3, -1]])
    assert ended.lengths.tolist() == [1]
    acted = Trajectories.of([[0, 1, -1]], [[3, 2]])
    assert acted.lengths.tolist() == [2]
    told = Trajectories.of([[0, 1, -1]], [[3, -1]], lengths=[2])
    assert (told.n_steps, told.n_observed) == (2, 1)


def test_cells_are_unique_choices_with_counts():
    data = Trajectories.of([[0, 1, 0, 1, 0], [1, 0, 1, -1, -1]], [[5, 2, 5, 0], [2, 5, -1, -1]])
    cells = data.cells
    assert cells.state.tolist() == [0, 1, 1]
    assert cells.action.tolist() == [5, 0, 2]
    assert cells.weight.tolist() == [3.0, 1.0, 2.0]
    assert cells.weight.sum() == data.n_observed
    by_subject = Trajectories.of([[0, 1, -1]] * 2, [[5, 5]] * 2, subject=[1, 0], context=[0, 3]).cells
    assert by_subject.subject.tolist() == [0, 0, 1, 1]
    assert by_subject.context.tolist() == [3, 3, 0, 0]


def test_many_possible_cells_are_counted_by_sorting_with_the_same_result():
    far = 3_000_000  # too many possible cells for a table of them
    data = Trajectories.of([[0, far, 0, far, -1]], [[7, 9, 7, 9]])
    assert data.cells.state.tolist() == [0, far]
    assert data.cells.action.tolist() == [7, 9]
    assert data.cells.weight.tolist() == [2.0, 2.0]


@st.composite
def behaviors(draw):
    n, t = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = rng.integers(0, t + 1, n)
    states, actions = rng.integers(0, 4, (n, t + 1)), rng.integers(-1, 3, (n, t))
    return Trajectories.of(
        states, actions, lengths=lengths, subject=rng.integers(0, 3, n), context=rng.integers(0, 2, n)
    )


@given(behaviors())
def test_cells_equal_brute_force_counts(data):
    brute = Counter(
        (int(data.subject[n]), int(data.context[n]), int(data.states[n, t]), int(data.actions[n, t]))
        for n in range(data.n_trajectories)
        for t in range(int(data.lengths[n]))
        if data.actions[n, t] >= 0
    )
    c = data.cells
    rows = zip(c.subject.tolist(), c.context.tolist(), c.state.tolist(), c.action.tolist(), strict=True)
    assert dict(zip(rows, c.weight.tolist(), strict=True)) == dict(brute)
    each = Cells.each(data.states, data.actions, data.observed, data.subject, data.context)
    totals = Counter()
    for key, weight in zip(
        zip(each.subject, each.context, each.state, each.action, strict=True), each.weight, strict=True
    ):
        totals[tuple(int(part) for part in key)] += float(weight)
    assert +totals == brute


@given(behaviors(), st.randoms(use_true_random=False))
def test_the_order_of_trajectories_changes_no_count(data, random):
    order = list(range(data.n_trajectories))
    random.shuffle(order)
    shuffled = data.select(order)
    assert eqx.tree_equal(shuffled.cells, data.cells)
    back = shuffled.select(np.argsort(order))
    width = int(max(data.lengths.max(), 1))
    assert np.array_equal(back.actions, data.actions[:, :width])


def test_visits_and_choices_are_counted(data):
    assert data.state_visits(4).tolist() == [2, 3, 3, 0]
    assert data.choice_counts(3, 2).tolist() == [[2.0, 0.0], [1.0, 0.0], [0.0, 2.0]]


def test_what_lies_behind_the_end_is_blanked():
    data = Trajectories.of([[0, 1, 2, 3]], [[0, 1, 1]], lengths=[1])
    assert data.states.tolist() == [[0, 1, -1, -1]]
    assert data.actions.tolist() == [[0, -1, -1]]
    assert not data.observed[0, 1:].any()


def test_a_hidden_choice_counts_as_missing():
    data = Trajectories.of([[0, 1, 2]], [[0, 1]], observed=[[True, False]])
    assert data.actions.tolist() == [[0, -1]]
    assert (data.n_steps, data.n_observed) == (2, 1)


def test_select_by_mask_number_and_slice(data):
    for chosen in ([True, False, True], [0, 2], [-3, -1], slice(0, 3, 2)):
        part = data.select(chosen)
        assert part.lengths.tolist() == [3, 1]
        assert part.context.tolist() == [0, 1]
    assert data.select(2).max_steps == 1
    twice = data.select([1, 1])
    assert twice.cells.weight.sum() == 4.0


def test_select_leaves_out_names_that_no_longer_occur():
    labels = Labels(trajectories=("x", "y", "z"), subjects=("ann", "bob"), contexts=("day", "night"))
    data = Trajectories.of(STATES, ACTIONS, subject=[0, 1, 1], context=[0, 0, 1], labels=labels)
    assert data.unlabeled().contexts == ("day", "night")
    worlds = gi.open_grid(2, 2, discount=0.9), gi.open_grid(2, 2, discount=0.5)
    placed = dataclasses.replace(labels, worlds=worlds, rewards=("first", "second"))
    there = Trajectories.of(STATES, ACTIONS, subject=[0, 1, 1], context=[0, 0, 1], labels=placed).select([2]).labels
    assert there.worlds == worlds[1:]
    assert there.rewards == ("second",)
    part = data.select([2])
    assert part.trajectory_names == ("z",)
    assert part.subject_names == ("bob",)
    assert part.subject.tolist() == [0]
    assert part.context_names == ("night",)


def test_data_hash_follows_the_numbers_and_nothing_else(data):
    labels = Labels(trajectories=("x", "y", "z"), subjects=("ann", "bob"), contexts=("day", "night"))
    named = Trajectories.of(STATES, ACTIONS, subject=[0, 1, 1], context=[0, 0, 1], labels=labels)
    assert named.data_hash() == data.data_hash()
    on_device = jax.tree.map(jnp.asarray, data)
    assert on_device.data_hash() == data.data_hash()
    changed = {
        "subject": {"subject": [0, 1, 0]},
        "context": {"context": [0, 1, 1]},
        "lengths": {"lengths": [2, 2, 1]},
        "observed": {"observed": np.arange(9).reshape(3, 3) > 0},
    }
    for name, change in changed.items():
        other = Trajectories.of(STATES, ACTIONS, **{"subject": [0, 1, 1], "context": [0, 0, 1]} | change)
        assert other.data_hash() != data.data_hash(), name
    actions = np.where(np.array(ACTIONS) == 1, 0, ACTIONS)
    assert Trajectories.of(STATES, actions, subject=[0, 1, 1], context=[0, 0, 1]).data_hash() != data.data_hash()


def test_repr_says_in_words_what_there_is(data):
    assert repr(data) == (
        "Trajectories: 3 trajectories, 1 to 3 steps each, 6 in all\n1 missing choice\n2 subjects, 2 contexts"
    )
    assert "no missing choices" in repr(Trajectories.of([[0, 1]], [[0]]))
    empty = Trajectories.of([[0, 1], [0, -1]], [[0], [-1]])
    assert "1 trajectory without any choice" in repr(empty)


def test_it_is_a_pytree_inside_compiled_code(data):
    labels = Labels(trajectories=("x", "y", "z"), subjects=("ann", "bob"), contexts=(0, 1))
    named = Trajectories.of(STATES, ACTIONS, subject=[0, 1, 1], context=[0, 0, 1], labels=labels)
    seen = []

    @jax.jit
    def total(d):
        seen.append(repr(d))  # tracers must not break it
        return jnp.sum(d.cells.weight) + jnp.sum(d.unlabeled().lengths)

    assert float(total(named.unlabeled())) == 5 + 6
    assert float(total(data)) == 5 + 6
    assert len(seen) == 1, "equal data without labels must share one compiled program"
    assert "states (3, 4)" in seen[0]
    assert jax.tree.structure(named) != jax.tree.structure(data)


def test_assembled_inside_compiled_code_and_batched():
    @jax.vmap
    def make(shift):
        zero = jnp.zeros(2, int)
        states, actions = jnp.array([[0, 1, 2], [1, 2, -1]]) + shift, jnp.array([[0, 1], [1, -1]])
        return Trajectories.traced(
            states, actions, lengths=jnp.array([2, 1]), observed=actions >= 0, subject=zero, context=zero
        )

    data = make(jnp.arange(3))
    assert data.n_trajectories == 2
    assert data.max_steps == 2
    assert data.cells.weight.shape == (3, 4)
    assert data.cells.weight.sum() == 9
    assert "states (3, 2, 3)" in repr(data)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"states": [[0, 1]], "actions": [[0, 1]]}, r"expected \(N, T\+1\) and \(N, T\)"),
        ({"states": [[0.5, 1]], "actions": [[0]]}, "states holds a number that is not an integer"),
        ({"states": [[0, np.nan]], "actions": [[0]]}, "write -1"),
        ({"states": [["a", "b"]], "actions": [[0]]}, "rectangle of integers"),
        ({"states": [[0, 1]], "actions": [[0]], "lengths": [2]}, "trajectory 0 has a length outside 0 to 1"),
        ({"states": [[0, 1]], "actions": [[0]], "lengths": [1, 1]}, r"lengths has shape \(2,\); expected \(1,\)"),
        ({"states": [[0, 1]], "actions": [[0]], "observed": [[True, True]]}, "observed has shape"),
        ({"states": [[0, -1, 1]], "actions": [[0, 0]], "lengths": [2]}, "trajectory 0 has a decision without a state"),
        ({"states": [[0, 1]], "actions": [[0]], "subject": [-1]}, "negative subject"),
        ({"states": [[0, 1]], "actions": [[0]], "subject": [0, 0]}, "subject has shape"),
        ({"states": np.zeros((0, 2), int), "actions": np.zeros((0, 1), int)}, "0 trajectories of 1 steps"),
        ({"states": [[0]], "actions": np.zeros((1, 0), int)}, "1 trajectories of 0 steps"),
        (
            {"states": [[0, 1]], "actions": [[0]], "labels": Labels(("a", "b"))},
            "labels name 2 trajectories, the data have 1",
        ),
        ({"states": [[0, 1]], "actions": [[0]], "subject": [1], "labels": Labels(("a",))}, "labels name 1 subject"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        Trajectories.of(**fields)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ([True, False], "expected one entry for each of 3"),
        ([3], "no trajectory number 3: there are 3"),
        ([], "no trajectory is selected"),
        ([0.5], "by a mask or integers"),
    ],
)
def test_selections_that_make_no_sense_are_refused(data, chosen, said):
    with pytest.raises(ValueError, match=said):
        data.select(chosen)
