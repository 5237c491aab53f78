"""Behavior: a NumPyro distribution over trajectories, given world, agent and reward."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from goalinf.agents.agent import Agent, check_known
from goalinf.agents.checks import check_plannable, check_shapes, check_solved, solved
from goalinf.agents.contexts import Rewards, Setting, Worlds
from goalinf.agents.policy import Policy
from goalinf.checks import check_key, check_kind
from goalinf.data import Labels, Trajectories
from goalinf.precision import Precision, cast, computing_in, namespace
from goalinf.worlds import MDP


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


def score(policy: Policy, data: Trajectories, *, episodic: bool) -> Any:
    """Log-probability of all observed choices under policies with a leading context axis."""
    if episodic or policy.log_probs.ndim == 4:
        return score_steps(policy, data).sum()
    cells = data.cells
    context = _policy_number(policy, cells.context)
    xp = namespace(policy, cells)
    ended, log_probs = xp.asarray(policy.ended), xp.asarray(policy.log_probs)
    counted = (xp.asarray(cells.weight) > 0) & ~ended[context, cells.state]
    return xp.sum(cells.weight * xp.where(counted, log_probs[context, cells.state, cells.action], 0.0))


def score_steps(policy: Policy, data: Trajectories) -> Float[Array | np.ndarray, "*G N T"]:
    """Log-probability of every observed choice before the episode ends; zero elsewhere.

    The policies have an axis of contexts, and may have others in front of it.
    """
    steps = data.actions.shape[1]
    horizon = policy.log_probs.shape[-3] if policy.log_probs.ndim == policy.ended.ndim + 2 else None
    if horizon is not None and steps > horizon:
        raise ValueError(
            f"the data have up to {steps} steps, the agent's horizon is {horizon}: give it a longer horizon"
        )
    xp = namespace(policy.log_probs, policy.ended, data.states, data.actions, data.observed, data.context)
    ended, log_probs = xp.asarray(policy.ended), xp.asarray(policy.log_probs)
    states, actions = data.states[:, :steps], data.actions
    n_states, n_actions = log_probs.shape[-2:]
    if xp is np and actions.size and (actions.max() >= n_actions or data.states.max() >= n_states):
        raise ValueError(
            f"the data hold states up to number {data.states.max()} and actions up to number {actions.max()}; the "
            f"policy has {n_states} states and {n_actions} actions"
        )
    context = _policy_number(policy, data.context[:, None])
    states = xp.maximum(states, 0)
    over = _entries(ended, 2, context * n_states + states)
    over = xp.concatenate([over, xp.ones_like(over[..., :1])], axis=-1)
    decisions = over.argmax(axis=-1)[..., None]  # before the first such state
    rows = context if horizon is None else context * horizon + np.arange(steps)
    scores = _entries(log_probs, 3 if horizon is None else 4, (rows * n_states + states) * n_actions + actions)
    missing = xp.where(data.observed, np.arange(steps), steps) >= decisions
    if xp is jnp:
        return jnp.where(missing, 0.0, scores)
    np.copyto(scores, 0.0, where=missing)
    return scores


def _entries(array: Any, axes: int, numbers: Any) -> Any:
    """Entries of the last so many axes by their numbers there; several indices would cost NumPy twice the time."""
    flat = array.reshape(*array.shape[:-axes], -1)
    return flat.take(numbers, axis=-1, mode="clip")


def _policy_number(policy: Policy, context: Any) -> Any:
    """Which policy a context follows: its own, or the only one."""
    return context if policy.ended.shape[-2] > 1 else 0


def roll_out(key: Array, mdp: MDP, policy: Policy, starts: Array, context: Array, steps: int, one_world: bool):
    """Simulate: states ``(N, T+1)``, actions ``(N, T)`` and whether each step was taken ``(N, T)``."""
    policy = cast(policy)
    successors, probabilities = jnp.asarray(mdp.successors), jnp.asarray(mdp.probabilities)
    context = _policy_number(policy, context)

    def step(state, now):
        key, t = now
        choose, move = jax.random.split(key)
        log_probs = policy.log_probs[(context, state) if policy.log_probs.ndim == 3 else (context, t, state)]
        action = jax.random.categorical(choose, log_probs)
        place = (state, action) if one_world else (context, state, action)
        slot = jax.random.categorical(move, jnp.log(probabilities[place]))
        alive = ~policy.ended[context, state]
        following = jnp.where(alive, successors[(*place, slot)], state)
        return following, (state, action, alive)

    times = jnp.arange(steps)
    last, (states, actions, alive) = jax.lax.scan(step, starts, (jax.random.split(key, steps), times))
    return jnp.concatenate([states, last[None]]).T, actions.T, alive.T


_roll_out = jax.jit(roll_out, static_argnames=("steps", "one_world"))


def simulate(
    key: Array,
    world: Worlds,
    agent: Agent,
    reward: Rewards,
    *,
    trajectories: int,
    steps: int,
    starts: Sequence[Any] | Any | None = None,
    subject: Hashable | None = None,
    precision: Precision | None = None,
) -> Trajectories:
    """Watch an agent act.

    Parameters
    ----------
    key : jax.random key
        Source of randomness; consumed.
    world, reward : World and Reward, or mappings from context to them
        Where it acts and what it wants.
    agent : Agent
        How it plans and chooses.
    trajectories : int
        How many walks, N; in each context where there are several.
    steps : int
        Most decisions in a walk, T; a walk is shorter where it reaches a state that ends it.
    starts : state or sequence of states, optional
        First state of all walks, or of each; default: drawn from the world's initial distribution.
    subject : hashable, optional
        Name of the one who walks; default: nobody is named.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.

    Returns
    -------
    Trajectories

    Raises
    ------
    ValueError
        Where a count is not positive, a start is unknown, agent or reward holds a prior, the horizon is too short,
        or an undiscounted problem cannot end.
    ConvergenceError, PrecisionError
        Where the planner fails.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.simulate(jax.random.key(0), hall, gi.soft_optimal(beta=1.0), wants, trajectories=2, steps=3).n_steps
    6
    """
    check_key(key)
    for name, count in (("trajectories", trajectories), ("steps", steps)):
        if not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f"{name} is {count!r}; expected a positive whole number")
    check_kind("agent", agent, Agent, "an agent, such as gi.soft_optimal(beta=1.0)")
    setting = Setting.of(world, reward)
    horizon = agent.planner.horizon
    if horizon is not None and steps > horizon:
        raise ValueError(f"steps is {steps}, beyond the agent's horizon of {horizon}: give it a longer horizon")
    key_starts, key_walk = jax.random.split(key)
    context = np.repeat(np.arange(len(setting.contexts), dtype=np.int32), trajectories)
    first = _starts(key_starts, setting, context, starts)
    states, actions, alive = _walk(key_walk, setting, agent, first, context, int(steps), precision)
    labels = Labels(
        tuple(range(len(states))),
        subjects=(0 if subject is None else subject,),
        contexts=setting.contexts,
        worlds=tuple(setting.worlds[min(c, len(setting.worlds) - 1)] for c in range(len(setting.contexts))),
    )
    return Trajectories.of(states, actions, lengths=alive.sum(1), context=context, labels=labels)


def simulate_like(
    key: Array, world: Worlds, agent: Agent, reward: Rewards, data: Trajectories, *, precision: Precision | None = None
) -> Trajectories:
    """Watch an agent act with the starts, lengths, missing choices, subjects and contexts of a data set."""
    setting = Setting.of(world, reward, data.context_names)
    steps = data.max_steps
    states, actions, alive = _walk(
        key, setting, agent, np.asarray(data.states)[:, 0], np.asarray(data.context), steps, precision
    )
    alive = alive & (np.arange(steps) < np.asarray(data.lengths)[:, None])
    labels = data.labels and dataclasses.replace(data.labels, table=None, rows=None)
    return Trajectories.of(
        states,
        actions,
        lengths=alive.sum(1),
        observed=alive & np.asarray(data.observed),
        subject=data.subject,
        context=data.context,
        labels=labels,
    )


def _walk(
    key: Array,
    setting: Setting,
    agent: Agent,
    first: np.ndarray,
    context: np.ndarray,
    steps: int,
    precision: Precision | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Plan and roll out on the host's behalf, with every check."""
    check_known(agent, setting.rewards)
    for index, one in enumerate(setting.worlds):
        check_plannable(agent, one, setting.rewards[min(index, len(setting.rewards) - 1)])
    with computing_in(precision) as chosen:
        mdp = setting.mdp()
        policy = setting.plan(agent, mdp)
        check_solved(policy.residual, policy.values, chosen)
        one_world = len(setting.worlds) == 1
        return jax.device_get(_roll_out(key, cast(mdp), policy, first, context, steps=steps, one_world=one_world))


def _starts(key: Array, setting: Setting, context: np.ndarray, starts: Any) -> np.ndarray:
    """Number of the first state of every walk."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    worlds = [setting.worlds[min(c, len(setting.worlds) - 1)] for c in range(len(setting.contexts))]
    if starts is None:
        return np.array([rng.choice(worlds[c].n_states, p=worlds[c].mdp.initial) for c in context], np.int32)
    if isinstance(starts, list):
        if len(starts) != len(context):
            raise ValueError(f"{len(starts)} starts for {len(context)} walks; give one for each, or one for all")
        return np.array([worlds[c].index(start) for c, start in zip(context, starts, strict=True)], np.int32)
    return np.array([worlds[c].index(starts) for c in context], np.int32)
