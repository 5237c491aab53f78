r"""The posterior of a soft-optimal agent's linear reward, with exact derivatives in closed form, on the host.

For known beta the log-likelihood :math:`\sum_{s,a} n(s,a)\,[Q(s,a) - V(s)]` needs one factorization of
:math:`A = I - \gamma P_\pi` for everything. With :math:`\Phi` the derivative of the expected reward of a choice (times
beta), :math:`M_V = A^{-1}\sum_a \pi\,\Phi` and :math:`M_Q = \Phi + \gamma P M_V` are those of V and Q, and with
:math:`c = A^{-\top}(\gamma P^\top n - n_s)`, which is minus the visits that the policy would make where the data began,

.. math:: \nabla = \Phi^\top (n + \pi c), \qquad H = \sum_s c(s)\,\mathrm{Cov}_{a \sim \pi(s)}[M_Q(s, a)].

Nothing is compiled: a mode takes milliseconds where the compiled density takes seconds before its first step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from scipy import sparse

from goalinf.agents import Agent, Setting
from goalinf.agents.beliefs import TrueBeliefs
from goalinf.agents.bellman import Problem, action_values, backup
from goalinf.agents.checks import solved
from goalinf.agents.choice import Softmax
from goalinf.agents.execution import AsIntended
from goalinf.agents.host import Calm, Factors, factorable, fixed_point
from goalinf.agents.planners import ValueIteration
from goalinf.agents.solver import residual
from goalinf.data import Trajectories
from goalinf.infer.mode import NEWTON_SIZE
from goalinf.infer.priors import Site
from goalinf.infer.scale import PRODUCT, ScaleMixture
from goalinf.rewards import ActionReward, LinearReward, Reward, StateReward, TransitionReward
from goalinf.worlds import MDP

_LINEAR = (StateReward, ActionReward, TransitionReward, LinearReward)
_LARGEST = 1e7  # numbers in the derivatives of Q


@dataclasses.dataclass(frozen=True)
class Normal:
    """A normal prior of independent entries: mean and standard deviation ``(F,)``."""

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, prior: dist.Distribution) -> Normal | None:
        """The prior as such, or None."""
        shape = prior.shape()
        while isinstance(prior, (dist.Independent, dist.ExpandedDistribution)):
            prior = prior.base_dist
        if not isinstance(prior, dist.Normal):
            return None
        return cls(*(np.broadcast_to(np.asarray(x, float), shape).ravel() for x in (prior.loc, prior.scale)))

    def derivatives(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log density, gradient and Hessian."""
        z = (x - self.mean) / self.sd
        value = -0.5 * z @ z - np.log(self.sd).sum() - 0.5 * x.size * np.log(2 * np.pi)
        return float(value), -z / self.sd, np.diag(-1 / self.sd**2)


