"""Goals in tiny deterministic worlds by enumeration of every path; nothing here imports the library.

A world is a table of successors ``(S, A)``, a set of terminal states and a discount. Under a goal, every step costs
one. A path ends at the goal, worth nothing, or at a dead end, worth ``dead_end``: a state from which the goal is out of
reach, or a terminal state that is not the goal.
"""

import math


def can_reach(successors, terminal, goal):
    """States from which some path leads to the goal, theirs included."""
    found = set(goal)
    while True:
        more = {
            s
            for s, row in enumerate(successors)
            if s not in found and s not in terminal and any(t in found for t in row)
        }
        if not more:
            return found
        found |= more


def dead_ends(successors, terminal, goal):
    """States whose value is that of a dead end."""
    return (set(range(len(successors))) - can_reach(successors, terminal, goal)) | (set(terminal) - set(goal))


def value(successors, terminal, goal, dead_end, discount, state, steps, *, sign=1.0):
    """The highest return of so many steps over every sequence of actions; paths end at goals and dead ends."""
    if state in goal:
        return 0.0
    if state in dead_ends(successors, terminal, goal):
        return sign * dead_end
    if steps == 0:
        return 0.0
    return max(
        -sign + discount * value(successors, terminal, goal, dead_end, discount, after, steps - 1, sign=sign)
        for after in successors[state]
    )


def policy(successors, terminal, goal, dead_end, discount, beta, state, steps=None, *, sign=1.0):
    """Softmax over the actions of a state; without an end of time, longer paths than S steps change nothing."""
    q = []
    for after in successors[state]:
        if steps is None:
            ahead = best_of_simple_paths(successors, terminal, goal, dead_end, discount, after, frozenset())
        else:
            ahead = value(successors, terminal, goal, dead_end, discount, after, steps - 1, sign=sign)
        q.append(-sign + discount * ahead)
    weights = [math.exp(beta * (x - max(q))) for x in q]
    return [w / sum(weights) for w in weights]


def best_of_simple_paths(successors, terminal, goal, dead_end, discount, state, visited):
    """The highest return over all paths that visit no state twice and end at a goal or a dead end."""
    if state in goal:
        return 0.0
    if state in dead_ends(successors, terminal, goal):
        return dead_end
    visited = visited | {state}
    returns = [
        -1.0 + discount * best_of_simple_paths(successors, terminal, goal, dead_end, discount, after, visited)
        for after in successors[state]
        if after not in visited
    ]
    return max(returns, default=-math.inf)


def posterior(
    successors, terminal, goals, dead_end, discount, beta, states, actions, *, impossible=False, horizon=None
):
    """Probability of every goal before the walk and after each of its steps, all goals alike at first."""
    weights, reached = [1.0] * len(goals), [False] * len(goals)
    found = [[1.0 / len(goals)] * len(goals)]
    for t, (s, a) in enumerate(zip(states[:-1], actions, strict=True)):
        for g, goal in enumerate(goals):
            reached[g] = reached[g] or s in goal
            ahead = None if horizon is None else horizon - t
            p = policy(successors, terminal, goal, dead_end, discount, beta, s, ahead)[a]
            weights[g] *= 0.0 if impossible and reached[g] else p
        total = sum(weights)
        found.append([w / total for w in weights] if total > 0 else None)
    return found
