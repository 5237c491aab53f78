"""README and CONTRIBUTING: what they say is there, and what they show runs."""

import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf import cli
from goalinf.agents.parts.beliefs import TrueBeliefs
from goalinf.agents.parts.choice import Softmax
from goalinf.agents.parts.planners import ValueIteration
from goalinf.cli import common

REPOSITORY = Path(__file__).resolve().parents[1]
README, CONTRIBUTING = ((REPOSITORY / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))

HALL = gi.gridworld("s.a\n...", discount=0.9, blocked="unavailable")
WANTS = gi.StateReward.at(HALL, {"a": 1.0}, default=0.0, on="departure")


@pytest.fixture(scope="module")
def lapsing():
    """An agent of the part that CONTRIBUTING.md shows, given its lapse."""
    (code,) = re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL)
    scope = {"Noise": gi.agents.Noise, "jnp": jnp, "Any": Any, "ClassVar": ClassVar}
    exec("\n".join(line.removeprefix("   ") for line in code.splitlines()), scope)
    return lambda lapse: gi.agents.PlanningAgent(
        TrueBeliefs(), ValueIteration("soft"), Softmax(np.array(5.0)), scope["Lapse"](lapse), "lapsing"
    )


def test_the_example_of_a_new_agent_does_what_it_says(lapsing):
    for lapse in (0.0, 0.3, 1.0):
        policy = lapsing(np.array(lapse)).policy(HALL, WANTS).values
        meant = gi.agents.soft_optimal(beta=5.0).policy(HALL, WANTS).values
        anything = HALL.mdp.available / HALL.mdp.available.sum(1, keepdims=True)
        np.testing.assert_allclose(policy, (1 - lapse) * meant + lapse * anything, atol=1e-12)
    assert lapsing(np.array(0.3)).at(lapse=0.5).parameters == {"beta": 5.0, "lapse": 0.5}
    with pytest.raises(ValueError, match=r"lapse is 2; expected a finite number in \[0, 1\]"):
        lapsing(np.array(0.3)).at(lapse=2.0)


def test_the_example_of_a_new_agent_can_be_inferred(lapsing, tmp_path):
    walks = gi.simulate(jax.random.key(0), HALL, lapsing(np.array(0.3)), WANTS, trajectories=40, steps=25)
    prior = lapsing(dist.Beta(1.0, 1.0))
    fit = gi.infer(jax.random.key(1), HALL, agent=prior, reward=WANTS, data=walks, chains=2, warmup=200, draws=200)
    low, high = np.quantile(fit.posterior["agent.lapse"], [0.001, 0.999])
    assert low < 0.3 < high
    assert high - low < 0.5
    again = gi.load(fit.save(tmp_path / "fit.nc"))
    assert again.summary().equals(fit.summary())
    assert again.agent.parameters.keys() == {"beta", "lapse"}


def test_what_the_page_on_agents_shows_runs():
    page = (REPOSITORY / "docs" / "concepts" / "agents.rst").read_text(encoding="utf-8")
    code = [textwrap.dedent(found) for found in re.findall(r"(?<!math):: ?\n\n((?: {3}.*\n|\n)+)", page)]
    assert len(code) == 5
    scope = {"Any": Any, "ClassVar": ClassVar, "dist": dist, "gi": gi, "goalinf": gi, "jnp": jnp}
    for block in code:
        exec(block, scope)
    wary, careless = (gi.agents.boltzmann(beta=2.0, outlook=scope["Wary"](caution)) for caution in (0.5, 0.0))
    np.testing.assert_allclose(
        careless.policy(HALL, WANTS), gi.agents.boltzmann(beta=2.0).policy(HALL, WANTS), atol=1e-9
    )
    assert wary.parameters == {"caution": 0.5, "beta": 2.0}


def test_files_that_are_named_exist():
    named = set(re.findall(r"`((?:goalinf|tests|docs|models|benchmarks)/[\w/.]*)`", README + CONTRIBUTING))
    assert len(named) > 5
    rooms = re.findall(r"\| `([\w./]+\.py)` \|", CONTRIBUTING)
    assert len(rooms) == 7
    named |= {f"goalinf/agents/{room}" for room in rooms}
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
