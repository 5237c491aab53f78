r"""Hyperbolic and exponential discounting of delayed amounts.

Story
-----
Every subject chooses repeatedly between a smaller amount sooner and a larger one later. An amount x after d days has
the value :math:`x / (1 + k d)` (``hyperbolic``) or :math:`x\,e^{-k d}` (``exponential``), and the choice is a softmax
with inverse temperature beta. Every offer to a subject is a state with two actions, after which the episode ends.

Sites
-----
``k`` ~ LogNormal(-4, 2), per day, and ``beta`` ~ LogNormal(-1, 1), in 1/amount, both for each subject separately.

The data are a table with one row per choice: ``subjID``, ``delay_later``, ``amount_later``, ``delay_sooner``,
``amount_sooner``, ``choice`` (0: sooner, 1: later, empty: no response), the columns of hBayesDM. Delays are at least 0
and the sooner one is not the longer one. An offer without a response is not scored.

References
----------
Samuelson, P. A. (1937). A note on measurement of utility. *The Review of Economic Studies*, 4(2), 155-161. Mazur,
J. E. (1987). An adjusting procedure for studying delayed reinforcement. In *Quantitative analyses of behavior*, vol. 5,
55-73. Columns: Ahn, W.-Y., Haines, N. and Zhang, L. (2017), *Computational Psychiatry*, 1, 24-57. The priors are ours.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd

import goalinf as gi
from goalinf.checks import takes_key
from goalinf.types import Numeric, PRNGKey
from goalinf_models.catalogue import Variant
from goalinf_models.checks import Code, Column, Label, Quantity, check_variant, checked_table

_SITES, _QUESTION = ("k", "beta"), "what is the discount rate?"
VARIANTS = {kind: Variant(gi.infer, _SITES, _QUESTION) for kind in ("hyperbolic", "exponential")}
COLUMNS: dict[str, Column] = {
    "subjID": Label(),
    **{f"delay_{when}": Quantity(0.0, "days") for when in ("sooner", "later")},
    **{f"amount_{when}": Quantity(-np.inf, "amount") for when in ("sooner", "later")},
    "choice": Code({0: "sooner", 1: "later"}, empty="no response"),
}
_OFFER = [name for name in COLUMNS if name != "choice"]


class Offers(NamedTuple):
    """Offers of a table as a world, the choices, and ``(S, 2)`` delays and amounts (sooner, later)."""

    world: gi.World
    data: gi.Trajectories
    delay: np.ndarray
    amount: np.ndarray
    subject: np.ndarray  # (S,) by number
    names: list[Hashable]

    def behavior(self, k: Numeric, beta: Numeric, variant: str, like: gi.Trajectories | None = None) -> gi.Behavior:
        """Make the distribution of choices, given one k and one beta per subject."""
        check_variant(variant, VARIANTS)
        rate = jnp.asarray(k)[self.subject][:, None]
        factor = 1.0 / (1.0 + rate * self.delay) if variant == "hyperbolic" else jnp.exp(-rate * self.delay)
        agent = gi.agents.boltzmann(beta=jnp.asarray(beta)[self.subject], depth=1)
        return gi.Behavior(self.world, agent, gi.ActionReward(self.amount * factor), like=like)


def offers(table: pd.DataFrame) -> Offers:
    """Check the table and make the world: a state for every distinct offer to a subject; the last state is terminal."""
    read = checked_table(table, COLUMNS, choices=["choice"])
    read.refuse(
        read["delay_sooner"] > read["delay_later"],
        lambda i: (
            f"delay_sooner is {read['delay_sooner'][i]:g} and delay_later is {read['delay_later'][i]:g}; expected the "
            "sooner delay to be the shorter one: exchange the columns of the two offers"
        ),
    )
    rows = pd.DataFrame({name: read[name] for name in _OFFER})
    different = rows.drop_duplicates().reset_index(drop=True)
    count = len(different)
    world = gi.from_arrays(
        successors=np.full((count + 1, 2, 1), count),
        probabilities=np.ones((count + 1, 2, 1)),
        terminal=[count],
        discount=1.0,
        actions=["sooner", "later"],
    )
    number = different.reset_index(names="state")
    state = rows.merge(number, how="left", on=_OFFER)["state"].to_numpy()
    subject = different["subjID"].to_numpy()
    states = np.stack([state, np.full(len(state), count)], axis=1)
    owner = rows["subjID"].to_numpy(np.int32)
    data = gi.Trajectories.of(states, read["choice"][:, None], lengths=np.ones(len(state), int), subject=owner)
    end = np.zeros((1, 2))
    delay, amount = (
        np.concatenate([different[[f"{what}_sooner", f"{what}_later"]].to_numpy(float), end])
        for what in ("delay", "amount")
    )
    return Offers(world, data, delay, amount, np.append(subject, 0), list(read.names["subjID"]))


@takes_key
def example(key: PRNGKey, variant: str = "hyperbolic") -> pd.DataFrame:
    """Simulate four subjects with discount rates from .005 to .1 per day, forty offers each."""
    check_variant(variant, VARIANTS)
    rates, betas, days = np.array([0.005, 0.01, 0.03, 0.1]), np.array([1.0, 0.5, 1.0, 0.5]), [1, 7, 30, 90, 180]
    rows = [(p, 0, 10.0, days[i % 5], 11.0 + 1.5 * (i // 5) ** 1.5) for p in range(4) for i in range(40)]
    table = pd.DataFrame(rows, columns=["subjID", "delay_sooner", "amount_sooner", "delay_later", "amount_later"])
    drawn = offers(table.assign(choice=0))
    sampled = drawn.behavior(rates, betas, variant, like=drawn.data).sample(key)
    return table.assign(choice=np.asarray(sampled.actions)[:, 0])


def model(data: pd.DataFrame, variant: str = "hyperbolic") -> dict[str, Any]:
    """Return keyword arguments for ``gi.infer``."""
    check_variant(variant, VARIANTS)
    made = offers(data)

    def prefers(seen: gi.Trajectories | None = None) -> None:
        with numpyro.plate("subject", len(made.names)):
            k = numpyro.sample("k", dist.LogNormal(-4.0, 2.0))
            beta = numpyro.sample("beta", dist.LogNormal(-1.0, 1.0))
        numpyro.sample("choices", made.behavior(k, beta, variant, like=made.data), obs=seen)

    labels = {"dims": {site: ["subject"] for site in _SITES}, "coords": {"subject": made.names}}
    return {"model": prefers, "data": made.data, **labels}
