"""Figures of rewards on their world: a known reward, or mean and standard deviation of a posterior."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from goalinf.agents.plannable import check_known, check_shapes
from goalinf.behavior.conditions import Rewards
from goalinf.behavior.fill import fill
from goalinf.data import Trajectories
from goalinf.inference.results.fit import Fit
from goalinf.plot.drawing import style
from goalinf.plot.drawing.ground import Ground
from goalinf.precision import computing_in
from goalinf.rewards import LinearReward, Reward, StateReward, check_reward
from goalinf.worlds import MDP, World

_UNIT = "utility"


def reward(world: World, reward: Reward, *, ax: Axes | None = None) -> Figure:
    """Draw a known reward on its world.

    Rewards of states are drawn by their values. Other rewards (of actions, transitions, goals, shaped ones) are drawn
    by the mean of the expected reward over the available actions, which the title states. With memory: the mean over
    the last states.

    Parameters
    ----------
    world : World
        World of the reward.
    reward : Reward
        Reward without priors.
    ax : matplotlib Axes, optional
        Axes to draw on; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the reward holds a prior or belongs to another world.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> figure = gi.plot.reward(hall, gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure"))
    >>> figure.axes[1].get_ylabel()
    'reward on departure (utility)'
    """
    check_reward("reward", reward)
    check_known(reward)
    check_shapes(reward, world)
    ground = Ground.of(world)
    with computing_in():
        values = np.asarray(_by_state(reward, world.mdp), float)
    values = _folded(values[None], ground)[0]
    if ax is None:
        _, (ax,) = ground.sheet(bar=True)
    image = ground.draw(ax, values, colors=style.colormap(style.SIGNED), norm=style.signed_norm(values))
    style.colorbar(ax, image, f"{_quantity(reward)} ({_UNIT})")
    ax.set_title(_remark(reward, world), loc="left", size=8, color=style.GRAY)
    return style.figure_of(ax)


def reward_map(fit: Fit, *, context: Hashable | None = None, axes: Sequence[Axes] | None = None) -> Figure:
    """Draw an inferred reward on its world: posterior mean and standard deviation side by side.

    Rewards of states, and linear rewards with features of states, are drawn by their values. Other rewards (of actions,
    transitions, goals, shaped ones) are drawn by the mean of the expected reward over the available actions, computed
    in every draw, which the title states. With memory: the mean over the last states, computed in every draw. Crosses
    on the sd mark states without an observed action, where the data are trajectories.

    Parameters
    ----------
    fit : Fit
        From :func:`~goalinf.infer` with a prior on the reward.
    context : hashable, optional
        Context whose world is drawn; needed where the data have several worlds.
    axes : two matplotlib Axes, optional
        Axes to draw on; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the reward is known, the fit is of a model of your own, or the context is missing or unknown.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> data = gi.simulate(jax.random.key(0), hall, gi.agents.soft_optimal(beta=2.0), reward, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(1, hall, agent=gi.agents.soft_optimal(beta=2.0), reward=prior, data=data, draws=100)
    >>> [ax.get_title() for ax in gi.plot.reward_map(fit).axes[:2]]
    ['posterior mean', 'posterior sd']
    """
    if not isinstance(fit, Fit):
        raise ValueError(
            f"expected a Fit, found {type(fit).__name__}; draw a known reward with gi.plot.reward(world, reward)"
        )
    world, number = _world(fit, context)
    draws = _state_draws(fit, world)
    ground = Ground.of(world)
    draws = _folded(draws, ground)
    mean, sd = draws.mean(0), draws.std(0, ddof=1) if len(draws) > 1 else np.zeros(draws.shape[1])
    if axes is None:
        _, axes = ground.sheet(2, bar=True)
    ax_mean, ax_sd = axes
    quantity = _quantity(fit.reward)
    image = ground.draw(ax_mean, mean, colors=style.colormap(style.SIGNED), norm=style.signed_norm(mean))
    style.colorbar(ax_mean, image, f"{quantity} ({_UNIT})")
    image_sd = ground.draw(ax_sd, sd, colors=style.AMOUNT, norm=Normalize(*_range(sd)))
    style.colorbar(ax_sd, image_sd, f"sd of {quantity} ({_UNIT})")
    unobserved = _unobserved(fit, ground, number)
    _crosses(ax_sd, ground, unobserved, image_sd)
    remark = _remark(fit.reward, world)
    ax_mean.set_title("posterior mean" + (f"\n{remark}" if remark else ""), size=9.5)
    ax_sd.set_title("posterior sd" + (f"\n{remark}" if remark else ""), size=9.5)
    if len(unobserved):
        ax_sd.set_xlabel(f"{ax_sd.get_xlabel()}\n× no observed action".strip())
    return style.figure_of(ax_mean)


def _range(sd: np.ndarray) -> tuple[float, float]:
    """Return the range of sd, at least 20 % of the largest wide, so that sampling noise is not visible as structure."""
    low, high = float(sd.min()), float(sd.max()) or 1.0
    return min(low, 0.8 * high), high


def _world(fit: Fit, context: Hashable | None) -> tuple[World, int | None]:
    """Return the world to draw, and the number of its context where there are several worlds."""
    fit._reward_draws()  # raises an error for a known reward
    if not isinstance(fit.world, Mapping):
        return fit.world, None
    if context is None:
        different = list({id(world): world for world in fit.world.values()}.values())
        if len(different) == 1:
            return different[0], None
        names = ", ".join(map(repr, fit.world))
        raise ValueError(f"the data are from several worlds; give the context to draw: context= one of {names}")
    if context not in fit.world:
        raise ValueError(f"context {context!r} has no world; this fit has {', '.join(map(repr, fit.world))}")
    contexts = list(fit.data.context_names)
    return fit.world[context], contexts.index(context) if context in contexts else -1  # a context without data


def _state_draws(fit: Fit, world: World) -> np.ndarray:
    """Return the value of every state in every draw, ``(draws, S)``."""
    raw = {name: np.asarray(array.values) for name, array in fit._reward_draws().items()}
    flat = {name: array.reshape(-1, *array.shape[2:]) for name, array in raw.items()}
    if isinstance(fit.reward, StateReward):
        return flat["reward.values"].astype(float)
    with computing_in(fit.tree.attrs.get("precision")):
        values_at_draw = partial(_at_draw, fit.agent, fit.reward, world.mdp)
        return np.asarray(jax.jit(partial(jax.lax.map, values_at_draw, batch_size=64))(flat), float)


def _at_draw(agent: Any, reward: Any, mdp: MDP, draw: dict[str, Any]) -> Any:
    return _by_state(fill(agent, reward, draw)[1], mdp)


def _of_states(reward: Rewards | None) -> TypeGuard[StateReward | LinearReward]:
    return isinstance(reward, StateReward) or (isinstance(reward, LinearReward) and reward.features.ndim == 2)


def _by_state(reward: Reward, mdp: MDP) -> Any:
    """Return the value of every state, ``(S,)``: its reward, or the mean expected reward over available actions."""
    if isinstance(reward, StateReward):
        return jnp.asarray(reward.values)
    if isinstance(reward, LinearReward) and reward.features.ndim == 2:
        return jnp.asarray(reward.features) @ jnp.asarray(reward.weights)
    available = jnp.asarray(mdp.available)
    probabilities = jnp.asarray(mdp.probabilities)
    values = jnp.where(available[:, :, None] & (probabilities > 0), reward(mdp), 0.0)
    return (values * probabilities).sum((1, 2)) / jnp.maximum(available.sum(1), 1)


def _folded(draws: np.ndarray, ground: Ground) -> np.ndarray:
    """Average over all states with the same first-order state, in every draw: ``(draws, S)`` to ``(draws, places)``."""
    n = ground.world.n_states
    count = np.bincount(ground.fold, minlength=n)
    summed = np.stack([np.bincount(ground.fold, weights=draw, minlength=n) for draw in draws])
    return summed / np.maximum(count, 1)


def _quantity(reward: Rewards | None) -> str:
    return f"reward on {reward.on}" if _of_states(reward) else "expected reward"


def _remark(reward: Rewards | None, world: World) -> str:
    remarks = [] if _of_states(reward) else ["mean over actions"]
    return ", ".join(remarks + ([world.memory.mean] if world.memory is not None else []))


def _unobserved(fit: Fit, ground: Ground, number: int | None) -> np.ndarray:
    """Return the non-terminal states without an observed action; none for observations that are not trajectories."""
    if not isinstance(fit.data, Trajectories):
        return np.zeros(0, int)
    cells = fit.data.cells
    observed = np.asarray(cells.weight) > 0
    if number is not None:
        observed = observed & (np.asarray(cells.context) == number)
    excluded = np.asarray(ground.world.mdp.terminal).copy()
    excluded[ground.fold[np.asarray(cells.state)[observed]]] = True
    return np.flatnonzero(~excluded)


def _crosses(ax: Axes, ground: Ground, states: np.ndarray, image: Any) -> None:
    if not len(states):
        return
    x, y = ground.places[states].T
    if ground.is_map:
        x, y = x + 0.36, y + 0.36  # in the corner of the cell, beside its mark
        values = image.get_array()[ground.places[states][:, 1].astype(int), ground.places[states][:, 0].astype(int)]
    else:
        values = image.get_array()[states]
        if ground.named:
            x, y = x + 0.4 * ground.spacing, y + 0.4 * ground.spacing
    colors = style.GRAY if ground.named else [style.contrast(color) for color in image.to_rgba(values)]
    size = 11 if ground.is_map or ground.named else 0.15 * ground.node_size
    ax.scatter(x, y, marker="x", s=size, c=colors, linewidths=0.8, zorder=5)
