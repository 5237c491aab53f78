"""Named agents refuse what means nothing, in words: the parameter, what it was, what was expected, what to do."""

import named_agents
import numpy as np
import numpyro.distributions as dist
import pytest
from named_agents import G3, G3_REWARD

import goalinf as gi
from goalinf import agents
from goalinf.agents import (
    ChoiceKernel,
    CVaR,
    ForeseesSlips,
    IllusionOfControl,
    Lapse,
    Noise,
    PlanningAgent,
    Slip,
    Softmax,
    ValueIteration,
)

HALL = gi.gridworld("a.b", discount=0.9)
OUTCOMES = gi.TransitionReward(np.zeros(G3.mdp.successors.shape))
NOWHERE = gi.StateReward.zero(HALL)
SHARE = r"expected a finite number in \[0, 1\]"

NUMBERS = {
    "beta is -1; expected a finite number in [0, inf]": lambda: gi.agents.boltzmann(beta=-1.0),
    "beta is nan; expected a finite number in [0, inf]": lambda: gi.agents.cvar(tail=0.5, beta=[1.0, float("nan")]),
    "beta is None; expected a number in [0, inf], or a prior": lambda: gi.agents.boltzmann(beta=None),
    "beta is '2'; expected a number in [0, inf]": lambda: gi.agents.boltzmann(beta="2"),
    "beta has shape (2,); this world needs (3,) (state)": lambda: gi.agents.boltzmann(beta=[1.0, 2.0]).policy(
        G3, G3_REWARD
    ),
    "beta is 0 in a state, where soft values are infinite": lambda: gi.agents.soft_optimal(beta=[0.0, 1.0, 1.0]).policy(
        G3, G3_REWARD
    ),
    "beta has shape (3,); this agent plans with one temperature": lambda: gi.agents.hyperbolic(
        k=1.0, beta=np.ones(3), horizon=2
    ),
    "beta has shape (3,); expected one number": lambda: gi.agents.rational_inattention(beta=np.ones(3)).policy(
        G3, G3_REWARD
    ),
    "lapse is 1.5; expected a finite number in [0, 1]": lambda: gi.agents.boltzmann(beta=2.0, lapse=1.5),
    "lapse has shape (2,); expected one number": lambda: gi.agents.boltzmann(beta=2.0, lapse=[0.1, 0.2]),
    "optimism has shape (3,); expected one number": lambda: gi.agents.optimistic(
        optimism=dist.Normal(np.zeros(3), 1.0), beta=2.0
    ),
    "discount is 1.2; expected a finite number in [0, 1]": lambda: gi.agents.myopic(discount=1.2, beta=2.0),
    "discount is None; myopic needs a number": lambda: gi.agents.myopic(discount=None, beta=2.0),
    "horizon is 0; expected a whole number of at least 1": lambda: gi.agents.finite_horizon(horizon=0, beta=2.0),
    "horizon is -2; expected a whole number of at least 1": lambda: gi.agents.boltzmann(beta=2.0, horizon=-2),
    "depth is 0; expected a whole number of at least 1": lambda: gi.agents.lookahead(depth=0, beta=2.0),
    "draws is 0; expected a whole number of at least 1": lambda: gi.agents.noisy_plan(
        plan_noise=0.1, beta=2.0, draws=0
    ),
    "commitment is 0; expected a whole number of at least 1": lambda: gi.agents.plan_commitment(
        replan=0.1, beta=2.0, depths=3, commitment=0
    ),
    "depths is 0; expected a whole number of at least 1": lambda: gi.agents.plan_commitment(
        replan=0.1, beta=2.0, depths=0
    ),
    "depths are [0.5, 0.2]; expected the probabilities of depth": lambda: gi.agents.plan_commitment(
        replan=0.1, beta=2.0, depths=[0.5, 0.2]
    ),
    "k is -0.5; expected a finite number in [0, inf]": lambda: gi.agents.hyperbolic(k=-0.5, beta=2.0, horizon=4),
    "present_bias is 2; expected a finite number in [0, 1]": lambda: gi.agents.quasi_hyperbolic(
        present_bias=2.0, beta=2.0
    ),
    "tail is 0; expected a finite number in (0, 1]": lambda: gi.agents.cvar(tail=0.0, beta=2.0),
    "peak is 1; expected a finite number in [0, 1)": lambda: gi.agents.extremal(peak=1.0, beta=2.0),
    "risk is inf; expected a finite number": lambda: gi.agents.risk_sensitive(risk=float("inf"), beta=2.0),
    "sharpness is 0; expected a finite number in (0, inf]": lambda: gi.agents.satisficing(
        aspiration=0.1, sharpness=0.0
    ),
    "aspiration is -1; expected a finite number in [0, inf]": lambda: gi.agents.satisficing(
        aspiration=-1.0, sharpness=1.0
    ),
    "control is -1; expected a finite number in [0, inf]": lambda: gi.agents.illusion_of_control(
        control=-1.0, beta=2.0
    ),
    "curvature is -1; expected": lambda: gi.agents.chan_hyperbolic(curvature=-1.0, beta=2.0),
    "loss_aversion is -1; expected": lambda: gi.agents.prospect(loss_aversion=-1.0, beta=2.0),
    "exponent is 0; expected a finite number in (0, inf]": lambda: gi.agents.prospect(
        loss_aversion=2.0, beta=2.0, exponent=0.0
    ),
    "confusion is 2; expected": lambda: gi.agents.false_dynamics(confusion=2.0, beta=2.0, alternative=[1, 0]),
    "model_based is 2; expected": lambda: gi.agents.successor_representation(beta=2.0, model_based=2.0),
    "the prior of lapse, Normal, has support outside [0, 1]: use a prior": lambda: gi.agents.boltzmann(
        beta=2.0, lapse=dist.Normal(0.0, 1.0)
    ),
    "the prior of hazard, Normal, has support outside": lambda: gi.agents.abandoning(
        hazard=dist.Normal(0.0, 1.0), beta=2.0
    ),
    "the prior of tail, Uniform, has support outside (0, 1]": lambda: gi.agents.cvar(
        tail=dist.Uniform(0.0, 2.0), beta=2.0
    ),
    "the prior of k, Normal, has support outside [0, inf]": lambda: gi.agents.hyperbolic(
        k=dist.Normal(0.0, 1.0), beta=2.0, horizon=4
    ),
    "the prior of beta is a Delta, which is a known value": lambda: gi.agents.boltzmann(beta=dist.Delta(2.0)),
    "the prior of lapse, Uniform, has support outside": lambda: gi.agents.boltzmann(
        beta=2.0, lapse=dist.Uniform(2.0, 3.0)
    ),
    "the prior of beta is a Delta, which is a known": lambda: gi.agents.boltzmann(beta=dist.Delta(2.0).expand([3])),
    "the prior of beta, TwoSidedTruncatedDistribution, has support outside": lambda: gi.agents.boltzmann(
        beta=dist.TruncatedNormal(-2.0, 1.0, low=-3.0, high=-1.0)
    ),
    "the prior of beta, Uniform, has support outside": lambda: gi.agents.boltzmann(beta=dist.Uniform(-1.0, 1.0)),
    "lapse has shape (4,); expected one": lambda: gi.agents.boltzmann(beta=2.0, lapse=0.1).at(
        lapse=[0.1, 0.5, 0.9, 0.2]
    ),
    "tail has shape (2,); expected one number": lambda: gi.agents.cvar(tail=0.5, beta=2.0).at(
        tail=np.array([0.1, 0.2])
    ),
    "persistence has shape (4,); expected": lambda: gi.agents.habitual(persistence=1.0, beta=2.0).at(
        persistence=[1, 2, 3, 4]
    ),
    "beta is None; expected a number in [0, inf], or a pri": lambda: gi.agents.boltzmann(beta=5.0).at(beta=None),
    "the prior of beta, Normal, has support outside": lambda: gi.agents.boltzmann(beta=5.0).at(
        beta=dist.Normal(0.0, 1.0)
    ),
    "beta is (1+2j); expected a number": lambda: gi.agents.boltzmann(beta=1 + 2j),
    "beta is {'a': 1}; expected a number": lambda: gi.agents.boltzmann(beta={"a": 1}),
    "beta is [[1.0], [1.0, 2.0]]; expected a number": lambda: gi.agents.boltzmann(beta=[[1.0], [1.0, 2.0]]),
    "default is nan; expected a finite number in [0, 1]": lambda: gi.agents.abandoning(
        hazard=0.3, beta=2.0, default=[np.nan, 1.0]
    ),
    "default is 2; expected a finite number in [0, 1]": lambda: gi.agents.abandoning(
        hazard=0.3, beta=2.0, default=[1.0, 2.0]
    ),
    "default is -1; expected a finite number in [0, 1]": lambda: gi.agents.successor_representation(
        beta=2.0, default=[-1.0, 1.0]
    ),
    "default is a prior; a Abandoning takes numbers in": lambda: gi.agents.abandoning(
        hazard=0.3, beta=2.0, default=dist.Dirichlet(np.ones(2))
    ),
    "first, the number of the first state, is -1; expected": lambda: gi.agents.two_step(
        learning_rate_1=0.5, learning_rate_2=0.5, beta_1=1.0, beta_2=1.0, first=-1
    ),
    "first is 9; expected the number of a state, below 3": lambda: gi.agents.two_step(
        learning_rate_1=0.5, learning_rate_2=0.5, beta_1=1.0, beta_2=1.0, first=9
    ).policy(G3, G3_REWARD),
    "first is 2, state b, where the episode has ended": lambda: gi.agents.two_step(
        learning_rate_1=0.5, learning_rate_2=0.5, beta_1=1.0, beta_2=1.0, first=2
    ).policy(gi.gridworld("a.b", terminal="b", discount=0.9), NOWHERE),
    "leaf is 'a'; expected a number": lambda: gi.agents.lookahead(depth=2, beta=2.0, leaf="a"),
    "depths are 'ab'; expected the probabilities": lambda: gi.agents.plan_commitment(replan=0.1, beta=2.0, depths="ab"),
    "seed is -1; expected a whole number of at least 0": lambda: gi.agents.noisy_plan(
        plan_noise=0.1, beta=2.0, seed=-1
    ),
    "habit_rate is 2; expected": lambda: gi.agents.habitual(persistence=0.5, beta=2.0, habit_rate=2.0),
    "slip is -0.1; expected": lambda: gi.agents.slipping(slip=-0.1, beta=2.0),
    "hazard is 2; expected": lambda: gi.agents.abandoning(hazard=2.0, beta=2.0),
    "recovery is 2; expected": lambda: gi.agents.abandoning(hazard=0.1, beta=2.0, recovery=2.0),
    "switch is 2; expected": lambda: gi.agents.switching(switch=2.0, beta=2.0),
    "detour is 2; expected": lambda: gi.agents.subgoal(detour=2.0, beta=2.0, world=G3),
    "replan is 2; expected": lambda: gi.agents.plan_commitment(replan=2.0, beta=2.0, depths=3),
    "plan_noise is -1; expected": lambda: gi.agents.noisy_plan(plan_noise=-1.0, beta=2.0),
}

