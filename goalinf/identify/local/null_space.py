r"""Null space of the reward: directions that infinite data do not identify.

The null space of the exact Jacobian of the log-policy, as if every state were visited and every action probability
known. For a reward r(s, a) it is the shapings, :math:`\mathrm{im}(E - \gamma P)`, of dimension S, whatever the policy
(Cao, Cohen and Szpruch 2021, theorem 1); for smaller classes of reward it is the intersection with the class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np
import pandas as pd
import xarray as xr

from goalinf import display
from goalinf.agents import SingleAgent
from goalinf.agents.plannable import check_shapes
from goalinf.behavior.conditions import Conditions, Rewards, Worlds
from goalinf.errors import ConvergenceError, PrecisionError
from goalinf.identify.linear_algebra import Kernel, kernel
from goalinf.identify.local.experts import Agents, jacobians, line_up
from goalinf.identify.local.jacobian import Jacobian
from goalinf.identify.local.linearization_point import generic_rewards, reward_priors
from goalinf.identify.local.null_directions import Direction, name_directions, name_with_agent, unchanged_by
from goalinf.identify.local.null_space_labels import labeled
from goalinf.precision import computing_in
from goalinf.rewards import Reward, reward_parameters
from goalinf.worlds import World

_BLURRED = 1e3  # below this gap between nonzero and zero singular values the rank is reported as uncertain


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NullSpace:
    """Null space of a reward, together with free parameters of the agent: directions that do not change the policy.

    In an audit of observations that are not trajectories, directions that do not change their likelihood.

    Parameters
    ----------
    dimension : int
        Number of independent directions.
    basis : DataArray (direction, ...)
        Orthonormal rows, the part of the reward: dimensions ``(direction, state)``, ``(direction, state, action)``,
        ``(direction, feature)``, … ; the coordinate ``kind`` names each direction.
    agent : Dataset (direction)
        The part of the free parameters in the same rows (``agent.beta`` as its logarithm); empty without free ones.
    singular_values : float (P,)
        Singular values of the Jacobian of the log-policy, largest first, in 1/utility.
    directions : list of Direction
        The directions by name; their dimensions add up to `dimension`.
    n_parameters : int
        P, number of parameters of the reward and of free parameters of the agent.
    gap : float
        Ratio of the smallest nonzero singular value to the largest that counts as zero.
    source : str or None
        Observations whose likelihood does not change (``"these 12 choices"``); None where the policy does not change,
        so that no amount of behavior identifies the directions.
    """

    dimension: int
    basis: xr.DataArray
    agent: xr.Dataset
    singular_values: np.ndarray
    directions: list[Direction]
    n_parameters: int
    gap: float
    source: str | None = None

    @property
    def unchanged(self) -> str:
        """Quantity that does not change along the directions, in words."""
        return unchanged_by(self.source)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per name: ``kind``, ``dimension``, ``meaning``."""
        rows = [(direction.kind, direction.dimension, direction.sentence) for direction in self.directions]
        return pd.DataFrame(rows, columns=["kind", "dimension", "meaning"])

    def __str__(self) -> str:
        free = "".join(f", {name.removeprefix('agent.')}" for name in map(str, self.agent.data_vars))
        noun = f"parameters (reward{free})" if free else "directions of reward"
        parameters = f"{self.n_parameters} {noun}"
        if not self.dimension:
            return f"All {parameters} are identified by {self.source or 'sufficient behavior'}."
        verb = "is" if self.dimension == 1 else "are"
        data = self.source or "any amount of behavior"
        head = f"{self.dimension} of {parameters} {verb} not identified by {data}:"
        lines = [f"  {direction.kind} ({direction.dimension}): {direction.sentence}" for direction in self.directions]
        if self.gap < _BLURRED:
            lines.append(
                f"  The numerical rank is uncertain: the smallest singular value that counts as nonzero is only "
                f"{self.gap:.3g} times the largest that counts as zero."
            )
        return "\n".join([head, *lines])

    def __repr__(self) -> str:
        kinds = ", ".join(f"{direction.kind} {direction.dimension}" for direction in self.directions)
        return f"NullSpace(dimension {self.dimension} of {self.n_parameters}{': ' + kinds if kinds else ''})"

    def _repr_html_(self) -> str:
        head, *lines = str(self).splitlines()
        table = display.table(self.to_frame(), index=False) if self.directions else ""
        return display.card(head, table, display.paragraphs("\n".join(lines[len(self.directions) :])))


