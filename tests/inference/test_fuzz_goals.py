"""Posteriors over goals against brute force: every hypothesis is scored on the same choices."""

import numpy as np
import oracles
from hypothesis import assume, given
from hypothesis import strategies as st
from random_worlds import fuzzed, worlds

import goalinf as gi

S, A, STEPS = 5, 2, 5


def reaches(P, available, targets):
    """States from which one of the targets can be reached; the targets themselves."""
    moves = (P * available[..., None]).max(1) > 0
    found = targets.copy()
    for _ in range(len(P)):
        found |= moves @ found
    return found


def policy_for(drawn, goal, *, agent, beta, step_cost, bonus, dead_end):
    """Choice probabilities of an agent with one goal, in a reached goal too: being there is worth zero.

    A state that cannot reach the goal, and a rival end of the episode, are dead ends.
    """
    dead = ~reaches(drawn.P, drawn.counted, goal)
    r = (drawn.P * (bonus * goal - step_cost)).sum(-1)
    values = np.where(goal, 0.0, np.where(dead, dead_end, np.nan))
    return getattr(oracles, agent)(drawn.P, r, drawn.discount, beta, drawn.available, pinned=values).policy


@st.composite
def walks(draw, drawn):
    """A trajectory of possible moves, whatever the goal; it ends where the world ends."""
    states = [draw(st.sampled_from(np.flatnonzero(~drawn.terminal).tolist()))]
    actions = []
    while len(actions) < STEPS and not drawn.terminal[states[-1]]:
        actions.append(draw(st.sampled_from(np.flatnonzero(drawn.available[states[-1]]).tolist())))
        states.append(draw(st.sampled_from(np.flatnonzero(drawn.P[states[-1], actions[-1]]).tolist())))
    return states, actions


@fuzzed
@given(
    drawn=worlds(S, A, discount=st.sampled_from([1.0, 0.9, 0.5])),
    places=st.lists(st.sets(st.integers(0, S - 1), min_size=1, max_size=2), min_size=2, max_size=3),
    agent=st.sampled_from(["boltzmann_q", "mce"]),
    beta=st.sampled_from([0.5, 2.0]),
    costs=st.sampled_from([(2.0, 0.0), (2.0, 3.0)]),
    data=st.data(),
)
def test_goal_posteriors_equal_brute_force(drawn, places, agent, beta, costs, data):
    """After every step, with prior weights; evidence and log-likelihoods too."""
    step_cost, bonus = costs
    targets = [np.isin(np.arange(S), list(place)) for place in places]
    goals = gi.goals(drawn.world, {f"g{i}": sorted(p) for i, p in enumerate(places)}, step_cost=step_cost, bonus=bonus)
    dead_end = -step_cost * S
    if agent == "mce" and drawn.discount == 1.0:
        assume(beta * step_cost > np.log(A) + 0.1)  # else it would rather wander for ever
    states, actions = data.draw(walks(drawn))
    weights = np.arange(1.0, 1.0 + len(goals))
    make = gi.agents.boltzmann if agent == "boltzmann_q" else gi.agents.soft_optimal
    found = gi.goal_posterior(
        drawn.world,
        make(beta=beta),
        goals,
        gi.Trajectories.of([states], [actions]),
        prior=dict(zip(goals, weights, strict=True)),
    )
    options = {"agent": agent, "beta": beta, "step_cost": step_cost, "bonus": bonus, "dead_end": dead_end}
    logs = []
    for goal in targets:
        policy = policy_for(drawn, goal, **options)
        logs.append(oracles.step_log_probabilities(policy, [states], [actions]))
    np.testing.assert_allclose(found.values[:, 1:], oracles.goal_posterior(logs, weights), atol=1e-8)
    totals = np.array([each.sum() for each in logs])
    np.testing.assert_allclose(found["log_likelihood"].values[0], totals, atol=1e-8)
    evidence = np.log(np.exp(totals) @ weights / weights.sum())
    np.testing.assert_allclose(found["evidence"].values[0], evidence, atol=1e-8)
