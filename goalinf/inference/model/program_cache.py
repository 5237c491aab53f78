"""Compiled programs, kept for the next data set: models that are made of the same things share them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import jax
import numpy as np
from numpyro.distributions import Distribution
from numpyro.distributions.constraints import Constraint
from numpyro.distributions.transforms import Transform

from goalinf.worlds import World

_KEPT = 16  # models with one shape of data, the last ones that were used
_Program = TypeVar("_Program")


def recipe(world: World | Mapping[Any, World], *parts: Any) -> Hashable:
    """What tells one model from another: the very world, and the contents of it and of all other parts.

    Parameters
    ----------
    world : World or mapping from context to World
        Where; another world with the same numbers is another model.
    parts : pytree
        Agents and rewards with their priors, and all else that enters the model.

    Returns
    -------
    hashable
        Equal only for equal models.
    """
    worlds = (world,) if isinstance(world, World) else tuple(world.items())
    mdps = [one.mdp for one in ([world] if isinstance(world, World) else world.values())]
    # The structure of a prior of somebody's own need not say what is in it.
    leaves, structure = jax.tree.flatten((mdps, parts), is_leaf=lambda x: isinstance(x, Distribution))
    found = (worlds, structure, tuple(_content(leaf) for leaf in leaves))
    try:
        hash(found)
    except TypeError:
        return object()  # equal to nothing else
    return found


def shared(recipe: Hashable, name: Hashable, make: Callable[[], _Program]) -> _Program:
    """The program of this name of a model, made where it is first needed."""
    programs = _programs(recipe)
    if name not in programs:
        programs[name] = make()
    return programs[name]


def shapes(values: Any) -> Hashable:
    """Shapes and types of a pytree, for which a program is compiled."""
    leaves, structure = jax.tree.flatten(values)
    return structure, tuple((np.shape(leaf), jax.dtypes.result_type(leaf).name) for leaf in leaves)


@lru_cache(maxsize=_KEPT)
def _programs(_recipe: Hashable) -> dict[Hashable, Any]:
    return {}


def _content(leaf: Any) -> Hashable:
    if isinstance(leaf, (np.ndarray, jax.Array)):
        array = np.asarray(leaf)
        return array.shape, array.dtype.str, hashlib.blake2b(array.tobytes()).digest()
    if isinstance(leaf, (list, tuple)):
        return type(leaf), tuple(_content(one) for one in leaf)
    if isinstance(leaf, dict):  # an expanded prior holds one
        return type(leaf), tuple((name, _content(value)) for name, value in leaf.items())
    if isinstance(leaf, (Distribution, Transform, Constraint)):
        return type(leaf), tuple((name, _content(value)) for name, value in sorted(vars(leaf).items()))
    return type(leaf), leaf
