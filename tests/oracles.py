"""Slow, plain NumPy answers to what the library computes. Nothing here is shared with the library.

Everything is float64 and dense: transitions ``P[s, a, t]``, rewards ``r[s, a]``. Where an argument is left out, every
action is available and no state is terminal. Nothing is collected or chosen in a terminal state: its value is zero and
its rows of Q and of the policy are NaN, so that nobody uses them by mistake.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

# -- rewards ----------------------------------------------------------------------------------


def departure(P: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """r[s, a] of a state reward that is collected when acting in the state."""
    return np.repeat(np.asarray(rho, float)[:, None], P.shape[1], axis=1)


def arrival(P: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """r[s, a] of a state reward that is collected when entering the state."""
    return P @ np.asarray(rho, float)


def expected(P: np.ndarray, R: np.ndarray) -> np.ndarray:
    """r[s, a] of a transition reward R[s, a, t]."""
    return (P * R).sum(2)


def shaping(P: np.ndarray, discount: float, potential: np.ndarray) -> np.ndarray:
    """r[s, a] of the potential shaping: discount * Phi(t) - Phi(s)."""
    return discount * P @ potential - potential[:, None]


# -- planning ---------------------------------------------------------------------------------


class Plan(NamedTuple):
    """Values (S,), Q (S, A) and policy (S, A); with a first axis for time where the horizon is finite."""

    V: np.ndarray
    Q: np.ndarray
    policy: np.ndarray


def log_sum_exp(x: np.ndarray) -> np.ndarray:
    """log sum exp along the last axis; entries may be -inf, but not all of them."""
    top = np.max(x, axis=-1, keepdims=True)
    return (top + np.log(np.exp(x - top).sum(-1, keepdims=True)))[..., 0]


def hard(Q: np.ndarray) -> np.ndarray:
    """The values of states whose best action is taken."""
    return Q.max(-1)


def soft(beta: float) -> Callable[[np.ndarray], np.ndarray]:
    """(1 / beta) log sum exp(beta Q), the values of states under maximum causal entropy."""
    return lambda Q: log_sum_exp(beta * Q) / beta


def q_values(P: np.ndarray, r: np.ndarray, discount: float, V: np.ndarray, available=None, terminal=None) -> np.ndarray:
    """Q = r + discount P V; -inf where an action is unavailable, NaN in terminal states."""
    Q = r + discount * P @ V
    if available is not None:
        Q = np.where(available, Q, -np.inf)
    if terminal is not None:
        Q[terminal] = np.nan
    return Q


def _pinned(n_states: int, terminal, pinned) -> np.ndarray:
    fixed = np.full(n_states, np.nan) if pinned is None else np.array(pinned, float)
    if terminal is not None:
        fixed[np.asarray(terminal)] = 0.0
    return fixed


def act(Q: np.ndarray, beta: float) -> np.ndarray:
    """softmax(beta Q) in every state; NaN rows stay NaN."""
    return np.exp(beta * Q - log_sum_exp(beta * Q)[..., None])


def fixed_point(P, r, discount, backup, available=None, terminal=None, pinned=None) -> tuple[np.ndarray, np.ndarray]:
    """V and Q after so many sweeps that the rest is below rounding; the last change is asserted to be.

    `pinned` holds values that are given (dead ends), NaN elsewhere. At discount 1 sweeps go on until nothing changes.
    """
    fixed = _pinned(len(P), terminal, pinned)
    sweeps = 100_000 if discount == 1.0 else 1 if discount == 0.0 else math.ceil(math.log(1e-17) / math.log(discount))
    V = np.nan_to_num(fixed)
    for _ in range(sweeps + 1):
        backed_up = backup(q_values(P, r, discount, V, available, terminal))
        V, last = np.where(np.isnan(fixed), backed_up, fixed), V
        if np.array_equal(V, last):
            break
    assert np.abs(V - last).max() <= 1e-14 * max(1.0, np.abs(V).max()), "value iteration did not converge"
    return V, q_values(P, r, discount, V, available, terminal)


def mce(P, r, discount, beta, available=None, terminal=None, pinned=None) -> Plan:
    """Maximum causal entropy: soft values, softmax of Q; beta > 0."""
    V, Q = fixed_point(P, r, discount, soft(beta), available, terminal, pinned)
    return Plan(V, Q, act(Q, beta))


def boltzmann_q(P, r, discount, beta, available=None, terminal=None, pinned=None) -> Plan:
    """Softmax of the optimal Q."""
    V, Q = fixed_point(P, r, discount, hard, available, terminal, pinned)
    return Plan(V, Q, act(Q, beta))


def finite(P, r, discount, beta, horizon, backup, available=None, terminal=None, leaf=None) -> Plan:
    """Backward induction over `horizon` steps from the values `leaf` (zero): V (H+1, S), Q and policy (H, S, A)."""
    fixed = _pinned(len(P), terminal, None)
    V = [np.zeros(len(P)) if leaf is None else np.where(np.isnan(fixed), leaf, fixed)]
    Q: list[np.ndarray] = []
    for _ in range(horizon):
        Q.insert(0, q_values(P, r, discount, V[0], available, terminal))
        V.insert(0, np.where(np.isnan(fixed), backup(Q[0]), fixed))
    return Plan(np.array(V), np.array(Q), act(np.array(Q), beta))


# -- likelihood -------------------------------------------------------------------------------


def step_log_probabilities(policy, states, actions, lengths=None, observed=None, terminal=None) -> np.ndarray:
    """log pi of every step, (N, T): zero where padded, not observed, or after the end. Policy (S, A) or (T, S, A)."""
    n, steps = np.shape(actions)
    result = np.zeros((n, steps))
    for i in range(n):
        for t in range(steps if lengths is None else lengths[i]):
            s, a = states[i][t], actions[i][t]
            if terminal is not None and terminal[s]:
                break
            if observed is not None and not observed[i][t]:
                continue
            p = policy[t][s][a] if np.ndim(policy) == 3 else policy[s][a]
            result[i, t] = math.log(p) if p > 0 else -math.inf
    return result


def goal_posterior(step_logs: Sequence[np.ndarray], prior: Sequence[float] | None = None) -> np.ndarray:
    """Probability of every goal after every step, (N, T, G), from the step log-probabilities (N, T) under each goal."""
    n, steps = step_logs[0].shape
    result = np.zeros((n, steps, len(step_logs)))
    for i, t in np.ndindex(n, steps):
        weight = [math.exp(logs[i, : t + 1].sum()) for logs in step_logs]
        weight = np.array(weight) * (1.0 if prior is None else np.asarray(prior))
        result[i, t] = weight / weight.sum()
    return result


class Path(NamedTuple):
    """A possible trajectory: n + 1 states, n actions, and its probability."""

    states: tuple[int, ...]
    actions: tuple[int, ...]
    probability: float


def every_path(policy, P, initial, horizon: int, terminal=None) -> Iterator[Path]:
    """Every trajectory of `horizon` steps (fewer where one ends in a terminal state) that has positive probability."""

    def extend(states: tuple[int, ...], actions: tuple[int, ...], probability: float) -> Iterator[Path]:
        t, s = len(actions), states[-1]
        if t == horizon or (terminal is not None and terminal[s]):
            yield Path(states, actions, probability)
            return
        choice = policy[t][s] if np.ndim(policy) == 3 else policy[s]
        for a, following in itertools.product(range(P.shape[1]), range(len(P))):
            p = choice[a] * P[s, a, following]
            if p > 0:
                yield from extend((*states, following), (*actions, a), probability * p)

    for start, p in enumerate(initial):
        if p > 0:
            yield from extend((start,), (), float(p))


# -- derivatives -----------------------------------------------------------------------------


def jacobian(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Finite differences of fourth order, (*shape of f, *shape of x); the error is about step^4 and 1e-16 / step."""
    x = np.asarray(x, float)
    columns = []
    for place in np.ndindex(x.shape):
        one = np.zeros(x.shape)
        one[place] = step
        near = np.asarray(f(x + one)) - np.asarray(f(x - one))
        far = np.asarray(f(x + 2 * one)) - np.asarray(f(x - 2 * one))
        columns.append((8 * near - far) / (12 * step))
    shape = np.shape(columns[0])
    return np.moveaxis(np.array(columns), 0, -1).reshape(*shape, *x.shape)


