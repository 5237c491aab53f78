r"""Daw et al. (2011): model-based and model-free learning in the two-step task.

Story
-----
A trial has two choices. The first leads to one of two second states, mostly (7 in 10) to the one of the same number;
the second is rewarded or not, with probabilities that drift and are learned. The learner mixes two values of the first
choice: the expected value of the second state (model-based, weight w) and the value learned from past rewards of the
choice (model-free, weight 1 - w); see :func:`goalinf.agents.two_step` for every update. The eligibility is the weight
of the reward in the update of the first choice, and the repetition is a bonus for the last first choice.

Sites
-----
For each subject separately: ``learning_rate_1``, ``learning_rate_2``, ``eligibility``, ``model_based`` ~ Beta(1.1,
1.1); ``beta_1``, ``beta_2`` ~ LogNormal(1, 0.8), in 1/reward; ``repetition`` ~ Normal(0, 0.5), in reward. The data are
a table with one row per trial, in order: ``subject``, ``choice1`` (0, 1), ``state2`` (0, 1; commonly that of
``choice1``), ``choice2`` (0, 1 within the state), ``reward`` (0, 1). A missed response is an empty cell, and so are the
cells after it in the trial; it is not scored and nothing is learned from it.

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
from goalinf.checks import takes_key
from goalinf.types import Numeric, PRNGKey, Real
from goalinf_models.catalogue import Variant
from goalinf_models.checks import Code, Column, Label, Table, check_variant, checked_table

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
VARIANTS = {"hybrid": Variant(gi.infer, tuple(PRIORS), "is learning model-based or model-free?")}
COLUMNS: dict[str, Column] = {
    "subject": Label(),
    "choice1": Code({0: "", 1: ""}, empty="no response"),
    "state2": Code({0: "", 1: ""}, empty="the trial ended before"),
    "choice2": Code({0: "", 1: ""}, empty="no response"),
    "reward": Code({0: "none", 1: "a reward"}, "no second choice", "code rewards as 1 and everything else as 0"),
}
# Columns of hBayesDM: second-level choices 1 and 2 are those of the state that first-level choice 1 commonly leads to.
HBAYESDM = ("subjID", "level1_choice", "level2_choice", "reward")
_WON, _LOST = 3, 4
_AGAINST = 1e6  # odds above which the states count as numbered in reverse order


def task(odds: Real = 0.5) -> tuple[gi.World, gi.StateReward]:
    """Make the world: first state 0, second states 1 and 2, won 3 and lost 4, then the next trial; a win has reward 1.

    ``odds`` are the probabilities of winning by second state and choice; the learner does not plan with them.
    """
    P = np.zeros((5, 2, 5))
    P[0, :, 1:3] = [[COMMON, 1 - COMMON], [1 - COMMON, COMMON]]
    P[1:3, :, _WON], P[1:3, :, _LOST] = odds, 1.0 - np.asarray(odds)
    P[_WON:, :, 0] = 1.0
    available = np.array([[True, True]] * 3 + [[True, False]] * 2)
    world = gi.from_arrays(P, available=available, initial=np.eye(5)[0], discount=1.0)
    return world, gi.StateReward(np.eye(5)[_WON], on="arrival")


def hbayesdm(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of hBayesDM (``subjID``, ``level1_choice`` 1 or 2, ``level2_choice`` 1 to 4, ``reward``) as ours.

    Raises
    ------
    ValueError
        Where a column is missing, or a choice has another code.
    """
    if missing := [name for name in HBAYESDM if name not in table]:
        raise ValueError(f"the table has no column {missing[0]!r}; hBayesDM's has {', '.join(HBAYESDM)}")
    for name, codes in (("level1_choice", (1, 2)), ("level2_choice", (1, 2, 3, 4))):
        wrong = table[name].notna() & ~table[name].isin(codes)
        if wrong.any():
            row = int(np.argmax(wrong.to_numpy()))
            raise ValueError(
                f"row {table.index[row]}: {name} is {table[name].iloc[row]}; expected {', '.join(map(str, codes))}, "
                "or an empty cell for no response"
            )
    second = table["level2_choice"] - 1
    choices = {"choice1": table["level1_choice"] - 1, "state2": second // 2, "choice2": second % 2}
    return pd.DataFrame({"subject": table["subjID"], **choices, "reward": table["reward"]})


def recorded(table: pd.DataFrame) -> tuple[gi.World, gi.Trajectories]:
    """Return the task with two steps per trial, and the choices with their rewards: for ``gi.RecordedReward()``.

    For parameters by subject in the notation of agents, such as ``gi.agents.two_step(model_based=gi.partial_pooling(…),
    …)``; :func:`model` has one posterior for each subject.
    """
    P = np.zeros((3, 2, 3))
    P[0, :, 1:] = [[COMMON, 1 - COMMON], [1 - COMMON, COMMON]]
    P[1:, :, 0] = 1.0
    world = gi.from_arrays(P, initial=np.eye(3)[0], discount=1.0)
    read = checked(table)
    names = tuple(read.names["subject"])
    second, count = read["choice2"], np.bincount(read["subject"])
    columns = {
        "states": (0 * second, 1 + np.maximum(read["state2"], 0)),  # any state where a trial ended before
        "actions": (read["choice1"], second),
        "outcomes": (np.full(len(second), np.nan), np.where(second >= 0, np.maximum(read["reward"], 0.0), np.nan)),
    }
    arrays = {name: np.full((len(names), 2 * count.max()), np.nan) for name in columns}
    for n in range(len(names)):
        for name, pair in columns.items():
            arrays[name][n, : 2 * count[n]] = np.stack(pair, axis=1)[read["subject"] == n].ravel()
    states, actions = (np.nan_to_num(arrays[name], nan=-1.0).astype(int) for name in ("states", "actions"))
    states = np.pad(states, ((0, 0), (0, 1)), constant_values=-1)
    states[np.arange(len(names)), 2 * count] = 0
    settings = {"lengths": 2 * count, "subject": np.arange(len(names)), "outcomes": arrays["outcomes"]}
    return world, gi.Trajectories.of(states, actions, **settings, labels=gi.data.Labels(names, names, (0,)))


def checked(table: pd.DataFrame) -> Table:
    """Check every row, and that first choices mostly lead to their common second states.

    Raises
    ------
    ValueError
        As :func:`goalinf_models.checks.checked_table`; where a second choice, its state and its reward contradict one
        another; where states seem to be numbered in reverse order.
    """
    read = checked_table(table, COLUMNS, choices=["choice1", "choice2"])
    state, second, won = (read[name] for name in ("state2", "choice2", "reward"))
    read.refuse((second >= 0) & (state < 0), lambda i: "state2 is empty; expected 0 or 1, for choice2 is given")
    read.refuse((second >= 0) & (won < 0), lambda i: "reward is empty; expected 0 or 1, for choice2 is given")
    read.refuse((second < 0) & (won > 0), lambda i: "choice2 is empty, but reward is 1; expected a choice or no reward")
    moved, is_common = (read["choice1"] >= 0) & (state >= 0), read["choice1"] == state
    for number, name in enumerate(read.names["subject"]):
        common = is_common[moved & (read["subject"] == number)]
        if (common.size - 2 * common.sum()) * np.log(COMMON / (1.0 - COMMON)) > np.log(_AGAINST):
            raise ValueError(
                f"subject {name!r}: choice1 leads to state2 of the same number in {common.sum()} of {common.size} "
                f"trials; expected about {COMMON:.0%}: number the second states in reverse order (1 - state2)"
            )
    return read


def lives(table: pd.DataFrame) -> tuple[gi.Trajectories, list[Any]]:
    """Make one trajectory per subject, with three steps per trial, and return the names of the subjects.

    A trial that ended early continues without a choice: these steps are neither scored nor learned from.
    """
    read = checked(table)
    names, count = read.names["subject"], np.bincount(read["subject"])
    first, second = read["choice1"], read["choice2"]
    came = np.where(read["reward"] > 0, _WON, _LOST)
    visited = np.stack([0 * first, 1 + np.maximum(read["state2"], 0), came], axis=1)
    done, longest = np.stack([first, second, 0 * first], axis=1), 3 * count.max()
    states, actions = np.full((len(names), longest + 1), -1), np.full((len(names), longest), -1)
    for n in range(len(names)):
        rows = read["subject"] == n
        actions[n, : 3 * count[n]] = done[rows].ravel()
        states[n, : 3 * count[n] + 1] = [*visited[rows].ravel(), 0]
    return gi.Trajectories.of(states, actions, lengths=3 * count, subject=np.arange(len(names))), list(names)


def log_likelihood(parameters: dict[str, Any], data: gi.Trajectories) -> jax.Array:
    """Compute the log-probability of the choices of every subject, ``(P,)``, given parameters ``(P,)``."""
    (world, reward), zero = task(), jnp.zeros(1, int)

    def one(values: dict[str, Any], states: Numeric, actions: Numeric, seen: Numeric, length: Numeric) -> jax.Array:
        alone: dict[str, Any] = {"lengths": length[None], "observed": seen[None], "subject": zero, "context": zero}
        life = gi.Trajectories.traced(jnp.asarray(states)[None], jnp.asarray(actions)[None], **alone)
        return jnp.asarray(gi.Behavior(world, gi.agents.two_step(**values), reward).log_prob(life))

    return jax.vmap(one)(parameters, *map(jnp.asarray, (data.states, data.actions, data.observed, data.lengths)))


@takes_key
def example(key: PRNGKey, variant: str = "hybrid") -> pd.DataFrame:
    """Simulate four subjects from model-free to model-based, 150 trials each; one of four choices mostly wins."""
    check_variant(variant, VARIANTS)
    world, reward = task(np.array([[0.2, 0.4], [0.8, 0.3]]))
    tables = []
    rates: dict[str, Any] = {"learning_rate_1": 0.5, "learning_rate_2": 0.5, "beta_1": 5.0, "beta_2": 4.0}
    for subject, w in enumerate([0.0, 0.3, 0.7, 1.0]):
        learner = gi.agents.two_step(**rates, eligibility=0.6, repetition=0.1, model_based=w)
        life = gi.simulate(jax.random.fold_in(key, subject), world, learner, reward, trajectories=1, steps=450)
        done, visited = (np.reshape(steps, (150, 3)).T for steps in (life.actions[0], life.states[0, :450]))
        trials = {"choice1": done[0], "state2": visited[1] - 1, "choice2": done[1], "reward": visited[2] == _WON}
        tables.append(pd.DataFrame({"subject": subject, **trials}).astype(int))
    return pd.concat(tables, ignore_index=True)


def model(data: pd.DataFrame, variant: str = "hybrid") -> dict[str, Any]:
    """Return keyword arguments for ``gi.infer``."""
    check_variant(variant, VARIANTS)
    seen, names = lives(data)

    def learns(life: gi.Trajectories) -> None:
        with numpyro.plate("subject", len(names)):
            parameters = {name: numpyro.sample(name, prior) for name, prior in PRIORS.items()}
        numpyro.factor("choices", log_likelihood(parameters, life).sum())

    return {"model": learns, "data": seen, "dims": {name: ["subject"] for name in PRIORS}, "coords": {"subject": names}}
