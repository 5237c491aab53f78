"""Checks on the host before planning and after it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import equinox as eqx
import jax
import numpy as np
from numpyro.distributions import Distribution

from goalinf.agents.agent import Agent, SingleAgent
from goalinf.agents.parts.planners import Ambiguity
from goalinf.agents.policy import Policy
from goalinf.errors import ConvergenceError, PrecisionError, SeveralSolutionsWarning
from goalinf.planning.parameters import check_dead_ends
from goalinf.planning.solution import LOG_PROB_ERROR, solved
from goalinf.precision import Precision
from goalinf.rewards import Alternatives, GoalReward, Reward, ShapedReward, ended, pinned
from goalinf.types import Numeric
from goalinf.worlds import World
from goalinf.worlds.world import label


def check_known(*records: eqx.Module | Sequence[eqx.Module]) -> None:
    """Refuse a prior where planning needs a number; the error says how to replace it."""
    for leaf in jax.tree.leaves(records, is_leaf=lambda x: isinstance(x, Distribution)):
        if isinstance(leaf, Distribution):
            raise ValueError(
                f"a {type(leaf).__name__} prior stands where a number is needed; "
                "give the parameter a value (agent.at(...)), or use gi.infer to learn it"
            )


def check_plannable(agent: Agent, world: World, reward: Reward) -> None:
    """Check that the agent fits the world, and that an undiscounted problem without a horizon can end from every state.

    Raises
    ------
    ValueError
        Where this does not hold; the message names the parameter or the state.
    """
    check_fits(agent, world, reward)
    for component, option in _alternatives(agent, reward):
        if discount_of(component, world) < 1.0 or not component.endless:
            continue
        fixed = np.asarray(ended(option, world.mdp) | pinned(option, world.mdp)[0])
        endless = [label(world.states[i]) for i in np.flatnonzero(~world.can_reach(fixed))]
        if endless:
            shown = ", ".join(endless[:5]) + (", …" if len(endless) > 5 else "")
            raise ValueError(
                f"with discount 1 this problem cannot end from state {shown}: "
                "use a discount below 1, a horizon, terminal states, or a goal (gi.goals)"
            )


def check_fits(agent: Agent, world: World, reward: Reward) -> None:
    """Check that agent and reward fit the world; of an agent with traced parameters, the shapes of the reward alone.

    Raises
    ------
    ValueError
        Where they do not; the message names the parameter.
    """
    check_shapes(reward, world)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((agent, reward))):
        return
    for component, option in _alternatives(agent, reward):
        component.check(world, option)


def _alternatives(agent: Agent, reward: Reward) -> list[tuple[SingleAgent, Reward]]:
    """Return every agent of a mixture with every reward of a choice of rewards."""
    options = reward.options if isinstance(reward, Alternatives) else (reward,)
    return [(component, option) for component in agent.components for option in options]


def check_shapes(reward: Reward, world: World) -> None:
    """Check that every array of a reward fits the world, and that the dead ends of a goal do.

    Raises
    ------
    ValueError
        Where a shape does not fit (the message has both shapes), or dead ends belong to another world (it names a
        state).
    """
    if isinstance(reward, Alternatives):
        for option in reward.options:
            check_shapes(option, world)
    mdp = world.mdp
    sizes = {"state": mdp.n_states, "action": mdp.n_actions, "successor": mdp.successors.shape[2]}
    for name, axes in reward.dims.items():
        shape = np.shape(getattr(reward, name))
        expected = tuple(sizes.get(axis, shape[-1] if shape else 1) for axis in axes)
        if shape != expected:
            raise ValueError(
                f"{name} of the {type(reward).__name__} has shape {shape}; "
                f"this world needs {expected} ({', '.join(axes)})"
            )
    if isinstance(reward, ShapedReward):
        check_shapes(reward.base, world)
    if isinstance(reward, GoalReward) and not isinstance(reward.dead, jax.core.Tracer):
        check_dead_ends("the GoalReward", np.asarray(reward.goal), np.asarray(reward.dead), world)


def check_solved(
    residual: Numeric, values: Numeric, precision: Precision, agent: SingleAgent, worlds: Sequence[World]
) -> None:
    """Check the residual and the size of the values (on the scale of beta times reward).

    ``agent`` planned in ``worlds``: its beta and the discount are part of the message.

    Raises
    ------
    ConvergenceError
        Where the fixed point was not reached.
    PrecisionError
        Where rounding alone can move a log-probability by more than 0.001.
    """
    eps = float(np.finfo(precision).eps)
    worst, largest = float(np.max(residual)), float(np.max(np.abs(values)))
    beta = f"beta {float(np.max(agent.beta)):g}, " if agent.beta is not None else ""
    discount = max(discount_of(agent, world) for world in worlds)
    given = f"{beta}discount {discount!r}"
    finite = discount < 1.0 or not agent.endless  # there is a finite fixed point
    if eps * largest > LOG_PROB_ERROR and (precision == "float32" or finite):
        wider = "precision='float64', " if precision == "float32" else ""
        raise PrecisionError(
            f"with {given}, values reach {largest:.3g} (beta times reward, summed over the future), where {precision} "
            f"is accurate to {eps * largest:.1g} only: use {wider}a smaller beta, or a smaller discount"
        )
    if solved(np.asarray(residual, precision), np.asarray(values, precision)):
        return
    ended = f"with {given}, the planner ended at values of {largest:.3g} with a relative residual of {worst:.2g}: "
    if finite:
        raise ConvergenceError(f"{ended}it did not converge: use a smaller discount, a smaller beta, or a horizon")
    raise ConvergenceError(
        f"{ended}there is no finite fixed point, or it did not converge; undiscounted, a soft-optimal agent needs step "
        "costs above log(number of actions)/beta, and no agent may collect reward in a loop: use a discount below 1, "
        "a horizon, larger step costs, or a smaller beta"
    )


def discount_of(agent: SingleAgent, world: World) -> float:
    """Return the discount factor that an agent plans with: its own, or that of the world."""
    return float(world.mdp.discount if agent.discount is None else agent.discount)


def warn_of_others(policy: Policy, other: Policy, world: World, precision: Precision, ambiguity: Ambiguity) -> None:
    """Warn where a search from another start ended at another policy."""
    if not solved(other.residual, other.values).all():
        return
    difference = abs(np.exp(policy.log_probs) - np.exp(other.log_probs)).max(axis=-1)
    state = int(difference.argmax())
    if difference[state] > {"float64": 1e-6, "float32": 1e-2}[precision]:
        warnings.warn(
            f"this policy is one of several solutions: the search started from {ambiguity.start}; from the values of "
            f"optimal planning it ends at another policy, whose action probabilities differ by up to "
            f"{difference[state]:.2g}, in state {label(world.states[state])}; with {ambiguity.way_out}, there is one "
            "solution",
            SeveralSolutionsWarning,
            stacklevel=5,
        )
