"""Agents with bounded planning depth, bounded information, or an aspiration level."""

from __future__ import annotations

import numpy as np

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.named.assembly import Setting, assemble, make_part
from goalinf.agents.parts.choice import Satisficing, Softmax
from goalinf.agents.parts.rational_inattention import Inattentive, RationalInattention
from goalinf.agents.parts.successor import SuccessorRepresentation
from goalinf.checks import check_count, check_flag
from goalinf.planning.parameters import Parameter
from goalinf.types import Numbers


@constructor
def lookahead(*, depth: int, beta: Parameter | Numbers, leaf: Numbers | None = None, **others: Setting) -> Agent:
    r"""Make an agent with a lookahead of fixed depth at every step (receding horizon, model-predictive control).

    .. math:: Q = r + \gamma P V_{d-1},\quad V_{k+1} = \max_a (r + \gamma P V_k),\quad V_0 = h

    The policy is stationary, unlike the policy of :func:`finite_horizon`.

    Parameters
    ----------
    depth : int
        :math:`d`, at least 1. 1: greedy; towards infinity: :func:`boltzmann`. ``gi.one_of([1, 2, 4])`` if unknown.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    leaf : float (S,), optional
        :math:`h`, value in utility of the states at the end of the lookahead. None: 0. The optimal values:
        :func:`boltzmann`.
    **others
        ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`.

    References
    ----------
    Evans, Stuhlmüller and Goodman (2016), the reward-myopic agent; Chan, Critch and Dragan (2021), myopic value
    iteration.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.agents.lookahead(depth=2, beta=5.0).policy(hall, reward).sel(state="s").values  # reward beyond the depth
    array([0.25, 0.25, 0.25, 0.25])
    """
    check_count("depth", depth)
    return assemble("lookahead", beta, others, depth=depth, leaf=leaf)


