r"""Scaled parameterization: sample :math:`R = \beta r` with beta summed out, and draw beta afterwards.

Behavior depends on beta and the reward only through their product. The posterior of (beta, r) therefore has a long
curved ridge; the product alone is well determined. The prior of the product is a scale mixture,

.. math:: p(R) = \int p(\beta)\,\beta^{-n}\,p_r(R/\beta)\,d\beta,

(the factor :math:`\beta^{-n}` is the volume of the change of variables), summed here on a grid that is finer than the
mixture's conditional :math:`p(\beta \mid R)`. That conditional is then drawn from for every kept R, and
:math:`r = R/\beta`: the draws of (beta, r) have exactly the posterior of the model as it was written.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array
from numpyro.distributions import constraints
from scipy.special import ndtr

from goalinf.behavior.conditions import Rewards
from goalinf.inference.model.priors import Site
from goalinf.inference.model.program_cache import recipe
from goalinf.planning.parameters import entry_prior
from goalinf.precision import computing_in
from goalinf.rewards import Reward, reward_parameters
from goalinf.types import Numeric, PRNGKey

PRODUCT = "reward*beta"
_REACH = 7.0  # the grid spans this many standard deviations of the prior of beta to either side, in normal scores
_MOST = 5_000  # nodes; more are needed only where an entry has so narrow a prior that it identifies beta by itself
_N_COMPARED = 128  # draws at which two grids are compared
_LARGEST_DIFFERENCE = 1e-3  # between their log densities, in nats
_WIDEST, _HALVINGS = 700.0, 50  # bound on the absolute value of log beta; bisection steps for an error of 1e-12


def product_prior(sites: list[Site], reward: Rewards | None) -> ScaleMixture | None:
    """Build the prior of beta times the reward; None unless beta and all of a linear reward are the only unknowns."""
    if not isinstance(reward, Reward) or not reward.linear or len(sites) != 2:
        return None
    beta = next((site for site in sites if site.name == "agent.beta"), None)
    linear = next((site for site in sites if reward_parameters(reward) == (site.name,)), None)
    if beta is None or linear is None or beta.dims:
        return None
    # Beta times the reward must have the support of the reward: the real line, or the positive numbers.
    entry = getattr(linear.prior.support, "base_constraint", linear.prior.support)
    if not (entry is constraints.real or entry is constraints.positive):
        return None
    cached = _grids(recipe({}, linear.prior, beta.prior))
    if "grid" not in cached:
        cached["grid"] = _grid(linear.prior, beta.prior)
    return None if cached["grid"] is None else ScaleMixture(linear.prior, beta.prior, *cached["grid"])


@lru_cache(maxsize=64)
def _grids(_recipe: Hashable) -> dict[str, Any]:
    return {}


def _grid(reward: dist.Distribution, beta: dist.Distribution) -> tuple[np.ndarray, int] | None:
    """Find log betas and number of nodes of a grid that is fine enough; None where there is no such grid."""
    quantiles = _log_quantiles(beta)
    if quantiles is None:
        return None
    size = _first_size(reward, quantiles)
    normal = isinstance(entry_prior(reward), dist.Normal) and isinstance(entry_prior(beta), dist.LogNormal)
    while size <= _MOST:
        coarse, fine = (ScaleMixture(reward, beta, quantiles, nodes) for nodes in (size, 2 * size))
        if normal or _agree(coarse, fine):
            return quantiles, size
        size *= 2
    return None


def _first_size(reward: dist.Distribution, log_beta: np.ndarray) -> int:
    r"""Return the number of nodes that is sufficient for normal entries and a log-normal beta.

    Log beta given R has a precision near :math:`2n + \sum (m/s)^2 + 1/\sigma^2`, with m and s the mean and the standard
    deviation of each entry and :math:`\sigma` the standard deviation of log beta. With steps of 0.7 standard deviations
    the sum is exact to rounding, except for products so large that only a beta outside the grid explains them.
    """
    span = log_beta[2] - log_beta[0]
    entry, size = entry_prior(reward), float(np.prod(reward.shape()))
    noncentrality = 0.0
    center, width = getattr(entry, "loc", None), getattr(entry, "scale", None)
    if center is not None and width is not None:
        with computing_in("float64"):
            ratio = np.asarray(center, float) / np.asarray(width, float)
        noncentrality = float(np.broadcast_to(ratio**2, reward.shape()).sum())
    return int(np.ceil(span * np.sqrt(2.0 * size + 8.0 + noncentrality + (2 * _REACH / span) ** 2) / 0.7)) + 4


def _agree(coarse: ScaleMixture, fine: ScaleMixture) -> bool:
    """Return True where the density of the product does not depend on the grid, at draws of the prior."""
    with computing_in("float64"):
        values = coarse.sample(jax.random.key(0), (_N_COMPARED,))
        log_prob_coarse, log_prob_fine = (
            np.asarray(jax.jit(jax.vmap(prior.log_prob))(values)) for prior in (coarse, fine)
        )
    return bool(np.all(np.abs(log_prob_coarse - log_prob_fine) <= _LARGEST_DIFFERENCE))


def _log_quantiles(beta: dist.Distribution) -> np.ndarray | None:
    """Return logs of beta's lowest, middle and highest value on the grid; None where they are not positive numbers.

    By bisection of the distribution function, which NumPyro has for more distributions than quantiles. In float64 for
    every precision of the sampler: in float32 the upper end rounds to one.
    """
    ends = ndtr([-_REACH, 0.0, _REACH])
    low, high = np.full(3, -_WIDEST), np.full(3, _WIDEST)
    with computing_in("float64"):
        cdf = jax.jit(lambda log_beta: beta.cdf(jnp.exp(log_beta)))
        try:
            if not ((np.asarray(cdf(low)) < ends) & (ends <= np.asarray(cdf(high)))).all():
                return None
        except NotImplementedError:  # NumPyro has no distribution function of this prior
            return None
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            too_low = np.asarray(cdf(middle)) < ends
            low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return high if (np.diff(high) > 0).all() else None


class ScaleMixture(dist.Distribution):
    """Prior of beta times the reward, with beta summed out on a grid.

    Parameters
    ----------
    reward : Distribution
        Prior of the reward parameter, over the whole array.
    beta : Distribution
        Prior of beta.
    log_beta : float (3,)
        The lowest, middle and highest log beta of the grid.
    size : int
        Its number of nodes.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    reparametrized_params: ClassVar[list[str]] = []

    def __init__(self, reward: dist.Distribution, beta: dist.Distribution, log_beta: np.ndarray, size: int):
        self.reward, self.beta = reward, beta
        low, self.middle, high = log_beta
        self._range, self._size = (low, high), size
        super().__init__(reward.batch_shape, reward.event_shape, validate_args=False)

    @property
    def support(self) -> Any:
        """Support of the prior of the reward."""
        return self.reward.support

    def log_joint(self, value: Numeric, log_beta: Numeric) -> Any:
        """Compute log p(R, log beta) at each of the given log betas."""
        scaled = value / jnp.exp(log_beta).reshape(-1, *[1] * jnp.ndim(value))
        # The prior density of log beta is the density of beta times beta; the Jacobian of R is beta^-n for n entries.
        return (
            jax.vmap(self.reward.log_prob)(scaled) + self.beta.log_prob(jnp.exp(log_beta)) + (1 - value.size) * log_beta
        )

    def log_prob(self, value: Numeric) -> Any:
        """Compute log p(R)."""
        log_beta, step = jnp.linspace(*self._range, self._size, retstep=True)
        joint = self.log_joint(value, log_beta).at[jnp.array([0, -1])].add(jnp.log(0.5))  # trapezoids
        return jax.nn.logsumexp(joint) + jnp.log(step)

    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the log betas of the sum, and the logarithm of the prior probability of each."""
        log_beta, step = np.linspace(*self._range, self._size, retstep=True)
        weight = np.array(_log_prob(self.beta, np.exp(log_beta))) + log_beta + np.log(step)
        weight[[0, -1]] += np.log(0.5)
        return log_beta, weight

    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Any:
        """Sample beta times the reward."""
        key_beta, key_reward = jax.random.split(key)
        beta = self.beta.sample(key_beta, sample_shape)
        reward = self.reward.sample(key_reward, sample_shape)
        return reward * jnp.reshape(beta, (*sample_shape, *[1] * (jnp.ndim(reward) - len(sample_shape))))

    def draw_beta(self, key: PRNGKey, value: Numeric) -> Any:
        """Draw beta given the product, on a grid ten times finer, uniform around each node."""
        key_node, key_place = jax.random.split(key)
        log_beta, step = jnp.linspace(*self._range, self._size, retstep=True)
        finer, step = jnp.linspace(log_beta[1], log_beta[-2], 10 * (self._size - 3) + 1), step / 10
        node = jax.random.categorical(key_node, _refined(self.log_joint(value, log_beta)))
        return jnp.exp(finer[node] + step * jax.random.uniform(key_place, minval=-0.5, maxval=0.5))


@jax.jit
def _log_prob(prior: dist.Distribution, value: Numeric) -> Any:
    """Compute the log density of a prior; compiled, so that NumPyro does not warn of ends outside the support."""
    return prior.log_prob(value)


def _refined(y: Array) -> Any:
    """Interpolate on a grid ten times finer between the second and the last but one value (cubic, Catmull–Rom).

    Exact for parabolas, which approximate the log of a density from node to node.
    """
    t = jnp.arange(10) / 10
    y0, y1, y2, y3 = y[:-3, None], y[1:-2, None], y[2:-1, None], y[3:, None]
    slope, last_slope = (y2 - y0) / 2, (y3 - y1) / 2
    quadratic = 3 * (y2 - y1) - 2 * slope - last_slope
    cubic = 2 * (y1 - y2) + slope + last_slope
    return jnp.append((y1 + t * (slope + t * (quadratic + t * cubic))).ravel(), y[-2])


def sample_product(sites: list[Site], prior: ScaleMixture) -> dict[str, Any]:
    """Draw the product, as the reward of an agent with a beta of one."""
    beta, linear = _roles(sites)
    return {beta.name: jnp.ones(()), linear.name: numpyro.sample(PRODUCT, prior)}


def split_product(key: PRNGKey, sites: list[Site], prior: ScaleMixture, product: Numeric) -> dict[str, Any]:
    """Split the product into beta, drawn from its conditional, and the reward."""
    beta, linear = _roles(sites)
    value = prior.draw_beta(key, product)
    return {beta.name: value, linear.name: product / value}


def _roles(sites: list[Site]) -> tuple[Site, Site]:
    beta = next(site for site in sites if site.name == "agent.beta")
    return beta, next(site for site in sites if site is not beta)
