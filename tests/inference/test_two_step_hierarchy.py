"""The two-step hierarchy in the notation of agents, against the same model written by hand in NumPyro."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from numpyro.diagnostics import effective_sample_size
from numpyro.distributions.transforms import SigmoidTransform

import goalinf as gi
from goalinf_models import daw_2011

# Name -> link, prior of the location of the group on its scale, and of its spread.
GROUPS = {
    "learning_rate_1": ("logit", 0.0, 1.0, 1.0),
    "learning_rate_2": ("logit", 0.0, 1.0, 1.0),
    "eligibility": ("logit", 0.0, 1.0, 1.0),
    "model_based": ("logit", 0.0, 1.0, 1.0),
    "beta_1": ("log", 1.0, 0.5, 0.5),
    "beta_2": ("log", 1.0, 0.5, 0.5),
    "repetition": ("real", 0.0, 0.5, 0.3),
}
LINKS = {"logit": jax.nn.sigmoid, "log": jnp.exp, "real": lambda x: x}


def pooled(link, center, sd, spread):
    prior = {
        "logit": dist.TransformedDistribution(dist.Normal(center, sd), SigmoidTransform()),
        "log": dist.LogNormal(center, sd),
        "real": dist.Normal(center, sd),
    }[link]
    return gi.partial_pooling(prior, by="subject", spread=dist.HalfNormal(spread))


def by_hand(table):
    """A scan over trials that shares no code with the library, for tables without missed responses."""
    n = table["subject"].nunique()
    longest = int(table.groupby("subject").size().max())
    rows = np.zeros((4, n, longest))
    counted = np.zeros((n, longest), bool)
    for i, (_, own) in enumerate(table.groupby("subject")):
        rows[:, i, : len(own)] = own[["choice1", "state2", "choice2", "reward"]].to_numpy().T
        counted[i, : len(own)] = True
    first, state, second = rows[:3].astype(int)

    def likelihood(p, first, state, second, reward, counted):
        def trial(carry, now):
            q2, q1, last = carry
            a, s, b, r, real = now
            best = q2.max(axis=1)
            planned = jnp.array([0.7 * best[0] + 0.3 * best[1], 0.3 * best[0] + 0.7 * best[1]])
            utility = p["model_based"] * planned + (1 - p["model_based"]) * q1
            utility = p["beta_1"] * (utility + p["repetition"] * (jnp.arange(2) == last))
            score = jax.nn.log_softmax(utility)[a] + jax.nn.log_softmax(p["beta_2"] * q2[s])[b]
            before = q2[s, b]
            change = p["learning_rate_1"] * (before - q1[a] + p["eligibility"] * (r - before))
            learned = q1 + jnp.where(jnp.arange(2) == a, change, 0.0)
            is_cell = (jnp.arange(2)[:, None] == s) & (jnp.arange(2) == b)
            taught = q2 + jnp.where(is_cell, p["learning_rate_2"] * (r - before), 0.0)
            kept = jax.tree.map(lambda new, old: jnp.where(real, new, old), (taught, learned, a), carry)
            return kept, jnp.where(real, score, 0.0)

        start = jnp.zeros((2, 2)), jnp.zeros(2), -1
        return jax.lax.scan(trial, start, (first, state, second, reward, counted))[1].sum()

    def model():
        values = {}
        for name, (link, center, sd, spread) in GROUPS.items():
            location = numpyro.sample(f"{name}.location", dist.Normal(center, sd))
            width = numpyro.sample(f"{name}.sd", dist.HalfNormal(spread))
            z = numpyro.sample(f"{name}.z", dist.Normal().expand([n]).to_event(1))
            values[name] = numpyro.deterministic(name, LINKS[link](location + width * z))
            numpyro.deterministic(f"{name}.mean", LINKS[link](location))
        numpyro.factor("choices", jax.vmap(likelihood)(values, first, state, second, rows[3], counted).sum())

    return model


@pytest.mark.slow
def test_all_parameters_agree_with_a_hierarchy_in_numpyro(shared):
    table = daw_2011.hbayesdm(pd.read_csv(shared / "hbayesdm_examples" / "two_step.csv"))
    world, data = daw_2011.recorded(table)
    agent = gi.agents.two_step(**{name: pooled(*group) for name, group in GROUPS.items()})
    fit = gi.infer(0, world, agent=agent, reward=gi.RecordedReward(), data=data, draws=4000)
    assert fit.converged
    with jax.enable_x64(True):
        sampler = numpyro.infer.MCMC(
            numpyro.infer.NUTS(by_hand(table), target_accept_prob=0.95),
            num_warmup=1000,
            num_samples=1500,
            num_chains=2,
            chain_method="sequential",
            progress_bar=False,
        )
        sampler.run(jax.random.key(1))
        reference = sampler.get_samples(group_by_chain=True)
    for name in GROUPS:
        for ending in (".mean", ".sd", ""):
            ours = fit.posterior[f"agent.{name}{ending}"].transpose("chain", "draw", ...).values
            ours, theirs = (x.reshape(*x.shape[:2], -1) for x in (ours, np.asarray(reference[f"{name}{ending}"])))
            for i in range(ours.shape[2]):
                means = [x[:, :, i].mean() for x in (ours, theirs)]
                errors = [x[:, :, i].std() / np.sqrt(float(effective_sample_size(x[:, :, i]))) for x in (ours, theirs)]
                z = (means[0] - means[1]) / np.hypot(*errors)
                assert abs(z) < 4.5, (name, ending, i, means, errors)
