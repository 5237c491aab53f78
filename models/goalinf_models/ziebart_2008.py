r"""Ziebart et al. (2008): maximum entropy inverse reinforcement learning; and maximum causal entropy (2010).

Story
-----
States have features, and the reward is a weighted sum of them. Among all distributions over paths with the observed
expected feature counts, one has the largest entropy. ``2008``: paths of H steps from the same start have
probabilities

.. math:: p(\zeta) \propto \exp\Big(w^\top \sum_t \phi(s_t)\Big) \prod_t P(s_{t+1} \mid s_t, a_t).

``2010``: actions have the largest causal entropy, so that they do not depend on future random transitions; this is the
soft-optimal agent. Where every action has one outcome the two are the same; elsewhere 2008 is optimistic, as it weights
transitions by their reward (``model`` takes such a world).

Sites
-----
``reward.weights`` ~ Normal(0, 1), for the features ``mud`` and ``flowers`` of the state on arrival; in units of
reward at temperature 1.

Departures: a posterior instead of maximum likelihood; the prior is ours.

References
----------
Ziebart, B. D., Maas, A., Bagnell, J. A. and Dey, A. K. (2008). Maximum entropy inverse reinforcement learning.
*Proceedings of the 23rd AAAI Conference on Artificial Intelligence*, 1433-1438. Ziebart, B. D., Bagnell, J. A. and Dey,
A. K. (2010). Modeling interaction via the principle of maximum causal entropy. *Proceedings of the 27th International
Conference on Machine Learning*, 1255-1262.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import Array
from jax.scipy.special import logsumexp

import goalinf as gi
from goalinf.checks import takes_key
from goalinf.types import Numeric, PRNGKey
from goalinf_models.catalogue import Variant
from goalinf_models.checks import check_behavior, check_variant

HORIZON, TRUTH = 8, (-1.0, 0.7)
VARIANTS = {
    "2008": Variant(gi.infer, ("reward.weights",), "what are the weights of the features?"),
    "2010": Variant(gi.infer, ("reward.weights",), "what are the weights of the features?"),
}


@cache
def world(slip: float = 0.0) -> gi.World:
    """Make a meadow with mud and flowers."""
    return gi.gridworld("s.m.\n.mmf\n...f\nf.m.", slip=slip, discount=1.0)


def features(where: gi.World) -> np.ndarray:
    """Make the features mud and flowers, ``(S, 2)``."""
    return np.stack([where.indicator("m"), where.indicator("f")], axis=-1).astype(float)


@takes_key
def example(key: PRNGKey, variant: str = "2008", *, where: gi.World | None = None) -> gi.Trajectories:
    """Simulate thirty trajectories of eight steps with a positive weight of flowers and a negative one of mud."""
    check_variant(variant, VARIANTS)
    place = world() if where is None else where
    reward = gi.LinearReward(features(place), TRUTH, on="arrival")
    return gi.simulate(
        key, place, gi.agents.finite_horizon(horizon=HORIZON, beta=1.0), reward, trajectories=30, steps=HORIZON
    )


def model(data: gi.Trajectories, variant: str = "2008", *, where: gi.World | None = None) -> dict[str, Any]:
    """Return keyword arguments for ``gi.infer``; ``where`` is a custom world, with cells marked m and f."""
    check_variant(variant, VARIANTS)
    place = world() if where is None else where
    check_behavior(data, place)
    prior = dist.Normal(0.0, 1.0).expand([2]).to_event(1)
    if variant == "2010":
        reward = gi.LinearReward(features(place), prior, on="arrival", names=("mud", "flowers"))
        return {
            "world": place,
            "agent": gi.agents.finite_horizon(horizon=HORIZON, beta=1.0),
            "reward": reward,
            "data": data,
        }
    if not ((data.lengths == HORIZON) & (data.states >= 0).all(axis=1)).all():
        raise ValueError(
            f"a trajectory is not of {HORIZON} steps or has no last state; expected trajectories of {HORIZON} steps "
            "whose last state is given (a last row with an empty action)"
        )

    def paths(seen: gi.Trajectories) -> None:
        state_reward = jnp.asarray(features(place)) @ numpyro.sample("reward.weights", prior)
        sums = state_reward[seen.states[:, 1:]].sum(axis=1)
        numpyro.factor("paths", (sums - log_partition(place, state_reward)[seen.states[:, 0]]).sum())

    labels = {"dims": {"reward.weights": ["feature"]}, "coords": {"feature": ["mud", "flowers"]}}
    return {"model": paths, "data": data, **labels}


def log_partition(where: gi.World, state_reward: Numeric) -> Array:
    """Compute the logarithm of the sum over all paths of H steps from each state, transitions included, ``(S,)``."""
    mdp, total = where.mdp, jnp.zeros(where.n_states)
    with np.errstate(divide="ignore"):
        chance = np.log(np.where(mdp.available[:, :, None], mdp.probabilities, 0.0))
    for _ in range(HORIZON):
        total = logsumexp(chance + (state_reward + total)[mdp.successors], axis=(1, 2))
    return total
