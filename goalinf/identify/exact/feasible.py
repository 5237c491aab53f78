r"""Feasible set: the cone of all rewards under which a policy is optimal.

With the advantages :math:`A^\pi = r - W V^\pi`, :math:`W = E - \gamma P`, of a policy, a reward is feasible if no
advantage is positive and the advantages of the actions of the policy are zero. For departure rewards and a
deterministic policy this is the condition of Ng and Russell, :math:`(P_\pi - P_a)(I - \gamma P_\pi)^{-1} R \ge 0`.
"""

from __future__ import annotations

from typing import get_args

import numpy as np

from goalinf.agents.policy import PolicyLike
from goalinf.checks import check_kind
from goalinf.identify.exact.cone import Class, FeasibleSet
from goalinf.identify.policy_evaluation import action_probabilities, shapings, values_of
from goalinf.worlds import World


def feasible_set(world: World, policy: PolicyLike, *, rewards: Class) -> FeasibleSet:
    r"""Construct the set of all rewards of a class under which a policy is optimal.

    Zero reward is always feasible, and so is every constant reward without terminal states: a policy alone does not
    exclude zero reward (Ng and Russell 2000). With :math:`V` any function of states and :math:`A \ge 0`,

    .. math:: r(s, a) = -A(s, a)\,\mathbb 1\{\pi(a \mid s) = 0\} + V(s) - \gamma \sum_t P(t \mid s, a)\,V(t)

    is the general feasible action reward (Metelli et al. 2021).

    Parameters
    ----------
    world : World
        World of the policy.
    policy : int (S,), float (S, A) or DataArray
        The number of the action in every state, or action probabilities: every action with a positive probability has
        to be optimal. Rows of terminal states do not count.
    rewards : {"departure", "arrival", "action"}
        Rewards of states, collected on departure or arrival, or of state-action pairs.

    Returns
    -------
    FeasibleSet

    Raises
    ------
    ValueError
        If the policy does not fit the world, or if an undiscounted episode need not end under it.

    References
    ----------
    Ng and Russell (2000), "Algorithms for inverse reinforcement learning", theorem 3 and section 3.2; Metelli, Ramponi,
    Concetti and Restelli (2021), "Provably efficient learning of transferable rewards".

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> right = gi.identify.feasible_set(hall, [3, 3, 3, 3], rewards="departure")
    >>> right.lineality, right.contains(gi.StateReward.zero(hall))
    (1, True)
    >>> right.ng_russell(penalty=0.1).values.round(2)
    array([-1., -1., -1.,  1.])
    >>> round(right.critical_penalty(), 2), right.ng_russell(penalty=10.0).values.any()
    (2.44, np.False_)
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    if rewards not in get_args(Class):
        raise ValueError(f"rewards is {rewards!r}; expected 'departure', 'arrival' or 'action'")
    mdp = world.mdp
    live = np.asarray(~mdp.terminal)
    rows = np.asarray(mdp.available) & live[:, None]
    probabilities, reward_map = action_probabilities(world, policy, rows), _expected_reward_map(world, rows, rewards)
    advantage = reward_map - shapings(world, rows)[:, live] @ values_of(world, probabilities, rows, reward_map)
    chosen = probabilities[rows] > 0
    alone = (probabilities > 0).sum(1)[np.nonzero(rows)[0]] == 1
    # In a state with one action of the policy, the advantage of this action is zero for every reward.
    return FeasibleSet(world, rewards, -advantage[~chosen], advantage[chosen & ~alone], np.argwhere(rows)[~chosen])


def _expected_reward_map(world: World, rows: np.ndarray, rewards: Class) -> np.ndarray:
    """Return the expected reward of every action as a linear map of the reward, ``(R, P)``."""
    if rewards == "action":
        return np.eye(rows.size)[rows.ravel()]
    if rewards == "arrival":
        return world.mdp.dense()[rows]
    return np.eye(world.n_states)[np.nonzero(rows)[0]]
