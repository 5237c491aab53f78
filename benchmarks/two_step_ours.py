"""The goalinf side of T4, with the functions of `two_step_naive.py`."""

from __future__ import annotations

import jax
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions.transforms import SigmoidTransform
from two_step import COMMON, PARAMETERS, TwoStepTask

import goalinf as gi

CHAINS = 4


def problem(task: TwoStepTask) -> dict:
    """World, agent, reward and data as `gi.infer` takes them: two steps a trial, rewards recorded with the second."""
    P = np.zeros((3, 2, 3))
    P[0, :, 1:] = [[COMMON, 1 - COMMON], [1 - COMMON, COMMON]]
    P[1:, :, 0] = 1.0
    n, trials = task.first.shape
    states = np.zeros((n, 2 * trials + 1), int)
    states[:, 1::2] = 1 + task.second_state
    actions = np.stack([task.first, task.second], axis=2).reshape(n, -1)
    outcomes = np.stack([np.full(task.first.shape, np.nan), task.reward], axis=2).reshape(n, -1)
    data = gi.Trajectories.of(states, actions, lengths=np.full(n, 2 * trials), subject=np.arange(n), outcomes=outcomes)
    agent = gi.agents.two_step(**{name: pooled(*settings) for name, settings in PARAMETERS.items()})
    world = gi.from_arrays(P, discount=1.0, initial=np.eye(3)[0])
    return {"world": world, "agent": agent, "reward": gi.RecordedReward(), "data": data}


def pooled(scale: str, center: float, sd: float, spread: float):
    """Partial pooling on the scale of the naive model."""
    priors = {
        "logit": lambda: dist.TransformedDistribution(dist.Normal(center, sd), SigmoidTransform()),
        "log": lambda: dist.LogNormal(center, sd),
        "real": lambda: dist.Normal(center, sd),
    }
    return gi.partial_pooling(priors[scale](), by="subject", spread=dist.HalfNormal(spread))


def gradient(task: TwoStepTask):
    """A function of theta: log density and gradient, of the density that samplers see (not a public function)."""
    from goalinf.inference.model.build import posterior_of
    from goalinf.inference.model.models import StandardModel

    given = problem(task)
    with jax.enable_x64(True):
        parameterization = posterior_of(StandardModel(given["world"], given["agent"], given["reward"]), given["data"])
        density, data = parameterization.uninformed_preferred.density, parameterization.uninformed_preferred.data
        program = jax.jit(jax.value_and_grad(density.potential))

    def call(theta):
        with jax.enable_x64(True):
            return program(theta, data)

    return call


def sampler(task: TwoStepTask):
    """A function (seed, warmup, draws): theta (chains, draws, P) on natural scales, and facts about it."""
    given = problem(task)

    def run(seed: int, warmup: int | None, draws: int) -> tuple[np.ndarray, dict]:
        length = {} if warmup is None else {"warmup": warmup}
        fit = gi.infer(jax.random.key(seed), **given, chains=CHAINS, draws=draws, **length)
        columns = []
        for name in PARAMETERS:
            found = [fit.posterior[f"agent.{name}{end}"] for end in (".mean", ".sd", "")]
            columns += [x.transpose("chain", "draw", ...).values.reshape(*x.shape[:2], -1) for x in found]
        return np.concatenate(columns, axis=2), {"facts": fit.tree.attrs["algorithm"]}

    return run
