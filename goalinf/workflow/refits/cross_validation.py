"""K-fold cross-validation: every fold of the data is scored by a fit of the other folds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pandas as pd

from goalinf.checks import PRNGKey, check_choice, check_count, check_kind, takes_key
from goalinf.data import Trajectories
from goalinf.data.trajectory_arrays import many
from goalinf.display import number as shown
from goalinf.inference import _arviz
from goalinf.inference.left_out_fits import scores_by_unit, with_names
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_data import check_data
from goalinf.workflow.estimates import Sampling, numbered_key
from goalinf.workflow.runs import Client, Result, identity, run_all


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """Held-out log predictive densities of all units.

    Parameters
    ----------
    table : DataFrame
        One row per unit: ``fold``, ``choices`` (observed actions), ``log_density`` (nats), ``converged`` (of the fit
        of the other folds).
    unit : str
        ``"subject"`` or ``"trajectory"``.
    """

    table: pd.DataFrame
    unit: str

    @property
    def elpd(self) -> float:
        """Expected log predictive density: the sum over units, in nats."""
        return float(self.table["log_density"].sum())

    @property
    def se(self) -> float:
        """Standard error of :attr:`elpd`, over units."""
        return _arviz.standard_error(self.table["log_density"].to_numpy())

    def minus(self, other: CrossValidation) -> pd.Series:
        """Return the difference of elpd from another model, ``elpd_diff``, and its standard error over units, ``dse``.

        Raises
        ------
        ValueError
            Where the other model was scored on other units, or in other folds.
        """
        columns = ["fold", "choices"]
        if self.unit != other.unit or not self.table[columns].equals(other.table[columns]):
            raise ValueError("the two cross-validations have other units or folds: use the same data, k, unit and seed")
        difference = (self.table["log_density"] - other.table["log_density"]).to_numpy()
        return pd.Series({"elpd_diff": float(difference.sum()), "dse": _arviz.standard_error(difference)})

    def __repr__(self) -> str:
        folds, choices = self.table["fold"].nunique(), int(self.table["choices"].sum())
        text = (
            f"{folds}-fold cross-validation by {self.unit}: elpd {shown(self.elpd)} (se {shown(self.se)}), "
            f"{shown(-self.elpd / choices)} nats per choice"
        )
        failed = int((~self.table.groupby("fold")["converged"].first()).sum())
        return text + (f"\n{failed} of {folds} fits did NOT converge; their scores are included." if failed else "")


@dataclasses.dataclass(frozen=True)
class _Fold:
    """Fit of all folds but one, and scores of this one."""

    key_data: np.ndarray
    model: StandardModel
    data: Trajectories
    folds: np.ndarray
    unit: str
    sampling: Sampling

    def __call__(self, number: int) -> Result:
        held_out = self.data.select(self.folds == number)
        fit = self.sampling.fit(numbered_key(self.key_data, number), self.model, self.data.select(self.folds != number))
        scores = scores_by_unit(fit, held_out, self.unit)
        every = self.data.names(self.unit)
        return {
            "converged": bool(fit.converged),
            "number": [every.index(name) for name in scores.index],
            "choices": [int(count) for count in scores["choices"]],
            "log_density": scores["log_density"].tolist(),
        }


@takes_key
def kfold(
    key: PRNGKey,
    fit: Fit,
    *,
    k: int = 10,
    unit: str = "subject",
    seed: int = 0,
    chains: int = 4,
    draws: int = 500,
    method: str = "auto",
    out: str | Path | None = None,
    workers: int = 1,
    client: Client | None = None,
) -> CrossValidation:
    r"""Score every fold of the data by a fit of the other folds.

    .. math:: \mathrm{elpd} = \sum_i \log p(y_i \mid y_{-\mathrm{fold}(i)})

    It needs no importance sampling, and so no Pareto k: with ``k`` equal to the number of subjects it is the exact
    leave-one-subject-out. Held-out subjects are new to the fit, and their parameters are integrated over the group
    (:func:`goalinf.inference.log_predictive_density`). The density of a unit is that of all its choices together.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    fit : Fit
        Fit of trajectories, of which the model and the data are taken.
    k : int
        Number of folds, at least 2.
    unit : {"subject", "trajectory"}
        Unit that is left out.
    seed : int
        Seed of the folds. Models are compared on the same data with the same seed.
    chains, draws : int
        Chains of every fit, and kept draws of each; a fit that does not converge is run again with four times as many.
    method : str
        Method of every fit; see :func:`~goalinf.infer`.
    out : path, optional
        Folder to which every fold is written when it is finished. An interrupted call goes on where it stopped.
    workers : int
        Number of processes. Each one compiles the model anew; a single process uses several cores for its chains.
    client : dask.distributed.Client, optional
        Cluster on which the folds are computed.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ValueError
        Where there are fewer units than folds, the model is a user's own, a covariate or context of a fold does not
        occur in the others, or the folder holds runs with other settings.

    References
    ----------
    Vehtari, Gelman and Gabry (2017), section 2.3.

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(0, hall, gi.agents.boltzmann(beta=2.0), reward, trajectories=6, steps=8)
    >>> agent = gi.agents.boltzmann(beta=dist.LogNormal(0.0, 1.0))
    >>> fit = gi.infer(1, hall, agent=agent, reward=reward, data=data, method="laplace")
    >>> folds = gi.workflow.kfold(2, fit, k=2, unit="trajectory", method="laplace")
    >>> len(folds.table), bool(folds.elpd < 0)
    (6, True)
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    model = fit.standard("agent")
    check_kind("fit.data", fit.data, Trajectories, "a fit of trajectories")
    check_data(fit.tree, fit.data)
    check_choice("unit", unit, ("subject", "trajectory"))
    check_count("k", k, 2)
    check_count("seed", seed, 0)
    data = with_names(fit.data)
    members = np.asarray(data.members(unit))
    with_data = np.unique(members[data.scored("trajectory")])
    if len(with_data) < k:
        raise ValueError(
            f"the data have {many(len(with_data), unit)} with observed actions; expected at least k = {k}: use "
            "fewer folds"
        )
    fold_of = np.zeros(int(members.max()) + 1, int)
    fold_of[with_data] = np.random.default_rng(seed).permutation(len(with_data)) % k
    sampling = Sampling(chains, draws, method)
    settings = identity(
        key, model.world, model.agent, model.reward, data, k=k, unit=unit, seed=seed, **dataclasses.asdict(sampling)
    )
    run = _Fold(np.asarray(jax.random.key_data(key)), model, data, fold_of[members], unit, sampling)
    results = run_all(run, k, settings, title="folds", out=out, workers=workers, client=client)
    parts = [pd.DataFrame(result).assign(fold=number) for number, result in enumerate(results)]
    table = pd.concat(parts).sort_values("number")
    names = data.names(unit)
    table.index = pd.Index([names[number] for number in table["number"]], name=unit, tupleize_cols=False)
    return CrossValidation(table[["fold", "choices", "log_density", "converged"]], unit)
