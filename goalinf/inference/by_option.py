"""Log-likelihoods of further data by draw of a fit and by option of its mixture.

Every behavior of a model has scores of every trajectory under every option. A single agent is one option.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax

from goalinf.agents.plannable import check_plannable
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.data import Observations, Trajectories
from goalinf.data.align import aligned, new_names
from goalinf.inference.model.log_density import Density, Model
from goalinf.inference.model.models import CustomModel, Draw, StandardModel
from goalinf.inference.model.program_cache import mapped, recipe, shapes, shared
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_density import fitted_density

Draws = Mapping[str, np.ndarray]
Scores = list[tuple[np.ndarray, np.ndarray]]  # of every behavior, log weights (D, K) and log-likelihoods (D, K, N)


def options_of_agent(
    fit: Fit,
    values: Draws,
    data: Observations,
    world: Worlds | None = None,
    reward: Rewards | None = None,
    *,
    unit: str | None = None,
) -> tuple[list[str], Scores]:
    """Score the fitted agent in these worlds and with these rewards; default: worlds and rewards of the fit."""
    item = unit or data.unit
    fitted = fit.standard("agent")
    model = StandardModel(
        fitted.world if world is None else world, fitted.agent, fitted.reward if reward is None else reward
    )
    contexts = data.context_names
    data.check(Conditions.of(model.world, model.reward, contexts).worlds, model.agent)
    sites = model.sites(contexts)
    _check_drawn({site.name: site.prior.shape() for site in sites}, values)
    draws = {site.name: values[site.name] for site in sites}
    agent, known_reward = model.filled({name: found[0] for name, found in draws.items()})
    for one_world, one_reward in Conditions.of(model.world, known_reward, contexts).distinct.pairs():
        check_plannable(agent, one_world, one_reward)
    own, bare = model.own_arrays(), data.unlabeled()

    def options(draw: Draw, seen: Observations) -> Any:
        return own.behavior(draw, contexts).by_option(item, seen)

    by: list[str] = [model.agent.by or data.unit]
    if not draws:
        log_weights, found = jax.device_get(options({}, bare))
        return by, [(log_weights[None], found[None])]
    made_of = recipe(*own.contents(), contexts, jnp.result_type(float).name, shapes(bare))
    program = shared(made_of, ("options", item), lambda: mapped(options))
    return by, [jax.device_get(program(draws, (bare,)))]


def options_of_own_model(
    fit: Fit, values: Draws, data: Observations, model: Model | None, new: list[Hashable]
) -> tuple[list[str], Scores, list[np.ndarray | None]]:
    """Score every behavior in a user's own model, with log posterior probabilities of its options by unit."""
    if not isinstance(data, Trajectories):
        raise TypeError(f"a model of your own is scored on trajectories; found {type(data).__name__}")
    subjects, contexts = fit.data.subject_names, fit.data.context_names
    others = new_names("context", data.context_names, contexts)
    seen = aligned(data, (*subjects, *new), (*contexts, *others))
    if model is None:
        density = fitted_density(fit)
        density.check(seen)
    else:
        density = Density.of(model, seen, jax.random.key(0))
    _check_drawn({name: np.shape(start) for name, start in density.sites(seen).items()}, values)
    units = density.units({name: found[0] for name, found in values.items()}, seen)
    by = [one or data.unit for one in units]  # one agent is one option
    if not by:
        raise ValueError(
            "this model has no site that goalinf can score: give it an observed site that is a gi.Behavior"
        )
    options = partial(density.options, unit=data.unit)
    scores = density.over_draws("options", options, values, seen)
    if new and len(subjects) > 1:
        swapped = density.over_draws("options", options, values, aligned(data, (*new, *subjects), (*contexts, *others)))
        _check_new_subjects(data, new, scores, swapped)
    known: list[np.ndarray | None] = [None] * len(by)
    if any(one != data.unit for one in by):
        known_function = isinstance(fit.model, CustomModel) and fit.model.function is not None
        fitted = fitted_density(fit) if known_function else density
        before = fitted.over_draws("options", partial(fitted.options, unit=data.unit), values, fit.data.unlabeled())
        known = [_members(one, *found, data=fit.data) for one, found in zip(by, before, strict=True)]
    return by, scores, known


def _check_drawn(needed: Mapping[str, tuple[int, ...]], values: Draws) -> None:
    """Check that the fit has draws of every parameter of a model, in its shape."""
    for name, shape in needed.items():
        if name not in values or values[name].shape[1:] != shape:
            found = f"of shape {values[name].shape[1:]}" if name in values else "none"
            raise ValueError(
                f"these data need draws of {name} of shape {shape}, and the fit has {found}: held-out data are scored "
                f"with the draws of the fit, which are {', '.join(values)}"
            )


def _check_new_subjects(data: Trajectories, new: list[Hashable], scores: Scores, swapped: Scores) -> None:
    """Refuse subjects that were not fitted where their scores depend on the number of the subject."""
    names = [data.subject_names[number] for number in np.asarray(data.subject)]
    is_new = np.array([name in new for name in names])
    for (_, one), (_, other) in zip(scores, swapped, strict=True):
        if not np.allclose(one[..., is_new], other[..., is_new], equal_nan=True):
            raise ValueError(
                f"subject {new[0]!r} was not fitted, and the model indexes parameters by data.subject: this subject "
                "has none. Score subjects of the fit, or give model= a model that defines a distribution for a new "
                "subject"
            )


def _members(by: str, log_weights: np.ndarray, scores: np.ndarray, *, data: Observations) -> np.ndarray | None:
    """Return log posterior probabilities ``(D, G, K)`` of the options of every unit; None where all units are new.

    Parameters
    ----------
    by : str
        Unit of the mixture.
    log_weights : float (D, K)
        Log prior probabilities.
    scores : float (D, K, N)
        Log-likelihoods of the data of the fit.
    data : Observations
        Data of the fit.
    """
    if by == data.unit:
        return None
    units = np.asarray(data.members(by))
    joint = np.stack([scores[..., units == unit].sum(-1) for unit in range(units.max() + 1)], axis=1)
    return log_softmax(joint + log_weights[:, None], axis=2)
