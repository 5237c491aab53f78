"""Two small fits that the tests of this folder share."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from small import HALL, plain_model, walks_of

import goalinf as gi


@pytest.fixture(scope="session")
def walks():
    """Eight walks of two people; one choice of the first is missing."""
    found = walks_of()
    observed = np.array(found.observed)
    observed[0, 2] = False
    names = gi.data.Labels(tuple((1, f"run {i}") for i in range(8)), subjects=("ann", "bob"), worlds=(HALL,))
    subject = np.arange(8, dtype=np.int32) // 4
    return gi.Trajectories.of(
        found.states, found.actions, lengths=found.lengths, observed=observed, subject=subject, labels=names
    )


@pytest.fixture(scope="session")
def fit(walks):
    """Reward and beta of these walks."""
    return gi.infer(
        jax.random.key(1),
        HALL,
        agent=gi.agents.soft_optimal(beta=dist.LogNormal(0.5, 0.5)),
        reward=gi.StateReward(dist.Normal(0.0, 1.0), on="departure"),
        data=walks,
        chains=2,
        warmup=100,
        draws=100,
    )


@pytest.fixture(scope="session")
def own(walks):
    """A fit of the user's own model."""
    return gi.infer(
        jax.random.key(2),
        model=plain_model,
        data=walks,
        chains=2,
        warmup=100,
        draws=100,
        dims={"weight": ["feature"]},
        coords={"feature": ["shop"]},
    )
