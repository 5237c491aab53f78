"""Reference agents: rational up to the noise of their choices, the opposite, and those who want nothing."""

from __future__ import annotations

from typing import Any

from goalinf.agents.agent import Agent
from goalinf.agents.mixtures import constructor
from goalinf.agents.named.assembly import assembled, made
from goalinf.agents.parts.choice import DefaultPolicy, Softmax
from goalinf.agents.parts.planners import Negated, ValueIteration
from goalinf.checks import check_count, check_flag
from goalinf.planning.bellman import Backup


@constructor
def boltzmann(*, beta: Any, backup: Backup = "hard", **others: Any) -> Agent:
    r"""The Boltzmann-rational agent: knows the optimal Q-values and chooses among them with a softmax.

    .. math:: Q^* = r + \gamma P \max_a Q^*,\quad \pi = \mathrm{softmax}_a(\beta\,Q^*)

    It believes that everything after this choice will be optimal. The value is piecewise smooth in the reward:
    for gradient-based sampling of many rewards :func:`soft_optimal` is the smoother one.

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0; one number, or one for each state. 0: uniform; towards infinity:
        uniform over the optimal actions. Only beta times the reward can be identified. A distribution is a prior.
    backup : {"hard", "soft", "mean"}
        What the future is worth: the maximum; the log-sum-exp, which is :func:`soft_optimal`; or the mean of Q under
        the softmax (Chan, Critch and Dragan 2021), which is no contraction and can have several fixed points.
    **others
        What every named agent takes for the parts that it does not set itself: ``horizon`` (number of decisions, after
        which nothing is collected; the policy then depends on the time step), ``depth`` (number of decisions that are
        looked ahead, anew at every step), ``discount`` (the agent's own factor, in [0, 1]), ``backup``, ``outlook``
        (such as ``goalinf.agents.Optimism(0.5)``), ``beliefs`` (such as ``goalinf.agents.IllusionOfControl(2.0)``),
        ``noise`` (such as ``goalinf.agents.Lapse(0.1)``, for which ``lapse=0.1`` is short).

    Returns
    -------
    Agent
        Or a mixture of agents, where one of the arguments is :func:`one_of` several.

    Raises
    ------
    ValueError
        Where a number is out of its range, two arguments set the same part, or the parts mean nothing together.
    TypeError
        Where an argument is unknown.

    References
    ----------
    Ramachandran and Amir (2007), equation 2; Baker, Saxe and Tenenbaum (2009); Luce (1959).

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.agents.boltzmann(beta=2.0).policy(hall, reward).dims
    ('state', 'action')
    >>> short_sighted = gi.agents.boltzmann(beta=2.0, depth=3, lapse=0.1)
    >>> short_sighted.policy(hall, reward).sel(state="s", action="right").round(3).item()
    0.59
    """
    return assembled("boltzmann", beta, others, backup=backup)


@constructor
def soft_optimal(*, beta: Any, **others: Any) -> Agent:
    r"""The maximum-causal-entropy agent: plans with the log-sum-exp backup and acts on it.

    .. math:: Q = r + \gamma P V,\quad V = \tfrac1\beta \log\sum_a e^{\beta Q},\quad \pi = e^{\beta (Q - V)}

    It expects its own noise, so that it keeps away from places where a slip of choice is costly.

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0; one number, or one above 0 for each state. 0: the most random walk
        (uniform where all states offer equally many actions and no episode ends); towards infinity: optimal. Only beta
        times the reward can be identified. A distribution is a prior.
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
    Ziebart (2010), "Modeling purposeful adaptive behavior with the principle of maximum causal entropy",
    chapter 5; Haarnoja et al. (2017). Equivalent to dynamic discrete choice with Gumbel shocks, Rust (1987).

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.agents.soft_optimal(beta=2.0).policy(hall, reward).sel(state="s", action="right").item() > 0.25
    True
    """
    return assembled("soft_optimal", beta, others, backup="soft")


@constructor
def finite_horizon(*, horizon: int, beta: Any, backup: Backup = "soft", **others: Any) -> Agent:
    r"""Plans for so many decisions, after which nothing is collected; what it does depends on the time that is left.

    .. math:: Q_t = r + \gamma P V_{t+1},\quad V_t = \text{backup of } Q_t,\quad V_H = 0,\quad
        \pi_t = \mathrm{softmax}_a(\beta\,Q_t)

    Policies that change with time say more about a reward than stationary ones.

    Parameters
    ----------
    horizon : int
        Number of decisions, :math:`H`. 1: greedy; towards infinity, at a discount below 1: the first decision is that
        of the stationary agent. The discount may be 1.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    backup : {"soft", "hard", "mean"}
        As for :func:`boltzmann`.
    **others
        ``discount``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=1.0)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.agents.finite_horizon(horizon=4, beta=2.0).policy(hall, reward).sizes["step"]
    4
    """
    check_count("horizon", horizon)
    return assembled("finite_horizon", beta, others, horizon=horizon, backup=backup)


@constructor
def uniform(*, default: Any = None, **others: Any) -> Agent:
    r"""Wants nothing: every available action alike, or a given policy, whatever the reward.

    .. math:: \pi(a \mid s) = \pi_0(a \mid s)

    The planner behind the hypothesis that there is no goal.

    Parameters
    ----------
    default : float (A,), (S, A) or Distribution, optional
        :math:`\pi_0`, cut to the available actions. None: uniform.
    **others
        ``noise`` or ``lapse``; see :func:`boltzmann`. There is nothing to plan.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9, blocked="unavailable")
    >>> gi.agents.uniform().policy(hall, gi.StateReward.zero(hall)).sel(state="s").values
    array([0., 0., 0., 1.])
    """
    planning = ("horizon", "depth", "discount", "backup", "outlook", "beliefs")
    without = dict.fromkeys(planning, "there is nothing to plan")
    choice = made(DefaultPolicy, default=default)
    return assembled("uniform", choice, others, planner=ValueIteration(depth=1), without=without)


@constructor
def anti_rational(*, beta: Any, negated: bool = False, **others: Any) -> Agent:
    r"""Chooses the worst: :math:`\pi = \mathrm{softmax}_a(-\beta\,Q^*)`, or plans for the opposite of the reward.

    These are two agents. With ``negated=False`` it sabotages now and believes that everything later will be optimal.
    With ``negated=True`` it is rational about :math:`-r`, the planner :math:`(-p)(r) = p(-r)`: it works towards what is
    worst in the long run. They would agree only if a maximum were a minimum. Where it is not known of somebody, ask
    which: ``gi.agents.mixture([gi.agents.boltzmann(beta=beta), gi.agents.anti_rational(beta=beta)])``.

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0. 0: uniform.
    negated : bool
        Whether the planner is run on :math:`-r`.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup`` (only with ``negated=True``), ``outlook``, ``beliefs``,
        ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`.

    References
    ----------
    Armstrong and Mindermann (2018): with a prior of rewards that is symmetric under :math:`r \to -r`, no data tell the
    negated planner from the planner.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("a.b", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0, "b": -1.0}, default=0.0, on="departure")
    >>> gi.agents.anti_rational(beta=2.0, negated=True).policy(hall, reward).sel(state="0,1").argmax("action").item()
    3
    """
    check_flag("negated", negated)
    if negated:
        return assembled("anti_rational", beta, others, wrapped=Negated)
    return assembled("anti_rational", made(Softmax, beta=beta, sign=-1), others)
