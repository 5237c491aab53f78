"""Slow, plain NumPy answers to what biased agents do: planners, rules of choice, execution. See `oracles`.

Rewards are R[s, a, t] or r[s, a]. A planner returns an `oracles.Plan`; rules of choice take Q (S, A) with -inf where an
action is unavailable; execution takes a policy (S, A). Numbers in brackets are the sections of the theory.
"""

from __future__ import annotations

import numpy as np
import oracles
from oracles import Plan, hard

# -- shared ------------------------------------------------------------------------------------


def mean_reward(P: np.ndarray, R: np.ndarray) -> np.ndarray:
    """r[s, a] of either form of reward."""
    return np.asarray(R, float) if np.ndim(R) == 2 else oracles.expected(P, R)


def masked(Q: np.ndarray, available=None, terminal=None) -> np.ndarray:
    """-inf where an action is unavailable, NaN in terminal states."""
    Q = np.array(Q, float) if available is None else np.where(available, Q, -np.inf)
    if terminal is not None:
        Q[terminal] = np.nan
    return Q


def act(Q: np.ndarray, beta: float, bonus=0.0) -> np.ndarray:
    """softmax(beta Q + bonus) over the actions that are available, for every real beta; NaN rows stay NaN."""
    absent = np.isneginf(Q)
    logits = np.where(absent, -np.inf, beta * np.where(absent, 0.0, Q) + bonus)
    return np.exp(logits - oracles.log_sum_exp(logits)[..., None])


