"""Power: precision of a parameter for experiments of several sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from itertools import product
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from goalinf.agents.agent import Agent
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import PRNGKey, check_count, takes_key
from goalinf.data import Trajectories
from goalinf.display import number as shown
from goalinf.inference.model.models import StandardModel
from goalinf.workflow.design_table import design
from goalinf.workflow.recovery import Recovery, checked_model, recover
from goalinf.workflow.runs import Client
from goalinf.workflow.simulated_data import as_template


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Power:
    """Precision of a parameter by size of the experiment.

    Parameters
    ----------
    table : DataFrame
        One row per design: ``subjects``, ``trajectories`` (of each subject, in each context and session), ``steps``
        (decisions of all subjects together); ``width``, the mean width of 90 % intervals, and its standard error over
        runs ``se``; ``rmse`` of posterior means; ``coverage`` of the intervals; ``excludes``, the share of intervals
        without ``reference``; ``failed``, the number of fits that did not converge; ``sufficient``.
    parameter : str
        Name of the parameter.
    precision : float
        Largest mean width that is sufficient, in units of the parameter.
    reference : float
        Value whose exclusion is counted.
    """

    table: pd.DataFrame
    parameter: str
    precision: float
    reference: float

    @property
    def smallest(self) -> pd.Series | None:
        """Sufficient design with the fewest decisions; None where no design is sufficient."""
        sufficient = self.table[self.table["sufficient"]]
        return None if sufficient.empty else sufficient.sort_values("steps", kind="stable").iloc[0]

    def __repr__(self) -> str:
        found = self.smallest
        required = f"a mean width of the 90 % interval of {self.parameter} of at most {shown(self.precision)}"
        if found is None:
            verdict = f"No design has {required}."
        else:
            verdict = (
                f"Smallest design with {required}: {found['subjects']} subjects with {found['trajectories']} "
                f"trajectories each ({shown(found['width'])})."
            )
        failed = int(self.table["failed"].sum())
        note = f"\n{failed} fits did NOT converge; their estimates are included." if failed else ""
        return f"{self.table.map(shown).to_string(index=False)}\n{verdict}{note}"


@takes_key
def power(
    key: PRNGKey,
    world: Worlds,
    *,
    agent: Agent,
    reward: Rewards,
    parameter: str,
    precision: float,
    subjects: Sequence[int],
    trajectories: Sequence[int],
    steps: int,
    sessions: Sequence[Hashable] | None = None,
    reference: float = 0.0,
    runs: int = 20,
    chains: int = 2,
    draws: int = 500,
    method: str = "laplace",
    out: str | Path | None = None,
    workers: int = 1,
    client: Client | None = None,
) -> Power:
    """Find the size of an experiment from which a parameter is known with a stated precision.

    For every number of subjects and of trajectories, data are simulated from the priors and fitted
    (:func:`~goalinf.recover`). Narrow priors of the group describe the effect that is expected.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world : World or mapping from context to World
        World of the experiment. With a mapping every subject acts in all contexts.
    agent, reward : Agent, and Reward or mapping from context to it
        Model: its priors are drawn, and it is fitted.
    parameter : str
        Name of a parameter, such as ``"agent.beta.mean"``, or of a difference, such as ``"agent.beta.session"`` of a
        regression. Of a parameter with several values, all count.
    precision : float
        Largest mean width of 90 % intervals that is sufficient, in units of the parameter.
    subjects, trajectories : sequence of int
        Numbers of subjects, and of trajectories of each in every context and session; all pairs are designs.
    steps : int
        Largest number of decisions in a trajectory.
    sessions : sequence, optional
        Names of the sessions, the column ``session`` of the designs.
    reference : float
        Value that intervals exclude or not, such as 0 for a difference.
    runs : int
        Number of simulated data sets of every design.
    chains, draws, method
        Of every fit; see :func:`~goalinf.recover`.
    out : path, optional
        Folder with one folder for each design. An interrupted call goes on where it stopped.
    workers, client
        See :func:`~goalinf.recover`.

    Returns
    -------
    Power

    Raises
    ------
    ValueError
        Where the model has no such parameter, a number is not positive, or the folder holds runs of other settings.

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> agent = gi.agents.boltzmann(beta=dist.LogNormal(0.5, 0.3))
    >>> sizes = {"subjects": [1], "trajectories": [2, 20], "steps": 8}
    >>> found = gi.power(0, hall, agent=agent, reward=reward, parameter="agent.beta", precision=1.0, runs=2, **sizes)
    >>> bool(found.table["width"].iloc[1] < found.table["width"].iloc[0])
    True
    """
    if not (isinstance(precision, (int, float)) and precision > 0):
        raise ValueError(f"precision is {precision!r}; expected a positive width, in units of the parameter")
    for name, sizes in (("subjects", subjects), ("trajectories", trajectories)):
        if isinstance(sizes, (int, np.integer, str)) or not len(sizes):
            raise ValueError(f"{name} is {sizes!r}; expected a list of numbers, such as [10, 20, 40]")
        for size in sizes:
            check_count(name, size)
    model, rows = checked_model(world, agent, reward), []
    for people, count in product(map(int, subjects), map(int, trajectories)):
        like = design(world, subjects=people, trajectories=count, steps=steps, sessions=sessions)
        _check_parameter(parameter, model, as_template(key, world, like))
        recovery = recover(
            jax.random.fold_in(jax.random.fold_in(key, people), count),
            world,
            agent=agent,
            reward=reward,
            like=like,
            runs=runs,
            chains=chains,
            draws=draws,
            method=method,
            out=None if out is None else Path(out) / f"{people}-subjects-{count}-trajectories",
            workers=workers,
            client=client,
        )
        sizes_of_design = {"subjects": people, "trajectories": count, "steps": int(like["steps"].sum())}
        rows.append(sizes_of_design | _row(recovery, parameter, precision, reference))
    return Power(pd.DataFrame(rows), parameter, float(precision), float(reference))


def _row(recovery: Recovery, parameter: str, precision: float, reference: float) -> dict[str, float | int | bool]:
    """Summarize the estimates of the parameter for one design."""
    table = recovery.estimates[recovery.estimates["parameter"] == parameter]
    width = table["high"] - table["low"]
    by_run = width.groupby(table["run"]).mean()
    return {
        "width": float(by_run.mean()),
        "se": float(by_run.std(ddof=1) / np.sqrt(len(by_run))) if len(by_run) > 1 else np.nan,
        "rmse": float(np.sqrt(((table["mean"] - table["true"]) ** 2).mean())),
        "coverage": float(((table["low"] <= table["true"]) & (table["true"] <= table["high"])).mean()),
        "excludes": float(((table["low"] > reference) | (table["high"] < reference)).mean()),
        "failed": recovery.failed,
        "sufficient": bool(by_run.mean() <= precision),
    }


def _check_parameter(parameter: str, model: StandardModel, data: Trajectories) -> None:
    """Refuse the name of a number that the model does not infer."""
    known = [site.name for site in model.sites(data)]
    if parameter not in known:
        raise ValueError(f"parameter is {parameter!r}; the unknown numbers of the model are {', '.join(known)}")
