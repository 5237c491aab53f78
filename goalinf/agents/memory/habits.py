"""Agents with a past that everybody can see: habits that form, and agents that learn.

A history is what an agent carries from step to step along a trajectory. At every step the policy's row for the state is
bent by what it sees of that (``look``, then ``bend``), and what happened is added to it (``brings``, then ``after``).
Scores go through the steps in a loop of ``look`` and ``after`` alone: the rest is computed for all steps at once.
"""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from goalinf.agents.parts.noise import AsIntended
from goalinf.planning.parameters import INFINITY, SHARE, Part, Ranges

Row = Float[Array, "*M A"]


class Step(eqx.Module):
    """What happened at one step; to several walkers at once with a leading axis.

    Parameters
    ----------
    state, action, following : int
        Where, what was done, and where that led.
    observed : bool
        Whether the choice was.
    """

    state: Int[Array, "*N"]
    action: Int[Array, "*N"]
    following: Int[Array, "*N"]
    observed: Bool[Array, "*N"]


class History:
    """What is carried from step to step, for one walker.

    ``start(log_probs)`` is what is carried at first, ``look(past, state)`` what of it bends the choice in a state by
    ``bend(seen, row)``, and ``after(past, step, brought)`` what is carried on. Seen are parts of what is carried: all
    arithmetic that can wait is for ``bend``.
    """

    def brings(self, steps: Step) -> Any:
        """What steps bring that does not depend on what was carried, with the leading axis of the steps."""
        return ()


def done(execution: Any, row: Row) -> Row:
    """Log-probabilities of what is done in a state, given those of what is chosen."""
    return execution(row[None], row[None] > -jnp.inf)[0]


class ChoiceKernel(History, Part):
    r"""What was done often is done again (A kernel of past choices, of which perseveration is the shortest).

    .. math:: \pi_t(a) \propto \pi(a \mid s_t)\,e^{\kappa K_t(a)},\quad
        K_{t+1} = K_t + \eta\,(\mathbb 1[a = a_t] - K_t),\quad K_0 = 0

    A missing choice (not recorded, or a response that was missed) leaves the kernel as it was.

    Parameters
    ----------
    persistence : float or Distribution
        :math:`\kappa`, in nats. Below zero: alternation.
    habit_rate : float or Distribution
        :math:`\eta`, in [0, 1]. 1: only the last choice counts.
    by_state : bool
        Whether every state has habits of its own.
    inner : execution
        Slips and lapses of what habits leave.
    """

    persistence: Any
    habit_rate: Any
    inner: Any = AsIntended()
    by_state: bool = eqx.field(static=True, default=False)
    parameters: ClassVar[Ranges] = {
        "persistence": (-INFINITY, INFINITY),
        "habit_rate": SHARE,
    }

    def __call__(self, log_probs: Any, available: Any) -> Any:
        """The log-probabilities of the choices: habits come later."""
        return log_probs

    def start(self, log_probs: Float[Array, "*T S A"]) -> Any:
        """No habits."""
        n_states, n_actions = log_probs.shape[-2:]
        return jnp.zeros((n_states if self.by_state else 1, n_actions), log_probs.dtype)

    def look(self, kernel: Any, state: Int[Array, ""]) -> Any:
        """The kernel of the state."""
        return kernel[state if self.by_state else 0]

    def bend(self, kernel: Any, row: Row) -> Row:
        """Log-probabilities of the choices in a state, given those without habits."""
        return done(self.inner, jax.nn.log_softmax(row + self.persistence * kernel))

    def after(self, kernel: Any, step: Step, brought: Any) -> Any:
        """The kernel after one more choice."""
        done = jnp.arange(kernel.shape[-1]) == step.action
        rate = jnp.where(step.observed, self.habit_rate, 0.0)
        if not self.by_state:
            return kernel + rate * (done - kernel)
        return kernel.at[step.state].add(rate * (done - kernel[step.state]))
