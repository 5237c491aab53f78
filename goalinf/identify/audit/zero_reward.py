"""Bayes factor of zero reward over the fitted model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde

from goalinf.checks import check_kind, check_number, takes_key
from goalinf.identify.audit.refits import refit, widen_prior, zero_reward_evidence
from goalinf.identify.local.unidentified import Directions
from goalinf.identify.local.whitening import Frame, gaussian, prior_draws
from goalinf.inference.bridge_sampling import marginal_likelihood
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.fit import Fit
from goalinf.precision import computing_in
from goalinf.rewards import check_linear
from goalinf.types import PRNGKey

_LOW = 3  # dimensions, at most, in which a density is estimated from draws
_AROUND = 20  # draws within the kernel width of the point, at least
_DRAWS = 20_000  # of a prior
_WHEN = ("posterior", "prior")
_INTERVAL = (0.025, 0.5, 0.975)
_ROUNDING = 1e-12  # sizes below are rounding errors: no direction of the reward is identified
_STEPS = 60  # of the grid of sizes
_LARGE = (0.5, 0.9, 0.95, 0.99)  # quantiles of the size under the prior
_FACTORS, _DECREASE = (1.0, 10.0, 100.0), 0.01  # factors of the best draw; decrease in nats that counts as none
# Bounds in nats: Kass and Raftery (1995), who call the first class "not worth more than a bare mention".
_WORDS = ((1.0, "weak"), (3.0, "positive"), (5.0, "strong"), (np.inf, "very strong"))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ZeroReward:
    r"""Comparison of the fitted model with zero reward; ``print`` it, or read the fields.

    Parameters
    ----------
    table : DataFrame
        One row per width of the prior: ``scale`` (relative to the fitted prior), ``log_evidence`` and its ``error``,
        ``log_bayes_factor`` of zero reward over that prior, in nats, and ``converged``.
    unbounded : bool
        True where the likelihood of the best draw does not decrease when its reward is multiplied by 100. This occurs
        if every observed action is optimal under that reward.
    slope : float or None
        Derivative of the log Bayes factor at the fitted prior, in nats per factor of e in its width: an expectation
        over the posterior. None if the prior is not normal.
    log_evidence : float
        Log marginal likelihood of zero reward: exact where the likelihood of zero reward does not depend on the
        parameters of the agent.
    savage_dickey : float or None
        The same log Bayes factor as the ratio of posterior to prior density at zero in the identified directions, an
        approximation by kernel density estimates. None with more than three directions, with inferred parameters of the
        agent, or without draws near zero.
    mass : DataFrame
        By ``size`` of beta times the reward, on which behavior depends (the norm in the identified directions; from 0
        to beyond the posterior): the ``posterior`` and ``prior`` probability of a smaller size.
    interval : DataFrame
        Quantiles of this size, rows ``posterior`` and ``prior``, columns 0.025, 0.5 and 0.975.
    runaway : DataFrame
        By this ``size``, in the upper tail of the prior: the ``posterior`` and ``prior`` probability of a larger size,
        and their ``ratio``. The ratio tends to zero where the data bound the size, and to a constant where the
        likelihood is flat towards infinity.
    """

    table: pd.DataFrame
    unbounded: bool
    slope: float | None
    log_evidence: float
    savage_dickey: float | None
    mass: pd.DataFrame
    interval: pd.DataFrame
    runaway: pd.DataFrame

    @property
    def log_bayes_factor(self) -> float:
        """Log Bayes factor of zero reward over the fitted model, in nats; positive values favor zero reward."""
        return float(self.table.loc[self.table["scale"] == 1.0, "log_bayes_factor"].iloc[0])

    def __str__(self) -> str:
        factor = self.log_bayes_factor
        strength = next(word for bound, word in _WORDS if abs(factor) <= bound)
        verdict = f"{strength} evidence {'for' if factor > 0 else 'against'} zero reward"
        error = float(self.table.loc[self.table["scale"] == 1.0, "error"].iloc[0])
        lines = [f"Zero reward: log Bayes factor {factor:+.2f} ± {error:.2f} nats; {verdict}."]
        if self.savage_dickey is not None:
            lines.append(f"  Log Savage-Dickey density ratio: {self.savage_dickey:+.2f} nats.")
        if len(self.table) > 1:
            by = ", ".join(f"{row.log_bayes_factor:+.2f} nats at {row.scale:.3g}" for row in self.table.itertuples())
            signs = self.table["log_bayes_factor"] > 0
            same = signs.all() or not signs.any()
            lines.append(
                f"  Log Bayes factor by width of the prior (relative to the fitted prior): {by}. "
                + ("The sign is the same for all widths." if same else "The sign depends on the width.")
            )
        elif self.slope is None:
            lines.append("  The dependence on the width of this prior was not computed.")
        if self.slope is not None:
            lines.append(
                f"  A prior ten times as wide changes the log Bayes factor by {self.slope * np.log(10):+.1f} nats, "
                "to first order."
            )
        if not self.table["converged"].all():
            if len(self.table) > 1:
                lines.append("  Some of these fits did not converge: their log Bayes factors are not reliable.")
            else:
                lines.append("  The fit did not converge: this log Bayes factor is not reliable.")
        after, before = (
            f"{self.interval.loc[name, 0.025]:.3g} to {self.interval.loc[name, 0.975]:.3g}" for name in _WHEN
        )
        lines.append(f"  Size of beta x reward, 95 % interval: posterior {after}, prior {before}.")
        last = self.runaway.iloc[-1]
        lines.append(
            f"  Probability of a size above {last['size']:.3g} (99 % quantile of the prior): posterior "
            f"{last.posterior:.2g}, prior {last.prior:.2g}."
        )
        if self.unbounded:
            lines.append(
                "  The likelihood does not decrease for larger rewards: the prior alone bounds the size of the reward."
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"ZeroReward(log Bayes factor {self.log_bayes_factor:+.2f} nats; print it for the sentences)"


@takes_key
def zero_reward(key: PRNGKey, fit: Fit, *, scales: Sequence[float | int] = (1 / 3, 1.0, 3.0)) -> ZeroReward:
    r"""Compute the Bayes factor of zero reward over a fitted model.

    With zero reward the policy of most agents is uniform, and the probability of trajectories is exactly
    :math:`\prod_t 1/|A(s_t)|`; other observations have their likelihood under zero reward. It is
    compared with the marginal likelihood of the fitted model, by bridge sampling. The result depends on the width of
    the prior: a wider prior gives more probability to rewards that do not fit the data, and favors zero reward
    (Lindley). Therefore the model is fitted again with other widths, one row of the table each;
    for normal priors the derivative with respect to the width needs no further fit.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    fit : Fit
        From :func:`~goalinf.infer` with a prior of the reward.
    scales : sequence of float
        Widths of the prior, relative to the fitted prior, which is always included. Every other width costs one fit.
        Priors with a location and a scale can be widened (normal, Laplace, Student's t, Cauchy, logistic); the location
        is multiplied, too.

    Returns
    -------
    ZeroReward

    Raises
    ------
    ValueError
        If the fit has no world, agent and reward, if its reward is known, if its agent is a mixture, or if a scale is
        not a positive number.

    References
    ----------
    Dickey (1971) for the ratio of densities; Lindley (1957) for the paradox; Kass and Raftery (1995) for the classes of
    evidence.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=5.0), reward, trajectories=50, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=5.0), reward=prior, data=data, draws=200)
    >>> gi.identify.zero_reward(jax.random.key(2), fit, scales=(1.0,)).log_bayes_factor < -100
    True
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    if not isinstance(scales, (Sequence, np.ndarray)):
        raise TypeError(f"scales is {scales!r}; expected a sequence of positive numbers, such as (1/3, 1, 3)")
    for scale in scales:
        if check_number("a scale", scale, 0.0, np.inf, "a positive number") in (0.0, np.inf):
            raise ValueError(f"a scale is {scale!r}; expected a positive number")
    directions = Directions.of(fit, "the comparison with zero reward")
    if not directions.n_rewards:
        raise ValueError("this fit knows its reward: the comparison with zero reward needs a prior of the reward")
    base = check_linear("the comparison with zero reward", fit.reward)
    if len(directions.reward_sites) < len(base.parameters):
        raise ValueError("this fit knows a part of its reward: the comparison with zero reward needs a prior of it all")
    fit_key, zero_key, *refit_keys = jax.random.split(key, 2 + len(scales))
    zero_evidence = zero_reward_evidence(zero_key, fit)
    rescaled_rewards = {scale: widen_prior(fit, directions, scale) for scale in sorted({*map(float, scales)} - {1.0})}
    rows = [(1.0, marginal_likelihood(fit_key, fit), fit.converged)]
    for refit_key, (scale, reward) in zip(refit_keys, rescaled_rewards.items(), strict=False):
        if reward is not None:
            refitted = refit(refit_key, fit, reward)
            rows.append((scale, marginal_likelihood(refit_key, refitted), refitted.converged))
    zero_error = zero_evidence.error
    table = pd.DataFrame(
        [(scale, fitted.log_evidence, np.hypot(fitted.error, zero_error), ok) for scale, fitted, ok in rows],
        columns=["scale", "log_evidence", "error", "converged"],
    ).sort_values("scale", ignore_index=True)
    table.insert(3, "log_bayes_factor", zero_evidence.log_evidence - table["log_evidence"])
    posterior, prior = directions.rewards().reshape(-1, directions.n_rewards), prior_draws(directions.priors(), _DRAWS)
    frame = Frame.of(directions.priors(), directions.null)
    ratio, slope = None, None
    if frame is not None:
        identified = [frame.split(rewards)[1] for rewards in (posterior, prior)]
        centered = [rewards - frame.split(np.zeros((1, directions.n_rewards)))[1] for rewards in identified]
        if not any(name.startswith("agent.") for name in directions.sites):
            ratio = _log_density_ratio(*centered)
        if gaussian(directions.priors()):
            # d log evidence / d log width = E[z (z - z_0) - 1] over the posterior, summed over the identified
            # directions; the terms of the others are zero.
            slope = centered[0].shape[1] - float((centered[0] * identified[0]).sum(axis=1).mean())
    sizes = _sizes(directions, posterior, prior)
    return ZeroReward(
        table=table,
        unbounded=_unbounded(fit, directions),
        slope=slope,
        log_evidence=zero_evidence.log_evidence,
        savage_dickey=ratio,
        mass=_distribution_of_size(sizes),
        interval=pd.DataFrame([np.quantile(size, _INTERVAL) for size in sizes], index=_WHEN, columns=_INTERVAL),
        runaway=_tail_of_size(sizes),
    )


