"""Slow, plain NumPy answers where choices depend on the past: latent modes, habits, learning. See `agent_oracles`.

Latent modes are scored by the sum over every path of modes, so keep problems tiny. Numbers in brackets are the sections
of the theory.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import agent_oracles
import numpy as np

# -- latent modes -----------------------------------------------------------------------------


class Modes(NamedTuple):
    """Policies (M, S, A); probability of the first mode, (M,) or (S, M) by the first state; from mode to mode, (M, M)
    or (S, M, M) by the state that is arrived at, before the next choice is made there.
    """

    policies: np.ndarray
    initial: np.ndarray
    kernel: np.ndarray


def modes_log_likelihood(policies, initial, kernel, states: Sequence[int], actions: Sequence[int]) -> float:
    """log of sum over z_0 .. z_{T-1} of initial(z_0) prod_t policies[z_t](a_t | s_t) prod_t kernel_{s_t}(z_{t-1}, z_t).

    One trajectory: T actions and the states in which they are chosen; a state after the last choice is not used.
    """
    total = 0.0
    for path in itertools.product(range(len(policies)), repeat=len(actions)):
        p = 1.0
        for t, z in enumerate(path):
            s = states[t]
            if t == 0:
                p *= initial[s][z] if np.ndim(initial) == 2 else initial[z]
            else:
                p *= kernel[s][path[t - 1]][z] if np.ndim(kernel) == 3 else kernel[path[t - 1]][z]
            p *= policies[z][s][actions[t]]
        total += p
    return math.log(total) if total > 0 else -math.inf


def plan_commitment(policies, depths: Sequence[float], durations: Sequence[float], replan: float) -> Modes:
    """A plan is drawn, followed for a while, and drawn anew [A29].

    `policies` (D, S, A) and `depths` (D,), the probability of each plan when planning, which happens before the first
    choice. The mode is (d, j): plan d, of which j choices have been made; all its choices are by policies[d]. After a
    choice, planning happens for certain when the plan has been followed for durations[d] choices (in the theory
    min(depth, L); np.inf: never), else with probability `replan`; otherwise (d, j) becomes (d, j + 1). Planning draws
    d from `depths`, whatever d was, and starts at j = 0. A plan that may last for ever has one mode.
    """
    lengths = [1 if math.isinf(n) else int(n) for n in durations]
    modes = [(d, j) for d, n in enumerate(lengths) for j in range(n)]
    fresh = np.array([depths[d] if j == 0 else 0.0 for d, j in modes])
    kernel = np.zeros((len(modes), len(modes)))
    for z, (d, j) in enumerate(modes):
        if j + 1 == durations[d]:
            kernel[z] = fresh
        else:
            kernel[z] = replan * fresh
            kernel[z, modes.index((d, j if math.isinf(durations[d]) else j + 1))] += 1 - replan
    return Modes(np.array([policies[d] for d, _ in modes]), fresh, kernel)


def goal_switching(policies, prior: Sequence[float], switch: float) -> Modes:
    """Before every choice but the first, with probability `switch` the goal is drawn anew from the prior [A33].

    The draw may return the goal it replaces. `policies` (G, S, A), one for each goal.
    """
    prior = np.asarray(prior, float)
    kernel = (1 - switch) * np.eye(len(prior)) + switch * np.tile(prior, (len(prior), 1))
    return Modes(np.asarray(policies), prior, kernel)


def abandonment(pursuing, default, hazard: float, recovery: float = 0.0) -> Modes:
    """Mode 0 pursues, and the first choice always does; mode 1 has given up and follows a default policy [A32].

    Before every later choice: 0 becomes 1 with probability `hazard`, 1 becomes 0 with probability `recovery`.
    """
    kernel = np.array([[1 - hazard, hazard], [recovery, 1 - recovery]])
    return Modes(np.array([pursuing, default]), np.array([1.0, 0.0]), kernel)


def via_points(goal, policies, places: Sequence[int], kappa: float) -> Modes:
    """With probability kappa one of the via-points, drawn uniformly, comes before the goal [A34].

    `goal` (S, A) is the policy to the goal, policies (V, S, A) lead to the states `places` (V,). Mode 0 heads for the
    goal, mode 1 + v for via-point v until it is first hit: in places[v] itself the choice is already by `goal`, also
    where the episode begins there.
    """
    n_states, n = len(goal), len(places)
    initial = np.tile([1 - kappa] + n * [kappa / max(n, 1)], (n_states, 1))
    if n == 0:
        initial[:, 0] = 1.0
    kernel = np.tile(np.eye(n + 1), (n_states, 1, 1))
    for v, place in enumerate(places, start=1):
        initial[place, 0] += initial[place, v]
        initial[place, v] = 0.0
        kernel[place, v] = np.eye(n + 1)[0]
    return Modes(np.array([goal, *policies]), initial, kernel)


def option_values(P, R, discount, policies, ends, starts=None, terminal=None) -> np.ndarray:
    """Q(s, o) of starting option o in s and choosing the best option whenever one ends, without errors [A35].

    On arriving in t, o goes on with probability 1 - ends[o, t], else the best option that starts in t follows. Some
    option starts in every state, unless it is terminal.
    """
    r, n_states = agent_oracles.mean_reward(P, R), len(P)
    starts = np.ones((len(policies), n_states), bool) if starts is None else np.asarray(starts)
    over = np.zeros(n_states, bool) if terminal is None else np.asarray(terminal)
    assert (starts.any(0) | over).all(), "a state in which no option starts"

    def q_of(V):  # V: what option o will collect from state s, with all of its continuations, (O * S,)
        V = V.reshape(len(policies), n_states)
        best = np.where(starts | over, V, -np.inf).max(0)
        onward = np.where(over, 0.0, (1 - ends) * V + ends * best)
        return np.stack([(pi * (r + discount * P @ U)).sum(1) for pi, U in zip(policies, onward, strict=True)])

    V, _ = agent_oracles.solve(q_of, lambda Q: np.where(over, 0.0, Q).ravel(), len(policies) * n_states)
    return np.where(starts, V.reshape(len(policies), n_states), -np.inf).T


def options(Q, policies, ends, beta: float, early: float, overshoot: float) -> Modes:
    """Options that end when they should not, and go on when they should end [A35].

    Mode o follows policies[o] (S, A). On arriving in s it ends with probability (1 - overshoot) ends[o, s] +
    early (1 - ends[o, s]), and the next option is drawn from softmax(beta Q[s]), which may be the same one; the first
    is drawn alike. Q (S, O) is -inf where an option cannot start, which does not stop one that goes on.
    """
    drawn = agent_oracles.act(np.asarray(Q, float), beta)
    stop = (1 - overshoot) * ends + early * (1 - np.asarray(ends, float))
    kernel = np.zeros((len(drawn), len(policies), len(policies)))
    for s, o in np.ndindex(kernel.shape[:2]):
        kernel[s, o] = stop[o, s] * drawn[s]
        kernel[s, o, o] += 1 - stop[o, s]
    return Modes(np.asarray(policies), drawn, kernel)


# -- habits -----------------------------------------------------------------------------------


def choice_kernel(actions: Sequence[int], rate: float, n_actions: int) -> np.ndarray:
    """K before every choice and after the last, (T + 1, A): from zero, K + rate (onehot(a) - K) [A25]."""
    K = [np.zeros(n_actions)]
    for a in actions:
        K.append(K[-1] + rate * (np.eye(n_actions)[a] - K[-1]))
    return np.array(K)


def persevering(Q: np.ndarray, beta: float, kappa: float, previous: Sequence[int], rate: float = 1.0) -> np.ndarray:
    """softmax(beta Q + kappa K) (S, A) after the actions `previous`; at rate 1 K marks the last, and none at first."""
    return agent_oracles.act(Q, beta, kappa * choice_kernel(previous, rate, Q.shape[1])[-1])


# -- learning ---------------------------------------------------------------------------------


def q_learning(states, actions, rewards, arrivals, alpha, beta, discount, initial, available=None, terminal=None):
    """log-probability of every choice, (T,), by an agent that learns: softmax(beta Q[s]), then
    Q[s, a] += alpha (reward + discount max Q[s'] - Q[s, a]).

    `initial` is Q (S, A) before the first choice. Choices come one after another, also of several episodes. The maximum
    is over what is available in s', and zero where s' is terminal.
    """
    Q = np.array(initial, float)
    logs = []
    for s, a, reward, following in zip(states, actions, rewards, arrivals, strict=True):
        shown = agent_oracles.masked(Q, available, terminal)
        logs.append(math.log(agent_oracles.act(shown, beta)[s, a]))
        onward = 0.0 if terminal is not None and terminal[following] else shown[following].max()
        Q[s, a] += alpha * (reward + discount * onward - Q[s, a])
    return np.array(logs)


def two_step(choice1, state2, choice2, reward, a1, a2, b1, b2, lam, p, w, common=0.7) -> np.ndarray:
    """log-probabilities of both choices of every trial, (T, 2), by the hybrid of Daw et al. 2011 [A27].

    Choice i of the first stage leads to state i of the second with probability `common`, which is known. Stage one:
    softmax of b1 (w Q_MB + (1 - w) Q_MF + p rep), where rep marks the first choice of the trial before (none at first)
    and Q_MB(i) = sum_s P(s | i) max Q2[s]. Stage two: softmax of b2 Q2[s]. All values start at zero. After a trial,
    with Q2 as it was before the trial in both lines:

        Q_MF[c1] += a1 (Q2[s, c2] - Q_MF[c1]) + a1 lam (reward - Q2[s, c2])
        Q2[s, c2] += a2 (reward - Q2[s, c2])

    A choice of -1 is missing: its log-probability is 0. Without the second nothing is learned, without the first no
    Q_MF, and rep stays.
    """
    reach = np.array([[common, 1 - common], [1 - common, common]])
    model_free, Q2, repeated = np.zeros(2), np.zeros((2, 2)), np.zeros(2)
    logs = []
    for c1, s, c2, R in zip(choice1, state2, choice2, reward, strict=True):
        stage1 = w * reach @ Q2.max(1) + (1 - w) * model_free + p * repeated
        first, second = agent_oracles.act(stage1, b1), agent_oracles.act(Q2[s], b2)
        logs.append([math.log(first[c1]) if c1 >= 0 else 0.0, math.log(second[c2]) if c2 >= 0 else 0.0])
        if c2 >= 0:
            surprise = R - Q2[s, c2]
            if c1 >= 0:
                model_free[c1] += a1 * (Q2[s, c2] - model_free[c1]) + a1 * lam * surprise
            Q2[s, c2] += a2 * surprise
        if c1 >= 0:
            repeated = np.eye(2)[c1]
    return np.array(logs)