TWICE = {
    "outlook is a CVaR, but optimistic has outlook an Optimism already: leave outlook out, or compose": (
        lambda: gi.agents.optimistic(optimism=0.5, beta=2.0, outlook=CVaR(0.5))
    ),
    "backup is 'hard', but soft_optimal has backup 'soft' already": lambda: gi.agents.soft_optimal(
        beta=2.0, backup="hard"
    ),
    "depth is 3, but successor_representation has a SuccessorRepresentation already": (
        lambda: gi.agents.successor_representation(beta=2.0, depth=3)
    ),
    "beliefs is an IllusionOfControl, but false_dynamics has a FalseDynamics already": (
        lambda: gi.agents.false_dynamics(confusion=0.1, beta=2.0, alternative=[1, 0], beliefs=IllusionOfControl(2.0))
    ),
    "beliefs is an IllusionOfControl, but slipping has a ForeseesSlips already": (
        lambda: gi.agents.slipping(slip=0.1, beta=2.0, foreseen=True, beliefs=IllusionOfControl(2.0))
    ),
    "lapse is 0.1, but slipping has a Slip already: leave lapse out": lambda: gi.agents.slipping(
        slip=0.1, beta=2.0, lapse=0.1
    ),
    "lapse and noise are both given, and lapse=0.1 is short for noise=goalinf.agents.Lapse(…)": (
        lambda: gi.agents.boltzmann(beta=2.0, lapse=0.1, noise=Slip(0.1))
    ),
    "decisions are (0, 3), with horizon 3; expected numbers below the horizon": lambda: gi.agents.ValueIteration(
        horizon=3, decisions=(0, 3)
    ),
    "horizon and depth both set how far the agent plans: give one of them": lambda: gi.agents.lookahead(
        depth=3, beta=2.0, horizon=4
    ),
    "discount is 0.9, but it discounts delays by 1 / (1 + k d), without a factor": (
        lambda: gi.agents.hyperbolic(k=1.0, beta=2.0, horizon=4, discount=0.9)
    ),
    "discount is 0.9, but peak takes its place": lambda: gi.agents.extremal(peak=0.5, beta=2.0, discount=0.9),
    "depth is 2, but depths set the planning depth": lambda: gi.agents.plan_commitment(
        replan=0.1, beta=2.0, depths=3, depth=2
    ),
    "depth is 2, but the agent does not plan": lambda: gi.agents.uniform(depth=2),
}

