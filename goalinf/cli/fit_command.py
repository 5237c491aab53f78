"""``goalinf fit``: from a table and a world to a saved posterior."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goalinf.cli import column_options, common
from goalinf.cli.resume_command import resumed
from goalinf.cli.words import in_options

if TYPE_CHECKING:
    from goalinf.inference.results.fit import Fit

_SAMPLER, _MODEL = "Sampler", "Model"
_PRIORS = {
    "lognormal": ("LogNormal", 2),
    "halfnormal": ("HalfNormal", 1),
    "gamma": ("Gamma", 2),
    "exponential": ("Exponential", 1),
}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


class AgentName(StrEnum):
    """Agent model."""

    soft_optimal = "soft_optimal"
    boltzmann = "boltzmann"


class RewardKind(StrEnum):
    """Kind of reward."""

    state = "state"
    action = "action"


class When(StrEnum):
    """Time at which the reward of a state is collected."""

    departure = "departure"
    arrival = "arrival"


class Method(StrEnum):
    """Sampler or approximation."""

    auto = "auto"
    independence = "independence"
    hmc = "hmc"
    nuts = "nuts"
    laplace = "laplace"
    svi = "svi"


def parse_beta(text: str) -> tuple[str, tuple[float, ...]]:
    """Parse ``"2.5"`` to ``("", (2.5,))``, ``"lognormal(0, 1)"`` to ``("LogNormal", (0.0, 1.0))``; or raise."""
    if re.fullmatch(_NUMBER, text.strip()):
        return "", (float(text),)
    found = re.fullmatch(rf"\s*(\w+)\s*\(\s*({_NUMBER}(?:\s*,\s*{_NUMBER})*)\s*\)\s*", text)
    if found and (name := found[1].lower()) in _PRIORS:
        kind, count = _PRIORS[name]
        numbers = tuple(float(number) for number in found[2].split(","))
        positive = numbers if name != "lognormal" else numbers[1:]
        if len(numbers) == count and all(number > 0 for number in positive) and all(map(math.isfinite, numbers)):
            return kind, numbers
    known = ", ".join(f"{name}({'a,b' if count == 2 else 'a'})" for name, (_, count) in _PRIORS.items())
    raise typer.BadParameter(f"{text!r} is neither a number nor one of {known} with a positive scale")


@common.reported
def fit(
    table: column_options.OptionalTable = None,
    world: column_options.OptionalWorld = None,
    *,
    out: Annotated[Path, typer.Option("--out", help="File for the fit: .nc or .zarr.", show_default=False)],
    agent: Annotated[AgentName, typer.Option(help="Agent model.", rich_help_panel=_MODEL)] = AgentName.soft_optimal,
    beta: Annotated[
        Any,
        typer.Option(
            parser=parse_beta,
            metavar="NUMBER|PRIOR",
            help="Inverse temperature: a number, or a prior such as lognormal(0,1), halfnormal(3), gamma(2,1).",
            rich_help_panel=_MODEL,
        ),
    ] = "lognormal(0,1)",
    reward: Annotated[
        RewardKind, typer.Option(help="Reward of states or of actions.", rich_help_panel=_MODEL)
    ] = RewardKind.state,
    on: Annotated[
        When | None,
        typer.Option(
            help="Time at which the reward of a state is collected; needed with --reward state.", rich_help_panel=_MODEL
        ),
    ] = None,
    prior_sd: Annotated[
        float, typer.Option(help="Sd of the normal prior of every reward (utility).", rich_help_panel=_MODEL)
    ] = 1.0,
    trajectory: column_options.Trajectory = ["trajectory"],  # noqa: B006 (typer copies it)
    step: column_options.Step = "step",
    state: column_options.State = ["state"],  # noqa: B006
    action: column_options.Action = None,
    subject: column_options.Subject = None,
    context: column_options.Context = None,
    missing: column_options.Missing = [],  # noqa: B006
    rename: column_options.Rename = [],  # noqa: B006
    delimiter: column_options.Delimiter = None,
    chains: Annotated[
        int | None, typer.Option(min=1, help="Number of chains, run in parallel; default 4.", rich_help_panel=_SAMPLER)
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Kept draws per chain.", rich_help_panel=_SAMPLER)] = 1000,
    warmup: Annotated[
        int | None, typer.Option(min=0, help="Steps of adaptation per chain.", rich_help_panel=_SAMPLER)
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="Sampler (auto selects it by a pilot run), or a quick approximation: laplace, svi.",
            rich_help_panel=_SAMPLER,
        ),
    ] = Method.auto,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Largest number of steps of --method laplace, steps of --method svi.", rich_help_panel=_SAMPLER
        ),
    ] = None,
    target_accept: Annotated[
        float | None,
        typer.Option(help="Target acceptance of the steps of HMC and NUTS, in (0, 1).", rich_help_panel=_SAMPLER),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=common.LARGEST_SEED, help="Seed.", rich_help_panel=_SAMPLER)] = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Also keep the draws so far in this file, about every minute."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            help="Continue a fit or checkpoint, without TABLE and --world; --draws includes the draws that it has.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the fit if it exists already.")] = False,
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
        _kept(resumed(resume, draws, checkpoint), out, draws, force=force)
        return
    if table is None or world is None:
        raise typer.BadParameter(f"{'TABLE' if table is None else '--world'} is missing; give it, or --resume")
    if reward is RewardKind.state and on is None:
        raise ValueError(
            "the reward of a state needs the time at which it is collected: give --on departure (when acting in the "
            "state) or --on arrival (when entering it)"
        )
    if reward is RewardKind.action and on is not None:
        raise ValueError("--on belongs to --reward state; the reward of an action is collected when it is taken")
    if not 0 < prior_sd < math.inf:
        raise ValueError(f"--prior-sd is {prior_sd:g}; expected a positive number")
    common.compile_once()
    import jax
    import numpyro.distributions as dist

    import goalinf as gi

    place = gi.read_world(world)
    parts = column_options.Columns(trajectory, step, state, action, subject, context, missing, rename, delimiter)
    data = column_options.read(table, place, parts)
    common.say(str(place), str(data), *column_options.unnamed(data.labels.table, data.labels.columns))
    name, numbers = beta
    prior = dist.Normal(0.0, prior_sd)
    found = gi.infer(
        jax.random.key(seed),
        place,
        agent=getattr(gi.agents, agent.value)(beta=getattr(dist, name)(*numbers) if name else numbers[0]),
        reward=gi.ActionReward(prior) if on is None else gi.StateReward(prior, on=on.value),
        data=data,
        chains=chains,
        draws=draws,
        warmup=warmup,
        method=method.value,
        steps=steps,
        target_accept=target_accept,
        checkpoint=checkpoint,
    )
    _kept(found, out, draws, force=force)


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


def _kept(found: Fit, out: Path, draws: int, *, force: bool) -> None:
    common.keep(found, out, overwrite=force)
    common.say("", in_options(found.heading), f"Written: {out}. Look at it with: goalinf show {out}")
    if found.tree.attrs.get("interrupted", 0):
        common.say(f"Go on with: goalinf fit --resume {out} --out NEW{out.suffix} --draws {draws}")
