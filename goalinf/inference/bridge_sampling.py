r"""Marginal likelihood of a model by bridge sampling from the draws of a fit.

With q a normal distribution fitted to half of the draws, or a mixture of normal distributions with one component per
mode, the marginal likelihood is the solution of

.. math:: \hat p = \frac{\frac{1}{N_2}\sum_j \frac{l_2(j)}{s_1 l_2(j) + s_2 \hat p}}
    {\frac{1}{N_1}\sum_i \frac{1}{s_1 l_1(i) + s_2 \hat p}},\qquad l = \frac{p(D \mid \theta)\,p(\theta)}{q(\theta)},

where :math:`l_1` is evaluated at the other half of the draws, :math:`l_2` at draws of q, and :math:`s_1, s_2` are the
shares of the two effective sample sizes.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro.diagnostics import effective_sample_size
from numpyro.infer.util import unconstrain_fn
from scipy import linalg
from scipy.special import logsumexp

from goalinf.checks import check_kind, numpy_generator, takes_key
from goalinf.inference.model.hierarchical.standardized import from_natural
from goalinf.inference.model.linear_reward.scale_mixture import PRODUCT
from goalinf.inference.model.log_density import Data
from goalinf.inference.model.parameterization import Parameterization
from goalinf.inference.model.posterior import Posterior
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_density import fitted_posterior
from goalinf.precision import computing_in
from goalinf.types import PRNGKey

_STEPS, _TOLERANCE = 1000, 1e-10  # of the fixed point, in nats
_PROPOSALS = 4000
_PER_COORDINATE = 4  # draws in half of the chains, for each coordinate of a covariance


@dataclasses.dataclass(frozen=True)
class Evidence:
    r"""Marginal likelihood of a model.

    Parameters
    ----------
    log_evidence : float
        :math:`\log p(D)`, in nats: probability of the actions, given the states in which they were made.
    error : float
        Its Monte Carlo standard error, in nats; zero where it is exact.
    sentence : str
        Method, and a warning where the chains have not converged.
    """

    log_evidence: float
    error: float
    sentence: str

    def __repr__(self) -> str:
        return f"Evidence({self.log_evidence:.3f} ± {self.error:.3f} nats; {self.sentence})"


@takes_key
def marginal_likelihood(key: PRNGKey, fit: Fit) -> Evidence:
    r"""Compute the marginal likelihood :math:`p(D) = \int p(D \mid \theta)\,p(\theta)\,d\theta` of a fitted model.

    The difference of two log marginal likelihoods is the logarithm of a Bayes factor. It depends on the width of the
    priors, for any amount of data (Lindley): :func:`goalinf.identify.zero_reward` shows by how much.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    fit : Fit
        From :func:`~goalinf.infer`, sampled by chains, or exact where all unknowns are discrete.

    Returns
    -------
    Evidence

    Raises
    ------
    ValueError
        Where the draws come from an approximation, or are too few for their covariance; or where the fit of a model of
        your own was loaded from a file.

    References
    ----------
    Meng and Wong (1996), "Simulating ratios of normalizing constants"; Gronau et al. (2017), "A tutorial on bridge
    sampling", equation 15; Frühwirth-Schnatter (2004) for the error.

    Examples
    --------
    Two arms, of which the first is chosen seven times in ten; under the uniform policy the data have -6.93 nats.

    >>> import jax, numpy as np, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> arms = gi.from_arrays(np.ones((1, 2, 1)), discount=0.5)
    >>> choices = gi.Trajectories.of(np.zeros((1, 11), int), np.array([[0] * 7 + [1] * 3]))
    >>> prior = gi.ActionReward(dist.Normal(0.0, 1.0))
    >>> fit = gi.infer(jax.random.key(0), arms, agent=gi.agents.soft_optimal(beta=1.0), reward=prior, data=choices)
    >>> round(gi.inference.marginal_likelihood(jax.random.key(1), fit).log_evidence, 1)
    -7.1
    """
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    if fit.kind == "exact":
        return Evidence(float(fit.sample_stats["lp"][0, 0]), 0.0, "Exact: a sum over the discrete unknowns.")
    if fit.kind == "approximation":
        raise ValueError(
            f"these are draws of an approximation ({fit.tree.attrs['algorithm']}), not of the posterior: fit with "
            "method='auto' first"
        )
    with computing_in("float64"):
        posterior = fitted_posterior(fit)
        parameterization = posterior.preferred
        draws = _coordinates(fit, posterior, parameterization)
        n_chains, n_draws, size = draws.shape
        half = n_draws // 2
        training, evaluation = draws[:, :half].reshape(-1, size), draws[:, half:]
        rng = numpy_generator(key)
        stats = fit.sample_stats
        modes = stats["mode"].values if "mode" in stats else np.zeros(draws.shape[:2], int)
        proposal = _Proposal.fitted(training, modes[:, :half].ravel())
        proposed = proposal.sample(rng, _PROPOSALS)
        log_ratio = parameterization.log_density(evaluation.reshape(-1, size)) - proposal.log_prob(
            evaluation.reshape(-1, size)
        )
        log_ratio = log_ratio.reshape(n_chains, -1)
        log_ratio_q = parameterization.log_density(proposed) - proposal.log_prob(proposed)
    log_evidence, error = bridge(log_ratio, log_ratio_q)
    sentence = f"Bridge sampling from {n_chains * (n_draws - half)} draws and {_PROPOSALS} proposals."
    if not fit.converged:
        sentence += " The chains have NOT converged, so the estimate and its error are not reliable."
    return Evidence(log_evidence, error, sentence)


def _coordinates(fit: Fit, posterior: Posterior, parameterization: Parameterization) -> np.ndarray:
    """Return the draws in the unconstrained coordinates of a parameterization, ``(chains, draws, D)``."""
    values = {str(name): np.asarray(array.values) for name, array in fit.posterior.data_vars.items()}
    if parameterization is posterior.product:
        (linear,) = (site.name for site in posterior.sites if site.name != "agent.beta")
        beta = values["agent.beta"]
        values = {PRODUCT: values[linear] * beta.reshape(*beta.shape, *[1] * (values[linear].ndim - 2))}
    elif posterior.sites:
        values = {site.name: values[site.name] for site in posterior.sites}
        if posterior.standardized is not None:
            values = from_natural(posterior.sites, values, posterior.standardized.evidence)
    if parameterization.closed is not None:
        (entries,) = values.values()
        return entries.reshape(*entries.shape[:2], -1)  # normal priors: the values are the coordinates
    density = parameterization.density
    values = {name: values[name] for name in density.unravel(density.start)}
    shape = next(iter(values.values())).shape[:2]
    flat = {name: array.reshape(-1, *array.shape[2:]) for name, array in values.items()}

    def coordinates(draw: dict[str, Any], data: Data) -> Any:
        return ravel_pytree(unconstrain_fn(density.seeded, (data,), {}, draw))[0]

    return np.asarray(density.over_draws("coordinates", coordinates, flat, parameterization.data)).reshape(*shape, -1)


@dataclasses.dataclass(frozen=True)
class _Proposal:
    """Mixture of normal distributions: shares ``(M,)``, centers ``(M, D)``, square roots of covariances."""

    shares: np.ndarray
    centers: np.ndarray
    roots: np.ndarray

    @classmethod
    def fitted(cls, draws: np.ndarray, modes: np.ndarray) -> _Proposal:
        """Fit one component to every mode with enough of the draws ``(N, D)``; ``modes (N,)`` is the mode of each draw.

        Raises
        ------
        ValueError
            Where no mode has enough draws for a covariance.
        """
        size = draws.shape[1]
        least = max(_PER_COORDINATE * size, 2)
        numbers, counts = np.unique(modes, return_counts=True)
        if counts.max() < least:
            raise ValueError(
                f"half of the draws are {len(draws)}; a covariance of {size} coordinates needs at least {least}, near "
                "one mode: draw more with gi.resume(fit, draws=…)"
            )
        parts = [draws[modes == number] for number in numbers[counts >= least]]
        shares = np.array([len(part) for part in parts], float)
        roots = [np.linalg.cholesky(np.atleast_2d(np.cov(part.T))) for part in parts]
        return cls(shares / shares.sum(), np.stack([part.mean(0) for part in parts]), np.stack(roots))

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Sample ``(size, D)``."""
        component = rng.choice(len(self.shares), size, p=self.shares) if len(self.shares) > 1 else np.zeros(size, int)
        noise = rng.standard_normal((size, self.centers.shape[1]))
        return self.centers[component] + np.einsum("nij,nj->ni", self.roots[component], noise)

    def log_prob(self, flat: np.ndarray) -> np.ndarray:
        """Compute the log density at points ``(N, D)``."""
        log_densities = []
        for share, center, root in zip(self.shares, self.centers, self.roots, strict=True):
            white = linalg.solve_triangular(root, (flat - center).T, lower=True)
            log_volume = np.log(np.diag(root)).sum() + 0.5 * len(center) * np.log(2 * np.pi)
            log_densities.append(np.log(share) - 0.5 * (white**2).sum(0) - log_volume)
        return logsumexp(log_densities, axis=0)


