"""Planners on the host, compiled, and in single precision: one answer."""

import jax
import numpy as np
import oracles
from hypothesis import given
from hypothesis import strategies as st
from random_worlds import fuzzed, rewards, worlds

import goalinf as gi
from goalinf.precision import cast, computing_in, on_host

S, A = 4, 3
AGENTS = {"mce": gi.agents.soft_optimal, "boltzmann_q": gi.agents.boltzmann}
compiled = jax.jit(lambda agent, *args: agent.policies(*args))
problems = {
    "drawn": worlds(S, A, one_shape=True),
    "reward": rewards((S, A)),
    "name": st.sampled_from(list(AGENTS)),
    "beta": st.sampled_from([0.1, 1.0, 20.0]),
}


def expected(drawn, reward, name, beta, horizon):
    """Log-probabilities and beta times values by plain sweeps."""
    arguments = (drawn.P, reward, drawn.discount, beta)
    if horizon is None:
        planned = getattr(oracles, name)(*arguments, drawn.available, drawn.terminal)
        values = planned.V
    else:
        backup = oracles.hard if name == "boltzmann_q" else oracles.soft(beta)
        planned = oracles.finite(*arguments, horizon, backup, drawn.available, drawn.terminal)
        values = planned.V[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(planned.policy), beta * values


@fuzzed
@given(**problems, horizon=st.sampled_from([None, 3]))
def test_host_and_compiled_planners_are_those_of_the_oracle(drawn, reward, name, beta, horizon):
    agent, wants = AGENTS[name](beta=beta, horizon=horizon), gi.ActionReward(reward)
    with computing_in("float64"):
        here = agent.policies(drawn.world.mdp, wants)
        there = jax.device_get(compiled(*cast((agent, drawn.world.mdp, wants))))
    assert on_host(here)
    log_probs, values = expected(drawn, reward, name, beta, horizon)
    live, size = ~drawn.terminal, 1.0 + np.abs(values).max()
    for found in (here, there):
        np.testing.assert_allclose(found.values, values, atol=1e-11 * size)
        possible = np.isfinite(log_probs[..., live, :])
        np.testing.assert_array_equal(np.isfinite(found.log_probs[..., live, :]), possible)
        np.testing.assert_allclose(
            found.log_probs[..., live, :][possible], log_probs[..., live, :][possible], atol=1e-10 * size
        )


@fuzzed
@given(**problems)
def test_single_precision_is_as_close_as_its_residual_says(drawn, reward, name, beta):
    r"""|V - V*| <= (residual + rounding) / (1 - discount), as the backup is a contraction."""
    agent, wants = AGENTS[name](beta=beta), gi.ActionReward(reward)
    with computing_in("float32"):
        found = jax.device_get(compiled(*cast((agent, drawn.world.mdp, wants))))
    assert found.log_probs.dtype == np.float32
    log_probs, values = expected(drawn, reward, name, beta, None)
    eps, size = float(np.finfo(np.float32).eps), 1.0 + np.abs(values).max() + beta * np.abs(reward).max()
    error = (float(found.residual) + 8 * eps) * size / (1.0 - drawn.discount)
    np.testing.assert_allclose(found.values, values, atol=error)
    possible = np.isfinite(log_probs) & ~drawn.terminal[:, None]
    np.testing.assert_allclose(found.log_probs[possible], log_probs[possible], atol=2 * (error + 8 * eps * size))
