"""What an agent says of itself: usual priors, what may change about a reward unseen, and what it cannot be told from.

Every fact is a line of a table, by part; an agent keeps what all of its parts keep. Tests hold the tables to the
policies and to the null-space calculator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpyro.distributions as dist
from numpyro.distributions import Distribution

from goalinf.rewards import ActionReward, LinearReward, Reward, ShapedReward, StateReward, TransitionReward

Invariance = Literal["constant", "potential", "redistribution"]
INVARIANCES: tuple[Invariance, ...] = ("constant", "potential", "redistribution")

# Usual priors for rewards of about unit size, from the papers cited with each agent.
# They are made where they are asked for: a distribution compiles.
PRIORS: dict[str, Callable[[], Distribution]] = {
    "aspiration": lambda: dist.HalfNormal(1.0),
    "beta": lambda: dist.LogNormal(0.6931471805599453, 1.0),
    "beta_1": lambda: dist.LogNormal(1.0986122886681098, 0.7),
    "beta_2": lambda: dist.LogNormal(1.0986122886681098, 0.7),
    "confusion": lambda: dist.Beta(1.0, 3.0),
    "control": lambda: dist.LogNormal(0.0, 0.7),
    "curvature": lambda: dist.HalfNormal(0.2),
    "detour": lambda: dist.Beta(1.0, 1.0),
    "discount": lambda: dist.Beta(18.0, 2.0),
    "early": lambda: dist.Beta(1.0, 9.0),
    "eligibility": lambda: dist.Beta(1.0, 1.0),
    "exponent": lambda: dist.Beta(8.0, 2.0),
    "habit_rate": lambda: dist.Beta(2.0, 2.0),
    "hazard": lambda: dist.Beta(1.0, 19.0),
    "initial": lambda: dist.Normal(0.0, 1.0),
    "k": lambda: dist.LogNormal(0.0, 1.0),
    "lapse": lambda: dist.Beta(1.0, 9.0),
    "learning_rate": lambda: dist.Beta(2.0, 2.0),
    "learning_rate_1": lambda: dist.Beta(2.0, 2.0),
    "learning_rate_2": lambda: dist.Beta(2.0, 2.0),
    "loss_aversion": lambda: dist.LogNormal(0.6931471805599453, 0.5),
    "model_based": lambda: dist.Beta(1.0, 1.0),
    "optimism": lambda: dist.Normal(0.0, 1.0),
    "overshoot": lambda: dist.Beta(1.0, 9.0),
    "peak": lambda: dist.Beta(4.0, 2.0),
    "persistence": lambda: dist.Normal(0.0, 1.0),
    "plan_noise": lambda: dist.HalfNormal(1.0),
    "present_bias": lambda: dist.Beta(4.0, 2.0),
    "prior": lambda: dist.Beta(1.0, 1.0),
    "recovery": lambda: dist.Beta(1.0, 9.0),
    "repetition": lambda: dist.Normal(0.0, 1.0),
    "replan": lambda: dist.Beta(1.0, 9.0),
    "risk": lambda: dist.Normal(0.0, 1.0),
    "sharpness": lambda: dist.LogNormal(1.6094379124341003, 0.7),
    "slip": lambda: dist.Beta(1.0, 9.0),
    "switch": lambda: dist.Beta(1.0, 9.0),
    "tail": lambda: dist.Beta(2.0, 2.0),
    "weighting": lambda: dist.Uniform(0.28, 1.0),
}

# Parts that break an invariance of the reward, by class name; all others keep all three.
_BROKEN: dict[str, tuple[Invariance, ...]] = {
    "EntropicRisk": ("redistribution",),
    "CVaR": ("redistribution",),
    "Optimism": ("redistribution",),
    "Extremal": ("potential", "redistribution"),
    "Prospect": INVARIANCES,
    "HyperbolicBellman": INVARIANCES,
    "IllusionOfControl": ("redistribution",),
    "FalseDynamics": ("redistribution",),
    "Ignorance": ("redistribution",),
    "Hyperbolic": ("potential",),
    "QuasiHyperbolic": ("potential",),
    "PlanCommitment": ("potential",),
    "QLearning": INVARIANCES,
    "TwoStep": INVARIANCES,
}

# Whether the policies of all rewards r(s, a) are all policies of full support. Without an entry: all of them.
_ONTO: dict[str, bool | None] = {
    "DefaultPolicy": False,
    "Lapse": False,
    "Slip": False,
    "HyperbolicBellman": None,
    "Hyperbolic": None,
    "Inattentive": None,
    "SuccessorRepresentation": None,
    "ForeseesSlips": None,
    "Ignorance": None,
}

# Parts whose policies are not moved in every direction by rewards r(s, a).
_UNSATURATED = {"DefaultPolicy", "QLearning", "TwoStep"}


def invariances(parts: Any) -> dict[Invariance, bool]:
    """Which changes of the reward leave the policy of an agent of these parts as it is."""
    names = {type(part).__name__ for part in parts}
    if "DefaultPolicy" in names and not names & {"QLearning", "TwoStep"}:
        return dict.fromkeys(INVARIANCES, True)  # it wants nothing
    broken = {kind for part in parts for kind in _broken(part)}
    return {kind: kind not in broken for kind in INVARIANCES}


def _broken(part: Any) -> tuple[Invariance, ...]:
    name = type(part).__name__
    if name == "ValueIteration" and (part.horizon, part.depth) != (None, None):
        # What is worth nothing at the end is no part of a peak, and does not rise with the rewards.
        return ("constant", "potential") if type(part.outlook).__name__ == "Extremal" else ("potential",)
    return _BROKEN.get(name, ())


def onto(parts: Any) -> bool | None:
    """Whether every policy of full support is that of some reward r(s, a); None where nobody knows.

    Of latent modes and histories it says so of each mode and of the first step.
    """
    known = [_ONTO.get(type(part).__name__, True) for part in parts]
    return False if False in known else None if None in known else True


def confounded(agent: Any, reward: Reward, n_worlds: int = 1, *, ends: bool = False) -> dict[str, str]:
    """Parameters that no behavior tells from a reward of this class, all of whose entries are unknown: name -> why.

    Parameters
    ----------
    agent : Agent
        With its parameters.
    reward : Reward
        The class of reward.
    n_worlds : int
        In how many worlds the agent is watched.
    ends : bool
        Whether episodes can end there.

    Returns
    -------
    dict
        What is not in it need not be identified: only what is known not to be is said.

    References
    ----------
    For the discount: Rust (1994), Magnac and Thesmar (2002). The rest follows from :attr:`Agent.onto`: where the
    rewards of a class give all the policies that an agent can have, every other parameter of it can be made up for.
    """
    while isinstance(reward, ShapedReward):
        reward = reward.base
    found: dict[str, str] = {}
    if not isinstance(reward, (ActionReward, StateReward, TransitionReward, LinearReward)):
        return found
    if "beta" in agent.parameters and agent.scales:
        found["beta"] = "only beta times the reward shows in behavior"
    planner = agent.planner
    while hasattr(planner, "planner"):  # planning for the opposite
        planner = planner.planner
    one, names = type(planner).__name__, {type(part).__name__ for part in agent.parts}
    if one == "QLearning" and not ends and not isinstance(reward, LinearReward):
        # The same amount more of every reward makes up for other values at first; so does a scale, with such an amount.
        found["beta"] = "only beta times the reward shows in behavior"
        found["initial"] = "adding c to every reward and c / (1 - discount) to it changes nothing that is done"
    on = getattr(reward, "on", None)
    if one == "QuasiHyperbolic" and on == "departure" and "present_bias" in agent.parameters:
        # What is paid whatever is chosen drops out now, and is worth b times itself later, in every world.
        found["present_bias"] = "only its product with the reward shows in behavior"
    if n_worlds > 1 or planner.horizon is not None or isinstance(reward, LinearReward):
        return found
    if isinstance(reward, StateReward):
        # A softmax of P u, for any u, is all that such an agent can do, whatever else it is.
        felt = type(planner.outlook).__name__ == "Prospect" and planner.outlook.weighting is None
        felt = felt and on == "departure"
        # To look one step ahead, at leaves whose values are known, is to see no reward that could make up for anything.
        known = getattr(planner, "leaf", None) is not None
        plain = (planner.outlook is None or felt) and not (known and planner.depth == 1)
        family = one in ("ValueIteration", "QuasiHyperbolic", "SuccessorRepresentation")
        if plain and family and names & {"TrueBeliefs", "ForeseesSlips"} and agent.beta is not None:
            owned = {"discount", "present_bias", "model_based"}
            owned |= {"slip"} if "ForeseesSlips" in names and agent.hidden_slip is not None else set()
            owned |= {"beta"} if felt or known else set()
            owned |= set(planner.outlook.parameters) if felt else set()
            for name in owned & set(agent.parameters):
                found.setdefault(name, "with any other value of it other values of the states give the same behavior")
        return found
    # Rewards r(s, a) move the policy in every direction, so that whatever else bends it has one that undoes that.
    if names & _UNSATURATED:
        return found
    bending = [agent.beliefs, planner, planner.outlook, agent.choice]
    if not hasattr(agent.execution, "enact") and not hasattr(agent.execution, "bend"):
        bending.append(agent.execution)
    for part in bending:
        for name in getattr(part, "parameters", {}):
            if name in agent.parameters:
                found.setdefault(name, "with any other value of it some reward r(s, a) gives the same behavior")
    return found
