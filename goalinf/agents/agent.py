"""Agent: beliefs, planner, choice and execution put together; and the policy that comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float
from numpyro.distributions import Distribution

from goalinf.agents.bellman import Problem, choosable
from goalinf.agents.checks import check_plannable, check_solved
from goalinf.agents.factors import factorable
from goalinf.agents.planners import Plan, ValueIteration
from goalinf.precision import Precision, cast, computing_in, namespace, on_host
from goalinf.rewards import Reward, ended, pinned
from goalinf.worlds import MDP, World
from goalinf.worlds.world import label


class Policy(eqx.Module):
    """What an agent does, everywhere; several policies have a leading axis.

    Parameters
    ----------
    log_probs : float (S, A) or (T, S, A)
        Log-probability of each action, −inf where unavailable; time-indexed with a finite horizon. In states
        that end the episode it is uniform and never scored.
    values : float (S,) or (T, S)
        beta times the value that the planner assigns to a state.
    ended : bool (S,)
        States in which the episode has ended.
    residual : float
        Relative residual of the planner's fixed point.
    """

    log_probs: Float[Array | np.ndarray, "*T S A"]
    values: Float[Array | np.ndarray, "*T S"]
    ended: Bool[Array | np.ndarray, "*G S"]
    residual: Float[Array | np.ndarray, "*G"]


class Agent(eqx.Module):
    """Beliefs + planner + choice + execution: someone who acts. Made by a named constructor.

    A parameter that is a NumPyro distribution makes the agent a prior over agents.

    Parameters
    ----------
    beliefs : callable
        MDP -> the MDP that is planned in.
    planner : callable
        :class:`~goalinf.agents.bellman.Problem`, and values nearby or None -> :class:`~goalinf.agents.planners.Plan`.
        On the host the problem may be that of several rewards.
    choice : callable
        Q-values -> log-probabilities; holds ``beta``.
    execution : callable
        Log-probabilities of what is chosen -> of what is done.
    name : str
        Name of the constructor.
    """

    beliefs: Any
    planner: ValueIteration
    choice: Any
    execution: Any
    name: str = eqx.field(static=True)

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter of every part: name -> value or distribution."""
        return {name: getattr(part, name) for part, name in self._owners()}

    def _owners(self) -> list[tuple[Any, str]]:
        parts = (self.beliefs, self.planner, self.choice, self.execution)
        return [(part, name) for part in parts for name in getattr(part, "parameters", {})]

    def at(self, **parameters: Any) -> Agent:
        """The same agent with other parameter values: ``agent.at(beta=2.0)``.

        Raises
        ------
        ValueError
            Where the agent has no such parameter, or the value is outside its range.
        """
        agent = self
        known = {name: part for part, name in self._owners()}
        for name, value in parameters.items():
            if name not in known:
                raise ValueError(f"{self.name} has no parameter {name!r}; it has {', '.join(known) or 'none'}")
            checked = check_parameter(name, value, *known[name].parameters[name])
            agent = eqx.tree_at(
                partial(_owned, name=name), agent, checked, is_leaf=lambda x: isinstance(x, Distribution)
            )
        return agent

    def policy(self, world: World, reward: Reward, *, precision: Precision | None = None) -> xr.DataArray:
        """Probability of each action in each state, labeled; with a finite horizon for each decision as well.

        Parameters
        ----------
        world : World
            Where the agent acts.
        reward : Reward
            What it wants.
        precision : {"float64", "float32"}, optional
            Default: float64 on a CPU, float32 on an accelerator.

        Returns
        -------
        DataArray
            Dimensions ``([step,] state, action)``. On graphs, where every state has actions of its own, the
            names are in the coordinate ``choice (state, action)``.

        Raises
        ------
        ValueError
            Where the agent or reward still holds a prior, or an undiscounted problem cannot end.
        ConvergenceError, PrecisionError
            Where the planner did not reach its residual, or the precision cannot hold the values.
        """
        policy = solve(self, world, reward, precision=precision)
        probs = np.exp(policy.log_probs)
        dims = ("step", "state", "action")[-probs.ndim :]
        coords = dict(world.coords())
        if world.local_actions:
            names = [[label(name) if name is not None else "" for name in names] for names in world.actions]
            coords["choice"] = (("state", "action"), np.array(names))
        else:
            numbers = all(isinstance(name, int) for name in world.actions)
            coords["action"] = list(world.actions) if numbers else [label(name) for name in world.actions]
        return xr.DataArray(probs, dims=dims, coords=coords, name="probability")


def _owned(agent: Agent, name: str) -> Any:
    return next(getattr(part, name) for part, owned in agent._owners() if owned == name)