@dataclasses.dataclass(frozen=True)
class NormalProduct:
    """Beta times such a reward, beta summed out on the nodes of a :class:`~goalinf.infer.scale.ScaleMixture`."""

    reward: Normal
    log_beta: np.ndarray
    log_weight: np.ndarray  # of every node: prior of log beta, times the step between nodes
    middle: float  # median of log beta

    @property
    def mean(self) -> np.ndarray:
        """Where to begin: the mean of the reward, at the median of beta."""
        return self.reward.mean * np.exp(self.middle)

    def derivatives(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log density, gradient and Hessian."""
        beta = np.exp(self.log_beta)[:, None]
        z = (x / beta - self.reward.mean) / self.reward.sd
        slope, bend = -z / (beta * self.reward.sd), -1 / (beta * self.reward.sd) ** 2
        logs = -0.5 * (z**2).sum(1) - np.log(beta * self.reward.sd * np.sqrt(2 * np.pi)).sum(1) + self.log_weight
        highest = logs.max()
        weights = np.exp(logs - highest)
        value = highest + np.log(weights.sum())
        weights /= weights.sum()
        gradient = weights @ slope
        hessian = np.diag(weights @ bend) + (slope.T * weights) @ slope - np.outer(gradient, gradient)
        return float(value), gradient, hessian


class Likelihood:
    """Log-likelihood of the choices in one world, as a function of the reward parameters.

    Parameters
    ----------
    problem : Problem
        With a reward of zero.
    income : float (A, S, F)
        Derivative of the expected reward of a choice with respect to the parameters, times beta.
    counts : float (A, S)
        How often each choice was made.
    """

    def __init__(self, problem: Problem, income: np.ndarray, counts: np.ndarray):
        self._problem, self._counts = problem, counts
        self._income = income.reshape(counts.size, -1)
        n_actions, _, n_states = problem.weights.shape
        rows = np.arange(n_actions * n_states).reshape(n_actions, 1, n_states)
        places = [np.broadcast_to(x, problem.weights.shape).ravel() for x in (rows, problem.neighbors)]
        self._moves = sparse.csr_array((problem.weights.ravel(), places), shape=(counts.size, n_states))
        self._last: tuple[np.ndarray, np.ndarray, np.ndarray, Factors] | None = None

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return self._counts.shape[1]

    def derivatives(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray] | None:
        """Value, gradient and Hessian; None where the planner fails or a choice is impossible."""
        counts = self._counts
        reward = (self._income @ theta).reshape(counts.shape)
        problem = eqx.tree_at(lambda p: p.reward, self._problem, reward)
        if self._last is None:
            values = fixed_point(problem, "soft")
        else:
            at, values, slope, matrix = self._last
            values = fixed_point(problem, "soft", values + slope @ (theta - at), matrix)
            if not solved(residual(problem, values, "soft"), values):  # what is defined must not depend on the way
                values = fixed_point(problem, "soft")
        if not solved(residual(problem, values, "soft"), values) or counts[~problem.available].any():
            return None
        policy = backup(problem, values, "soft")[1]
        log_policy = np.where(counts > 0, action_values(problem, values) - values, 0.0)
        matrix = Factors(problem, policy)
        by_choice = self._income * policy.reshape(-1, 1)
        of_values = matrix.solve(by_choice.reshape(len(policy), -1, theta.size).sum(axis=0))
        of_q = self._income + problem.discount * (self._moves @ of_values)
        visits = matrix.solve_transposed(problem.discount * (counts.ravel() @ self._moves) - counts.sum(axis=0))
        self._last = theta, values, of_values, matrix
        weights = policy * visits
        gradient = counts.ravel() @ self._income + weights.ravel() @ self._income
        hessian = of_q.T @ (weights.reshape(-1, 1) * of_q) - of_values.T @ (weights.sum(axis=0)[:, None] * of_values)
        return float((counts * log_policy).sum()), gradient, hessian


@dataclasses.dataclass(frozen=True, eq=False)
class ClosedForm:
    """Potential of a posterior with its exact derivatives.

    Parameters
    ----------
    prior : Normal or NormalProduct
        Of the reward parameters, or of their product with beta.
    likelihoods : sequence of Likelihood
        One per world.
    """

    prior: Normal | NormalProduct
    likelihoods: Sequence[Likelihood]

    @classmethod
    def of(
        cls,
        setting: Setting,
        agent: Agent,
        reward: Any,
        sites: Sequence[Site],
        data: Trajectories,
        product: ScaleMixture | None,
    ) -> ClosedForm | None:
        """The closed form, where there is one: a linear reward with a normal prior, and soft planning without end.

        With the prior of a ``product`` that of beta times the reward.
        """
        exact = (TrueBeliefs, ValueIteration("soft"), Softmax, AsIntended)
        parts = (type(agent.beliefs), agent.planner, type(agent.choice), type(agent.execution))
        if parts != exact or type(reward) not in _LINEAR or jnp.result_type(float) != np.float64:
            return None
        prior = _prior(sites, product)
        if prior is None or prior.mean.size > NEWTON_SIZE:
            return None
        beta = agent.choice.beta if product is None else 1.0
        worlds = setting.worlds
        if np.ndim(beta) or len({world.n_states for world in worlds}) > 1:
            return None
        if worlds[0].mdp.available.size * prior.mean.size > _LARGEST:
            return None
        if not all(factorable(world.mdp) for world in worlds):
            return None
        likelihoods = []
        for number, world in enumerate(worlds):
            income, zero = _income(world.mdp, reward, prior.mean.size)
            problem = Problem.of(world.mdp, zero, float(beta))
            mine = (len(worlds) == 1) | (np.asarray(data.cells.context) == number)
            mine &= ~problem.pinned[data.cells.state]
            counts = np.zeros(problem.reward.shape)
            np.add.at(counts, (data.cells.action[mine], data.cells.state[mine]), data.cells.weight[mine])
            likelihoods.append(Likelihood(problem, float(beta) * income, counts))
        return cls(prior, likelihoods)

    @property
    def start(self) -> np.ndarray:
        """Prior means."""
        return self.prior.mean

    def derivatives(self, flat: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Potential, gradient and Hessian; infinite where undefined."""
        with np.errstate(all="ignore"), Calm(max(flat.size, *(one.n_states for one in self.likelihoods))):
            value, gradient, hessian = self.prior.derivatives(flat)
            for likelihood in self.likelihoods:
                if (found := likelihood.derivatives(flat)) is None:
                    return np.inf, np.full(flat.shape, np.nan), np.full(2 * flat.shape, np.nan)
                value, gradient, hessian = value + found[0], gradient + found[1], hessian + found[2]
        return -value, -gradient, -hessian


def starting_values(sites: Sequence[Site], product: ScaleMixture | None) -> dict[str, np.ndarray]:
    """Values of the sites that start where their prior is centered; those of other priors are not among them."""
    found = {site.name: (Normal.of(site.prior), site.prior.shape()) for site in sites}
    start = {name: normal.mean.reshape(shape) for name, (normal, shape) in found.items() if normal is not None}
    if product is not None:
        start["agent.beta"] = np.exp(product.middle)
        if rewards := [value for name, value in start.items() if name.startswith("reward.")]:
            start[PRODUCT] = rewards[0] * start["agent.beta"]
    return start


def _prior(sites: Sequence[Site], product: ScaleMixture | None) -> Normal | NormalProduct | None:
    """The prior of the reward parameters, or of their product with beta, where they are normal."""
    linear = [site for site in sites if site.name in ("reward.values", "reward.weights")]
    if not linear or len(sites) != (1 if product is None else 2):
        return None
    normal = Normal.of(linear[0].prior)
    if normal is None or product is None:
        return normal
    return NormalProduct(normal, *product.nodes(), product.middle)


def _income(mdp: MDP, reward: Reward, size: int) -> tuple[np.ndarray, Reward]:
    """Derivative of the expected reward of a choice by the parameters, ``(A, S, F)``; the reward of all zeros."""
    (name,) = reward.parameters

    def of(values: np.ndarray) -> Any:
        return eqx.tree_at(lambda r: getattr(r, name), reward, values, is_leaf=_is_prior)

    shape = mdp.probabilities.shape
    if isinstance(reward, LinearReward):
        columns = [(mdp.probabilities * jax.device_get(of(one))(mdp)).sum(axis=-1).T for one in np.eye(size)]
        return np.stack(columns, axis=-1), jax.device_get(of(np.zeros(size)))
    sizes = dict(zip(("state", "action", "successor"), shape, strict=True))
    full = tuple(sizes[axis] for axis in reward.dims[name])
    # The reward whose values are the numbers of its entries says which of them a transition collects.
    entry = np.broadcast_to(of(np.arange(size, dtype=float).reshape(full))(mdp), shape).astype(int)
    income = np.zeros((shape[1], shape[0], size))
    s, a, _ = np.indices(shape)
    np.add.at(income, (a, s, entry), mdp.probabilities)
    return income, of(np.zeros(full))


def _is_prior(leaf: Any) -> bool:
    return isinstance(leaf, dist.Distribution)
