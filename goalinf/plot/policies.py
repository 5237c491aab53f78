"""Figures of policies: arrows in cells of a map, or colored edges of a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from goalinf.agents import Agent
from goalinf.plot.drawing import style
from goalinf.plot.drawing.ground import Ground
from goalinf.rewards import Reward, ended
from goalinf.worlds import World

_SHOWN = 0.01  # actions of smaller probability are left out
_REACH = 0.46  # length of the arrow of an action with probability one, in cells


def policy(
    world: World,
    agent: Agent | xr.DataArray | np.ndarray,
    reward: Reward | None = None,
    *,
    step: int = 0,
    ax: Axes | None = None,
) -> Figure:
    """Draw the action probabilities of an agent in every state.

    On maps one arrow per action, with length and color by probability; a dot is an action that stays. On graphs the
    half of an edge at a node has width and color by the probability of the step to that neighbor, and the node has the
    color of the probability of staying. States in which the episode has ended are empty. With memory: the mean over the
    last states.

    Parameters
    ----------
    world : World
        World in which the agent acts.
    agent : Agent, DataArray or float (S, A)
        Agent; or the probabilities from :meth:`Agent.policy <goalinf.Agent.policy>`, or an array of them.
    reward : Reward, optional
        Reward of the agent; needed with an agent.
    step : int
        Decision step, with a finite horizon.
    ax : matplotlib Axes, optional
        Axes to draw on; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the reward is missing, agent or reward holds a prior, there is no such step, or the shape of the
        probabilities does not fit the world.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> figure = gi.plot.policy(hall, gi.agents.soft_optimal(beta=2.0), reward)
    >>> figure.axes[1].get_ylabel()
    'probability of the action'
    """
    ground = Ground.of(world)
    without_decisions = np.asarray(world.mdp.terminal)
    if isinstance(agent, Agent):
        if reward is None:
            raise ValueError("the reward of the agent is missing: give it, gi.plot.policy(world, agent, reward)")
        without_decisions = np.asarray(ended(reward, world.mdp))
        agent = agent.policy(world, reward)
    elif not isinstance(agent, xr.DataArray):
        agent = _labeled(agent)
    probability, title = _at_step(agent, world, step)
    if ax is None:
        _, (ax,) = ground.sheet(bar=True)
    weight = np.where(np.asarray(world.mdp.available) & ~without_decisions[:, None], probability, 0.0)
    colors = ScalarMappable(Normalize(0, 1), style.CHANCE)
    if ground.is_map:
        ground.draw(ax, busy=True)
        _arrows(ax, ground, _folded(weight, ground), colors)
        style.colorbar(ax, colors, "probability of the action")
    else:
        _edge_halves(ax, ground, world, weight, colors)
        style.colorbar(ax, colors, "probability of the next step")
    notes = ([title] if title else []) + ([world.memory.mean] if world.memory is not None else [])
    ax.set_title(", ".join(notes), loc="left", size=9.5, color=style.INK)
    return style.figure_of(ax)


def _at_step(policy: xr.DataArray, world: World, step: int) -> tuple[np.ndarray, str]:
    title = ""
    if "step" in policy.dims:
        if not 0 <= step < policy.sizes["step"]:
            raise ValueError(f"step is {step}; this policy has decisions 0 to {policy.sizes['step'] - 1}")
        policy, title = policy.isel(step=step), f"decision {step} of {policy.sizes['step']}"
    expected = (world.n_states, world.n_actions)
    if policy.shape != expected:
        raise ValueError(f"the policy has shape {policy.shape}; this world needs {expected} (state, action)")
    return np.asarray(policy.values, float), title


def _labeled(policy: Any) -> xr.DataArray:
    """Label numbers as the probabilities of a policy."""
    try:
        numbers = np.asarray(policy, float)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim != 2:
        received = "is not given" if policy is None else f"is a {type(policy).__name__}"
        raise TypeError(f"agent {received}; expected an agent, or probabilities (state, action), as from agent.policy")
    return xr.DataArray(numbers, dims=("state", "action"))


def _folded(weight: np.ndarray, ground: Ground) -> np.ndarray:
    """Average over all states with the same first-order state."""
    total = np.zeros((ground.world.n_states, weight.shape[1]))
    np.add.at(total, ground.fold, weight)
    return total / np.maximum(np.bincount(ground.fold, minlength=len(total)), 1)[:, None]


def _directions(ground: Ground) -> np.ndarray:
    """Return the most frequent direction of each action as a unit vector ``(A, 2)``; zero for an action that stays."""
    mdp = ground.world.mdp
    probabilities = np.asarray(mdp.probabilities)
    likeliest = np.isclose(probabilities, probabilities.max(2, keepdims=True))
    steps = ground.places[np.asarray(mdp.successors)] - ground.places[:, None, None]
    # On ice, the steps ahead and to both sides are equally likely: their mean points ahead.
    displacement = np.round((steps * likeliest[..., None]).sum(2) / likeliest.sum(2)[..., None], 9)
    directions = np.zeros((mdp.n_actions, 2))
    for a in range(mdp.n_actions):
        moves = displacement[:, a][np.any(displacement[:, a] != 0, axis=1) & np.asarray(mdp.available)[:, a]]
        if len(moves):
            kinds, counts = np.unique(moves, axis=0, return_counts=True)
            directions[a] = kinds[counts.argmax()] / np.linalg.norm(kinds[counts.argmax()])
    return directions


def _arrows(ax: Axes, ground: Ground, weight: np.ndarray, colors: ScalarMappable) -> None:
    directions = _directions(ground)
    s, a = np.nonzero(weight > _SHOWN)
    likely = weight[s, a]
    stays = ~directions[a].any(1)
    x, y = ground.places[s].T
    if stays.any():
        ax.scatter(x[stays], y[stays], s=90 * likely[stays] ** 2, color=colors.to_rgba(likely[stays]), zorder=4)
    u, v = (directions[a] * (_REACH * likely)[:, None]).T
    go = ~stays
    ax.quiver(
        *(x[go], y[go], u[go], v[go]),
        color=colors.to_rgba(0.25 + 0.75 * likely[go]),  # the palest colors are not visible on a light background
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.07,
        units="xy",
        headwidth=3.2,
        headlength=3.2,
        headaxislength=2.9,
        minlength=0,
        zorder=4,
    )


def _edge_halves(ax: Axes, ground: Ground, world: World, weight: np.ndarray, colors: ScalarMappable) -> None:
    mdp = world.mdp
    n = ground.world.n_states
    flow = np.zeros((n, n))
    s = np.broadcast_to(np.arange(world.n_states)[:, None, None], mdp.successors.shape)
    np.add.at(flow, (ground.fold[s], ground.fold[mdp.successors]), weight[:, :, None] * np.asarray(mdp.probabilities))
    flow /= np.maximum(np.bincount(ground.fold, minlength=n), 1)[:, None]
    ground.draw(ax, np.diag(flow).copy(), colors=colors.get_cmap(), norm=Normalize(0, 1))
    tails, heads = np.nonzero((flow > _SHOWN) & ~np.eye(n, dtype=bool))
    likely = flow[tails, heads]
    order = np.argsort(likely)
    start, end = ground.places[tails], ground.places[heads]
    halves = np.stack([start, (start + end) / 2], axis=1)
    widest = float(np.clip(np.sqrt(ground.node_size) * 0.45, 2.0, 7.0))
    ax.add_collection(
        LineCollection(
            list(halves[order]),
            colors=colors.to_rgba(likely[order]),
            linewidths=0.6 + (widest - 0.6) * likely[order],
            capstyle="butt",
            zorder=2,
        )
    )
