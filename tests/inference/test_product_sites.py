"""Which two unknowns are sampled as a product, and which are not."""

import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.inference.model.linear_reward.scale_mixture import ScaleMixture, product_prior
from goalinf.inference.model.priors import Site

BETA = Site("agent.beta", dist.LogNormal(0.0, 0.5), ())
BETAS = Site("agent.beta", dist.LogNormal(0.0, 0.5).expand((3,)).to_event(1), ("state",))
BIAS = Site("agent.present_bias", dist.Beta(2.0, 2.0), ())
COST = Site("reward.step_cost", dist.LogNormal(0.0, 0.5), ())
VALUES = Site("reward.values", dist.Normal(0.0, 1.0).expand((3,)).to_event(1), ("state",))
WEIGHTS = Site("reward.weights", dist.Normal(0.0, 1.0).expand((2,)).to_event(1), ("feature",))
BY_STATE = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
BY_FEATURE = gi.LinearReward([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dist.Normal(0.0, 1.0), on="departure")
SHAPED = gi.ShapedReward(BY_STATE, [0.0, 1.0, 2.0])


@pytest.mark.parametrize(("linear", "reward"), [(VALUES, BY_STATE), (WEIGHTS, BY_FEATURE)], ids=["values", "weights"])
def test_one_beta_and_one_linear_reward_are_a_product(linear, reward):
    assert isinstance(product_prior([BETA, linear], reward), ScaleMixture)
    assert isinstance(product_prior([linear, BETA], reward), ScaleMixture)


@pytest.mark.parametrize(
    "sites",
    [[BIAS, VALUES], [BETA, COST], [BIAS, COST], [BETAS, VALUES], [BETA], [VALUES], [BETA, VALUES, BIAS], []],
    ids=lambda sites: ", ".join(site.name for site in sites),
)
def test_other_unknowns_are_none(sites):
    assert product_prior(sites, BY_STATE) is None


def test_several_rewards_and_shaped_ones_are_none():
    assert product_prior([BETA, VALUES], {"a": BY_STATE, "b": BY_STATE}) is None
    assert product_prior([BETA, VALUES], SHAPED) is None
    assert product_prior([BETA, WEIGHTS], BY_STATE) is None