MEANINGLESS = {
    "discount has no effect with the outlook Extremal": lambda: ValueIteration(
        outlook=agents.Extremal(0.5), discount=0.9
    ),
    "the beliefs foresee slips, but the noise has none": lambda: gi.agents.boltzmann(beta=2.0, beliefs=ForeseesSlips()),
    "this planner foresees the agent's own actions and needs a beta": lambda: gi.agents.satisficing(
        aspiration=0.1, sharpness=5.0, backup="soft"
    ),
    "assumes that actions follow a softmax of beta Q, and they do not": lambda: gi.agents.anti_rational(
        beta=2.0, backup="soft"
    ),
    "softmax of beta Q, and they do not: use backup='hard'": lambda: gi.agents.rational_inattention(
        beta=2.0, backup="soft"
    ),
    "leaf is the value at the end of a lookahead": lambda: gi.agents.lookahead(
        depth=2, beta=2.0, leaf=np.zeros(3), backup="soft"
    ),
    "leaf is inf; expected a finite number": lambda: gi.agents.lookahead(depth=2, beta=2.0, leaf=[0.0, np.inf, 0.0]),
    "leaf has shape (2,); this world needs (3,) (state)": lambda: gi.agents.lookahead(
        depth=2, beta=2.0, leaf=[0.0, 1.0]
    ).policy(G3, G3_REWARD),
    "agent is abandoning(beta=2, hazard=0.1, recovery=0); expected a planning agent": (
        lambda: agents.MemoryAgent(gi.agents.abandoning(hazard=0.1, beta=2.0), ChoiceKernel(0.5, 1.0))
    ),
    "agent is switching(beta=2, switch=0.1); expected an agent without hidden modes": (
        lambda: agents.HiddenModeAgent(gi.agents.switching(switch=0.1, beta=2.0), agents.Abandoning(0.1))
    ),
    "agent is habitual(beta=2, persistence=0.5, habit_rate=1); expected a planning agent": (
        lambda: agents.MemoryAgent(gi.agents.habitual(persistence=0.5, beta=2.0), ChoiceKernel(0.5, 1.0))
    ),
    "; expected a ModeProcess, as in goalinf.agents": (
        lambda: agents.HiddenModeAgent(gi.agents.boltzmann(beta=2.0), Lapse(0.1))
    ),
    "; expected a MemoryProcess, as in goalinf.agents": (
        lambda: agents.MemoryAgent(gi.agents.boltzmann(beta=2.0), Lapse(0.1))
    ),
    "beta: two parts of the agent have a parameter of this name": (
        lambda: PlanningAgent(choice=Softmax(2.0), noise=_Outer(Softmax(1.0)))
    ),
    "noise is 'lapse'; expected a Noise, as in goalinf.agents": lambda: gi.agents.boltzmann(beta=2.0, noise="lapse"),
    "beliefs is <class": lambda: gi.agents.boltzmann(beta=2.0, beliefs=ForeseesSlips),
}

