"""Bayesian model selection for groups: subjects are random draws from a population in which models have frequencies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.integrate import quad
from scipy.special import digamma, expit, gammainc, gammaincinv, gammaln, logsumexp, softmax, xlogy

from goalinf.inference.results.fit import Fit
from goalinf.inference.scoring.marginal import evidence_by_subject

_STEPS, _TOLERANCE = 10_000, 1e-10  # of the variational iterations; of the free energy, in nats


def model_selection(log_evidence: pd.DataFrame | Mapping[str, Fit]) -> pd.DataFrame:
    r"""Infer the frequencies of models in the population from which subjects are drawn.

    Subject i uses model k with probability :math:`r_k`, and :math:`r \sim \mathrm{Dirichlet}(1, …, 1)`. The posterior
    of r is approximated by a Dirichlet distribution with parameters :math:`\alpha` (variational Bayes). Subjects may
    differ in their model, so that one subject with extreme evidence does not decide, as it does in a sum.

    Parameters
    ----------
    log_evidence : DataFrame, or mapping from name to Fit
        Log marginal likelihoods, in nats: one row per subject, one column per model. Or fits of the same data, in which
        every unknown parameter has :func:`~goalinf.no_pooling` by subject: subjects are then independent, and the
        marginal likelihood of each is computed by importance sampling. With a group, or with a shared parameter, a
        subject has no marginal likelihood of its own, and fits are refused; an expected log predictive density is none.

    Returns
    -------
    DataFrame
        One row per model:

        - ``frequency``: expected frequency in the population, :math:`\alpha_k / \sum_j \alpha_j`;
        - ``exceedance``: probability that the model is the most frequent;
        - ``protected``: protected exceedance probability, which also considers that all models may be equally frequent:
          :math:`(1 - b)` times the exceedance probability plus :math:`b / K`;
        - ``omnibus_risk``: b, the posterior probability of equal frequencies (the same in all rows).

    Raises
    ------
    ValueError
        Where there are fewer than two models, a number is not finite, fits have other subjects or other data, or a fit
        has no marginal likelihood by subject.

    References
    ----------
    Stephan et al. (2009), "Bayesian model selection for group studies"; Rigoux et al. (2014), "Bayesian model selection
    for group studies -- revisited", for the protected exceedance probability.

    Examples
    --------
    >>> import pandas as pd, goalinf as gi
    >>> log_evidence = pd.DataFrame({"soft": [-10.0, -12.0, -9.0, -11.0], "hard": [-14.0, -13.0, -15.0, -10.0]})
    >>> gi.inference.model_selection(log_evidence).round(2)
           frequency  exceedance  protected  omnibus_risk
    model
    soft        0.75        0.91        0.7          0.51
    hard        0.25        0.09        0.3          0.51
    """
    table = _by_fit(log_evidence) if isinstance(log_evidence, Mapping) else pd.DataFrame(log_evidence)
    if table.shape[1] < 2 or not len(table):
        raise ValueError(f"log_evidence has {table.shape[0]} subjects and {table.shape[1]} models; expected two models")
    nats = table.to_numpy(float)
    if (wrong := np.argwhere(~np.isfinite(nats))).size:
        row, column = wrong[0]
        raise ValueError(
            f"the log evidence of model {table.columns[column]!r} for subject {table.index[row]!r} is "
            f"{nats[row, column]}; expected a finite number in nats"
        )
    nats = nats - nats.max(axis=1, keepdims=True)
    counts, free_energy = _variational(nats)
    equal_frequencies = float((logsumexp(nats, axis=1) - np.log(nats.shape[1])).sum())
    risk = float(expit(equal_frequencies - free_energy))
    exceedance = _exceedance(counts)
    columns = {
        "frequency": counts / counts.sum(),
        "exceedance": exceedance,
        "protected": (1.0 - risk) * exceedance + risk / len(counts),
        "omnibus_risk": np.full(len(counts), risk),
    }
    return pd.DataFrame(columns, index=table.columns.rename("model"))


def _by_fit(fits: Mapping[str, Fit]) -> pd.DataFrame:
    """Return the log marginal likelihoods of fits, one row per subject."""
    hashes = {name: fit.tree.attrs["data_hash"] for name, fit in fits.items()}
    if len(set(hashes.values())) > 1:
        raise ValueError(
            f"the fits {', '.join(map(repr, fits))} are of different data: fit all of them to the same data"
        )
    return pd.DataFrame({name: evidence_by_subject(fit, name) for name, fit in fits.items()})


def _variational(nats: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the parameters (K,) of the Dirichlet posterior of the frequencies, and the free energy.

    Equations 11 to 14 of Stephan et al. (2009), and A.18 to A.21 of Rigoux et al. (2014).
    """
    prior = np.ones(nats.shape[1])
    counts, before = prior + nats.shape[0] / nats.shape[1], -np.inf
    for _ in range(_STEPS):
        log_frequency = digamma(counts) - digamma(counts.sum())
        shares = softmax(nats + log_frequency, axis=1)
        counts = prior + shares.sum(axis=0)
        log_frequency = digamma(counts) - digamma(counts.sum())
        energy = (shares * (nats + log_frequency)).sum() - xlogy(shares, shares).sum()
        divergence = _log_normalizer(prior) - _log_normalizer(counts) + ((counts - prior) * log_frequency).sum()
        free_energy = float(energy - divergence)
        if abs(free_energy - before) < _TOLERANCE:
            break
        before = free_energy
    return counts, free_energy


def _log_normalizer(counts: np.ndarray) -> float:
    """Return the logarithm of the multivariate beta function."""
    return float(gammaln(counts).sum() - gammaln(counts.sum()))


def _exceedance(counts: np.ndarray) -> np.ndarray:
    r"""Return the probability that each entry of a Dirichlet variable is the largest.

    Entries are gamma variables divided by their sum: :math:`P_k = \int_0^1 \prod_{j \ne k} F_j(F_k^{-1}(u))\,du` with
    their distribution functions F.
    """

    def largest(share: float, entry: int) -> float:
        return float(np.prod(gammainc(np.delete(counts, entry), gammaincinv(counts[entry], share))))

    integrals = np.array([quad(largest, 0.0, 1.0, args=(entry,), limit=200)[0] for entry in range(len(counts))])
    return integrals / integrals.sum()
