r"""Posterior of a linear reward of a soft-optimal agent, with exact derivatives in closed form, on the host.

For known beta, value, gradient and Hessian of the log-likelihood :math:`\sum_{s,a} n(s,a)\,[Q(s,a) - V(s)]` need one
factorization of :math:`A = I - \gamma P_\pi`. With :math:`\Phi` the derivative of the expected reward of an action
(times beta), :math:`M_V = A^{-1}\sum_a \pi\,\Phi` and :math:`M_Q = \Phi + \gamma P M_V` are the derivatives of V and Q,
and with :math:`c = A^{-\top}(\gamma P^\top n - n_s)`, minus the expected discounted visits of the policy from the
starts of the data,

.. math:: \nabla = \Phi^\top (n + \pi c), \qquad H = \sum_s c(s)\,\mathrm{Cov}_{a \sim \pi(s)}[M_Q(s, a)].

No code is compiled: a mode takes milliseconds, while the compiled density takes seconds before its first step.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse

from goalinf.agents import Agent, PlanningAgent
from goalinf.agents.parts.beliefs import TrueBeliefs
from goalinf.agents.parts.choice import Softmax
from goalinf.agents.parts.noise import NoNoise
from goalinf.agents.parts.value_iteration import ValueIteration
from goalinf.behavior.conditions import Conditions, Rewards
from goalinf.behavior.fill import fill
from goalinf.data import Observations, Trajectories
from goalinf.inference.model.linear_reward.normal_prior import Normal, NormalProduct
from goalinf.inference.model.linear_reward.scale_mixture import PRODUCT, ScaleMixture
from goalinf.inference.model.mode import NEWTON_SIZE
from goalinf.inference.model.priors import Site
from goalinf.planning.bellman import Problem, action_values, backup
from goalinf.planning.solvers.newton_numpy import fixed_points, soft_values
from goalinf.planning.solvers.sparse_lu import DENSE_STATES, Factors, OneThread, factorable, transitions
from goalinf.rewards import ActionReward, LinearReward, Reward, StateReward, TransitionReward
from goalinf.worlds import MDP

_LINEAR = (StateReward, ActionReward, TransitionReward, LinearReward)
_LARGEST = 1e7  # numbers in the derivatives of Q
_BATCH = 1e5  # action values that are computed together: they fit into the cache of one core


class Likelihood:
    """Log-likelihood of the actions in one world, as a function of the reward parameters.

    Parameters
    ----------
    problem : Problem
        Planning problem with zero reward.
    reward_map : float (A, S, F)
        Derivative of the expected reward of an action with respect to the parameters, times beta.
    counts : float (A, S)
        Count of each state-action pair.
    """

    def __init__(self, problem: Problem, reward_map: np.ndarray, counts: np.ndarray):
        self._problem, self._counts = problem, counts
        self._reward_map = reward_map.reshape(counts.size, -1)
        self._moves = transitions(problem)
        self._arrivals = problem.discount * (counts.ravel() @ self._moves) - counts.sum(axis=0)
        self.restart()

    def restart(self) -> None:
        """Forget the last point, at which planning would start."""
        self._last: tuple[np.ndarray, np.ndarray, np.ndarray, Factors] | None = None

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return self._counts.shape[1]

    @property
    def n_choices(self) -> int:
        """Number of pairs of action and state, A * S."""
        return self._counts.size

    def derivatives(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray] | None:
        """Return value, gradient and Hessian; None where the planner fails or an action is impossible."""
        counts = self._counts
        reward = (self._reward_map @ theta).reshape(counts.shape)
        problem = dataclasses.replace(self._problem, reward=reward)
        values = soft_values(problem, *self._initial_guess(theta))
        if np.isnan(values).any() or counts[~problem.available].any():
            return None
        policy = backup(problem, values, "soft")[1]
        log_policy = np.where(counts > 0, action_values(problem, values) - values, 0.0)
        matrix = Factors(problem, policy)
        by_choice = self._reward_map * policy.reshape(-1, 1)
        of_values = matrix.solve(by_choice.reshape(len(policy), -1, theta.size).sum(axis=0))
        of_q = self._reward_map + problem.discount * (self._moves @ of_values)
        visits = matrix.solve_transposed(self._arrivals)
        self._last = theta, values, of_values, matrix
        weights = policy * visits
        gradient = (counts + weights).ravel() @ self._reward_map
        hessian = of_q.T @ (weights.reshape(-1, 1) * of_q) - of_values.T @ (weights.sum(axis=0)[:, None] * of_values)
        return float((counts * log_policy).sum()), gradient, hessian

    def log_policies(self, thetas: np.ndarray) -> np.ndarray:
        """Compute log-probabilities ``(A * S, B)`` of the actions in the data, zero for others, at points ``(B, F)``.

        Planning starts from the last point at which derivatives were computed; NaN where the planner fails.
        """
        rewards = (self._reward_map @ thetas.T).reshape(*self._counts.shape, -1)
        values = fixed_points(self._problem, self._moves, rewards, *self._initial_guess(thetas))
        q = rewards + self._problem.discount * (self._moves @ values).reshape(rewards.shape)
        observed = (self._counts > 0)[..., None]
        possible = np.where(self._problem.available[..., None], q - values, -np.inf)
        return np.where(observed, possible, 0.0).reshape(-1, len(thetas))

    def _initial_guess(self, thetas: np.ndarray) -> tuple[Any, ...]:
        """Extrapolate values to parameters ``(F,)`` or ``(B, F)`` linearly from the last; return also the factors."""
        if self._last is None:
            return ()
        last_theta, values, slope, matrix = self._last
        return (values + (thetas - last_theta) @ slope.T).T, matrix


@dataclasses.dataclass(frozen=True, eq=False)
class ClosedForm:
    """Potential of a posterior with its exact derivatives.

    Parameters
    ----------
    prior : Normal or NormalProduct
        Prior of the reward parameters, or of their product with beta.
    likelihoods : sequence of Likelihood
        One per condition.
    data : Trajectories
        Observed behavior.
    condition : int (N,)
        Number of the condition of each trajectory.
    """

    prior: Normal | NormalProduct
    likelihoods: Sequence[Likelihood]
    data: Trajectories
    condition: np.ndarray

    @classmethod
    def of(
        cls,
        conditions: Conditions,
        agent: Agent,
        reward: Rewards,
        sites: Sequence[Site],
        data: Observations,
        product: ScaleMixture | None,
    ) -> ClosedForm | None:
        """Build the closed form; None unless the reward is linear with a normal prior and the agent soft-optimal.

        The data are trajectories, and the agent has an infinite horizon. With the prior of a ``product``, the
        parameters are beta times the reward.
        """
        if not isinstance(data, Trajectories) or not _is_soft_optimal(agent):
            return None
        if isinstance(reward, Mapping) or type(reward) not in _LINEAR:
            return None
        if jnp.result_type(float) != np.float64:
            return None
        prior = _prior(sites, product)
        if prior is None or prior.mean.size > NEWTON_SIZE:
            return None
        beta = agent.beta if product is None else 1.0
        worlds = conditions.distinct.worlds
        if np.ndim(beta) or len({world.n_states for world in worlds}) > 1:
            return None
        if worlds[0].mdp.available.size * prior.mean.size > _LARGEST:
            return None
        if not all(factorable(world.mdp) for world in worlds):
            return None
        likelihoods = []
        for number, world in enumerate(worlds):
            reward_map, zero = _reward_map(world.mdp, agent, reward, prior.mean.size)
            problem = Problem.of(world.mdp, zero, float(beta))
            contexts = None if len(worlds) == 1 else np.flatnonzero(conditions.number == number)
            counts = data.choice_counts(world.n_states, world.n_actions, contexts=contexts).T
            likelihoods.append(Likelihood(problem, float(beta) * reward_map, counts))
        return cls(prior, likelihoods, data, conditions.number[np.asarray(data.context)])

    def restart(self) -> None:
        """Forget the last point, at which planning would start."""
        for likelihood in self.likelihoods:
            likelihood.restart()

    @property
    def start(self) -> np.ndarray:
        """Prior means."""
        return self.prior.mean

    def derivatives(self, flat: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return potential, gradient and Hessian; infinite where undefined."""
        with (
            np.errstate(all="ignore"),
            OneThread(max(flat.size, *(likelihood.n_states for likelihood in self.likelihoods))),
        ):
            value, gradient, hessian = self.prior.derivatives(flat)
            for likelihood in self.likelihoods:
                if (terms := likelihood.derivatives(flat)) is None:
                    return np.inf, np.full(flat.shape, np.nan), np.full(2 * flat.shape, np.nan)
                value, gradient, hessian = value + terms[0], gradient + terms[1], hessian + terms[2]
        return -value, -gradient, -hessian

    def scores(self, flats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute potentials ``(B,)`` of points ``(B, D)``, and log-likelihoods ``(B, N)`` by trajectory.

        Potentials are infinite where undefined. All points are planned for together, from the last point at which
        derivatives were computed.
        """

        def log_likelihoods(part: np.ndarray) -> np.ndarray:
            worlds = zip(self._visits, self.likelihoods, strict=True)
            parts = [visits @ likelihood.log_policies(part) for visits, likelihood in worlds]
            return sum(parts[1:], start=parts[0]).T

        with np.errstate(all="ignore"):
            by_trajectory = _in_parts(log_likelihoods, flats, self.likelihoods[0])
            value = self.prior.log_prob(flats) + by_trajectory.sum(axis=1)
        return np.where(np.isfinite(value), -value, np.inf), by_trajectory

    @cached_property
    def _visits(self) -> list[sparse.csr_array]:
        """Counts of every state-action pair in every trajectory, for each world, ``(N, A * S)``."""
        states, actions = np.asarray(self.data.states), np.asarray(self.data.actions)
        n, t = np.nonzero(self.data.choices)
        pair = actions[n, t] * self.likelihoods[0].n_states + states[n, t]
        matrices = []
        for number, likelihood in enumerate(self.likelihoods):
            mask = (len(self.likelihoods) == 1) | (self.condition[n] == number)
            shape = (self.data.n_trajectories, likelihood.n_choices)
            matrices.append(sparse.csr_array((np.ones(mask.sum()), (n[mask], pair[mask])), shape=shape))
        return matrices


def _in_parts(function: Callable[[np.ndarray], np.ndarray], flats: np.ndarray, likelihood: Likelihood) -> np.ndarray:
    """Apply a function to points, in parts that fit into the cache of a core; on all cores in large worlds."""
    size = max(1, int(_BATCH / likelihood.n_choices))
    parts = np.split(flats, np.arange(size, len(flats), size))

    def quiet(part: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return function(part)

    # One thread for any size: this function uses threads itself, so that the linear algebra must not.
    with OneThread(0), ThreadPoolExecutor(os.cpu_count() if likelihood.n_states > DENSE_STATES else 1) as pool:
        return np.concatenate(list(pool.map(quiet, parts)))


def starting_values(sites: Sequence[Site], product: ScaleMixture | None) -> dict[str, np.ndarray]:
    """Return the starting values of sites with a normal prior, its mean; sites with other priors have none."""
    priors = {site.name: (Normal.of(site.prior), site.prior.shape()) for site in sites}
    start = {name: normal.mean.reshape(shape) for name, (normal, shape) in priors.items() if normal is not None}
    if product is not None:
        start["agent.beta"] = np.asarray(np.exp(product.middle))
        if rewards := [value for name, value in start.items() if name.startswith("reward.")]:
            start[PRODUCT] = rewards[0] * start["agent.beta"]
    return start


def _prior(sites: Sequence[Site], product: ScaleMixture | None) -> Normal | NormalProduct | None:
    """Return the prior of the reward parameters, or of their product with beta, where the former is normal."""
    linear = [site for site in sites if site.name in ("reward.values", "reward.weights")]
    if not linear or len(sites) != (1 if product is None else 2):
        return None
    normal = Normal.of(linear[0].prior)
    if normal is None or product is None:
        return normal
    return NormalProduct(normal, *product.nodes(), product.middle)


def _is_soft_optimal(agent: Agent) -> TypeGuard[PlanningAgent]:
    """Return True for a soft-optimal agent with an infinite horizon and no further parts."""
    if not isinstance(agent, PlanningAgent) or agent.beta is None:
        return False
    soft_optimal = PlanningAgent(TrueBeliefs(), ValueIteration("soft"), Softmax(agent.beta), NoNoise(), agent.name)
    structure, expected = map(jax.tree.structure, (agent, soft_optimal))
    return structure is not None and bool(structure == expected)


def _reward_map(mdp: MDP, agent: Agent, reward: Reward, size: int) -> tuple[np.ndarray, Reward]:
    """Return the derivative of the expected reward by the parameters, ``(A, S, F)``, and the zero reward."""
    (name,) = reward.parameters

    def reward_at(values: np.ndarray) -> Reward:
        return fill(agent, reward, {f"reward.{name}": values})[1]

    shape = mdp.probabilities.shape
    if isinstance(reward, LinearReward):
        columns = [(mdp.probabilities * jax.device_get(reward_at(unit))(mdp)).sum(axis=-1).T for unit in np.eye(size)]
        return np.stack(columns, axis=-1), jax.device_get(reward_at(np.zeros(size)))
    sizes = dict(zip(("state", "action", "successor"), shape, strict=True))
    full = tuple(sizes[axis] for axis in reward.dims[name])
    # A reward whose values are the numbers of its entries gives the number of the entry that a transition collects.
    entry = np.broadcast_to(reward_at(np.arange(size, dtype=float).reshape(full))(mdp), shape).astype(int)
    derivative = np.zeros((shape[1], shape[0], size))
    s, a, _ = np.indices(shape)
    np.add.at(derivative, (a, s, entry), mdp.probabilities)
    return derivative, reward_at(np.zeros(full))
