"""The naive side: what one writes in an afternoon with JAX and NumPyro. Value iteration in a scan, plain autodiff.

float64 throughout, like the library on a CPU. Four host devices let NumPyro run four chains on threads; that has to be
said before JAX starts.
"""

from __future__ import annotations

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import scipy.optimize
import tasks
import two_step_naive as two_step  # noqa: F401  (T4)
from nuts import nuts

jax.config.update("jax_enable_x64", True)

PRECISION = "float64"
CHAINS = 4
RUNS = 1  # of the sampler, each with a seed of its own


# -- the soft-optimal agent -------------------------------------------------------------------


def soft_log_policy(backup, reward, beta, discount: float, sweeps: int):
    """log pi (S, A); `backup` maps V (S,) to P V (S, A)."""

    def q_values(V):
        return reward[:, None] + discount * backup(V)

    def sweep(V, _):
        return jax.nn.logsumexp(beta * q_values(V), axis=1) / beta, None

    V, _ = jax.lax.scan(sweep, jnp.zeros_like(reward), None, length=sweeps)
    return jax.nn.log_softmax(beta * q_values(V), axis=1)


def dense_backup(task: tasks.Task):
    """P V with the dense transition array (S, A, S)."""
    P = jnp.asarray(task.dense())
    return lambda V: P @ V


def gather_backup(task: tasks.Task):
    """P V with one gather at the five places a move can lead to, which the slip mixes: faster than (S, A, K)."""
    following, mix = jnp.asarray(tasks.next_states(task.side)), jnp.asarray(tasks.mixing(task.slip))
    return lambda V: V[following] @ mix.T


def obvious_backup(task: tasks.Task):
    """The dense array on the 8 x 8 grid, where it costs no more; the gather elsewhere."""
    return dense_backup(task) if task.n_states <= 64 else gather_backup(task)


def log_likelihood(task: tasks.Task, backup=None):
    """A function of theta: the log-probability of all choices."""
    backup = obvious_backup(task) if backup is None else backup
    features, states, actions = jnp.asarray(task.features), jnp.asarray(task.states), jnp.asarray(task.actions)

    def density(theta):
        weights, beta = (theta, task.beta) if task.log_beta_sd is None else (theta[:-1], jnp.exp(theta[-1]))
        log_policy = soft_log_policy(backup, features @ weights, beta, task.discount, task.sweeps)
        return log_policy[states, actions].sum()

    return density


def log_posterior(task: tasks.Task):
    """The same plus the log prior of the weights; beta is known."""
    likelihood = log_likelihood(task)
    return lambda weights: likelihood(weights) + dist.Normal(0.0, task.weight_sd).log_prob(weights).sum()


# -- what is measured -------------------------------------------------------------------------


def gradient(task: tasks.Task):
    """A function of theta: log-likelihood and gradient."""
    return jax.jit(jax.value_and_grad(log_likelihood(task)))


def gradient_dense(task: tasks.Task):
    """The same with the dense transition array, whatever the size."""
    return jax.jit(jax.value_and_grad(log_likelihood(task, dense_backup(task))))


def sampler(task: tasks.Task):
    """NUTS with NumPyro's defaults. A function (seed, warmup, draws): theta (chains, draws, P), and facts about it."""
    likelihood = log_likelihood(task)

    def model():
        theta = numpyro.sample("weights", dist.Normal(0.0, task.weight_sd).expand([len(task.truth)]).to_event(1))
        if task.log_beta_sd is not None:
            log_beta = numpyro.sample("log_beta", dist.Normal(jnp.log(task.beta), task.log_beta_sd))
            theta = jnp.append(theta, log_beta)
        numpyro.factor("choices", likelihood(theta))

    def run(seed: int, warmup: int | None, draws: int) -> tuple[np.ndarray, dict]:
        found, facts = nuts(model, seed, warmup, draws)
        theta = np.asarray(found["weights"])
        if "log_beta" in found:
            theta = np.concatenate([theta, np.asarray(found["log_beta"])[:, :, None]], axis=2)
        return theta, facts

    return run


def mode_finder(task: tasks.Task):
    """L-BFGS on the unrolled density, from zero. A function without arguments: the weights."""
    density = log_posterior(task)

    def run() -> np.ndarray:
        value_and_grad = jax.jit(jax.value_and_grad(lambda weights: -density(weights)))
        start = np.zeros(len(task.truth))
        return scipy.optimize.minimize(value_and_grad, start, jac=True, method="L-BFGS-B").x

    return run


def fitter(task: tasks.Task):
    """500 Adam steps on the unrolled density, from zero. A function without arguments: the weights."""
    density = log_posterior(task)
    adam = numpyro.optim.Adam(0.05)

    def run() -> np.ndarray:
        @jax.jit
        def step(state):
            return adam.update(jax.grad(lambda weights: -density(weights))(adam.get_params(state)), state)

        state = adam.init(jnp.zeros(len(task.truth)))
        for _ in range(500):
            state = step(state)
        return np.asarray(adam.get_params(state))

    return run


def goal_posterior(task: tasks.GoalTask):
    """A function without arguments: probability of every goal after every step, (N, T, G)."""
    following = jnp.asarray(task.next_states)
    goals = jnp.asarray(task.goals)

    def log_policy(goal):
        def sweep(V, _):
            return (-1.0 + V[following].max(1)).at[goal].set(0.0), None

        V, _ = jax.lax.scan(sweep, jnp.zeros(len(following)), None, length=len(following))
        return jax.nn.log_softmax(task.beta * V[following], axis=1)

    @jax.jit
    def posterior(states, actions):
        steps = jax.vmap(lambda goal: log_policy(goal)[states[:, :-1], actions])(goals)  # (G, N, T)
        return jax.nn.softmax(jnp.where(actions >= 0, steps, 0.0).cumsum(2), axis=0).transpose(1, 2, 0)

    return lambda: posterior(task.states, task.actions)
