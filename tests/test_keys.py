"""Randomness: every function that takes a key takes a seed as well, and names a key that was forgotten."""

import importlib
import inspect
import pkgutil

import jax
import numpy as np
import pytest

import goalinf as gi
import goalinf_models
from goalinf.checks import random_key

HALL = gi.gridworld("s.a", discount=0.9)
AGENT = gi.agents.soft_optimal(beta=1.0)
WANTS = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
WALK = gi.simulate(0, HALL, AGENT, WANTS, trajectories=3, steps=4)


def public():
    """Every public function and method with a random key, by name; the keys of a world are names of states."""
    found = {}
    rooms = [gi.agents, gi.identify, gi.inference]
    things = {name: getattr(gi, name) for name in sorted(set(gi.__all__) - {"World"})}
    things |= {name: getattr(room, name) for room in rooms for name in room.__all__}
    for name, thing in things.items():
        members = vars(thing).items() if inspect.isclass(thing) else [("", thing)]
        found.update({f"{name}.{member}".rstrip("."): one for member, one in members if not member.startswith("_")})
    for module in pkgutil.iter_modules(goalinf_models.__path__):
        found[f"{module.name}.example"] = getattr(
            importlib.import_module(f"goalinf_models.{module.name}"), "example", None
        )
    return {
        name: one
        for name, one in found.items()
        if inspect.isfunction(one) and "key" in inspect.signature(one).parameters
    }


def test_there_are_such():
    expected = {
        "infer",
        "simulate",
        "find_map",
        "marginal_likelihood",
        "garnet",
        "zero_reward",
        "Fit.predict",
    }
    assert expected | {"Behavior.sample", "OptimalityPreserving.draw", "ashwood_2022.example"} <= set(public())


@pytest.mark.parametrize("name", public())
def test_a_forgotten_key_is_named(name):
    """Whatever else is missing: Python would name the last argument, because the others moved up."""
    function = public()[name]
    place = list(inspect.signature(function).parameters).index("key")
    with pytest.raises(TypeError, match=r"key is a World; expected a whole number in \[0, 4294967296\) as a seed"):
        function(*[None] * place, HALL)


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**32 - 1, np.int64(5), np.uint32(2**32 - 1)])
@pytest.mark.parametrize("double", [False, True])
def test_a_seed_is_the_same_key_in_both_precisions(seed, double):
    with jax.enable_x64(double):
        np.testing.assert_array_equal(jax.random.key_data(random_key(seed)), [0, int(seed)])


@pytest.mark.parametrize("seed", [-1, 2**32, 2**40])
def test_seeds_that_would_differ_between_precisions(seed):
    with pytest.raises(ValueError, match=f"key is {seed}; expected a whole number in"):
        random_key(seed)


def test_a_seed_draws_what_its_key_draws():
    for kind in (jax.random.key, jax.random.PRNGKey):
        walk = gi.simulate(kind(3), HALL, AGENT, WANTS, trajectories=3, steps=4)
        assert walk.data_hash() == gi.simulate(3, HALL, AGENT, WANTS, trajectories=3, steps=4).data_hash()
    one, other = (gi.Behavior(HALL, AGENT, WANTS, like=WALK).sample(key) for key in (3, jax.random.key(3)))
    np.testing.assert_array_equal(one.actions, other.actions)
    one, other = (
        gi.identify.feasible_set(HALL, [3, 3, 3], rewards="action").extreme(key) for key in (3, jax.random.key(3))
    )
    np.testing.assert_array_equal(one.values, other.values)


def test_a_key_may_be_traced():
    seeds = jax.random.split(jax.random.key(0), 3)
    walks = jax.vmap(gi.Behavior(HALL, AGENT, WANTS, like=WALK).sample)(seeds)
    assert walks.actions.shape == (3, *WALK.actions.shape)