def gradient(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Finite differences of a number, in the shape of x."""
    return jacobian(f, x, step)


def null_space(J: np.ndarray, tolerance: float = 1e-6) -> np.ndarray:
    """Orthonormal columns that span the directions in which J (rows: outputs) changes nothing.

    The tolerance is absolute: a Jacobian that is zero everywhere has a full null space.
    """
    J = J.reshape(-1, J.shape[-1])
    _, size, Vt = np.linalg.svd(J, full_matrices=True)
    size = np.concatenate([size, np.zeros(J.shape[1] - len(size))])
    return Vt[size <= tolerance].T


# -- what infinite data could say: closed forms -------------------------------------------------


def shaping_map(P: np.ndarray, discount: float) -> np.ndarray:
    """W = E - discount P, (SA, S): its image is the set of rewards r[s, a] that a policy cannot see."""
    n_states, n_actions, _ = P.shape
    return np.repeat(np.eye(n_states), n_actions, axis=0) - discount * P.reshape(n_states * n_actions, n_states)


def action_differences(P: np.ndarray) -> np.ndarray:
    """D = the stack of P_a - P_1 for a >= 2, (S (A - 1), S)."""
    return (P[:, 1:] - P[:, :1]).reshape(-1, len(P))


def rank(matrix: np.ndarray, tolerance: float = 1e-9) -> int:
    """Number of singular values above an absolute tolerance."""
    return int((np.linalg.svd(matrix, compute_uv=False) > tolerance).sum()) if matrix.size else 0


def kappa(P: np.ndarray) -> int:
    """The controllability deficit S - rank D: dimension of the state rewards that a stationary policy cannot show."""
    return len(P) - rank(action_differences(P))


def kappa_horizon(P: np.ndarray, horizon: int) -> int:
    """The same for r[s, a] when policies of a finite horizon are observed at every step: S - rank [D; D P_1; ...]."""
    D, blocks = action_differences(P), [np.zeros((1, len(P)))]
    for _ in range(horizon - 1):
        blocks.append(D)
        D = D @ P[:, 0]
    return len(P) - rank(np.concatenate(blocks))


def invisible_departure(P: np.ndarray, discount: float) -> np.ndarray:
    """Columns that span the departure rewards a policy cannot show: (I - discount P_1) v for v in ker D."""
    return (np.eye(len(P)) - discount * P[:, 0]) @ null_space(action_differences(P), 1e-9)


def invisible_arrival(P: np.ndarray, discount: float) -> np.ndarray:
    """Columns that span the arrival rewards a policy cannot show.

    rho is invisible when P rho = (E - discount P) v for some v, and then u = rho + discount v has P u = E v: u is in
    ker D, v = P_1 u and rho = (I - discount P_1) u.
    """
    return invisible_departure(P, discount)


def two_worlds_nullity(P1: np.ndarray, discount1: float, P2: np.ndarray, discount2: float) -> int:
    """Dimension of the r[s, a] that policies in both worlds cannot show: 2 S - rank [W1 | -W2]."""
    return 2 * len(P1) - rank(np.concatenate([shaping_map(P1, discount1), -shaping_map(P2, discount2)], axis=1))


def period(P: np.ndarray) -> int | None:
    """Greatest common divisor of the lengths of all cycles of possible moves; None where not strongly connected."""
    edges = (P > 0).any(1)
    walks, result, reached = np.eye(len(P), dtype=bool), 0, np.zeros(edges.shape, bool)
    for length in range(1, 2 * len(P) + 1):  # every simple cycle shows up as a closed walk of its length
        walks = walks.astype(int) @ edges.astype(int) > 0
        reached |= walks
        if walks.diagonal().any():
            result = math.gcd(result, length)
    return result if reached.all() else None


# -- reward distance --------------------------------------------------------------------------


def canonical(P: np.ndarray, discount: float, r: np.ndarray) -> np.ndarray:
    """The smallest reward r[s, a] (L2) that differs from r by potential shaping only, flat."""
    W = shaping_map(P, discount)
    flat = np.asarray(r, float).reshape(-1)
    return flat - W @ np.linalg.lstsq(W, flat, rcond=None)[0]


def starc(P: np.ndarray, discount: float, r1: np.ndarray, r2: np.ndarray, tolerance: float = 1e-10) -> float:
    """STARC distance with minimal L2 canonicalization: 0 for the same ordering of policies, 1 for the opposite."""
    units = []
    for r in (r1, r2):
        c = canonical(P, discount, r)
        size = np.linalg.norm(c)
        units.append(c / size if size > tolerance else np.zeros_like(c))
    return float(np.linalg.norm(units[0] - units[1])) / 2


# -- generic worlds -----------------------------------------------------------------------------


def random_law(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Generic probabilities along the last axis."""
    return rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])
