r"""Rewards: what is inferred. Each is a module; called on an MDP it gives values broadcastable to ``(S, A, K)``.

Departure and arrival are different things and have different identifiability: with ``on="departure"`` the
value of a state is collected when acting in it, :math:`r(s,a) = \rho(s)`; with ``on="arrival"`` when entering
it, :math:`r(s,a) = \sum_t P(t \mid s,a)\,\rho(t)`. There is no default. Nothing is ever collected in a terminal
state. Values are in utility; a parameter may be a NumPyro distribution, which makes the reward a prior.
"""

from goalinf.rewards.base import Reward, base_of, check_linear, check_reward, ended, pinned, reward_parameters
from goalinf.rewards.digest import digest
from goalinf.rewards.goal import GoalReward, goals
from goalinf.rewards.opposite import negated
from goalinf.rewards.recorded_reward import RecordedReward
from goalinf.rewards.several import Alternatives, pad_reward, stack_rewards
from goalinf.rewards.shaped import ShapedReward
from goalinf.rewards.tables import ActionReward, LinearReward, StateReward, TransitionReward

__all__ = [
    "ActionReward",
    "Alternatives",
    "GoalReward",
    "LinearReward",
    "RecordedReward",
    "Reward",
    "ShapedReward",
    "StateReward",
    "TransitionReward",
    "base_of",
    "check_linear",
    "check_reward",
    "digest",
    "ended",
    "goals",
    "negated",
    "pad_reward",
    "pinned",
    "reward_parameters",
    "stack_rewards",
]
