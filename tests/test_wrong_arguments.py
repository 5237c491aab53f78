"""Arguments of the wrong kind get a sentence that says what was found, what was expected, and what to do.

All in one process without the import hook of the tests, which would refuse most of them in words of its own.
"""

import json
import subprocess
import sys

import pytest

CASES = {
    # worlds
    "gi.gridworld(['s.', 'a.'], discount=0.9)": "the map is a list; expected text",
    "gi.gridworld('s.', discount='0.9')": "discount is '0.9'; expected a number in [0, 1]",
    "gi.gridworld('s.', discount=None)": "discount is None; expected a number in [0, 1]",
    "gi.gridworld('s.', discount=[0.9, 0.8])": "discount is [0.9, 0.8]; expected a number in [0, 1]",
    "gi.gridworld('s.', slip='a', discount=0.9)": "slip is 'a'; expected a probability, in [0, 1]",
    "gi.open_grid('3', 3, discount=0.9)": "rows is '3'; expected a whole number of at least 1",
    "gi.open_grid(2.5, 3, discount=0.9)": "rows is 2.5; expected a whole number of at least 1",
    "gi.garnet(0, states=5.0, actions=2, branching=2, discount=0.9)": "states is 5.0; expected a whole number of at least 1",
    "gi.from_arrays(successors=[[[5]]], probabilities=[[[1.0]]], discount=0.9)": "leads to state number 5; expected",
    "gi.from_arrays(np.full((2, 1, 2), 0.5), states=[{}, {}], discount=0.9)": "a name cannot be hashed; expected",
    "gi.graph_world([(1, 2)], discount=0.9)": "graph is a list; expected a networkx graph",
    "gi.graph_world(nx.path_graph(2), probability='p', discount=0.9)": "edge 0 -> 1 has no attribute 'p'",
    "gi.with_memory(3)": "world is a int; expected a World",
    "gi.gridworld('s.', stay='no', discount=0.9)": "stay is 'no'; expected True or False",
    "gi.gridworld('s.', blocked='wall', discount=0.9)": "blocked is 'wall'; expected 'stay' or 'unavailable'",
    "gi.open_grid(2, 2, stay='no', discount=0.9)": "stay is 'no'; expected True or False",
    "gi.graph_world(nx.path_graph(2), stay='no', discount=0.9)": "stay is 'no'; expected True or False",
    "gi.garnet(-1, states=3, actions=2, branching=2, discount=0.9)": "key is -1; expected a whole number in [0, 4294967296",
    # data
    "gi.Trajectories.of([[0, 1]], [[0]], observed=[['no']])": "observed holds <U2; expected True and False",
    "gi.Trajectories.of([[0, 1]], [[0]], observed=[[2.0]])": "observed holds float64; expected True and False",
    "read(trajectory=None)": "trajectory= is None; expected the name of a column",
    "read(table=TABLE.set_index('walk'))": "'walk' (trajectory=) is an index of the table, not a column: call reset_index",
    "read(table=TABLE.assign(t=[0, 1e30]))": "row 1: step 1e+30 is not an integer",
    "gi.Trajectories.of([[0, 1], [0]], [[0], [0]])": "states has rows of different lengths; fill them up with -1",
    "gi.Trajectories.of([[0, -1, 1]], [[0, 0]])": "trajectory 0 goes on after a state of -1",
    "gi.Trajectories.of([[-5, 1]], [[0]])": "states holds -5; expected numbers from 0 up, -1 where there is none",
    "gi.Trajectories.of([[0, 2**40]], [[0]])": "states holds 1099511627776; expected numbers",
    # rewards
    "gi.StateReward('abc', on='arrival')": "values of a StateReward: found 'abc'; expected numbers, or a prior such as",
    "gi.StateReward('1.0', on='arrival')": "found '1.0'; expected numbers",
    "gi.StateReward(dist.Normal, on='arrival')": "found Normal; expected numbers, or a prior",
    "gi.StateReward(None, on='arrival')": "values of a StateReward: found None; expected numbers, or a prior",
    "gi.goals(HALL, {'x': 'a'}, step_cost=float('nan'))": "step_cost of a GoalReward: found nan; expected finite numbers",
    "gi.goals(HALL, ['a'])": "places is a list; expected a mapping from name to place",
    "gi.goals(HALL, {'x': 'a'}, step_cost='1')": "step_cost of a GoalReward: found '1'; expected numbers",
    "gi.goals(HALL, {'x': 'a'}, step_cost=dist.HalfNormal(1.0))": "step_cost is a prior (HalfNormal), and the default value of a dead end is a multiple of the step cost: give dead_end=",
    "gi.StateReward.at(HALL, {'a': 'x'}, default=0.0, on='arrival')": "the value of 'a' is 'x'; expected a number",
    "gi.StateReward.at(HALL, {'a': 1.0}, default=None, on='arrival')": "default is None; expected a number",
    "gi.TransitionReward(np.full((3, 4, 3), 1j))": "expected numbers, or a prior",
    "gi.gridworld('s.', initial={'s': None}, discount=0.9)": "initial: the probability of 's' is None; expected a number",
    "gi.ShapedReward(3, np.zeros(3))": "base is a int; expected a reward",
    "gi.LinearReward(np.ones((3, 2)), [1.0, 2.0], on='arrival', names='ab')": "names is 'ab'; expected one name per",
    "gi.LinearReward(np.ones((3, 2)), [1.0, 2.0], on='arrival', names=['a', 'a'])": "all of them different",
    # agents
    "gi.agents.hyperbolic(k=1.0, beta=2.0, horizon=None)": "horizon is None; hyperbolic planning needs an end",
    "gi.agents.lookahead(depth=2.5, beta=2.0)": "depth is 2.5; expected a whole number of at least 1",
    "gi.agents.boltzmann(beta=2.0, backup='max')": "backup is 'max'; expected 'soft', 'hard' or 'mean'",
    "gi.agents.boltzmann(beta=2.0, outlook=gi.agents.Optimism)": "expected a risk measure such as goalinf.agents.Optimism(0.5)",
    "gi.agents.slipping(slip=0.1, beta=2.0, recorded='done')": "recorded is 'done'; expected 'executed' or 'intended'",
    "gi.agents.hyperbolic(k=1.0, beta=2.0, horizon=3, sophisticated='no')": "sophisticated is 'no'; expected True or False",
    "gi.agents.quasi_hyperbolic(present_bias=0.5, beta=2.0, sophisticated=1)": "sophisticated is 1; expected True or False",
    "gi.agents.slipping(slip=0.5, beta=2.0, foreseen='no')": "foreseen is 'no'; expected True or False",
    "gi.agents.rational_inattention(beta=2.0, foreseen='no')": "foreseen is 'no'; expected True or False",
    "gi.agents.anti_rational(beta=2.0, negated='no')": "negated is 'no'; expected True or False",
    "gi.agents.habitual(persistence=0.5, beta=2.0, by_state='no')": "by_state is 'no'; expected True or False",
    "gi.one_of([AGENT, AGENT], by='person')": "by is 'person'; expected 'subject', 'trajectory' or 'data'",
    "gi.agents.two_step(learning_rate_1=0.5, learning_rate_2=0.5, beta_1=1.0, beta_2=1.0, first='s')": "first, the number of the first state, is 's'; expected a whole",
    "gi.agents.lookahead(depth=gi.one_of([1, 2]), beta=2.0).policy(HALL, WANTS)": "agent is one_of(depth=[1, 2], weights=[0.5, 0.5], by='subject'); expected one of its agents, such as agent.components[0]",
    "gi.agents.boltzmann(beta=2.0).policy('hall', WANTS)": "world is a str; expected a World",
    "gi.agents.boltzmann(beta=2.0).policy(HALL, 3)": "reward is a int; expected a reward",
    "gi.agents.boltzmann(beta=2.0).policy(HALL, np.zeros(3))": "reward is a ndarray of shape (3,); expected a reward, which also defines when",
    "gi.agents.boltzmann(beta=2.0).policy(HALL, jax.numpy.zeros((3, 4)))": "the numbers are collected: gi.ActionReward(values)",
    "gi.agents.soft_optimal(beta=1e15).policy(HALL, GOOD)": "with beta 1e+15, discount 0.9, values reach",
    "gi.agents.boltzmann(beta=1e15).policy(HALL, GOOD)": "with beta 1e+15, discount 0.9, values reach 1e+16 (beta times reward",
    "gi.agents.soft_optimal(beta=1.0).policy(NEAR, GOOD)": "with beta 1, discount 0.999999999, the planner ended at values of",
    "gi.agents.soft_optimal(beta=jax.numpy.asarray(np.nan))": "beta is nan; expected a finite number in [0, inf]",
    "gi.StateReward(jax.numpy.array([0.0, np.nan, 1.0]), on='departure')": "entry [1] is nan; expected finite numbers",
    "gi.StateReward([0.0, 1.0, -np.inf], on='departure')": "entry [2] is -inf; expected finite numbers; to forbid an action",
    "gi.agents.subgoal(detour=0.5, beta=2.0, world='hall')": "world is a str; expected a World",
    "gi.agents.options(options=['left'], beta=2.0)": "options are a tuple of at least one goalinf.agents.Option",
    "gi.agents.mixture(3)": "mixture takes a list of options, or a mapping from name to option; found 3",
    # behavior and inference
    "gi.simulate(0.5, HALL, AGENT, WANTS, trajectories=1, steps=1)": "key is 0.5; expected a whole number in [0, 429496",
    "gi.simulate(True, HALL, AGENT, WANTS, trajectories=1, steps=1)": "key is True; expected a whole number",
    "gi.simulate(HALL, AGENT, WANTS, trajectories=1, steps=1)": "key is a World; expected a whole number in [0, 4294967296",
    "gi.simulate(jax.random.split(KEY), HALL, AGENT, WANTS, trajectories=1, steps=1)": "key holds an array of keys",
    "gi.simulate(KEY, HALL, 'soft', WANTS, trajectories=1, steps=1)": "agent is a str; expected an agent, such as",
    "gi.simulate(0, NEAR, AGENT, GOOD, trajectories=1, steps=1)": "with beta 1, discount 0.999999999, the planner ended",
    "gi.simulate(0, HALL, AGENT, [0, 0, 1], trajectories=1, steps=1)": "reward is a list of shape (3,); expected a reward",
    "gi.simulate(0, HALL, AGENT, np.zeros((3, 4)), trajectories=1, steps=1)": "gi.ActionReward(values)",
    "gi.infer(0, HALL, agent=AGENT, reward=np.zeros(3), data=WALK)": "gi.StateReward(values, on='departure') or on='arrival'",
    "gi.infer(0, HALL, agent=AGENT, reward=dist.Normal(0, 1), data=WALK)": "reward is a Normal; expected a reward that holds this prior",
    "gi.infer(0, HALL, agent=gi.agents.boltzmann(beta=1e15), reward=PRIOR, data=WALK)": "beta is 1e+15 and the reward reaches",
    "gi.Behavior(HALL, gi.agents.soft_optimal, WANTS)": "agent is a function; expected an agent",
    "gi.goal_posterior('hall', AGENT, GOALS, WALK)": "world is a str; expected a World",
    "gi.goal_posterior(HALL, None, GOALS, WALK)": "agent is not given; expected an agent",
    "gi.goal_posterior(HALL, AGENT, [WANTS], WALK)": "goals is a list; expected a mapping from name to reward",
    "gi.goal_posterior(HALL, AGENT, {'x': 3}, WALK)": "goal 'x' is a int; expected a reward",
    "gi.goal_posterior(HALL, AGENT, GOALS, TABLE)": "data is a DataFrame; expected trajectories; read a table with",
    "gi.goal_posterior(HALL, AGENT, GOALS, WALK, after_goal='uniform')": "after_goal is 'uniform'; expected 'continue' or",
    "gi.goal_posterior(HALL, AGENT, GOALS, WALK, prior=[1.0])": "prior is a list; expected a mapping from goal to weight",
    "gi.inference.find_map(None, HALL, agent=AGENT, reward=PRIOR, data=WALK)": "key is None; expected a whole number",
    "gi.inference.find_map(2**32, HALL, agent=AGENT, reward=PRIOR, data=WALK)": "key is 4294967296; expected a whole number in [0,",
    "gi.infer(HALL, agent=AGENT, reward=PRIOR, data=WALK)": "or a JAX random key, such as jax.random.key(0). Was the key",
    "gi.inference.marginal_likelihood(3)": "marginal_likelihood() missing 1 required positional argument: 'fit'",
    "gi.identify.agent_posterior(HALL, {'x': AGENT}, PRIOR, WALK)": "key is a World; expected",
    "gi.identify.feasible_set(HALL, [0, 0, 0], rewards='departure').extreme('a')": "key is 'a'; expected a whole number",
    "gi.identify.invariance(HALL, 'constant').apply(WANTS, 'a')": "key is 'a'; expected a whole number",
    "gi.inference.find_map(KEY, HALL, agent=AGENT, reward=PRIOR, data=WALK, model=print)": "give either model=, or world",
    "infer(draws=0, method='laplace')": "draws is 0; expected a whole number",
    "infer(progress='no')": "progress is 'no'; expected True or False",
    "infer(chain_method='parallel')": "chain_method is 'parallel'; expected 'threads' or 'vectorized'",
    "infer(target_accept=2)": "target_accept is 2; expected a number in (0, 1)",
    "infer(target_accept=0)": "target_accept is 0; expected a number in (0, 1)",
    "infer(target_accept=True)": "target_accept is True; expected a number in (0, 1)",
    "infer(method='mcmc')": "method is 'mcmc'; expected 'auto', 'hmc', 'nuts', 'independence', 'laplace' or 'svi'",
    "infer(precision='double')": "precision is 'double'; expected 'float64' or 'float32'",
    "infer(chains=True)": "chains is True; expected a whole number of at least 1",
    "infer(draws=None)": "draws is None; expected a whole number of at least 1",
    "infer(warmup=-1)": "warmup is -1; expected a whole number of at least 0",
    "infer(method='laplace', warmup=10)": "remove warmup=, which method='laplace' does not use",
    "infer(method='svi', chains=2, checkpoint='x.nc')": "remove chains= and checkpoint=, which method='svi' does not use",
    "infer(method='independence', target_accept=0.9)": "remove target_accept=, which method='independence' does not use",
    "infer(steps=10)": "remove steps=, which method='auto' does not use",
    "gi.resume(FIT, draws=10, progress='no')": "progress is 'no'; expected True or False",
    "gi.resume(FIT, draws=True)": "draws is True; expected a whole number of at least 1",
    "FIT.save('x.nc', overwrite='no')": "overwrite is 'no'; expected True or False",
    "gi.compare({'a': FIT, 'b': FIT}, unit='walk')": "unit is 'walk'; expected 'step', 'trajectory' or 'subject'",
    "gi.plot.audit_page(gi.audit(FIT, quick=True), 'x.html', overwrite='no')": "overwrite is 'no'; expected True or False",
    "gi.inference.log_predictive_density({'a': FIT}, WALK)": "fit is a dict; expected a Fit, such as gi.infer returns",
    "gi.Behavior(HALL, AGENT, WANTS).log_prob(TABLE)": "value, the data to score, is a DataFrame; expected trajectories",
    "FIT.rewards(2.5)": "n is 2.5; expected a whole number of at least 1",
    "FIT.rewards(2, seed=None)": "seed is None; expected a whole number of at least 0",
    "FIT.rewards(11)": "n is 11; this fit has 10 draws",
    "FIT.predict(0, '3')": "n is '3'; expected a whole number of at least 1",
    # identification and pictures
    "gi.identify.distance.starc(HALL, WANTS, 3)": "reward2 is a int; expected a reward",
    "gi.identify.distance.starc(HALL, WANTS, WANTS, canonicalization='best')": "expected 'minimal' or 'value-adjusted'",
    "gi.identify.controllability_deficit(HALL, horizon=2.5)": "horizon is 2.5; expected a number of steps, at least 1",
    "gi.identify.distance.starc(HALL, WANTS, np.zeros(3))": "reward2 is a ndarray of shape (3,); expected a reward, which",
    "gi.identify.feasible_set(HALL, [0, 0, 0], rewards='departure').contains(np.zeros(3))": "reward is a ndarray of shape (3,)",
    "gi.identify.feasible_set(HALL, AGENT, rewards='departure')": "policy is a PlanningAgent; expected probabilities, such as agent.policy(world, reward)",
    "gi.plot.reward(HALL, np.zeros(3))": "reward is a ndarray of shape (3,); expected a reward",
    "gi.plot.policy(HALL, 'left')": "agent is a str; expected an agent, or probabilities (state, action)",
    "gi.plot.policy(HALL, np.ones((3, 5)))": "the policy has shape (3, 5); this world needs (3, 4)",
    "gi.identify.null_space(HALL, {'a': 3}, WANTS)": "the agent of context 'a' is a int; expected an agent",
    "gi.identify.feasible_set(HALL, [0, 0, 0], rewards='state')": "rewards is 'state'; expected 'departure', 'arrival' or",
    "gi.identify.feasible_set(HALL, ['left'] * 3, rewards='action')": "expected the number of an action in every state",
    "gi.identify.invariance(HALL, 'shift')": "kind is 'shift'; expected one of 'constant', 'potential'",
    "gi.identify.ambiguity(HALL, 'returns')": "source is 'returns'; expected one of 'optimal values', 'policy'",
    "gi.identify.transferability([3])": "world number 0 is a int; expected a World",
    "gi.identify.controllability_deficit(None)": "world is not given; expected a World",
    "gi.identify.null_space(HALL, 'soft', WANTS)": "agent is a str; expected an agent",
    "gi.inference.marginal_likelihood(KEY, 3)": "fit is a int; expected a Fit",
    "gi.identify.zero_reward(KEY, 3)": "fit is a int; expected a Fit",
    "gi.identify.expected_regret(3)": "fit is a int; expected a Fit",
    "gi.audit(3, quick='yes')": "quick is 'yes'; expected True or False",
    "gi.audit(3)": "fit is a int; expected a Fit, such as gi.infer returns",
    "gi.identify.agent_equivalence(HALL, AGENT, WANTS, [AGENT])": "expected a mapping such as {'hard': gi.agents.boltzmann(beta=2.0)}",
    "gi.identify.agent_equivalence(HALL, AGENT, WANTS, {'x': 3})": "'x' is a int; expected an agent",
    "gi.identify.agent_equivalence(HALL, AGENT, WANTS, {'x': AGENT}, nats='5')": "nats is '5'; expected a number of at least 0",
    "gi.identify.agent_equivalence(HALL, AGENT, WANTS, {'x': AGENT}, starts=0)": "starts is 0; expected a whole number",
    "gi.identify.agent_equivalence('hall', AGENT, WANTS, {'x': AGENT})": "expected a World, found str",
    "gi.identify.agent_equivalence(HALL, AGENT, WANTS, {'x': AGENT}, visits='abc')": "visits have shape () and type <U3; expected",
    "gi.identify.agent_equivalence(HALL, AGENT, WANTS, {'x': AGENT}, prior=3)": "prior is a int and reward a StateReward; expected",
    "gi.identify.agent_equivalence(HALL, AGENT, WANTS, {'x': AGENT}, seed=-1)": "seed is -1; expected a whole number of at least 0",
    "gi.identify.agent_posterior(KEY, HALL, [AGENT], PRIOR, WALK)": "expected a mapping such as {'soft':",
    "gi.identify.agent_posterior(KEY, HALL, {'x': 3}, PRIOR, WALK)": "'x' is a int; expected an agent",
    "gi.identify.agent_posterior(KEY, HALL, {'x': AGENT}, PRIOR, WALK, weights=[1.0])": "weights are [1.0]; expected a number for",
    "gi.identify.agent_posterior(KEY, HALL, {'x': AGENT}, PRIOR, WALK, weights={'x': 'a'})": "the weight of 'x' is 'a'; expected",
    "gi.identify.score_pairs(HALL, 3, WALK)": "pairs is a int; expected a sequence of pairs, such as gi.identify.degenerate_pairs returns",
    "gi.identify.score_pairs(HALL, [AGENT], WALK)": "pair 0 is a PlanningAgent; expected a pair, such as gi.identify.degenerate_pairs returns",
    "gi.identify.score_pairs(HALL, gi.identify.degenerate_pairs(HALL, AGENT, WANTS), 3)": "data is a int; expected trajectories",
    "gi.identify.design_experiment(KEY, 3, {'x': gi.identify.Demonstrations(HALL, AGENT)})": "rewards is a int; expected a Fit",
    "gi.identify.design_experiment(KEY, [WANTS] * 2, [])": "expected a mapping from name to gi.identify.Demonstrations",
    "gi.identify.design_experiment(KEY, [WANTS] * 2, {'x': HALL})": "'x' is a World; expected gi.identify.Demonstrations or gi.identify.PreferenceQuery",
    "gi.identify.design_experiment(KEY, [WANTS, 3], {'x': gi.identify.Demonstrations(HALL, AGENT)})": "reward 1 is a int; expected a reward",
    "gi.identify.Demonstrations(3, AGENT)": "world is a int; expected a World",
    "gi.identify.Demonstrations(HALL, AGENT, starts='nowhere')": "nowhere",
    "gi.identify.PreferenceQuery(HALL, 3)": "walks is a int; expected two trajectories in one gi.Trajectories",
    "gi.identify.misspecification_matrix(KEY, 'hall', {'a': AGENT}, [WANTS] * 2)": "world is a str; expected a World",
    "gi.identify.misspecification_matrix(KEY, HALL, AGENT, [WANTS] * 2)": "agents is a PlanningAgent; expected a mapping from name",
    "gi.identify.misspecification_matrix(KEY, HALL, {1: AGENT}, [WANTS] * 2)": "the name 1 of an agent is a int; expected a string",
    "gi.identify.misspecification_matrix(KEY, HALL, {'a': 'b'}, [WANTS] * 2)": "agent 'a' is a str; expected an agent",
    "gi.identify.misspecification_matrix(KEY, HALL, {'a': AGENT}, WANTS)": "rewards is a StateReward; expected a sequence or a",
    "gi.identify.misspecification_matrix(KEY, HALL, {'a': AGENT}, [WANTS, 3.0])": "reward 1 is a float; expected a reward",
    "gi.identify.misspecification_matrix(KEY, HALL, {'a': AGENT}, [WANTS] * 2, transfer='e')": "transfer is a str; expected",
    "gi.identify.misspecification_matrix(KEY, HALL, {'a': AGENT}, [WANTS] * 2, steps=2.5)": "steps is 2.5; expected a whole",
    "gi.identify.misspecification_matrix(KEY, HALL, {'a': AGENT}, [WANTS] * 2, level='x')": "level is 'x'; expected a number in",
    "gi.plot.audit(3)": "audit is a int; expected an Audit",
    "gi.plot.audit_page(3, 'x.html')": "audit is a int; expected an Audit",
    "gi.plot.trajectories(3)": "data is a int; expected trajectories",
}

