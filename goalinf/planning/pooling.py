"""Pooling: priors of parameters that have one value per subject, context or level of a covariate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import Distribution, biject_to, constraints
from numpyro.distributions.transforms import Transform

from goalinf.checks import PRNGKey, check_kind
from goalinf.display import describe
from goalinf.planning.parameters import entry_prior
from goalinf.planning.shared_correlation import SharedCorrelation
from goalinf.precision import computing_in
from goalinf.types import Numeric

_DRAWS = 2001  # of a prior, for its width on the scale of its link


class Pooling(Distribution):
    r"""Prior of a parameter with one value per level.

    Made by :func:`~goalinf.partial_pooling`, :func:`~goalinf.no_pooling` and :func:`~goalinf.regression`. As a
    distribution it is that of the value of one further level, of a regression at covariates of zero. It has samples but
    no density in closed form.

    Parameters
    ----------
    prior : Distribution
        With a spread or a formula, the prior of the median of the group; otherwise the prior of every value.
    by : tuple of str
        Units that have values of their own: ``"subject"``, ``"context"``, names of covariates.
    spread : Distribution, optional
        Prior of the standard deviation of the values around the median, on the scale of the link. None: no group.
    formula : str, optional
        Formula of a regression on covariates. None: no covariates.
    effects : mapping from term to Distribution, optional
        Priors of the coefficients, on the scale of the link; terms without one have the usual prior.
    slopes : tuple of str
        Terms of the formula whose coefficients vary between units, too.
    correlation : float or SharedCorrelation, optional
        Concentration of the LKJ prior of the correlations of the deviations of a unit. None: they are independent.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("prior", "spread", "effects")
    pytree_aux_fields = ("by", "formula", "slopes", "correlation")

    def __init__(
        self,
        prior: Distribution,
        by: tuple[str, ...],
        spread: Distribution | None = None,
        formula: str | None = None,
        effects: Mapping[str, Distribution] | None = None,
        slopes: tuple[str, ...] = (),
        correlation: float | SharedCorrelation | None = None,
    ):
        self.prior, self.by, self.spread = prior, by, spread
        self.formula, self.effects, self.slopes = formula, dict(effects or {}), slopes
        self.correlation = correlation
        super().__init__(batch_shape=prior.batch_shape, event_shape=prior.event_shape)

    def __repr__(self) -> str:
        function = "no_pooling" if self.spread is None else "partial_pooling"
        parts = [describe(self.prior)]
        if self.formula is not None:
            function, parts = "regression", [repr(self.formula), *parts]
        if self.by:
            parts.append(f"by={(self.by[0] if len(self.by) == 1 else self.by)!r}")
        if self.spread is not None:
            parts.append(f"spread={describe(self.spread)}")
        if self.effects:
            shown = ", ".join(f"{term!r}: {describe(prior)}" for term, prior in self.effects.items())
            parts.append(f"effects={{{shown}}}")
        if self.slopes:
            parts.append(f"slopes={list(self.slopes)!r}")
        if self.correlation is not None:
            parts.append(f"correlation={self.correlation!r}")
        return f"{function}({', '.join(parts)})"

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
        return self._with(self.prior.expand(batch_shape))

    def to_event(self, reinterpreted_batch_ndims: int | None = None) -> Pooling:
        """Return the prior of an array as one value."""
        return self._with(self.prior.to_event(reinterpreted_batch_ndims))

    def _with(self, prior: Distribution) -> Pooling:
        return Pooling(prior, self.by, self.spread, self.formula, self.effects, self.slopes, self.correlation)

    def log_prob(self, value: Numeric) -> NoReturn:
        """Refuse: there is no density in closed form.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            "partial_pooling, no_pooling and regression are priors of agents and rewards that are given to "
            "gi.infer(agent=…, reward=…); in a model of your own sample the values of all subjects, for instance in "
            "numpyro.plate"
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
    prior: Distribution,
    *,
    by: str | Sequence[str] = "subject",
    spread: Distribution | None = None,
    correlation: SharedCorrelation | None = None,
) -> Pooling:
    r"""Prior of a parameter whose values by subject (or other unit) vary around the value of a group.

    .. math:: g(\theta_i) = g(m) + \sigma z_i,\quad z_i \sim \mathrm{Normal}(0, 1)

    with the link g from the support of the prior to the real line: the identity, the logarithm for positive numbers,
    the logit for probabilities. It stands in an agent or a reward wherever a prior may stand. A fit then has
    ``agent.beta.mean`` (the median m of the group, in the units of the parameter), ``agent.beta.sd``
    (:math:`\sigma`, on the scale of the link) and ``agent.beta`` (:math:`\theta_i`, by subject).

    Parameters
    ----------
    prior : Distribution
        Prior of the median m of the group; its support is that of the values.
    by : str or sequence of str
        Units with values of their own: ``"subject"``, ``"context"``, or a covariate of the data such as ``"session"``.
        With ``["subject", "session"]`` every subject has a value in each session.
    spread : Distribution, optional
        Prior of :math:`\sigma`, positive numbers. Default: half-normal, with the standard deviation of g(m) under
        the prior as its scale.
    correlation : SharedCorrelation, optional
        Correlation of the deviations with those of other parameters that are given the same record. Default: the
        deviations of different parameters are independent.

    Returns
    -------
    Pooling
        The prior.

    Raises
    ------
    TypeError
        Where the correlation is no SharedCorrelation.
    ValueError
        Where the support of the prior is not one interval of real numbers, or ``by`` names no unit, or one twice.

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
    check_number_prior("prior", prior)
    if correlation is not None:
        expected = (
            "a SharedCorrelation: a value per unit is one effect, which correlates with those of other parameters"
        )
        check_kind("correlation", correlation, SharedCorrelation, expected)
    return Pooling(prior, units_of(by), checked_spread(prior, spread), correlation=correlation)