WORLDS = {
    "alternative is a world of 3 states and 4 actions; this world has 3 and 2": (
        lambda: gi.agents.false_dynamics(confusion=0.1, beta=2.0, alternative=HALL).policy(G3, G3_REWARD)
    ),
    "alternative is [1, 0]; expected the numbers of 4 actions, each from 0 to 3": (
        lambda: gi.agents.false_dynamics(confusion=0.1, beta=2.0, alternative=[1, 0]).policy(HALL, NOWHERE)
    ),
    "alternative is [0, 2]; expected the numbers of 2 actions": (
        lambda: gi.agents.false_dynamics(confusion=0.1, beta=2.0, alternative=[0, 2]).policy(G3, G3_REWARD)
    ),
    "alternative is 'left'; expected a World, or for every action": (
        lambda: gi.agents.false_dynamics(confusion=0.1, beta=2.0, alternative="left")
    ),
    "alternative is [-1, 0]; expected a World": lambda: gi.agents.false_dynamics(
        confusion=0.1, beta=2.0, alternative=[-1, 0]
    ),
    "a reward by outcome is not defined for the outcomes that this agent believes in": (
        lambda: gi.agents.false_dynamics(confusion=0.1, beta=2.0, alternative=[1, 0]).policy(G3, OUTCOMES)
    ),
    "default has shape (2,); this world needs (3, 4) (state, action; or (action,))": (
        lambda: gi.agents.kl_bounded(beta=2.0, default=[0.5, 0.5]).policy(HALL, NOWHERE)
    ),
    "default gives no available action a probability above 0 in state 'a'": (
        lambda: gi.agents.uniform(default=[0.0, 0.0, 1.0, 0.0]).policy(
            gi.gridworld("a.b", discount=0.9, blocked="unavailable"), NOWHERE
        )
    ),
    "default has shape (3,); this world needs (3, 2)": (
        lambda: gi.agents.successor_representation(beta=2.0, default=[0.2, 0.3, 0.5]).policy(G3, G3_REWARD)
    ),
    "default is 2; expected a finite number in [0, 1]": lambda: gi.agents.kl_bounded(beta=2.0, default=[2.0, -1.0]),
    "default is None; expected the default policy, ": lambda: gi.agents.kl_bounded(beta=2.0, default=None),
    "visits are the frequencies of the states": lambda: gi.agents.rational_inattention(
        beta=2.0, visits=[-1.0, 0.0, 2.0]
    ),
    "visits has shape (2,); this world needs (3,) (state)": (
        lambda: gi.agents.rational_inattention(beta=2.0, visits=[1.0, 2.0]).policy(G3, G3_REWARD)
    ),
    "visits are 0 in every state with an action": (
        lambda: gi.agents.rational_inattention(beta=2.0, visits=[0.0, 0.0, 1.0]).policy(G3, named_agents.GOAL)
    ),
    "places: goal 'number 1': ": lambda: gi.agents.subgoal(detour=0.5, beta=2.0, world=HALL, places=["a", "z"]),
    "places: goal 'far': ": lambda: gi.agents.subgoal(detour=0.5, beta=2.0, world=HALL, places={"far": (7, 7)}),
    "places: no goals were given": lambda: gi.agents.subgoal(detour=0.5, beta=2.0, world=HALL, places=[]),
    "an agent with subgoals needs a goal; found a ActionReward": (
        lambda: gi.agents.subgoal(detour=0.5, beta=2.0, world=G3).policy(G3, G3_REWARD)
    ),
    "a switching agent needs several rewards; found a ActionReward": (
        lambda: gi.agents.switching(switch=0.5, beta=2.0).policy(G3, G3_REWARD)
    ),
}


