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
    "abandoning": lambda beta, **k: gi.agents.abandoning(hazard=0.1, beta=beta, recovery=0.2, **k),
    "anti_rational": lambda beta, **k: gi.agents.anti_rational(beta=beta, **k),
    "boltzmann": lambda beta, **k: gi.agents.boltzmann(beta=beta, **k),
    "chan_hyperbolic": lambda beta, **k: gi.agents.chan_hyperbolic(curvature=0.1, beta=beta, **k),
    "cvar": lambda beta, **k: gi.agents.cvar(tail=0.5, beta=beta, **k),
    "extremal": lambda beta, **k: gi.agents.extremal(peak=0.5, beta=beta, **k),
    "false_dynamics": lambda beta, **k: gi.agents.false_dynamics(confusion=0.2, beta=beta, alternative=[1, 0], **k),
    "finite_horizon": lambda beta, **k: gi.agents.finite_horizon(horizon=4, beta=beta, **k),
    "habitual": lambda beta, **k: gi.agents.habitual(persistence=0.5, beta=beta, habit_rate=0.7, **k),
    "hyperbolic": lambda beta, **k: gi.agents.hyperbolic(k=1.0, beta=beta, horizon=6, **k),
    "illusion_of_control": lambda beta, **k: gi.agents.illusion_of_control(control=2.0, beta=beta, **k),
    "kalman_learner": lambda beta, **k: gi.agents.kalman_learner(observation_sd=1.0, drift_sd=0.2, beta=beta, **k),
    "kl_bounded": lambda beta, **k: gi.agents.kl_bounded(beta=beta, default=[0.8, 0.2], **k),
    "lookahead": lambda beta, **k: gi.agents.lookahead(depth=2, beta=beta, **k),
    "myopic": lambda beta, **k: gi.agents.myopic(discount=0.5, beta=beta, **k),
    "noisy_plan": lambda beta, **k: gi.agents.noisy_plan(plan_noise=0.3, beta=beta, draws=5, **k),
    "optimistic": lambda beta, **k: gi.agents.optimistic(optimism=1.0, beta=beta, **k),
    "options": lambda beta, **k: gi.agents.options(options=[FIRST, SECOND], beta=beta, early=0.1, overshoot=0.2, **k),
    "pearce_hall": lambda beta, **k: gi.agents.pearce_hall(
        learning_rate=0.5, associability_rate=0.3, beta=beta, by_state=True, **k
    ),
    "plan_commitment": lambda beta, **k: gi.agents.plan_commitment(replan=0.1, beta=beta, depths=3, **k),
    "prospect": lambda beta, **k: gi.agents.prospect(loss_aversion=2.25, beta=beta, exponent=0.88, **k),
    "q_learning": lambda beta, **k: gi.agents.q_learning(learning_rate=0.5, beta=beta, **k),
    "quasi_hyperbolic": lambda beta, **k: gi.agents.quasi_hyperbolic(present_bias=0.6, beta=beta, **k),
    "rational_inattention": lambda beta, **k: gi.agents.rational_inattention(beta=beta, **k),
    "rescorla_wagner": lambda beta, **k: gi.agents.rescorla_wagner(
        learning_rate=0.5, loss_rate=0.3, forgetting=0.1, beta=beta, **k
    ),
    "risk_sensitive": lambda beta, **k: gi.agents.risk_sensitive(risk=-1.0, beta=beta, **k),
    "satisficing": lambda beta, **k: gi.agents.satisficing(aspiration=0.2, sharpness=10.0, **k),
    "slipping": lambda beta, **k: gi.agents.slipping(slip=0.2, beta=beta, foreseen=True, **k),
    "soft_optimal": lambda beta, **k: gi.agents.soft_optimal(beta=beta, **k),
    "subgoal": lambda beta, **k: gi.agents.subgoal(detour=0.5, beta=beta, world=G3, places=[1], **k),
    "successor_representation": lambda beta, **k: gi.agents.successor_representation(beta=beta, model_based=0.5, **k),
    "switching": lambda beta, **k: gi.agents.switching(switch=0.1, beta=beta, **k),
    "two_step": lambda beta, **k: gi.agents.two_step(
        learning_rate_1=0.5, learning_rate_2=0.4, beta_1=beta, beta_2=3.0, **k
    ),
    "uniform": lambda beta, **k: gi.agents.uniform(default=np.array([0.3, 0.7]), **k),
}
AGENTS = {name: make(golden.G3_BETA) for name, make in MAKERS.items()}
# It lives in belief worlds: in this one there is nothing to learn, and nothing else to distinguish it from G3.
SURE = gi.belief_world({"one": G3, "other": G3}, {"one": 0.5, "other": 0.5})
AGENTS["ignorant"] = gi.agents.ignorant(SURE, beta=golden.G3_BETA)
# Name -> probability of action 0 in states 0, 1, 2, of agents that are not in the table of the theory (golden.py).
GOLDEN = {
    "uniform": [0.3, 0.3, 0.3],
}
# What each wants where that is not G3_REWARD.
REWARDS = {"subgoal": GOAL, "switching": gi.one_of({"golden": G3_REWARD, "other": gi.ActionReward(-golden.G3_R)})}