def mean(policy: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """sum_a pi Q, in which what is never done does not count."""
    return (policy * np.where(policy == 0, 0.0, Q)).sum(-1)


def uniform(shape: tuple[int, int], available=None) -> np.ndarray:
    """The same probability for every action that is available."""
    allowed = np.ones(shape) if available is None else np.asarray(available, float)
    return allowed / np.maximum(allowed.sum(1, keepdims=True), 1.0)


def solve(q_of, backup, n_states: int, terminal=None):
    """V and Q where V = backup(q_of(V)): undamped sweeps from V = 0 until rounding. Terminal states are worth zero."""
    V = np.zeros(n_states)
    for _ in range(100_000):
        V, last = np.array(backup(q_of(V))), V
        if terminal is not None:
            V[terminal] = 0.0
        if np.abs(V - last).max() <= 1e-15 * max(1.0, np.abs(V).max()):
            return V, q_of(V)
    raise AssertionError("value iteration did not converge")


def linear(P, R, discount, beta, backup=hard, available=None, terminal=None) -> Plan:
    """Q = r + discount P V, V = backup(Q), softmax of beta Q."""
    r = mean_reward(P, R)
    V, Q = solve(lambda V: masked(r + discount * P @ V, available, terminal), backup, len(P), terminal)
    return Plan(V, Q, act(Q, beta))


def judged(P, R, beta, judge, available=None, terminal=None) -> Plan:
    """Q[s, a] = judge(p, R, V) over the outcomes that are possible, V = max Q, softmax of beta Q."""
    R = np.broadcast_to(R if np.ndim(R) == 3 else np.asarray(R)[:, :, None], P.shape).astype(float)

    def q_of(V):
        Q = np.zeros(P.shape[:2])
        for s, a in np.ndindex(Q.shape):
            possible = P[s, a] > 0
            if possible.any():
                Q[s, a] = judge(P[s, a, possible], R[s, a, possible], V[possible])
        return masked(Q, available, terminal)

    V, Q = solve(q_of, hard, len(P), terminal)
    return Plan(V, Q, act(Q, beta))


def worth(P, R, discount, policy, terminal=None) -> np.ndarray:
    """What a policy collects: U = Pi r + discount P_pi U, a linear system."""
    ongoing = np.ones(len(P), bool) if terminal is None else ~np.asarray(terminal)
    choice = np.where(ongoing[:, None], policy, 0.0)
    onward = np.einsum("sa,sat->st", choice, P)
    return np.linalg.solve(np.eye(len(P)) - discount * onward, (choice * mean_reward(P, R)).sum(1))


# -- lookahead and discounting [1.1, 1.2] ------------------------------------------------------


def boltz_operator(P, R, discount, beta, available=None, terminal=None) -> Plan:
    """Backup by the softmax-weighted mean of Q [0]. Fixed points may be several: sweeps start at V = 0, undamped."""
    return linear(P, R, discount, beta, lambda Q: mean(act(Q, beta), Q), available, terminal)


def lookahead(P, R, discount, beta, depth, leaf=None, available=None, terminal=None) -> Plan:
    """Q = r + discount P V_{depth-1} after hard backups from V_0 = leaf (zero) [A8]; V is V_depth."""
    V = np.zeros(len(P)) if leaf is None else np.array(leaf, float)
    ongoing = np.ones(len(P), bool) if terminal is None else ~np.asarray(terminal)
    for _ in range(depth):
        Q = masked(mean_reward(P, R) + discount * P @ np.where(ongoing, V, 0.0), available, terminal)
        V = hard(Q)
    return Plan(np.where(ongoing, V, 0.0), Q, act(Q, beta))


def delayed(P, R, beta, weight, horizon, sophisticated, available=None, terminal=None) -> Plan:
    """Discounting by delay over a finite horizon [A10], `weight(d)` for what is d steps away, 1 / (1 + k d).

    With n steps to go, EU_n(s, a, d) = D(d) r + sum_t P C_{n-1}(a' | t, d') EU_{n-1}(t, a', d + 1), where d' is d + 1
    for the naive and 0 for the sophisticated agent, C_n(. | s, d) = softmax(beta EU_n(s, ., d)) and EU_1 = D(d) r.
    Returns what is seen, at delay 0: Q = EU and policy (H, S, A) in the order of time, V their mean (H, S).
    """
    r = mean_reward(P, R)
    EU = [weight(delay) * r for delay in range(horizon)]  # one step to go, by delay
    seen = [EU[0]]
    for to_go in range(2, horizon + 1):
        now = []
        for delay in range(horizon - to_go + 1):
            imagined = EU[0 if sophisticated else delay + 1]
            onward = (act(masked(imagined, available), beta) * EU[delay + 1]).sum(1)
            if terminal is not None:
                onward[terminal] = 0.0
            now.append(weight(delay) * r + P @ onward)
        EU = now
        seen.insert(0, EU[0])
    Q = np.array([masked(one, available, terminal) for one in seen])
    return Plan(mean(act(Q, beta), Q), Q, act(Q, beta))


def quasi_naive(P, R, discount, beta, present, available=None, terminal=None) -> Plan:
    """Q = r + b discount P V, where V is optimal without b [A11]."""
    V = linear(P, R, discount, beta, hard, available, terminal).V
    Q = masked(mean_reward(P, R) + present * discount * P @ V, available, terminal)
    return Plan(V, Q, act(Q, beta))


def quasi_sophisticated(P, R, discount, beta, present, available=None, terminal=None) -> Plan:
    """pi = softmax(beta (r + b discount P U)), U the exact worth of pi [A11]: from uniform, each step half way."""
    r, policy = mean_reward(P, R), uniform(P.shape[:2], available)
    for _ in range(100_000):
        U = worth(P, r, discount, policy, terminal)
        Q = masked(r + present * discount * P @ U, available, terminal)
        change = act(Q, beta) - policy
        if np.nanmax(np.abs(change)) <= 1e-15:
            return Plan(U, Q, act(Q, beta))
        policy = policy + change / 2
    raise AssertionError("the equilibrium was not found")


def chan_hyperbolic(P, R, discount, beta, k, available=None, terminal=None) -> Plan:
    """Q = sum_t P (R + discount V) / (1 + k V) [A12]."""

    def judge(p, R, V):
        assert (1 + k * V > 0).all(), "the discount is not positive"
        return p @ ((R + discount * V) / (1 + k * V))

    return judged(P, R, beta, judge, available, terminal)


# -- information, risk, optimism, distorted rewards [1.3, 1.4] ---------------------------------


def kl_default(P, R, discount, beta, default, available=None, terminal=None) -> Plan:
    """pi = pi0 exp(beta (Q - V)), V = (1 / beta) log sum pi0 exp(beta Q) [A13]. pi0 is (A,) or (S, A).

    Where pi0 puts weight on unavailable actions it is cut to the available ones and normalised, which matters for V.
    """
    cut = np.where(uniform(P.shape[:2], available) > 0, default, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        habit = np.log(cut / cut.sum(1, keepdims=True))
    V, Q, _ = linear(P, R, discount, beta, lambda Q: oracles.log_sum_exp(beta * Q + habit) / beta, available, terminal)
    return Plan(V, Q, act(Q, beta, habit))


def rational_inattention(Q: np.ndarray, beta: float, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """pi = q(a) exp(beta Q) / Z with q = sum_s p(s) pi(a | s) [A14]: policy (S, A) and q (A,), from q uniform.

    Stops on the gap max_a log sum_s p exp(beta Q) / Z < 1e-12. Terminal states (NaN rows) have weight zero.
    """
    met = weights > 0
    gain = np.exp(beta * (Q - Q.max(1, keepdims=True)))
    q = np.full(Q.shape[1], 1 / Q.shape[1])
    for _ in range(1_000_000):
        ratio = weights[met] @ (gain[met] / (gain[met] @ q)[:, None])
        if np.log(ratio.max()) < 1e-12:
            return q * gain / (gain @ q)[:, None], q
        q = q * ratio
    raise AssertionError("Blahut-Arimoto did not converge")


def foreseen_inattention(P, R, discount, beta, start, available=None, terminal=None) -> tuple[np.ndarray, np.ndarray]:
    """Soft planning around a habit q, V = (1 / beta) log sum q exp(beta Q), that is the marginal of the policy over its
    discounted visits from ``start`` [A14]: policy (S, A) and q (A,), from q uniform, in turns until the gap is 1e-12."""
    r, n = mean_reward(P, R), len(P)
    over = np.zeros(n, bool) if terminal is None else np.asarray(terminal)
    allowed = np.ones(r.shape) if available is None else np.asarray(available, float)
    q, policy = np.full(r.shape[1], 1 / r.shape[1]), uniform(r.shape, available)
    for _ in range(100_000):
        for _ in range(100):  # the value of the policy, information paid for; and the policy that is best then
            with np.errstate(divide="ignore", invalid="ignore"):
                paid = np.where(policy > 0, policy * np.log(policy / q), 0.0).sum(1) / beta
            income = np.where(over, 0.0, (policy * r).sum(1) - paid)
            moves = np.where(over[:, None], 0.0, np.einsum("sa,sat->st", policy, P))
            V = np.linalg.solve(np.eye(n) - discount * moves, income)
            Q = beta * (r + discount * P @ V)
            gain = allowed * np.exp(Q - Q.max(1, keepdims=True))
            policy, last = q * gain / (gain @ q)[:, None], policy
            if np.abs(policy - last).max() < 1e-14:
                break
        visits = np.where(over, 0.0, np.linalg.solve(np.eye(n) - discount * moves.T, start))
        ratio = visits @ (gain / (gain @ q)[:, None]) / visits.sum()
        if np.log(ratio.max()) < 1e-12:
            return policy, q
        q = q * ratio
    raise AssertionError("the habit did not converge")


def entropic(P, R, discount, beta, theta, available=None, terminal=None) -> Plan:
    """Q = (1 / theta) log sum_t P exp(theta (R + discount V)); the mean at theta = 0 [A16]."""

    def judge(p, R, V):
        x = R + discount * V
        if theta == 0:
            return p @ x
        y = theta * (x - p @ x)  # about the mean: exact for small theta, too
        log = np.log1p(p @ np.expm1(y)) if y.max() < 1 else oracles.log_sum_exp(np.log(p) + y)
        return p @ x + log / theta

    return judged(P, R, beta, judge, available, terminal)


def cvar(P, R, discount, beta, alpha, available=None, terminal=None) -> Plan:
    """Q = the mean of the alpha worst mass of R + discount V [A17]."""

    def judge(p, R, V):
        x, left, total = R + discount * V, alpha, 0.0
        for i in np.argsort(x):
            mass = min(p[i], left)
            total, left = total + mass * x[i], left - mass
        return total / (alpha - left)

    return judged(P, R, beta, judge, available, terminal)


def prospect_log(P, R, discount, beta, c, available=None, terminal=None) -> Plan:
    """Q = sum_t P (f(R) + discount V), f(x) = log(1 + x) for x >= 0, -c log(1 + |x|) below [A18]: the reward alone."""
    f = np.where(np.asarray(R) >= 0, 1.0, -c) * np.log1p(np.abs(R))
    return linear(P, f, discount, beta, hard, available, terminal)


def prospect_power(P, R, discount, beta, power, loss, available=None, terminal=None) -> Plan:
    """Q = sum_t P (u(R) + discount V), u(x) = x^a for x >= 0, -lambda |x|^a below [A18]; probabilities as they are."""
    u = np.where(np.asarray(R) >= 0, 1.0, -loss) * np.abs(R) ** power
    return linear(P, u, discount, beta, hard, available, terminal)


def cumulative_prospect(P, R, discount, beta, power, loss, c, available=None, terminal=None) -> Plan:
    """Q = sum over x = u(R) + discount V of decision weights times x: cumulative weights from the best gain and from the
    worst loss on, w(p) = p^c / (p^c + (1 - p)^c)^(1 / c) [A18]. Outcomes that are worth the same are one."""

    def w(p):
        p = min(max(p, 0.0), 1.0)
        return p**c / (p**c + (1 - p) ** c) ** (1 / c)

    def judge(p, R, V):
        x = np.where(R >= 0, 1.0, -loss) * np.abs(R) ** power + discount * V
        total = 0.0
        for level in np.unique(x):
            beyond = x > level if level >= 0 else x < level
            total += level * (w(p[beyond | (x == level)].sum()) - w(p[beyond].sum()))
        return total

    return judged(P, R, beta, judge, available, terminal)


def optimism(P, R, discount, beta, w, available=None, terminal=None) -> Plan:
    """Q = the mean of x = R + discount V under T proportional to P exp(w x), normalised; x in units of reward [A19]."""

    def judge(p, R, V):
        x = R + discount * V
        T = p * np.exp(w * x - (w * x).max())
        return T @ x / T.sum()

    return judged(P, R, beta, judge, available, terminal)


def illusion_of_control(P, R, discount, beta, n, available=None, terminal=None) -> Plan:
    """Q = the mean of R + discount V under T proportional to P^n on the support of P, normalised [A20]."""

    def judge(p, R, V):
        T = (p / p.max()) ** n
        return T @ (R + discount * V) / T.sum()

    return judged(P, R, beta, judge, available, terminal)


def extremal(P, R, beta, a, available=None, terminal=None) -> Plan:
    """Q = sum_t P max(R, (1 - a) R + a V) [A21]; no discount besides a."""
    return judged(P, R, beta, lambda p, R, V: p @ np.maximum(R, (1 - a) * R + a * V), available, terminal)


# -- wrong models, rules of choice, execution [1.1, 1.4 to 1.6] --------------------------------


def false_dynamics(P, R, discount, beta, alternative, m, available=None, terminal=None) -> Plan:
    """Plans with (1 - m) P + m P_alt [A23]; R[s, a, t] is expected under what is believed, r[s, a] is known."""
    return linear((1 - m) * P + m * alternative, R, discount, beta, hard, available, terminal)


def successor(P, R, discount, beta, w=0.0, default=None, available=None, terminal=None) -> Plan:
    """Q = r + discount P U, U the worth of pi0 (uniform over what is available) [A26]; with w, w Q* + (1 - w) Q."""
    pi0 = uniform(P.shape[:2], available) if default is None else default
    U = worth(P, R, discount, pi0, terminal)
    best = linear(P, R, discount, beta, hard, available, terminal)
    mixed = (1 - w) * U + w * best.V
    Q = masked(mean_reward(P, R) + discount * P @ mixed, available, terminal)
    return Plan(mixed, Q, act(Q, beta))


def slip_aware(P, R, discount, beta, eta, available=None, terminal=None) -> Plan:
    """Plans with what executing does [A30]: P and r are mixed with their means over the available actions."""
    even = uniform(P.shape[:2], available)
    r = mean_reward(P, R)
    slipping = (1 - eta) * P + eta * np.einsum("sa,sat->st", even, P)[:, None]
    return linear(slipping, (1 - eta) * r + eta * mean(even, r)[:, None], discount, beta, hard, available, terminal)


def satisficing(Q: np.ndarray, slack: float, sharpness: float) -> np.ndarray:
    """pi proportional to sigmoid(k (Q - max Q + c)) [A22]."""
    with np.errstate(invalid="ignore"):  # NaN where states are terminal
        accepted = np.exp(-np.logaddexp(0.0, -sharpness * (Q - Q.max(1, keepdims=True) + slack)))
    return accepted / accepted.sum(1, keepdims=True)


def lapse(policy: np.ndarray, eps: float, available=None) -> np.ndarray:
    """(1 - eps) pi + eps uniform over what is available [A5]; also what is executed when intentions slip [A30]."""
    return (1 - eps) * policy + eps * uniform(policy.shape, available)