class _Outer(Noise):
    inner: object
    slip: float = 0.1

    def __call__(self, log_probs, available):
        return log_probs


@pytest.mark.parametrize(("message", "make"), [*(NUMBERS | TWICE | MEANINGLESS | WORLDS).items()])
def test_wrong_input(message, make):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)


def test_unknown_arguments():
    with pytest.raises(
        TypeError, match="optimistic takes no argument 'dept'; besides its own it takes horizon, depth, "
    ):
        gi.agents.optimistic(optimism=0.5, beta=2.0, dept=3)
    with pytest.raises(
        TypeError, match=r"slipping takes no argument 'gamma'; besides its own it takes .*outlook, beliefs$"
    ):
        gi.agents.slipping(slip=0.5, beta=2.0, gamma=3)
    with pytest.raises(TypeError, match=r"missing a required .*argument: 'horizon'"):
        gi.agents.hyperbolic(k=1.0, beta=2.0)
    with pytest.raises(TypeError, match="places is a str; expected a list of states or marks"):
        gi.agents.subgoal(detour=0.5, beta=2.0, world=HALL, places="ab")


def test_the_noise_of_an_agent_with_a_memory_is_that_of_its_planning_agent():
    assert gi.agents.habitual(persistence=0.5, beta=2.0, noise=Lapse(0.1)).planning.noise.lapse == 0.1


def test_one_of_several_equilibria_says_so():
    """Sophisticated, steeply biased and hardly random: what is done depends on what later selves are thought to do."""
    law = [
        [[0.94, 0.01, 0.02, 0.03], [0.29, 0.01, 0.0, 0.7]],
        [[0.01, 0.92, 0.0, 0.07], [0.83, 0.12, 0.01, 0.04]],
        [[0.73, 0.0, 0.0, 0.27], [0.0, 0.99, 0.0, 0.01]],
        [[0.09, 0.12, 0.0, 0.79], [0.44, 0.39, 0.17, 0.0]],
    ]
    world = gi.from_arrays(np.array(law), discount=0.95)
    reward = gi.ActionReward([[-2.07, -1.6], [-0.19, 0.99], [5.84, 2.09], [-4.93, -4.15]])
    with pytest.warns(
        gi.errors.SeveralSolutionsWarning, match=r"values of zero.*optimal planning.*differ by up to .* in state"
    ):
        gi.agents.quasi_hyperbolic(present_bias=0.3, beta=20.0, sophisticated=True).policy(world, reward)
    gi.agents.quasi_hyperbolic(present_bias=0.3, beta=1.0, sophisticated=True).policy(
        world, reward
    )  # warnings are errors
