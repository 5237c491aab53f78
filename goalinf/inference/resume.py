"""Go on where a run stopped: from the fit, or from the file it was kept in."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import jax
import numpy as np

from goalinf import interrupt
from goalinf.checks import check_count, check_flag
from goalinf.inference.model.log_density import Data, Model
from goalinf.inference.model.models import CustomModel, StandardModel
from goalinf.inference.model.posterior import Posterior, covered
from goalinf.inference.results.assemble import assembled
from goalinf.inference.results.checkpoint import Checkpoint
from goalinf.inference.results.files.fit_files import check_target
from goalinf.inference.results.files.loading import load
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_density import fitted_posterior
from goalinf.inference.results.standing import from_group
from goalinf.inference.samplers.run import run
from goalinf.inference.samplers.sampler import SAMPLERS, Sampler, Settings
from goalinf.precision import computing_in


def resume(
    fit: Fit | str | Path,
    *,
    draws: int,
    model: Model | None = None,
    data: Data | None = None,
    progress: bool | None = None,
    checkpoint: str | Path | None = None,
) -> Fit:
    """Draw more, from where the chains stand, without warming up again.

    Parameters
    ----------
    fit : Fit or path
        Fit to continue, or its file (which stays as it is).
    draws : int
        Further draws of every chain.
    model, data : optional
        Your own model and its data, which a file cannot hold. The data must be those of the fit.
    progress : bool, optional
        Show a progress bar; default: where the error stream is a terminal.
    checkpoint : path, optional
        Write all draws so far to this file about every minute. It may be the file that the run goes on from.

    Returns
    -------
    Fit
        The old draws and the new ones; as many of these as there are where Ctrl-C was pressed.

    Raises
    ------
    ValueError
        Where a model of your own is needed and was not given, or model or data are not those of the fit: data that were
        changed in place after the fit are refused, too.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), wants, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=walks, draws=100)
    >>> gi.resume(fit, draws=50).posterior.sizes["draw"]
    150
    """
    source = None
    if not isinstance(fit, Fit):
        source, fit = fit, load(fit)
    if checkpoint is not None:
        same = source is not None and Path(source).resolve() == Path(checkpoint).resolve()
        check_target(checkpoint, overwrite=same, otherwise="continue it with gi.resume")
    check_count("draws", draws)
    if progress is not None:
        check_flag("progress", progress)
    attrs = fit.tree.attrs
    if fit.kind != "MCMC":
        raise ValueError("this fit was not sampled by chains, so that nothing can go on; start with gi.infer")
    sampler = _sampler(attrs["algorithm"])
    # Every part of a run has a key of its own, made of the seed and of where the part starts.
    words = np.random.SeedSequence([*attrs["seed"], fit.posterior.sizes["draw"]]).generate_state(1)
    key_run, key_values = jax.random.split(jax.random.key(int(words[0])))
    with computing_in(attrs["precision"]) as precision:

        def proceed(posterior: Posterior) -> Fit:
            coordinates, state = from_group(fit.tree, posterior)
            settings = Settings(chains=len(state.x), draws=int(draws), precision=precision, progress=progress)
            posterior.check_draws(settings.chains, fit.posterior.sizes["draw"] + settings.draws)
            keep = Checkpoint(checkpoint, partial(assembled, key_values, posterior, precision), fit)
            sampled = run(
                key_run,
                sampler,
                coordinates,
                state,
                settings,
                keep,
                sentence=lambda _: attrs["sampler"],
                every=int(attrs["every"]),
            )
            return keep.write(sampled)

        more = covered(_posterior(fit, model, data), proceed)
        interrupt.forget()
        return more


def _sampler(algorithm: str) -> type[Sampler]:
    for sampler in SAMPLERS.values():
        if sampler.algorithm == algorithm:
            return sampler
    raise ValueError(f"the chains of this fit ran {algorithm}, which is not known; import the module of this sampler")


def _posterior(fit: Fit, model: Model | None, data: Data) -> Posterior:
    """Return the posterior of a fit, with the function and the data of a user's own model."""
    known = fit.model
    if isinstance(known, StandardModel):
        if model is not None:
            raise ValueError("model= is for a model of your own; this fit knows its world, agent and reward")
    elif model is not None:
        known = CustomModel(model, dims=known.dims, coords=known.coords)
    elif known.function is None:
        raise ValueError(f"{known.lost}: give model= and data=")
    return fitted_posterior(fit, known, data)
