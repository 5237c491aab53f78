"""What data can say at all: null spaces, reward distances, and the audit of a posterior."""

from goalinf.identify import distance
from goalinf.identify.acting import cost_of_acting
from goalinf.identify.audit import audit
from goalinf.identify.cone import FeasibleSet
from goalinf.identify.contraction import Contraction
from goalinf.identify.controllability import controllability_deficit
from goalinf.identify.experiments.design import Design, design_experiment
from goalinf.identify.experiments.kinds import Comparison, Demonstrations
from goalinf.identify.feasible import feasible_set
from goalinf.identify.graphs import GraphCriteria, co_successor_components, graph_criteria
from goalinf.identify.invariances import Invariance, invariance
from goalinf.identify.naming import Direction
from goalinf.identify.null_space import NullSpace, null_space
from goalinf.identify.optimal import OptimalityPreserving
from goalinf.identify.planners.degenerate import Pair, degenerate_pairs, score_pairs
from goalinf.identify.planners.equivalence import planner_equivalence
from goalinf.identify.planners.misspecification import misspecification_matrix
from goalinf.identify.planners.posterior import PlannerPosterior, planner_posterior
from goalinf.identify.report import Audit
from goalinf.identify.ridge import Ridge
from goalinf.identify.sources import ambiguity
from goalinf.identify.transfer import Transferability, transferability
from goalinf.identify.zero import ZeroReward, zero_reward

__all__ = [
    "Audit",
    "Comparison",
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
    "Ridge",
    "Transferability",
    "ZeroReward",
    "ambiguity",
    "audit",
    "co_successor_components",
    "controllability_deficit",
    "cost_of_acting",
    "degenerate_pairs",
    "design_experiment",
    "distance",
    "feasible_set",
    "graph_criteria",
    "invariance",
    "misspecification_matrix",
    "null_space",
    "planner_equivalence",
    "planner_posterior",
    "score_pairs",
    "transferability",
    "zero_reward",
]
