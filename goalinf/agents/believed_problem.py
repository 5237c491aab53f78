"""Plan of an agent: the Bellman problem that it believes to face, solved on the host or in compiled code."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from goalinf.agents.parts.beliefs import Beliefs
from goalinf.agents.parts.planners import Planner
from goalinf.planning.bellman import Problem
from goalinf.planning.solution import Plan
from goalinf.planning.solvers.sparse_lu import factorable
from goalinf.precision import cast, on_host
from goalinf.rewards import Reward
from goalinf.types import Numeric
from goalinf.worlds import MDP


class ChoiceModel(eqx.Module):
    """Parameters of choice rule and noise that the planner needs to foresee the agent's own actions.

    Parameters
    ----------
    scale
        Factor of the reward in the problem.
    beta
        Inverse temperature of every state, where beta is not the scale.
    choice
        Choice rule, where the planner needs its default policy.
    slip
        Probability of a slip that is foreseen.
    """

    scale: Any
    beta: Any = None
    choice: Any = None
    slip: Any = None


def make_plan(
    planner: Planner, beliefs: Beliefs, model: ChoiceModel, mdp: MDP, reward: Reward, initial: Numeric | None
) -> Plan:
    """Compute the plan; the backend is decided here, for all parts.

    Where a number is traced, the plan is a part of that program. Elsewhere it is computed at once: on the host, in
    float64, where planner and beliefs have NumPy code and the world can be factorized; else by a program of its own.
    """
    inputs = (planner, beliefs, model, mdp, reward, initial)
    host = on_host(inputs)
    if not host and any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(inputs)):
        return _solve(jnp, *inputs)
    if jnp.result_type(float) == np.float64 and planner.numpy and beliefs.numpy and factorable(mdp):
        return _solve(np, *(inputs if host else jax.device_get(inputs)))
    with jax.ensure_compile_time_eval():
        return _solve_compiled(jnp, *cast(inputs))


def _solve(
    xp: ModuleType,
    planner: Planner,
    beliefs: Beliefs,
    model: ChoiceModel,
    mdp: MDP,
    reward: Reward,
    initial: Numeric | None,
) -> Plan:
    """Compute the plan with NumPy or JAX; what is known while a program is traced becomes a constant of the program."""
    problem = Problem.of(beliefs(mdp), beliefs.unfold(reward), model.scale, planner.outlook)
    initial_guess = beliefs.unfold(initial)
    if xp is jnp:
        problem, initial_guess = cast((problem, initial_guess))
    if model.slip is not None:
        problem = beliefs.foresee(problem, model.slip)
    return beliefs.fold(planner(_informed(problem, beliefs, model), initial_guess))


_solve_compiled = jax.jit(_solve, static_argnums=0)


def make_plans(planner: Planner, beliefs: Beliefs, model: ChoiceModel, mdp: MDP, rewards: Sequence[Reward]) -> Plan:
    """Compute the plans for several rewards in one world as one problem, on the host, with a leading axis."""
    problem = Problem.of_each(beliefs(mdp), [beliefs.unfold(reward) for reward in rewards], model.scale)
    return beliefs.fold(planner(_informed(problem, beliefs, model)))


def _informed(problem: Problem, beliefs: Beliefs, model: ChoiceModel) -> Problem:
    """Add to the problem the parameters that a planner needs to foresee the agent's own actions."""
    if model.beta is not None:
        beta = problem.xp.broadcast_to(beliefs.unfold(model.beta), problem.fixed.shape[-1:])
        problem = dataclasses.replace(problem, beta=beta)
    if model.choice is not None:
        available = problem.available.reshape(-1, *problem.available.shape[-2:])[0]  # independent of the reward
        problem = dataclasses.replace(problem, default=model.choice.log_default(available))
    return problem
