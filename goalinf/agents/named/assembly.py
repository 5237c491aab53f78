"""Assembly of named agents: common arguments for the parts that a constructor does not set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from goalinf.agents.agent import Agent
from goalinf.agents.hidden.hidden_mode_agent import HiddenModeAgent, ModeProcess
from goalinf.agents.memory.memory_agent import MemoryAgent, MemoryProcess
from goalinf.agents.parts.beliefs import Beliefs
from goalinf.agents.parts.choice import ChoiceRule, Softmax
from goalinf.agents.parts.noise import Lapse, Noise, NoNoise
from goalinf.agents.parts.planners import Planner
from goalinf.agents.parts.value_iteration import ValueIteration
from goalinf.agents.planning_agent import PlanningAgent
from goalinf.planning.parameters import Parameter, Part, check_parameter
from goalinf.types import Numbers

P = TypeVar("P", bound=Part)
Setting: TypeAlias = Parameter | Part | str | None  # of a part that a constructor does not set

_PLANNING = ("horizon", "depth", "discount", "backup", "outlook")
_OTHERS = (*_PLANNING, "beliefs", "noise", "lapse")


def make_part(kind: type[P], **fields: Any) -> P:
    """Make a part; its numbers are checked and converted to host arrays."""
    ranges = {**kind.parameters, **kind.known}
    dims = kind.dims
    return kind(
        **{k: check_parameter(k, v, *ranges[k], dims.get(k, ())) if k in ranges else v for k, v in fields.items()}
    )


def assemble(
    name: str,
    choice: ChoiceRule | Parameter | Numbers,
    others: Mapping[str, Any],
    *,
    planner: Planner | None = None,
    beliefs: Beliefs | None = None,
    noise: Noise | None = None,
    wrapped: Callable[[Planner], Planner] | None = None,
    process: ModeProcess | MemoryProcess | None = None,
    without: Mapping[str, str] | None = None,
    **planning: Setting | Numbers,
) -> Agent:
    """Assemble an agent from the parts that its constructor sets and the parts that the user gives.

    Parameters
    ----------
    name : str
        Name of the constructor.
    choice : Part, float or Distribution
        The choice rule; or beta, for a softmax.
    others : mapping
        Arguments of the user besides the constructor's own arguments.
    planner, beliefs, noise : optional
        Parts that the constructor sets.
    wrapped : callable, optional
        Function that makes the planner from the user's planner.
    process : ModeProcess or MemoryProcess, optional
        Hidden modes or memory of the agent.
    without : mapping, optional
        Arguments that do not apply to this agent, and the reason.
    **planning
        Arguments of :class:`~goalinf.agents.ValueIteration` that the constructor sets.

    Raises
    ------
    TypeError
        Where an argument is unknown.
    ValueError
        Where an argument sets a part that the constructor sets.
    """
    already_set = {key: f"{name} has {key} {_shown(value)} already" for key, value in planning.items()}
    for part, keys in ((planner, _PLANNING), (beliefs, ("beliefs",)), (noise, ("noise", "lapse"))):
        already_set |= {} if part is None else dict.fromkeys(keys, f"{name} has {_shown(part)} already")
    already_set |= dict(without or {})
    for key, value in others.items():
        if key not in _OTHERS:
            available = ", ".join(option for option in _OTHERS if option not in already_set)
            raise TypeError(f"{name} takes no argument {key!r}; besides its own it takes {available}")
        if key in already_set:
            raise ValueError(
                f"{key} is {_shown(value)}, but {already_set[key]}: leave {key} out, or compose the agent from parts "
                "(gi.agents.PlanningAgent)"
            )
    for key in ("horizon", "depth", "discount"):
        if key in planning and planning[key] is None:
            raise ValueError(f"{key} is None; {name} needs a number")
    planning_arguments = {**{key: others[key] for key in _PLANNING if key in others}, **planning}
    base_planner = make_part(ValueIteration, **planning_arguments) if planner is None else planner
    agent = PlanningAgent(
        beliefs=others.get("beliefs", beliefs),
        planner=base_planner if wrapped is None else wrapped(base_planner),
        choice=choice if isinstance(choice, ChoiceRule) else make_part(Softmax, beta=choice),
        noise=_noise(others) if noise is None else noise,
        name=name,
    )
    if isinstance(process, MemoryProcess):
        return MemoryAgent(agent, process, name)
    return agent if process is None else HiddenModeAgent(agent, process, name)


def _noise(others: Mapping[str, Any]) -> Any:
    if "lapse" not in others:
        return others.get("noise", NoNoise())
    if "noise" in others:
        raise ValueError(
            f"lapse and noise are both given, and lapse={_shown(others['lapse'])} is short for "
            "noise=goalinf.agents.Lapse(…): give one of them"
        )
    return make_part(Lapse, lapse=others["lapse"])


def _shown(value: Any) -> str:
    if isinstance(value, (bool, int, float, str)) or value is None:
        return repr(value)
    name = type(value).__name__
    return f"an {name}" if name[0] in "AEIO" else f"a {name}"
