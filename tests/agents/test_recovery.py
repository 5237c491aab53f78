"""Every agent's own parameters come back from what it does: posterior means near the truth, intervals that cover it.

Many data sets are simulated with parameters from a prior and a known reward. The posterior of each comes from adaptive
importance sampling, which shares nothing with the samplers of the library: a Student t in unconstrained space is moved
to the weighted draws, whose weights are tempered at first. One program simulates all data sets, one scores all draws.
"""

from functools import partial

import jax
import jax.numpy as jnp
import named_agents
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import biject_to
from scipy import stats
from scipy.special import logsumexp

import goalinf as gi
from goalinf.agents import Option
from goalinf.precision import computing_in

COUNT, DRAWS, ROUNDS, LEAST = 40, 400, 7, 60
WORLD = gi.garnet(jax.random.key(3), states=8, actions=3, branching=3, discount=0.9)
HASTY = gi.garnet(jax.random.key(3), states=8, actions=3, branching=3, discount=0.5)
PLACES = gi.gridworld("s...\n.#..\n..#.\nx..a", discount=0.9, slip=0.1)
REWARD = gi.TransitionReward(np.random.default_rng(0).normal(size=(8, 3, 3)))
OTHER = gi.TransitionReward(np.random.default_rng(1).normal(size=(8, 3, 3)))
OPTIONS = [
    Option(np.full((8, 3), 1 / 3), np.full(8, 0.3), name="any"),
    Option(np.eye(3)[np.arange(8) % 3], np.full(8, 0.1), name="one"),
]
MAKERS = {
    **{name: make for name, make in named_agents.MAKERS.items() if name not in ("uniform", "two_step")},
    "false_dynamics": partial(gi.agents.false_dynamics, 0.2, alternative=[1, 2, 0]),
    "kl_bounded": lambda beta: gi.agents.kl_bounded(beta=beta, default=[0.7, 0.2, 0.1]),
    "options": lambda beta: gi.agents.options(options=OPTIONS, beta=beta, early=0.1, overshoot=0.2),
    "subgoal": lambda beta: gi.agents.subgoal(detour=0.5, beta=beta, world=PLACES, places=["x"]),
    "plan_commitment": lambda beta: gi.agents.plan_commitment(replan=0.1, beta=beta, depths=[0.5, 0.0, 0.0, 0.5]),
    "own discount": lambda beta: gi.agents.soft_optimal(beta=beta, discount=0.8),
    "lapsing": lambda beta: gi.agents.boltzmann(beta=beta, lapse=0.1),
}
# Moderate ranges, in which a thousand choices can say something; the usual priors reach beyond. Others: Uniform(0, 1).
PRIORS = {
    "beta": dist.LogNormal(1.0, 0.4),
    "sharpness": dist.LogNormal(1.5, 0.4),
    "aspiration": dist.Uniform(0.0, 1.5),
    "control": dist.LogNormal(0.0, 0.7),
    "loss_aversion": dist.LogNormal(0.7, 0.5),
    "persistence": dist.LogNormal(0.0, 0.5),  # at zero there is no rate
    "slip": dist.Uniform(0.0, 0.5),  # at one there is no beta
    "lapse": dist.Uniform(0.0, 0.5),
    "initial": dist.Normal(0.0, 1.0),
    "k": dist.LogNormal(0.0, 0.7),
    "curvature": dist.LogNormal(-1.0, 1.2),
    "optimism": dist.Normal(0.0, 1.0),
    "risk": dist.Normal(0.0, 1.0),
    "plan_noise": dist.Uniform(0.2, 2.0),
}


# Who shows some parameter rarely is watched for longer: in more than 60 walks of 20 steps, or shorter ones.
WALKS = {
    "chan_hyperbolic": 240,
    "finite_horizon": 300,
    "habitual": 240,
    "hyperbolic": 200,
    "options": 300,
    "plan_commitment": 200,
}
STEPS = {"finite_horizon": 4, "hyperbolic": 6}


def scene(name):
    """World, reward, starts, steps and agent."""
    starts, agent = np.arange(WALKS.get(name, 60)), MAKERS[name](2.0)
    if name == "subgoal":
        goal = gi.goals(PLACES, {"end": "a"}, step_cost=1.0)["end"]
        return PLACES, goal, np.flatnonzero(~goal.goal)[starts % (PLACES.n_states - 1)], 12, agent
    reward = gi.one_of({"one": REWARD, "other": OTHER}) if name == "switching" else REWARD
    if name == "chan_hyperbolic":  # defined where values are positive
        reward = gi.TransitionReward(np.abs(REWARD.values))
    if name == "q_learning":  # what it expects at first is worth (1 - discount) times that in every reward
        return HASTY, reward, starts % 8, 80, agent
    if name == "false_dynamics":
        reward = gi.ActionReward(REWARD.values.mean(axis=2))
    return WORLD, reward, starts % 8, STEPS.get(name, 20), agent


