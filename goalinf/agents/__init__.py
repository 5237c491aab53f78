"""Agents: beliefs, planners, choice rules and noise, hidden modes and memories, and the named agents made of them."""

from goalinf.agents.agent import Agent, SingleAgent
from goalinf.agents.composed_agent import solve
from goalinf.agents.discrete import mixture, one_of
from goalinf.agents.hidden.abandonment import Abandoning
from goalinf.agents.hidden.commitment import PlanCommitment
from goalinf.agents.hidden.goal_switching import Switching
from goalinf.agents.hidden.hidden_mode_agent import HiddenModeAgent, ModeProcess
from goalinf.agents.hidden.options import Option, Options
from goalinf.agents.hidden.plan_noise import PlanNoise
from goalinf.agents.hidden.subgoals import Subgoal
from goalinf.agents.memory.bandits import KalmanLearner, PearceHall, RescorlaWagner
from goalinf.agents.memory.experience import NoPlanning
from goalinf.agents.memory.habits import ChoiceKernel
from goalinf.agents.memory.memory_agent import MemoryAgent, MemoryProcess
from goalinf.agents.memory.q_learning import QLearning
from goalinf.agents.memory.two_step import TwoStep
from goalinf.agents.mixture_agent import MixtureAgent
from goalinf.agents.named.bandit_learners import kalman_learner, pearce_hall, rescorla_wagner
from goalinf.agents.named.biased import chan_hyperbolic, cvar, extremal, optimistic, prospect, risk_sensitive
from goalinf.agents.named.bounded import (
    kl_bounded,
    lookahead,
    rational_inattention,
    satisficing,
    successor_representation,
)
from goalinf.agents.named.clumsy import habitual, noisy_plan, slipping
from goalinf.agents.named.failing import abandoning, options, plan_commitment, subgoal, switching
from goalinf.agents.named.impatient import hyperbolic, myopic, quasi_hyperbolic
from goalinf.agents.named.learning import q_learning, two_step
from goalinf.agents.named.mistaken import false_dynamics, illusion_of_control
from goalinf.agents.named.rational import anti_rational, boltzmann, finite_horizon, soft_optimal, uniform
from goalinf.agents.named.uncertain import ignorant
from goalinf.agents.parts.belief_state import Ignorance
from goalinf.agents.parts.beliefs import Beliefs, FalseDynamics, ForeseesSlips, IllusionOfControl, TrueBeliefs
from goalinf.agents.parts.choice import ChoiceRule, DefaultPolicy, Satisficing, Softmax
from goalinf.agents.parts.discounting import Hyperbolic, QuasiHyperbolic
from goalinf.agents.parts.noise import Lapse, Noise, NoNoise, Slip
from goalinf.agents.parts.planners import Negated, Planner
from goalinf.agents.parts.rational_inattention import Inattentive, RationalInattention, policy_complexity
from goalinf.agents.parts.successor import SuccessorRepresentation
from goalinf.agents.parts.value_iteration import ValueIteration
from goalinf.agents.planning_agent import PlanningAgent
from goalinf.agents.policy import HiddenModes, Memory, Policy
from goalinf.planning.risk import CVaR, EntropicRisk, Extremal, HyperbolicBellman, Optimism, Prospect, RiskMeasure

__all__ = [
    "Abandoning",
    "Agent",
    "Beliefs",
    "CVaR",
    "ChoiceKernel",
    "ChoiceRule",
    "DefaultPolicy",
    "EntropicRisk",
    "Extremal",
    "FalseDynamics",
    "ForeseesSlips",
    "HiddenModeAgent",
    "HiddenModes",
    "Hyperbolic",
    "HyperbolicBellman",
    "Ignorance",
    "IllusionOfControl",
    "Inattentive",
    "KalmanLearner",
    "Lapse",
    "Memory",
    "MemoryAgent",
    "MemoryProcess",
    "MixtureAgent",
    "ModeProcess",
    "Negated",
    "NoNoise",
    "NoPlanning",
    "Noise",
    "Optimism",
    "Option",
    "Options",
    "PearceHall",
    "PlanCommitment",
    "PlanNoise",
    "Planner",
    "PlanningAgent",
    "Policy",
    "Prospect",
    "QLearning",
    "QuasiHyperbolic",
    "RationalInattention",
    "RescorlaWagner",
    "RiskMeasure",
    "Satisficing",
    "SingleAgent",
    "Slip",
    "Softmax",
    "Subgoal",
    "SuccessorRepresentation",
    "Switching",
    "TrueBeliefs",
    "TwoStep",
    "ValueIteration",
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
    "kalman_learner",
    "kl_bounded",
    "lookahead",
    "mixture",
    "myopic",
    "noisy_plan",
    "one_of",
    "optimistic",
    "options",
    "pearce_hall",
    "plan_commitment",
    "policy_complexity",
    "prospect",
    "q_learning",
    "quasi_hyperbolic",
    "rational_inattention",
    "rescorla_wagner",
    "risk_sensitive",
    "satisficing",
    "slipping",
    "soft_optimal",
    "solve",
    "subgoal",
    "successor_representation",
    "switching",
    "two_step",
    "uniform",
]
