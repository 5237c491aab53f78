"""Behavior: a NumPyro distribution over trajectories, given world, agent and reward."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from goalinf.agents.agent import Agent, check_agent, single_agent
from goalinf.agents.plannable import check_fits
from goalinf.agents.policy import Policy
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.behavior.fill import fill
from goalinf.behavior.levels import Levels
from goalinf.behavior.plans import AgentPlans
from goalinf.behavior.roll_out import Gaps, drawn_options, hidden_slips, recorded_states, roll_out_one_of
from goalinf.behavior.scores import believed_modes, chained
from goalinf.behavior.step_values import Quantities, step_values
from goalinf.checks import PRNGKey, check_kind, takes_key
from goalinf.data import Observations, Trajectories
from goalinf.data.matching.fitting import check_numbers
from goalinf.planning.solution import solved
from goalinf.precision import exactly
from goalinf.worlds import World

_Data = TypeVar("_Data", bound=Observations)
_Result = TypeVar("_Result")


class Behavior(dist.Distribution):
    r"""Distribution of observations of an agent, given world and reward.

    Its value is a :class:`~goalinf.Trajectories`, or other :class:`~goalinf.data.Observations`, which define their own
    log-probability. Samples are trajectories. The log-probability of trajectories is that of the choices,
    :math:`\sum_{n,t} \log \pi(a_{nt} \mid s_{nt})`; the transition probabilities of the world depend neither on the
    agent nor on the reward and are left out. Missing actions, forced actions and padding contribute nothing. All other
    actions are scored under every reward, including the actions in and after a goal that has been reached: rewards are
    compared on the same actions. A simulated episode ends at its goal. A stationary policy is scored on the counts of
    unique pairs of state and action, so that the cost does not grow with the data.

    Parameters
    ----------
    world : World or mapping from context to World
        World in which the agent acts. Contexts of worlds, rewards and data are matched by name; the order of a mapping
        has no effect.
    agent : Agent
        Agent; its parameters may be traced values. The options of a mixture are summed over.
    reward : Reward or mapping from context to Reward
        Reward of the agent.
    like : Trajectories, optional
        Data set from which samples take starts, lengths, missing and forced actions, subjects and contexts.
    contexts : sequence, optional
        Names of the contexts that are planned for; default: the contexts of ``like``, or all of the mappings. Data
        without names of contexts number them in this order.
    levels : Levels, optional
        Parameters with one value per subject or context, in place of priors in ``agent`` and ``reward``; for the data
        for which they were made.
    near : Policy, optional
        Initial guess (warm start): ``policy`` of a behavior with similar parameters, such as the last step of an
        optimization. A soft-optimal agent without a horizon then plans in fewer iterations; the solution is the same.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=1.0), reward, trajectories=2, steps=3)
    >>> bool(gi.Behavior(hall, gi.agents.soft_optimal(beta=1.0), reward).log_prob(data) < 0)
    True
    """

    support = constraints.real
    arg_constraints: ClassVar[dict[str, Any]] = {}
    reparametrized_params: ClassVar[list[str]] = []

    def __init__(
        self,
        world: Worlds,
        agent: Agent,
        reward: Rewards,
        *,
        like: Trajectories | None = None,
        contexts: Sequence[Hashable] | None = None,
        levels: Levels | None = None,
        near: Policy | None = None,
    ):
        self._by_number = None if contexts is None else tuple(contexts)
        if contexts is None and like is not None:
            contexts = like.context_names
        check_agent("agent", agent)
        self._levels, self._with_priors = levels, (agent, reward)
        if levels is not None:
            agent, reward = fill(agent, reward, levels.first())
        self.conditions = Conditions.of(world, reward, contexts)
        for one_world, one_reward in self.conditions.distinct.pairs():
            check_fits(agent, one_world, one_reward)
        self.agent = agent
        if like is not None:
            check_kind("like", like, Trajectories, "trajectories, such as gi.simulate makes")
            check_numbers(like, self._worlds(like))
        self.like = like
        self._near = near
        self._policies: tuple[Policy, ...] | None = None
        super().__init__(batch_shape=(), event_shape=(), validate_args=False)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Policies of all conditions, for every agent of a mixture; planned once."""
        if self._policies is None:
            plan = partial(self.conditions.distinct.plan, initial_guess=self._near)
            plan_all = partial(self.agent.plan_each, plan)
            if self._levels is not None:
                plan_all = partial(self._levels.plan, self.conditions, *self._with_priors)
            self._policies = self._exactly(plan_all)
        return self._policies

    @property
    def plans(self) -> tuple[AgentPlans, ...]:
        """Plans of every agent of a mixture, under which observations are scored."""
        return self.plans_of(self.policies)

    def plans_of(self, policies: Sequence[Policy]) -> tuple[AgentPlans, ...]:
        """Return the plans that have these policies of all conditions, one for every agent of a mixture."""
        planned = self.conditions.distinct
        worlds, rewards = planned.worlds, planned.rewards
        if self._levels is not None:
            pairs_of_contexts = [self.conditions.pairs()[context] for context in self._levels.context]
            worlds = worlds[:1] if len(worlds) == 1 else tuple(world for world, _ in pairs_of_contexts)
            rewards = self._levels.rewards(self._with_priors, [reward for _, reward in pairs_of_contexts])
        agent = self.agent if self._levels is None else self._with_priors[0]  # no level stands for the others
        pairs = zip(agent.components, policies, strict=True)
        return tuple(AgentPlans(agent, policy, worlds, rewards) for agent, policy in pairs)

    def _exactly(self, function: Callable[[], _Result], *more: Observations) -> _Result:
        return exactly(function, self.agent, self.conditions.rewards, self._near, *more)

    def _scored(self, function: Callable[[_Data], _Result], value: _Data) -> _Result:
        """Apply a function to the data, with the numbers of the conditions; concrete data are checked."""
        self.check(value)
        matched = self._matched(value)
        return self._exactly(partial(function, matched), matched)

    def check(self, value: Observations) -> None:
        """Refuse data that cannot come from these worlds; data that are being traced are not checked.

        Raises
        ------
        ValueError
            See :meth:`goalinf.Trajectories.check`.
        """
        check_kind("value, the data to score,", value, Observations, "trajectories, such as gi.simulate makes")
        if value.concrete:
            value = value if self._levels is None else self._levels.in_contexts(value)
            value.check(self._worlds(value), self.agent)

    def _worlds(self, value: Observations) -> tuple[World, ...]:
        """Return the worlds by number of the contexts of the data; one where there is only one."""
        numbers, worlds = self._condition_numbers(value), self.conditions.distinct.worlds
        return worlds if numbers is None or len(worlds) == 1 else tuple(worlds[number] for number in numbers)

    @property
    def policy(self) -> Policy:
        """Policies of all conditions of an agent that is no mixture; those of a mixture are in ``policies``."""
        single_agent("agent", self.agent)
        return self.policies[0]

    @property
    def residual(self) -> Any:
        """Largest relative residual of the planners."""
        return jnp.stack([jnp.max(policy.residual) for policy in self.policies]).max()

    def _condition_numbers(self, value: Observations) -> np.ndarray | None:
        """Return the condition of every context of the data by number; None for a single world and reward.

        Raises
        ------
        ValueError
            Where a context of the data has no world or no reward, or context numbers do not match the names.
        """
        if not self.conditions.by_name:
            return None
        names = self._by_number if value.named_contexts is None else value.named_contexts
        traced = isinstance(value.context, jax.core.Tracer)
        used = None if traced else np.unique(np.asarray(value.context)).tolist()
        if names is None:  # numbers are names
            contexts = self.conditions.contexts
            numbered = [name for name in contexts if isinstance(name, (int, np.integer)) and name >= 0]
            used = used or numbered or range(len(contexts))
            names = tuple(range(max(used) + 1))
        if not traced:
            value.check_contexts(names)
        numbers = self.conditions.places(names, used)
        return np.where(numbers < 0, -1, self.conditions.number[numbers])

    def _matched(self, value: _Data) -> _Data:
        """Replace the numbers of the contexts of the data by those of the conditions; -1 where there is none."""
        if self._levels is not None:
            if value.concrete:
                self._levels.check(value)
            return self._levels.coded(value).renumbered(self._levels.number)
        numbers = self._condition_numbers(value)
        if numbers is None:
            needless = isinstance(value.context, np.ndarray) and not value.context.any()
        else:  # several conditions: scores find numbers that are too large; one condition: scores ignore numbers
            needless = len(numbers) > 1 and np.array_equal(numbers, np.arange(len(numbers)))
        return value if needless else value.renumbered(numbers)

    def log_prob(self, value: Observations) -> Float[Array | np.ndarray, ""]:
        """Compute the log-probability of all observations (actions), in nats; NaN where the planner failed.

        Raises
        ------
        ValueError
            Where the data do not fit the worlds, or are impossible in them: an action after a terminal state, an action
            that is not available, a transition of probability zero. Inside compiled code data cannot be checked: there
            a number of a state, an action or a context that does not exist makes the log-probability NaN, and
            ``gi.infer`` checks the data of a model before it is compiled.
        """
        return self._scored(self._log_prob, value)

    def _log_prob(self, value: Observations) -> Any:
        if self.agent.by is None:
            total = self.plans[0].log_likelihood(value, "data").sum()
        else:
            total = logsumexp(self.agent.log_weights[:, None] + self._by_option(self.agent.by, value), axis=0).sum()
        converged = jnp.stack([solved(policy.residual, policy.values) for policy in self.policies]).all()
        return jnp.where(converged, total, jnp.nan)

    def _by_option(self, unit: str, value: Observations) -> Any:
        return jnp.stack([plans.log_likelihood(value, unit) for plans in self.plans])

    def by_option(
        self, unit: str, value: Observations
    ) -> tuple[Float[Array | np.ndarray, " K"], Float[Array | np.ndarray, "K N *T"]]:
        """Return log weights of the options of a mixture, and log-probabilities of all items under each, in nats.

        A single agent is one option of weight one. Items are those of a unit of the data, such as ``"trajectory"`` or
        ``"step"``. Subjects are in the order of their numbers, without gaps; zero after the last subject.
        """
        return self.agent.log_weights, self._scored(partial(self._by_option, unit), value)

    def log_prob_by(self, unit: str, value: Observations) -> Float[Array | np.ndarray, N * T]:
        """Compute the log-probability of every item of a unit of the data, in nats; zero where nothing was chosen.

        The log-probability of a ``"step"`` is given the earlier actions of its trajectory. Where each subject is one of
        several agents, all are given the earlier items of the same subject. Under a mixture with ``by="data"``, the
        log-probability of a ``"subject"`` is a sum by the chain rule: each of its trajectories is given all earlier
        trajectories of the data, also those of other subjects.
        """
        return self._scored(partial(self._chained, unit), value)

    def _chained(self, unit: str, value: Observations) -> Any:
        """Return scores of items; under a mixture, given the earlier items of the same unit of the mixture."""
        if self.agent.by is None:
            return self.plans[0].log_likelihood(value, unit)
        if value.units.index(unit) > value.units.index(value.unit):  # a sum by the chain rule
            return value.summed(self._chained(value.unit, value), unit)
        scores = self._by_option(unit, value)
        flat, group = scores.reshape(len(scores), -1), self._group(value)
        group = jnp.repeat(group, flat.shape[1] // group.size)
        return chained(self.agent.log_weights, flat, group).reshape(scores.shape[1:])

    def _group(self, value: Observations) -> Any:
        """Return the rank of the unit (``agent.by``) of every item of ``value.unit``: numbers may have gaps."""
        members = jnp.asarray(value.members(self.agent.by or "data"))
        return jnp.unique(members, return_inverse=True, size=members.size)[1]

    def mode_posterior(self, value: Trajectories) -> Float[Array | np.ndarray, "N T M"]:
        r"""Compute the posterior of the hidden mode at every step, :math:`p(m_t \mid s_{1:t}, a_{1:t})`.

        By the forward filter.

        The modes are those of the agent: the goals of :func:`~goalinf.agents.switching` in their order, pursuing and
        having abandoned (:func:`~goalinf.agents.abandoning`), the subgoals and the goal itself
        (:func:`~goalinf.agents.subgoal`), options. At a missing or a forced action only the transition kernel changes
        the posterior; after the end of a trajectory it is constant.

        Raises
        ------
        ValueError
            Where the agent has no hidden modes.

        Examples
        --------
        >>> import goalinf as gi
        >>> hall = gi.gridworld("a.s.b", discount=1.0)
        >>> reward = gi.one_of(gi.goals(hall, {"left": "a", "right": "b"}, step_cost=1.0))
        >>> data = gi.Trajectories.of([[2, 3, 2, 1]], [[3, 2, 2]])  # right, then left and left
        >>> agent = gi.agents.switching(switch=0.2, beta=2.0)
        >>> gi.Behavior(hall, agent, reward).mode_posterior(data)[0].round(2).tolist()
        [[0.02, 0.98], [0.88, 0.12], [1.0, 0.0]]
        """
        check_kind("value", value, Trajectories, "trajectories, such as gi.simulate makes")
        if self.policy.modes is None:
            raise ValueError(
                f"{self.agent.name} has one policy and no hidden modes; expected an agent such as gi.agents.switching"
            )
        return self._scored(lambda data: jnp.exp(believed_modes(self.policy, data)), value)

    def step_values(self, value: Trajectories) -> Quantities:
        """Compute what the agent expected, chose and learned at every step, given the earlier steps.

        Parameters
        ----------
        value : Trajectories
            Observed behavior.

        Returns
        -------
        dict
            Arrays ``(N, T)``, by the names of :func:`goalinf.workflow.regressors`, which describes them; ``"values"``
            of all actions of a learner ``(N, T, A)``, and the posterior after every step of the options of a mixture,
            ``"options"`` ``(N, T, K)``, or of hidden modes, ``"modes"`` ``(N, T, M)``. Entries of missing actions and
            padding have no meaning, nor have probabilities of forced actions.

        Examples
        --------
        >>> import goalinf as gi
        >>> arms = gi.bandit(["A", "B"])
        >>> data = gi.Trajectories.of([[0, 0, 0, -1]], [[0, 0, 1]], outcomes=[[1.0, 1.0, -2.0]])
        >>> agent = gi.agents.rescorla_wagner(learning_rate=0.5, beta=1.0)
        >>> gi.Behavior(arms, agent, gi.RecordedReward()).step_values(data)["prediction_error"].tolist()
        [[1.0, 0.5, -2.0]]
        """
        check_kind("value", value, Trajectories, "trajectories, such as gi.simulate makes")
        return self._scored(self._step_values, value)

    def _step_values(self, value: Trajectories) -> Quantities:
        group = jnp.arange(value.n_trajectories) if self.agent.by is None else self._group(value)
        return step_values(self.policies, jnp.asarray(self.agent.log_weights), group, value)

    @takes_key
    def sample(self, key: PRNGKey, sample_shape: tuple[int, ...] = ()) -> Trajectories:
        """Sample trajectories with the starts, lengths, missing and forced actions of ``like``.

        A forced action that a sampled state does not offer is recorded, and refused where the sample is scored.

        Raises
        ------
        ValueError
            Where ``like`` was not given.
        """
        if self.like is None:
            raise ValueError(
                "sampling needs starts, lengths and contexts: give like=, the trajectories that have them; or use "
                "gi.simulate"
            )
        sample_from = self._sample_one
        key = jnp.asarray(key)
        if not sample_shape:
            return sample_from(key)
        keys = jax.random.split(key, sample_shape)
        for _ in sample_shape:
            sample_from = jax.vmap(sample_from)
        return sample_from(keys)

    def _sample_one(self, key: Array) -> Trajectories:
        like = self.like
        assert like is not None
        conditions = self.conditions.distinct
        steps, one_world = like.actions.shape[1], len(conditions.worlds) == 1
        option = drawn_options(key, self.agent, like.n_trajectories)[self._group(like)]
        mdp, condition = conditions.mdp(), jnp.asarray(self._matched(like).context)
        if self._levels is not None:
            self._levels.check_slips(self.agent)
            if not one_world:
                of_plan = self._levels.condition(self.conditions)
                mdp = jax.tree.map(lambda leaf: leaf[of_plan], mdp)
        gaps = Gaps.of(mdp, like, condition, one_world)
        settings = jnp.asarray(like.states)[:, 0], condition, steps, one_world, gaps
        slips = hidden_slips(self.agent)
        outcomes = None if like.outcomes is None else jnp.asarray(like.outcomes)
        given = recorded_states(conditions.mdp(), like)
        states, actions, alive = roll_out_one_of(key, mdp, self.policies, slips, option, *settings, outcomes, given)
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
            outcomes=outcomes,
            forced=None if like.forced is None else alive & jnp.asarray(like.forced),
        )
