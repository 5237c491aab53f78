r"""Habit or plan? Model-based and model-free learning in the two-step task.

Story
-----
A trial has two choices. The first leads to one of two second states, mostly (7 in 10) to the one of the same number;
the second is rewarded or not, by odds that drift and have to be learned. The learner mixes two values of the first
choice: what its likely second state is worth by now (model-based, w) and what the choice itself brought (model-free,
1 - w); see :func:`goalinf.two_step` for every update. A reward reaches back to the first choice by the eligibility, and
the last first choice is liked for its own sake by the repetition.

Sites
-----
For each subject by itself: ``learning_rate_1``, ``learning_rate_2``, ``eligibility``, ``model_based`` ~ Beta(1.1, 1.1);
``beta_1``, ``beta_2`` ~ LogNormal(1, 0.8), in 1/reward; ``repetition`` ~ Normal(0, 0.5), in reward.

The data are a table with one row per trial, in order: ``subject``, ``choice1`` (0, 1), ``state2`` (0, 1; commonly that
of ``choice1``), ``choice2`` (0, 1 within the state), ``reward`` (0, 1).

References
----------
Daw, N. D., Gershman, S. J., Seymour, B., Dayan, P. and Dolan, R. J. (2011). Model-based influences on humans' choices
and striatal prediction errors. *Neuron*, 69(6), 1204-1215. The priors are ours.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd

import goalinf as gi
from goalinf.checks import PRNGKey, takes_key
from goalinf_models.catalogue import Variant

COMMON = 0.7
PRIORS = {
    "learning_rate_1": dist.Beta(1.1, 1.1),
    "learning_rate_2": dist.Beta(1.1, 1.1),
    "beta_1": dist.LogNormal(1.0, 0.8),
    "beta_2": dist.LogNormal(1.0, 0.8),
    "eligibility": dist.Beta(1.1, 1.1),
    "repetition": dist.Normal(0.0, 0.5),
    "model_based": dist.Beta(1.1, 1.1),
}
VARIANTS = {"hybrid": Variant(gi.infer, tuple(PRIORS), "habit or plan?")}
_WON, _LOST = 3, 4


def task(odds: Any = 0.5) -> tuple[gi.World, gi.StateReward]:
    """First state 0, second ones 1 and 2, won 3 and lost 4, after which the next trial begins; a win is worth 1.

    ``odds`` of winning by second state and choice; nobody plans with them.
    """
    P = np.zeros((5, 2, 5))
    P[0, :, 1:3] = [[COMMON, 1 - COMMON], [1 - COMMON, COMMON]]
    P[1:3, :, _WON], P[1:3, :, _LOST] = odds, 1.0 - np.asarray(odds)
    P[_WON:, :, 0] = 1.0
    available = np.array([[True, True]] * 3 + [[True, False]] * 2)
    world = gi.from_arrays(P, available=available, initial=np.eye(5)[0], discount=1.0)
    return world, gi.StateReward(np.eye(5)[_WON], on="arrival")


def lives(table: pd.DataFrame) -> tuple[gi.Trajectories, list[Any]]:
    """All trials of a subject as one trajectory of three steps each, and the names of the subjects."""
    names, each = zip(*table.groupby("subject", sort=True), strict=True)
    longest = max(map(len, each))
    states = np.full((len(each), 3 * longest + 1), -1)
    actions = np.full((len(each), 3 * longest), -1)
    for n, trials in enumerate(each):
        won = np.where(trials["reward"] > 0, _WON, _LOST)
        visited = np.stack([np.zeros(len(trials), int), 1 + trials["state2"], won], axis=1)
        done = np.stack([trials["choice1"], trials["choice2"], np.zeros(len(trials), int)], axis=1)
        states[n, : visited.size] = visited.ravel()
        actions[n, : done.size] = done.ravel()
        states[n, visited.size] = 0
    lengths = np.array([3 * len(trials) for trials in each], np.int32)
    data = gi.Trajectories.of(states, actions, lengths=lengths, subject=np.arange(len(each), dtype=np.int32))
    return data, list(names)


def log_likelihood(parameters: dict[str, Any], data: gi.Trajectories) -> Any:
    """Log-probability of every subject's choices, ``(P,)``, given parameters ``(P,)``."""
    world, reward = task()
    zero = jnp.zeros(1, int)

    def one(values: dict[str, Any], states: Any, actions: Any, observed: Any, length: Any) -> Any:
        alone = {"lengths": length[None], "observed": observed[None], **dict.fromkeys(("subject", "context"), zero)}
        life = gi.Trajectories.traced(states[None], actions[None], **alone)
        return gi.Behavior(world, gi.two_step(**values), reward).log_prob(life)

    return jax.vmap(one)(parameters, *map(jnp.asarray, (data.states, data.actions, data.observed, data.lengths)))


@takes_key
def example(key: PRNGKey, variant: str = "hybrid") -> pd.DataFrame:
    """Four subjects from habit to plan, 150 trials each; three of four second choices win less often than not."""
    world, reward = task(np.array([[0.2, 0.4], [0.8, 0.3]]))
    tables = []
    for subject, w in enumerate([0.0, 0.3, 0.7, 1.0]):
        learner = gi.two_step(0.5, 0.5, beta_1=5.0, beta_2=4.0, eligibility=0.6, repetition=0.1, model_based=w)
        life = gi.simulate(jax.random.fold_in(key, subject), world, learner, reward, trajectories=1, steps=450)
        done, visited = (np.reshape(steps, (150, 3)).T for steps in (life.actions[0], life.states[0, :450]))
        trials = {"choice1": done[0], "state2": visited[1] - 1, "choice2": done[1], "reward": visited[2] == _WON}
        tables.append(pd.DataFrame({"subject": subject, **trials}).astype(int))
    return pd.concat(tables, ignore_index=True)


def model(data: pd.DataFrame, variant: str = "hybrid") -> dict[str, Any]:
    """Keyword arguments for ``gi.infer``."""
    seen, names = lives(data)

    def learns(life: gi.Trajectories) -> None:
        with numpyro.plate("subject", len(names)):
            parameters = {name: numpyro.sample(name, prior) for name, prior in PRIORS.items()}
        numpyro.factor("choices", log_likelihood(parameters, life).sum())

    return {"model": learns, "data": seen, "dims": {name: ["subject"] for name in PRIORS}, "coords": {"subject": names}}
