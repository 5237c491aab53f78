"""Named agents: constructors of agents that have a name in the literature."""

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

__all__ = [
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
    "illusion_of_control",
    "kl_bounded",
    "lookahead",
    "myopic",
    "noisy_plan",
    "optimistic",
    "options",
    "plan_commitment",
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
]
