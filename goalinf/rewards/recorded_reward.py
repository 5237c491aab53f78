"""Rewards that are recorded with the data: outcomes of bandits and other learning tasks."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.distributions import Distribution

from goalinf.rewards.base import Leaf, Reward, leaf
from goalinf.types import Numbers
from goalinf.worlds import MDP


class RecordedReward(Reward):
    r"""Utility of the outcomes that the data hold, for agents that learn from rewards.

    .. math:: u(x) = c\,x^{\rho} \text{ for } x \ge 0, \qquad u(x) = -c\,\lambda\,|x|^{\rho} \text{ for } x < 0

    Outcomes are a column of the table (``gi.read_trajectories(outcome=…)``) or the array ``outcomes`` of
    :meth:`goalinf.Trajectories.of`: any real numbers, at the step of the action that led to them. The world needs no
    states for them. Agents that plan know no reward before they act and refuse this one.

    Parameters
    ----------
    scale : float
        :math:`c`, utility per unit of the outcome: with points from 0 to 100, .01 keeps beta in its usual range. Only
        beta times the scale is identified.
    loss_aversion : float or Distribution
        :math:`\lambda`, weight of losses relative to gains, at least 0; 1: equal weights.
    curvature : float or Distribution
        :math:`\rho`, above 0; 1: utility is proportional to the outcome.

    References
    ----------
    Kahneman and Tversky (1979); Ahn, Busemeyer, Wagenmakers and Stout (2008) for learning.

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.RecordedReward(loss_aversion=2.0).utility([-1.0, 0.0, 3.0]).tolist()
    [-2.0, 0.0, 3.0]
    """

    scale: Leaf
    loss_aversion: Leaf
    curvature: Leaf
    recorded: ClassVar[bool] = True

    def __init__(self, *, scale: Numbers = 1.0, loss_aversion: Leaf | Numbers = 1.0, curvature: Leaf | Numbers = 1.0):
        self.scale = leaf(scale, "scale of a RecordedReward")
        self.loss_aversion = leaf(loss_aversion, "loss_aversion of a RecordedReward")
        self.curvature = leaf(curvature, "curvature of a RecordedReward")

    def __check_init__(self) -> None:
        if isinstance(self.scale, Distribution):
            raise ValueError(
                "scale of a RecordedReward has a prior, and only beta times the scale is identified: give a number, "
                "and the prior to beta"
            )
        for name in self.dims:
            value = getattr(self, name)
            if isinstance(value, np.ndarray) and not (value >= 0.0 if name == "loss_aversion" else value > 0.0).all():
                least = "at least 0" if name == "loss_aversion" else "above 0"
                raise ValueError(f"{name} of a RecordedReward is {value}; expected a number {least}")
            if isinstance(value, Distribution) and np.any(value.support(np.full(value.shape(), -1e-6))):
                raise ValueError(
                    f"the prior of {name} of a RecordedReward, {type(value).__name__}, includes numbers below 0: give "
                    "a prior of positive numbers, such as numpyro.distributions.LogNormal(0.0, 0.5)"
                )

    def __call__(self, mdp: MDP) -> Float[Array | np.ndarray, ...]:
        """Return zeros: the world itself gives no reward."""
        return np.zeros((1, 1, 1))

    def utility(self, outcome: Numbers) -> Any:
        """Return the utility of outcomes; NaN where the outcome is NaN."""
        x = jnp.asarray(outcome, float)
        size = jnp.abs(x)
        some = size > 0  # powers of zero have no derivative; NaN is not above zero
        weight = self.scale * jnp.where(x < 0, -jnp.asarray(self.loss_aversion), 1.0)
        return jnp.where(some, weight * jnp.where(some, size, 1.0) ** self.curvature, x)

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Axes: all fields are numbers."""
        return {"scale": (), "loss_aversion": (), "curvature": ()}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names ``loss_aversion`` and ``curvature``."""
        return ("loss_aversion", "curvature")
