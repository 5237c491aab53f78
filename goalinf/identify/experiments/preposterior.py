"""Expected information and value of an experiment: for finitely many rewards, and for the posterior of a fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import logsumexp

from goalinf.checks import numpy_generator
from goalinf.identify.candidates import CandidateRewards, Target
from goalinf.identify.experiments.kinds import Demonstrations, Experiment
from goalinf.identify.linear_algebra import kernel
from goalinf.identify.local.unidentified import Directions, trajectories_of
from goalinf.inference.results.fit import Fit
from goalinf.rewards import Reward, base_of, check_linear, check_reward, reward_parameters
from goalinf.types import PRNGKey
from goalinf.worlds import World


def open_directions(rows: Sequence[np.ndarray]) -> int:
    """Return the dimension of the null space of rows ``(R, P)``, each in units of its tolerance."""
    return kernel(np.concatenate(rows), 1.0).dimension


@dataclasses.dataclass(frozen=True, eq=False)
class Finite:
    """Equally probable rewards: outcomes are simulated, and posteriors exact.

    Parameters
    ----------
    rewards : sequence of Reward
        The candidate rewards.
    targets : mapping from name to Target
        Worlds in which a policy acts on the inferred reward.
    data_sets : int
        Number of simulated outcomes.
    """

    rewards: Sequence[Reward]
    targets: Mapping[str, Target]
    data_sets: int
    known: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(cls, rewards: Sequence[Reward], worlds: Mapping[str, World], data_sets: int) -> Finite:
        """Build from known rewards.

        Raises
        ------
        ValueError
            If there are fewer than two rewards.
        """
        if not isinstance(rewards, Sequence) or len(rewards) < 2:
            count = f"a sequence of {len(rewards)}" if isinstance(rewards, Sequence) else f"a {type(rewards).__name__}"
            raise ValueError(f"rewards is {count}; expected a Fit, or at least two known rewards")
        for number, reward in enumerate(rewards):
            check_reward(f"reward {number}", reward)
        targets = {name: Target.of(CandidateRewards.of(world, rewards)) for name, world in worlds.items()}
        return cls(rewards, targets, data_sets)

    @property
    def typical(self) -> Reward:
        """Reward at which derivatives are taken."""
        return self.rewards[0]

    @property
    def names(self) -> Sequence[str]:
        """Names of the parameters of a reward, all of which are unknown."""
        return reward_parameters(self.typical)

    @property
    def nullity(self) -> int:
        """Number of parameters of a reward: without data, no direction is identified."""
        base = base_of(self.typical)
        return sum(int(np.size(getattr(base, name))) for name in base.parameters)

    @property
    def perfect(self) -> float:
        """Expected value of perfect information."""
        return (
            float(np.mean([target.gains.mean() for target in self.targets.values()])) if self.targets else float("nan")
        )

    @property
    def most(self) -> float:
        """Information of perfect knowledge of the reward, nats."""
        return float(np.log(len(self.rewards)))

    def judge(self, key: PRNGKey, experiment: Experiment) -> dict[str, float]:
        """Compute the expected information and value of an experiment, with standard errors."""
        log_likelihoods, weights = experiment.outcomes(key, self.rewards, self.data_sets)
        total = logsumexp(log_likelihoods, axis=1, keepdims=True)
        posterior = np.exp(log_likelihoods - total)
        with np.errstate(invalid="ignore"):
            ratio = np.where(posterior > 0, log_likelihoods - total + self.most, 0.0)
        information = (posterior * ratio).sum(axis=1)
        gains = {name: target.gains_of(posterior) for name, target in self.targets.items()}
        return _summary(information, gains, weights, sampled=isinstance(experiment, Demonstrations))


@dataclasses.dataclass(frozen=True, eq=False)
class Normal:
    """Normal approximation of a posterior: experiments are compared by their Fisher information.

    Parameters
    ----------
    typical : Reward
        The posterior mean, at which derivatives are taken.
    names : sequence of str
        Names of its inferred parameters, ``reward.values``; the others are known.
    mean : float (P,), root : float (P, P)
        Posterior mean, and a square root of the posterior covariance.
    noise : float (draws, P)
        Standard normal numbers, the same for all experiments.
    known : tuple of float (R, P)
        Derivatives of the log-policy for the data so far, in units of their tolerance.
    candidates : mapping from name to CandidateRewards
        Target worlds, each with the zero reward and the reward of each unit vector.
    """

    typical: Reward
    names: Sequence[str]
    mean: np.ndarray
    root: np.ndarray
    noise: np.ndarray
    known: tuple[np.ndarray, ...]
    candidates: Mapping[str, CandidateRewards]

    most = float("inf")

    @classmethod
    def of(cls, key: PRNGKey, fit: Fit, worlds: Mapping[str, World], draws: int) -> Normal:
        """Build from a fit.

        Raises
        ------
        ValueError
            If the fit has no world, agent and reward, if its reward is known, or if its data are not trajectories.
        """
        trajectories_of(fit, "the design of an experiment")
        directions = Directions.of(fit, "the design of an experiment")
        if not directions.n_rewards:
            raise ValueError("this fit knows its reward: the design of an experiment needs a prior of the reward")
        check_linear("the design of an experiment", fit.reward)
        flat = directions.rewards().reshape(-1, directions.n_rewards)
        values, axes = np.linalg.eigh(np.atleast_2d(np.cov(flat.T)))
        rng = numpy_generator(key)
        noise = rng.standard_normal((draws // 2, directions.n_rewards))
        of_reward = directions.jacobian.reward_part()
        rows = of_reward.matrix() / of_reward.tolerance
        root = axes * np.sqrt(np.maximum(values, 0.0))
        units = [directions.reward(fit, unit) for unit in np.eye(1 + len(root))[:, 1:]]
        candidates = {name: CandidateRewards.of(world, units) for name, world in worlds.items()}
        mean = flat.mean(0)
        # Antithetic draws: their mean is the posterior mean.
        noise = np.concatenate([noise, -noise])
        return cls(directions.reward(fit, mean), directions.reward_sites, mean, root, noise, (rows,), candidates)

    @property
    def nullity(self) -> int:
        """Dimension of the null space with infinite data of the kind of the fit."""
        return open_directions(self.known)

    @property
    def perfect(self) -> float:
        """Expected value of perfect information."""
        gains = self._gains(self.noise @ self.root.T)
        return float(np.mean([gain.mean() for gain in gains.values()])) if gains else float("nan")

    def judge(self, key: PRNGKey, experiment: Experiment) -> dict[str, float]:
        """Compute the expected information and value of an experiment, with standard errors."""
        # With C = LL' and L'FL = U diag(f) U': log det(I + L'FL) / 2, and C - C' = L U diag(f / (1 + f)) U' L'.
        strength, axes = np.linalg.eigh(self.root.T @ experiment.fisher(self.typical, self.names) @ self.root)
        strength = np.maximum(strength, 0.0)
        # The symmetric root tends to the identity as the information grows: the limit is perfect information.
        shifts = self.noise @ (axes * np.sqrt(strength / (1.0 + strength))) @ axes.T @ self.root.T
        information = np.full(len(self.noise), 0.5 * np.log1p(strength).sum())
        return _summary(information, self._gains(shifts), np.full(len(shifts), 1.0 / len(shifts)), sampled=True)

    def _gains(self, shifts: np.ndarray) -> dict[str, np.ndarray]:
        """Return the value of each of several means ``(draws, P)``, by target; moves are from the posterior mean."""
        values = self.mean + shifts
        # Rewards are affine in their unknown parameters.
        weights = np.concatenate([1.0 - values.sum(axis=1, keepdims=True), values], axis=1)
        return {name: Target.of(rewards.combined(weights)).gains for name, rewards in self.candidates.items()}


def _summary(
    information: np.ndarray, gains: Mapping[str, np.ndarray], weights: np.ndarray, *, sampled: bool
) -> dict[str, float]:
    """Return means over outcomes, and standard errors for sampled outcomes."""
    samples = {"information": information}
    if gains:
        samples["evsi"] = np.mean(list(gains.values()), axis=0)
    summary = {}
    for name, values in samples.items():
        summary[name] = float(weights @ values)
        spread = values.std(ddof=1) / np.sqrt(len(values)) if sampled and len(values) > 1 else 0.0
        summary[f"{name}_error"] = float(spread)
    if len(gains) > 1:
        summary |= {f"evsi: {name}": float(weights @ gain) for name, gain in gains.items()}
    return summary