PROGRAM = """
import json, sys
import jax, networkx as nx, numpy as np, numpyro.distributions as dist, pandas as pd
import goalinf as gi

HALL, NEAR = (gi.gridworld("s.a", discount=discount) for discount in (0.9, 1.0 - 1e-9))
GOOD = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")
AGENT, WANTS, KEY = gi.agents.soft_optimal(beta=1.0), gi.StateReward.zero(HALL), jax.random.key(0)
PRIOR = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
GOALS, WALK = gi.goals(HALL, {"end": "a"}), gi.Trajectories.of([[0, 1]], [[3]])
TABLE = pd.DataFrame({"walk": 0, "t": [0, 1], "row": 0, "col": [0, 1]})

def read(table=TABLE, **options):
    columns = {"trajectory": "walk", "step": "t", "state": ["row", "col"]}
    return gi.read_trajectories(table, HALL, **{**columns, **options})

def infer(**settings):
    return gi.infer(KEY, HALL, agent=AGENT, reward=PRIOR, data=WALK, **settings)

FIT = gi.infer(KEY, HALL, agent=AGENT, reward=PRIOR, data=WALK, draws=10, method="laplace")

said = {}
for code in json.load(sys.stdin):
    try:
        said[code] = f"no error: {eval(code)!r}"
    except Exception as error:
        said[code] = f"{type(error).__name__}: {error}"
json.dump(said, sys.stdout)
"""


@pytest.fixture(scope="module")
def said():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        input=json.dumps(list(CASES)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("code", CASES)
def test_what_is_said(said, code):
    kind, message = said[code].split(": ", 1)
    assert CASES[code] in message
    assert kind in ("TypeError", "ValueError", "ConvergenceError", "PrecisionError")
