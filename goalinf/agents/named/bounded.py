"""Agents of bounded depth, information or ambition."""

from __future__ import annotations

from typing import Any

import numpy as np

from goalinf.agents.agent import Agent
from goalinf.agents.mixtures import constructor
from goalinf.agents.named.assembly import assembled, made
from goalinf.agents.parts.choice import Satisficing, Softmax
from goalinf.agents.parts.planners import SuccessorRepresentation
from goalinf.agents.parts.rational_inattention import Inattentive, RationalInattention
from goalinf.checks import check_count, check_flag


@constructor
def lookahead(*, depth: int, beta: Any, leaf: Any = None, **others: Any) -> Agent:
    r"""Looks so many decisions ahead, anew at every step (receding horizon, model-predictive control).

    .. math:: Q = r + \gamma P V_{d-1},\quad V_{k+1} = \max_a (r + \gamma P V_k),\quad V_0 = h

    The policy is stationary, other than that of :func:`finite_horizon`.

    Parameters
    ----------
    depth : int
        :math:`d`, at least 1. 1: greedy; towards infinity: :func:`boltzmann`. ``gi.one_of([1, 2, 4])`` if unknown.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    leaf : float (S,), optional
        :math:`h`, value in utility of where looking ahead ends. None: 0. The optimal values: :func:`boltzmann`.
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
    >>> gi.agents.lookahead(depth=2, beta=5.0).policy(hall, reward).sel(state="s").values  # too far to see
    array([0.25, 0.25, 0.25, 0.25])
    """
    check_count("depth", depth)
    return assembled("lookahead", beta, others, depth=depth, leaf=leaf)


@constructor
def kl_bounded(*, beta: Any, default: Any, **others: Any) -> Agent:
    r"""Departs from a default policy only as far as it pays: 1/beta utility for every nat of divergence.

    .. math:: Q = r + \gamma P V,\quad V = \tfrac1\beta \log \sum_a \pi_0(a \mid s)\,e^{\beta Q},\quad
        \pi = \pi_0\,e^{\beta (Q - V)}

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0. 0: the default policy; towards infinity: optimal among what the
        default policy ever does.
    default : float (A,), (S, A) or Distribution
        :math:`\pi_0`, cut to the available actions. Uniform: the policy is that of :func:`soft_optimal` where all
        states offer equally many actions.
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
        raise ValueError("default is None; expected the policy to stay near: (A,), (S, A) or a prior")
    return assembled("kl_bounded", made(Softmax, beta=beta, default=default), others, backup="soft")


@constructor
def rational_inattention(*, beta: Any, visits: Any = None, foreseen: bool = False, **others: Any) -> Agent:
    r"""Telling states apart costs 1/beta utility per nat, so that much is done alike everywhere.

    .. math:: \pi(a \mid s) = \frac{q(a)\,e^{\beta Q(s,a)}}{\sum_b q(b)\,e^{\beta Q(s,b)}},\quad
        q(a) = \sum_s p(s)\,\pi(a \mid s)

    with the optimal :math:`Q^*`; or, where it is foreseen that telling apart will cost as much later, with
    :math:`Q = r + \gamma P V`, :math:`V = \frac1\beta \log \sum_a q(a)\,e^{\beta Q}` and the discounted visits of the
    policy itself as :math:`p`.

    Parameters
    ----------
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0. Towards 0: the same policy everywhere; towards infinity: optimal.
    visits : float (S,), optional
        :math:`p(s)`, how often each state is met, up to a factor. None: all states in which something is chosen alike.
        Not where the price is foreseen: they are those of the policy, from where the world starts.
    foreseen : bool
        Whether it plans for the price (mutual-information regularization). There can be several such policies; this one
        is found by a search that starts from a uniform habit, and :class:`~goalinf.errors.SeveralSolutionsWarning`
        tells of others. Such an agent has neither ``horizon`` nor ``depth`` nor ``outlook``.
    **others
        ``horizon``, ``depth``, ``discount``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`; or where visits are given and the price is foreseen.

    References
    ----------
    Sims (2003); Matějka and McKay (2015); Lai and Gershman (2021). Foreseen: Grau-Moya, Leibfried and Vrancx (2019).

    Examples
    --------
    Who does not foresee it believes that later choices will be perfect, so that little depends on this one:

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
        return assembled("rational_inattention", made(RationalInattention, beta=beta, visits=visits), others)
    if visits is not None:
        raise ValueError("visits are given; where the price is foreseen they are those of the policy: leave them out")
    planner = made(Inattentive, discount=others.pop("discount", None))
    return assembled("rational_inattention", beta, others, planner=planner)


@constructor
def satisficing(*, aspiration: Any, sharpness: Any, **others: Any) -> Agent:
    r"""Anything that is good enough will do.

    .. math:: \pi(a \mid s) \propto \sigma\big(k\,(Q^*(s,a) - \max_b Q^*(s,b) + c)\big)

    Parameters
    ----------
    aspiration : float or Distribution
        :math:`c` in utility, at least 0: how much less than the best is good enough. Towards infinity: uniform.
    sharpness : float or Distribution
        :math:`k` in 1/utility, above 0. With :math:`c = 0` and large :math:`k` only the best will do.
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
    return assembled("satisficing", made(Satisficing, aspiration=aspiration, sharpness=sharpness), others)


@constructor
def successor_representation(*, beta: Any, default: Any = None, model_based: Any = 0.0, **others: Any) -> Agent:
    r"""Improves on a habit by one step, from where the habit leads, or mixes that with planning.

    .. math:: Q = w\,Q^* + (1 - w)\,(r + \gamma P M r_{\pi_0}),\quad M = (I - \gamma P_{\pi_0})^{-1}

    It is right after rewards have changed, and wrong after transitions have.

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    default : float (A,) or (S, A), optional
        The habit :math:`\pi_0`, cut to the available actions. None: uniform. An optimal one: :func:`boltzmann`.
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
    planner = made(SuccessorRepresentation, default=default, model_based=model_based)
    return assembled("successor_representation", beta, others, planner=planner)
