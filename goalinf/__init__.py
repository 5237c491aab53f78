"""goalinf: probabilistic goal inference and Bayesian inverse reinforcement learning.

World, agent and reward make behavior; behavior and priors make a posterior; every posterior comes with its audit.
"""

# A name is imported when it is first used: importing the package costs next to nothing, and `goalinf --help` needs
# neither JAX nor Matplotlib. Type checkers and editors read the imports below; a test holds `_HOMES` to them.

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from goalinf import plot
    from goalinf.agents import (
        Agent,
        Policy,
        abandoning,
        anti_rational,
        boltzmann,
        chan_hyperbolic,
        cvar,
        extremal,
        false_dynamics,
        finite_horizon,
        habitual,
        hyperbolic,
        ignorant,
        illusion_of_control,
        kl_bounded,
        lookahead,
        mixture,
        myopic,
        noisy_plan,
        one_of,
        optimistic,
        option,
        plan_commitment,
        policy_complexity,
        prospect,
        q_learning,
        quasi_hyperbolic,
        rational_inattention,
        risk_sensitive,
        satisficing,
        slipping,
        soft_optimal,
        subgoal,
        successor_representation,
        switching,
        two_step,
        uniform,
    )
    from goalinf.behavior import Behavior, simulate
    from goalinf.data import Trajectories, read_trajectories
    from goalinf.errors import ConvergenceError, PrecisionError, SeveralSolutionsWarning, UnidentifiedWarning
    from goalinf.identify import (
        Comparison,
        Demonstrations,
        OptimalityPreserving,
        ambiguity,
        controllability_deficit,
        cost_of_acting,
        degenerate_pairs,
        design_experiment,
        distance,
        feasible_set,
        graph_criteria,
        invariance,
        misspecification_matrix,
        planner_equivalence,
        planner_posterior,
        score_pairs,
        transferability,
        zero_reward,
    )
    from goalinf.identify.audit import audit
    from goalinf.identify.null_space import null_space
    from goalinf.infer.comparison import compare
    from goalinf.infer.evidence import evidence
    from goalinf.infer.fit import Fit
    from goalinf.infer.goals import goal_posterior
    from goalinf.infer.held_out import held_out
    from goalinf.infer.point import approximate, find_mode
    from goalinf.infer.resume import resume
    from goalinf.infer.sample import infer
    from goalinf.infer.store import load
    from goalinf.rewards import (
        ActionReward,
        GoalReward,
        LinearReward,
        Shaped,
        StateReward,
        TransitionReward,
        goals,
    )
    from goalinf.worlds import (
        MDP,
        World,
        belief_world,
        from_arrays,
        from_gymnasium,
        from_table,
        garnet,
        graph_world,
        gridworld,
        gymnasium_reward,
        open_grid,
        read_world,
        with_memory,
    )

__all__ = [
    "MDP",
    "ActionReward",
    "Agent",
    "Behavior",
    "Comparison",
    "ConvergenceError",
    "Demonstrations",
    "Fit",
    "GoalReward",
    "LinearReward",
    "OptimalityPreserving",
    "Policy",
    "PrecisionError",
    "SeveralSolutionsWarning",
    "Shaped",
    "StateReward",
    "Trajectories",
    "TransitionReward",
    "UnidentifiedWarning",
    "World",
    "abandoning",
    "ambiguity",
    "anti_rational",
    "approximate",
    "audit",
    "belief_world",
    "boltzmann",
    "chan_hyperbolic",
    "compare",
    "controllability_deficit",
    "cost_of_acting",
    "cvar",
    "degenerate_pairs",
    "design_experiment",
    "distance",
    "evidence",
    "extremal",
    "false_dynamics",
    "feasible_set",
    "find_mode",
    "finite_horizon",
    "from_arrays",
    "from_gymnasium",
    "from_table",
    "garnet",
    "goal_posterior",
    "goals",
    "graph_criteria",
    "graph_world",
    "gridworld",
    "gymnasium_reward",
    "habitual",
    "held_out",
    "hyperbolic",
    "ignorant",
    "illusion_of_control",
    "infer",
    "invariance",
    "kl_bounded",
    "load",
    "lookahead",
    "misspecification_matrix",
    "mixture",
    "myopic",
    "noisy_plan",
    "null_space",
    "one_of",
    "open_grid",
    "optimistic",
    "option",
    "plan_commitment",
    "planner_equivalence",
    "planner_posterior",
    "plot",
    "policy_complexity",
    "prospect",
    "q_learning",
    "quasi_hyperbolic",
    "rational_inattention",
    "read_trajectories",
    "read_world",
    "resume",
    "risk_sensitive",
    "satisficing",
    "score_pairs",
    "simulate",
    "slipping",
    "soft_optimal",
    "subgoal",
    "successor_representation",
    "switching",
    "transferability",
    "two_step",
    "uniform",
    "with_memory",
    "zero_reward",
]

