"""Pooling: priors of parameters that have one value per subject or context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NoReturn, get_args

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution, biject_to, constraints
from numpyro.distributions.transforms import Transform

from goalinf.checks import PRNGKey, check_kind
from goalinf.display import describe
from goalinf.planning.parameters import entry_prior
from goalinf.precision import computing_in
from goalinf.types import Numeric

Unit = Literal["subject", "context"]
_DRAWS = 2001  # of a prior, for its width on the scale of its link


class Pooling(Distribution):
    r"""Prior of a parameter with one value per level, made by :func:`~goalinf.partial_pooling` or ``no_pooling``.

    As a distribution it is that of the value of one further level. It has samples but no density in closed form.

    Parameters
    ----------
    prior : Distribution
        With a spread, the prior of the median of the group; otherwise the prior of every value.
    by : tuple of str
        Units that have values of their own: ``"subject"``, ``"context"``, or both.
    spread : Distribution, optional
        Prior of the standard deviation of the values around the median, on the scale of the link. None: no group.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("prior", "spread")
    pytree_aux_fields = ("by",)

    def __init__(self, prior: Distribution, by: tuple[Unit, ...], spread: Distribution | None = None):
        self.prior, self.by, self.spread = prior, by, spread
        super().__init__(batch_shape=prior.batch_shape, event_shape=prior.event_shape)

    def __repr__(self) -> str:
        function = "no_pooling" if self.spread is None else "partial_pooling"
        by = repr(self.by[0] if len(self.by) == 1 else self.by)
        spread = "" if self.spread is None else f", spread={describe(self.spread)}"
        return f"{function}({describe(self.prior)}, by={by}{spread})"

    @property
    def support(self) -> constraints.Constraint:
        """Support of the prior, which is that of every value."""
        return self.prior.support

    @property
    def link(self) -> Transform:
        """Map from the real line to the support."""
        return link_of(self.prior)

    def expand(self, batch_shape: tuple[int, ...]) -> Pooling:
        """Return the prior of an array, whose entries have groups of their own."""
        return Pooling(self.prior.expand(batch_shape), self.by, self.spread)

    def to_event(self, reinterpreted_batch_ndims: int | None = None) -> Pooling:
        """Return the prior of an array as one value."""
        return Pooling(self.prior.to_event(reinterpreted_batch_ndims), self.by, self.spread)

    def log_prob(self, value: Numeric) -> NoReturn:
        """Refuse: there is no density in closed form.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            "partial_pooling and no_pooling are priors of agents and rewards that are given to gi.infer(agent=…, "
            "reward=…); in a model of your own sample the values of all subjects, for instance in numpyro.plate"
        )

    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draw the values of further levels, each of another group."""
        if self.spread is None:
            return self.prior.sample(key, sample_shape)
        key_mean, key_sd, key_value = jax.random.split(key, 3)
        mean, sd = self.prior.sample(key_mean, sample_shape), self.spread.sample(key_sd, sample_shape)
        sd = jnp.reshape(sd, sd.shape + (1,) * (jnp.ndim(mean) - jnp.ndim(sd)))
        return self.link(self.link.inv(mean) + sd * jax.random.normal(key_value, jnp.shape(mean)))