def null_space(world: Worlds, agent: Agents, reward: Rewards, *, free: Sequence[str] = ()) -> NullSpace:
    r"""Compute the null space of a reward: directions that no amount of behavior identifies.

    If every state is visited and every action probability is known exactly, the null space is

    .. math:: \mathcal N = \{\theta : \partial \log\pi / \partial\theta \cdot \theta = 0\}

    from the singular values of the exact Jacobian with an absolute tolerance (1e-8 in units of beta times reward).

    Parameters
    ----------
    world : World or mapping from context to World
        World of the agent; several worlds identify at least as many directions as one.
    agent : Agent or mapping from context to Agent
        The agent, or several experts with the same reward, in one world or in one each: experts with different
        discounts or horizons have different null spaces, and the result is their intersection. Priors of the agent are
        replaced by their medians.
    reward : Reward
        The class of rewards: all parameters, or those that are priors. For soft-optimal and Boltzmann agents without
        free parameters the null space is the same for every reward of the class. In general it is the null space at
        this reward; for a prior, or a reward of zero everywhere, at a generic reward drawn with a fixed seed.
    free : sequence of str
        Unknown parameters of the agent: ``"beta"``, ``"discount"`` (of the agent, or of the world if the agent has
        none). With ``("beta",)`` there is one more direction, the scale: behavior depends on beta times the reward
        only. Several experts have one parameter each.

    Returns
    -------
    NullSpace

    Raises
    ------
    ValueError
        If several rewards are given, if a free parameter does not exist, if an undiscounted problem cannot end, or if
        the Jacobian does not fit in memory.
    ConvergenceError, PrecisionError
        If the planner fails.

    References
    ----------
    Cao, Cohen and Szpruch (2021), "Identifiability in inverse reinforcement learning", theorem 1; Skalse et al. (2023),
    "Invariance in policy optimisation and partial identifiability in reward learning"; Ng, Harada and Russell (1999).

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> print(gi.identify.null_space(hall, gi.agents.soft_optimal(beta=1.0), reward))
    1 of 4 directions of reward is not identified by any amount of behavior:
      constant (1): adding a constant to every reward does not change the policy
    >>> gi.identify.null_space(hall, gi.agents.soft_optimal(beta=1.0), reward, free=("beta",)).dimension
    2

    A second expert with a smaller discount identifies a reward r(s, a) up to a constant:

    >>> choices = gi.ActionReward(np.ones((4, 4)))
    >>> experts = {"patient": gi.agents.soft_optimal(beta=1.0), "hasty": gi.agents.myopic(discount=0.5, beta=1.0)}
    >>> [gi.identify.null_space(hall, one, choices).dimension for one in (experts["patient"], experts)]
    [4, 1]
    """
    if isinstance(reward, Mapping):
        raise ValueError("a null space belongs to one reward: give the reward that all contexts share, not a mapping")
    conditions, agents = line_up(world, agent, reward)
    if not reward_priors(reward):
        check_shapes(reward, conditions.world)
    free = (free,) if isinstance(free, str) else free
    free = tuple(dict.fromkeys(full_name for name in free for full_name in _full_names(name, agents)))
    reward_names = tuple(f"reward.{name}" for name in reward_priors(reward)) or reward_parameters(reward)
    failure: Exception | None = None
    beta = max(float(np.max(expert.parameters.get("beta", 1.0))) for expert in agents)
    for candidate in generic_rewards(reward, conditions.world, beta):
        try:
            derivatives = jacobians(conditions, agents, candidate, (*reward_names, *free))
        except (ConvergenceError, PrecisionError) as error:
            failure = error
        else:
            return null_space_at(derivatives, conditions, agents, candidate)
    assert failure is not None
    raise type(failure)(f"{failure}; or give a known reward with which the problem can be solved") from failure


