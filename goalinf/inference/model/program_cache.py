"""Compiled programs: models with equal contents share them; programs of all draws, and of their moments."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, PyTree
from numpyro.distributions import Distribution
from numpyro.distributions.constraints import Constraint
from numpyro.distributions.transforms import Transform

from goalinf.content_hash import content_hash
from goalinf.worlds import World

_KEPT = 16  # most recently used models, each with one shape of data
_BATCH = 64  # draws per batch on an accelerator; on a CPU an iterative planner is faster one draw at a time
_Program = TypeVar("_Program")


def recipe(world: World | Mapping[Any, World], *parts: PyTree) -> Hashable:
    """Return the cache key of a model: the world object, and the contents of it and of all other parts.

    Parameters
    ----------
    world : World or mapping from context to World
        World of the model; another world object with the same numbers is another model.
    parts : pytree
        Agents and rewards with their priors, and all other parts of the model.

    Returns
    -------
    hashable
        Equal only for equal models.
    """
    worlds = (world,) if isinstance(world, World) else tuple(world.items())
    mdps = [single.mdp for single in ([world] if isinstance(world, World) else world.values())]
    key = (worlds, contents(mdps, parts))
    try:
        hash(key)
    except TypeError:
        return object()  # different from every other recipe
    return key


def contents(*parts: PyTree) -> Hashable:
    """Return the present numbers of all arrays as hashes, because arrays can be changed, and all other values."""
    # The tree structure of a user-defined prior need not determine its contents.
    leaves, structure = jax.tree.flatten(parts, is_leaf=lambda x: isinstance(x, Distribution))
    return structure, tuple(map(_content, leaves))


def shared(recipe: Hashable, name: Hashable, make: Callable[[], _Program]) -> _Program:
    """Return the program of this name of a model, made at its first use."""
    programs = _programs(recipe)
    if name not in programs:
        programs[name] = make()
    return programs[name]


def shapes(values: PyTree[ArrayLike]) -> Hashable:
    """Return the shapes and types of a pytree, for which a program is compiled."""
    leaves, structure = jax.tree.flatten(values)
    return structure, tuple((np.shape(leaf), jax.dtypes.result_type(leaf).name) for leaf in leaves)


@lru_cache(maxsize=_KEPT)
def _programs(_recipe: Hashable) -> dict[Hashable, Any]:
    return {}


def _content(leaf: Any) -> Hashable:
    if isinstance(leaf, (np.ndarray, jax.Array)):
        array = np.asarray(leaf)
        return array.dtype.str, content_hash({"": array})
    if isinstance(leaf, (list, tuple)):
        return type(leaf), tuple(_content(item) for item in leaf)
    if isinstance(leaf, dict):  # an expanded prior holds one
        return type(leaf), tuple((name, _content(value)) for name, value in leaf.items())
    if isinstance(leaf, (Distribution, Transform, Constraint)):  # "_inv": the inverse that a transform remembers
        fields = sorted(vars(leaf).items(), key=itemgetter(0))
        return type(leaf), tuple((name, _content(value)) for name, value in fields if name != "_inv")
    return type(leaf), leaf


def moments(function: Callable[..., Any]) -> Callable[[PyTree[ArrayLike], tuple[Any, ...]], Any]:
    """Compile ``function(draw, *args)`` to a program of its mean and standard deviation over all draws.

    The draws are added up one after another (Welford 1962), so that the memory does not grow with their number.

    Parameters
    ----------
    function : callable
        Traceable. A new function object is compiled again: keep the program (:func:`shared`).

    Returns
    -------
    callable
        Maps draws (a pytree of arrays with a leading axis) and shared arguments to two results: means, and standard
        deviations with a divisor of the number of draws minus 1; zero for one draw.
    """

    @jax.jit
    def program(draws, args):
        count = len(jax.tree.leaves(draws)[0])
        result = jax.eval_shape(lambda draw: function(draw, *args), jax.tree.map(itemgetter(0), draws))
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), result)

        def add(sums, at):
            mean, squares = sums
            number, draw = at
            value = function(draw, *args)
            deviation = jax.tree.map(lambda new, old: new - old, value, mean)
            mean = jax.tree.map(lambda old, change: old + change / (number + 1), mean, deviation)
            squares = jax.tree.map(lambda s, d, new, old: s + d * (new - old), squares, deviation, value, mean)
            return (mean, squares), None

        (mean, squares), _ = jax.lax.scan(add, (zeros, zeros), (jnp.arange(count), draws))
        return mean, jax.tree.map(lambda s: jnp.sqrt(s / max(count - 1, 1)), squares)

    return program


def mapped(function: Callable[..., Any]) -> Callable[[PyTree[ArrayLike], tuple[Any, ...]], Any]:
    """Compile ``function(draw, *args)`` to a program of all draws and the tuple of further arguments.

    Parameters
    ----------
    function : callable
        Traceable. A new function object is compiled again: keep the program (:func:`shared`).

    Returns
    -------
    callable
        Maps draws (a pytree of arrays with a leading axis) and shared arguments to results with a leading axis of
        draws.
    """
    batch = None if jax.default_backend() == "cpu" else _BATCH

    @jax.jit
    def program(draws, args):
        return jax.lax.map(lambda draw: function(draw, *args), draws, batch_size=batch)

    return program
