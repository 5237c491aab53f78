"""Chan, Critch and Dragan (2021): human irrationality, and what it tells about rewards.

Story
-----
Biases change one place of the Bellman update each: the maximum, the transitions, the reward, the sum of now and later,
or the discount. Somebody with one of them walks in a slippery room in which two places are worth something. With the
bias known (a variant for each), it is inferred what they are worth; with ``one_of`` it is not known which bias they
have, either. Rewards are few, as in the paper, so that the posterior is exact.

Sites
-----
``a`` and ``b`` ∈ {-1, -.5, 0, .5, 1}, the worth of the two places, collected on arrival; of ``one_of`` also ``bias``,
one of ``BIASES``, each as likely. beta = 4 in 1/reward.

Departures: the paper looks at many strengths of each bias; one strength of each, rewards, world and beta are ours.
``rational`` is there for comparison. Transitions that optimism tilts are normalized. For a reward of every state, and
people of different biases, put ``gi.one_of(BIASES, by="subject")`` into ``gi.infer``.

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
from goalinf.checks import PRNGKey, takes_key
from goalinf_models.catalogue import Variant, choice, exact
from goalinf_models.checks import check_behavior, check_variant

BETA, WORTH = 4.0, (-1.0, -0.5, 0.0, 0.5, 1.0)
BIASES: dict[Any, Any] = {
    "rational": gi.agents.boltzmann(beta=BETA),
    "boltzmann": gi.agents.boltzmann(beta=BETA, backup="mean"),  # in the place of the maximum
    "illusion_of_control": gi.agents.illusion_of_control(control=3.0, beta=BETA),  # transitions
    "optimism": gi.agents.optimistic(optimism=2.0, beta=BETA),
    "pessimism": gi.agents.optimistic(optimism=-2.0, beta=BETA),
    "prospect": gi.agents.prospect(loss_aversion=2.0, beta=BETA),  # reward
    "extremal": gi.agents.extremal(peak=0.7, beta=BETA),  # now and later
    "myopic_discount": gi.agents.myopic(discount=0.5, beta=BETA),  # discount
    "myopic_planning": gi.agents.lookahead(depth=2, beta=BETA),
    "hyperbolic": gi.agents.chan_hyperbolic(curvature=0.05, beta=BETA),
}
VARIANTS = {
    "one_of": Variant(exact, ("bias", "a", "b"), "which bias do they have?"),
    **{bias: Variant(exact, ("a", "b"), "what does someone want, whose bias is known?") for bias in BIASES},
}
OF_THE_EXAMPLE = "extremal"  # the bias behind the data of one_of


@cache
def world() -> gi.World:
    """A small slippery room."""
    return gi.gridworld("s.b\n.#.\na..", slip=0.3, discount=0.9)


@takes_key
def example(key: PRNGKey, variant: str = "one_of") -> gi.Trajectories:
    """Twenty walks of ten steps, by somebody to whom a is worth 1 and b -.5."""
    check_variant(variant, VARIANTS)
    wants = gi.StateReward.at(world(), {"a": 1.0, "b": -0.5}, default=0.0, on="arrival")
    agent = BIASES.get(variant, BIASES[OF_THE_EXAMPLE])
    return gi.simulate(key, world(), agent, wants, trajectories=20, steps=10)


def model(data: gi.Trajectories, variant: str = "one_of", *, where: gi.World | None = None) -> dict[str, Any]:
    """Keyword arguments for :func:`exact`; ``where`` is your own world, with cells marked a and b."""
    check_variant(variant, VARIANTS)
    place = world() if where is None else where
    check_behavior(data, place)
    marks = np.stack([place.indicator("a"), place.indicator("b")], axis=-1).astype(float)

    def walks(seen: Any = None) -> None:
        agent = choice("bias", BIASES, static=True) if variant == "one_of" else BIASES[variant]
        reward = gi.LinearReward(marks, jnp.stack([choice("a", WORTH), choice("b", WORTH)]), on="arrival")
        numpyro.sample("choices", gi.Behavior(place, agent, reward, like=data), obs=seen)

    return {"model": walks, "data": data, "by": "data"}
