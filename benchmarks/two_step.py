"""The data of T4, in plain NumPy: the two-step task with drifting odds, seven parameters for every subject."""

from __future__ import annotations

import dataclasses

import numpy as np

COMMON = 0.7
# Name -> scale of its group, location and standard deviation of the prior of the group's location, prior of its spread.
PARAMETERS = {
    "learning_rate_1": ("logit", 0.0, 1.0, 1.0),
    "learning_rate_2": ("logit", 0.0, 1.0, 1.0),
    "beta_1": ("log", 1.0, 0.5, 0.5),
    "beta_2": ("log", 1.0, 0.5, 0.5),
    "eligibility": ("logit", 0.0, 1.0, 1.0),
    "model_based": ("logit", 0.0, 1.0, 1.0),
    "repetition": ("real", 0.0, 0.5, 0.3),
}
TRUTH = {  # location and spread of the simulated group
    "learning_rate_1": (0.0, 0.5),
    "learning_rate_2": (0.0, 0.5),
    "beta_1": (1.5, 0.3),
    "beta_2": (1.2, 0.3),
    "eligibility": (0.4, 0.5),
    "model_based": (0.0, 0.7),
    "repetition": (0.1, 0.1),
}
NATURAL = {"logit": lambda x: 1 / (1 + np.exp(-x)), "log": np.exp, "real": lambda x: x}


@dataclasses.dataclass(frozen=True)
class TwoStepTask:
    """Choices of N subjects in T trials; theta are unconstrained numbers of the naive density."""

    first: np.ndarray  # (N, T) first choice, 0 or 1
    second_state: np.ndarray  # (N, T) 0 or 1; commonly that of the first choice
    second: np.ndarray  # (N, T) second choice, 0 or 1
    reward: np.ndarray  # (N, T) 0 or 1

    @property
    def states(self) -> np.ndarray:
        return self.first

    def theta(self) -> np.ndarray:
        """Location, log spread, and differences of zero, for every parameter."""
        groups = [
            np.concatenate([[center, np.log(spread)], np.zeros(len(self.first))]) for center, spread in TRUTH.values()
        ]
        return np.concatenate(groups)


def t4(*, quick: bool = False, seed: int = 4) -> TwoStepTask:
    """50 subjects, 200 trials each; odds of the four second-stage options walk between .25 and .75."""
    rng = np.random.default_rng(seed)
    n, trials = (4, 20) if quick else (50, 200)
    values = {
        name: NATURAL[PARAMETERS[name][0]](center + spread * rng.normal(size=n))
        for name, (center, spread) in TRUTH.items()
    }
    odds = rng.uniform(0.25, 0.75, (n, 2, 2))
    value_2, value_1, last = np.zeros((n, 2, 2)), np.zeros((n, 2)), np.full(n, -1)
    rows, found = np.arange(n), []
    for _ in range(trials):
        best = value_2.max(axis=2)
        planned = COMMON * best + (1 - COMMON) * best[:, ::-1]
        w = values["model_based"][:, None]
        mixed = w * planned + (1 - w) * value_1 + values["repetition"][:, None] * (np.arange(2) == last[:, None])
        first = drawn(rng, values["beta_1"], mixed)
        state = np.where(rng.random(n) < COMMON, first, 1 - first)
        second = drawn(rng, values["beta_2"], value_2[rows, state])
        reward = (rng.random(n) < odds[rows, state, second]).astype(int)
        before = value_2[rows, state, second]
        value_1[rows, first] += values["learning_rate_1"] * (
            before - value_1[rows, first] + values["eligibility"] * (reward - before)
        )
        value_2[rows, state, second] += values["learning_rate_2"] * (reward - before)
        last = first
        odds = np.clip(odds + rng.normal(0.0, 0.025, odds.shape), 0.25, 0.75)
        found.append((first, state, second, reward))
    return TwoStepTask(*(np.stack(columns, axis=1) for columns in zip(*found, strict=True)))


def drawn(rng: np.random.Generator, beta: np.ndarray, utility: np.ndarray) -> np.ndarray:
    """Draw action 1 by a softmax of two utilities."""
    return (rng.random(len(beta)) < 1 / (1 + np.exp(-beta * (utility[:, 1] - utility[:, 0])))).astype(int)
