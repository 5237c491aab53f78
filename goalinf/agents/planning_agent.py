"""From an agent, a world and a reward to the policy that comes out: beliefs, planner, choice, execution in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from goalinf.agents.agent import Agent, check_known
from goalinf.agents.parts.choice import Softmax
from goalinf.agents.parts.noise import AsIntended
from goalinf.agents.parts.planners import ValueIteration
from goalinf.agents.plannable import check_plannable, check_solved, warn_of_others
from goalinf.agents.policy import Policy
from goalinf.planning.bellman import Problem, choosable
from goalinf.planning.solution import Plan
from goalinf.planning.solvers.sparse_lu import factorable
from goalinf.precision import Precision, cast, computing_in, namespace, on_host
from goalinf.rewards import Reward, ended, pinned
from goalinf.worlds import MDP, World

Axes = tuple[int | None, int | None, int | None]


class _Told(eqx.Module):
    """What choice and execution tell the planner, each parameter of which belongs to them alone.

    Parameters
    ----------
    scale
        What the reward is multiplied by before it is planned for.
    beta
        Inverse temperature of every state, where beta is not the scale.
    choice
        The choice rule, where planning is for its default policy.
    slip
        Probability of a slip that is foreseen.
    """

    scale: Any
    beta: Any = None
    choice: Any = None
    slip: Any = None


def _told(agent: Agent) -> tuple[_Told, Any]:
    """What the parts of an agent tell its planner; and what the plan is multiplied by afterwards."""
    beta = 1.0 if agent.beta is None else agent.beta
    slip = agent.slip if hasattr(agent.beliefs, "foresee") else None
    if not agent.planner.uses_beta:
        return _Told(1.0, slip=slip), beta
    choice = agent.choice if getattr(agent.choice, "default", None) is not None else None
    # Planning that knows beta is for beta times the reward at temperature one, unless that is not the same.
    if agent.planner.outlook is None and not np.ndim(beta):
        return _Told(beta, choice=choice, slip=slip), 1.0
    return _Told(1.0, beta, choice, slip), beta


def plan(agent: Agent, mdp: MDP, reward: Reward, near: Any = None) -> Policy:
    """The policy of an agent: beliefs, then planner, then choice, then execution. Traceable.

    A planner that scales with the reward plans at beta 1; where nothing traced enters it, it does so once, on the host
    in float64, while the program around it is being compiled. ``near`` are the values of a similar policy.
    """
    if hasattr(agent.execution, "enact"):
        within = dataclasses.replace(agent, execution=agent.execution.inner)
        return agent.execution.enact(within, *cast((mdp, reward)))
    told, left = _told(agent)
    return _act(agent, mdp, reward, left, _planned(agent.planner, agent.beliefs, told, mdp, reward, near))


def plan_to_depths(agent: Agent, depth: int, plan_one: Callable[[Agent], Policy]) -> Policy:
    """The policies of looking 1, 2, … steps ahead, on the axis of time; every sweep is done once.

    They are those of a finite horizon in reverse, of which ``plan_one`` makes one.
    """
    if not hasattr(agent.planner, "looking"):
        raise ValueError(f"{type(agent.planner).__name__} does not look some steps ahead: plan by a ValueIteration")
    policy = plan_one(dataclasses.replace(agent, planner=agent.planner.looking(depth)))
    return dataclasses.replace(policy, log_probs=policy.log_probs[..., ::-1, :, :], values=policy.values[..., ::-1, :])


def follow(agent: Agent, mdp: MDP, reward: Reward, default: Any) -> Any:
    """Log-probabilities of an agent that follows a default policy, None for a uniform one, and wants nothing."""
    idle = dataclasses.replace(agent, choice=Softmax(1.0, default))
    return _acts(idle, mdp, reward, jnp.zeros((mdp.n_actions, mdp.n_states)))[0]


def plan_with(agent: Agent, mdp: MDP, reward: Reward, errors: Any) -> Policy:
    """The policies of a plan with these errors of Q (M, A, S), in utility, with a leading axis."""
    told, left = _told(agent)
    planned = _planned(agent.planner, agent.beliefs, told, mdp, reward, None)
    wrong = lambda error: dataclasses.replace(planned, q=jnp.asarray(planned.q) + told.scale * error)  # noqa: E731
    return jax.vmap(lambda error: _act(agent, mdp, reward, left, wrong(error)))(errors)


def plan_goals(agent: Agent, mdp: MDP, rewards: Sequence[Reward]) -> Policy:
    """:func:`plan` on the host for several rewards in one world, together: policies with a leading axis."""
    agent, mdp, rewards = jax.device_get((agent, mdp, list(rewards)))
    told, left = _told(agent)
    wanted = [_unfold(agent.beliefs, reward) for reward in rewards]
    told = dataclasses.replace(told, beta=_unfold(agent.beliefs, told.beta))
    planned = agent.planner(_informed(Problem.of_each(agent.beliefs(mdp), wanted, told.scale), told))
    planned = _fold(agent.beliefs, planned)
    acted = [_acts(agent, mdp, reward, q) for reward, q in zip(rewards, left * planned.q, strict=True)]
    log_probs, over = (np.stack(each) for each in zip(*acted, strict=True))
    return Policy(log_probs, left * planned.values, over, planned.residual)


def plan_each(agent: Agent, mdp: MDP, reward: Reward, near: Any, axes: Axes) -> Policy:
    """:func:`plan` for several contexts at once; ``axes`` tells whether MDP, reward and values have a leading axis."""
    several = (mdp, reward, near)
    if on_host(agent, several) and host_plans(agent):
        return _one_by_one(partial(plan, agent), several, axes)
    told, left = _told(agent)
    parts = (agent.planner, agent.beliefs, told)
    if hasattr(agent.execution, "enact") or not on_host(parts, several):
        return jax.vmap(partial(plan, agent), axes)(*cast(several))
    planned = _one_by_one(partial(_planned, *parts), several, axes)
    return jax.vmap(_act, (None, *axes[:2], None, 0))(agent, mdp, reward, left, planned)


def host_plans(agent: Agent) -> bool:
    """Whether every part of the agent also works on the host, where there is nothing to compile."""
    parts = (agent.beliefs, agent.choice, agent.execution)
    return agent.planner.numpy and all(getattr(part, "numpy", False) for part in parts)


def _planned(planner: Any, beliefs: Any, told: _Told, mdp: MDP, reward: Reward, near: Any) -> Plan:
    inputs = (planner, beliefs, told, mdp, reward, near)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(inputs)):
        return _think(*inputs)
    on_host = planner.numpy and getattr(beliefs, "numpy", False)
    if jnp.result_type(float) == np.float64 and on_host and factorable(mdp):
        return _think(*jax.device_get(inputs))
    with jax.ensure_compile_time_eval():
        return jax.jit(_think)(*cast(inputs))


def _one_by_one(function: Callable, several: tuple[Any, ...], axes: Axes) -> Any:
    """The function of every context, its results stacked."""
    pairs = list(zip(several, axes, strict=True))
    count = next(len(jax.tree.leaves(tree)[0]) for tree, axis in pairs if axis is not None)
    found = [
        function(*(tree if axis is None else jax.tree.map(itemgetter(c), tree) for tree, axis in pairs))
        for c in range(count)
    ]
    return jax.tree.map(lambda *leaves: namespace(leaves).stack(leaves), *found)


def _think(planner: Any, beliefs: Any, told: _Told, mdp: MDP, reward: Reward, near: Any) -> Plan:
    told = dataclasses.replace(told, beta=_unfold(beliefs, told.beta))
    reward, near = _unfold(beliefs, reward), _unfold(beliefs, near)
    return _fold(beliefs, planner(_problem(planner, beliefs, told, mdp, reward), near))


def _unfold(beliefs: Any, tree: Any) -> Any:
    """A reward, or numbers by state, for the states that are planned in, which may be more than there are."""
    return beliefs.unfold(tree) if hasattr(beliefs, "unfold") else tree


def _fold(beliefs: Any, planned: Plan) -> Plan:
    """The plan for the states that there are."""
    return beliefs.fold(planned) if hasattr(beliefs, "fold") else planned


def _problem(planner: Any, beliefs: Any, told: _Told, mdp: MDP, reward: Reward) -> Problem:
    """What the planner is to solve, by what the agent believes."""
    problem = Problem.of(beliefs(mdp), reward, told.scale, planner.outlook)
    if told.slip is not None:
        problem = beliefs.foresee(problem, told.slip)
    return _informed(problem, told)


def _informed(problem: Problem, told: _Told) -> Problem:
    """The problem with what it takes to foresee one's own choices."""
    if told.beta is not None:
        beta = namespace(told.beta).broadcast_to(told.beta, problem.pinned.shape[-1:])
        problem = dataclasses.replace(problem, beta=beta)
    if told.choice is not None:
        available = problem.available.reshape(-1, *problem.available.shape[-2:])[0]  # the same whatever the reward
        problem = dataclasses.replace(problem, default=told.choice.log_default(available))
    return problem


