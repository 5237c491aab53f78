"""One small random world, an agent in it, its walks, and their scores by a loop."""

import functools

import jax
import numpy as np
import oracles

import goalinf as gi

RNG = np.random.default_rng(9)
S, A, BETA, DISCOUNT = 4, 3, 1.5, 0.9
P = oracles.random_law(RNG, S, A, S)
AVAILABLE = np.array([[True, True, True], [True, False, True], [False, True, True], [True, True, True]])
TERMINAL = np.array([False, False, False, True])
WORLD = gi.from_arrays(P, available=AVAILABLE, terminal=TERMINAL, discount=DISCOUNT, initial=[0.5, 0.5, 0.0, 0.0])
R = RNG.normal(size=(S, A))
REWARD = gi.ActionReward(R)
AGENT = gi.agents.soft_optimal(beta=BETA)
POLICY = oracles.mce(P, R, DISCOUNT, BETA, AVAILABLE, TERMINAL).policy


@functools.cache
def walks(trajectories=12, steps=7):
    return gi.simulate(jax.random.key(3), WORLD, AGENT, REWARD, trajectories=trajectories, steps=steps)


def with_gaps(data):
    """A quarter of the choices hidden, two subjects."""
    observed = np.asarray(data.observed) & (np.random.default_rng(0).random(data.actions.shape) < 0.75)
    subject = np.arange(data.n_trajectories) % 2
    return gi.Trajectories.of(data.states, data.actions, lengths=data.lengths, observed=observed, subject=subject)


def exact(data, policy=POLICY, terminal=TERMINAL):
    return oracles.step_log_probabilities(policy, data.states, data.actions, data.lengths, data.observed, terminal)
