"""Evans, Stuhlmüller and Goodman (2016): preferences of agents that discount hyperbolically.

Such agents procrastinate and act against their long-term preferences; an observer who assumes rational agents infers
wrong preferences.

Story
-----
``procrastination``: an agent waits or works on every day until a deadline. Unknown are the reward of the work, the
discount rate k of a naive agent, and the inverse temperature alpha. ``rational``: the same without discounting, k = 0.
``restaurant``: on the way to the restaurant of its choice, which has an immediate and a delayed reward, the agent
passes other restaurants; unknown are these rewards, and whether the agent is naive or sophisticated. ``ignorant``: the
near shop may be shut, which is observed only at its door; unknown are the rewards of both shops and the belief of the
agent. An agent that leaves the shut door for the other shop need not prefer that shop. ``continuous``: procrastination
with continuous priors, for many days.

Sites
-----
``procrastination``: ``reward`` ∈ {.5, 2, 3, …, 8}, ``alpha`` ∈ {.1, 1, 10, 100, 1000} with weights (1, 2, 2, 2, 3),
``k`` ∈ {0, .5, 1, 2, 4}. ``restaurant``: ``donut.now``, ``donut.later``, ``veg.now``, ``veg.later`` ∈ {-10, 0, 10, 20};
``naive``; k = 1, alpha = 1000, noodles have the reward -10 at both times. ``ignorant``: ``noodle``, ``veg`` ∈ {0, 2, 4,
6}; ``open`` ∈ {.05, .5, .95}, the belief that the near shop is open; a step costs 1, alpha = 2. ``continuous``:
``reward`` ~ Uniform(0, 8), ``alpha`` ~ LogNormal(0, 1), ``k`` ~ LogNormal(0, 1). Utility is in units of the cost of
work, or of a step; alpha is in 1/utility.

The priors are those of the chapters of agentmodels.org; ``ignorant`` and ``continuous`` are ours.

References
----------
Evans, O., Stuhlmüller, A. and Goodman, N. D. (2016). Learning the preferences of ignorant, inconsistent agents.
*Proceedings of the AAAI Conference on Artificial Intelligence*, 30. Evans, O., Stuhlmüller, A., Salvatier, J. and
Filan, D. (2017). *Modeling agents with probabilistic programs*, agentmodels.org, chapters 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

import goalinf as gi
from goalinf.checks import takes_key
from goalinf.types import PRNGKey, Real
from goalinf_models.catalogue import Variant, choice, exact
from goalinf_models.checks import check_behavior, check_variant
from goalinf_models.evans_worlds import Paid, procrastination, restaurants, street

Seen = gi.Trajectories | None
_WORK = ("reward", "alpha", "k")
VARIANTS = {
    "procrastination": Variant(exact, _WORK, "what is the discount rate?"),
    "rational": Variant(exact, _WORK[:2], "what is the reward, without discounting?"),
    "restaurant": Variant(
        exact, ("donut.now", "donut.later", "veg.now", "veg.later", "naive"), "is the agent naive or sophisticated?"
    ),
    "ignorant": Variant(exact, ("noodle", "veg", "open"), "what is the reward, if beliefs are unknown?"),
    "continuous": Variant(gi.infer, _WORK, "what is the discount rate?"),
}
COST, DELAY, TIME, NOODLE = -1.0, -0.1, -0.01, -10.0


@takes_key
def example(key: PRNGKey, variant: str = "procrastination") -> gi.Trajectories:
    """Simulate a naive agent, k = 1, reward 4.5; or with donuts good now, bad later; or with a wrong belief."""
    check_variant(variant, VARIANTS)
    if variant == "ignorant":
        sure = gi.agents.ignorant(street(), beta=2.0, prior=0.95, about="open")
        return gi.simulate(key, street(shut=True), sure, _shops(6.0, 6.0), trajectories=1, steps=8)
    if variant == "restaurant":
        town = restaurants()
        reward = town.reward([TIME, 10.0, -10.0, -10.0, 20.0, 0.0, 0.0])
        tempted = gi.agents.hyperbolic(k=1.0, beta=500.0, horizon=town.horizon)
        return gi.simulate(key, town.world, tempted, reward, trajectories=1, steps=town.horizon)
    work = procrastination()
    count, k = (40 if variant == "continuous" else 1), (0.0 if variant == "rational" else 1.0)
    lazy = gi.agents.hyperbolic(k=k, beta=2.0, horizon=work.horizon)
    reward = work.reward([4.5, COST, DELAY])
    return gi.simulate(key, work.world, lazy, reward, trajectories=count, steps=work.horizon)


def _shops(noodle: Real, veg: Real) -> gi.StateReward:
    """Make the reward of the shops on arrival; every other step costs 1."""
    values = jnp.full(street().n_states, -1.0)
    for shop, reward in (("noodle", noodle), ("veg", veg)):
        values = values.at[np.array(street().cells(shop))].set(reward)
    return gi.StateReward(values, on="arrival")


def model(data: gi.Trajectories, variant: str = "procrastination") -> dict[str, Any]:
    """Return keyword arguments for :func:`exact`; of ``continuous`` for ``gi.infer``."""
    check_variant(variant, VARIANTS)
    work, town = procrastination(), restaurants()
    check_behavior(data, {"restaurant": town.world, "ignorant": street(shut=True)}.get(variant, work.world))

    def behaves(paid: Paid, weights: Sequence[Real], k: Real, alpha: Real, naive: bool, seen: Seen) -> None:
        agent = gi.agents.hyperbolic(k=k, beta=alpha, horizon=paid.horizon, sophisticated=not naive)
        behavior = gi.Behavior(paid.world, agent, paid.reward(jnp.stack([*map(jnp.asarray, weights)])), like=data)
        numpyro.sample("choices", behavior, obs=seen)

    def puts_off(seen: Seen = None) -> None:
        reward = choice("reward", (0.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0))
        alpha = choice("alpha", (0.1, 1.0, 10.0, 100.0, 1000.0), (1, 2, 2, 2, 3))
        k = choice("k", (0.0, 0.5, 1.0, 2.0, 4.0)) if variant == "procrastination" else 0.0
        behaves(work, [reward, COST, DELAY], k, alpha, True, seen)

    def eats(seen: Seen = None) -> None:
        rewards = [choice(name, (-10.0, 0.0, 10.0, 20.0)) for name in VARIANTS["restaurant"].sites[:4]]
        naive = choice("naive", (True, False), static=True)
        behaves(town, [TIME, *rewards, NOODLE, NOODLE], 1.0, 1000.0, naive, seen)

    def searches(seen: Seen = None) -> None:
        noodle, veg = (choice(name, (0.0, 2.0, 4.0, 6.0)) for name in ("noodle", "veg"))
        agent = gi.agents.ignorant(street(), beta=2.0, prior=choice("open", (0.05, 0.5, 0.95)), about="open")
        numpyro.sample("choices", gi.Behavior(street(shut=True), agent, _shops(noodle, veg), like=data), obs=seen)

    def puts_off_somehow(seen: Seen = None) -> None:
        reward = numpyro.sample("reward", dist.Uniform(0.0, 8.0))
        alpha = numpyro.sample("alpha", dist.LogNormal(0.0, 1.0))
        k = numpyro.sample("k", dist.LogNormal(0.0, 1.0))
        behaves(work, [reward, COST, DELAY], k, alpha, True, seen)

    stories = {"restaurant": eats, "ignorant": searches, "continuous": puts_off_somehow}
    return {"model": stories.get(variant, puts_off), "data": data}
