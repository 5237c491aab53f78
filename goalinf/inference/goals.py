"""Exact posterior over a finite set of goals after every step."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, get_args

import jax
import numpy as np
import xarray as xr

from goalinf.agents import Agent, Policy
from goalinf.agents.agent import SingleAgent, single_agent
from goalinf.agents.plannable import check_known, check_plannable, check_solved
from goalinf.behavior import acts_on, score_steps
from goalinf.checks import check_kind
from goalinf.data import Trajectories
from goalinf.inference.model.program_cache import contents
from goalinf.inference.model.site_labels import axis_labels, labels
from goalinf.planning.log_space import safe_log
from goalinf.planning.solvers.sparse_lu import factorable
from goalinf.precision import Precision, cast, computing_in
from goalinf.rewards import Reward, check_reward, pad_reward, stack_rewards
from goalinf.worlds import MDP, World, bucket, pad

AfterGoal = Literal["continue", "impossible"]


def goal_posterior(
    world: World,
    agent: Agent,
    goals: Mapping[Any, Reward],
    data: Trajectories,
    *,
    prior: Mapping[Any, float] | None = None,
    after_goal: AfterGoal = "continue",
    precision: Precision | None = None,
) -> xr.DataArray:
    r"""Compute the exact posterior over a finite set of goals after every step.

    .. math:: p(g \mid s_{0:t}, a_{0:t}) \propto p(g) \prod_{k \le t} \pi_g(a_k \mid s_k)

    Every goal is scored on the same actions, including the actions after it has been reached.

    In float64 every goal is planned for on the host, without compilation, in worlds of up to 1,500 states and in larger
    worlds whose steps are short. Otherwise the goals are planned for in one compiled batch, in which worlds are padded
    to powers of two, so that worlds of many shapes share one program. The plans of the last call are kept: further
    steps or further subjects with the same world, agent and goals need no planning.

    Parameters
    ----------
    world : World
        World in which the agent acts.
    agent : Agent
        Agent without priors.
    goals : mapping
        Name of the goal -> reward; see :func:`goals`. All rewards of one kind. Names other than text or numbers are
        coordinates as they print (``("a", 1)`` as ``"a,1"``).
    data : Trajectories
        Observed behavior. Missing and forced actions do not change the posterior.
    prior : mapping, optional
        Goal -> prior weight, at least zero and not all zero; default: uniform.
    after_goal : {"continue", "impossible"}
        Likelihood of actions after a goal has been reached. ``"continue"``: the stationary policy of that goal
        continues, in the goal state by the same choice rule, :math:`\pi_g(a \mid s) \propto e^{\beta Q_g(s,a)}` with
        :math:`V_g(g) = 0`; the posterior is that of :func:`~goalinf.agents.switching` with a rate of zero.
        ``"impossible"``: the episode ends at the goal, so that the goal has probability zero as soon as a further
        action is observed.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.

    Returns
    -------
    DataArray
        Probabilities with dimensions ``(trajectory, step, goal)``; ``step`` counts the observed steps, 0 is the prior.
        After the end of a trajectory the posterior is constant. The coordinate ``evidence (trajectory,)`` is the log
        marginal likelihood of the actions in nats, :math:`\log \sum_g p(g) \prod_t \pi_g(a_t \mid s_t)`;
        ``log_likelihood (trajectory, goal)`` is the log-likelihood of every goal.

    Raises
    ------
    ValueError
        Where there is no goal or no action, two goals print alike, the prior or ``after_goal`` is not valid, the data
        do not fit the world or are impossible in it, an action is impossible under every goal (the message names it),
        or an undiscounted problem cannot end.
    ConvergenceError, PrecisionError
        Where the planner fails.

    References
    ----------
    Baker, Saxe and Tenenbaum (2009), model M1.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=1.0)
    >>> data = gi.Trajectories.of([[2, 3, 4]], [[3, 3]])
    >>> goals = gi.goals(hall, {"left": "a", "right": "b"}, step_cost=1.0)
    >>> posterior = gi.goal_posterior(hall, gi.agents.boltzmann(beta=1.0), goals, data)
    >>> posterior.sel(trajectory=0, step=2, goal="right").item() > 0.9
    True
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    agent = single_agent("agent", agent)
    check_kind("goals", goals, Mapping, "a mapping from name to reward, such as gi.goals(world, {'home': 'a'}) makes")
    check_kind("data", data, Trajectories, "trajectories; read a table with gi.read_trajectories first")
    for name, reward in goals.items():
        check_reward(f"goal {name!r}", reward)
    if not goals:
        raise ValueError("no goals were given; build them with gi.goals(world, {'home': 'a', …})")
    if not data.n_observed:
        raise ValueError("the data hold no observed action that is scored; expected at least one")
    if after_goal not in get_args(AfterGoal):
        raise ValueError(f"after_goal is {after_goal!r}; expected 'continue' or 'impossible'")
    data.check([world], agent)
    names = axis_labels("goals", goals)
    log_prior = _log_prior(goals, prior)
    with computing_in(precision) as used_precision:
        policies = _policies(_GoalProblem(agent, world, tuple(goals.values())), used_precision)
        scores = np.asarray(score_steps(policies, data), float)
    if after_goal == "impossible":
        scores = np.where(acts_on(policies, data), -np.inf, scores)
    n, t = data.actions.shape
    log_joint = np.zeros((len(goals), n, t + 1))
    np.cumsum(scores, axis=-1, out=log_joint[..., 1:])
    log_likelihood = log_joint[..., -1].T.copy()
    log_joint += log_prior[:, None, None]
    highest = log_joint.max(axis=0)
    if not np.isfinite(highest).all():
        _refuse_impossible(highest, data)
    log_joint -= highest
    probabilities = np.exp(log_joint, out=log_joint)
    total = probabilities.sum(axis=0)
    probabilities /= total
    table = _labels(tuple(labels(data.trajectory_names).tolist()), t, *names)
    result = table.copy(deep=False, data=np.moveaxis(probabilities, 0, -1))
    result.coords.variables["evidence"].data = highest[:, -1] + np.log(total[:, -1])
    result.coords.variables["log_likelihood"].data = log_likelihood
    return result