def no_pooling(prior: Distribution, *, by: str | Sequence[str] = "subject") -> Pooling:
    """Prior of a parameter that has a value for each subject (or other unit), independent of the others.

    Parameters
    ----------
    prior : Distribution
        Prior of every value.
    by : str or sequence of str
        Units with values of their own: ``"subject"``, ``"context"``, or a covariate of the data such as ``"session"``.
        With ``["subject", "session"]`` every subject has a value in each session.

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
    check_number_prior("prior", prior)
    return Pooling(prior, units_of(by))


def checked_spread(prior: Distribution, spread: Distribution | None) -> Distribution:
    """Return the prior of the standard deviation of a group; by default half-normal, with the width of the prior.

    Raises
    ------
    ValueError
        Where its support has other numbers than positive ones, or its shape is not that of the prior.
    """
    if spread is None:
        return dist.HalfNormal(width_of(prior))
    check_number_prior("spread", spread)
    if not _positive(spread):
        raise ValueError(
            f"spread is {type(spread).__name__}; expected a prior of a standard deviation, whose support is the "
            "positive numbers, such as numpyro.distributions.HalfNormal(0.5)"
        )
    if spread.shape() not in ((), prior.shape()):
        raise ValueError(f"spread has shape {spread.shape()}; expected (), or {prior.shape()} as the prior")
    return spread


def link_of(prior: Distribution) -> Transform:
    """Return the map from the real line to the support of every entry of a prior."""
    return biject_to(entry_prior(prior).support)


def units_of(by: object) -> tuple[str, ...]:
    """Return the names of units as a tuple: subject and context before covariates.

    Raises
    ------
    ValueError
        Where there is none, one that is no text, or one twice.
    """
    units = tuple(by) if isinstance(by, (tuple, list)) else (by,)
    if not units or not all(isinstance(unit, str) and unit for unit in units) or len(set(units)) < len(units):
        raise ValueError(
            f"by is {by!r}; expected 'subject', 'context' or the name of a covariate such as 'session', or a list of "
            "different ones"
        )
    first = [unit for unit in ("subject", "context") if unit in units]
    return (*first, *(unit for unit in units if unit not in first))


def check_number_prior(name: str, prior: object) -> None:
    """Refuse what is not a proper continuous distribution of single numbers.

    Raises
    ------
    TypeError
        Where it is no distribution.
    ValueError
        Where it is another distribution.
    """
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


def width_of(prior: Distribution) -> np.ndarray:
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
