"""Columns of a Jacobian: the parameters in which derivatives are taken, and steps along them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from goalinf.agents.agent import Agent, SingleAgent
from goalinf.planning.bellman import choosable
from goalinf.planning.parameters import last_axes
from goalinf.rewards import Reward, base_of, ended, pinned, reward_parameters
from goalinf.rewards.base import parameter_of
from goalinf.types import Numeric
from goalinf.worlds import MDP

_Result = TypeVar("_Result")
_LARGEST = 1e8  # entries of a Jacobian, 0.8 GB; its computation takes several times that


@dataclasses.dataclass(frozen=True)
class Column:
    """Columns of one parameter in a Jacobian.

    Parameters
    ----------
    name : str
        ``"reward.<parameter>"``, ``"agent.<parameter>"`` (derivative in the logarithm where it is positive and
        unbounded, as beta is), or ``"discount"``.
    shape : tuple of int
        Shape of the parameter.
    dims : tuple of str
        Names of its axes.
    start : int
        Number of its first column.
    """

    name: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    start: int

    @property
    def size(self) -> int:
        """Number of columns."""
        return int(np.prod(self.shape, dtype=int))


def columns_of(agent: Agent, reward: Reward, names: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of these parameters of an agent and a reward, those of the reward first.

    Raises
    ------
    ValueError
        If a parameter does not exist.
    """
    dims_by_name = {name: base_of(reward).dims[name.split(".", 1)[1]] for name in reward_parameters(reward)}
    values, dims = agent.parameters, agent.dims
    dims_by_name |= {f"agent.{name}": last_axes(dims[name], np.ndim(values[name])) for name in values}
    dims_by_name["discount"] = ()
    columns: list[Column] = []
    for name in sorted(names, key=lambda name: not name.startswith("reward.")):
        if name not in dims_by_name:
            raise ValueError(f"there is no parameter {name!r}; there are {', '.join(dims_by_name)}")
        start = columns[-1].start + columns[-1].size if columns else 0
        columns.append(Column(name, _shape(agent, reward, name), dims_by_name[name], start))
    return tuple(columns)


def _shape(agent: Agent, reward: Reward, name: str) -> tuple[int, ...]:
    if name == "discount":
        return ()
    owner, parameter = name.split(".", 1)
    return np.shape(parameter_of(reward, parameter) if owner == "reward" else agent.parameters[parameter])


def moved_by(
    agent: SingleAgent, mdp: MDP, reward: Reward, columns: Sequence[Column], x: Array
) -> tuple[SingleAgent, MDP, Any]:
    """Return agent, MDP and reward with x added to the parameters (in the logarithm where they are positive)."""
    for column in columns:
        step = x[column.start : column.start + column.size].reshape(column.shape)
        owner, _, parameter = column.name.partition(".")
        if owner == "discount":
            mdp = eqx.tree_at(lambda m: m.discount, mdp, mdp.discount + step)
        elif owner == "reward":
            parameter_at = partial(parameter_of, name=parameter)
            reward = eqx.tree_at(parameter_at, reward, parameter_at(reward) + step)
        else:
            value = agent.parameters[parameter]
            moved_value = value * jnp.exp(step) if _positive(agent, parameter) else value + step
            agent = agent.at(**{parameter: moved_value})
    return agent, mdp, reward


def _positive(agent: Agent, parameter: str) -> bool:
    return agent.ranges[parameter] == (0.0, float("inf"))


def check_size(n_rows: int, n_columns: int) -> None:
    """Refuse a Jacobian that does not fit in memory.

    Raises
    ------
    ValueError
        If it has more than 1e8 entries.
    """
    if (n_numbers := float(n_rows) * n_columns) > _LARGEST:
        raise ValueError(
            f"the Jacobian of {n_columns} parameters would hold {n_numbers:.2g} numbers ({8e-9 * n_numbers:.0f} GB): "
            "use a smaller world, or features (gi.LinearReward)"
        )


def expected_rewards(
    agent: SingleAgent, mdp: MDP, reward: Reward, columns: Sequence[Column]
) -> tuple[Numeric, Numeric]:
    """Return derivatives of the expected reward of every action ``(S, A, P)``, and the rows that count ``(S, A)``."""

    def expected_reward(x):
        _, moved_mdp, moved_reward = moved_by(agent, mdp, reward, columns, x)
        probabilities = jnp.asarray(moved_mdp.probabilities)
        return jnp.sum(probabilities * jnp.broadcast_to(moved_reward(moved_mdp), probabilities.shape), axis=-1)

    fixed = ended(reward, mdp) | pinned(reward, mdp)[0]
    rows = choosable(mdp, fixed) & ~fixed[:, None]
    derivative = jax.jacfwd(expected_reward)(jnp.zeros(sum(column.size for column in columns)))
    return jnp.where(rows[..., None], derivative, 0.0), rows


def in_each_world(
    function: Callable[[MDP, Reward], _Result], mdps: MDP, rewards: Reward, varies: tuple[bool, bool]
) -> _Result:
    """Apply a function to MDP and reward of every context; ``varies`` is True for worlds, and for rewards."""
    worlds_vary, rewards_vary = varies
    if rewards_vary and not worlds_vary:
        mdps = jax.tree.map(lambda leaf: leaf[0], mdps)
    axes = 0 if worlds_vary or not rewards_vary else None, 0 if rewards_vary else None
    return jax.vmap(function, axes)(mdps, rewards)
