"""Correlations of the deviations of units: concentrations, and a record that several parameters share."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class SharedCorrelation:
    r"""Correlation, across units, of the deviations of several parameters: a record that their priors share.

    Given as ``correlation=`` of :func:`~goalinf.partial_pooling` or :func:`~goalinf.regression` to every one of the
    parameters. The correlations R of all their effects have the prior :math:`p(R) \propto |R|^{\eta - 1}` (LKJ). A fit
    then has the site ``correlation.<name>``, with one number for each pair of effects.

    Parameters
    ----------
    name : str
        Name of the correlation, such as ``"people"``; the identifier between bars of brms, ``(1 | people | subject)``.
    concentration : float
        :math:`\eta`, positive; 1 is uniform over correlation matrices, larger numbers favor correlations near zero.

    Raises
    ------
    ValueError
        Where the name is empty or holds a ``"/"``, or the concentration is not positive and finite.

    References
    ----------
    Lewandowski, Kurowicka and Joe (2009), "Generating random correlation matrices based on vines and extended onion
    method".

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> people = gi.SharedCorrelation("people", concentration=2.0)
    >>> agent = gi.agents.boltzmann(
    ...     beta=gi.partial_pooling(dist.LogNormal(0.0, 1.0), by="subject", correlation=people),
    ...     lapse=gi.partial_pooling(dist.Beta(1.0, 9.0), by="subject", correlation=people),
    ... )
    >>> agent.parameters["lapse"].correlation.name
    'people'
    """

    name: str
    concentration: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or "/" in self.name:
            raise ValueError(f"the name of a SharedCorrelation is {self.name!r}; expected a name without '/'")
        object.__setattr__(self, "concentration", _checked_concentration(self.concentration))


def checked_correlation(correlation: object) -> float | SharedCorrelation | None:
    """Return a shared correlation or None unchanged, and the concentration of an LKJ prior as a float.

    Raises
    ------
    ValueError
        Where the concentration is not positive and finite.
    """
    if correlation is None or isinstance(correlation, SharedCorrelation):
        return correlation
    return _checked_concentration(correlation)


def _checked_concentration(concentration: object) -> float:
    number = np.asarray(concentration)
    if isinstance(concentration, bool) or number.dtype.kind not in "iuf" or number.shape or not 0.0 < number < np.inf:
        raise ValueError(
            f"the concentration of a correlation is {concentration!r}; expected a positive number, such as 2.0, for "
            "the LKJ prior of the correlations of all effects"
        )
    return float(number)
