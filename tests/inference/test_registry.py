"""Whatever can be fitted can be written to a file: no agent and no reward without a place in the registry."""

import importlib
import inspect

import equinox as eqx
import named_agents
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.inference.results.serialize import RECORDS, Reader, Writer
from goalinf.rewards import Reward

PUBLIC = {name: getattr(gi.agents, name) for name in gi.agents.__all__}
CONSTRUCTORS = {
    name
    for name, thing in PUBLIC.items()
    if inspect.isfunction(thing) and inspect.signature(thing).return_annotation == "Agent"
}
MIXTURES = {
    "one_of": gi.agents.lookahead(depth=gi.one_of([1, 2]), beta=2.0),
    "mixture": gi.agents.mixture(
        {"planner": gi.agents.soft_optimal(beta=2.0), "idler": gi.agents.uniform()}, weights=[3.0, 1.0], by="trajectory"
    ),
    "negated": gi.agents.anti_rational(beta=2.0, negated=True, depth=2),
    "another world": gi.agents.false_dynamics(confusion=0.1, beta=2.0, alternative=gi.gridworld("s.a", discount=0.9)),
    "unknown": gi.agents.optimistic(
        optimism=dist.Normal(0.0, 1.0), beta=dist.LogNormal(0.0, 1.0), discount=dist.Beta(2.0, 1.0)
    ),
}
AGENTS = named_agents.AGENTS | MIXTURES
REWARDS = {
    name: thing
    for name, thing in vars(gi.rewards).items()
    if inspect.isclass(thing) and issubclass(thing, Reward) and thing is not Reward
}


def records_in(thing):
    """Classes of a record and of every record inside it."""
    if isinstance(thing, tuple):
        return set().union(*map(records_in, thing))
    if not isinstance(thing, eqx.Module):
        return set()
    return {type(thing)}.union(*[records_in(getattr(thing, name)) for name in thing.__dataclass_fields__])


def test_there_is_something_to_look_at():
    assert set(named_agents.AGENTS) == CONSTRUCTORS
    assert {"StateReward", "ShapedReward"} <= set(REWARDS)


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_comes_back(name):
    agent = AGENTS[name]
    assert records_in(agent) <= set(RECORDS)
    writer = Writer()
    structure = writer.structure(agent)
    again = Reader(writer.arrays, writer.records).value(structure)
    assert eqx.tree_equal(again, agent, typematch=True)


@pytest.mark.parametrize(
    "module",
    [
        *(
            "agents.parts.beliefs",
            "agents.parts.planners",
            "planning.risk",
            "agents.parts.choice",
            "agents.parts.noise",
        ),
        *("agents.memory.habits", "agents.hidden.failures", "agents.hidden.options"),
    ],
)
def test_every_part_of_an_agent_is_known(module):
    module = importlib.import_module(f"goalinf.{module}")
    mine = [thing for thing in vars(module).values() if inspect.isclass(thing) and thing.__module__ == module.__name__]
    parts = {thing for thing in mine if issubclass(thing, eqx.Module) and {"__call__", "enact"} & set(vars(thing))}
    assert parts
    assert parts <= set(RECORDS)


def test_every_reward_is_known():
    assert set(REWARDS.values()) <= set(RECORDS)
    assert {one for one in Reward.__subclasses__() if one.__module__.startswith("goalinf.rewards.")} <= set(RECORDS)


def test_names_in_a_file_mean_one_class():
    assert len({kind.__name__ for kind in RECORDS}) == len(RECORDS)