def _sizes(directions: Directions, posterior: np.ndarray, prior: np.ndarray) -> list[np.ndarray]:
    """Return posterior and prior draws of the size of beta times the identified part of the reward."""
    if "agent.beta" in directions.sites and directions.draws["agent.beta"].ndim == 2:
        beta = directions.draws["agent.beta"].ravel(), prior_draws([directions.sites["agent.beta"].prior], _DRAWS)[:, 0]
    else:
        beta = np.array(directions.jacobian.beta), np.array(directions.jacobian.beta)
    projection = directions.null.T @ directions.null
    identified = [rewards - rewards @ projection for rewards in (posterior, prior)]
    return [np.linalg.norm(rewards, axis=1) * betas for rewards, betas in zip(identified, beta, strict=True)]


def _distribution_of_size(sizes: Sequence[np.ndarray]) -> pd.DataFrame:
    """Tabulate the distribution functions of the size, from zero to beyond the posterior and most of the prior."""
    posterior, prior = np.quantile(sizes[0], 0.995), np.quantile(sizes[1], 0.95)
    top = max(1.2 * posterior, min(prior, 3.0 * posterior))
    bounds = np.linspace(0.0, top if top > _ROUNDING else 1.0, _STEPS + 1)
    shares = {name: (size[:, None] < bounds).mean(axis=0) for name, size in zip(_WHEN, sizes, strict=True)}
    return pd.DataFrame({"size": bounds, **shares})