@constructor
def kl_bounded(*, beta: Parameter | Numbers, default: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make an agent that pays 1/beta utility per nat of divergence from a default policy.

    .. math:: Q = r + \gamma P V,\quad V = \tfrac1\beta \log \sum_a \pi_0(a \mid s)\,e^{\beta Q},\quad
        \pi = \pi_0\,e^{\beta (Q - V)}

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0. 0: the default policy; towards infinity: optimal among the
        actions that have a positive probability under the default policy.
    default : float (A,), (S, A) or Distribution
        :math:`\pi_0`, restricted to the available actions. Uniform: the policy is that of :func:`soft_optimal` where
        all states have equally many actions.
    **others
        ``horizon``, ``depth``, ``discount``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see
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
    Todorov (2007); Rubin, Shamir and Tishby (2012); Ortega and Braun (2013).

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> lazy = gi.agents.kl_bounded(beta=0.0, default=[0.1, 0.1, 0.4, 0.4])
    >>> lazy.policy(hall, gi.StateReward.zero(hall)).sel(state="s").values.round(3)
    array([0.1, 0.1, 0.4, 0.4])
    """
    if default is None:
        raise ValueError("default is None; expected the default policy, (A,) or (S, A), or a prior")
    return assemble("kl_bounded", make_part(Softmax, beta=beta, default=default), others, backup="soft")


@constructor
def rational_inattention(
    *, beta: Parameter | Numbers, visits: Numbers | None = None, foreseen: bool = False, **others: Setting
) -> Agent:
    r"""Make an agent of rational inattention, which pays 1/beta utility per nat of information about the state.

    .. math:: \pi(a \mid s) = \frac{q(a)\,e^{\beta Q(s,a)}}{\sum_b q(b)\,e^{\beta Q(s,b)}},\quad
        q(a) = \sum_s p(s)\,\pi(a \mid s)

    with the optimal :math:`Q^*`; or, where the agent foresees the cost of information at later steps, with
    :math:`Q = r + \gamma P V`, :math:`V = \frac1\beta \log \sum_a q(a)\,e^{\beta Q}` and the discounted occupancy of
    the policy itself as :math:`p`.

    Parameters
    ----------
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0. Towards 0: the same policy everywhere; towards infinity: optimal.
    visits : float (S,), optional
        :math:`p(s)`, frequency of each state, up to a factor. None: uniform over the states in which an action is
        chosen. Not with ``foreseen=True``: then p is the occupancy of the policy, from the initial states of the world.
    foreseen : bool
        True: the agent plans for the later cost of information (mutual-information regularization). There can be
        several such policies; the search starts from a uniform marginal q, and
        :class:`~goalinf.errors.SeveralSolutionsWarning` reports other solutions. Such an agent has neither ``horizon``
        nor ``depth`` nor ``outlook``.
    **others
        ``horizon``, ``depth``, ``discount``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`; or where visits are given with ``foreseen=True``.

    References
    ----------
    Sims (2003); Matějka and McKay (2015); Lai and Gershman (2021). Foreseen: Grau-Moya, Leibfried and Vrancx (2019).

    Examples
    --------
    An agent that does not foresee the cost assumes optimal later actions, so that its Q-values differ little:

    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a.", moves=("left", "right"), discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> for foreseen in (False, True):
    ...     policy = gi.agents.rational_inattention(beta=2.0, foreseen=foreseen).policy(hall, reward)
    ...     print(policy.sel(action="right").values.round(2), round(gi.agents.policy_complexity(policy), 2), "nats")
    [0.98 0.99 0.95 0.88] 0.02 nats
    [0.79 0.92 0.58 0.32] 0.12 nats
    """
    check_flag("foreseen", foreseen)
    if not foreseen:
        visits = None if visits is None else np.asarray(visits, float)
        return assemble("rational_inattention", make_part(RationalInattention, beta=beta, visits=visits), others)
    if visits is not None:
        raise ValueError("visits are given; with foreseen=True they are the occupancy of the policy: leave them out")
    planner = make_part(Inattentive, discount=others.pop("discount", None))
    return assemble("rational_inattention", beta, others, planner=planner)


@constructor
def satisficing(*, aspiration: Parameter, sharpness: Parameter, **others: Setting) -> Agent:
    r"""Make a satisficing agent, which chooses among actions whose value is within a margin of the best.

    .. math:: \pi(a \mid s) \propto \sigma\big(k\,(Q^*(s,a) - \max_b Q^*(s,b) + c)\big)

    Parameters
    ----------
    aspiration : float or Distribution
        :math:`c` in utility, at least 0: margin below the best value that is accepted. Towards infinity: uniform.
    sharpness : float or Distribution
        :math:`k` in 1/utility, above 0. With :math:`c = 0` and large :math:`k` only the best actions are accepted.
    **others
        ``horizon``, ``depth``, ``discount``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see
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
    Simon (1956).

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.satisficing(aspiration=0.5, sharpness=10.0).parameters
    {'aspiration': array(0.5), 'sharpness': array(10.)}
    """
    return assemble("satisficing", make_part(Satisficing, aspiration=aspiration, sharpness=sharpness), others)


@constructor
def successor_representation(
    *,
    beta: Parameter | Numbers,
    default: Parameter | Numbers | None = None,
    model_based: Parameter = 0.0,
    **others: Setting,
) -> Agent:
    r"""Make an agent that uses the successor representation of a default policy, or mixes it with planning.

    .. math:: Q = w\,Q^* + (1 - w)\,(r + \gamma P M r_{\pi_0}),\quad M = (I - \gamma P_{\pi_0})^{-1}

    Its values are correct after a change of rewards, and incorrect after a change of transitions.

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    default : float (A,) or (S, A), optional
        Default policy :math:`\pi_0`, restricted to the available actions. None: uniform. Optimal: :func:`boltzmann`.
    model_based : float or Distribution
        :math:`w`, in [0, 1]. 0: only the successor representation; 1: :func:`boltzmann`.
    **others
        ``beliefs``, ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`.

    References
    ----------
    Dayan (1993); Russek et al. (2017).

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.successor_representation(beta=2.0, model_based=0.5).parameters
    {'model_based': array(0.5), 'beta': array(2.)}
    """
    default = None if default is None else np.asarray(default, float)
    planner = make_part(SuccessorRepresentation, default=default, model_based=model_based)
    return assemble("successor_representation", beta, others, planner=planner)
