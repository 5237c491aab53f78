"""Agent: beliefs, planner, choice and execution put together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import numpy as np
import xarray as xr
from numpyro.distributions import Distribution

from goalinf import display
from goalinf.agents import facts
from goalinf.agents.parts.beliefs import TrueBeliefs
from goalinf.agents.parts.noise import AsIntended
from goalinf.agents.parts.planners import ValueIteration
from goalinf.agents.parts.rational_inattention import RationalInattention
from goalinf.checks import check_kind
from goalinf.planning.parameters import Part, check_parameter, interval
from goalinf.precision import Precision
from goalinf.rewards import Reward, check_reward
from goalinf.worlds import World
from goalinf.worlds.world import label

_ROOMS = ("beliefs", "planner", "choice", "execution")


class Agent(eqx.Module):
    """Beliefs + planner + choice + execution: someone who acts.

    The named constructors (:func:`~goalinf.agents.boltzmann`, :func:`~goalinf.agents.optimistic`, …) make the usual
    ones; any other is put together from the parts in ``goalinf.agents``. A parameter that is a NumPyro distribution
    makes the agent a prior over agents.

    Parameters
    ----------
    beliefs : callable, optional
        MDP -> the MDP that is planned in. Default: the truth.
    planner : Planner, optional
        :class:`~goalinf.planning.bellman.Problem`, and values nearby or None ->
        :class:`~goalinf.agents.parts.planners.Plan`. On the host the problem may be that of several rewards. Default:
        optimal planning.
    choice : callable
        Q-values -> log-probabilities; holds ``beta``.
    execution : callable, optional
        Log-probabilities of what is chosen -> of what is done; or, of a plan that can fail, ``enact``. Default: what is
        chosen is done.
    name : str
        What it is called in messages.

    Raises
    ------
    ValueError
        Where a parameter is outside its range, or the parts mean nothing together.

    Examples
    --------
    An optimistic agent that looks three steps ahead and lapses now and then:

    >>> from goalinf.agents import Agent, Lapse, Optimism, Softmax, ValueIteration
    >>> planner = ValueIteration(depth=3, outlook=Optimism(0.5))
    >>> Agent(planner=planner, choice=Softmax(2.0), execution=Lapse(0.05)).parameters
    {'optimism': 0.5, 'beta': 2.0, 'lapse': 0.05}
    """

    beliefs: Any
    planner: Any
    choice: Any
    execution: Any
    name: str = eqx.field(static=True)

    def __init__(
        self, beliefs: Any = None, planner: Any = None, choice: Any = None, execution: Any = None, name: str = "agent"
    ):
        if choice is None:
            raise ValueError("an agent needs a choice rule, such as choice=goalinf.agents.Softmax(beta=2.0)")
        self.beliefs = TrueBeliefs() if beliefs is None else beliefs
        self.planner = ValueIteration() if planner is None else planner
        self.choice = choice
        self.execution = AsIntended() if execution is None else execution
        self.name = name

    def __check_init__(self) -> None:
        for room in _ROOMS:
            part = getattr(self, room)
            if isinstance(part, type) or not (callable(part) or hasattr(part, "enact")):
                raise ValueError(f"{room} is {part!r}; expected a part, such as those in goalinf.agents")
        _check_nesting(self.execution)
        names = [name for _, name in self._owners()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: two parts of the agent have a parameter of this name")
        if hasattr(self.beliefs, "foresee") and self.slip is None:
            raise ValueError("slips are foreseen but the hand never slips: give execution=goalinf.agents.Slip(…)")
        if not self.planner.uses_beta:
            return
        if self.beta is None:
            raise ValueError(
                f"this planner foresees the agent's own choices and needs their beta, which a "
                f"{type(self.choice).__name__} does not have: use Softmax(beta=…), or a planner with backup='hard'"
            )
        if isinstance(self.choice, RationalInattention) or getattr(self.choice, "sign", 1) == -1:
            raise ValueError(
                "this planner foresees that choices follow a softmax of beta Q, and they do not: use backup='hard'"
            )
        shape = self.beta.shape() if isinstance(self.beta, Distribution) else np.shape(self.beta)
        if shape and not isinstance(self.planner, ValueIteration):
            raise ValueError(f"beta has shape {shape}; this agent plans with one temperature: give one number")

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter of every part: name -> value or distribution."""
        return {name: getattr(part, name) for part, name in self._owners()}

    def _owners(self) -> list[tuple[Any, str]]:
        named = [(part, name) for part in self.parts for name in getattr(part, "parameters", {})]
        return [(part, name) for part, name in named if getattr(part, name) is not None]

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of every parameter."""
        return {name: part.parameters[name] for part, name in self._owners()}

    @property
    def parts(self) -> tuple[Any, ...]:
        """Beliefs, planner, choice and execution, and the parts that they are made of."""
        return tuple(_parts((self.beliefs, self.planner, self.choice, self.execution)))

    @property
    def default_priors(self) -> dict[str, Distribution]:
        """The usual prior of every parameter, for rewards of about unit size: ``agent.at(**agent.default_priors)``."""
        return {name: facts.PRIORS[name]() for name in self.parameters if name in facts.PRIORS}

    @property
    def invariances(self) -> dict[facts.Invariance, bool]:
        r"""Which changes of the reward leave the policy as it is, in worlds where no episode ends.

        ``constant``: :math:`R + c`; ``potential``: :math:`R + \gamma\Phi(s') - \Phi(s)` with the agent's own discount;
        ``redistribution``: another R with the same :math:`\sum_t P\,R`.
        """
        return facts.invariances(self.parts)

    @property
    def onto(self) -> bool | None:
        """Whether every policy of full support is that of some reward r(s, a); None where nobody knows."""
        return facts.onto(self.parts)

    def confounded(self, reward: Reward, n_worlds: int = 1, *, ends: bool = False) -> dict[str, str]:
        """Parameters that no behavior tells from a reward of this class, all of whose entries are unknown: name -> why.

        Parameters
        ----------
        reward : Reward
            The class of reward.
        n_worlds : int
            In how many worlds the agent is watched.
        ends : bool
            Whether episodes can end there.
        """
        return facts.confounded(self, reward, n_worlds, ends=ends)

    @property
    def one_policy(self) -> bool:
        """Whether it acts by one policy: not by one of several hidden modes, and not by what came before."""
        moving = hasattr(self.execution, "enact") or hasattr(self.execution, "bend")
        return not moving and not hasattr(self.planner, "history")

    @property
    def scales(self) -> bool:
        """Whether beta and the reward matter only as their product."""
        return all(getattr(part, "scales", True) for part in self.parts)

    @property
    def beta(self) -> Any:
        """Inverse temperature; None where choices do not depend on it."""
        return getattr(self.choice, "beta", None)

    @property
    def slip(self) -> Any:
        """Probability that the hand slips; None where it never does."""
        found = [part.slip for part in _chain(self.execution) if hasattr(part, "slip")]
        return found[0] if found else None

    @property
    def hidden_slip(self) -> Any:
        """Probability of a slip that is not recorded: the world moves by what is done. None where data say that."""
        hidden = any(getattr(part, "recorded", "executed") == "intended" for part in _chain(self.execution))
        return self.slip if hidden else None

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a world or a reward that a part of the agent does not fit.

        Raises
        ------
        ValueError
            Where it does not; the parameter and both shapes are said.
        """
        for part in self.parts:
            if isinstance(part, Part):
                part.check(world, reward)
        # One beta is the scale of the reward, which may be 0; otherwise soft values are divided by it.
        divided = getattr(self.planner, "backup", None) == "soft" and (np.ndim(self.beta) or self.planner.outlook)
        if divided and not np.all(np.asarray(self.beta) > 0):
            raise ValueError("beta is 0 somewhere, where soft values are infinite: give numbers above 0")

    def at(self, **parameters: Any) -> Agent:
        """The same agent with other parameter values: ``agent.at(beta=2.0)``.

        Raises
        ------
        ValueError
            Where the agent has no such parameter, or the value is outside its range.
        """
        agent = self
        known = self.ranges
        for name, value in parameters.items():
            if name not in known:
                raise ValueError(f"{self.name} has no parameter {name!r}; it has {', '.join(known) or 'none'}")
            if value is None:
                raise ValueError(f"{name} is None; expected a number in {interval(*known[name])}, or a prior")
            checked = check_parameter(name, value, *known[name])
            agent = eqx.tree_at(
                partial(_owned, name=name), agent, checked, is_leaf=lambda x: isinstance(x, Distribution)
            )
        return agent

    def policy(self, world: World, reward: Reward, *, precision: Precision | None = None) -> xr.DataArray:
        """Probability of each action in each state, labeled; by decision with a horizon, by latent mode with such.

        With a history these are the probabilities of the first step, before anything has happened.

        Parameters
        ----------
        world : World
            Where the agent acts.
        reward : Reward
            What it wants.
        precision : {"float64", "float32"}, optional
            Default: float64 on a CPU, float32 on an accelerator.

        Returns
        -------
        DataArray
            Dimensions ``([mode, step,] state, action)``. On graphs, where every state has actions of its own, the
            names are in the coordinate ``choice (state, action)``.

        Raises
        ------
        ValueError
            Where the agent or reward still holds a prior, or an undiscounted problem cannot end.
        ConvergenceError, PrecisionError
            Where the planner did not reach its residual, or the precision cannot hold the values.
        """
        from goalinf.agents.planning_agent import solve

        check_kind("world", world, World, "a World, such as gi.gridworld makes")
        check_reward("reward", reward)
        policy = solve(self, world, reward, precision=precision)
        probs = np.exp(policy.log_probs)
        dims: tuple[str, ...] = ("state", "action")
        if self.planner.horizon is not None:
            dims = ("step", *dims)
        if policy.modes is not None:
            dims = ("mode", *dims)
        coords = dict(world.coords())
        if world.local_actions:
            names = [[label(name) if name is not None else "" for name in names] for names in world.actions]
            coords["choice"] = (("state", "action"), np.array(names))
        else:
            numbers = all(isinstance(name, int) for name in world.actions)
            coords["action"] = list(world.actions) if numbers else [label(name) for name in world.actions]
        return xr.DataArray(probs, dims=dims, coords=coords, name="probability")

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={text}' for name, text in self._described().items())})"

    def _repr_html_(self) -> str:
        parts = {room: display.describe(getattr(self, room)) for room in _ROOMS}
        rows = {f"parameter {name}": text for name, text in self._described().items()}
        return display.card(f"Agent {self.name}", display.facts({**rows, **parts}))

    def _described(self) -> dict[str, str]:
        return {name: display.describe(value) for name, value in self.parameters.items()}


