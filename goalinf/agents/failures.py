"""Plans that fail: agents that give up, change their mind, go by way of somewhere else, or plan for a while only.

Each is an execution with latent modes. ``inner`` is the execution of every mode by itself: slips, lapses, habits.
"""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from goalinf.agents.execution import AsIntended
from goalinf.agents.modes import Modes
from goalinf.agents.parts import INFINITY, SHARE, Part, Ranges, check_dead_ends, check_policy, check_shape
from goalinf.agents.planning import follow, plan, plan_to_depths, plan_with
from goalinf.agents.policy import Policy
from goalinf.checks import check_count
from goalinf.precision import cast
from goalinf.rewards import Alternatives, GoalReward, Reward, ended, stack_rewards
from goalinf.sizes import check_memory
from goalinf.worlds import MDP, World


def _log(probabilities: Any) -> Any:
    """Logarithm with −inf, and no derivative, at zero."""
    some = probabilities > 0
    return jnp.where(some, jnp.log(jnp.where(some, probabilities, 1.0)), -jnp.inf)


_plan_each = jax.jit(jax.vmap(plan, (None, None, 0)))  # compiled once, for rewards with a leading axis


def _each(policies: Policy, modes: Modes, ended: Any) -> Policy:
    """Policies with a leading axis as those of the modes of one agent."""
    return Policy(
        policies.log_probs,
        policies.values,
        ended,
        policies.residual.max(),
        modes=modes,
        history=_first(policies.history),
    )


def _first(history: Any) -> Any:
    """The history that all modes share."""
    return jax.tree.map(lambda leaf: leaf[0], history)


class Abandoning(Part):
    r"""The plan is given up, or forgotten, at some point, and perhaps taken up again.

    From step to step the one who pursues gives up with probability h and acts by the default policy; the one who has
    given up comes back with probability :math:`\rho`.

    Parameters
    ----------
    hazard : float or Distribution
        h, in [0, 1], per step.
    recovery : float or Distribution
        :math:`\rho`, in [0, 1], per step.
    default : float (A,) or (S, A), optional
        What is done then, cut to the available actions. None: uniform over them.
    inner : execution
        That of the one who pursues, and of the one who has given up.
    """

    hazard: Any
    recovery: Any = 0.0
    default: Any = None
    inner: Any = AsIntended()
    parameters: ClassVar[Ranges] = {"hazard": SHARE, "recovery": SHARE}
    known: ClassVar[Ranges] = {"default": SHARE}

    def check(self, world: World, reward: Reward) -> None:
        """Refuse a default policy that does not fit the world."""
        if self.default is not None:
            check_policy("default", self.default, world, ended(reward, world.mdp))

    def enact(self, agent: Any, mdp: MDP, reward: Reward) -> Policy:
        """Two modes: pursuing, and not."""
        pursuing = plan(agent, mdp, reward)
        idle = jnp.broadcast_to(follow(agent, mdp, reward, self.default), pursuing.log_probs.shape)
        h, rho = jnp.asarray(self.hazard), jnp.asarray(self.recovery)
        kernel = _log(jnp.stack([jnp.stack([1.0 - h, h]), jnp.stack([rho, 1.0 - rho])]))
        return Policy(
            jnp.stack([jnp.asarray(pursuing.log_probs), idle]),
            jnp.stack([jnp.asarray(pursuing.values), jnp.zeros_like(pursuing.values)]),
            pursuing.ended,
            pursuing.residual,
            modes=Modes(_log(jnp.array([1.0, 0.0])), kernel),
            history=pursuing.history,
        )


class Switching(Part):
    r"""What is wanted changes now and then (Baker, Saxe and Tenenbaum 2009, model M2).

    .. math:: g_{t+1} = g_t \text{ with probability } 1 - s, \text{ else } g_{t+1} \sim p(g)

    The reward has to be one of several, ``gi.one_of({name: reward, …})``, whose weights are :math:`p(g)`.

    Parameters
    ----------
    switch : float or Distribution
        s, in [0, 1], per step.
    inner : execution
        That of every mode.
    """

    switch: Any
    inner: Any = AsIntended()
    parameters: ClassVar[Ranges] = {"switch": SHARE}

    def enact(self, agent: Any, mdp: MDP, reward: Reward) -> Policy:
        """One mode for each reward."""
        if not isinstance(reward, Alternatives):
            raise ValueError(
                f"a switching agent wants one of several rewards; found a {type(reward).__name__}: "
                "give reward=gi.one_of({name: reward, …})"
            )
        policies = _plan_each(agent, mdp, stack_rewards(reward.options))
        prior, s = jnp.asarray(reward.weights), jnp.asarray(self.switch)
        kernel = (1.0 - s) * jnp.eye(prior.size) + s * prior
        return _each(policies, Modes(_log(prior), _log(kernel)), policies.ended.all(axis=0))


