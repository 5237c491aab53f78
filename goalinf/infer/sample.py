"""``gi.infer``: from world, agent, reward and data to a posterior by MCMC."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import xarray as xr

from goalinf.agents import Agent
from goalinf.agents.contexts import Rewards, Worlds
from goalinf.data import Trajectories
from goalinf.infer import _arviz, assemble
from goalinf.infer.batches import over_draws
from goalinf.infer.checkpoint import Checkpoint
from goalinf.infer.density import Density, Model
from goalinf.infer.driver import ChainMethod, Chains, Draws, default_chain_method
from goalinf.infer.fit import Fit
from goalinf.infer.geometry import Geometry, Kernel, spread_out
from goalinf.infer.mode import climb
from goalinf.infer.problem import Form, Posterior, own_model, standard
from goalinf.infer.progress import Progress
from goalinf.precision import Precision, computing_in

Method = Literal["auto", "hmc", "nuts"]
BLOCK = 50
PILOT = 100
_HALVINGS = 3  # of the step size, each of which begins the draws again
_MAX_STEPS = 60  # gradients per draw in whitened coordinates beyond which plain NUTS is likely cheaper
_WORTH = 0.05  # effective draws per pilot draw below which it is, too


def infer(
    key: Any,
    world: Worlds | None = None,
    *,
    agent: Agent | None = None,
    reward: Rewards | None = None,
    data: Any,
    model: Model | None = None,
    chains: int = 4,
    warmup: int | None = None,
    draws: int = 1000,
    method: Method = "auto",
    target_accept: float | None = None,
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, Any] | None = None,
    precision: Precision | None = None,
    chain_method: ChainMethod | None = None,
    progress: bool | None = None,
    checkpoint: str | Path | None = None,
) -> Fit:
    r"""Infer what someone wants, and how well they plan, from what they did.

    Give a world, an agent and a reward, in which every NumPyro distribution is a prior; or a NumPyro ``model`` of your
    own, a function of the data that calls ``numpyro.sample(name, gi.Behavior(...), obs=data)``.

    The chains start around the posterior mode, in coordinates whitened by the curvature there, and move by HMC of
    fixed, jittered length. Where beta and the reward are both free, only their product is sampled and beta is drawn
    afterwards from its exact conditional; the reported draws are those of the model as written. A pilot decides whether
    this geometry fits; otherwise NUTS runs with a step size for acceptance 0.95. ``print(fit)`` says which ran and why.

    Parameters
    ----------
    key : jax.random key
        Source of randomness; consumed.
    world : World or mapping from context to World
        Where they acted.
    agent : Agent
        How they plan, with priors as parameters where unknown.
    reward : reward or mapping from context to known rewards
        What they want, with a prior where unknown.
    data : Trajectories
        What was observed. For a model of your own: its argument.
    model : callable, optional
        A NumPyro model of your own, in place of world, agent and reward.
    chains : int
        Number of chains, run side by side.
    warmup : int, optional
        Steps of adaptation per chain. Default: 200 for HMC in whitened coordinates, 1000 for NUTS.
    draws : int
        Kept draws per chain.
    method : {"auto", "hmc", "nuts"}
        ``"auto"`` lets the pilot decide.
    target_accept : float, optional
        Acceptance that the step size is adapted to; default 0.85 for HMC, 0.95 for NUTS.
    dims, coords : mapping, optional
        Names of axes, and labels along them, of the variables of your own model.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.
    chain_method : {"threads", "vectorized"}, optional
        Default: threads on a CPU, vectorized on an accelerator.
    progress : bool, optional
        Show a progress bar; default: where the error stream is a terminal.
    checkpoint : path, optional
        Write the fit so far to this NetCDF file about every minute (see :func:`resume`).

    Returns
    -------
    Fit
        Ctrl-C returns the draws so far.

    Raises
    ------
    ValueError
        Where something is missing, a prior has the wrong shape, the data are empty or do not fit the world, a step has
        probability zero under the agent, or the log density is undefined where the chains would start.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.soft_optimal(beta=2.0), wants, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(jax.random.key(1), hall, agent=gi.soft_optimal(beta=2.0), reward=prior, data=walks, draws=100)
    >>> fit.posterior["reward.values"].dims
    ('chain', 'draw', 'state')
    """
    _check_counts(chains=chains, draws=draws, warmup=warmup)
    if checkpoint is not None:
        from goalinf.infer.store import check_target

        check_target(checkpoint, overwrite=False)
    with computing_in(precision) as chosen:
        key_model, key_run = jax.random.split(key)
        if model is not None:
            if agent is not None or reward is not None or world is not None:
                raise ValueError("give either model=, or world, agent and reward, not both")
            posterior = own_model(key_model, model, data, dims or {}, coords or {})
        else:
            posterior = standard(key_model, world, agent, reward, data)
        settings = _Settings(
            chains, warmup, draws, method, target_accept, chosen, chain_method or default_chain_method(), progress
        )

        def assemble_from(first: int, sampled: Sampled) -> Fit:
            return assembled(jax.random.fold_in(key, first) if first else key, posterior, sampled, settings)

        keep = Checkpoint(checkpoint, assemble_from)
        return keep.write(_sample(key_run, posterior, settings, keep))


@dataclasses.dataclass(frozen=True)
class _Settings:
    chains: int
    warmup: int | None
    draws: int
    method: Method
    target_accept: float | None
    precision: Precision
    chain_method: ChainMethod
    progress: bool | None


@dataclasses.dataclass(frozen=True)
class Sampled:
    """Raw draws, the coordinates they are in, and what ran."""

    draws: Draws
    geometry: Geometry
    density: Density
    product: bool
    sentence: str
    algorithm: str
    warmup: int
    interrupted: bool
    inverse_mass: np.ndarray


def _check_counts(**counts: int | None) -> None:
    for name, count in counts.items():
        least = 0 if name == "warmup" else 1
        if count is not None and (not isinstance(count, (int, np.integer)) or count < least):
            raise ValueError(f"{name} is {count!r}; expected a whole number of at least {least}")


def _sample(key: Any, posterior: Posterior, settings: _Settings, keep: Checkpoint) -> Sampled:
    if settings.method not in ("auto", "hmc", "nuts"):
        raise ValueError(f"method is {settings.method!r}; expected 'auto', 'hmc' or 'nuts'")
    key_start, key_hmc, key_nuts = jax.random.split(key, 3)
    reason = "it was asked for"
    if settings.method != "nuts":
        geometry = Geometry.laplace(climb(posterior.straightest.target))
        if geometry is None:
            reason = "the curvature at the mode is not positive definite"
        else:
            done = _run(
                key_hmc,
                key_start,
                posterior,
                posterior.straightest,
                geometry,
                "HMC",
                settings,
                keep,
                judge=settings.method == "auto",
            )
            if isinstance(done, Sampled):
                return done
            reason = done
        if settings.method == "hmc":
            raise ValueError(f"HMC in whitened coordinates cannot run: {reason}; use method='nuts'")
    geometry = Geometry.plain(climb(posterior.plain.target).flat)
    done = _run(
        key_nuts, key_start, posterior, posterior.plain, geometry, "NUTS", settings, keep, judge=False, reason=reason
    )
    assert isinstance(done, Sampled)
    return done


def _run(
    key: Any,
    key_start: Any,
    posterior: Posterior,
    form: Form,
    geometry: Geometry,
    algorithm: Literal["HMC", "NUTS"],
    settings: _Settings,
    keep: Checkpoint,
    *,
    judge: bool,
    reason: str = "",
) -> Sampled | str:
    """One sampler from start to end; or, where it is judged by a pilot and found wanting, the reason."""
    default_warmup, accept = (200, 0.85) if algorithm == "HMC" else (1000, 0.95)
    warmup = default_warmup if settings.warmup is None else -(-settings.warmup // BLOCK) * BLOCK
    product = form is posterior.product
    kernel = Kernel(form.density, form.target, algorithm, block=BLOCK, target_accept=settings.target_accept or accept)
    total = settings.chains * (warmup + -(-settings.draws // BLOCK) * BLOCK)
    with Progress(f"{algorithm}, {settings.chains} chains", total, show=settings.progress) as bar:
        chains = Chains(
            key,
            kernel,
            geometry,
            posterior.data,
            spread_out(key_start, geometry, settings.chains),
            step_size=np.full(settings.chains, 0.3 if algorithm == "HMC" else 0.1),
            warmup=warmup,
            method=settings.chain_method,
            precision=settings.precision,
        )
        if warmup:
            chains.advance(warmup, bar, kept=False)
        draws: Draws = {}
        halved, count = 0, 0

        def so_far() -> Sampled:
            kept = {name: values[:, : settings.draws] for name, values in draws.items()}
            said = _sentence(algorithm, product, halved, reason if settings.method == "auto" else "")
            return Sampled(
                kept, geometry, form.density, product, said, algorithm, warmup, chains.interrupted, chains.inverse_mass
            )

        while count < settings.draws and not chains.interrupted:
            try:
                if count and keep.due():
                    keep.write(so_far())
                chunk = chains.advance(min(PILOT, settings.draws - count), bar)
            except KeyboardInterrupt:  # while writing, or before any chain had finished a block
                if not count:
                    raise
                chains.interrupted = True
                break
            if algorithm == "HMC" and chunk["diverging"].any() and halved < _HALVINGS and not chains.interrupted:
                chains.scale_step_size(
                    0.5
                )  # posteriors of rewards are curved sharply in places that warm-up rarely meets
                bar.restart(settings.chains * (count + chunk["potential"].shape[1]))
                draws, halved, count = {}, halved + 1, 0
                keep.begin_again()
                continue
            if judge and count == 0 and (verdict := _verdict(chunk)) is not None and not chains.interrupted:
                return verdict
            draws = {name: np.concatenate([draws[name], chunk[name]], 1) for name in chunk} if draws else chunk
            count = draws["potential"].shape[1]
    return so_far()


def _sentence(algorithm: str, product: bool, halved: int, reason: str) -> str:
    if algorithm == "NUTS":
        return f"NUTS, because {reason}." if reason else "NUTS."
    target = "beta times the reward" if product else "all parameters"
    said = f"HMC of fixed length on {target}, whitened at the mode"
    if halved:
        said += f", begun again with a step size {2**halved} times smaller because draws had diverged"
    return said + "."


def _verdict(draws: Draws) -> str | None:
    """Why a pilot in whitened coordinates should not go on; None where it may."""
    diverged = int(draws["diverging"].sum())
    steps = float(draws["n_steps"].mean())
    accepted = float(draws["acceptance_rate"].mean())
    if diverged:
        return f"{diverged} of {draws['diverging'].size} pilot draws diverged in whitened coordinates"
    if steps > _MAX_STEPS or accepted < 0.5:
        return f"the pilot in whitened coordinates took {steps:.0f} gradients a draw at acceptance {accepted:.2f}"
    worth = _arviz.smallest_ess(draws["x"])
    if worth < _WORTH * draws["diverging"].size:
        return (
            f"the {draws['diverging'].size} pilot draws in whitened coordinates were worth {worth:.0f} independent ones"
        )
    return None


def assembled(key: Any, posterior: Posterior, sampled: Sampled, settings: _Settings) -> Fit:
    """Values, statistics and standing of the chains: the fit."""
    values = posterior.values(jax.random.fold_in(key, 1), sampled)
    stats = {name: sampled.draws[name] for name in sampled.draws if name != "x"}
    stats["lp"] = -stats.pop("potential")
    standing = xr.Dataset(
        {
            "x": (("chain", "coordinate"), sampled.draws["x"][:, -1]),
            "step_size": (("chain",), sampled.draws["step_size"][:, -1]),
            "center": (("coordinate",), sampled.geometry.center),
            "scale": (("coordinate", "other"), sampled.geometry.scale),
            "inverse_mass": (("chain", "coordinate"), sampled.inverse_mass),
        }
    )
    attrs = {
        "sampler": sampled.sentence,
        "algorithm": sampled.algorithm,
        "whitened": int(sampled.geometry.whitened),
        "product": int(sampled.product),
        "warmup": sampled.warmup,
        "interrupted": int(sampled.interrupted),
    }
    return labeled_fit(key, posterior, values, stats, standing, attrs, settings.precision)


def labeled_fit(
    key: Any,
    posterior: Posterior,
    values: Mapping[str, np.ndarray],
    stats: Mapping[str, np.ndarray],
    standing: xr.Dataset,
    attrs: Mapping[str, Any],
    precision: Precision,
) -> Fit:
    """Draws ``(chains, draws, …)`` with their labels, their pointwise log-likelihood and where they come from."""
    log_likelihood, residual = pointwise(posterior.plain.density, values, posterior.data, by="trajectory")
    groups = {
        "posterior": assemble.dataset(values, posterior.dims, posterior.coords, ("chain", "draw")),
        "sample_stats": assemble.dataset(stats, {}, {}, ("chain", "draw")),
        "observed_data": assemble.observed(posterior.labeled),
        "sampler": standing,
    }
    if log_likelihood is not None:
        coords = {"trajectory": assemble.trajectory_labels(posterior.labeled)}
        dims = {"choices": ("trajectory",)}
        groups["log_likelihood"] = assemble.dataset({"choices": log_likelihood}, dims, coords, ("chain", "draw"))
    tree = xr.DataTree.from_dict(groups)
    failures = int((residual > 1e3 * 64 * np.finfo(precision).eps).sum())
    tree.attrs = {**assemble.provenance(key, posterior.labeled, precision), **attrs, "planner_failures": failures}
    return Fit(tree, posterior.labeled, posterior.world, posterior.agent, posterior.reward, posterior.plain.density)


def pointwise(
    density: Density, values: Mapping[str, np.ndarray], data: Any, *, by: str
) -> tuple[np.ndarray | None, np.ndarray]:
    """Log-likelihood of every draw, ``(chains, draws, N[, T])``, in batches; and the planners' residuals."""
    shape = next(iter(values.values())).shape[:2]
    if not isinstance(data, Trajectories):
        return None, np.zeros(shape)
    flat = {name: draws.reshape(-1, *draws.shape[2:]) for name, draws in values.items()}
    scored, residual = over_draws(partial(_one, density, by), flat, data)
    if scored.ndim == 1:  # the model scores nothing that goalinf can split
        return None, np.zeros(shape)
    return scored.reshape(*shape, *scored.shape[1:]), residual.reshape(shape)


def _one(density: Density, by: str, draw: dict[str, Any], data: Trajectories) -> Any:
    return density.log_likelihood(draw, data, by=by)
