"""Choices between two states, by the value of each: the class that CONTRIBUTING defines, and its oracle in NumPy."""

import re
from pathlib import Path

import numpy as np
from scipy.special import log_expit, logsumexp

import goalinf as gi

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"
HALL = gi.gridworld("a.s.b", discount=0.8)


def example():
    """The class that CONTRIBUTING defines, as executed code."""
    text = PAGE.read_text().split("<!-- new-observations: begin -->")[1].split("<!-- new-observations: end -->")[0]
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names = {"__name__": __name__}
    exec(compile(re.sub(r"^ {3}", "", block, flags=re.MULTILINE), str(PAGE), "exec"), names)
    return names["StateChoices"]


StateChoices = example()
_RNG = np.random.default_rng(0)
PAIRS = _RNG.integers(0, 5, (12, 2))
DATA = StateChoices(PAIRS[:, 0], PAIRS[:, 1], _RNG.integers(0, 2, 12), _RNG.integers(0, 3, 12), np.zeros(12, int))


def values(rewards, beta=2.0, discount=0.8):
    """V of the soft-optimal agent in the hall for every reward (W, S), by iteration: (1/beta) log sum exp beta Q."""
    mdp = HALL.mdp
    v = np.zeros(rewards.shape)
    for _ in range(150):
        q = rewards[:, :, None] + discount * (mdp.probabilities * v[:, mdp.successors]).sum(-1)
        v = logsumexp(np.where(mdp.available, beta * q, -np.inf), axis=2) / beta
    return v


def log_probabilities(scaled, data):
    """Log-probability of every choice, from beta times the values, (W, S)."""
    better = scaled[:, np.asarray(data.first)] - scaled[:, np.asarray(data.second)]
    return log_expit(np.where(np.asarray(data.chosen) == 0, better, -better))
