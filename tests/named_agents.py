"""One agent of every named constructor, in the world of the golden table."""

import golden
import numpy as np

import goalinf as gi
from goalinf.agents import Option

G3 = gi.from_arrays(golden.G3_P, discount=golden.G3_DISCOUNT)
G3_REWARD = gi.ActionReward(golden.G3_R)
GOAL = gi.goals(G3, {"end": 2})["end"]

FIRST = Option([[1.0, 0.0]] * 3, [0.5, 1.0, 1.0], name="first")
SECOND = Option([[0.25, 0.75]] * 3, [0.1, 0.2, 1.0], [True, False, True], name="second")

# Name -> what makes it from beta and further arguments by keyword.
MAKERS = {
    "abandoning": lambda beta, **k: gi.agents.abandoning(0.1, beta, recovery=0.2, **k),
    "anti_rational": lambda beta, **k: gi.agents.anti_rational(beta, **k),
    "boltzmann": lambda beta, **k: gi.agents.boltzmann(beta, **k),
    "chan_hyperbolic": lambda beta, **k: gi.agents.chan_hyperbolic(0.1, beta, **k),
    "cvar": lambda beta, **k: gi.agents.cvar(0.5, beta, **k),
    "extremal": lambda beta, **k: gi.agents.extremal(0.5, beta, **k),
    "false_dynamics": lambda beta, **k: gi.agents.false_dynamics(0.2, beta, alternative=[1, 0], **k),
    "finite_horizon": lambda beta, **k: gi.agents.finite_horizon(4, beta, **k),
    "habitual": lambda beta, **k: gi.agents.habitual(0.5, beta, habit_rate=0.7, **k),
    "hyperbolic": lambda beta, **k: gi.agents.hyperbolic(1.0, beta, horizon=6, **k),
    "illusion_of_control": lambda beta, **k: gi.agents.illusion_of_control(2.0, beta, **k),
    "kl_bounded": lambda beta, **k: gi.agents.kl_bounded(beta, [0.8, 0.2], **k),
    "lookahead": lambda beta, **k: gi.agents.lookahead(2, beta, **k),
    "myopic": lambda beta, **k: gi.agents.myopic(0.5, beta, **k),
    "noisy_plan": lambda beta, **k: gi.agents.noisy_plan(0.3, beta, draws=5, **k),
    "optimistic": lambda beta, **k: gi.agents.optimistic(1.0, beta, **k),
    "option": lambda beta, **k: gi.agents.options([FIRST, SECOND], beta, early=0.1, overshoot=0.2, **k),
    "plan_commitment": lambda beta, **k: gi.agents.plan_commitment(0.1, beta, depths=3, **k),
    "prospect": lambda beta, **k: gi.agents.prospect(2.25, beta, exponent=0.88, **k),
    "q_learning": lambda beta, **k: gi.agents.q_learning(0.5, beta, **k),
    "quasi_hyperbolic": lambda beta, **k: gi.agents.quasi_hyperbolic(0.6, beta, **k),
    "rational_inattention": lambda beta, **k: gi.agents.rational_inattention(beta, **k),
    "risk_sensitive": lambda beta, **k: gi.agents.risk_sensitive(-1.0, beta, **k),
    "satisficing": lambda beta, **k: gi.agents.satisficing(0.2, 10.0, **k),
    "slipping": lambda beta, **k: gi.agents.slipping(0.2, beta, foreseen=True, **k),
    "soft_optimal": lambda beta, **k: gi.agents.soft_optimal(beta, **k),
    "subgoal": lambda beta, **k: gi.agents.subgoal(0.5, beta, world=G3, places=[1], **k),
    "successor_representation": lambda beta, **k: gi.agents.successor_representation(beta, model_based=0.5, **k),
    "switching": lambda beta, **k: gi.agents.switching(0.1, beta, **k),
    "two_step": lambda beta, **k: gi.agents.two_step(0.5, 0.4, beta, 3.0, **k),
    "uniform": lambda beta, **k: gi.agents.uniform(default=np.array([0.3, 0.7]), **k),
}
AGENTS = {name: make(golden.G3_BETA) for name, make in MAKERS.items()}
# It lives in belief worlds: in this one there is nothing to learn, and nothing else to distinguish it from G3.
SURE = gi.belief_world({"one": G3, "other": G3}, {"one": 0.5, "other": 0.5})
AGENTS["ignorant"] = gi.agents.ignorant(SURE, golden.G3_BETA)
# What each wants where that is not G3_REWARD.
REWARDS = {"subgoal": GOAL, "switching": gi.one_of({"golden": G3_REWARD, "other": gi.ActionReward(-golden.G3_R)})}