def partial_pooling(
    prior: Distribution, *, by: Unit | Sequence[Unit] = "subject", spread: Distribution | None = None
) -> Pooling:
    r"""Prior of a parameter whose values by subject (or context) vary around the value of a group.

    .. math:: g(\theta_i) = g(m) + \sigma z_i,\quad z_i \sim \mathrm{Normal}(0, 1)

    with the link g from the support of the prior to the real line: the identity, the logarithm for positive numbers,
    the logit for probabilities. It stands in an agent or a reward wherever a prior may stand. A fit then has
    ``agent.beta.mean`` (the median m of the group, in the units of the parameter), ``agent.beta.sd``
    (:math:`\sigma`, on the scale of the link) and ``agent.beta`` (:math:`\theta_i`, by subject).

    Parameters
    ----------
    prior : Distribution
        Prior of the median m of the group; its support is that of the values.
    by : {"subject", "context"} or sequence of both
        Units with values of their own; with both, every subject has a value in each context.
    spread : Distribution, optional
        Prior of :math:`\sigma`, positive numbers. Default: half-normal, with the standard deviation of g(m) under
        the prior as its scale.

    Returns
    -------
    Pooling
        The prior.

    Raises
    ------
    ValueError
        Where the support of the prior is not one interval of real numbers, or ``by`` names no such unit.

    References
    ----------
    Gelman and Hill (2007), "Data analysis using regression and multilevel/hierarchical models", section 12.

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0, "b": 0.5}, default=0.0, on="departure")
    >>> agent = gi.agents.soft_optimal(beta=gi.partial_pooling(dist.LogNormal(0.0, 1.0), by="subject"))
    >>> walks = gi.simulate(0, hall, agent.at(beta=2.0), reward, trajectories=6, steps=10)
    >>> data = gi.Trajectories.of(walks.states, walks.actions, lengths=walks.lengths, subject=[0, 0, 1, 1, 2, 2])
    >>> fit = gi.infer(1, hall, agent=agent, reward=reward, data=data, chains=2, draws=200)
    >>> fit.posterior["agent.beta"].sizes["subject"]
    3
    """
    _check_prior("prior", prior)
    if spread is None:
        spread = dist.HalfNormal(_width(prior))
    _check_prior("spread", spread)
    if not _positive(spread):
        raise ValueError(
            f"spread is {type(spread).__name__}; expected a prior of a standard deviation, whose support is the "
            "positive numbers, such as numpyro.distributions.HalfNormal(0.5)"
        )
    if spread.shape() not in ((), prior.shape()):
        raise ValueError(f"spread has shape {spread.shape()}; expected (), or {prior.shape()} as the prior")
    return Pooling(prior, _units(by), spread)


def no_pooling(prior: Distribution, *, by: Unit | Sequence[Unit] = "subject") -> Pooling:
    """Prior of a parameter that has a value for each subject (or context), independent of the others.

    Parameters
    ----------
    prior : Distribution
        Prior of every value.
    by : {"subject", "context"} or sequence of both
        Units with values of their own; with both, every subject has a value in each context.

    Returns
    -------
    Pooling
        The prior.

    Raises
    ------
    ValueError
        As :func:`partial_pooling`.

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> gi.agents.boltzmann(beta=gi.no_pooling(dist.LogNormal(0.0, 1.0), by="subject")).parameters["beta"].by
    ('subject',)
    """
    _check_prior("prior", prior)
    return Pooling(prior, _units(by))


def link_of(prior: Distribution) -> Transform:
    """Return the map from the real line to the support of every entry of a prior."""
    return biject_to(entry_prior(prior).support)


def _units(by: object) -> tuple[Unit, ...]:
    units = tuple(by) if isinstance(by, (tuple, list)) else (by,)
    known = get_args(Unit)
    if not units or any(unit not in known for unit in units) or len(set(units)) < len(units):
        raise ValueError(f"by is {by!r}; expected {' or '.join(map(repr, known))}, or a list of both")
    return tuple(unit for unit in known if unit in units)


def _check_prior(name: str, prior: object) -> None:
    check_kind(name, prior, Distribution, "a NumPyro distribution, such as dist.LogNormal(0.0, 1.0)")
    assert isinstance(prior, Distribution)
    if isinstance(prior, Pooling):
        raise ValueError(f"{name} is a Pooling; expected the distribution of one number")
    entry = entry_prior(prior)
    wrong_support = entry.support.is_discrete or entry.support.event_dim or entry.support is constraints.circular
    if wrong_support or isinstance(entry, (dist.Delta, dist.ImproperUniform)):
        raise ValueError(
            f"{name} is {type(entry).__name__}; expected a proper continuous distribution of one number, such as "
            "numpyro.distributions.Normal, LogNormal or Beta"
        )


def _positive(prior: Distribution) -> bool:
    """Return True where the support has only positive numbers."""
    support = entry_prior(prior).support
    return not any(np.any(np.asarray(support(np.full(prior.shape(), value)))) for value in (-1.0, -1e-3))


def _width(prior: Distribution) -> np.ndarray:
    """Return half the width of the central 68 % of every entry of a prior, on the scale of its link."""
    shares = (0.15865525393145707, 0.8413447460685429)
    with computing_in("float64"):
        try:
            entry = entry_prior(prior)
            quantiles = [np.broadcast_to(np.asarray(entry.icdf(share)), prior.shape()) for share in shares]
        except (NotImplementedError, ImportError):  # NumPyro has no quantiles, or needs a library that is not installed
            quantiles = list(np.quantile(prior.sample(jax.random.key(0), (_DRAWS,)), shares, axis=0))
        low, high = (np.asarray(link_of(prior).inv(quantile), float) for quantile in quantiles)
    return np.asarray(np.abs(high - low) / 2.0)  # the link of a support without a lower bound decreases
