"""Exact posteriors of models with finitely many hypotheses, by enumeration."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import product
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import xarray as xr
from numpyro import handlers

import goalinf as gi
from goalinf.checks import check_choice
from goalinf.inference.model.log_density import Model
from goalinf.inference.model.site_labels import axis_labels
from goalinf.precision import Precision, computing_in
from goalinf.types import Numeric

By = Literal["trajectory", "data"]
_RESIDUAL = 1e-6  # of a planner, relative; above it nothing is exact


def choice(
    name: str,
    values: Sequence[Any] | Mapping[Any, Any],
    weights: Sequence[float | int] | None = None,
    *,
    static: bool = False,
) -> Any:
    """Sample one of finitely many values, in a NumPyro model for :func:`exact`.

    Parameters
    ----------
    name : str
        Name of the site, whose value is the index into ``values``.
    values : sequence or mapping
        Numbers or records of one kind; with ``static`` anything. The keys of a mapping are their names.
    weights : sequence of float, optional
        Prior weights; default: uniform.
    static : bool
        True where the value changes the program, as a flag does, and not only its numbers.

    Returns
    -------
    One of the values.
    """
    shares = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    labels = tuple(values) if isinstance(values, Mapping) or _plain(values) else tuple(range(len(values)))
    options = list(values.values() if isinstance(values, Mapping) else values)
    number = numpyro.sample(name, dist.Categorical(shares / shares.sum()), infer={"labels": labels, "static": static})
    if static:
        return options[int(number)]
    return jax.tree.map(lambda *each: jnp.stack([jnp.asarray(option) for option in each])[number], *options)


def _plain(values: Sequence[object]) -> bool:
    return all(isinstance(value, (bool, int, float, str)) for value in values)


def exact(
    *,
    model: Model,
    data: gi.Trajectories,
    by: By = "trajectory",
    precision: Precision | None = None,
) -> xr.DataArray:
    r"""Compute the posterior after every step by enumerating all values of the sites made by :func:`choice`.

    .. math:: p(h \mid a_{1:t}) \propto p(h) \prod_{k \le t} \pi_h(a_k \mid s_k)

    Parameters
    ----------
    model : callable
        A NumPyro model of the data: sites made by :func:`choice`, and one observed ``gi.Behavior``.
    data : Trajectories
        Observed trajectories.
    by : {"trajectory", "data"}
        ``"trajectory"``: every trajectory has a posterior of its own. ``"data"``: one hypothesis holds for all
        trajectories; then ``trajectory`` has one entry, and a step includes that step of all trajectories.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.

    Returns
    -------
    DataArray
        Probabilities ``(trajectory, step, *sites)``, step 0 being the prior. The coordinate ``evidence (trajectory,
        step)`` is the log marginal likelihood of the actions so far, in nats.

    Raises
    ------
    ValueError
        Where a site has not finitely many values (use ``gi.infer``), or the actions have probability zero under every
        hypothesis.
    ConvergenceError
        Where a planner did not reach its residual.
    """
    check_choice("by", by, get_args(By))
    with computing_in(precision):
        sites = _sites(model, data)
        joint = _joint(model, data, sites, by)
    axes = tuple(range(2, joint.ndim))
    highest = joint.max(axis=axes, keepdims=True)
    if not np.isfinite(highest).all():
        raise ValueError(
            "the actions have probability zero under every hypothesis; expected one under which they are possible"
        )
    weights = np.exp(joint - highest)
    total = weights.sum(axis=axes, keepdims=True)
    n, t = joint.shape[:2]
    return xr.DataArray(
        weights / total,
        dims=("trajectory", "step", *(site.name for site in _enumerated(sites))),
        coords={
            "trajectory": np.arange(n),
            "step": np.arange(t),
            **{site.name: axis_labels(f"values of {site.name}", site.labels) for site in sites},
            "evidence": (("trajectory", "step"), (highest + np.log(total)).reshape(n, t)),
        },
        name="probability",
    ).transpose("trajectory", "step", *(site.name for site in sites))


class _Site(NamedTuple):
    """Site made by :func:`choice`; ``static`` where the program differs between its values."""

    name: str
    size: int
    labels: tuple[Hashable, ...]
    static: bool


def _sites(model: Model, data: gi.Trajectories) -> list[_Site]:
    """Find the unobserved sites of a model, in its order; refuse a site that has not finitely many values."""
    sites = []
    for name, site in handlers.trace(handlers.seed(model, jax.random.key(0))).get_trace(data).items():
        if site["type"] != "sample" or site["is_observed"]:
            continue
        if "labels" not in site["infer"]:
            raise ValueError(f"site {name!r} is not one of finitely many values (choice): use gi.infer")
        size = site["fn"].probs.shape[-1]
        sites.append(_Site(name, size, site["infer"]["labels"], site["infer"]["static"]))
    return sites


def _enumerated(sites: Sequence[_Site]) -> list[_Site]:
    """Return the sites in the order of the enumeration: static ones first."""
    return sorted(sites, key=lambda site: not site.static)


def _joint(model: Model, data: gi.Trajectories, sites: Sequence[_Site], by: By) -> np.ndarray:
    """Compute the log joint density of values and actions up to every step, ``(trajectory, step, *values)``."""
    static = [site for site in sites if site.static]
    moving = [site for site in sites if not site.static]
    names = [site.name for site in moving]
    grid = np.array(list(product(*(range(site.size) for site in moving))), int).reshape(-1, len(moving))
    tables = []
    for fixed in product(*(range(site.size) for site in static)):
        known = {site.name: value for site, value in zip(static, fixed, strict=True)}
        prior, steps, residual = jax.device_get(jax.jit(jax.vmap(_scored(model, data, known, names)))(grid))
        if not residual.max() <= _RESIDUAL:
            raise gi.errors.ConvergenceError(f"a planner stopped at a relative residual of {residual.max():.1e}")
        steps = steps if by == "trajectory" else steps.sum(axis=1, keepdims=True)
        summed = np.concatenate([np.zeros_like(steps[..., :1]), np.cumsum(steps, axis=-1)], axis=-1)
        tables.append(np.moveaxis(prior[:, None, None] + summed, 0, -1))
    joint = np.stack(tables, axis=2)
    return joint.reshape(*joint.shape[:2], *(site.size for site in _enumerated(sites)))


def _scored(
    model: Model, data: gi.Trajectories, known: dict[str, int], moving: list[str]
) -> Callable[[Numeric], tuple[Numeric, Numeric, Numeric]]:
    """Return a function of the places of moving sites: log prior, log-probability of every step, worst residual."""

    def one(places: Numeric) -> tuple[Numeric, Numeric, Numeric]:
        values = {**known, **{name: places[i] for i, name in enumerate(moving)}}
        seeded = handlers.seed(handlers.substitute(model, data=values), jax.random.key(0))
        prior, steps, residual = jnp.zeros(()), jnp.zeros(data.actions.shape), jnp.zeros(())
        for site in handlers.trace(seeded).get_trace(data).values():
            if site["type"] != "sample":
                continue
            if site["is_observed"]:
                steps = steps + site["fn"].log_prob_by("step", data)
                residual = jnp.maximum(residual, site["fn"].residual)
            else:
                prior = prior + site["fn"].log_prob(site["value"])
        return prior, steps, residual

    return one
