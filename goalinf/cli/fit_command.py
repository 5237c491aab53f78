"""``goalinf fit``: from a table and a world to a saved posterior."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from goalinf.cli import column_options, common, fit_options
from goalinf.cli.resume_command import resumed
from goalinf.cli.words import in_options

if TYPE_CHECKING:
    from goalinf.inference.results.fit import Fit


@common.reported
def fit(
    table: column_options.OptionalTable = None,
    world: column_options.OptionalWorld = None,
    *,
    out: fit_options.Out,
    agent: fit_options.AgentModel = fit_options.AgentName.soft_optimal,
    beta: fit_options.Beta = "lognormal(0,1)",
    reward: fit_options.Reward = fit_options.RewardKind.state,
    on: fit_options.On = None,
    prior_sd: fit_options.PriorSd = 1.0,
    trajectory: column_options.Trajectory = ["trajectory"],  # noqa: B006 (typer copies it)
    step: column_options.Step = "step",
    state: column_options.State = ["state"],  # noqa: B006
    action: column_options.Action = None,
    subject: column_options.Subject = None,
    context: column_options.Context = None,
    missing: column_options.Missing = [],  # noqa: B006
    rename: column_options.Rename = [],  # noqa: B006
    delimiter: column_options.Delimiter = None,
    chains: fit_options.Chains = None,
    draws: fit_options.Draws = 1000,
    warmup: fit_options.Warmup = None,
    method: fit_options.SamplerMethod = fit_options.Method.auto,
    steps: fit_options.Steps = None,
    target_accept: fit_options.TargetAccept = None,
    seed: fit_options.Seed = 0,
    checkpoint: fit_options.Checkpoint = None,
    resume: fit_options.Resume = None,
    force: fit_options.Force = False,
) -> None:
    r"""Infer a reward and the inverse temperature of an agent from a table of behavior; save the posterior.

    With the data of the demo:

        goalinf fit walks.csv --world town.toml --state row --state col \
          --action action --on departure --out walks.nc

    A labyrinth without an action column, beta known:

        goalinf fit mice.csv --world maze.toml --trajectory traj --step t \
          --beta 1.0 --on arrival --out mice.nc

    Departure and arrival are different rewards: --on departure counts the reward of a state when acting in it,
    --on arrival when entering it. Then **goalinf show** prints the posterior, and which parts of it are not identified.

    A long run keeps its draws with --checkpoint, and Ctrl-C writes the draws so far to --out. Either file continues
    with

        goalinf fit --resume run.nc --out whole.nc --draws 2000
    """
    common.check_formats(out, ".nc", ".zarr")
    common.check_output(out, force=force)
    if checkpoint is not None:
        check_checkpoint(checkpoint, out, resume)
    common.listener.keeps = f"Interrupted: the draws so far are being written to {out}."
    common.listener.said = "Interrupted: nothing was written."
    if resume is not None:
        common.compile_once()
        _save_fit(resumed(resume, draws, checkpoint), out, draws, force=force)
        return
    if table is None or world is None:
        raise typer.BadParameter(f"{'TABLE' if table is None else '--world'} is missing; give it, or --resume")
    check_reward(reward, on, prior_sd)
    columns = column_options.Columns(trajectory, step, state, action, subject, context, missing, rename, delimiter)
    sampler = {"chains": chains, "draws": draws, "warmup": warmup, "steps": steps, "target_accept": target_accept}
    settings = {**sampler, "method": method.value, "checkpoint": checkpoint}
    _save_fit(inferred(table, world, columns, (agent, beta, on, prior_sd), seed, settings), out, draws, force=force)


def check_reward(reward: fit_options.RewardKind, on: fit_options.When | None, prior_sd: float) -> None:
    """Refuse options of the reward that contradict one another."""
    if reward is fit_options.RewardKind.state and on is None:
        raise ValueError(
            "the reward of a state needs the time at which it is collected: give --on departure (when acting in the "
            "state) or --on arrival (when entering it)"
        )
    if reward is fit_options.RewardKind.action and on is not None:
        raise ValueError("--on belongs to --reward state; the reward of an action is collected when it is taken")
    if not 0 < prior_sd < math.inf:
        raise ValueError(f"--prior-sd is {prior_sd:g}; expected a positive number")


def inferred(
    table: Path,
    world: Path,
    columns: column_options.Columns,
    model: tuple[fit_options.AgentName, fit_options.PriorOfBeta, fit_options.When | None, float],
    seed: int,
    settings: Mapping[str, Any],
) -> Fit:
    """Read world and table, and infer; the model is the agent, the prior of beta, the time and sd of the reward."""
    common.compile_once()
    import jax
    import numpyro.distributions as dist

    import goalinf as gi

    place = gi.read_world(world)
    data = column_options.read(table, place, columns)
    common.say(str(place), str(data), *column_options.unnamed(data.labels.table, data.labels.columns))
    agent, (name, numbers), on, prior_sd = model
    prior = dist.Normal(0.0, prior_sd)
    return gi.infer(
        jax.random.key(seed),
        place,
        agent=getattr(gi.agents, agent.value)(beta=getattr(dist, name)(*numbers) if name else numbers[0]),
        reward=gi.ActionReward(prior) if on is None else gi.StateReward(prior, on=on.value),
        data=data,
        **settings,
    )


def check_checkpoint(path: Path, out: Path, resume: Path | None) -> None:
    """Refuse a checkpoint that would replace a file other than the one that is resumed."""
    common.check_formats(path, ".nc", ".zarr")
    if path.resolve() == out.resolve():
        raise ValueError(f"--checkpoint and --out are both {out}: give two names")
    if resume is not None and path.resolve() == resume.resolve():
        return
    if path.exists():
        raise FileExistsError(f"{path} exists already; give another name, or go on from it with --resume {path}")
    common.check_output(path, force=False)


def _save_fit(fit: Fit, out: Path, draws: int, *, force: bool) -> None:
    common.keep(fit, out, overwrite=force)
    common.say("", in_options(fit.heading), f"Written: {out}. Look at it with: goalinf show {out}")
    if fit.tree.attrs.get("interrupted", 0):
        common.say(f"Go on with: goalinf fit --resume {out} --out NEW{out.suffix} --draws {draws}")
