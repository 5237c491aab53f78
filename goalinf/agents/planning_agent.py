"""Planning agents: beliefs, planner, choice rule and noise in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpyro.distributions import Distribution

from goalinf.agents.abstract_kinds import SingleModeAgent, one_by_one, over_conditions
from goalinf.agents.agent import Axes, SingleAgent
from goalinf.agents.believed_problem import ChoiceModel, make_plan, make_plans
from goalinf.agents.composed_agent import parts_of
from goalinf.agents.parts.beliefs import Beliefs, TrueBeliefs
from goalinf.agents.parts.choice import ChoiceRule, Softmax
from goalinf.agents.parts.noise import Available, LogProbs, Noise, NoNoise
from goalinf.agents.parts.planners import Planner
from goalinf.agents.parts.value_iteration import ValueIteration
from goalinf.agents.policy import PlannedValues, Policy
from goalinf.planning.bellman import choosable
from goalinf.planning.parameters import Part, part_of_kind
from goalinf.planning.solution import Plan
from goalinf.precision import cast, namespace, on_host
from goalinf.rewards import Reward, StateReward, ended, pinned
from goalinf.types import Numeric
from goalinf.worlds import MDP


class PlanningAgent(SingleModeAgent):
    """Agent of four parts: beliefs, planner, choice rule and noise.

    The named constructors (:func:`~goalinf.agents.boltzmann`, :func:`~goalinf.agents.optimistic`, …) make the usual
    agents; other agents are composed of the parts in ``goalinf.agents``. A parameter that is a NumPyro distribution
    makes the agent a prior over agents.

    Parameters
    ----------
    beliefs : Beliefs, optional
        MDP -> the MDP that the agent plans in. Default: the true one.
    planner : Planner, optional
        :class:`~goalinf.planning.Problem`, and an initial guess of the values or None ->
        :class:`~goalinf.planning.Plan`. On the host the problem may combine several rewards. Default: optimal planning.
    choice : ChoiceRule
        Q-values -> log-probabilities; holds ``beta``.
    noise : Noise, optional
        Log-probabilities of intended actions -> of recorded actions. Default: none.
    name : str
        Name in messages.

    Raises
    ------
    ValueError
        Where a parameter is outside its range, or the parts contradict one another.

    Examples
    --------
    An optimistic agent with a lookahead of three steps and lapses:

    >>> from goalinf.agents import Lapse, Optimism, PlanningAgent, Softmax, ValueIteration
    >>> planner = ValueIteration(depth=3, outlook=Optimism(0.5))
    >>> PlanningAgent(planner=planner, choice=Softmax(2.0), noise=Lapse(0.05)).parameters
    {'optimism': 0.5, 'beta': 2.0, 'lapse': 0.05}
    """

    beliefs: Beliefs
    planner: Planner
    choice: ChoiceRule
    noise: Noise
    name: str = eqx.field(static=True, default="agent")

    def __init__(
        self,
        beliefs: object = None,
        planner: object = None,
        choice: object = None,
        noise: object = None,
        name: str = "agent",
    ):
        if choice is None:
            raise ValueError("an agent needs a choice rule, such as choice=goalinf.agents.Softmax(beta=2.0)")
        self.beliefs = part_of_kind("beliefs", TrueBeliefs() if beliefs is None else beliefs, Beliefs)
        self.planner = part_of_kind("planner", ValueIteration() if planner is None else planner, Planner)
        self.choice = part_of_kind("choice", choice, ChoiceRule)
        self.noise = part_of_kind("noise", NoNoise() if noise is None else noise, Noise)
        self.name = name

    def __check_init__(self) -> None:
        self.check_names()
        if self.beliefs.foresees and self.slip is None:
            raise ValueError("the beliefs foresee slips, but the noise has none: give noise=goalinf.agents.Slip(…)")
        if not self.planner.uses_beta:
            return
        if self.beta is None:
            raise ValueError(
                f"this planner foresees the agent's own actions and needs a beta, which a {type(self.choice).__name__} "
                "does not have: use Softmax(beta=…), or a planner with backup='hard'"
            )
        if not self.choice.softmax:
            raise ValueError(
                "this planner assumes that actions follow a softmax of beta Q, and they do not: use backup='hard'"
            )
        shape = self.beta.shape() if isinstance(self.beta, Distribution) else np.shape(self.beta)
        if shape and not isinstance(self.planner, ValueIteration):
            raise ValueError(f"beta has shape {shape}; this agent plans with one temperature: give one number")

    @property
    def planning(self) -> PlanningAgent:
        """The agent itself."""
        return self

    @property
    def parts(self) -> tuple[Part, ...]:
        """Beliefs, planner, choice rule and noise, and the parts inside them."""
        return tuple(parts_of((self.beliefs, self.planner, self.choice, self.noise)))

    @property
    def one_policy(self) -> bool:
        """True: the policy depends only on the state and the time."""
        return True

    @property
    def host_plans(self) -> bool:
        """True where every part also works on the host, with NumPy arrays."""
        return all(part.numpy for part in (self.beliefs, self.planner, self.choice, self.noise))

    @property
    def beta(self) -> Any:
        """Inverse temperature; None where the action probabilities do not depend on it."""
        return self.choice.inverse_temperature

    @property
    def plan_parameters(self) -> set[str]:
        """Names of the parameters of beliefs and planner, and of what the planner foresees."""
        parts = [*parts_of((self.beliefs, self.planner))]
        parts += [self.choice] if self.planner.uses_beta else []
        parts += [self.noise] if self.beliefs.foresees else []
        return {name for part in parts for name in part.parameters}

    @property
    def horizon(self) -> int | None:
        """Horizon of the planner."""
        return self.planner.horizon

    @property
    def depth(self) -> int | None:
        """Lookahead of the planner."""
        return self.planner.depth

    @property
    def discount(self) -> Any:
        """Discount factor of the planner."""
        return self.planner.discount

    @property
    def endless(self) -> bool:
        """True where values are infinite sums of discounted rewards, which have to be finite."""
        return self.planner.endless and (self.planner.outlook is None or self.planner.outlook.discounts)

    @property
    def smooth(self) -> bool:
        """True where the policy is a smooth function of the reward."""
        return self.planner.smooth

    @property
    def slip(self) -> Any:
        """Probability of a slip of the noise."""
        return self.noise.slip_probability

    @property
    def hidden_slip(self) -> Any:
        """Probability of a slip that is not recorded."""
        return self.slip if self.noise.hides_slips else None

    def with_planning(self, planning: SingleAgent) -> SingleAgent:
        """Return the other planning agent."""
        return planning

    def check_beta(self) -> None:
        """Refuse an inverse temperature of 0 where soft values are divided by it.

        One beta is the scale of the reward, which may be 0.

        Raises
        ------
        ValueError
            Where beta is 0 in a state.
        """
        soft = isinstance(self.planner, ValueIteration) and self.planner.backup == "soft"
        divided = soft and (np.ndim(self.beta) or self.planner.outlook)
        if divided and not np.all(np.asarray(self.beta) > 0):
            raise ValueError("beta is 0 in a state, where soft values are infinite: give numbers above 0")

    @property
    def _bending(self) -> set[str]:
        planner = self.planner.innermost
        outlook = () if planner.outlook is None else (planner.outlook,)
        return {name for part in (self.beliefs, planner, *outlook, self.choice, self.noise) for name in part.parameters}

    def _compensated_by_states(self, reward: StateReward) -> set[str]:
        planner, outlook = self.planner.innermost, self.planner.innermost.outlook
        separable = outlook is not None and outlook.separable and reward.on == "departure"
        # A lookahead of one step to leaves whose values are known does not depend on the rewards of later states.
        known_leaf = planner.leaf is not None
        plain = (outlook is None or separable) and not (known_leaf and planner.depth == 1)
        family = planner.facts.state_values and self.beliefs.facts.state_values and self.choice.facts.onto is True
        if not (plain and family and self.beta is not None):
            return set()
        names = set(planner.parameters)
        if self.beliefs.foresees and self.hidden_slip is not None:
            names |= {"slip"}
        if separable or known_leaf:
            names |= {"beta"}
        if separable and outlook is not None:
            names |= set(outlook.parameters)
        return names

    # -- policies -------------------------------------------------------------------------------

    def policies(self, mdp: MDP, reward: Reward, *, initial: Numeric | None = None) -> Policy:
        """Compute the policy: beliefs, then planner, then choice rule, then noise; traceable.

        A planner whose values scale with the reward plans at beta 1; where none of its inputs is traced, it plans once,
        on the host in float64, while the surrounding program is being compiled.
        """
        model, factor = self._choice_model()
        return self._act(mdp, reward, factor, make_plan(self.planner, self.beliefs, model, mdp, reward, initial))

    def policies_each(self, mdp: MDP, reward: Reward, initial: Numeric | None, axes: Axes) -> Policy:
        """Compute the policies of several conditions."""
        inputs = (mdp, reward, initial)
        if on_host(self, inputs) and self.host_plans:
            return one_by_one(lambda mdp, reward, start: self.policies(mdp, reward, initial=start), inputs, axes)
        model, factor = self._choice_model()
        if not on_host(self.planner, self.beliefs, model, inputs):
            return over_conditions(self, inputs, axes)
        plans = one_by_one(partial(make_plan, self.planner, self.beliefs, model), inputs, axes)
        return jax.vmap(PlanningAgent._act, (None, *axes[:2], None, 0))(self, mdp, reward, factor, plans)

    def policies_of_goals(self, mdp: MDP, rewards: Sequence[Reward]) -> Policy:
        """Compute policies for several rewards in one world, planned together on the host, with a leading axis."""
        agent, mdp, rewards = jax.device_get((self, mdp, list(rewards)))
        model, factor = agent._choice_model()
        planned = make_plans(agent.planner, agent.beliefs, model, mdp, rewards)
        acted = [agent.acts(mdp, reward, q) for reward, q in zip(rewards, factor * planned.q, strict=True)]
        log_probs, over = (np.stack(arrays) for arrays in zip(*acted, strict=True))
        return Policy(log_probs, factor * planned.values, over, planned.residual)

    def policies_with_errors(self, mdp: MDP, reward: Reward, errors: Numeric) -> Policy:
        """Compute the policies of a plan with these errors of Q (M, A, S), in utility; they have a leading axis."""
        model, factor = self._choice_model()
        planned = make_plan(self.planner, self.beliefs, model, mdp, reward, None)

        def wrong(error: Numeric) -> Policy:
            q = jnp.asarray(planned.q) + model.scale * error
            return self._act(mdp, reward, factor, dataclasses.replace(planned, q=q))

        return jax.vmap(wrong)(errors)

    def idle(self, mdp: MDP, reward: Reward, default: ArrayLike | None) -> Any:
        """Return log-probabilities of a default policy (None: uniform), which do not depend on the reward."""
        agent = dataclasses.replace(self, choice=Softmax(1.0, default))
        return agent.acts(mdp, reward, jnp.zeros((mdp.n_actions, mdp.n_states)))[0]

    def alternative(self, mdp: MDP, reward: Reward) -> Policy | None:
        """Compute the policy by a search from the values of optimal planning rather than from zero."""
        planner = ValueIteration(discount=self.discount)
        best = dataclasses.replace(self, planner=planner, choice=Softmax(1.0), noise=NoNoise())
        return self.policies(mdp, reward, initial=self._choice_model()[0].scale * best.policies(mdp, reward).values)

    def acts(self, mdp: MDP, reward: Reward, q: Numeric) -> tuple[Any, Any]:
        """Return log-probabilities of the recorded actions, and states in which the episode has ended."""
        over = ended(reward, mdp)
        available = choosable(mdp, over | pinned(reward, mdp)[0])
        return self.noise(self.choice(q, available.T, ~over), available), over

    def recorded(self, log_probs: LogProbs, available: Available) -> Any:
        """Return log-probabilities of the recorded actions, given log-probabilities of the intended actions."""
        return self.noise(log_probs, available)

    def memory(self, mdp: MDP, reward: Reward) -> None:
        """Return None: there is no memory."""
        return

    def _choice_model(self) -> tuple[ChoiceModel, Any]:
        """Return the parameters that the planner needs, and the factor of its plan."""
        beta = 1.0 if self.beta is None else self.beta
        slip = self.slip if self.beliefs.foresees else None
        if not self.planner.uses_beta:
            return ChoiceModel(1.0, slip=slip), beta
        choice = self.choice if isinstance(self.choice, Softmax) and self.choice.default is not None else None
        # A planner that needs beta plans for beta times the reward at temperature one, where this is equivalent.
        if self.planner.outlook is None and not np.ndim(beta):
            return ChoiceModel(beta, choice=choice, slip=slip), 1.0
        return ChoiceModel(1.0, beta, choice, slip), beta

    def _act(self, mdp: MDP, reward: Reward, factor: ArrayLike, planned: Plan) -> Policy:
        agent = self
        if not on_host(agent, mdp, reward, planned):
            agent, reward, factor, planned = cast((agent, reward, factor, planned))
        log_probs, over = agent.acts(mdp, reward, factor * planned.q)
        values = agent._in_utility(planned)
        return Policy(log_probs, factor * planned.values, over, planned.residual, planned=values)

    def _in_utility(self, planned: Plan) -> PlannedValues | None:
        """Return Q and V of a plan of the scaled reward, in utility; None where the agent does not plan."""
        if not self.planner.plans:
            return None
        scale = self._choice_model()[0].scale
        xp = namespace(scale, planned.q)
        positive = xp.where(xp.asarray(scale) > 0, scale, xp.nan)
        return PlannedValues(planned.q / positive, planned.values / positive)