def _chain(execution: Any) -> Iterator[Any]:
    """An execution, the one inside it, and so on."""
    while execution is not None:
        yield execution
        execution = getattr(execution, "inner", None)


def _check_nesting(execution: Any) -> None:
    """Failing plans are outermost, habits within them, and what is left is a function of the log-probabilities."""
    ranks = [(2 if hasattr(part, "enact") else 1 if hasattr(part, "bend") else 0, part) for part in _chain(execution)]
    for (outer, one), (inner, other) in pairwise(ranks):
        if inner and inner >= outer:
            raise ValueError(
                f"a {type(other).__name__} cannot stand inside a {type(one).__name__}: one failure of plans is "
                "outermost, one habit inside it, then slips or lapses"
            )


def _parts(tree: Any) -> Iterator[Any]:
    """Every part of an agent, and the parts of parts."""
    for part in jax.tree.leaves(tree, is_leaf=lambda node: node is not tree and isinstance(node, eqx.Module)):
        if isinstance(part, eqx.Module):
            yield part
            yield from _parts(part)


def _owned(agent: Agent, name: str) -> Any:
    return next(getattr(part, name) for part, owned in agent._owners() if owned == name)


def check_known(*records: Any) -> None:
    """Planning needs numbers: a prior in their place is an error that says how to replace it."""
    for leaf in jax.tree.leaves(records, is_leaf=lambda x: isinstance(x, Distribution)):
        if isinstance(leaf, Distribution):
            raise ValueError(
                f"a {type(leaf).__name__} prior stands where a number is needed; "
                "give the parameter a value (agent.at(...)), or use gi.infer to learn it"
            )
