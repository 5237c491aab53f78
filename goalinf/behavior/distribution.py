"""Behavior: a NumPyro distribution over trajectories, given world, agent and reward."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from goalinf.agents.agent import Agent
from goalinf.agents.mixtures import Mixture
from goalinf.agents.plannable import check_shapes
from goalinf.agents.policy import Policy
from goalinf.behavior.admission import check_data
from goalinf.behavior.conditions import Rewards, Setting, Worlds, shown
from goalinf.behavior.scores import believed_modes, chained, score, score_steps, score_subjects
from goalinf.behavior.simulation import Gaps, drawn_options, hidden_slips, roll_out_one_of
from goalinf.checks import PRNGKey, check_kind, takes_key
from goalinf.data import Trajectories
from goalinf.data.fitting import check_numbers
from goalinf.planning.solution import solved
from goalinf.precision import exactly, namespace
from goalinf.worlds import World


class Behavior(dist.Distribution):
    r"""Distribution of the trajectories of an agent that wants this reward in this world.

    Its value is a :class:`~goalinf.Trajectories`. The log-probability is that of the observed choices,
    :math:`\sum_{n,t} \log \pi(a_{nt} \mid s_{nt})`; how the world answered depends neither on agent nor on reward and
    is left out. Missing choices and padding contribute nothing. All other choices are scored whatever the reward, those
    in and behind a goal that has been reached, too: rewards are compared on the same choices. A simulated episode ends
    at its goal. A stationary policy is scored on the counts of unique choices, so that the cost does not grow with the
    data.

    Parameters
    ----------
    world : World or mapping from context to World
        Where they act. Contexts of worlds, rewards and data are matched by name, whatever the order of a mapping.
    agent : Agent or Mixture
        How they plan and choose; parameters may be traced values. One of several, not known which, are summed over.
    reward : Reward or mapping from context to Reward
        What they want.
    like : Trajectories, optional
        Gives starts, lengths, missing choices, subjects and contexts to what is sampled.
    contexts : sequence, optional
        Names of the contexts that are planned for; default: those of ``like``, or all of the mappings. Data without
        names of contexts number them in this order.
    near : Policy, optional
        ``policy`` of a behavior that is a little different, as from the last step of an optimization: a soft-optimal
        agent without a horizon plans from there in fewer steps. What is found is the same.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=1.0), wants, trajectories=2, steps=3)
    >>> bool(gi.Behavior(hall, gi.agents.soft_optimal(beta=1.0), wants).log_prob(walks) < 0)
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
        self._by_number = None if contexts is None else tuple(contexts)
        if contexts is None and like is not None:
            contexts = like.context_names
        self.setting = Setting.of(world, reward, contexts)
        for one, wanted in self.setting.distinct():
            check_shapes(wanted, one)
        check_kind("agent", agent, (Agent, Mixture), "an agent, such as gi.agents.soft_optimal(beta=1.0)")
        self.agent = agent
        if like is not None:
            check_numbers(like, self._worlds(like))
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

    def _scored(self, function: Callable[[Trajectories], Any], value: Trajectories) -> Any:
        """The function of the data, checked where they are not being traced, with the numbers of contexts used here."""
        self.check(value)
        matched = self._matched(value)
        return self._exactly(partial(function, matched), matched)

    def check(self, value: Trajectories) -> None:
        """Refuse data that cannot come from these worlds; data that are being traced are not looked at.

        Raises
        ------
        ValueError
            Where a choice does not exist, is made behind a terminal state, or cannot have led where it did; or where
            the data are counts and the choices of the agent have an order, or every trajectory is one of several
            agents.
        """
        check_kind("value, the data to score,", value, Trajectories, "trajectories, such as gi.simulate makes")
        if value.concrete:
            check_data(jax.tree.map(np.asarray, value), self._worlds(value), self.agent)

    def _worlds(self, value: Trajectories) -> tuple[World, ...]:
        """The worlds by number of the contexts of the data; one where there is only one."""
        places, worlds = self._places(value), self.setting.worlds
        return worlds if places is None or len(worlds) == 1 else tuple(worlds[place] for place in places)

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

    def _places(self, value: Trajectories) -> np.ndarray | None:
        """Number in the setting of every context of the data, found by name; None where contexts do not matter.

        Raises
        ------
        ValueError
            Where a context of the data has no world or no reward, or contexts without names meet those with names.
        """
        if not self.setting.by_name:
            return None
        names = value.named_contexts
        traced = isinstance(value.context, jax.core.Tracer)
        used = None if traced else np.unique(np.asarray(value.context)).tolist()
        if names is None:
            count = len(self.setting.contexts) if used is None else used[-1] + 1
            names = self._by_number or tuple(range(count))
        if used is not None and used[-1] >= len(names):
            raise ValueError(
                f"the data hold context number {used[-1]}; contexts= names {len(names)} of them: {shown(names)}"
            )
        return self.setting.places(names, used)

    def _matched(self, value: Trajectories) -> Trajectories:
        """The same data with the setting's number of every context instead of the data's own."""
        places = self._places(value)
        if places is None or np.array_equal(places, np.arange(len(places))):
            return value
        xp = namespace(value.context, value.cells.context)
        numbers = [xp.asarray(places)[number] for number in (value.context, value.cells.context)]
        return eqx.tree_at(lambda data: [data.context, data.cells.context], value, numbers)

    def log_prob(self, value: Trajectories) -> Float[Array | np.ndarray, ""]:
        """Log-probability of all observed choices, in nats; not a number where the planner failed.

        Raises
        ------
        ValueError
            Where the data do not fit the worlds, or hold what cannot happen in them: a choice behind a terminal state,
            an action that is not available, a transition of probability zero. Inside compiled code data
            cannot be looked at: there a number that the world does not have makes the log-probability not a number, and
            ``gi.infer`` checks the data of a model before it is compiled.
        """
        return self._scored(self._log_prob, value)

    def _log_prob(self, value: Trajectories) -> Any:
        policies = self.policies
        if isinstance(self.agent, Agent):
            total = score(policies[0], value)
        else:
            total = logsumexp(self.agent.log_weights[:, None] + self._by_group(value), axis=0).sum()
        done = jnp.stack([solved(policy.residual, policy.values) for policy in policies]).all()
        return jnp.where(done, total, jnp.nan)

    def by_group(self, value: Trajectories) -> Float[Array | np.ndarray, "K N"]:
        """Log-probability of what each one of those who are one of several agents did, under every option.

        In the order of their numbers, with those left out that no trajectory belongs to; zero behind the last one.
        """
        return self._scored(self._by_group, value)

    def _by_group(self, value: Trajectories) -> Any:
        assert isinstance(self.agent, Mixture)
        if self.agent.by == "trajectory":
            return jnp.stack([score_steps(policy, value).sum(-1) for policy in self.policies])
        if self.agent.by == "subject":
            return jnp.stack([score_subjects(policy, value) for policy in self.policies])
        return jnp.stack([score(policy, value) for policy in self.policies])[:, None]

    def by_option(
        self, value: Trajectories, *, each: Literal["trajectory", "step"] = "trajectory"
    ) -> tuple[Float[Array | np.ndarray, " K"], Float[Array | np.ndarray, "K N *T"]]:
        """Log weights of the options of a mixture, and the log-probability of every trajectory under each, in nats.

        One agent is one option of weight one. With ``each="step"``: the log-probability of every choice.
        """

        def scored(value: Trajectories) -> Any:
            log_weights = self.agent.log_weights if isinstance(self.agent, Mixture) else jnp.zeros(1)
            scores = jnp.stack([score_steps(policy, value) for policy in self.policies])
            return log_weights, scores if each == "step" else scores.sum(-1)

        return self._scored(scored, value)

    def log_prob_by_trajectory(self, value: Trajectories) -> Float[Array | np.ndarray, " N"]:
        """Log-probability of the observed choices of each trajectory, in nats.

        Where a subject is one of several agents: given the earlier trajectories of the same subject.
        """
        return self._scored(lambda data: self._chained(data, lambda policy: score_steps(policy, data).sum(-1)), value)

    def log_prob_by_step(self, value: Trajectories) -> Float[Array | np.ndarray, "N T"]:
        """Log-probability of each choice, in nats, given those before it; zero where nothing is scored."""
        return self._scored(lambda data: self._chained(data, lambda policy: score_steps(policy, data)), value)

    def mode_posterior(self, value: Trajectories) -> Float[Array | np.ndarray, "N T M"]:
        r"""Which latent mode each is in at every step, :math:`p(m_t \mid s_{1:t}, a_{1:t})`, by the forward filter.

        The modes are those of the agent: the goals of :func:`~goalinf.agents.switching` in their order, pursuing and
        having given up (:func:`~goalinf.agents.abandoning`), the places and the goal itself
        (:func:`~goalinf.agents.subgoal`), options. A choice that was not observed changes it by the kernel only; behind
        the end it stays.

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
        >>> agent = gi.agents.switching(switch=0.2, beta=2.0)
        >>> gi.Behavior(hall, agent, wants).mode_posterior(walk)[0].round(2).tolist()
        [[0.02, 0.98], [0.88, 0.12], [1.0, 0.0]]
        """
        if self.policy.modes is None:
            raise ValueError(
                f"{self.agent.name} acts by one policy: it has no latent modes, such as gi.agents.switching has"
            )
        return self._scored(lambda data: jnp.exp(believed_modes(self.policy, data)), value)

    def _chained(self, value: Trajectories, scored: Callable[[Policy], Any]) -> Any:
        """Scores of items, given those before them where they depend on which agent it is."""
        if isinstance(self.agent, Agent):
            return scored(self.policy)
        scores = jnp.stack([scored(policy) for policy in self.policies])
        flat = scores.reshape(len(scores), -1)
        group = jnp.repeat(self._group(value), flat.shape[1] // value.n_trajectories)
        return chained(self.agent.log_weights, flat, group).reshape(scores.shape[1:])

    def _group(self, value: Trajectories) -> Any:
        """Number of the unit that is one of several agents, by trajectory; smaller than the number of trajectories."""
        assert isinstance(self.agent, Mixture)
        trajectories = jnp.arange(value.n_trajectories)
        if self.agent.by == "subject":  # whose numbers may have gaps
            return jnp.unique(jnp.asarray(value.subject), return_inverse=True, size=value.n_trajectories)[1]
        return trajectories if self.agent.by == "trajectory" else 0 * trajectories

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
        key = jnp.asarray(key)
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
        matched, mdp = self._matched(like), self.setting.mdp()
        gaps = Gaps.of(mdp, matched, one_world)
        where = jnp.asarray(like.states)[:, 0], jnp.asarray(matched.context), steps, one_world, gaps
        slips = hidden_slips(self.agent)
        states, actions, alive = roll_out_one_of(key, mdp, self.policies, slips, option, *where)
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
            contexts=like.unlabeled().contexts,
        )
