"""The goalinf side, through its public interface only. The functions are those of `naive.py`."""

from __future__ import annotations

import arviz  # noqa: F401  (imported late by goalinf; imports are not measured on either side)
import jax
import numpy as np
import numpyro.distributions as dist
import tasks
import two_step_ours as two_step  # noqa: F401  (T4)
from scipy import sparse

import goalinf as gi

PRECISION = "float64"
CHAINS = 4
RUNS = 3  # of the sampler, each with a seed of its own


def world_of(task: tasks.Task):
    """The grid, from one sparse matrix per move."""
    rows = np.repeat(np.arange(task.n_states), task.successors.shape[2])
    moves = [
        sparse.csr_array(
            (task.probabilities[:, a].ravel(), (rows, task.successors[:, a].ravel())), shape=(task.n_states,) * 2
        )
        for a in range(task.successors.shape[1])
    ]  # places that a clipped move and a slip share are summed
    return gi.from_arrays(moves, discount=task.discount)


def data_of(task: tasks.Task):
    """The choices; the last states were not seen."""
    return gi.Trajectories.of(np.pad(task.states, ((0, 0), (0, 1)), constant_values=-1), task.actions)


def reward_of(task: tasks.Task, weights):
    """State rewards where every cell has its own feature, a weighted sum of features otherwise."""
    if task.features.shape[0] == task.features.shape[1]:
        return gi.StateReward(weights, on="departure")
    return gi.LinearReward(task.features, weights, on="departure")


def prior_of(task: tasks.Task) -> dict:
    """Agent and reward with their priors: what `gi.infer` and `gi.inference.find_map` are handed."""
    free = task.log_beta_sd is not None
    return {
        "agent": gi.agents.soft_optimal(
            beta=dist.LogNormal(np.log(task.beta), task.log_beta_sd) if free else task.beta
        ),
        "reward": reward_of(task, dist.Normal(0.0, task.weight_sd)),
        "data": data_of(task),
    }


def site_of(task: tasks.Task) -> str:
    """Name of the weights in the results."""
    return "reward.values" if task.features.shape[0] == task.features.shape[1] else "reward.weights"


# -- what is measured -------------------------------------------------------------------------


def gradient(task: tasks.Task):
    """A function of theta: log-likelihood and gradient."""
    world, data = world_of(task), data_of(task)

    def density(theta):
        weights, beta = (theta, task.beta) if task.log_beta_sd is None else (theta[:-1], jax.numpy.exp(theta[-1]))
        return gi.Behavior(world, gi.agents.soft_optimal(beta=beta), reward_of(task, weights)).log_prob(data)

    compiled = jax.jit(jax.value_and_grad(density))

    def call(theta):
        with jax.enable_x64(True):
            return compiled(theta)

    return call


def gradient_warm(task: tasks.Task):
    """The same, planning from where the last call arrived."""
    world, data = world_of(task), data_of(task)

    def density(weights, near):
        behavior = gi.Behavior(world, gi.agents.soft_optimal(beta=task.beta), reward_of(task, weights), near=near)
        return behavior.log_prob(data), behavior.policy

    compiled = jax.jit(jax.value_and_grad(density, has_aux=True))
    with jax.enable_x64(True):
        last = jax.jit(lambda weights: density(weights, None)[1])(np.zeros_like(task.theta()))

    def call(weights):
        nonlocal last
        with jax.enable_x64(True):
            (value, last), slope = compiled(weights, last)
            return value, slope

    return call


def sampler(task: tasks.Task):
    """Whatever `gi.infer` decides. A function (seed, warmup, draws): theta (chains, draws, P), and facts about it."""
    world, prior = world_of(task), prior_of(task)

    def run(seed: int, warmup: int | None, draws: int) -> tuple[np.ndarray, dict]:
        length = {} if warmup is None else {"warmup": warmup}
        fit = gi.infer(jax.random.key(seed), world, **prior, chains=CHAINS, draws=draws, **length)
        theta = fit.posterior[site_of(task)].transpose("chain", "draw", ...).values
        if task.log_beta_sd is not None:
            log_beta = np.log(fit.posterior["agent.beta"].transpose("chain", "draw").values)
            theta = np.concatenate([theta, log_beta[:, :, None]], axis=2)
        return theta, {"facts": f"{fit.divergences} divergences"}

    return run


def auditor(task: tasks.Task):
    """A function without arguments that fits, and one of the fit that audits."""
    world, prior = world_of(task), prior_of(task)
    key = jax.random.key(0)
    return lambda: gi.infer(key, world, **prior, chains=CHAINS, progress=False), lambda fit: gi.audit(fit)


def mode_finder(task: tasks.Task):
    """Posterior mode of the weights, beta known. A function without arguments."""
    world, prior, find_map = world_of(task), prior_of(task), gi.inference.find_map  # the last imports what it needs
    key = jax.random.key(0)
    return lambda: find_map(key, world, **prior).values[site_of(task)].values


fitter = mode_finder


def goal_posterior(task: tasks.GoalTask):
    """A function of the walker, by default the task's: probability of every goal after every step, (N, T + 1, G)."""
    maze = gi.gridworld(task.text, moves=("up", "down", "left", "right"), discount=1.0)
    number = np.array([maze.index((int(row), int(column))) for row, column in task.cells])
    places = {f"goal {i}": tuple(map(int, task.cells[goal])) for i, goal in enumerate(task.goals)}
    goals = gi.goals(maze, places, step_cost=1.0)
    data = gi.Trajectories.of(np.where(task.states >= 0, number[task.states], -1), task.actions, lengths=task.lengths)
    goal_posterior = gi.goal_posterior  # imports what it needs
    own = gi.agents.boltzmann(beta=task.beta)
    return lambda walker=own: goal_posterior(maze, walker, goals, data).values


def walkers(task: tasks.GoalTask, n: int) -> list:
    """Agents that differ a little."""
    return [gi.agents.boltzmann(beta=task.beta + 1e-6 * (i + 1)) for i in range(n)]
