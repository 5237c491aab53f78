"""How far a row of probabilities may miss one: 1e-9 in float64, rounding in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import goalinf as gi
from goalinf.worlds import MDP, World

HALF = np.full((2, 1, 2), 0.5)


def off_by(error, dtype=np.float64):
    rows = HALF.copy()
    rows[1, 0, 0] += error
    return rows.astype(dtype)


def table_of(rows):
    s, a, t = np.nonzero(rows)
    columns = {"state": s, "action": a, "next_state": t}
    return pd.DataFrame({**columns, "p": pd.Series(rows[s, a, t])})


def record(rows):
    after = np.broadcast_to(np.arange(2), rows.shape)
    mdp = MDP.of(after, rows, np.ones((2, 1), bool), np.zeros(2, bool), np.full(2, 0.5), 0.9)
    return World(mdp, ("a", "b"), ("go",))


BUILDERS = {
    "dense": lambda rows: gi.from_arrays(rows, discount=0.9),
    "sparse": lambda rows: gi.from_arrays([sparse.csr_array(rows[:, 0])], discount=0.9),
    "listed": lambda rows: gi.from_arrays(
        successors=np.broadcast_to(np.arange(2), rows.shape), probabilities=rows, discount=0.9
    ),
    "table": lambda rows: gi.from_table(table_of(rows), probability="p", discount=0.9),
    "initial": lambda rows: gi.from_arrays(HALF, initial=rows[1, 0], discount=0.9),
}


@pytest.mark.parametrize("build", [*BUILDERS, "record"])
def test_rows_miss_one_by_less_than_a_billionth(build):
    make = {**BUILDERS, "record": record}[build]
    for error in (-5e-10, 5e-10):
        make(off_by(error))
    for error in (-2e-9, 2e-9, 1e-6, 1e-2):
        with pytest.raises(ValueError, match=r"sum to [01]\.\d+; expected 1"):
            make(off_by(error))


@pytest.mark.parametrize("build", BUILDERS)
def test_float32_is_let_pass_within_its_precision(build):
    """Sums off by 8 roundings of float32 (9.5e-7) are one; by more, or in float64, they are not."""
    for error in (-5e-7, 5e-7):
        world = BUILDERS[build](off_by(error, np.float32))
        assert np.abs(world.mdp.probabilities.sum(2) - 1).max() < 1e-15
        assert abs(world.mdp.initial.sum() - 1) < 1e-15
        with pytest.raises(ValueError, match=r"sum to [01]\.\d+; expected 1"):
            BUILDERS[build](off_by(error))
    for error in (-2e-6, 2e-6, 1e-2):
        with pytest.raises(ValueError, match=r"sum to [01]\.\d+; expected 1"):
            BUILDERS[build](off_by(error, np.float32))


@given(st.integers(0, 10_000), st.integers(1, 200))
def test_what_float32_normalizes_is_a_world(seed, n):
    logits = np.random.default_rng(seed).normal(size=(n, 2, n)).astype(np.float32) * 5
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    rows = weights / weights.sum(-1, keepdims=True)
    assert rows.dtype == np.float32
    world = gi.from_arrays(rows, discount=0.9)
    np.testing.assert_allclose(world.mdp.dense(), rows, rtol=1e-4, atol=1e-12)


def test_arrays_of_jax():
    rows = jax.nn.softmax(jnp.arange(12.0, dtype=jnp.float32).reshape(3, 1, 4)[:, :, :3])
    assert gi.from_arrays(rows, discount=0.9).n_states == 3
    assert gi.from_arrays(HALF, initial=jnp.array([0.3, 0.7], jnp.float32), discount=0.9).mdp.initial.sum() == 1.0
