"""One side of one task, measured in a process of its own: `python measure.py T1 naive [--quick]` prints JSON.

A process of its own makes compilation cold, memory attributable and the settings of the two sides independent.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
import types
from pathlib import Path

import numpy as np
import tasks
from two_step import t4 as t4_task


def main(name: str, side: str, quick: bool) -> None:
    module = importlib.import_module(side)
    result = MEASURES[name](module, CompileClock(), quick)
    print(json.dumps({"precision": module.PRECISION, **result}))


# -- the tasks --------------------------------------------------------------------------------


def t1(module, clock: CompileClock, quick: bool) -> dict:
    task = tasks.t1(quick=quick)
    return {**posterior(module, clock, task, quick), "gradient_ms": gradient_ms(module.gradient(task), task, quick)}


def t2(module, clock: CompileClock, quick: bool) -> dict:
    task = tasks.t2(quick=quick)
    result = {**posterior(module, clock, task, quick), "gradient_ms": gradient_ms(module.gradient(task), task, quick)}
    if hasattr(module, "gradient_dense"):
        result["dense_gradient_ms"] = gradient_ms(module.gradient_dense(task), task, quick)
    return result


def t3(module, clock: CompileClock, quick: bool) -> dict:
    task = tasks.t3(quick=quick)
    result = gradient_and_memory(module, task, quick)
    if hasattr(module, "gradient_warm"):  # each call starts from the solution of the last
        result["warm_gradient_ms"] = gradient_ms(module.gradient_warm(task), task, quick, change=1e-3)
    return result


def t3_large(module, clock: CompileClock, quick: bool) -> dict:
    if module.__name__ == "naive":
        return {}  # would unroll 1,604 sweeps over 500,000 choices: 6.4 GB
    return gradient_and_memory(module, tasks.t3_large(quick=quick), quick)


def t3_map(module, clock: CompileClock, quick: bool) -> dict:
    return point_estimate(module.mode_finder, clock, tasks.t3(quick=quick))


def t4(module, clock: CompileClock, quick: bool) -> dict:
    task = t4_task(quick=quick)
    run = types.SimpleNamespace(sampler=module.two_step.sampler, RUNS=1)
    return {
        **posterior(run, clock, task, quick),
        "gradient_ms": gradient_ms(module.two_step.gradient(task), task, quick),
    }


def t5(module, clock: CompileClock, quick: bool) -> dict:
    task = tasks.t5(quick=quick)
    call = module.goal_posterior(task)
    start = time.perf_counter()
    found = np.asarray(call())
    cold = time.perf_counter() - start
    warm = statistics.median(seconds(lambda _: np.asarray(call()), [None] * (3 if quick else 50)))
    result = {"cold_s": cold, "warm_ms": 1e3 * warm, "posterior": found.tolist()}
    if hasattr(module, "walkers"):  # plans of the last call are kept: each of these has to be planned for
        result["anew_ms"] = 1e3 * statistics.median(seconds(call, module.walkers(task, 3 if quick else 50)))
    return result


def t6_states(module, clock: CompileClock, quick: bool) -> dict:
    return point_estimate(module.fitter, clock, tasks.t6_states(quick=quick))


def t6_features(module, clock: CompileClock, quick: bool) -> dict:
    return point_estimate(module.fitter, clock, tasks.t6_features(quick=quick))


def counts(module, clock: CompileClock, quick: bool) -> dict:
    few, many = (tasks.counts(quick=quick, steps=steps) for steps in ((100, 1000) if quick else (1000, 10_000_000)))
    start = time.perf_counter()
    call = module.gradient(many)
    prepared = time.perf_counter() - start
    return {
        "few_ms": gradient_ms(module.gradient(few), few, quick),
        "many_ms": gradient_ms(call, many, quick),
        "prepared_s": prepared,
    }


def audit(module, clock: CompileClock, quick: bool) -> dict:
    if module.__name__ == "naive":
        return {}
    fit, look = module.auditor(tasks.t1(quick=quick))
    result, found = {}, None
    for name, call in {"fit": lambda _: fit(), "first": look, "second": look}.items():
        clock.reset()
        start = time.perf_counter()
        made = call(found)
        found = made if name == "fit" else found
        result |= {f"{name}_s": time.perf_counter() - start, f"{name}_compilation_s": clock.seconds()}
    return result


MEASURES = {
    "T1": t1,
    "T2": t2,
    "T3": t3,
    "T3 large": t3_large,
    "T3 MAP": t3_map,
    "T4": t4,
    "T5": t5,
    "T6 states": t6_states,
    "T6 features": t6_features,
    "counts": counts,
    "audit": audit,
}


# -- measurements -----------------------------------------------------------------------------


def posterior(module, clock: CompileClock, task: tasks.Task, quick: bool) -> dict:
    """Effective draws per second, with and without compilation, and what a comparison of two posteriors needs.

    Of several runs, each with a seed of its own, all draws and all seconds count: now and then a run begins again.
    """
    run = module.sampler(task)
    wall, compilation, ess, worst, means, errors = 0.0, 0.0, 0.0, 0.0, [], []
    for number in range(1 if quick else module.RUNS):
        clock.reset()
        start = time.perf_counter()
        theta, facts = run(task.states.size + number, 100 if quick else None, 100 if quick else 1000)
        wall += time.perf_counter() - start
        compilation += clock.seconds()
        columns = [theta[:, :, i] for i in range(theta.shape[2])]
        ess += min(bulk_ess(x) for x in columns)
        worst = max(worst, *(r_hat(x) for x in columns))
        means.append([float(x.mean()) for x in columns])
        errors.append([float(x.std() / np.sqrt(mean_ess(x))) for x in columns])
    return {
        "wall_s": wall,
        "compilation_s": compilation,
        "ess": ess,
        "ess_per_s": ess / (wall - compilation),
        "ess_per_s_total": ess / wall,
        "r_hat": worst,
        "mean": np.mean(means, axis=0).tolist(),
        "mcse": (np.linalg.norm(errors, axis=0) / len(errors)).tolist(),
        **facts,
    }


def point_estimate(make, clock: CompileClock, task: tasks.Task) -> dict:
    """Seconds to the mode, compilation included, and the log posterior there in converged float64."""
    run = make(task)
    clock.reset()
    start = time.perf_counter()
    weights = run()
    wall = time.perf_counter() - start
    return {"wall_s": wall, "compilation_s": clock.seconds(), "log_posterior": task.log_posterior(weights)}


def gradient_and_memory(module, task: tasks.Task, quick: bool) -> dict:
    call = module.gradient(task)
    before = resident_mb("VmRSS")
    value = float(call(task.theta())[0])
    memory = resident_mb("VmHWM") - before
    return {"memory_mb": memory, "log_likelihood": value, "gradient_ms": gradient_ms(call, task, quick, repeats=3)}


def gradient_ms(call, task: tasks.Task, quick: bool, *, repeats: int = 20, change: float = 0.05) -> float:
    """Median milliseconds of one log-likelihood with gradient, compiled before, each at a point of its own."""
    rng = np.random.default_rng(0)
    points = [task.theta() + change * rng.normal(size=len(task.theta())) for _ in range(2 if quick else repeats)]
    wait_for(call(task.theta()))
    return 1e3 * statistics.median(seconds(lambda point: wait_for(call(point)), points))


def seconds(call, arguments) -> list[float]:
    times = []
    for argument in arguments:
        start = time.perf_counter()
        call(argument)
        times.append(time.perf_counter() - start)
    return times


def wait_for(result) -> None:
    import jax

    jax.block_until_ready(result)


def resident_mb(which: str) -> float:
    """Memory of this process: VmRSS now, VmHWM at its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(which + ":"):
            return int(line.split()[1]) / 1024
    return float("nan")


