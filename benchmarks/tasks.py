"""The data of every task, from a seed, in plain NumPy. Both sides, naive and goalinf, get exactly these arrays."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import scipy.special

MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))  # stay, up, down, left, right


@dataclasses.dataclass(frozen=True)
class Task:
    """A grid, choices of a soft-optimal agent on it, and priors. The parameters are theta = (weights, log beta).

    Departure rewards are ``features @ weights`` with weights ~ N(0, weight_sd^2). Where ``log_beta_sd`` is None beta
    is known and theta = weights; otherwise log beta ~ N(log beta, log_beta_sd^2).
    """

    name: str
    side: int
    slip: float
    discount: float
    features: np.ndarray  # (S, F)
    weight_sd: float
    beta: float
    log_beta_sd: float | None
    truth: np.ndarray  # weights (F,)
    states: np.ndarray  # (N, T)
    actions: np.ndarray  # (N, T)

    @property
    def n_states(self) -> int:
        return self.side**2

    @functools.cached_property
    def successors(self) -> np.ndarray:
        """Where each of the five moves leads, (S, 5, 5): a slip replaces the chosen move by a random one."""
        return np.repeat(next_states(self.side)[:, None], len(MOVES), axis=1).astype(np.int32)

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        """Probability of each successor, (S, 5, 5)."""
        return np.repeat(mixing(self.slip)[None], self.n_states, axis=0)

    def dense(self) -> np.ndarray:
        """Transition probabilities (S, A, S): for small grids."""
        P = np.zeros((self.n_states, len(MOVES), self.n_states))
        s, a, _ = np.indices(self.successors.shape)
        np.add.at(P, (s, a, self.successors), self.probabilities)
        return P

    @functools.cached_property
    def sweeps(self) -> int:
        """Sweeps after which the discount has shrunk the first error to 1e-7: 300 at 0.95, 1,604 at 0.99."""
        return 300 if self.discount == 0.95 else math.ceil(math.log(1e-7) / math.log(self.discount))

    def theta(self) -> np.ndarray:
        """The true parameters."""
        return self.truth if self.log_beta_sd is None else np.append(self.truth, math.log(self.beta))

    def log_posterior(self, theta: np.ndarray) -> float:
        """Log-likelihood plus log prior of both weights and log beta, in float64 and converged: the judge of both."""
        free = self.log_beta_sd is not None
        weights, beta = (theta[:-1], math.exp(theta[-1])) if free else (theta, self.beta)
        policy = soft_policy(self.side, self.slip, self.discount, self.features @ weights, beta)
        total = policy[self.states, self.actions].sum() + normal_log_density(weights, 0.0, self.weight_sd)
        if free:
            total += normal_log_density(theta[-1:], math.log(self.beta), self.log_beta_sd)
        return float(total)


@dataclasses.dataclass(frozen=True)
class GoalTask:
    """A maze, goals, and walks of a Boltzmann agent (four moves, walls stop it, every step costs 1, no discount)."""

    text: str  # "#" wall, "." free
    goals: np.ndarray  # (G,) numbers of free cells, counted row by row
    beta: float
    states: np.ndarray  # (N, T + 1), -1 behind the end
    actions: np.ndarray  # (N, T), -1 behind the end
    lengths: np.ndarray  # (N,)

    @functools.cached_property
    def cells(self) -> np.ndarray:
        """Row and column of every free cell, (S, 2)."""
        return np.argwhere(np.array([list(row) for row in self.text.split("\n")]) == ".")

    @functools.cached_property
    def next_states(self) -> np.ndarray:
        """Where up, down, left and right lead, (S, 4)."""
        number = {(int(row), int(column)): i for i, (row, column) in enumerate(self.cells)}
        return np.array(
            [
                [number.get((int(row) + dy, int(column) + dx), i) for dy, dx in MOVES[1:]]
                for i, (row, column) in enumerate(self.cells)
            ]
        )


# -- the tasks --------------------------------------------------------------------------------


def t1(*, quick: bool = False, seed: int = 1) -> Task:
    """8 x 8, a reward for every cell, beta unknown; 40 x 25 choices."""
    rng = np.random.default_rng(seed)
    side, n, steps = (3, 4, 5) if quick else (8, 40, 25)
    truth = rng.normal(0.0, 0.5, side**2)
    return simulated("T1", rng, side, 0.95, np.eye(side**2), 0.5, truth, 2.0, 0.5, n, steps)


def t2(*, quick: bool = False, seed: int = 2) -> Task:
    """20 x 20, six radial features, beta known; 50 x 50 choices."""
    rng = np.random.default_rng(seed)
    side, n, steps = (4, 4, 5) if quick else (20, 50, 50)
    return simulated("T2", rng, side, 0.95, radial(rng, side, 6), 1.0, rng.normal(size=6), 1.0, None, n, steps)


def t3(*, quick: bool = False, seed: int = 3, side: int = 100) -> Task:
    """100 x 100, discount 0.99, six radial features; 50 x 50 choices."""
    rng = np.random.default_rng(seed)
    side, n, steps = (6, 4, 5) if quick else (side, 50, 50)
    return simulated("T3", rng, side, 0.99, radial(rng, side, 6), 1.0, rng.normal(size=6), 1.0, None, n, steps)


def t3_large(*, quick: bool = False) -> Task:
    """The same with 10^5 states (316 x 316)."""
    return t3(quick=quick, side=316)


def t5(*, quick: bool = False, seed: int = 5) -> GoalTask:
    """A maze in 16 x 16 cells, 8 goals, 100 walks of at most 40 steps; no walk crosses another goal on its way."""
    rng = np.random.default_rng(seed)
    side, n_goals, n, steps = (6, 3, 5, 8) if quick else (16, 8, 100, 40)
    text = maze(rng, side)
    empty = np.zeros((0, 0), int)
    blank = GoalTask(text, np.zeros(0, int), 2.0, empty, empty, np.zeros(0, int))
    goals = rng.choice(len(blank.cells), n_goals, replace=False)
    states, actions = np.full((n, steps + 1), -1), np.full((n, steps), -1)
    policies = [goal_policy(blank.next_states, goal, blank.beta) for goal in goals]
    starts = np.setdiff1d(np.arange(len(blank.cells)), goals)
    for i in range(n):
        which = rng.integers(n_goals)
        others = set(np.delete(goals, which).tolist())
        while True:
            walk, chosen = [int(rng.choice(starts))], []
            while len(chosen) < steps and walk[-1] != goals[which] and walk[-1] not in others:
                chosen.append(int(rng.choice(4, p=policies[which][walk[-1]])))
                walk.append(int(blank.next_states[walk[-1], chosen[-1]]))
            if walk[-1] not in others:
                break
        states[i, : len(walk)], actions[i, : len(chosen)] = walk, chosen
    return GoalTask(text, goals, blank.beta, states, actions, (actions >= 0).sum(1))


def t6_states(*, quick: bool = False) -> Task:
    """The data of T1, beta known."""
    return dataclasses.replace(t1(quick=quick), name="T6 on T1", log_beta_sd=None)


def t6_features(*, quick: bool = False) -> Task:
    """The data of T2."""
    return dataclasses.replace(t2(quick=quick), name="T6 on T2")


def counts(*, quick: bool = False, steps: int, seed: int = 7) -> Task:
    """The world of T1 with beta known and `steps` observed choices, in walks of 100."""
    rng = np.random.default_rng(seed)
    side = 3 if quick else 8
    truth = rng.normal(0.0, 0.5, side**2)
    return simulated("counts", rng, side, 0.95, np.eye(side**2), 0.5, truth, 2.0, None, max(1, steps // 100), 100)


# -- worlds, agents, walks --------------------------------------------------------------------


def next_states(side: int) -> np.ndarray:
    """Where each move leads on a square grid, clipped at the walls, (S, 5)."""
    row, column = np.divmod(np.arange(side**2), side)
    places = [np.clip(row + dy, 0, side - 1) * side + np.clip(column + dx, 0, side - 1) for dy, dx in MOVES]
    return np.stack(places, axis=1)


def mixing(slip: float) -> np.ndarray:
    """Probability of the move that happens (column) given the one that was chosen (row)."""
    return (1.0 - slip) * np.eye(len(MOVES)) + slip / len(MOVES)


def radial(rng: np.random.Generator, side: int, n: int) -> np.ndarray:
    """Bumps around random centers, as wide as a fifth of the grid, (S, n)."""
    cells = np.stack(np.divmod(np.arange(side**2), side), axis=1)
    centers = rng.uniform(0, side - 1, size=(n, 2))
    distance2 = ((cells[:, None] - centers) ** 2).sum(2)
    return np.exp(-distance2 / (2 * (side / 5) ** 2))


def soft_policy(side: int, slip: float, discount: float, reward: np.ndarray, beta: float) -> np.ndarray:
    """Log-probabilities of the soft-optimal agent, (S, A), by soft policy iteration; in units of 1 / beta."""
    following, mix = next_states(side), mixing(slip)
    rows = np.repeat(np.arange(side**2), len(MOVES))
    log_policy = np.full(following.shape, -math.log(len(MOVES)))
    for _ in range(100):
        policy = np.exp(log_policy)
        moved = scipy.sparse.csr_array(((policy @ mix).ravel(), (rows, following.ravel())), shape=(side**2, side**2))
        gain = beta * reward - (policy * log_policy).sum(1)
        V = scipy.sparse.linalg.spsolve((scipy.sparse.eye_array(side**2) - discount * moved).tocsc(), gain)
        Q = beta * reward[:, None] + discount * V[following] @ mix.T
        new = Q - scipy.special.logsumexp(Q, axis=1, keepdims=True)
        change, log_policy = np.abs(new - log_policy).max(), new
        if change < 1e-9:  # the next change is about its square
            return log_policy
    raise RuntimeError("soft policy iteration did not converge")


def goal_policy(following: np.ndarray, goal: int, beta: float) -> np.ndarray:
    """Probabilities of the Boltzmann agent that walks to the goal, every step costing 1, (S, 4)."""
    V = np.zeros(len(following))
    for _ in range(len(following)):
        V = -1.0 + V[following].max(1)
        V[goal] = 0.0
    weight = np.exp(beta * (V[following] - V[following].max(1, keepdims=True)))
    return weight / weight.sum(1, keepdims=True)


def simulated(name, rng, side, discount, features, weight_sd, truth, beta, log_beta_sd, n, steps, slip=0.1) -> Task:
    """A task with choices simulated from its true parameters; all walks take a step at a time together."""
    policy = np.exp(soft_policy(side, slip, discount, features @ truth, beta)).cumsum(1)
    happens, following = mixing(slip).cumsum(1), next_states(side)
    states, actions = np.zeros((n, steps), np.int32), np.zeros((n, steps), np.int32)
    now = rng.integers(side**2, size=n)
    for t in range(steps):
        states[:, t] = now
        actions[:, t] = draw(rng, policy[now])
        now = following[now, draw(rng, happens[actions[:, t]])]
    return Task(name, side, slip, discount, features, weight_sd, beta, log_beta_sd, truth, states, actions)


def draw(rng: np.random.Generator, cumulative: np.ndarray) -> np.ndarray:
    """One category per row of cumulative probabilities."""
    return np.minimum((rng.random(len(cumulative))[:, None] > cumulative).sum(1), cumulative.shape[1] - 1)


def maze(rng: np.random.Generator, side: int) -> str:
    """Random walls on three cells in ten; what the largest open region does not reach is filled in."""
    open_ = rng.random((side, side)) > 0.3
    regions = []
    unseen = {(int(row), int(column)) for row, column in np.argwhere(open_)}
    while unseen:
        frontier = [unseen.pop()]
        region = set(frontier)
        while frontier:
            row, column = frontier.pop()
            around = {(row + dy, column + dx) for dy, dx in MOVES[1:]} & unseen
            unseen -= around
            region |= around
            frontier += sorted(around)
        regions.append(region)
    largest = max(regions, key=len)
    return "\n".join("".join("." if (row, column) in largest else "#" for column in range(side)) for row in range(side))


def normal_log_density(x: np.ndarray, mean: float, sd: float) -> float:
    """Sum of normal log densities."""
    return float((-0.5 * ((x - mean) / sd) ** 2 - math.log(sd) - 0.5 * math.log(2 * math.pi)).sum())
