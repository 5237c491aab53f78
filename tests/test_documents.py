"""README and CONTRIBUTING: what they say is there, and what they show runs."""

import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf import cli
from goalinf.cli import common

REPOSITORY = Path(__file__).resolve().parents[1]
README, CONTRIBUTING = ((REPOSITORY / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))

HALL = gi.gridworld("s.a\n...", discount=0.9, blocked="unavailable")
WANTS = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")


def test_what_the_page_on_agents_shows_runs():
    page = (REPOSITORY / "docs" / "concepts" / "agents.rst").read_text(encoding="utf-8")
    code = [textwrap.dedent(found) for found in re.findall(r"(?<!math):: ?\n\n((?: {3}.*\n|\n)+)", page)]
    assert len(code) == 6
    scope = {"Any": Any, "ClassVar": ClassVar, "dist": dist, "gi": gi, "goalinf": gi, "jnp": jnp}
    for block in code:
        exec(block, scope)
    wary, careless = (gi.agents.boltzmann(beta=2.0, outlook=scope["Wary"](caution)) for caution in (0.5, 0.0))
    np.testing.assert_allclose(
        careless.policy(HALL, WANTS), gi.agents.boltzmann(beta=2.0).policy(HALL, WANTS), atol=1e-9
    )
    assert wary.parameters == {"caution": 0.5, "beta": 2.0}
    data = gi.Trajectories.of([[0, 1, 2]], [[3, 3]])
    plan, random, either = (
        np.exp(gi.Behavior(HALL, agent, WANTS).log_prob(data))
        for agent in (
            gi.agents.boltzmann(beta=2.0),
            gi.agents.uniform(),
            gi.agents.HiddenModeAgent(gi.agents.boltzmann(beta=2.0), scope["Disengaged"](0.1)),
        )
    )
    assert either == pytest.approx(0.9 * plan + 0.1 * random, rel=1e-6)


def test_files_that_are_named_exist():
    named = set(re.findall(r"`((?:goalinf|tests|docs|models|benchmarks)/[\w/.]*)`", README + CONTRIBUTING))
    assert len(named) > 5
    rooms = re.findall(r"\| `([\w./]+\.py)` \|", CONTRIBUTING)
    assert len(rooms) == 7
    named |= {f"goalinf/agents/{room}" for room in rooms}
    (walks,) = re.findall("<!-- walks: begin -->(.*?)<!-- walks: end -->", CONTRIBUTING, re.DOTALL)
    entered = re.findall(r"`([\w/]+(?:\.py|/))`", walks)
    assert len(set(entered)) > 20
    named |= {f"goalinf/{room}" for room in entered if room != "goalinf/"}
    assert [path for path in sorted(named) if not (REPOSITORY / path).exists()] == []


def test_commands_that_are_shown_exist():
    targets = set(re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = re.findall(r"(?:\$ |`)(?:\w+=\S+ )?make (\w+)", README + CONTRIBUTING)
    assert {"demo", "test", "docs", "help"} <= set(shown) <= targets
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(re.findall(r"'\.\[(\w+)\]'", README)) <= set(project["optional-dependencies"])
    (shown,) = re.findall(r"`goalinf ([\w |]+)`", README)
    assert set(shown.split(" | ")) == {command.name for command in cli.app.registered_commands}


def test_the_folder_of_compiled_programs_is_the_one_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    inside = common.cache_folder().relative_to(tmp_path)
    assert f"`~/.cache/{inside}`" in README
    assert f"`$XDG_CACHE_HOME/{inside}`" in README
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert common.cache_folder() == Path.home() / ".cache" / inside
