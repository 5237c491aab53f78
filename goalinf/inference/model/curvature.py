r"""Second derivatives of a potential, also of one with units that are independent given shared coordinates.

With coordinates :math:`x_0` that all units share and coordinates :math:`x_u` of each unit, the potential is
:math:`\sum_u f_u(x_0, x_u)`, so that the Hessian between two units is zero. One Hessian-vector product per shared
coordinate, and one per coordinate of a unit for all units at once, determine the others (Coleman and Moré 1984).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from goalinf.inference.model.priors import Site
from goalinf.types import Numeric

SHARED = -1  # owner of a coordinate that belongs to no unit
_BATCH = 16  # products that are computed at a time: all would exceed the memory
_ANY_UNIT = (None, "trajectory")  # units of a mixture that are parts of every level


def owners(sites: Sequence[Site], names: Mapping[str, str], by: str | None, numbers: Mapping[str, Any]) -> Any:
    """Return the number of the unit that owns each coordinate, (D,), -1 for shared ones; None without such units.

    Parameters
    ----------
    sites : sequence of Site
        Sites of the model.
    names : mapping from site to name
        Names of the sampled sites in this parameterization.
    by : str or None
        Unit of the agent's mixture: the trajectories of such a unit are not independent.
    numbers : mapping from name to int array
        Numbers of the coordinates of every sampled site.
    """
    kinds = {unit for site in sites for unit in site.by} if by in _ANY_UNIT else {by}
    best = None
    for kind in sorted(kinds - {None}):
        owner = np.full(sum(np.size(each) for each in numbers.values()), SHARED)
        for site in sites:
            name = names.get(site.name, site.name)
            if name not in numbers or (axes := _axes(site)) is None or kind not in axes[0]:
                continue
            units, shape = axes
            of_site = np.asarray(numbers[name]).astype(int)
            level = np.indices(shape)[units.index(kind)].ravel()
            by_level = of_site.reshape(level.size, -1)
            owner[by_level] = level[:, None]
        if (owner > 0).any() and (best is None or (owner >= 0).sum() > (best >= 0).sum()):
            best = owner
    return best


def _axes(site: Site) -> tuple[tuple[str, ...], tuple[int, ...]] | None:
    """Return the first axes of a site, those of levels, and their sizes; None without levels."""
    if site.hierarchy is not None:
        design = site.hierarchy.design
        shape = design.shape if site.hierarchy.sampled else design.unit_shape
        return design.axes[: len(shape)], shape
    return (site.by, site.prior.shape()[: len(site.by)]) if site.by else None


def second_order(potential: Callable[..., Any], owner: Int[np.ndarray, " D"] | None) -> Callable[..., Any]:
    """Return a function of a point and the data: value, gradient and Hessian of a potential."""
    if owner is None:
        return _dense(potential)
    color, pairs = colors(owner)
    seeds = (np.arange(color.max() + 1)[:, None] == color).astype(float)
    shared = np.flatnonzero(owner == SHARED)

    def derivatives(flat: Numeric, data: Any) -> tuple[Any, Any, Array]:
        def gradient(at: Numeric) -> tuple[Any, tuple[Any, Any]]:
            value, slope = jax.value_and_grad(potential)(at, data)
            return slope, (value, slope)

        flat = jnp.asarray(flat)
        _, push, (value, slope) = jax.linearize(gradient, flat, has_aux=True)
        products = jax.lax.map(push, jnp.asarray(seeds, flat.dtype), batch_size=_BATCH)
        return value, slope, _assembled(products, color, shared, pairs)

    return derivatives


def colors(owner: Int[np.ndarray, " D"]) -> tuple[Int[np.ndarray, " D"], Int[np.ndarray, "2 P"]]:
    """Return the number of the product with each coordinate, and all pairs of coordinates of one unit."""
    color, pairs = np.empty(owner.size, int), [np.empty((2, 0), int)]
    shared = owner == SHARED
    color[shared] = np.arange(shared.sum())
    for unit in np.unique(owner[~shared]):
        own = np.flatnonzero(owner == unit)
        color[own] = shared.sum() + np.arange(own.size)
        pairs.append(np.stack([grid.ravel() for grid in np.meshgrid(own, own)]))
    return color, np.concatenate(pairs, axis=1)


def _assembled(products: Float[Array, "C D"], color: np.ndarray, shared: np.ndarray, pairs: np.ndarray) -> Array:
    size = products.shape[1]
    rows, columns = pairs
    hessian = jnp.zeros((size, size), products.dtype).at[rows, columns].set(products[color[columns], rows])
    return hessian.at[shared].set(products[color[shared]]).at[:, shared].set(products[color[shared]].T)


def _dense(potential: Callable[..., Any]) -> Callable[..., Any]:
    def gradient(flat: Numeric, data: Any) -> tuple[Any, tuple[Any, Any]]:
        value, slope = jax.value_and_grad(potential)(flat, data)
        return slope, (value, slope)

    def derivatives(flat: Numeric, data: Any) -> tuple[Any, Any, Any]:
        curvature, (value, slope) = jax.jacfwd(gradient, has_aux=True)(flat, data)
        return value, slope, curvature

    return derivatives