class Subgoal(Part):
    r"""On the way to the goal a place is visited first (Baker, Saxe and Tenenbaum 2009, model M3).

    With probability :math:`\kappa` one of the places, each as likely as the others, is the goal until it is reached;
    then, or from the start, the goal is the goal.

    Parameters
    ----------
    detour : float or Distribution
        :math:`\kappa`, in [0, 1].
    places : bool (V, S)
        Where the places are.
    dead : bool (V, S)
        From where each cannot be reached.
    inner : execution
        That of every mode.
    """

    detour: Any
    places: Bool[Array | np.ndarray, "V S"]
    dead: Bool[Array | np.ndarray, "V S"]
    inner: Any = AsIntended()
    parameters: ClassVar[Ranges] = {"detour": SHARE}

    def check(self, world: World, reward: Reward) -> None:
        """Refuse places of another world."""
        for name in ("places", "dead"):
            check_shape(name, getattr(self, name), (len(self.places), world.n_states), "place, state")
        for place, dead in zip(self.places, self.dead, strict=True):
            check_dead_ends("a subgoal", np.asarray(place), np.asarray(dead), world)

    def enact(self, agent: Any, mdp: MDP, reward: Reward) -> Policy:
        """One mode for each place, and the last one for the goal."""
        if not isinstance(reward, GoalReward):
            raise ValueError(f"an agent with subgoals wants a goal; found a {type(reward).__name__}: use gi.goals")
        # Going by way of a dead end is as good as impossible; it is indifferent there.
        wanted = [
            GoalReward(place, dead, step_cost=reward.step_cost, bonus=reward.bonus, dead_end=reward.dead_end)
            for place, dead in zip(self.places, self.dead, strict=True)
        ]
        policies = _plan_each(agent, mdp, stack_rewards([*wanted, reward]))
        count = len(wanted)
        kappa = jnp.asarray(self.detour)
        initial = jnp.append(jnp.full(count, kappa / count), 1.0 - kappa)
        arrived = jnp.append(jnp.asarray(self.places), jnp.zeros_like(self.places[:1]), axis=0).T
        jump = jnp.where(arrived, count, jnp.arange(count + 1))
        modes = Modes(_log(initial), jump=jump)
        return _each(policies, modes, policies.ended[-1])


class PlanCommitment(Part):
    r"""A plan is made to some depth, followed for a while, and made anew.

    At a planning event the depth d is drawn from ``depths`` and the agent follows the policy of depth-d lookahead for
    :math:`\min(d, L)` steps; then, or at every step with probability p, it plans again. Hidden are the depth and the
    steps since planning.

    Parameters
    ----------
    replan : float or Distribution
        p, in [0, 1], per step.
    depths : float (D,)
        Probability of planning to depth 1, 2, …, D.
    commitment : int, optional
        L, the most steps that a plan is followed. None: a plan never ends by itself.
    inner : execution
        That of every mode.
    """

    replan: Any
    depths: Float[Array | np.ndarray, " D"]
    commitment: int | None = eqx.field(static=True, default=None)
    inner: Any = AsIntended()
    parameters: ClassVar[Ranges] = {"replan": SHARE}

    def enact(self, agent: Any, mdp: MDP, reward: Reward) -> Policy:
        """One mode for each depth and number of steps since planning."""
        by_depth = plan_to_depths(agent, len(self.depths), lambda one: plan(one, mdp, reward))
        depths = np.arange(len(self.depths))
        lasts = np.ones_like(depths) if self.commitment is None else np.minimum(depths + 1, self.commitment)
        what = f"the changes between {lasts.sum():,} hidden modes, one for each depth and step since planning,"
        check_memory(what, 32.0 * float(lasts.sum()) ** 2, "give fewer depths, or a smaller commitment")
        depth, since = np.array([(d, j) for d in depths for j in range(lasts[d])]).T
        fresh = jnp.where(since == 0, jnp.asarray(self.depths)[depth], 0.0)
        p = jnp.asarray(self.replan)
        follows = since[:, None] + (self.commitment is not None) == since
        on = (depth[:, None] == depth) & follows
        last = ~on.any(axis=1)
        kernel = jnp.where(last[:, None], fresh, (1.0 - p) * on + p * fresh)
        modes = Modes(_log(fresh), _log(kernel))
        log_probs, values = jnp.asarray(by_depth.log_probs)[depth], jnp.asarray(by_depth.values)[depth]
        return Policy(log_probs, values, by_depth.ended, by_depth.residual, modes, by_depth.history)


class PlanNoise(Part):
    r"""The plan itself is wrong, once per episode: :math:`\tilde Q = Q + \sigma \xi`, :math:`\xi \sim N(0, I)`.

    Errors are then consistent within an episode, as those of noisy choices are not. The integral over :math:`\xi` is
    an average over so many draws that never change. Errors of one state say nothing of those of another, so that every
    state is averaged by itself: M draws stand for :math:`M^{|S|}` plans.

    Parameters
    ----------
    plan_noise : float or Distribution
        :math:`\sigma`, in utility, at least 0.
    inner : execution
        That of every mode.
    draws : int
        How many :math:`\xi`.
    seed : int
        Which.
    """

    plan_noise: Any
    inner: Any = AsIntended()
    draws: int = eqx.field(static=True, default=64)
    seed: int = eqx.field(static=True, default=0)
    scales: ClassVar[bool] = False
    parameters: ClassVar[Ranges] = {"plan_noise": (0.0, INFINITY)}

    def __check_init__(self) -> None:
        check_count("draws", self.draws)
        check_count("seed", self.seed, least=0)

    def enact(self, agent: Any, mdp: MDP, reward: Reward) -> Policy:
        """One mode for each draw; which one holds in a state does so for the whole trajectory."""
        what = f"plans with {self.draws:,} draws of the noise in {mdp.n_states:,} states with {mdp.n_actions:,} actions"
        check_memory(what, 32.0 * self.draws * mdp.n_actions * mdp.n_states, "take fewer draws")
        # By action, then by state: a world that is padded to the size of another has the same errors as by itself.
        sources = (np.random.default_rng([self.seed, action]) for action in range(mdp.n_actions))
        noise = np.stack([rng.normal(size=(mdp.n_states, self.draws)) for rng in sources]).transpose(2, 0, 1)
        policies = plan_with(agent, mdp, reward, self.plan_noise * cast(noise))
        modes = Modes(jnp.full(self.draws, -jnp.log(self.draws)), by_state=True)
        return _each(policies, modes, policies.ended[0])
