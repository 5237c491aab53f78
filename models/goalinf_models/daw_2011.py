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
For each subject separately: ``agent.learning_rate_1``, ``agent.learning_rate_2``, ``agent.eligibility``,
``agent.model_based`` ~ Beta(1.1, 1.1); ``agent.beta_1``, ``agent.beta_2`` ~ LogNormal(1, 0.8), in 1/reward;
``agent.repetition`` ~ Normal(0, 0.5), in reward. The data are a table with one row per trial, in order: ``subject``,
``choice1`` (0, 1), ``state2`` (0, 1; commonly that of ``choice1``), ``choice2`` (0, 1 within the state), ``reward`` (0,
1). A missed response is an empty cell, and so are the cells after it in the trial; it is not scored and nothing is
learned from it. For a group give ``gi.infer`` the world and the data of :func:`recorded` and an agent with
``gi.partial_pooling``.

References
----------
Daw, N. D., Gershman, S. J., Seymour, B., Dayan, P. and Dolan, R. J. (2011). Model-based influences on humans' choices
and striatal prediction errors. *Neuron*, 69(6), 1204-1215. The priors are ours.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd

import goalinf as gi
from goalinf.checks import takes_key
from goalinf.types import PRNGKey, Real
from goalinf_models.catalogue import Variant
from goalinf_models.checks import Code, Column, Label, Table, check_variant, checked_table

COMMON = 0.7
PRIORS: dict[str, dist.Distribution] = {
    **dict.fromkeys(("learning_rate_1", "learning_rate_2", "eligibility", "model_based"), dist.Beta(1.1, 1.1)),
    **dict.fromkeys(("beta_1", "beta_2"), dist.LogNormal(1.0, 0.8)),
    "repetition": dist.Normal(0.0, 0.5),
}
_SITES = tuple(f"agent.{name}" for name in PRIORS)
VARIANTS = {"hybrid": Variant(gi.infer, _SITES, "is learning model-based or model-free?")}
COLUMNS: dict[str, Column] = {
    "subject": Label(),
    "choice1": Code({0: "", 1: ""}, empty="no response"),
    "state2": Code({0: "", 1: ""}, empty="the trial ended before"),
    "choice2": Code({0: "", 1: ""}, empty="no response"),
    "reward": Code({0: "none", 1: "a reward"}, "no second choice", "code rewards as 1 and everything else as 0"),
}
HBAYESDM: dict[str, Column] = {  # second choices 1 and 2 are those of the state to which the first choice 1 often leads
    "subjID": Label(),
    "level1_choice": Code({1: "", 2: ""}, empty="no response"),
    "level2_choice": Code(dict.fromkeys((1, 2, 3, 4), ""), empty="no response"),
    "reward": COLUMNS["reward"],
}
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
        As :func:`goalinf_models.checks.checked_table`.
    """
    read = checked_table(table, HBAYESDM, choices=["level1_choice", "level2_choice"])
    first, second, won = (np.where(read[name] < 0, np.nan, read[name]) for name in list(HBAYESDM)[1:])
    choices = {"choice1": first - 1, "state2": (second - 1) // 2, "choice2": (second - 1) % 2, "reward": won}
    return pd.DataFrame({"subject": table["subjID"], **choices}, index=table.index)


def recorded(table: pd.DataFrame) -> tuple[gi.World, gi.Trajectories]:
    """Return the task with two steps per trial, and one trajectory per subject, with the rewards as outcomes."""
    P = np.zeros((3, 2, 3))
    P[0, :, 1:] = [[COMMON, 1 - COMMON], [1 - COMMON, COMMON]]
    P[1:, :, 0] = 1.0
    world = gi.from_arrays(P, initial=np.eye(3)[0], discount=1.0)
    read, subject = checked(table), table["subject"].to_numpy()
    trial = pd.Series(read["subject"]).groupby(read["subject"]).cumcount().to_numpy()
    steps = {
        "subject": (subject, subject),
        "step": (2 * trial, 2 * trial + 1),
        "state": (0 * trial, 1 + np.maximum(read["state2"], 0)),  # any state where a trial ended before
        "action": [np.where(choice < 0, np.nan, choice) for choice in (read["choice1"], read["choice2"])],
        "outcome": (np.full(len(trial), np.nan), np.where(read["choice2"] < 0, np.nan, read["reward"])),
    }
    rows = pd.DataFrame({name: np.concatenate(both) for name, both in steps.items()})
    return world, gi.read_trajectories(rows, world, trajectory="subject", **{name: name for name in steps})


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
    world, choices = recorded(data)
    agent = gi.agents.two_step(**{name: gi.no_pooling(prior, by="subject") for name, prior in PRIORS.items()})
    return {"world": world, "agent": agent, "reward": gi.RecordedReward(), "data": choices}
