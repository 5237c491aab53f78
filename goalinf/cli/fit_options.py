"""Options of ``fit``: model, sampler and files."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from goalinf.cli import common

_SAMPLER, _MODEL = "Sampler", "Model"
_PRIORS = {
    "lognormal": ("LogNormal", 2),
    "halfnormal": ("HalfNormal", 1),
    "gamma": ("Gamma", 2),
    "exponential": ("Exponential", 1),
}
PriorOfBeta = tuple[str, tuple[float, ...]]  # name of a NumPyro distribution and its parameters; "" for a number
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


def parse_beta(text: str) -> PriorOfBeta:
    """Parse ``"2.5"`` to ``("", (2.5,))``, ``"lognormal(0, 1)"`` to ``("LogNormal", (0.0, 1.0))``; or raise."""
    if re.fullmatch(_NUMBER, text.strip()):
        return "", (float(text),)
    match = re.fullmatch(rf"\s*(\w+)\s*\(\s*({_NUMBER}(?:\s*,\s*{_NUMBER})*)\s*\)\s*", text)
    if match and (name := match[1].lower()) in _PRIORS:
        kind, count = _PRIORS[name]
        numbers = tuple(float(number) for number in match[2].split(","))
        positive = numbers if name != "lognormal" else numbers[1:]
        if len(numbers) == count and all(number > 0 for number in positive) and all(map(math.isfinite, numbers)):
            return kind, numbers
    distributions = ", ".join(f"{name}({'a,b' if count == 2 else 'a'})" for name, (_, count) in _PRIORS.items())
    raise typer.BadParameter(f"{text!r} is neither a number nor one of {distributions} with a positive scale")


Out = Annotated[Path, typer.Option("--out", help="File for the fit: .nc or .zarr.", show_default=False)]
Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", help="Also keep the draws so far in this file, about every minute.")
]
Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        help="Continue a fit or checkpoint, without TABLE and --world; --draws includes the draws that it has.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the fit if it exists already.")]

AgentModel = Annotated[AgentName, typer.Option(help="Agent model.", rich_help_panel=_MODEL)]
Beta = Annotated[
    Any,
    typer.Option(
        parser=parse_beta,
        metavar="NUMBER|PRIOR",
        help="Inverse temperature: a number, or a prior such as lognormal(0,1), halfnormal(3), gamma(2,1).",
        rich_help_panel=_MODEL,
    ),
]
Reward = Annotated[RewardKind, typer.Option(help="Reward of states or of actions.", rich_help_panel=_MODEL)]
On = Annotated[
    When | None,
    typer.Option(
        help="Time at which the reward of a state is collected; needed with --reward state.", rich_help_panel=_MODEL
    ),
]
PriorSd = Annotated[
    float, typer.Option(help="Sd of the normal prior of every reward (utility).", rich_help_panel=_MODEL)
]

Chains = Annotated[
    int | None, typer.Option(min=1, help="Number of chains, run in parallel; default 4.", rich_help_panel=_SAMPLER)
]
Draws = Annotated[int, typer.Option(min=1, help="Kept draws per chain.", rich_help_panel=_SAMPLER)]
Warmup = Annotated[int | None, typer.Option(min=0, help="Steps of adaptation per chain.", rich_help_panel=_SAMPLER)]
SamplerMethod = Annotated[
    Method,
    typer.Option(
        help="Sampler (auto selects it by a pilot run), or a quick approximation: laplace, svi.",
        rich_help_panel=_SAMPLER,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        min=1, help="Largest number of steps of --method laplace, steps of --method svi.", rich_help_panel=_SAMPLER
    ),
]
TargetAccept = Annotated[
    float | None,
    typer.Option(help="Target acceptance of the steps of HMC and NUTS, in (0, 1).", rich_help_panel=_SAMPLER),
]
Seed = Annotated[int, typer.Option(min=0, max=common.LARGEST_SEED, help="Seed.", rich_help_panel=_SAMPLER)]