def _act(agent: Agent, mdp: MDP, reward: Reward, left: Any, planned: Plan) -> Policy:
    if not on_host(agent, mdp, reward, planned):
        agent, reward, left, planned = cast((agent, reward, left, planned))
    log_probs, over = _acts(agent, mdp, reward, left * planned.q)
    history = None
    if hasattr(agent.planner, "history"):
        history = agent.planner.history(mdp, reward, agent.beta, agent.execution)
    elif hasattr(agent.execution, "bend"):
        history = jax.tree.map(_array, agent.execution)
    return Policy(log_probs, left * planned.values, over, planned.residual, history=history)


def _array(leaf: Any) -> Any:
    """A number as an array, an array or traced value as it is."""
    return leaf if hasattr(leaf, "shape") else np.asarray(leaf, float)


def _acts(agent: Agent, mdp: MDP, reward: Reward, q: Any) -> tuple[Any, Any]:
    """Log-probabilities of what is done, and where the episode has ended."""
    over = ended(reward, mdp)
    available = choosable(mdp, over | pinned(reward, mdp)[0])
    chosen = agent.choice(q, available.T, ~over)
    return agent.execution(chosen, available), over


_plan = jax.jit(plan)


def solve(agent: Agent, world: World, reward: Reward, *, precision: Precision | None = None) -> Policy:
    """:func:`plan` at the edge: checks what can be checked, computes, reads the residual, returns host arrays."""
    check_known(agent, reward)
    check_plannable(agent, world, reward)
    with computing_in(precision) as chosen:
        if chosen == "float64" and host_plans(agent) and factorable(world.mdp):
            policy = jax.device_get(plan(*jax.device_get((agent, world.mdp, reward))))
        else:
            policy = jax.device_get(_plan(*cast((agent, world.mdp, reward))))
        others = None
        if agent.planner.ambiguous is not None and policy.modes is None:
            others = jax.device_get(_plan_elsewhere(*cast((agent, world.mdp, reward))))
    check_solved(policy.residual, policy.values, chosen, agent, [world])
    if others is not None:
        warn_of_others(policy, others, world, chosen, agent.planner.ambiguous)
    return policy


@jax.jit
def _plan_elsewhere(agent: Agent, mdp: MDP, reward: Reward) -> Policy:
    """:func:`plan`, where the search begins at the values of optimal planning rather than at zero."""
    planner = ValueIteration(discount=getattr(agent.planner, "discount", None))
    best = dataclasses.replace(agent, planner=planner, choice=Softmax(1.0), execution=AsIntended())
    return plan(agent, mdp, reward, _told(agent)[0].scale * plan(best, mdp, reward).values)
