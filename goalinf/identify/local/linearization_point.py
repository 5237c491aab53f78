"""Linearization point of a prior: one typical agent and one generic reward for which planning succeeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
from numpyro.distributions import Distribution

from goalinf.agents import SingleAgent
from goalinf.inference.model.priors import median
from goalinf.precision import computing_in
from goalinf.rewards import LinearReward, Reward, base_of
from goalinf.worlds import World

_SEED, _TRIES = 0, 8


def typical_agent(agent: SingleAgent) -> SingleAgent:
    """Return the agent with every prior replaced by its median."""
    priors = {name: value for name, value in agent.parameters.items() if isinstance(value, Distribution)}
    return agent.at(**{name: median(prior) for name, prior in priors.items()}) if priors else agent


def reward_priors(reward: Reward) -> tuple[str, ...]:
    """Return the names of the parameters of the reward that are priors."""
    base = base_of(reward)
    return tuple(name for name in base.parameters if isinstance(getattr(base, name), Distribution))


def generic_rewards(reward: Reward, world: World, beta: float) -> Iterator[Any]:
    """Yield known rewards as linearization points, in the order in which to try them until planning succeeds.

    A known reward is used as it is, unless it is zero everywhere, a special point. Priors are replaced by draws with a
    fixed seed, and zeros by standard normal draws. Undiscounted planning may fail for such draws; then the same draws
    follow with a cost for every step with which planning succeeds, if the reward has values to which it can be added.
    """
    base = base_of(reward)
    priors = reward_priors(reward)
    zero = not priors and all(not np.any(getattr(base, name)) for name in base.parameters)
    if not priors and not zero:
        yield reward
        return
    replaced = priors or base.parameters
    draws = [_draw_values(base, replaced, world, seed) for seed in range(_SEED, _SEED + _TRIES)]
    yield from (_filled(reward, values) for values in draws)
    if replaced == ("values",):
        cost = np.log(world.n_actions) / max(beta, 1e-12) + 1.0
        yield from (_filled(reward, {"values": values["values"] - values["values"].max() - cost}) for values in draws)


def _draw_values(base: Reward, names: tuple[str, ...], world: World, seed: int) -> dict[str, np.ndarray]:
    sizes: Mapping[str, int] = {
        "state": world.n_states,
        "action": world.n_actions,
        "successor": world.mdp.successors.shape[2],
        "feature": base.features.shape[-1] if isinstance(base, LinearReward) else 0,
    }
    values = {}
    with computing_in("float64"):
        for key, name in zip(jax.random.split(jax.random.key(seed), len(names)), names, strict=True):
            shape, prior = tuple(sizes[axis] for axis in base.dims[name]), getattr(base, name)
            if not isinstance(prior, Distribution):
                values[name] = np.asarray(jax.random.normal(key, shape))
            else:
                scalar = prior.shape() == ()
                values[name] = np.asarray(prior.sample(key, shape if scalar else ()), float)
    return values


def _filled(reward: Reward, values: Mapping[str, np.ndarray]) -> Any:
    names = list(values)
    return eqx.tree_at(
        lambda r: [getattr(base_of(r), name) for name in names],
        reward,
        list(values.values()),
        is_leaf=lambda leaf: isinstance(leaf, Distribution),
    )
