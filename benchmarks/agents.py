"""Every agent's log-likelihood with its gradient, as a multiple of that of `boltzmann`, in one run.

    python benchmarks/agents.py                # 8 x 8 and 32 x 32 cells; about ten minutes
    python benchmarks/agents.py --quick        # 4 x 4: says that everything runs
    python benchmarks/agents.py --out agents.csv

Grid with stay and four moves, slip 0.1, discount 0.95; 40 walks of 25 choices of a Boltzmann agent. The gradient is
with respect to the rewards of all states on departure and beta, compiled, in float64; the median of 20 calls, each at
another point.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import goalinf as gi

WALKS, STEPS, LIMIT = 40, 25, 20.0


def makers(world: gi.World) -> dict[str, Callable[[Any], Any]]:
    """Name -> agent of this beta."""
    n_states, n_actions = world.n_states, world.mdp.n_actions
    rng = np.random.default_rng(0)
    options = [
        gi.agents.Option(rng.dirichlet(np.ones(n_actions), n_states), rng.uniform(0.1, 0.5, n_states), name=str(i))
        for i in range(4)
    ]
    corners = [world.states[0], world.states[-1]]
    swapped = [0, 2, 1, 4, 3]
    return {
        "boltzmann": lambda b: gi.agents.boltzmann(beta=b),
        "soft_optimal": lambda b: gi.agents.soft_optimal(beta=b),
        "finite_horizon": lambda b: gi.agents.finite_horizon(horizon=STEPS, beta=b),
        "lookahead": lambda b: gi.agents.lookahead(depth=5, beta=b),
        "lookahead (one of 1 to 8)": lambda b: gi.agents.lookahead(depth=gi.one_of(list(range(1, 9))), beta=b),
        "myopic": lambda b: gi.agents.myopic(discount=0.5, beta=b),
        "hyperbolic": lambda b: gi.agents.hyperbolic(k=0.5, beta=b, horizon=STEPS),
        "quasi_hyperbolic": lambda b: gi.agents.quasi_hyperbolic(present_bias=0.6, beta=b),
        "quasi_hyperbolic (sophisticated)": lambda b: gi.agents.quasi_hyperbolic(
            present_bias=0.6, beta=b, sophisticated=True
        ),
        "boltzmann (mean backup)": lambda b: gi.agents.boltzmann(beta=b, backup="mean"),
        "kl_bounded": lambda b: gi.agents.kl_bounded(beta=b, default=np.full(n_actions, 1.0 / n_actions)),
        "rational_inattention": lambda b: gi.agents.rational_inattention(beta=b),
        "rational_inattention (foreseen)": lambda b: gi.agents.rational_inattention(beta=b, foreseen=True),
        "satisficing": lambda b: gi.agents.satisficing(aspiration=0.2, sharpness=5.0 * b),
        "successor_representation": lambda b: gi.agents.successor_representation(beta=b),
        "risk_sensitive": lambda b: gi.agents.risk_sensitive(risk=-0.5, beta=b),
        "cvar": lambda b: gi.agents.cvar(tail=0.5, beta=b),
        "prospect": lambda b: gi.agents.prospect(loss_aversion=2.0, beta=b),
        "prospect (cumulative)": lambda b: gi.agents.prospect(loss_aversion=2.0, beta=b, weighting=0.65),
        "optimistic": lambda b: gi.agents.optimistic(optimism=0.5, beta=b),
        "illusion_of_control": lambda b: gi.agents.illusion_of_control(control=2.0, beta=b),
        "extremal": lambda b: gi.agents.extremal(peak=0.5, beta=b),
        "false_dynamics": lambda b: gi.agents.false_dynamics(confusion=0.2, beta=b, alternative=swapped),
        "slipping (foreseen)": lambda b: gi.agents.slipping(slip=0.2, beta=b, foreseen=True),
        "boltzmann (lapse)": lambda b: gi.agents.boltzmann(beta=b, lapse=0.1),
        "habitual": lambda b: gi.agents.habitual(persistence=0.5, beta=b, habit_rate=0.5),
        "noisy_plan (16 draws)": lambda b: gi.agents.noisy_plan(plan_noise=0.3, beta=b, draws=16),
        "abandoning": lambda b: gi.agents.abandoning(hazard=0.05, beta=b, recovery=0.05),
        "switching (2 goals)": lambda b: gi.agents.switching(switch=0.1, beta=b),
        "subgoal (2 places)": lambda b: gi.agents.subgoal(detour=0.5, beta=b, world=world, places=corners),
        "options (4)": lambda b: gi.agents.options(options=options, beta=b, early=0.1),
        "plan_commitment (depths to 4)": lambda b: gi.agents.plan_commitment(
            replan=0.1, beta=b, depths=4, commitment=3
        ),
        "q_learning": lambda b: gi.agents.q_learning(learning_rate=0.3, beta=b),
        "anti_rational": lambda b: gi.agents.anti_rational(beta=b),
    }


def wants(name: str, world: gi.World, values: Any) -> Any:
    """The reward of these values, in the kind that the agent takes."""
    reward = gi.StateReward(values, on="departure")
    if name.startswith("switching"):
        return gi.one_of({"one": reward, "other": gi.StateReward(values[::-1], on="departure")})
    if name.startswith("subgoal"):
        goal = gi.goals(world, {"end": world.states[world.n_states // 2]})["end"]
        return gi.rewards.GoalReward(goal.goal, goal.dead, step_cost=1.0 + values[0] ** 2, dead_end=goal.dead_end)
    return reward


def milliseconds(density: Callable[[Any], Any], start: np.ndarray, calls: int) -> tuple[float, float]:
    """Seconds to compile, and milliseconds of a value with its gradient."""
    rng = np.random.default_rng(1)
    evaluate = jax.jit(jax.value_and_grad(density))
    began = time.perf_counter()
    jax.block_until_ready(evaluate(jnp.asarray(start)))
    compiled = time.perf_counter() - began
    times = []
    for _ in range(calls):
        point = jnp.asarray(start + 0.05 * rng.normal(size=start.size))
        began = time.perf_counter()
        jax.block_until_ready(evaluate(point))
        times.append(time.perf_counter() - began)
    return compiled, 1e3 * statistics.median(times)


def table(side: int, calls: int) -> pd.DataFrame:
    """One row for each agent."""
    world = gi.open_grid(side, side, moves=("stay", "up", "down", "left", "right"), slip=0.1, discount=0.95)
    rng = np.random.default_rng(side)
    values = 0.5 * rng.normal(size=side**2)
    truth = gi.StateReward(values, on="departure")
    walks = gi.simulate(jax.random.key(0), world, gi.agents.boltzmann(beta=2.0), truth, trajectories=WALKS, steps=STEPS)
    data = walks.unlabeled()
    rows = []
    for name, make in makers(world).items():

        def density(theta: Any, name: str = name, make: Callable = make) -> Any:
            return gi.Behavior(world, make(jnp.exp(theta[0])), wants(name, world, theta[1:])).log_prob(data)

        compiled, took = milliseconds(density, np.append(np.log(2.0), values), calls)
        rows.append((name, took, took / rows[0][1] if rows else 1.0, compiled))
        print(
            f"{side} x {side}  {name:34s} {took:9.3f} ms  {rows[-1][2]:6.1f}x  compiled in {compiled:.1f} s", flush=True
        )
    return pd.DataFrame(rows, columns=["agent", "ms", "ratio", "compile_s"]).assign(side=side)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="toy sizes")
    parser.add_argument("--out", help="write the table to this CSV file, too")
    chosen = parser.parse_args()
    with jax.enable_x64(True):
        found = pd.concat([table(side, 3 if chosen.quick else 20) for side in ((4,) if chosen.quick else (8, 32))])
    slow = found[found["ratio"] > LIMIT]
    print("\nAbove 20x: " + (", ".join(f"{r.agent} ({r.side}): {r.ratio:.0f}x" for r in slow.itertuples()) or "none"))
    if chosen.out:
        found.to_csv(chosen.out, index=False)


if __name__ == "__main__":
    main()