class CompileClock:
    """Wall time during which JAX traced, lowered or compiled something, on any thread."""

    def __init__(self):
        import jax.monitoring

        self.spans: list[tuple[float, float]] = []
        jax.monitoring.register_event_duration_secs_listener(self._hear)

    def _hear(self, event: str, duration: float, **_) -> None:
        if event.startswith("/jax/core/compile/"):
            end = time.perf_counter()
            self.spans.append((end - duration, end))

    def reset(self) -> None:
        self.spans.clear()

    def seconds(self) -> float:
        """Length of the union of all spans: tracing happens inside tracing."""
        total, reached = 0.0, -np.inf
        for start, end in sorted(self.spans):
            total += max(0.0, end - max(start, reached))
            reached = max(reached, end)
        return total


# -- convergence, as in Vehtari et al. (2021) -------------------------------------------------


def ranked(x: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks of all draws, (chains, draws)."""
    from scipy import stats

    return stats.norm.ppf((stats.rankdata(x).reshape(x.shape) - 0.375) / (x.size + 0.25))


def split(x: np.ndarray) -> np.ndarray:
    """Every chain as two."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def mean_ess(x: np.ndarray) -> float:
    """Effective sample size of the mean."""
    from numpyro.diagnostics import effective_sample_size

    return float(effective_sample_size(split(x)))


def bulk_ess(x: np.ndarray) -> float:
    """Effective sample size of the bulk of the distribution."""
    return mean_ess(ranked(x))


def r_hat(x: np.ndarray) -> float:
    """Rank-normalized split R-hat, the larger of location and scale."""
    from numpyro.diagnostics import gelman_rubin

    folded = np.abs(x - np.median(x))
    return float(max(gelman_rubin(split(ranked(y))) for y in (x, folded)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--quick" in sys.argv)