class Experiment:
    """What simulates and scores all data sets of one agent."""

    def __init__(self, name):
        self.world, self.reward, starts, steps, self.agent = scene(name)
        self.names = [key for key, value in self.agent.parameters.items() if np.ndim(value) == 0]
        self.priors = [PRIORS.get(key, dist.Uniform(0.0, 1.0)) for key in self.names]
        self.maps = [biject_to(prior.support) for prior in self.priors]
        states = np.tile(starts[:, None], (1, steps + 1))
        subject = np.arange(len(starts), dtype=np.int32)  # who learns begins anew with every walk
        self.like = gi.Trajectories.of(states, np.zeros((len(starts), steps), int), subject=subject)

    def behavior(self, values):
        agent = self.agent.at(**dict(zip(self.names, values, strict=True)))
        return gi.Behavior(self.world, agent, self.reward, like=self.like)

    def log_density(self, u, data):
        values = [to(one) for to, one in zip(self.maps, u, strict=True)]
        each = zip(self.priors, self.maps, u, values, strict=True)
        prior = sum(own.log_prob(x) + to.log_abs_det_jacobian(one, x) for own, to, one, x in each)
        return prior + self.behavior(values).log_prob(data)

    def posterior(self, data, rng, free):
        """Draws (COUNT, DRAWS, P) in unconstrained space and their weights; starts from draws of the prior."""
        score = jax.jit(lambda u, data: jax.lax.map(lambda one: jax.vmap(self.log_density, (0, None))(*one), (u, data)))
        center, cov = free.mean(0)[None].repeat(COUNT, 0), np.cov(free.T).reshape(1, len(free.T), -1).repeat(COUNT, 0)
        for last in np.arange(ROUNDS) == ROUNDS - 1:
            proposals = [stats.multivariate_t(m, c, df=5, seed=rng) for m, c in zip(center, cov, strict=True)]
            u = np.stack([one.rvs(DRAWS).reshape(DRAWS, -1) for one in proposals])
            logs = np.array(score(u, data)) - np.stack([q.logpdf(x) for q, x in zip(proposals, u, strict=True)])
            logs = np.where(np.isfinite(logs), logs, -np.inf)
            weights = np.stack([softmax(row) if last else tempered(row) for row in logs])
            center = np.einsum("nd,ndp->np", weights, u)
            away = u - center[:, None]
            cov = 1.3 * np.einsum("nd,ndp,ndq->npq", weights, away, away) + 1e-9 * np.eye(u.shape[2])
        return u, weights


def softmax(logs):
    return np.exp(logs - logsumexp(logs))


def tempered(logs):
    """Weights to the highest power at most one that leaves so many of them."""
    powers = 0.8 ** np.arange(60)
    return next(w for w in map(softmax, (logs[None] * powers[:, None])) if 1 / (w**2).sum() > LEAST)


# What shows too rarely to come back so well: plans of two depths agree in most states.
WEAK = {("plan_commitment", "replan"): 0.8}


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_recovery(name):
    rng = np.random.default_rng(5)
    with computing_in("float64"):
        own = Experiment(name)
        key, *keys = jax.random.split(jax.random.key(4), len(own.names) + 1)
        truth = np.stack([prior.sample(k, (COUNT,)) for prior, k in zip(own.priors, keys, strict=True)], axis=1)
        simulate = jax.jit(jax.vmap(lambda key, x: own.behavior(x).sample(key)))
        data = simulate(jax.random.split(key, COUNT), truth)
        free = np.stack([to.inv(jnp.asarray(x)) for to, x in zip(own.maps, truth.T, strict=True)], axis=1)
        u, weights = own.posterior(data, rng, free)
    kept = 1 / (weights**2).sum(1)
    assert np.median(kept) > LEAST
    report = {}
    for p, parameter in enumerate(own.names):
        mean = (weights * np.asarray(own.maps[p](u[..., p]))).sum(1)
        below = (weights * (u[..., p] < free[:, None, p])).sum(1)
        covered = ((below > 0.05) & (below < 0.95)).sum()
        report[parameter] = (
            np.corrcoef(mean, truth[:, p])[0, 1],
            covered / COUNT,
            stats.kstest(below, "uniform").pvalue,
        )
    print(name, {key: np.round(value, 3) for key, value in report.items()}, f"ESS {np.median(kept):.0f}")
    low, high = stats.binom.interval(0.999, COUNT, 0.9)
    for parameter, (correlation, coverage, uniform) in report.items():
        assert correlation > WEAK.get((name, parameter), 0.9), parameter
        assert low <= coverage * COUNT <= high, parameter
        assert uniform > 1e-4, parameter
