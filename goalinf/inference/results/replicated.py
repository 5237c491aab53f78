"""Replicated data, drawn from the posterior predictive distribution of a fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from goalinf.agents.plannable import check_solved
from goalinf.agents.policy import Policy
from goalinf.behavior import replicate
from goalinf.behavior.levels import Levels
from goalinf.behavior.simulation import options_of_units
from goalinf.data import Observations, Trajectories
from goalinf.data.covariates import replicated_labels
from goalinf.data.labels import provenance
from goalinf.inference.model.models import StandardModel
from goalinf.inference.model.program_cache import recipe, shared
from goalinf.precision import Precision, computing_in


def replicated_at(
    key: Array,
    model: StandardModel,
    draw: Mapping[str, np.ndarray],
    data: Observations,
    option: np.ndarray | None,
    precision: Precision,
) -> Observations:
    """Draw replicated data at one draw of the parameters.

    ``option`` is the number of the option of each trajectory (or other unit) in a mixture.

    Raises
    ------
    ValueError
        Where the probability of slips that data do not record has a value per subject or context.
    ConvergenceError, PrecisionError
        Where the planner fails.
    """
    levels = model.levels(data)
    if levels is None:
        return replicate(key, model.world, *model.filled(draw), data, option=option, precision=precision)
    contexts = data.context_names
    with computing_in(precision):
        behavior = model.behavior(draw, contexts, levels)
        levels.check_slips(behavior.agent)
        policies = _policies(model, levels, draw, contexts, precision)
        worlds, rewards = behavior.conditions.worlds, behavior.conditions.rewards
        for actor, policy in zip(behavior.agent.components, policies, strict=True):
            check_solved(policy.residual, policy.values, precision, actor, worlds)
        if option is None:
            option = options_of_units(key, behavior.agent, data)
        coded = levels.coded(data)
        bare = dataclasses.replace(coded, labels=None, contexts=None) if isinstance(data, Trajectories) else coded
        by_plan = bare.renumbered(levels.number)
        outcome = by_plan.replicated(key, behavior.plans_of(policies), option)
    if not isinstance(data, Trajectories) or not isinstance(outcome, Trajectories):
        return dataclasses.replace(outcome, context=data.context)
    source = provenance(worlds, rewards, len(contexts))
    if any(name.startswith("reward.") for name in levels.by):
        source["rewards"] = ()  # of several subjects: a digest is that of one reward
    return Trajectories.of(
        outcome.states,
        outcome.actions,
        lengths=outcome.lengths,
        observed=outcome.observed,
        subject=data.subject,
        context=data.context,
        labels=replicated_labels(data, **source),
        contexts=data.contexts,
        outcomes=data.outcomes,
        forced=outcome.forced,
    )


def _policies(
    model: StandardModel,
    levels: Levels,
    draw: Mapping[str, np.ndarray],
    contexts: tuple[Any, ...],
    precision: Precision,
) -> tuple[Policy, ...]:
    """Plan the policies of all plans of a draw, by a program that all draws share."""
    copied = model.own_arrays()
    made_of = recipe(*model.contents(), contexts, "policies", precision, levels.arrays)

    def policies(values: Mapping[str, Any]) -> tuple[Policy, ...]:
        return copied.behavior(values, contexts, levels).policies

    program = shared(made_of, "policies", lambda: jax.jit(policies))
    return jax.device_get(program(dict(draw)))
