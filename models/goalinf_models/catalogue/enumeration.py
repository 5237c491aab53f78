"""Variants of the models of the catalogue, and exact posteriors of models with finitely many hypotheses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import xarray as xr
from numpyro import handlers

import goalinf as gi
from goalinf.inference.model.site_labels import axis_labels
from goalinf.precision import Precision, computing_in

_RESIDUAL = 1e-6  # of a planner, relative; above it nothing is exact


class Variant(NamedTuple):
    """Variant of a model.

    Parameters
    ----------
    by : callable
        Function that takes the keyword arguments that ``model`` returns: ``gi.infer`` (after a random key),
        :func:`exact`, or another function that the module names.
    sites : tuple of str
        Sites that have a posterior.
    question : str
        Question that its posterior answers.
    """

    by: Callable[..., Any]
    sites: tuple[str, ...]
    question: str


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
    place = numpyro.sample(name, dist.Categorical(shares / shares.sum()), infer={"labels": labels, "static": static})
    if static:
        return options[int(place)]
    return jax.tree.map(lambda *each: jnp.stack([jnp.asarray(one) for one in each])[place], *options)


def _plain(values: Sequence[Any]) -> bool:
    return all(isinstance(value, (bool, int, float, str)) for value in values)


def exact(
    *,
    model: Callable[[Any], Any],
    data: gi.Trajectories,
    by: Literal["trajectory", "data"] = "trajectory",
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
    if by not in ("trajectory", "data"):
        raise ValueError(f"by is {by!r}; expected 'trajectory' or 'data'")
    with computing_in(precision):
        trace = handlers.trace(handlers.seed(model, jax.random.key(0))).get_trace(data)
        sites = {k: v for k, v in trace.items() if v["type"] == "sample" and not v["is_observed"]}
        for name, site in sites.items():
            if "labels" not in site["infer"]:
                raise ValueError(f"site {name!r} is not one of finitely many values (choice): use gi.infer")
        sizes = {name: site["fn"].probs.shape[-1] for name, site in sites.items()}
        static = [name for name in sites if sites[name]["infer"]["static"]]
        moving = [name for name in sites if name not in static]
        grid = np.array(list(product(*(range(sizes[name]) for name in moving))), int).reshape(-1, len(moving))
        tables = []
        for fixed in product(*(range(sizes[name]) for name in static)):
            known = dict(zip(static, fixed, strict=True))
            prior, steps, residual = jax.device_get(jax.jit(jax.vmap(_scored(model, data, known, moving)))(grid))
            if not residual.max() <= _RESIDUAL:
                raise gi.errors.ConvergenceError(f"a planner stopped at a relative residual of {residual.max():.1e}")
            steps = steps if by == "trajectory" else steps.sum(axis=1, keepdims=True)
            summed = np.concatenate([np.zeros_like(steps[..., :1]), np.cumsum(steps, axis=-1)], axis=-1)
            tables.append(np.moveaxis(prior[:, None, None] + summed, 0, -1))
    n, t = (data.n_trajectories if by == "trajectory" else 1), data.max_steps
    own = (*(sizes[name] for name in static), *(sizes[name] for name in moving))
    joint = np.stack(tables, axis=2).reshape(n, t + 1, *own)
    axes = tuple(range(2, joint.ndim))
    highest = joint.max(axis=axes, keepdims=True)
    if not np.isfinite(highest).all():
        raise ValueError(
            "the actions have probability zero under every hypothesis; expected one under which they are possible"
        )
    weights = np.exp(joint - highest)
    total = weights.sum(axis=axes, keepdims=True)
    names = (*static, *moving)
    labels = {name: sites[name]["infer"]["labels"] for name in names}
    evidence = (highest + np.log(total)).reshape(n, t + 1)
    return xr.DataArray(
        weights / total,
        dims=("trajectory", "step", *names),
        coords={
            "trajectory": np.arange(n),
            "step": np.arange(t + 1),
            **{name: axis_labels(f"values of {name}", values) for name, values in labels.items()},
            "evidence": (("trajectory", "step"), evidence),
        },
        name="probability",
    ).transpose("trajectory", "step", *sites)


def _scored(model: Callable[[Any], Any], data: gi.Trajectories, known: dict[str, int], moving: list[str]) -> Any:
    """Places of the moving sites -> log prior, log-probability of every step, worst residual."""

    def one(places: Any) -> Any:
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
