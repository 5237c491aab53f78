"""Chan, Critch and Dragan (2021): human irrationality, and what it tells about rewards.

Story
-----
Each bias changes one term of the Bellman update: the maximum, the transitions, the reward, the sum of reward and later
value, or the discount. An agent with one of them acts in a slippery room in which two states have a reward. With the
bias known (a variant for each), the rewards are inferred; with ``one_of`` the bias is unknown, too. The rewards have
finitely many values, as in the paper, so that the posterior is exact.

Sites
-----
``a`` and ``b`` ∈ {-1, -.5, 0, .5, 1}, the rewards of the two states, collected on arrival; of ``one_of`` also ``bias``,
one of ``BIASES``, uniform. beta = 4 in 1/reward.

Departures: the paper looks at many strengths of each bias; one strength of each, rewards, world and beta are ours.
``rational`` is for comparison. The transitions of optimistic agents are normalized. For a reward of every state, and
subjects with different biases, put ``gi.one_of(BIASES, by="subject")`` into ``gi.infer``.

References
----------
Chan, L., Critch, A. and Dragan, A. (2021). Human irrationality: both bad and good for reward inference.
arXiv:2111.06956.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro

import goalinf as gi
from goalinf.checks import takes_key
from goalinf.types import PRNGKey
from goalinf_models.catalogue import Variant, choice, exact
from goalinf_models.checks import check_behavior, check_variant

BETA, VALUES = 4.0, (-1.0, -0.5, 0.0, 0.5, 1.0)
BIASES: dict[str, gi.Agent] = {
    "rational": gi.agents.boltzmann(beta=BETA),
    "boltzmann": gi.agents.boltzmann(beta=BETA, backup="mean"),  # replaces the maximum
    "illusion_of_control": gi.agents.illusion_of_control(control=3.0, beta=BETA),  # transitions
    "optimism": gi.agents.optimistic(optimism=2.0, beta=BETA),
    "pessimism": gi.agents.optimistic(optimism=-2.0, beta=BETA),
    "prospect": gi.agents.prospect(loss_aversion=2.0, beta=BETA),  # reward
    "extremal": gi.agents.extremal(peak=0.7, beta=BETA),  # sum of reward and later value
    "myopic_discount": gi.agents.myopic(discount=0.5, beta=BETA),  # discount
    "myopic_planning": gi.agents.lookahead(depth=2, beta=BETA),
    "hyperbolic": gi.agents.chan_hyperbolic(curvature=0.05, beta=BETA),
}
VARIANTS = {
    "one_of": Variant(exact, ("bias", "a", "b"), "which bias does the agent have?"),
    **{bias: Variant(exact, ("a", "b"), "what is the reward, if the bias is known?") for bias in BIASES},
}
OF_THE_EXAMPLE = "extremal"  # the bias behind the data of one_of


@cache
def world() -> gi.World:
    """Make a small slippery room."""
    return gi.gridworld("s.b\n.#.\na..", slip=0.3, discount=0.9)


@takes_key
def example(key: PRNGKey, variant: str = "one_of") -> gi.Trajectories:
    """Simulate twenty trajectories of ten steps, with rewards 1 at a and -.5 at b."""
    check_variant(variant, VARIANTS)
    reward = gi.StateReward.at(world(), {"a": 1.0, "b": -0.5}, default=0.0, on="arrival")
    agent = BIASES.get(variant, BIASES[OF_THE_EXAMPLE])
    return gi.simulate(key, world(), agent, reward, trajectories=20, steps=10)


def model(data: gi.Trajectories, variant: str = "one_of", *, where: gi.World | None = None) -> dict[str, Any]:
    """Return keyword arguments for :func:`exact`; ``where`` is a custom world, with cells marked a and b."""
    check_variant(variant, VARIANTS)
    place = world() if where is None else where
    check_behavior(data, place)
    marks = np.stack([place.indicator("a"), place.indicator("b")], axis=-1).astype(float)

    def walks(seen: gi.Trajectories | None = None) -> None:
        agent = choice("bias", BIASES, static=True) if variant == "one_of" else BIASES[variant]
        reward = gi.LinearReward(marks, jnp.stack([choice("a", VALUES), choice("b", VALUES)]), on="arrival")
        numpyro.sample("choices", gi.Behavior(place, agent, reward, like=data), obs=seen)

    return {"model": walks, "data": data, "by": "data"}
