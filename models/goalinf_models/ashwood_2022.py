r"""Ashwood, Jha and Pillow (2022): rewards whose weights drift in the course of a run.

Story
-----
A mouse in a labyrinth runs to water first and home later. K maps give a reward to every node; the weight of each map
drifts from step to step, and at each step the agent plans with the current reward,

.. math:: r_t(s) = \sum_k \alpha_{tk}\,u_k(s),\quad
    \alpha_{tk} = \alpha_0 + \tau \sum_{i \le t} z_{ik},\quad z \sim N(0, 1),

as if it were constant: it is soft-optimal with a discount. Every step is a context, and all of them
share the maps.

Sites
-----
``maps`` (map, state) ~ Normal(0, 1), utility; ``innovations`` (step, map) ~ Normal(0, 1); ``weights`` (step, map) is
their cumulative sum, with :math:`\tau = 0.5` and :math:`\alpha_0 = 1/K`; ``reward`` (step, state) is r. Maps can be
exchanged and mixed with compensating weights, so that the posterior of the reward is reported. beta is 1 and the
discount 0.9: only beta times the reward is identified, and in one world the discount is not
(``gi.identify.null_space``).

The data are a table with one row per step: ``traj``, ``t``, ``state`` and ``action``, nodes numbered like a heap (0 the
root, 2s+1 and 2s+2 the children of s), actions 0 left child, 1 right child, 2 back, 3 stay; a move into a wall stays.
Steps are counted from 0 and consecutive in a run; an empty action is not scored.

References
----------
Ashwood, Z. C., Jha, A. and Pillow, J. W. (2022). Dynamic inverse reinforcement learning for characterizing animal
behavior. *Advances in Neural Information Processing Systems*, 35. The priors are ours.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd

import goalinf as gi
from goalinf.checks import numpy_generator, takes_key
from goalinf.types import Numeric, PRNGKey
from goalinf_models.catalogue import Variant
from goalinf_models.checks import Code, Column, Label, Quantity, check_variant, checked_table

VARIANTS = {
    name: Variant(gi.infer, ("reward",), "what is the reward at every step?") for name in ("two maps", "one map")
}
VARIANTS["static"] = Variant(gi.infer, ("maps",), "what is the reward, if it is constant?")
COLUMNS: dict[str, Column] = {
    "traj": Label(),
    "t": Quantity(0, "steps", whole=True),
    "state": Quantity(0, "number of a node", whole=True),
    "action": Code({0: "left child", 1: "right child", 2: "back", 3: "stay"}, empty="no choice was recorded"),
}
_AGENT = gi.agents.soft_optimal(beta=1.0)
_DRIFT = 0.5


def labyrinth(levels: int) -> gi.World:
    """Make a binary tree with moves back and staying; nodes are numbered like a heap."""
    count = 2 ** (levels + 1) - 1
    node = np.arange(count)
    moves = [2 * node + 1, 2 * node + 2, (node - 1) // 2, node]
    successors = np.stack([np.where((to >= 0) & (to < count), to, node) for to in moves], axis=1)
    return gi.from_arrays(
        successors=successors[..., None],
        probabilities=np.ones((count, 4, 1)),
        initial=np.eye(count)[0],
        discount=0.9,
        actions=["left", "right", "back", "stay"],
    )


def steps(table: pd.DataFrame, *, levels: int = 2) -> gi.Trajectories:
    """Check the table and make every step a trajectory whose context is the step number."""
    read = checked_table(table, COLUMNS, choices=["action"])
    if read["t"].min() > 0:
        raise ValueError(f"column 't' begins at {read['t'].min()}; expected steps that are counted from 0")
    # As a table of whole runs: every move is possible in this labyrinth, and no step is missing or duplicate.
    gi.read_trajectories(table, labyrinth(levels), trajectory="traj", step="t", state="state", action="action")
    count = len(table)
    states = np.stack([read["state"], np.full(count, -1)], axis=1)
    return gi.Trajectories.of(states, read["action"][:, None], lengths=np.ones(count, int), context=read["t"])


def drifted(innovations: Numeric) -> Numeric:
    """Compute the weights of the maps at every step, ``(T, K)``."""
    return 1.0 / innovations.shape[1] + _DRIFT * innovations.cumsum(axis=0)


def behavior(world: gi.World, maps: Numeric, weights: Numeric) -> gi.Behavior:
    """Make the distribution of actions at every step, given the maps ``(K, S)`` and their weights ``(T, K)``."""
    rewards: dict[int, gi.Reward] = {t: gi.StateReward(weights[t] @ maps, on="departure") for t in range(len(weights))}
    return gi.Behavior(world, _AGENT, rewards, contexts=range(len(weights)))


@takes_key
def example(key: PRNGKey, variant: str = "two maps") -> pd.DataFrame:
    """Simulate a hundred runs of eight steps in a small labyrinth: to the water at a leaf, and home."""
    check_variant(variant, VARIANTS)
    world, n_steps, runs = labyrinth(2), 8, 100
    maps = np.zeros((2, world.n_states))
    maps[0, 5], maps[1, 0] = 2.0, 2.0
    thirst = 1.0 / (1.0 + np.exp(2.0 * np.arange(n_steps) - 7.0))
    policies = np.exp(behavior(world, maps, np.stack([thirst, 1.0 - thirst], axis=1)).policy.log_probs)
    rng = numpy_generator(key)
    rows, state = [], np.zeros(runs, int)
    for t in range(n_steps):
        action = np.array([rng.choice(4, p=policies[t, s]) for s in state])
        rows += [(run, t, state[run], action[run]) for run in range(runs)]
        state = np.asarray(world.mdp.successors)[state, action, 0]
    return pd.DataFrame(rows, columns=["traj", "t", "state", "action"])


def model(data: pd.DataFrame, variant: str = "two maps", *, levels: int = 2) -> dict[str, Any]:
    """Return keyword arguments for ``gi.infer``; ``levels`` are those of the labyrinth."""
    check_variant(variant, VARIANTS)
    world, seen_steps = labyrinth(levels), steps(data, levels=levels)
    n_steps = int(seen_steps.context.max()) + 1
    n_maps = 2 if variant == "two maps" else 1

    def drifting(seen: gi.Trajectories | None = None) -> None:
        maps = numpyro.sample("maps", dist.Normal(0.0, 1.0).expand([n_maps, world.n_states]).to_event(2))
        weights = jnp.ones((n_steps, 1))
        if variant != "static":
            innovations = numpyro.sample("innovations", dist.Normal(0.0, 1.0).expand([n_steps, n_maps]).to_event(2))
            weights = numpyro.deterministic("weights", drifted(innovations))
            numpyro.deterministic("reward", weights @ maps)
        numpyro.sample("choices", behavior(world, maps, weights), obs=seen)

    dims = {"maps": ["map", "state"], "innovations": ["step", "map"], "weights": ["step", "map"]}
    dims["reward"] = ["step", "state"]
    coords = {"map": range(n_maps), "state": list(world.states), "step": range(n_steps)}
    # The trade-off between maps and weights makes the posterior strongly curved, which requires small steps.
    steady = {"method": "nuts", "target_accept": 0.99} if variant == "two maps" else {}
    return {"model": drifting, "data": seen_steps, "dims": dims, "coords": coords, **steady}
