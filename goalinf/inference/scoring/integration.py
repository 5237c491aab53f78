r"""Likelihoods of items of the data with the effects of their owners integrated out, given the other parameters.

.. math:: p(y_i \mid \phi) = \int p(y_i \mid u, \phi)\,p(u \mid \phi)\,du
    \approx \frac1M \sum_m \frac{p(y_i \mid u_m, \phi)\,p(u_m \mid \phi)}{q(u_m)}

A quarter of the points :math:`u_m` are from the group, :math:`p(u \mid \phi)`, the others from a t distribution around
the product of the group and a normal approximation of the likelihood of the owner, which is a quadratic regression of
log-likelihoods on effects. q is the mixture of both, so that no ratio of densities exceeds 4 (defensive importance
sampling). Every draw of :math:`\phi` has points of its own. Independent rounds of points show the Monte Carlo error.

References
----------
Merkle, Furr and Rabe-Hesketh (2019), "Bayesian comparison of latent variable models: conditional versus marginal
likelihoods"; Hesterberg (1995), "Weighted average importance sampling and defensive mixture distributions"; Owen and
Zhou (2000), "Safe and effective importance sampling".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp

from goalinf.inference.scoring.by_option import AgentScorer
from goalinf.inference.scoring.effects import Effects

_POINTS, _OF_GROUP = 8, 2  # in a round; of these from the group
_LEAST, _MOST = 2, 32  # rounds; the difference between rounds shows the error
_DEGREES = 5.0  # of freedom of the t distribution: heavier tails than the effects have
_PILOTS = 3  # rounds from which likelihoods are approximated
_SEED = 0  # the points belong to the method: equal fits have equal scores
Joint = Callable[[np.ndarray, np.ndarray], np.ndarray]  # log weights and scores of options -> log-likelihoods (D, I)


@dataclasses.dataclass(frozen=True, eq=False)
class Integral:
    """Log-likelihoods of items at D draws, and the squared relative Monte Carlo error of the likelihoods, (D, I)."""

    log_likelihood: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, rounds: np.ndarray) -> Integral:
        """Average the log-likelihoods (R, D, I) of independent rounds."""
        count = len(rounds)
        mean = log_mean(rounds)
        relative = np.exp(rounds - np.where(np.isneginf(mean), 0.0, mean))
        return cls(mean, relative.var(axis=0, ddof=1) / count)


class Normal(NamedTuple):
    """Normal approximation of the likelihood of an owner: precision (Q, Q), and precision times mean (Q,)."""

    precision: np.ndarray
    weighted: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, log_likelihood: np.ndarray, log_weights: np.ndarray) -> Normal:
        """Regress log-likelihoods (B,) on points (B, Q) and their products, with log weights (B,)."""
        count, size = points.shape
        weights = _tempered(log_weights, size * (size + 3) // 2)
        center = weights @ points
        scale = np.sqrt(weights @ (points - center) ** 2) + 1e-9
        x, (row, column) = (points - center) / scale, np.triu_indices(size)
        features = np.concatenate([np.ones((count, 1)), x, x[:, row] * x[:, column]], axis=1)
        root = np.sqrt(weights)
        target = np.where(np.isneginf(log_likelihood), 0.0, log_likelihood)
        coefficients = np.linalg.lstsq(root[:, None] * features, root * target, rcond=1e-9)[0]
        curvature = np.zeros((size, size))
        curvature[row, column] = coefficients[1 + size :]
        values, vectors = np.linalg.eigh(-(curvature + curvature.T))
        precision = (vectors * np.maximum(values, 0.0)) @ vectors.T / np.outer(scale, scale)
        return cls(precision, coefficients[1 : 1 + size] / scale + precision @ center)


class Proposal(NamedTuple):
    """Center (D, Q) of t distributions of the effects of an owner, and triangular root (D, Q, Q) of the precision."""

    center: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, likelihood: Normal, mean: np.ndarray, of_group: np.ndarray) -> Proposal:
        """Multiply the likelihood by the distribution of the effects in the group: mean (D, Q), precision (D, Q, Q)."""
        precision = likelihood.precision + of_group
        weighted = likelihood.weighted + np.einsum("dqp,dp->dq", of_group, mean)
        return cls(np.linalg.solve(precision, weighted[..., None])[..., 0], np.linalg.cholesky(precision))

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw one point for each draw, (D, Q)."""
        normal = rng.standard_normal(self.center.shape)
        scale = np.sqrt(_DEGREES / rng.chisquare(_DEGREES, (len(normal), 1)))
        return self.center + scale * np.linalg.solve(np.swapaxes(self.root, 1, 2), normal[..., None])[..., 0]

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Return the log density (D,) of points (D, Q)."""
        size = points.shape[1]
        standard = np.einsum("dqp,dq->dp", self.root, points - self.center)
        constant = gammaln((_DEGREES + size) / 2) - gammaln(_DEGREES / 2) - size / 2 * np.log(_DEGREES * np.pi)
        log_det = np.log(np.einsum("dqq->dq", self.root)).sum(axis=1)
        return np.asarray(constant + log_det - (_DEGREES + size) / 2 * np.log1p((standard**2).sum(axis=1) / _DEGREES))


def integrate(
    scorer: AgentScorer, effects: Sequence[Effects], joint: Joint, owner: np.ndarray, enough: Callable[[Integral], bool]
) -> Integral:
    """Integrate the likelihoods of items over the effects of their owners.

    Parameters
    ----------
    scorer : AgentScorer
        Likelihood of the data.
    effects : sequence of Effects
        Effects by parameter.
    joint : callable
        Log weights (D, K) and log-likelihoods (D, K, N) of the options to log-likelihoods (D, I) of the items.
    owner : int (I,)
        Number of the owner of every item, without gaps. The last item of an owner has all of its data.
    enough : callable
        True for an integral that is exact enough; otherwise further rounds follow, up to 32.
    """
    points = _Points(scorer, effects, int(owner.max()) + 1)
    last = np.array([np.flatnonzero(owner == number)[-1] for number in range(points.owners)])
    proposals = points.proposals(lambda *options: possible(joint(*options))[:, last])
    rounds: list[np.ndarray] = []
    while True:
        terms = [log_ratio[:, owner] + possible(joint(*options)) for _, log_ratio, options in points.round(proposals)]
        rounds.append(log_mean(np.stack(terms)))
        if len(rounds) >= _LEAST:
            integral = Integral.of(np.stack(rounds))
            if len(rounds) == _MOST or enough(integral):
                return integral


class _Points:
    """Source of points of the effects of all owners, with ratios of densities and the scores of the data there."""

    def __init__(self, scorer: AgentScorer, effects: Sequence[Effects], owners: int):
        self.scorer, self.effects, self.owners = scorer, effects, owners
        self.levels = [[np.flatnonzero(each.owner == number) for each in effects] for number in range(owners)]
        self.rng = np.random.default_rng(_SEED)

    def of_owner(self, arrays: Sequence[np.ndarray], owner: int) -> np.ndarray:
        """Return the entries (D, Q) of arrays (D, U, Q) of all parameters at the levels of one owner."""
        parts = [array[:, at].reshape(len(array), -1) for array, at in zip(arrays, self.levels[owner], strict=True)]
        return np.concatenate(parts, axis=1)

    def proposals(self, total: Joint) -> list[Proposal]:
        """Find proposals of all owners, whose data have the log-likelihoods ``total``, (D, owners)."""
        mean = [each.mean for each in self.effects]
        proposals: list[Proposal] | None = None
        for _ in range(_PILOTS):
            drawn = [(coordinates, ratio, total(*options)) for coordinates, ratio, options in self.round(proposals)]
            log_likelihood = np.concatenate([scores for _, _, scores in drawn])
            log_weights = np.concatenate([ratio + scores for _, ratio, scores in drawn])
            proposals = []
            for owner in range(self.owners):
                points = np.concatenate([self.of_owner(coordinates, owner) for coordinates, _, _ in drawn])
                likelihood = Normal.of(points, log_likelihood[:, owner], log_weights[:, owner])
                proposals.append(Proposal.of(likelihood, self.of_owner(mean, owner), self._precision(owner)))
        assert proposals is not None
        return proposals

    def _precision(self, owner: int) -> np.ndarray:
        """Return the precision (D, Q, Q) of the effects of an owner in the group."""
        blocks = [each.precision(at) for each, at in zip(self.effects, self.levels[owner], strict=True)]
        ends = np.cumsum([block.shape[1] for block in blocks])
        precision = np.zeros((len(blocks[0]), ends[-1], ends[-1]))
        for block, end in zip(blocks, ends, strict=True):
            own = slice(end - block.shape[1], end)
            precision[:, own, own] = block
        return precision

    def round(
        self, proposals: Sequence[Proposal] | None
    ) -> Iterator[tuple[list[np.ndarray], np.ndarray, tuple[np.ndarray, np.ndarray]]]:
        """Yield coordinates by parameter, log ratios of densities (D, owners), and scores of the options.

        Without proposals all points are from the group.
        """
        for number in range(_POINTS):
            coordinates = [each.sample(self.rng) for each in self.effects]
            if proposals is not None and number >= _OF_GROUP:
                self._replace(coordinates, [proposal.sample(self.rng) for proposal in proposals])
            changed: dict[str, np.ndarray] = {}
            for each, values in zip(self.effects, coordinates, strict=True):
                changed |= each.values(values, self.scorer.draws)
            yield coordinates, self._log_ratio(coordinates, proposals), self.scorer.at(changed)

    def _replace(self, coordinates: Sequence[np.ndarray], points: Sequence[np.ndarray]) -> None:
        """Write the points (D, Q) of all owners into coordinates (D, U, Q) by parameter."""
        for of_owner, levels in zip(points, self.levels, strict=True):
            start = 0
            for values, at in zip(coordinates, levels, strict=True):
                size = len(at) * values.shape[2]
                values[:, at] = of_owner[:, start : start + size].reshape(len(of_owner), len(at), values.shape[2])
                start += size

    def _log_ratio(self, coordinates: Sequence[np.ndarray], proposals: Sequence[Proposal] | None) -> np.ndarray:
        """Return log densities in the group relative to the mixture of group and proposal, (D, owners)."""
        if proposals is None:
            return np.zeros((len(coordinates[0]), self.owners))
        priors = [each.log_prior(values) for each, values in zip(self.effects, coordinates, strict=True)]
        log_ratios, share = [], _OF_GROUP / _POINTS
        for owner, proposal in enumerate(proposals):
            log_prior = self.of_owner(priors, owner).sum(axis=1)
            log_proposal = proposal.log_density(self.of_owner(coordinates, owner))
            log_ratios.append(-np.logaddexp(np.log(share), np.log(1.0 - share) + log_proposal - log_prior))
        return possible(np.stack(log_ratios, axis=1))


def possible(log_density: np.ndarray) -> np.ndarray:
    """Return log densities; minus infinity where they are undefined, as for samplers (the planner failed)."""
    return np.where(np.isnan(log_density), -np.inf, log_density)


def log_mean(terms: np.ndarray) -> np.ndarray:
    """Average exponentials over the first axis."""
    return np.asarray(logsumexp(terms, axis=0)) - np.log(len(terms))


def _tempered(log_weights: np.ndarray, features: int) -> np.ndarray:
    """Return normalized weights, raised to a power below one where too few points have nearly all of the weight."""
    largest = log_weights.max()
    if not np.isfinite(largest):  # all points are impossible
        return np.full(len(log_weights), 1.0 / len(log_weights))
    finite = np.where(np.isneginf(log_weights), -1e300, log_weights - largest)
    least = np.log(10.0 * (features + 1.0))  # effective points, for a regression on so many

    def excess(power: float) -> float:
        return float(2.0 * logsumexp(power * finite) - logsumexp(2.0 * power * finite)) - least

    power = 1.0 if excess(1.0) > 0 else brentq(excess, 1e-6, 1.0) if excess(1e-6) > 0 else 1e-6
    weights = np.exp(power * finite)
    return np.asarray(weights / weights.sum())
