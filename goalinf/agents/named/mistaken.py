"""Agents with false beliefs about the transition probabilities."""

from __future__ import annotations

from collections.abc import Sequence

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.named.assembly import Setting, assemble, make_part
from goalinf.agents.parts.beliefs import FalseDynamics, IllusionOfControl
from goalinf.planning.parameters import Parameter
from goalinf.types import Numbers, Numeric
from goalinf.worlds import MDP, World


@constructor
def illusion_of_control(*, control: Parameter, beta: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make an agent that overestimates, or underestimates, the probabilities of likely outcomes.

    .. math:: \tilde P(t \mid s,a) \propto P(t \mid s,a)^n \text{ over the possible outcomes}

    It plans rationally in :math:`\tilde P` and acts in :math:`P`.

    Parameters
    ----------
    control : float or Distribution
        :math:`n`, at least 0. 0: all possible outcomes are equally probable; 1: :func:`boltzmann`; towards infinity:
        only the most probable outcome. Where every action has one outcome, it has no effect.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`.

    References
    ----------
    Chan, Critch and Dragan (2021).

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.illusion_of_control(control=2.0, beta=2.0).parameters
    {'control': array(2.), 'beta': array(2.)}
    """
    return assemble("illusion_of_control", beta, others, beliefs=make_part(IllusionOfControl, control=control))


@constructor
def false_dynamics(
    *,
    confusion: Parameter,
    beta: Parameter | Numbers,
    alternative: World | MDP | Numeric | Sequence[int],
    **others: Setting,
) -> Agent:
    r"""Make an agent that plans rationally in a mixture of the world and another world.

    .. math:: \tilde P = (1 - m) P + m P'

    Unlike beta or the discount, such beliefs are identified by behavior in a single world with a state reward.

    Parameters
    ----------
    confusion : float or Distribution
        :math:`m`, in [0, 1]. 0: :func:`boltzmann`; 1: the agent believes in the other world.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    alternative : World or sequence of int
        :math:`P'`: a world with the same states and actions, of which only the transitions are used (an action that it
        does not offer, or in its terminal states, is believed to stay in place); or for every action the number of
        the action whose outcomes it is believed to have, such as ``[1, 0]`` for two exchanged actions.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`. When it plans: where the alternative does not fit the world, or the reward is a
        :class:`TransitionReward`, which is not defined for outcomes of the alternative.

    References
    ----------
    Reddy, Dragan and Levine (2018).

    Examples
    --------
    Left and right are exchanged:

    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> confused = gi.agents.false_dynamics(confusion=1.0, beta=5.0, alternative=[0, 1, 3, 2])
    >>> confused.policy(hall, reward).sel(state="0,1").idxmax("action").item()
    'left'
    """
    beliefs = make_part(FalseDynamics, confusion=confusion, alternative=alternative)
    return assemble("false_dynamics", beta, others, beliefs=beliefs)
