"""Identifiability of rewards and agents: null spaces, reward distances, and the audit of a posterior."""

from goalinf.identify import distance
from goalinf.identify.agents.degenerate import Pair, degenerate_pairs, score_pairs
from goalinf.identify.agents.equivalence import agent_equivalence
from goalinf.identify.agents.misspecification import misspecification_matrix
from goalinf.identify.agents.pair_posterior import PlannerPosterior, agent_posterior
from goalinf.identify.audit.contraction import Contraction
from goalinf.identify.audit.expected_regret import expected_regret
from goalinf.identify.audit.report import Audit
from goalinf.identify.audit.scale_temperature import Ridge
from goalinf.identify.audit.zero_reward import ZeroReward, zero_reward
from goalinf.identify.exact.cone import FeasibleSet
from goalinf.identify.exact.controllability import controllability_deficit
from goalinf.identify.exact.data_sources import ambiguity
from goalinf.identify.exact.feasible import feasible_set
from goalinf.identify.exact.graphs import GraphCriteria, co_successor_components, graph_criteria
from goalinf.identify.exact.invariances import Invariance, invariance
from goalinf.identify.exact.transfer import Transferability, transferability
from goalinf.identify.experiments.design import Design, design_experiment
from goalinf.identify.experiments.kinds import Demonstrations, PreferenceQuery
from goalinf.identify.local.null_directions import Direction
from goalinf.identify.local.null_space import NullSpace, null_space
from goalinf.identify.optimal_actions import OptimalityPreserving

__all__ = [
    "Audit",
    "Contraction",
    "Demonstrations",
    "Design",
    "Direction",
    "FeasibleSet",
    "GraphCriteria",
    "Invariance",
    "NullSpace",
    "OptimalityPreserving",
    "Pair",
    "PlannerPosterior",
    "PreferenceQuery",
    "Ridge",
    "Transferability",
    "ZeroReward",
    "agent_equivalence",
    "agent_posterior",
    "ambiguity",
    "co_successor_components",
    "controllability_deficit",
    "degenerate_pairs",
    "design_experiment",
    "distance",
    "expected_regret",
    "feasible_set",
    "graph_criteria",
    "invariance",
    "misspecification_matrix",
    "null_space",
    "score_pairs",
    "transferability",
    "zero_reward",
]
