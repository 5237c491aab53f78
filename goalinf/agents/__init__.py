"""Agents: beliefs, planners, choice rules and execution, and the named agents made of them."""

from goalinf.agents.agent import Agent
from goalinf.agents.beliefs import FalseDynamics, ForeseesSlips, IllusionOfControl, TrueBeliefs
from goalinf.agents.choice import DefaultPolicy, RationalInattention, Satisficing, Softmax
from goalinf.agents.contexts import Setting
from goalinf.agents.execution import AsIntended, Lapse, Slip
from goalinf.agents.failures import Abandoning, PlanCommitment, PlanNoise, Subgoal, Switching
from goalinf.agents.history import ChoiceKernel
from goalinf.agents.named import boltzmann, soft_optimal
from goalinf.agents.outlooks import CVaR, EntropicRisk, Extremal, HyperbolicBellman, Optimism, Prospect
from goalinf.agents.planners import Hyperbolic, Negated, QuasiHyperbolic, SuccessorRepresentation, ValueIteration
from goalinf.agents.planning import plan, solve
from goalinf.agents.policy import Policy