_HOMES = {
    "goalinf.agents": (
        "Agent",
        "Policy",
        "abandoning",
        "anti_rational",
        "boltzmann",
        "chan_hyperbolic",
        "cvar",
        "extremal",
        "false_dynamics",
        "finite_horizon",
        "habitual",
        "hyperbolic",
        "ignorant",
        "illusion_of_control",
        "kl_bounded",
        "lookahead",
        "mixture",
        "myopic",
        "noisy_plan",
        "one_of",
        "optimistic",
        "option",
        "plan_commitment",
        "policy_complexity",
        "prospect",
        "q_learning",
        "quasi_hyperbolic",
        "rational_inattention",
        "risk_sensitive",
        "satisficing",
        "slipping",
        "soft_optimal",
        "subgoal",
        "successor_representation",
        "switching",
        "two_step",
        "uniform",
    ),
    "goalinf.behavior": ("Behavior", "simulate"),
    "goalinf.data": ("Trajectories", "read_trajectories"),
    "goalinf.errors": ("ConvergenceError", "PrecisionError", "SeveralSolutionsWarning", "UnidentifiedWarning"),
    "goalinf.identify": (
        "Comparison",
        "Demonstrations",
        "OptimalityPreserving",
        "ambiguity",
        "controllability_deficit",
        "cost_of_acting",
        "degenerate_pairs",
        "design_experiment",
        "distance",
        "feasible_set",
        "graph_criteria",
        "invariance",
        "misspecification_matrix",
        "planner_equivalence",
        "planner_posterior",
        "score_pairs",
        "transferability",
        "zero_reward",
    ),
    "goalinf.identify.audit": ("audit",),
    "goalinf.identify.null_space": ("null_space",),
    "goalinf.infer.comparison": ("compare",),
    "goalinf.infer.held_out": ("held_out",),
    "goalinf.infer.fit": ("Fit",),
    "goalinf.infer.goals": ("goal_posterior",),
    "goalinf.infer.point": ("approximate", "find_mode"),
    "goalinf.infer.resume": ("resume",),
    "goalinf.infer.sample": ("infer",),
    "goalinf.infer.store": ("load",),
    "goalinf.infer.evidence": ("evidence",),
    "goalinf.rewards": (
        "ActionReward",
        "GoalReward",
        "LinearReward",
        "Shaped",
        "StateReward",
        "TransitionReward",
        "goals",
    ),
    "goalinf.worlds": (
        "MDP",
        "World",
        "belief_world",
        "from_arrays",
        "from_gymnasium",
        "from_table",
        "garnet",
        "graph_world",
        "gridworld",
        "gymnasium_reward",
        "open_grid",
        "read_world",
        "with_memory",
    ),
}
_ROOMS = ("agents", "behavior", "data", "errors", "identify", "plot", "precision", "rewards", "worlds")
_HOME = {name: home for home, names in _HOMES.items() for name in names}

# The function `infer` and the folder `infer` share a name. Python gives it to the folder when that is first imported;
# so that this never happens later on, it happens here (the folder's own file is empty), and the function gets the name.
importlib.import_module("goalinf.infer")
globals().pop("infer", None)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"goalinf.{name}")
    if name == "__version__":
        value = importlib.import_module("importlib.metadata").version("goalinf")
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'goalinf' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS, "__version__"})
