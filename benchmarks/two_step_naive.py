"""The naive side of T4: one scan over the trials, partial pooling non-centered by hand, NUTS with the defaults."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from nuts import nuts
from two_step import COMMON, PARAMETERS, TwoStepTask

NATURAL = {"logit": jax.nn.sigmoid, "log": jnp.exp, "real": lambda x: x}


def log_likelihood(task: TwoStepTask):
    """A function of the parameters of all subjects, ``{name: (N,)}``."""
    columns = tuple(map(jnp.asarray, (task.first, task.second_state, task.second, task.reward.astype(float))))

    def one(p, *trials):
        def trial(carry, now):
            value_2, value_1, last = carry
            first, state, second, reward = now
            best = value_2.max(axis=-1)
            planned = COMMON * best + (1 - COMMON) * best[::-1]
            mixed = p["model_based"] * planned + (1 - p["model_based"]) * value_1
            utility = p["beta_1"] * (mixed + p["repetition"] * (jnp.arange(2) == last))
            score = jax.nn.log_softmax(utility)[first] + jax.nn.log_softmax(p["beta_2"] * value_2[state])[second]
            before = value_2[state, second]
            change = before - value_1[first] + p["eligibility"] * (reward - before)
            value_1 = value_1.at[first].add(p["learning_rate_1"] * change)
            value_2 = value_2.at[state, second].add(p["learning_rate_2"] * (reward - before))
            return (value_2, value_1, first), score

        start = jnp.zeros((2, 2)), jnp.zeros(2), -1
        return jax.lax.scan(trial, start, trials)[1].sum()

    return lambda parameters: jax.vmap(one)(parameters, *columns).sum()


def gradient(task: TwoStepTask):
    """A function of theta: log density and gradient."""
    likelihood, size = log_likelihood(task), len(task.first) + 2

    def density(theta):
        total, parameters = 0.0, {}
        for number, (name, (scale, center, sd, spread_sd)) in enumerate(PARAMETERS.items()):
            mean, log_spread, *_ = own = theta[number * size : (number + 1) * size]
            spread = jnp.exp(log_spread)
            parameters[name] = NATURAL[scale](mean + spread * own[2:])
            total += dist.Normal(center, sd).log_prob(mean) + dist.HalfNormal(spread_sd).log_prob(spread) + log_spread
            total += dist.Normal().log_prob(own[2:]).sum()
        return total + likelihood(parameters)

    return jax.jit(jax.value_and_grad(density))


def sampler(task: TwoStepTask):
    """A function (seed, warmup, draws): theta (chains, draws, P) on natural scales, and facts about it."""
    likelihood, n = log_likelihood(task), len(task.first)

    def model():
        parameters = {}
        for name, (scale, center, sd, spread_sd) in PARAMETERS.items():
            mean = numpyro.sample(f"{name}.location", dist.Normal(center, sd))
            spread = numpyro.sample(f"{name}.sd", dist.HalfNormal(spread_sd))
            difference = numpyro.sample(f"{name}.difference", dist.Normal().expand([n]).to_event(1))
            parameters[name] = numpyro.deterministic(name, NATURAL[scale](mean + spread * difference))
            numpyro.deterministic(f"{name}.mean", NATURAL[scale](mean))
        numpyro.factor("choices", likelihood(parameters))

    def run(seed: int, warmup: int | None, draws: int) -> tuple[np.ndarray, dict]:
        found, facts = nuts(model, seed, warmup, draws)
        return joined(found), facts

    return run


def joined(found: dict) -> np.ndarray:
    """Means, spreads and values of all subjects, (chains, draws, P)."""
    columns = []
    for name in PARAMETERS:
        columns += [np.asarray(found[f"{name}.{end}"])[..., None] for end in ("mean", "sd")]
        columns.append(np.asarray(found[name]))
    return np.concatenate(columns, axis=2)
