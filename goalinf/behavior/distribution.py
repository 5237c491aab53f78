"""Behavior: a NumPyro distribution over trajectories, given world, agent and reward."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from goalinf.agents.agent import Agent
from goalinf.agents.alternatives import Mixture
from goalinf.agents.checks import check_shapes, solved
from goalinf.agents.contexts import Rewards, Setting, Worlds
from goalinf.agents.policy import Policy
from goalinf.behavior.scores import believed_modes, chained, score, score_steps, score_subjects
from goalinf.behavior.simulation import drawn_options, hidden_slips, roll_out_one_of
from goalinf.checks import PRNGKey, check_kind, takes_key
from goalinf.data import Trajectories
from goalinf.precision import exactly


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
    agent : Agent or Mixture
        How they plan and choose; parameters may be traced values. One of several, not known which, are summed over.
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
        agent: Agent | Mixture,
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
        check_kind("agent", agent, (Agent, Mixture), "an agent, such as gi.soft_optimal(beta=1.0)")
        self.agent = agent
        self.like = like
        self._near = near
        self._policies: tuple[Policy, ...] | None = None
        super().__init__(batch_shape=(), event_shape=(), validate_args=False)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Policies of all contexts, one for every agent that it may be; planned once."""
        if self._policies is None:
            self._policies = self._exactly(self._planned)
        return self._policies

    def _planned(self) -> tuple[Policy, ...]:
        if isinstance(self.agent, Agent):
            return (self.setting.plan(self.agent, near=self._near),)
        return self.setting.plan_all(self.agent)

    def _exactly(self, function: Callable[[], Any], *more: Any) -> Any:
        return exactly(function, self.agent, self.setting.rewards, self._near, *more)

    @property
    def policy(self) -> Policy:
        """Policies of all contexts, where it is known which agent it is."""
        if isinstance(self.agent, Mixture):
            raise ValueError(f"this is {self.agent.name}: there are several policies, in .policies")
        return self.policies[0]

    @property
    def residual(self) -> Any:
        """Worst relative residual of the planners."""
        return jnp.stack([jnp.max(policy.residual) for policy in self.policies]).max()

    def log_prob(self, value: Trajectories) -> Float[Array | np.ndarray, ""]:
        """Log-probability of all observed choices, in nats; not a number where the planner failed."""
        return self._exactly(partial(self._log_prob, value), value)

    def _log_prob(self, value: Trajectories) -> Any:
        policies = self.policies
        if isinstance(self.agent, Agent):
            total = score(policies[0], value, episodic=self._episodic)
        else:
            total = logsumexp(self.agent.log_weights[:, None] + self.by_group(value), axis=0).sum()
        done = jnp.stack([solved(policy.residual, policy.values) for policy in policies]).all()
        return jnp.where(done, total, jnp.nan)

    def by_group(self, value: Trajectories) -> Float[Array | np.ndarray, "K N"]:
        """Log-probability of what each one of those who are one of several agents did, under every option.

        By number of the subject or trajectory; zero behind the last one.
        """
        assert isinstance(self.agent, Mixture)
        if self.agent.by == "trajectory":
            return jnp.stack([score_steps(policy, value).sum(-1) for policy in self.policies])
        if self.agent.by == "subject":
            return jnp.stack([score_subjects(policy, value, episodic=self._episodic) for policy in self.policies])
        return jnp.stack([score(policy, value, episodic=self._episodic) for policy in self.policies])[:, None]

    def log_prob_by_trajectory(self, value: Trajectories) -> Float[Array | np.ndarray, " N"]:
        """Log-probability of the observed choices of each trajectory, in nats.

        Where a subject is one of several agents: given the earlier trajectories of the same subject.
        """
        return self._exactly(lambda: self._chained(value, lambda policy: score_steps(policy, value).sum(-1)), value)

    def log_prob_by_step(self, value: Trajectories) -> Float[Array | np.ndarray, "N T"]:
        """Log-probability of each choice, in nats, given those before it; zero where nothing is scored."""
        return self._exactly(lambda: self._chained(value, lambda policy: score_steps(policy, value)), value)

    def mode_posterior(self, value: Trajectories) -> Float[Array | np.ndarray, "N T M"]:
        r"""Which latent mode each is in at every step, :math:`p(m_t \mid s_{1:t}, a_{1:t})`, by the forward filter.

        The modes are those of the agent: the goals of :func:`~goalinf.switching` in their order, pursuing and having
        given up (:func:`~goalinf.abandoning`), the places and the goal itself (:func:`~goalinf.subgoal`), options.
        A choice that was not observed changes it by the kernel only; behind the end it stays.

        Raises
        ------
        ValueError
            Where the agent has no latent modes.

        Examples
        --------
        >>> import goalinf as gi
        >>> hall = gi.gridworld("a.s.b", discount=1.0)
        >>> wants = gi.one_of(gi.goals(hall, {"left": "a", "right": "b"}, step_cost=1.0))
        >>> walk = gi.Trajectories.of([[2, 3, 2, 1]], [[3, 2, 2]])  # right, then left and left
        >>> gi.Behavior(hall, gi.switching(0.2, beta=2.0), wants).mode_posterior(walk)[0].round(2).tolist()
        [[0.02, 0.98], [0.88, 0.12], [1.0, 0.0]]
        """
        if self.policy.modes is None:
            raise ValueError(f"{self.agent.name} acts by one policy: it has no latent modes, such as gi.switching has")
        return self._exactly(lambda: jnp.exp(believed_modes(self.policy, value)), value)

    def _chained(self, value: Trajectories, scored: Callable[[Policy], Any]) -> Any:
        """Scores of items, given those before them where they depend on which agent it is."""
        if isinstance(self.agent, Agent):
            return scored(self.policy)
        scores = jnp.stack([scored(policy) for policy in self.policies])
        flat = scores.reshape(len(scores), -1)
        group = jnp.repeat(self._group(value), flat.shape[1] // value.n_trajectories)
        return chained(self.agent.log_weights, flat, group).reshape(scores.shape[1:])

    def _group(self, value: Trajectories) -> Any:
        """Number of the one who is one of several agents, by trajectory."""
        assert isinstance(self.agent, Mixture)
        trajectories = jnp.arange(value.n_trajectories)
        return {"trajectory": trajectories, "subject": jnp.asarray(value.subject), "data": 0 * trajectories}[
            self.agent.by
        ]

    @property
    def _episodic(self) -> bool:
        return any(hasattr(reward, "ends") for reward in self.setting.rewards)

    @takes_key
    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Trajectories:
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

    def _sample_one(self, key: Any) -> Trajectories:
        like = self.like
        assert like is not None
        steps, one_world = like.actions.shape[1], len(self.setting.worlds) == 1
        option = drawn_options(key, self.agent, like.n_trajectories)
        if isinstance(self.agent, Mixture):
            option = option[self._group(like)]
        where = jnp.asarray(like.states)[:, 0], jnp.asarray(like.context), steps, one_world
        slips = hidden_slips(self.agent)
        states, actions, alive = roll_out_one_of(key, self.setting.mdp(), self.policies, slips, option, *where)
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