@lru_cache(maxsize=1, typed=True)  # labeling the posterior takes longer than computing it
def _labels(trajectories: tuple[int | str, ...], steps: int, *goals: Hashable) -> xr.DataArray:
    """Build a posterior with all labels, filled with NaN."""
    missing = np.broadcast_to(np.nan, (len(trajectories), steps + 1, len(goals)))
    return xr.DataArray(
        missing,
        dims=("trajectory", "step", "goal"),
        coords={
            "trajectory": np.array(trajectories),
            "step": np.arange(steps + 1),
            "goal": list(goals),
            "evidence": ("trajectory", missing[:, 0, 0]),
            "log_likelihood": (("trajectory", "goal"), missing[:, 0]),
        },
        name="probability",
        attrs={"long_name": "posterior probability of the goal"},
    )


class _GoalProblem:
    """Agent, world and goals; equal to others if all of their numbers are equal."""

    def __init__(self, agent: SingleAgent, world: World, rewards: tuple[Reward, ...]):
        self.agent, self.world, self.rewards = agent, world, rewards
        self._content = contents(agent, world.mdp, rewards)
        self._hash = hash(self._content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _GoalProblem) and self._content == other._content

    def __hash__(self) -> int:
        return self._hash


@lru_cache(maxsize=1)  # further steps or further subjects with the same goals need no planning
def _policies(problem: _GoalProblem, precision: Precision) -> Policy:
    """Plan the policies under all goals, with every check; on the host, with an axis of contexts ``(G, 1, …)``."""
    agent, world, rewards = problem.agent, problem.world, problem.rewards
    check_known(agent, rewards)
    for reward in rewards:
        check_plannable(agent, world, reward)
    on_host = precision == "float64" and agent.host_plans and factorable(world.mdp)
    policies = agent.planning.policies_of_goals(world.mdp, rewards) if on_host else _compiled(agent, world.mdp, rewards)
    check_solved(policies.residual, policies.values, precision, agent, [world])
    return jax.tree.map(lambda leaf: leaf[:, None], policies)


def _compiled(agent: SingleAgent, mdp: MDP, rewards: Sequence[Reward]) -> Policy:
    """Plan the policies on a device; the world is padded to powers of two unless the agent has parameters by state."""
    padded = mdp
    if not any(np.ndim(leaf) for leaf in jax.tree.leaves(agent)):
        states, width, neighbors = map(bucket, (mdp.n_states, mdp.successors.shape[2], mdp.neighbors.shape[0]))
        padded = pad(mdp, states=states, width=width, neighbors=neighbors)
    sizes = {"state": padded.n_states, "action": padded.n_actions, "successor": padded.successors.shape[2]}
    stacked = stack_rewards([pad_reward(reward, sizes) for reward in rewards])
    return jax.device_get(_plan_each(*cast((agent, padded, stacked))))


@jax.jit
def _plan_each(agent: SingleAgent, mdp: MDP, rewards: Reward) -> Policy:
    plan = jax.vmap(lambda reward: agent.policies(mdp, reward))
    return dataclasses.replace(plan(rewards), planned=None)  # kept between calls: scores need no values


def _log_prior(goals: Mapping[Any, Reward], prior: Mapping[Any, float] | None) -> np.ndarray:
    if prior is None:
        return np.full(len(goals), -np.log(len(goals)))
    check_kind("prior", prior, Mapping, "a mapping from goal to weight")
    if set(prior) != set(goals):
        raise ValueError(f"the prior names {sorted(map(str, prior))}; the goals are {sorted(map(str, goals))}")
    weights = np.array([prior[name] for name in goals], float)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError(
            f"prior weights are {weights.tolist()}; expected finite numbers of at least zero, not all zero"
        )
    return safe_log(weights / weights.sum())


def _refuse_impossible(highest: np.ndarray, data: Trajectories) -> None:
    impossible = np.isneginf(highest)
    n = int(impossible.any(axis=1).argmax())
    t = int(impossible[n].argmax()) - 1
    location = data.labels.where(n, t) if data.labels is not None else f"trajectory {n}, step {t}"
    raise ValueError(
        f"{location}: this action has probability zero under every goal that was possible before it "
        f"({impossible.any(axis=1).sum()} such trajectories). Add a goal under which it is possible, use an agent with "
        "lapses, or, where all goals had been reached with after_goal='impossible', use after_goal='continue'"
    )