def check_parameter(name: str, value: Any, low: float, high: float) -> Any:
    """A number (or array) within its range as a host array; a distribution or traced value as it is."""
    if isinstance(value, (int, float, list, tuple, np.ndarray, np.generic)):
        array = np.asarray(value, np.float64)
        wrong = ~((array >= low) & (array <= high) & np.isfinite(array))
        if wrong.any():
            found = array[wrong].ravel()[0]
            raise ValueError(f"{name} is {found:g}; expected a finite number in [{low:g}, {high:g}]")
        return array
    return value


def plan(agent: Agent, mdp: MDP, reward: Reward, near: Any = None) -> Policy:
    """The policy of an agent: beliefs, then planner, then choice, then execution. Traceable.

    A planner that scales with the reward plans at beta 1; where nothing traced enters it, it does so once, on the host
    in float64, while the program around it is being compiled. ``near`` are the values of a similar policy.
    """
    planned = _planned(agent.planner, agent.beliefs, _scale(agent), mdp, reward, near)
    return _act(agent, mdp, reward, planned)


def plan_goals(agent: Agent, mdp: MDP, rewards: Sequence[Reward]) -> Policy:
    """:func:`plan` on the host for several rewards in one world, together: policies with a leading axis."""
    agent, mdp, rewards = jax.device_get((agent, mdp, list(rewards)))
    planned = agent.planner(Problem.of_each(agent.beliefs(mdp), rewards, _scale(agent)))
    left = _left(agent)
    acted = [_acts(agent, mdp, reward, q) for reward, q in zip(rewards, left * planned.q, strict=True)]
    log_probs, over = (np.stack(each) for each in zip(*acted, strict=True))
    return Policy(log_probs, left * planned.values, over, planned.residual)


Axes = tuple[int | None, int | None, int | None]


def plan_each(agent: Agent, mdp: MDP, reward: Reward, near: Any, axes: Axes) -> Policy:
    """:func:`plan` for several contexts at once; ``axes`` tells whether MDP, reward and values have a leading axis."""
    several = (mdp, reward, near)
    if on_host(agent, several):
        return _one_by_one(partial(plan, agent), several, axes)
    parts = (agent.planner, agent.beliefs, _scale(agent))
    if on_host(parts, several):
        planned = _one_by_one(partial(_planned, *parts), several, axes)
    else:
        planned = jax.vmap(partial(_think, *parts), axes)(*cast(several))
    return jax.vmap(_act, (None, *axes[:2], 0))(agent, mdp, reward, planned)


def _scale(agent: Agent) -> Any:
    """What the reward is multiplied by before it is planned for."""
    return 1.0 if agent.planner.scales else agent.choice.beta


def _left(agent: Agent) -> Any:
    """What a plan is multiplied by afterwards."""
    return agent.choice.beta if agent.planner.scales else 1.0


def _planned(planner: Any, beliefs: Any, scale: Any, mdp: MDP, reward: Reward, near: Any) -> Plan:
    inputs = (planner, beliefs, scale, mdp, reward, near)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(inputs)):
        return _think(*inputs)
    if jnp.result_type(float) == np.float64 and factorable(mdp):
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


def _think(planner: Any, beliefs: Any, scale: Any, mdp: MDP, reward: Reward, near: Any) -> Plan:
    return planner(Problem.of(beliefs(mdp), reward, scale), near)


def _act(agent: Agent, mdp: MDP, reward: Reward, planned: Plan) -> Policy:
    if not on_host(agent, mdp, reward, planned):
        agent, reward, planned = cast((agent, reward, planned))
    left = _left(agent)
    log_probs, over = _acts(agent, mdp, reward, left * planned.q)
    return Policy(log_probs, left * planned.values, over, planned.residual)


def _acts(agent: Agent, mdp: MDP, reward: Reward, q: Any) -> tuple[Any, Any]:
    """Log-probabilities of what is done, and where the episode has ended."""
    over = ended(reward, mdp)
    available = choosable(mdp, over | pinned(reward, mdp)[0])
    return agent.execution(agent.choice(q, available.T), available), over


_plan = jax.jit(plan)


def solve(agent: Agent, world: World, reward: Reward, *, precision: Precision | None = None) -> Policy:
    """:func:`plan` at the edge: checks what can be checked, computes, reads the residual, returns host arrays."""
    check_known(agent, reward)
    check_plannable(agent, world, reward)
    with computing_in(precision) as chosen:
        if chosen == "float64" and factorable(world.mdp):
            policy = jax.device_get(plan(*jax.device_get((agent, world.mdp, reward))))
        else:
            policy = jax.device_get(_plan(*cast((agent, world.mdp, reward))))
    check_solved(policy.residual, policy.values, chosen)
    return policy


def check_known(*records: Any) -> None:
    """Planning needs numbers: a prior in their place is an error that says how to replace it."""
    for leaf in jax.tree.leaves(records, is_leaf=lambda x: isinstance(x, Distribution)):
        if isinstance(leaf, Distribution):
            raise ValueError(
                f"a {type(leaf).__name__} prior stands where a number is needed; "
                "give the parameter a value (agent.at(...)), or use gi.infer to learn it"
            )
