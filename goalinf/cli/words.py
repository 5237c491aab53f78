"""Translation of library messages to options of the command line."""

from __future__ import annotations

import re
import shlex

# Arguments of the library that are options of the command line.
_OPTIONS = ("trajectory", "step", "state", "action", "subject", "context", "missing", "delimiter", "draws", "warmup",
            "chains", "seed", "method", "steps", "target_accept", "checkpoint")  # fmt: skip
# A list of words, one word, or a number may follow: ['row', 'col'], 'hmc', 0.99.
_GIVEN = re.compile(rf"\b({'|'.join(_OPTIONS)})=(\[[^\]]*\]|'[^']*'|[\d.]*\d)?")
_VALUE = re.compile(rf"^({'|'.join(_OPTIONS)}|beta) is ")  # start of a message about an invalid value
_REMEDIES = {
    "overwrite=True": "--force",
    "agent.at(beta=…)": "--beta NUMBER",
    "gi.identify.null_space(world, agent, reward, free=('beta',)) shows it": "goalinf show shows it",
    "(data.select)": "(a table of its own)",
}


def in_options(text: str) -> str:
    """Replace arguments in a message of the library by options of the command line: ``--state`` for ``state=``."""
    for argument, option in _REMEDIES.items():
        text = text.replace(argument, option)
    text = _VALUE.sub(lambda match: f"{_option_name(match[1])} is ", text)
    return re.sub(r"\bgi\.infer\b(?!\()", "goalinf fit", _GIVEN.sub(_option, text))


def _option_name(argument: str) -> str:
    return f"--{argument.replace('_', '-')}"


def _option(match: re.Match[str]) -> str:
    name, value_text = _option_name(match[1]), match[2] or ""
    values = re.findall(r"'([^']*)'", value_text) or [value_text] * bool(value_text)
    return " ".join(f"{name} {shlex.quote(value)}" for value in values) or name
