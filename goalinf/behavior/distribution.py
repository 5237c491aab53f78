"""Behavior: a NumPyro distribution over trajectories, given world, agent and reward."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from goalinf.agents.agent import Agent
from goalinf.agents.checks import check_shapes, solved
from goalinf.agents.contexts import Rewards, Setting, Worlds
from goalinf.agents.policy import Policy
from goalinf.behavior.scores import score, score_steps
from goalinf.behavior.simulation import roll_out
from goalinf.checks import check_kind
from goalinf.data import Trajectories


class Behavior(dist.Distribution):
    r"""Distribution of the trajectories of an agent that wants this reward in this world.

    Its value is a :class:`~goalinf.Trajectories`. The log-probability is that of the observed choices,
    :math:`\sum_{n,t} \log \pi(a_{nt} \mid s_{nt})`; how the world answered depends neither on agent nor on reward and
    is left out. Missing choices, padding, and steps after the episode has ended contribute nothing. A stationary
    policy is scored on the counts of unique choices, so that the cost does not grow with the data.

    Parameters
    ----------
    world : World or mapping from context to World
        Where they act.
    agent : Agent
        How they plan and choose; parameters may be traced values.
    reward : Reward or mapping from context to Reward
        What they want.
    like : Trajectories, optional
        Gives starts, lengths, missing choices, subjects and contexts to what is sampled, and the order of contexts.
    contexts : sequence, optional
        Order of the contexts of the data, where there is no ``like``; default: that of the mappings.
    near : Policy, optional
        ``policy`` of a behavior that is a little different, as from the last step of an optimization: a soft-optimal
        agent without a horizon plans from there in fewer steps. What is found is the same.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.soft_optimal(beta=1.0), wants, trajectories=2, steps=3)
    >>> bool(gi.Behavior(hall, gi.soft_optimal(beta=1.0), wants).log_prob(walks) < 0)
    True
    """

    support = constraints.real
    arg_constraints: ClassVar[dict] = {}
    reparametrized_params: ClassVar[list] = []

    def __init__(
        self,
        world: Worlds,
        agent: Agent,
        reward: Rewards,
        *,
        like: Trajectories | None = None,
        contexts: Sequence[Hashable] | None = None,
        near: Policy | None = None,
    ):
        if contexts is None and like is not None:
            contexts = like.context_names
        self.setting = Setting.of(world, reward, contexts)
        for index, one in enumerate(self.setting.worlds):
            check_shapes(self.setting.rewards[min(index, len(self.setting.rewards) - 1)], one)
        check_kind("agent", agent, Agent, "an agent, such as gi.soft_optimal(beta=1.0)")
        self.agent = agent
        self.like = like
        self._near = near
        self._policy: Policy | None = None
        super().__init__(batch_shape=(), event_shape=(), validate_args=False)

    @property
    def policy(self) -> Policy:
        """Policies of all contexts; planned once."""
        if self._policy is None:
            self._policy = self.setting.plan(self.agent, near=self._near)
        return self._policy

    def log_prob(self, value: Trajectories) -> Float[Array, ""]:
        """Log-probability of all observed choices, in nats; not a number where the planner failed."""
        total = score(self.policy, value, episodic=self._episodic)
        return jnp.where(solved(self.policy.residual, self.policy.values), total, jnp.nan)

    def log_prob_by_trajectory(self, value: Trajectories) -> Float[Array | np.ndarray, " N"]:
        """Log-probability of the observed choices of each trajectory, in nats."""
        return score_steps(self.policy, value).sum(-1)

    def log_prob_by_step(self, value: Trajectories) -> Float[Array | np.ndarray, "N T"]:
        """Log-probability of each choice, in nats; zero where nothing is scored."""
        return score_steps(self.policy, value)

    @property
    def _episodic(self) -> bool:
        return any(hasattr(reward, "ends") for reward in self.setting.rewards)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Trajectories:
        """Trajectories with the starts, lengths and missing choices of ``like``.

        Raises
        ------
        ValueError
            Where ``like`` was not given.
        """
        if self.like is None:
            raise ValueError("to sample, say like= which trajectories (starts, lengths, contexts); or use gi.simulate")
        walk = self._sample_one
        if not sample_shape:
            return walk(key)
        keys = jax.random.split(key, sample_shape)
        for _ in sample_shape:
            walk = jax.vmap(walk)
        return walk(keys)

    def _sample_one(self, key: Array) -> Trajectories:
        like = self.like
        assert like is not None
        mdp = self.setting.mdp()
        one_world = len(self.setting.worlds) == 1
        states, actions, alive = roll_out(
            key,
            mdp,
            self.policy,
            jnp.asarray(like.states)[:, 0],
            jnp.asarray(like.context),
            like.actions.shape[1],
            one_world,
        )
        alive = alive & (jnp.arange(like.actions.shape[1]) < jnp.asarray(like.lengths)[:, None])
        observed = alive & jnp.asarray(like.observed)
        lengths = alive.sum(1, dtype=jnp.int32)
        return Trajectories.traced(
            jnp.where(jnp.arange(states.shape[1]) <= lengths[:, None], states, -1),
            jnp.where(observed, actions, -1),
            lengths=lengths,
            observed=observed,
            subject=jnp.asarray(like.subject),
            context=jnp.asarray(like.context),
        )
