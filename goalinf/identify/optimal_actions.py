"""The optimal choices under a reward, and all rewards that have the same ones."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from goalinf.agents import Agent, Policy, boltzmann, solve
from goalinf.checks import PRNGKey, check_kind, takes_key
from goalinf.identify.distance.canonical import TRIVIAL, canonical
from goalinf.identify.policy_evaluation import check_own_ends, income_of, over
from goalinf.precision import computing_in
from goalinf.rewards import ActionReward, Reward, TransitionReward
from goalinf.worlds import World

_TIE = 1e-9  # choices whose values differ by less are equally good, of a reward of length one


def optimal_choices(world: World, reward: Reward, agent: Agent | None = None) -> np.ndarray:
    """The choices that are best, and as good as the best, in states that have not ended: bool ``(S, A)``.

    Parameters
    ----------
    world : World
        Where is acted.
    reward : Reward
        What is wanted.
    agent : Agent, optional
        Who finds some choices likelier than others; default: who knows their optimal values.
    """
    agent, live = boltzmann(beta=1.0) if agent is None else agent, ~over(world, reward)
    if np.array_equal(~live, world.mdp.terminal):
        # The same for all rewards of one order, so that neither scale nor level decides what counts as equally good.
        income, rows, _ = income_of(world, reward)
        form = canonical(world, reward)
        size = np.linalg.norm(form)
        if size <= TRIVIAL * np.linalg.norm(income):
            return rows
        table = np.zeros(rows.shape)
        table[rows] = form / size
        reward = ActionReward(table)
    found = solve(agent, world, reward)
    return as_good_as_best(found) & live[:, None]


def as_good_as_best(policy: Policy) -> np.ndarray:
    """Which choices are likeliest, up to rounding, ``(…, S, A)``; of boltzmann(1) and rewards of length one."""
    tie = _TIE * np.maximum(1.0, np.abs(policy.values).max(axis=-1))[..., None, None]
    return np.asarray(policy.log_probs >= policy.log_probs.max(axis=-1, keepdims=True) - tie)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OptimalityPreserving:
    r"""The rewards with the same optimal choices: what is learned from the set of all optimal policies.

    .. math:: r(s, a) = \Psi(s) - \gamma \sum_t P(t \mid s, a)\,\Psi(t) - A(s, a),\quad
        A = 0 \text{ on optimal choices},\ A > 0 \text{ on the others}

    Parameters
    ----------
    world : World
        Transitions and discount.
    optimal : bool (S, A)
        The optimal choices.
    """

    world: World
    optimal: np.ndarray

    @classmethod
    def of(cls, world: World, reward: Reward) -> OptimalityPreserving:
        """Those of a known reward."""
        check_kind("world", world, World, "a World, such as gi.gridworld makes")
        check_own_ends(world, reward)
        return cls(world, optimal_choices(world, reward))

    def contains(self, reward: Reward) -> bool:
        """Whether a reward has these optimal choices and no others."""
        return bool(np.array_equal(optimal_choices(self.world, reward), self.optimal))

    @takes_key
    def draw(self, key: PRNGKey, *, size: float | int = 1.0) -> TransitionReward:
        """One of them: potentials from a normal, losses from an exponential distribution of that size.

        Parameters
        ----------
        key : int or jax.random key
            A seed, or a source of randomness, which is consumed.
        size : float
            In utility.
        """
        mdp, live = self.world.mdp, np.asarray(~self.world.mdp.terminal)
        with computing_in("float64"):
            first, second = jax.random.split(key)
            values = float(size) * np.asarray(jax.random.normal(first, (self.world.n_states,)), float) * live
            losses = float(size) * np.asarray(jax.random.exponential(second, self.optimal.shape), float)
        table = values[:, None, None] - float(mdp.discount) * values[np.asarray(mdp.successors)]
        return TransitionReward(table - np.where(self.optimal, 0.0, losses)[..., None])
