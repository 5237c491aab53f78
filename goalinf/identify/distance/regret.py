r"""Expected returns, and normalized regrets of acting on another reward."""

from __future__ import annotations

import networkx as nx
import numpy as np
from jax.typing import ArrayLike

from goalinf.agents import Agent, anti_rational
from goalinf.agents.policy import PolicyLike
from goalinf.checks import check_kind
from goalinf.identify.distance.pseudometrics import check_pair
from goalinf.identify.optimal_actions import optimal_actions
from goalinf.identify.policy_evaluation import action_probabilities, expected_rewards, values_of, without_decisions
from goalinf.rewards import Reward
from goalinf.worlds import World

_FLAT = 1e-12  # range relative to the returns below which all policies have the same return


def expected_return(world: World, reward: Reward, policy: PolicyLike) -> float:
    r"""Compute the expected discounted return from the initial states, :math:`J = \sum_s \mu_0(s) V^\pi(s)`.

    Parameters
    ----------
    world : World
        Transitions, discount, and distribution of initial states.
    reward : Reward
        A known reward.
    policy : int (S,), float (S, A) or DataArray
        The number of the action in every state, or action probabilities; terminal states do not count.

    Returns
    -------
    float
        In utility.

    Raises
    ------
    ValueError
        If the policy does not fit the world, or if the reward is a prior.

    Examples
    --------
    >>> import numpy as np, goalinf as gi
    >>> loop = gi.from_arrays(np.ones((1, 2, 1)), discount=0.9)
    >>> round(expected_return(loop, gi.ActionReward([[1.0, 0.0]]), [[0.5, 0.5]]), 6)
    5.0
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    expected, rows, live = expected_rewards(world, reward)
    values = values_of(world, action_probabilities(world, policy, rows), rows, expected)
    return float(np.asarray(world.mdp.initial)[live] @ values)


def regret(world: World, truth: Reward, reward: Reward) -> float:
    r"""Compute the normalized regret under ``truth`` of the policy that is optimal for ``reward``, in [0, 1].

    .. math:: \frac{\max_\pi J(\pi) - J(\pi_R)}{\max_\pi J(\pi) - \min_\pi J(\pi)}

    with J the expected return under the truth, and :math:`\pi_R` optimal for ``reward``, uniform over tied actions.
    0: the policy is optimal; 1: no policy has a smaller return.

    Parameters
    ----------
    world : World
        World of the policy; returns are from its initial states.
    truth : Reward
        The true reward.
    reward : Reward
        The reward that the policy maximizes.

    Returns
    -------
    float
        0 if all policies have the same return under the truth.

    Raises
    ------
    ValueError
        As :func:`starc`; or if an undiscounted problem cannot end.

    References
    ----------
    Skalse et al. (2024), who normalize by the range; Gleave et al. (2021).

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> left = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> right = gi.StateReward.at(hall, {"b": 1.0}, default=0.0, on="departure")
    >>> both = gi.StateReward.at(hall, {"a": 1.0, "b": 1.0}, default=0.0, on="departure")
    >>> [round(regret(hall, left, other), 3) for other in (left, both, right)]
    [0.0, 0.5, 1.0]
    """
    check_pair(world, truth, reward)
    best, worst = _range_of_returns(world, truth)
    value = expected_return(world, truth, _greedy(world, reward))
    return float(share_of_range(best, value, worst))


def _greedy(world: World, reward: Reward, agent: Agent | None = None) -> np.ndarray:
    """Compute the optimal policy, uniform over tied actions."""
    optimal = optimal_actions(world, reward, agent)
    return optimal / np.maximum(optimal.sum(1, keepdims=True), 1)


def compatibility(world: World, reward: Reward, policy: PolicyLike) -> float:
    r"""Compute the normalized regret of a policy under a reward, in [0, 1].

    .. math:: \frac{\max_{\pi'} J(\pi') - J(\pi)}{\max_{\pi'} J(\pi') - \min_{\pi'} J(\pi')}

    0: the policy is optimal from the initial states, and the reward is feasible in this sense; compare
    :func:`~goalinf.identify.feasible_set`.

    Parameters
    ----------
    world : World
        World of the policy; returns are from its initial states.
    reward : Reward
        A known reward.
    policy : int (S,), float (S, A) or DataArray
        As of :func:`expected_return`.

    Returns
    -------
    float
        0 if all policies have the same return under the reward.

    Raises
    ------
    ValueError
        As :func:`expected_return`.

    References
    ----------
    Lazzati, Mutti and Metelli (2024), "How does inverse RL scale to large state spaces? A provably efficient approach",
    rewards compatibility, there not divided by the range.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> policies = [gi.agents.boltzmann(beta=beta).policy(hall, reward) for beta in (0.0, 2.0, 50.0)]
    >>> [round(compatibility(hall, reward, policy), 3) for policy in policies]
    [0.859, 0.196, 0.0]
    """
    value = expected_return(world, reward, policy)
    best, worst = _range_of_returns(world, reward)
    return float(share_of_range(best, value, worst))


def _range_of_returns(world: World, reward: Reward) -> tuple[float, float]:
    """Compute the largest and the smallest expected return."""
    check_range(world, reward)
    opposite = anti_rational(beta=1.0, negated=True)
    best, worst = (expected_return(world, reward, _greedy(world, reward, agent)) for agent in (None, opposite))
    return best, worst


def check_range(world: World, reward: Reward) -> None:
    """Raise an error for an undiscounted world without a worst policy."""
    if float(world.mdp.discount) == 1.0:
        live = np.flatnonzero(~without_decisions(world, reward)).tolist()
        if not nx.is_directed_acyclic_graph(world.transition_graph().subgraph(live)):
            raise ValueError(
                "with discount 1 there is no worst policy here, as an episode can cycle without end: use a discount "
                "below 1"
            )


def share_of_range(best: ArrayLike, value: ArrayLike, worst: ArrayLike) -> np.ndarray:
    """Compute the regret as a share of the range of returns, in [0, 1]; 0 if the range is zero."""
    spread = np.asarray(best) - worst
    positive = spread > _FLAT * np.maximum(np.abs(best), np.abs(worst))
    return np.where(positive, np.clip((np.asarray(best) - value) / np.where(positive, spread, 1.0), 0.0, 1.0), 0.0)
