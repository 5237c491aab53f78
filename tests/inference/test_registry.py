"""Whatever can be fitted can be written to a file and comes back, classes of users included."""

import dataclasses
import inspect
import re
import subprocess
import sys
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import named_agents
import numpy as np
import numpyro.distributions as dist
import pytest

import goalinf as gi
from goalinf.inference.model.build import posterior_of
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.files.serialize import Reader, Writer
from goalinf.planning import Part
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


def test_there_is_something_to_look_at():
    assert set(named_agents.AGENTS) == CONSTRUCTORS
    assert {"StateReward", "ShapedReward"} <= set(REWARDS)


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_comes_back(name):
    agent = AGENTS[name]
    writer = Writer()
    structure = writer.structure(agent)
    again = Reader(writer.arrays, writer.records).value(structure)
    assert eqx.tree_equal(again, agent, typematch=True)


class Tremble(gi.agents.Noise):
    """Noise of a user: a share of all choices goes to the first available action."""

    tremble: Any
    parameters: ClassVar[dict] = {"tremble": (0.0, 1.0)}

    def __call__(self, log_probs, available):
        first = available & (jnp.cumsum(available, axis=-1) == 1)
        return jnp.log((1.0 - self.tremble) * jnp.exp(log_probs) + self.tremble * first)


class Squared(Reward):
    """Reward of a user: the square of a value of each state, collected on departure."""

    values: Any
    dims: ClassVar[dict] = {"values": ("state",)}
    parameters: ClassVar[tuple] = ("values",)

    def __call__(self, mdp):
        return (self.values**2)[:, None, None]


@pytest.fixture(scope="module")
def users():
    """A fit whose agent and reward are of classes of a user."""
    hall = gi.gridworld("s.a", discount=0.9)
    parts = {"planner": gi.agents.ValueIteration("soft"), "choice": gi.agents.Softmax(2.0)}
    known = gi.agents.PlanningAgent(**parts, noise=Tremble(0.2), name="trembling")
    walks = gi.simulate(0, hall, known, Squared(jnp.array([0.0, 0.0, 1.0])), trajectories=5, steps=6)
    prior = dist.Normal(0.0, 1.0).expand([3])
    return gi.infer(1, hall, agent=known, reward=Squared(prior), data=walks, chains=2, warmup=50, draws=50)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_what_users_make_comes_back(users, suffix, tmp_path):
    again = gi.load(users.save(tmp_path / f"fit{suffix}"))
    assert type(again.agent.noise) is Tremble
    assert type(again.reward) is Squared
    assert "not_kept" not in again.tree.attrs
    assert again.agent.parameters == users.agent.parameters


def test_a_class_that_is_not_known_here_costs_the_model_and_not_the_draws(users, tmp_path):
    path = users.save(tmp_path / "fit.nc")
    program = f"""
import goalinf as gi
fit = gi.load({str(path)!r})
assert fit.posterior.sizes["draw"] == 50
assert fit.model.function is None
print(fit.tree.attrs["not_kept"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "could not be read: the class" in done.stdout
    assert "import test_registry before loading the file" in done.stdout


def test_a_class_of_another_module_is_not_taken_for_one_of_the_same_name(users):
    """A class of a script may come back from the module of that name, and no other."""
    writer = Writer()
    structure = writer.structure(users.agent)
    (record,) = [one for one in writer.records if one["class"].endswith(":Tremble")]
    record["class"] = "__main__:Tremble"
    assert type(Reader(writer.arrays, writer.records).value(structure).noise) is Tremble
    record["class"] = "elsewhere:Tremble"
    with pytest.raises(ValueError, match="the class Tremble is not defined: import elsewhere before loading the file"):
        Reader(writer.arrays, writer.records).value(structure)


def test_what_no_file_can_hold_is_a_warning(users, tmp_path):
    class Lost(gi.agents.Noise):
        rule: Any = None

        def __call__(self, log_probs, available):
            return log_probs

    agent = dataclasses.replace(users.agent, noise=Lost(rule=print))
    lost = dataclasses.replace(users, model=dataclasses.replace(users.model, agent=agent))
    with pytest.warns(UserWarning, match="world, agent and reward were not kept in the file"):
        path = lost.save(tmp_path / "fit.nc")
    assert gi.load(path).model.function is None


def test_facts_of_a_part_of_a_user_are_unknown(users):
    agent = users.agent
    assert agent.invariances == dict.fromkeys(["constant", "potential", "redistribution"])
    assert agent.onto is None
    assert not agent.scales
    assert agent.confounded(gi.ActionReward(np.zeros((3, 4)))) == {}


def test_an_audit_claims_nothing_that_a_class_of_a_user_does_not_state(users):
    said = str(gi.audit(users))
    assert "confounded" not in said
    for what in ("comparison with zero reward", "degenerate pairs", "design of further data"):
        assert re.search(f"Not computed: {what}; .* linear in its parameters, and a Squared does not state", said)


def test_beta_and_a_reward_of_a_user_are_not_sampled_as_their_product(users):
    """The policy under beta times values**2 is not a function of beta times values."""
    agent = gi.agents.soft_optimal(beta=dist.LogNormal(0.0, 1.0))
    for reward, scaled in ((gi.StateReward(dist.Normal(0.0, 1.0), on="departure"), True), (users.reward, False)):
        posterior = posterior_of(StandardModel(users.world, agent, reward), users.data)
        assert (posterior.product is not None) == scaled


def test_ranges_of_a_part_of_a_user_are_checked(users):
    refused = r"tremble is 2; expected a finite number in \[0, 1\]"
    with pytest.raises(ValueError, match=refused):
        Tremble(2.0)
    with pytest.raises(ValueError, match=refused):
        users.agent.at(tremble=2.0)
    with pytest.raises(ValueError, match=r"the prior of tremble, Normal, has support outside \[0, 1\]"):
        users.agent.at(tremble=dist.Normal(0.0, 1.0))

    class Misspelt(gi.agents.Noise):
        share: Any = 0.1
        parameters: ClassVar[dict] = {"shares": (0.0, 1.0)}

        def __call__(self, log_probs, available):
            return log_probs

    with pytest.raises(TypeError, match="Misspelt lists the parameter 'shares' and has no field of this name"):
        Misspelt()


def test_names_in_a_file_mean_one_class():
    kinds = [kind for base in (gi.agents.Agent, Part, Reward) for kind in every_subclass(base)]
    own = [kind.__name__ for kind in set(kinds) if kind.__module__.startswith("goalinf.")]
    assert len(set(own)) == len(own)


def every_subclass(kind):
    return {kind, *(one for each in kind.__subclasses__() for one in every_subclass(each))}
