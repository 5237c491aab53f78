"""Comparison of fits by leave-one-out cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from goalinf.checks import random_key
from goalinf.content_hash import content_hash
from goalinf.data import Observations, Trajectories
from goalinf.data.trajectory_arrays import many
from goalinf.inference import _arviz
from goalinf.inference.left_out_fits import REFITTABLE, check_refittable, refitted
from goalinf.inference.results.diagnostics import KHAT
from goalinf.inference.results.fit import Fit
from goalinf.inference.scoring.leave_one_out import LeftOut, check_observations, left_out
from goalinf.types import PRNGKey
from goalinf.worlds import label

_INACCURATE = 0.3  # relative error of the density of a unit above which a table warns


def compare(fits: Mapping[str, Fit], *, unit: str | None = None, refit: int | PRNGKey | None = None) -> pd.DataFrame:
    r"""Compare fits of the same data by leave-one-out cross-validation.

    .. math:: \mathrm{elpd} = \sum_i \log p(y_i \mid y_{-i})

    by Pareto-smoothed importance sampling. The unit i is what a new observation would be: another action in the same
    trajectories (``"step"``), another trajectory of the same subjects, or another subject. Fits of a world and of the
    same world with memory have the same data.

    Where a unit has parameters of its own (:func:`~goalinf.partial_pooling`, :func:`~goalinf.no_pooling` or
    :func:`~goalinf.regression` by subject, and subjects are left out), their posterior has seen its data. Its density
    is then that given the other parameters :math:`\phi`, with its own ones u integrated out at every draw,

    .. math:: p(y_i \mid \phi) = \int p(y_i \mid u, \phi)\,p(u \mid \phi)\,du,

    by importance sampling from the group and from a t distribution close to the posterior of u (at most 500 draws of
    :math:`\phi`). A model of your own whose parameters have an axis ``subject``, or whose scores depend on the
    numbers of subjects, is refused.

    Where each trajectory, each subject, or all of the data are one of several agents (``gi.one_of``,
    ``gi.agents.mixture``), the density of a unit is given all others: the other choices of a subject say which agent
    the subject is. With hidden modes, habits or learning, the density of a choice (``"step"``) is given the earlier
    choices of its trajectory.

    Parameters
    ----------
    fits : mapping from name to Fit
        At least two.
    unit : str, optional
        Unit that is left out: for trajectories ``"step"``, ``"trajectory"`` (the default) or ``"subject"``.
    refit : int or jax.random key, optional
        A seed, or a source of randomness. Every unit with Pareto k above 0.7 is scored by a fit of all others, with as
        many chains and draws. The density of the unit is the ratio of the normalizing constants of the two
        posteriors, by bridge sampling between their draws. Not for steps. Default: no fit is made, and the table warns.

    Returns
    -------
    DataFrame
        One row per fit, best first:

        - ``rank``: 0 for the best;
        - ``elpd``: expected log predictive density, in nats, and ``se``, its standard error;
        - ``p``: effective number of parameters;
        - ``elpd_diff``: elpd minus that of the best, at most 0, and ``dse``, its standard error;
        - ``weight``: stacking weight;
        - ``max_k``, ``bad_k``: largest Pareto k and the number of units with k above 0.7. A unit has a large k where
          the posterior without it differs so much from the posterior of all data that few draws represent it. Units
          that were scored by a fit of the others do not count, and ``refits`` is their number;
        - ``warning``: in words, where the estimate cannot be relied on, or where the draws of a fit are an
          approximation and those of another fit are made by another algorithm; else empty.

    Raises
    ------
    ValueError
        Where there are fewer than two fits, their data differ or are not trajectories, there is a single unit, or a
        model of your own was loaded from a file and steps are asked for, or smaller units than those that are one of
        several agents each; where subjects are left out and their parameters cannot be integrated out; or where
        ``refit`` is given and the model is your own, the draws are an approximation, or the unit is a step.

    References
    ----------
    Vehtari, Gelman and Gabry (2017); Vehtari et al. (2024), "Pareto smoothed importance sampling"; Yao et al. (2018)
    for the weights; Merkle, Furr and Rabe-Hesketh (2019) for subjects with parameters of their own.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), reward, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> agents = {"soft": gi.agents.soft_optimal(beta=2.0), "hard": gi.agents.boltzmann(beta=2.0)}
    >>> fits = {
    ...     name: gi.infer(jax.random.key(1), hall, agent=agent, reward=prior, data=data, draws=100)
    ...     for name, agent in agents.items()
    ... }
    >>> sorted(gi.compare(fits).index)
    ['hard', 'soft']
    """
    if not isinstance(fits, Mapping):
        raise TypeError(
            f"fits is a {type(fits).__name__}; expected a mapping such as {{'tabular': fit, 'linear': other}}"
        )
    if len(fits) < 2:
        raise ValueError(f"{len(fits)} fit{'s' * (len(fits) != 1)} cannot be compared: give two or more, by name")
    for name, fit in fits.items():
        if not isinstance(fit, Fit):
            raise TypeError(f"{name!r} is a {type(fit).__name__}; expected a fit, as gi.infer or gi.load return it")
        check_observations(fit, f"the fit {name!r}")
    reference_name, *other_names = fits
    for name in other_names:
        data, reference = fits[name].data, fits[reference_name].data
        equal_numbers = type(data) is type(reference) and _fingerprint(data) == _fingerprint(reference)
        if not equal_numbers or not _same_names(data, reference):
            reference_size, data_size = _sizes_in_words(reference), _sizes_in_words(data)
            difference = "names of contexts" if equal_numbers else f"states or {data.noun}s"
            sizes = f"{reference_size}, and {data_size}"
            if reference_size == data_size:
                sizes = f"both are {data_size}, with other {difference}"
            raise ValueError(
                f"the fits {reference_name!r} and {name!r} are of different data ({sizes}): fit both to the same data"
            )
    unit = fits[reference_name].data.unit if unit is None else unit
    further = {name: _Refits(0, "") for name in fits}
    if refit is not None:
        key = random_key(refit, "refit")
        for name, fit in fits.items():
            check_refittable(fit, name, unit)
    left = {name: left_out(fit, unit) for name, fit in fits.items()}
    if refit is not None:
        further = {name: _refit(key, fits[name], unit, one) for name, one in left.items()}
    loos = {name: one.result for name, one in left.items()}
    weights = _arviz.weights(loos)
    best = max(loos, key=lambda name: float(loos[name].elpd_i.sum()))
    notes = {name: [left[name].warning, further[name].warning, note] for name, note in _approximations(fits).items()}
    rows = {name: _row(result, loos[best], unit, notes[name]) for name, result in loos.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.insert(4, "weight", weights.reindex(table.index))
    table = table.sort_values("elpd", ascending=False, kind="stable")
    table.insert(0, "rank", np.arange(len(table)))
    if refit is not None:
        table.insert(table.columns.get_loc("warning"), "refits", [further[name].fits for name in table.index])
    return table


class _Refits(NamedTuple):
    """Number of further fits of one model, and a warning where some did not converge."""

    fits: int
    warning: str


def _refit(key: PRNGKey, fit: Fit, unit: str, left: LeftOut) -> _Refits:
    """Replace the scores of units with large Pareto k by those of fits of all other units, in place."""
    result = left.result
    items = np.nonzero(result.pareto_k.values > KHAT)[0]
    if not len(items):
        return _Refits(0, "")
    exact = refitted(key, fit, unit, items, left.scores[..., items])
    before = float(result.elpd_i.sum())
    result.elpd_i[items], result.pareto_k[items] = exact.log_density, 0.0
    result.p = float(result.p) + before - float(result.elpd_i.sum())  # the difference from the density of all data
    warnings, many_fits = [], many(len(items), "further fit")
    if failed := int((~exact.converged).sum()):
        warnings.append(f"{failed} of {many_fits} did NOT converge")
    if inaccurate := int((exact.error > _INACCURATE).sum()):
        worst = f"{exact.error.max():.2g}"
        warnings.append(
            f"the density by {inaccurate} of {many_fits} has a relative Monte Carlo error up to {worst}: draw more"
        )
    return _Refits(len(items), "; ".join(warnings))


def _sizes_in_words(data: Observations) -> str:
    """Return the sizes of a data set in words."""
    subjects, contexts = len(data.names("subject")), len(data.context_names)
    counts = ((data.n_observed, data.noun), (subjects, "subject"), (contexts, "context"))
    return f"{many(len(data.subject), data.unit)} with {', '.join(many(*count) for count in counts)}"


def _approximations(fits: Mapping[str, Fit]) -> dict[str, str]:
    """Return for every fit a warning where its draws are an approximation and those of another fit are not."""
    methods = {name: fit.tree.attrs["algorithm"] for name, fit in fits.items()}
    contrasts = {
        name: ", ".join(f"{other!r} by {methods[other]}" for other in methods if methods[other] != methods[name])
        for name in methods
    }
    return {
        name: f"draws of an approximation ({method}), those of {contrasts[name]}: elpd_diff contains the error of the "
        "approximation; sample all fits by Markov chains"
        if fits[name].kind == "approximation" and contrasts[name]
        else ""
        for name, method in methods.items()
    }


def _row(result: _arviz.LOO, best: _arviz.LOO, unit: str, notes: list[str]) -> dict[str, Any]:
    elpd, k = result.elpd_i.values, result.pareto_k.values
    difference = elpd - best.elpd_i.values
    n_bad = int((k > KHAT).sum())
    again = "fit the others again (refit=), " if unit in REFITTABLE else ""
    words = (
        f"{n_bad} of {many(len(k), unit)} have Pareto k above {KHAT}: without one of them the posterior differs so "
        "much from the posterior of all data that its draws do not represent it, and the elpd is too high or too low; "
        f"{again}leave out smaller units, or fit folds of the data (gi.workflow.kfold)"
    )
    return {
        "elpd": elpd.sum(),
        "p": float(result.p),
        "elpd_diff": difference.sum(),
        "se": _arviz.standard_error(elpd),
        "dse": _arviz.standard_error(difference),
        "max_k": k.max(),
        "bad_k": n_bad,
        "warning": "; ".join(part for part in (words if n_bad else "", *notes) if part),
    }


def _fingerprint(data: Observations) -> str:
    """Return a hash of the numbers; states of worlds with memory count as the node that they contain.

    Contexts are numbered by where they occur first: data that are read again may number them in another order.
    """
    arrays = {name: np.asarray(values) for name, (_, values) in data.arrays().items()}
    arrays["context"] = pd.factorize(arrays["context"])[0]
    if isinstance(data, Trajectories):
        arrays["states"] = _without_memory(data)
    return content_hash(arrays)


def _without_memory(data: Trajectories) -> np.ndarray:
    """Return the states; those of worlds with memory as the node that they contain."""
    states = np.array(data.states)
    worlds = data.labels.worlds if data.labels is not None else ()
    for number, world in enumerate(worlds):
        in_world = np.asarray(data.context)[:, None] == number
        while world.memory is not None:
            states = np.where(
                in_world & (states >= 0), world.memory.pairs[np.maximum(states, 0) % world.n_states, 1], states
            )
            world = world.memory.base
    return states


def _same_names(first: Observations, second: Observations) -> bool:
    """Return True where every unit has the same context in both, or contexts have no names."""
    if first.named_contexts is None or second.named_contexts is None:
        return True
    named = [[label(data.context_names[number]) for number in data.context] for data in (first, second)]
    return named[0] == named[1]