def _tail_of_size(sizes: Sequence[np.ndarray]) -> pd.DataFrame:
    """Tabulate the probabilities of large sizes."""
    bounds = np.quantile(sizes[1], _LARGE)
    table = pd.DataFrame({"size": bounds})
    for name, size in zip(_WHEN, sizes, strict=True):
        table[name] = (size[:, None] > bounds).mean(axis=0)
    return table.assign(ratio=table["posterior"] / table["prior"])


def _unbounded(fit: Fit, directions: Directions) -> bool:
    """Return True where the likelihood of the best draw does not decrease as its reward is scaled up."""
    if "log_likelihood" not in fit.tree:
        return False
    total = fit.tree["log_likelihood"].to_dataset()["choices"].sum(fit.data.unit).values
    chain, draw = np.unravel_index(int(total.argmax()), total.shape)
    values = {name: array[chain, draw] for name, array in directions.draws.items() if name.startswith("agent.")}
    log_likelihoods = []
    with computing_in("float64"):
        for size in _FACTORS:
            reward = directions.reward(fit, size * directions.rewards()[chain, draw])
            model = StandardModel(fit.world, fit.agent, reward)
            log_likelihoods.append(float(model.behavior(values, fit.data.context_names).log_prob(fit.data)))
    return bool(np.isfinite(log_likelihoods).all() and (np.diff(log_likelihoods) > -_DECREASE).all())


def _log_density_ratio(posterior: np.ndarray, prior: np.ndarray) -> float | None:
    """Return the log ratio of posterior to prior density at zero; None if it cannot be estimated."""
    if not 1 <= posterior.shape[1] <= _LOW:
        return None
    kernels = [gaussian_kde(draws.T) for draws in (posterior, prior)]
    widths = np.sqrt(np.diag(kernels[0].covariance))
    if (np.abs(posterior) < widths).all(axis=1).sum() < _AROUND:
        return None
    log_densities = [float(kernel.logpdf(np.zeros(posterior.shape[1]))[0]) for kernel in kernels]
    return log_densities[0] - log_densities[1]