def bridge(log_ratio: np.ndarray, log_ratio_q: np.ndarray) -> tuple[float, float]:
    r"""Return the log ratio of two normalizing constants and its error, by bridge sampling (Meng and Wong 1996).

    Parameters
    ----------
    log_ratio : float (chains, draws)
        Log ratio of the two unnormalized densities at draws of the first.
    log_ratio_q : float (N,)
        The same at independent draws of the second.
    """
    effective = float(np.clip(effective_sample_size(log_ratio), 1.0, log_ratio.size))
    log_s1, log_s2 = np.log([effective, len(log_ratio_q)]) - np.log(effective + len(log_ratio_q))
    estimate = float(np.median(log_ratio))
    for _ in range(_STEPS):
        log_num = log_ratio_q - np.logaddexp(log_s1 + log_ratio_q, log_s2 + estimate)
        log_den = -np.logaddexp(log_s1 + log_ratio, log_s2 + estimate)
        updated = float(logsumexp(log_num) - np.log(log_ratio_q.size) - logsumexp(log_den) + np.log(log_ratio.size))
        converged = abs(updated - estimate) < _TOLERANCE
        estimate = updated
        if converged:
            break
    weights, inverse = np.exp(log_num - log_num.max()), np.exp(log_den - log_den.max())
    relative_variance = weights.var() / weights.mean() ** 2 / len(weights)
    n_eff = float(np.clip(effective_sample_size(inverse), 1.0, inverse.size)) if inverse.std() > 0 else inverse.size
    return estimate, float(np.sqrt(relative_variance + inverse.var() / inverse.mean() ** 2 / n_eff))