def null_space_at(
    derivatives: Sequence[Jacobian],
    conditions: Conditions,
    agents: Sequence[SingleAgent],
    reward: Reward,
    null_reward: np.ndarray | None = None,
) -> NullSpace:
    """Compute the null space of given Jacobians, one of each agent; the other arguments are those of the Jacobians.

    ``null_reward (n, P)`` are the null directions of the reward, where not all directions of the Jacobians count.
    """
    of_reward = tuple(jacobian.reward_part() for jacobian in derivatives)
    columns, n_reward = derivatives[0].columns, derivatives[0].n_rewards
    null = stacked_kernel(of_reward)
    planners = tuple(agents) * (len(conditions.worlds) if len(agents) == 1 else 1)
    planning_worlds = tuple(map(_planning_world, conditions.worlds, planners))
    horizons = tuple(planner.horizon or planner.depth for planner in planners)
    informative = of_reward
    # An expert without derivatives has the whole space as null space.
    several = len(agents) > 1
    experts_with_derivatives = [k for k, jacobian in enumerate(of_reward) if several and jacobian.matrix().any()]
    if experts_with_derivatives:
        informative = tuple(of_reward[k] for k in experts_with_derivatives)
        planning_worlds = tuple(planning_worlds[k] for k in experts_with_derivatives)
        horizons = tuple(horizons[k] for k in experts_with_derivatives)
    null_rows = null.basis if null_reward is None else null_reward
    basis, directions = name_directions(null_rows, informative, planning_worlds, reward, horizons)
    if len(columns) > len(of_reward[0].columns):
        null_padded, null = null.basis, stacked_kernel(derivatives)
        padding = ((0, 0), (0, null.basis.shape[1] - n_reward))
        basis, null_padded = np.pad(basis, padding), np.pad(null_padded, padding)
        # Directions of the free parameters: the joint null space without the null space of the reward alone.
        with_agent = kernel(null_padded @ null.basis.T, 0.5).basis @ null.basis
        with_agent, agent_directions = name_with_agent(with_agent, derivatives, reward)
        basis, directions = np.concatenate([basis, with_agent]), directions + agent_directions
    kinds = [direction.kind for direction in directions for _ in range(direction.dimension)]
    experts = dict(zip(conditions.contexts, agents, strict=True)) if several else {}
    array, agent_part = labeled(basis, kinds, columns, conditions.world, reward, experts)
    n_parameters, source = basis.shape[1], derivatives[0].source
    return NullSpace(len(basis), array, agent_part, null.singular_values, directions, n_parameters, null.gap, source)


def _full_names(name: str, agents: Sequence[SingleAgent]) -> Iterator[str]:
    """Yield the full names of a parameter: the discount is a parameter of the agent, or else of the world."""
    has_discount = ["discount" in agent.parameters for agent in agents]
    if name != "discount" or any(has_discount):
        yield f"agent.{name.removeprefix('agent.')}"
    if name == "discount" and not all(has_discount):
        yield name


def stacked_kernel(derivatives: Sequence[Jacobian]) -> Kernel:
    """Compute the common null space of several experts, each in units of its tolerance."""
    largest = max(jacobian.tolerance for jacobian in derivatives)
    scaled = [jac.matrix() * (largest / jac.tolerance) for jac in derivatives if jac.tolerance > 0]
    return kernel(np.concatenate(scaled or [derivatives[0].matrix()]), largest)


def _planning_world(world: World, agent: SingleAgent) -> World:
    """Return the world as the agent plans in it: its believed transitions, and its own discount."""
    with computing_in("float64"):
        mdp = jax.device_get(agent.planning.beliefs(world.mdp))
    if agent.discount is not None:
        mdp = dataclasses.replace(mdp, discount=np.asarray(agent.discount))
    return dataclasses.replace(world, mdp=mdp)
