"""``gi.infer``: from world, agent, reward and data to a posterior, by Markov chains or an approximation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import jax

from goalinf import interrupt
from goalinf.agents import Agent
from goalinf.behavior.conditions import Rewards, Worlds
from goalinf.checks import PRNGKey, check_choice, check_count, check_flag, check_share, takes_key
from goalinf.inference.approximate import APPROXIMATIONS, approximated
from goalinf.inference.model.build import model_of, posterior_of, warn_unidentified
from goalinf.inference.model.log_density import Data, Model
from goalinf.inference.model.posterior import Posterior, covered
from goalinf.inference.results.assemble import assembled, enumerated
from goalinf.inference.results.checkpoint import Checkpoint
from goalinf.inference.results.files.fit_files import check_target
from goalinf.inference.results.fit import Fit
from goalinf.inference.samplers.sampler import SAMPLERS, ChainMethod, Settings
from goalinf.inference.samplers.select import sample
from goalinf.precision import Precision, computing_in, default_precision


@takes_key
def infer(
    key: PRNGKey,
    world: Worlds | None = None,
    *,
    agent: Agent | None = None,
    reward: Rewards | None = None,
    data: Data,
    model: Model | None = None,
    method: str = "auto",
    chains: int | None = None,
    warmup: int | None = None,
    draws: int = 1000,
    steps: int | None = None,
    target_accept: float | None = None,
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, Any] | None = None,
    precision: Precision | None = None,
    chain_method: ChainMethod | None = None,
    progress: bool | None = None,
    checkpoint: str | Path | None = None,
) -> Fit:
    r"""Sample the posterior of the reward and of the agent's parameters, given observed behavior.

    Give a world, an agent and a reward, in which every NumPyro distribution is a prior; or a NumPyro ``model`` of your
    own, a function of the data that calls ``numpyro.sample(name, gi.Behavior(...), obs=data)``.

    The sampler first searches for the modes of the posterior by optimization from several starts: the prior medians;
    draws of the prior (up to 20 parameters: the draws among 256 that are far from every draw of higher density, and
    the draws whose density exceeds the Laplace approximations at the modes found so far by most); the draw that most
    favors each option of a mixture; and the mirror images of the modes. The chains start around the modes, in
    proportion to their Laplace mass, in coordinates whitened by the curvature at the mode of largest mass.

    - One mode, a soft-optimal agent, a linear reward of up to 20 parameters with a normal prior: independence
      Metropolis–Hastings with Student-t proposals around the mode, planned for in batches, without gradients and
      without compilation.
    - Several modes, up to 20 parameters: independence Metropolis–Hastings with a mixture of proposals, one around each
      mode.
    - Otherwise, or where the Pareto k of the proposals is above 0.7 or a pilot run accepts fewer than 60 % of them: HMC
      of fixed, jittered length, at most 100 gradients per draw. With several modes each draw is followed by the
      proposal of a jump to another mode.
    - Where a pilot run of HMC shows that the whitened coordinates do not fit: NUTS with a step size for acceptance
      0.95, and the same jumps.

    Where beta and the reward are both unknown, only their product is sampled and beta is drawn afterwards from its
    exact conditional; the reported draws are those of the model as written. Where all unknowns are discrete
    (``gi.one_of``), no chains are run: ``fit.responsibilities`` are exact, the ``chains`` times ``draws`` draws are
    independent, and arguments of samplers are refused.

    Two approximations take seconds where chains take minutes: a Gaussian in unconstrained coordinates, from which
    independent draws are taken. ``method="laplace"`` uses the curvature at the mode of largest mass; ``method="svi"``
    fits a Gaussian of full rank by maximizing the evidence lower bound (NumPyro, Adam), and does not search for further
    modes. The fit states that it is an approximation, and reports the Pareto k of its draws: the tail index of their
    importance weights (posterior density over density of the approximation). Above 0.7 the draws do not represent the
    posterior, and ``fit.converged`` is False; it is also False where Laplace's method finds several modes, of which a
    Gaussian describes one.

    ``print(fit)`` reports the sampler with the reason for it, and whether it converged: R-hat at most 1.01 and at least
    400 effective draws of every parameter and of the indicator of every mode, no divergences. A fit does not converge
    where more than a quarter of the optimizations ended in a mode that no other optimization had reached: the
    posterior then has modes that the chains have not visited. No search can exclude a mode with a small basin of
    attraction: a mode that is much narrower than the others, in more than about five dimensions, is missed if none of
    256 draws of the prior is nearer to it than to the other modes, in units of their widths.

    Compiled programs of the last 16 models and shapes of data are kept: for the same world object with the same agent
    and reward, priors included, further data of the same shape (trajectories, steps) need no compilation.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world : World or mapping from context to World
        World of the data.
    agent : Agent
        Agent, with priors for unknown parameters and ``gi.one_of`` for discrete unknowns.
    reward : reward or mapping from context to known rewards
        Reward, with a prior where unknown.
    data : Trajectories or other Observations
        Observed behavior. For a model of your own: its argument.
    model : callable, optional
        A NumPyro model of your own, instead of world, agent and reward.
    method : {"auto", "independence", "hmc", "nuts", "laplace", "svi"}
        Sampler or approximation; ``"auto"`` selects a sampler by a pilot run. Arguments that a method does not use are
        refused.
    chains : int, optional
        Number of chains, run in parallel; default 4. Approximations make one chain of independent draws.
    warmup : int, optional
        Steps of adaptation per chain. Default: 50 for independent proposals, which do not adapt, 200 for HMC in
        whitened coordinates, 1000 for NUTS.
    draws : int
        Kept draws per chain. Where the chains are close to convergence (R-hat below 1.1) but have not converged, they
        continue for up to four times as many steps, and every second or fourth draw is kept.
    steps : int, optional
        For approximations: largest number of steps of the mode search (default: as
        :func:`~goalinf.inference.find_map`), or steps of SVI (default: 2,000).
    target_accept : float, optional
        Target acceptance of the step-size adaptation; default 0.85 for HMC, 0.95 for NUTS. Independent proposals have
        no step size.
    dims, coords : mapping, optional
        Names of axes, and labels along them, of the variables of your own model.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.
    chain_method : {"threads", "vectorized"}, optional
        Default: threads on a CPU, vectorized on an accelerator. Independent proposals are made on the host.
    progress : bool, optional
        Show a progress bar; default: where the error stream is a terminal.
    checkpoint : path, optional
        Write the fit so far to this file about every minute (see :func:`resume`). Where it cannot be written, a
        warning is issued and sampling continues.

    Returns
    -------
    Fit
        Ctrl-C returns the draws so far, or raises KeyboardInterrupt where there are none. It takes effect between two
        steps, never while JAX compiles; pressed a second time it raises at once.

    Warns
    -----
    UnidentifiedWarning
        Where a parameter of the agent and the reward both have a prior, and the parameter is not identified.

    Raises
    ------
    ValueError
        Where an argument is missing, a prior has the wrong shape, the data are empty or do not fit the world, a step
        has probability zero under the agent, the log density is undefined at the center of the prior, or the draws
        exceed the memory of this machine.
    ConvergenceError
        Where Laplace's method does not reach a mode or finds a curvature that is not positive definite, or the bound of
        SVI is not finite.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao and Gabry (2024), "Pareto smoothed importance sampling", for k; Yao, Vehtari, Simpson
    and Gelman (2018), "Yes, but did it work? Evaluating variational inference", for its use with approximations.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), reward, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=data, draws=100)
    >>> fit.posterior["reward.values"].dims
    ('chain', 'draw', 'state')
    >>> gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=data, method="laplace").n_draws
    1000
    """
    options = {"chains": chains, "warmup": warmup, "steps": steps, "target_accept": target_accept,
               "chain_method": chain_method, "checkpoint": checkpoint}  # fmt: skip
    settings = _settings(method, draws, precision, progress, **options)
    interrupt.keep(False)
    with computing_in(settings.precision):
        key_model, key_run = jax.random.split(key)
        posterior = posterior_of(model_of(world, agent, reward, model, dims, coords), data, key_model)
        warn_unidentified(posterior)
        posterior.check_draws(settings.chains, draws)
        if posterior.standard and not posterior.sites:
            given = {"method": None if method == "auto" else method, **options}
            _refuse_unused(given, ("chains", "checkpoint"), "an exact posterior (no continuous parameter is unknown)")
            fit = enumerated(key_run, posterior, settings.chains, draws, settings.precision)
            if checkpoint is not None:
                fit.save(checkpoint)
            return fit
        if method in APPROXIMATIONS:
            return covered(posterior, lambda used: approximated(key, used, method, steps, settings))

        def draw(used: Posterior) -> Fit:
            keep = Checkpoint(checkpoint, partial(assembled, key, used, settings.precision))
            return keep.write(sample(key_run, used, method, settings, keep))

        fit = covered(posterior, draw)
        interrupt.forget()
        return fit


def _settings(method: str, draws: int, precision: Precision | None, progress: bool | None, **options: Any) -> Settings:
    """Check all arguments but the model and its data, and refuse options that the method does not use."""
    check_choice("method", method, ("auto", *SAMPLERS, *APPROXIMATIONS))
    check_count("draws", draws)
    if progress is not None:
        check_flag("progress", progress)
    given = {name: value for name, value in options.items() if value is not None}
    for name, least in (("chains", 1), ("warmup", 0), ("steps", 1)):
        if name in given:
            check_count(name, given[name], least)
    if "target_accept" in given:
        check_share("target_accept", given["target_accept"])
    if "chain_method" in given:
        check_choice("chain_method", given["chain_method"], get_args(ChainMethod))
    used: tuple[str, ...] = ("steps",)
    if method not in APPROXIMATIONS:
        used = ("chains", "warmup", "checkpoint", *SAMPLERS["hmc" if method == "auto" else method].options)
    _refuse_unused(given, used, f"method={method!r}")
    given.setdefault("chains", 1 if method in APPROXIMATIONS else 4)
    given.pop("steps", None)
    if (checkpoint := given.pop("checkpoint", None)) is not None:
        check_target(checkpoint, overwrite=False, otherwise="continue it with gi.resume")
    chosen = default_precision() if precision is None else precision
    return Settings(draws=draws, precision=chosen, progress=progress, **given)


def _refuse_unused(options: Mapping[str, Any], used: Sequence[str], computation: str) -> None:
    """Refuse options that were given (not None) and that the computation does not use."""
    if unused := [f"{name}=" for name, value in options.items() if value is not None and name not in used]:
        raise ValueError(f"remove {' and '.join(unused)}, which {computation} does not use")


def whole(fit: Fit) -> Fit:
    """Return a complete fit, for computations that contain a fit.

    Raises
    ------
    KeyboardInterrupt
        Where Ctrl-C cut the fit short.
    """
    if fit.tree.attrs.get("interrupted", 0):
        raise KeyboardInterrupt
    return fit
