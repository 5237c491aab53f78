"""Fit: a posterior with what was fitted, its labels and its diagnosis."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr

from goalinf import display
from goalinf.agents import Agent
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import PRNGKey, check_count, takes_key
from goalinf.data import Observations
from goalinf.data.trajectory_arrays import many
from goalinf.inference import _arviz
from goalinf.inference.model.models import AnyModel, CustomModel, StandardModel
from goalinf.inference.model.priors import Site
from goalinf.inference.results.diagnostics import Diagnosis, Kind
from goalinf.inference.results.files.fit_files import save
from goalinf.inference.results.fitted_data import check_data
from goalinf.inference.results.overview import as_text, by_unit, numbers
from goalinf.inference.results.replicated import replicated_at
from goalinf.sizes import check_memory
from goalinf.worlds.names import label, plain

_SHOWN = 10  # scalars that print and notebooks show


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """Draws from a posterior, and everything needed to say what they are.

    Parameters
    ----------
    tree : DataTree
        Groups ``posterior``, ``sample_stats``, ``log_likelihood`` (by trajectory), ``observed_data``,
        ``constant_data`` (on maps: ``row`` and ``col`` of every state) and ``sampler`` (where the chains stand, so that
        a run can go on); settings, versions, seed, precision, the number of choices in the log-likelihood
        (``choices_scored``) and the hash of the data are its attributes. ArviZ 1 takes it as it is:
        ``arviz.summary(fit.tree)``. ArviZ 0.23, the last for Python 3.11, takes no tree but in ``arviz.preview``
        (``arviz.preview.summary(fit.tree)``, ``arviz.preview.plot_trace(fit.tree)``); its other functions take
        ``fit.posterior`` or a saved fit (``arviz.from_netcdf("fit.nc")``).
    data : Trajectories or other Observations
        Observed behavior; for an own model, data of any form that it takes.
    model : StandardModel or CustomModel
        World, agent and reward with their priors; or a model of your own, whose function is not known after loading.
    """

    tree: xr.DataTree
    data: Any
    model: AnyModel = CustomModel(None)

    # -- what was fitted -----------------------------------------------------------------------

    @property
    def world(self) -> Worlds:
        """World of the data, or mapping from context to world; a ValueError for a model of your own."""
        return self.standard("world").world

    @property
    def agent(self) -> Agent:
        """Agent with its priors; a ValueError for a model of your own."""
        return self.standard("agent").agent

    @property
    def reward(self) -> Rewards:
        """Reward with its priors, or mapping from context to reward; a ValueError for a model of your own."""
        return self.standard("reward").reward

    def standard(self, needed: str, remedy: str = "fit with gi.infer(key, world, agent=…, reward=…)") -> StandardModel:
        """Return the model where it consists of world, agent and reward.

        Parameters
        ----------
        needed : str
            What is needed of it, for the message.
        remedy : str, optional
            What to do for a model of your own.

        Raises
        ------
        ValueError
            Where the model is a user's own, or was not kept in the file.
        """
        if isinstance(self.model, StandardModel):
            return self.model
        if self.model.function is None:
            raise ValueError(self.model.lost)
        raise ValueError(f"this fit is of a model of your own, of which goalinf does not know the {needed}: {remedy}")

    # -- what came out ------------------------------------------------------------------------

    @property
    def posterior(self) -> xr.Dataset:
        """Draws, with dimensions ``chain``, ``draw`` and those of the parameter."""
        return self.tree["posterior"].to_dataset()

    @property
    def responsibilities(self) -> xr.Dataset:
        """Probability of every option of a discrete parameter (``gi.one_of``) at every draw of the others.

        Dimensions ``chain``, ``draw``, the unit of the mixture (``subject``, ``trajectory`` or none) and ``value``.

        Raises
        ------
        ValueError
            Where nothing discrete was inferred.
        """
        if "responsibilities" not in self.tree:
            raise ValueError("nothing discrete was inferred in this fit; gi.one_of makes a parameter discrete")
        return self.tree["responsibilities"].to_dataset()

    @property
    def _discrete(self) -> list[str]:
        """Names of discrete parameters, which are drawn from their conditional given the draws of the chains."""
        return list(map(str, self.tree["responsibilities"].data_vars)) if "responsibilities" in self.tree else []

    @property
    def sample_stats(self) -> xr.Dataset:
        """The sampler's own figures for every draw."""
        return self.tree["sample_stats"].to_dataset()

    @property
    def sites(self) -> list[Site]:
        """The parameters that had priors; empty for a user's own model."""
        return self.model.sites(self.data) if isinstance(self.model, StandardModel) else []

    @property
    def kind(self) -> Kind:
        """Kind of the draws: of Markov chains (``"MCMC"``), of the ``"exact"`` posterior, or of an approximation."""
        return self.tree.attrs["kind"]

    @property
    def divergences(self) -> int:
        """Number of kept draws at which the sampler diverged."""
        return int(self.sample_stats["diverging"].sum())

    @property
    def n_draws(self) -> int:
        """Number of kept draws, of all chains together."""
        return int(self.posterior.sizes["chain"] * self.posterior.sizes["draw"])

    def summary(
        self, name: str | None = None, *, subject: Hashable | None = None, by: str | None = None
    ) -> pd.DataFrame:
        """One row per scalar: mean, sd, 94 % interval, effective sample sizes, R-hat, Monte Carlo errors.

        Parameters
        ----------
        name : str, optional
            Only this variable, such as ``"reward.values"``; its rows are then indexed by the labels alone
            (states, features, …), a frame as one would plot it.
        subject : hashable, optional
            Only the parameters of this subject; its identifier as in the data, of any type.
        by : str, optional
            ``"subject"``, or another unit of which parameters have values: these parameters, indexed by unit and
            parameter.

        Raises
        ------
        KeyError
            Where there is no such variable or no such subject.
        TypeError
            Where ``by`` was given with another argument.
        """
        if by is not None and not (name is subject is None):
            raise TypeError("by= is for all parameters and all subjects: give it without name and subject=")
        if by is not None:
            return by_unit(self.posterior, by, self.summary)
        draws = self.posterior
        if name is not None and name not in draws:
            raise KeyError(f"no variable {name!r} in this fit; it has {', '.join(map(str, draws.data_vars))}")
        if subject is not None:
            draws = draws[[v for v in draws.data_vars if "subject" in draws[v].dims]]
            if not draws.data_vars:
                raise KeyError("no parameter of this fit belongs to a subject")
            draws = draws.isel(subject=_number_of(subject, draws["subject"].values))
        if name is None:
            return _arviz.summary(draws)
        table = _arviz.summary(draws[[name]])
        dims = [dim for dim in draws[name].dims if dim not in ("chain", "draw")]
        if not dims:
            return table
        labels = [draws[name][dim].values.tolist() for dim in dims]
        table.index = (
            pd.MultiIndex.from_product(labels, names=dims) if len(dims) > 1 else pd.Index(labels[0], name=dims[0])
        )
        return table

    @property
    def converged(self) -> bool:
        """True where no figure is beyond its limit; an approximation needs a single mode and Pareto k at most 0.7."""
        return self._diagnosis.converged

    @property
    def diagnosis(self) -> str:
        """Convergence of the draws in words, with a remedy for each figure that is beyond its limit."""
        return str(self._diagnosis)

    @property
    def _diagnosis(self) -> Diagnosis:
        return Diagnosis(self.tree, self.posterior.drop_vars(self._discrete))

    @property
    def pooled(self) -> str:
        """Statement that subjects or contexts share one set of parameters; empty where there is one of each."""
        if not isinstance(self.model, StandardModel):
            return ""
        counts = {"subject": len(np.unique(self.data.subject)), "context": len(np.unique(self.data.context))}
        parameters = self.model.priors
        by = {site.name: site.by for site in self.sites if site.by and site.name in parameters}
        units = [site.by for site in self.sites if site.name in parameters] or [()]
        groups = [
            f"{count:,} {unit}s"
            for unit, count in counts.items()
            if count > 1 and not all(unit in of_site for of_site in units)
        ]
        if not groups:
            return ""
        exceptions = [f"one {name} per {' and '.join(units_of_site)}" for name, units_of_site in by.items()]
        if (mixture := self.model.mixture) is not None and mixture.by != "data":
            exceptions.append(f"one agent.{mixture.parameter} per {mixture.by}")
        exception = f", except for {' and '.join(exceptions)}" if exceptions else ""
        return (
            f"Pooled: {' and '.join(groups)} share one set of parameters{exception}; differences between them are not "
            "modeled. Where they may differ, fit the data of each one alone."
        )

    # -- rewards and predictions ---------------------------------------------------------------

    def mean_reward(self) -> Any:
        """Return the posterior mean of the reward, as a reward.

        Raises
        ------
        ValueError
            Where the reward was known, or the model is a user's own.
        """
        return self._reward(
            {name: draws.mean(("chain", "draw")).values for name, draws in self._reward_draws().items()}
        )

    def rewards(self, n: int = 100, *, seed: int = 0) -> list[Any]:
        """Draws of the reward, as rewards: n of them, chosen at random without repetition.

        Raises
        ------
        ValueError
            As :meth:`mean_reward`; or where there are fewer than n draws.
        """
        return [
            self._reward({k: v for k, v in draw.items() if k.startswith("reward.")}) for draw in self._some(n, seed)
        ]

    @takes_key
    def predict(self, key: PRNGKey, n: int = 100, *, seed: int = 0) -> list[Observations]:
        """Draw from the posterior predictive distribution: n replicated data sets, each from another posterior draw.

        Replicated data have the design of the observed data: subjects and contexts; for trajectories, starts, lengths,
        missing and forced actions.

        Raises
        ------
        ValueError
            Where the model is a user's own (use ``numpyro.infer.Predictive`` on it), n exceeds the draws, or the data
            changed in place after the fit.
        """
        model = self.standard("agent", "use numpyro.infer.Predictive, with like= in gi.Behavior")
        check_count("n", n)
        check_data(self.tree, self.data)
        part = self.data.units[0]
        size = self.data.scored(part).size
        check_memory(f"{n:,} data sets of {many(size, part)}", 20.0 * n * size, "predict fewer (n=)")
        replications = []
        for draw, sub in zip(self._some(n, seed), jax.random.split(key, n), strict=True):
            options = {name: draw.pop(name) for name in self._discrete}
            option = self._options(**options) if options else None
            replications.append(replicated_at(sub, model, draw, self.data, option, self.tree.attrs["precision"]))
        return replications

    def _options(self, **drawn: np.ndarray) -> np.ndarray:
        """Look up the number of the option of each trajectory (or other item), from the drawn options of the units."""
        mixture = self.standard("agent").mixture
        assert mixture is not None
        (value,) = drawn.values()
        names = mixture.names if mixture.numeric else range(len(mixture.names))
        return np.array([list(names).index(x) for x in np.atleast_1d(value).tolist()])[
            np.asarray(self.data.members(mixture.by))
        ]

    def some_draws(self, n: int, *, seed: int = 0) -> dict[str, np.ndarray]:
        """Choose n draws of all parameters at random, without repetition, in the order of the fit: arrays ``(n, …)``.

        Raises
        ------
        ValueError
            Where there are fewer draws than n.
        """
        names = [*(site.name for site in self.sites), *self._discrete]
        draws = self.posterior[names].stack(sample=("chain", "draw"))  # noqa: PD013
        total = draws.sizes["sample"]
        check_count("n", n)
        check_count("seed", seed, 0)
        if n > total:
            raise ValueError(f"n is {n}; this fit has {total} draws")
        chosen = np.sort(np.random.default_rng(seed).choice(total, n, replace=False))
        return {str(name): np.moveaxis(draws[name].values, -1, 0)[chosen] for name in draws.data_vars}

    def _some(self, n: int, seed: int) -> list[dict[str, np.ndarray]]:
        columns = self.some_draws(n, seed=seed)
        return [{name: np.asarray(values[i]) for name, values in columns.items()} for i in range(n)]

    def _reward_draws(self) -> dict[str, xr.DataArray]:
        self.standard("reward", "read fit.posterior")
        if several := [site for site in self.sites if site.by and site.name.startswith("reward.")]:
            raise ValueError(
                f"{several[0].name} has one value per {' and '.join(several[0].by)}: there is no single reward; read "
                f"the values from fit.posterior[{several[0].name!r}]"
            )
        draws = {str(n): self.posterior[n] for n in self.posterior.data_vars if str(n).startswith("reward.")}
        if not draws:
            raise ValueError("the reward of this fit was known; nothing about it was inferred")
        return draws

    def _reward(self, values: dict[str, np.ndarray]) -> Any:
        return self.standard("reward").reward_at(values)

    # -- keeping it ----------------------------------------------------------------------------

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the fit to one NetCDF (``.nc``) or Zarr (``.zarr``) file; see :func:`~goalinf.load`."""
        return save(self, path, overwrite=overwrite)

    # -- showing it ----------------------------------------------------------------------------

    @property
    def heading(self) -> str:
        """Chains, draws and parameters, the diagnosis and pooling: what print shows beside the first numbers."""
        return "\n".join(filter(None, [self._size, self.diagnosis, self.pooled]))

    @property
    def _size(self) -> str:
        sizes = self.posterior.sizes
        what = ", ".join(f"{n}{list(self.posterior[n].shape[2:]) or ''}" for n in self.posterior.data_vars)
        scored = self.tree.attrs.get("choices_scored")
        what += f"; {many(int(scored), 'choice')} scored" if scored is not None else ""
        return f"Fit({sizes['chain']} chains x {sizes['draw']} draws of {what})"

    def _numbers(self) -> tuple[pd.DataFrame, str]:
        shares = self.responsibilities if self._discrete else None
        table, total = numbers(self.posterior.drop_vars(self._discrete), shares, _SHOWN)
        return table, f"… and {total - len(table)} more: fit.summary()" if total > len(table) else ""

    def __repr__(self) -> str:
        table, more = self._numbers()
        return "\n".join(filter(None, [self._size, as_text(table), more, self.diagnosis, self.pooled]))

    def _repr_html_(self) -> str:
        table, more = self._numbers()
        words = [display.paragraphs(text) for text in (more, self.diagnosis, self.pooled)]
        return display.card(self._size, display.table(table), *words)


def _number_of(subject: Hashable, coordinate: np.ndarray) -> int:
    """Position of a subject along its axis, which holds identifiers as they are printed."""
    printed = [str(name) for name in coordinate.tolist()]
    name = label(plain(subject))
    if name not in printed:
        shown = ", ".join(printed[:8]) + (", …" if len(printed) > 8 else "")
        raise KeyError(f"no subject {subject!r} in this fit; it has {shown}")
    return printed.index(name)
