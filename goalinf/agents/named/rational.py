"""Reference agents: rational up to choice noise, anti-rational, and reward-independent."""

from __future__ import annotations

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.named.assembly import Setting, assemble, make_part
from goalinf.agents.parts.choice import DefaultPolicy, Softmax
from goalinf.agents.parts.planners import Negated
from goalinf.agents.parts.value_iteration import ValueIteration
from goalinf.checks import check_count, check_flag
from goalinf.planning.bellman import Backup
from goalinf.planning.parameters import Parameter
from goalinf.types import Numbers


@constructor
def boltzmann(*, beta: Parameter | Numbers, backup: Backup = "hard", **others: Setting) -> Agent:
    r"""Make a Boltzmann-rational agent: a softmax of the optimal Q-values.

    .. math:: Q^* = r + \gamma P \max_a Q^*,\quad \pi = \mathrm{softmax}_a(\beta\,Q^*)

    The agent assumes that its later actions are optimal. Its values are piecewise smooth in the reward: for
    gradient-based sampling of many rewards, :func:`soft_optimal` is smoother.

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0; one number, or one for each state. 0: uniform; towards infinity:
        uniform over the optimal actions. Only beta times the reward can be identified. A distribution is a prior.
    backup : {"hard", "soft", "mean"}
        Value of a state: the maximum of Q; the log-sum-exp, which is :func:`soft_optimal`; or the mean of Q under
        the softmax (Chan, Critch and Dragan 2021), which is no contraction and can have several fixed points.
    **others
        Arguments of every named agent for the parts that it does not set itself: ``horizon`` (number of decisions,
        after which no reward is collected; the policy then depends on the time step), ``depth`` (number of decisions
        of a lookahead, repeated at every step), ``discount`` (the agent's own factor, in [0, 1]), ``backup``,
        ``outlook`` (a risk measure such as ``goalinf.agents.Optimism(0.5)``), ``beliefs`` (such as
        ``goalinf.agents.IllusionOfControl(2.0)``), ``noise`` (such as ``goalinf.agents.Lapse(0.1)``, for which
        ``lapse=0.1`` is short).

    Returns
    -------
    Agent
        Or a mixture of agents, where one of the arguments is :func:`one_of` several values.

    Raises
    ------
    ValueError
        Where a number is out of its range, two arguments set the same part, or the parts contradict one another.
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
    return assemble("boltzmann", beta, others, backup=backup)


@constructor
def soft_optimal(*, beta: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make a maximum-causal-entropy agent: log-sum-exp backup, and the softmax of its Q-values.

    .. math:: Q = r + \gamma P V,\quad V = \tfrac1\beta \log\sum_a e^{\beta Q},\quad \pi = e^{\beta (Q - V)}

    The agent takes its own choice noise into account, so that it avoids states in which a suboptimal action is costly.

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0; one number, or one above 0 for each state. 0: the policy of
        maximum causal entropy (uniform where all states have equally many actions and no episode ends); towards
        infinity: optimal. Only beta times the reward can be identified. A distribution is a prior.
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
    return assemble("soft_optimal", beta, others, backup="soft")


@constructor
def finite_horizon(*, horizon: int, beta: Parameter | Numbers, backup: Backup = "soft", **others: Setting) -> Agent:
    r"""Make an agent with a finite horizon; its policy depends on the number of remaining decisions.

    .. math:: Q_t = r + \gamma P V_{t+1},\quad V_t = \text{backup of } Q_t,\quad V_H = 0,\quad
        \pi_t = \mathrm{softmax}_a(\beta\,Q_t)

    After the horizon no reward is collected. Policies that change with time are more informative about a reward than
    stationary policies.

    Parameters
    ----------
    horizon : int
        Number of decisions, :math:`H`. 1: greedy; towards infinity, at a discount below 1: the policy of the first
        decision is the policy of the stationary agent. The discount may be 1.
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
    return assemble("finite_horizon", beta, others, horizon=horizon, backup=backup)


@constructor
def uniform(*, default: Parameter | Numbers | None = None, **others: Setting) -> Agent:
    r"""Make a reward-independent agent: uniform over the available actions, or a given policy.

    .. math:: \pi(a \mid s) = \pi_0(a \mid s)

    The agent of the hypothesis that behavior has no goal.

    Parameters
    ----------
    default : float (A,), (S, A) or Distribution, optional
        :math:`\pi_0`, restricted to the available actions. None: uniform.
    **others
        ``noise`` or ``lapse``; see :func:`boltzmann`. The agent does not plan.

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
    without = dict.fromkeys(planning, "the agent does not plan")
    choice = make_part(DefaultPolicy, default=default)
    return assemble("uniform", choice, others, planner=ValueIteration(depth=1), without=without)


@constructor
def anti_rational(*, beta: Parameter | Numbers, negated: bool = False, **others: Setting) -> Agent:
    r"""Make an anti-rational agent: :math:`\pi = \mathrm{softmax}_a(-\beta\,Q^*)`, or a planner for :math:`-r`.

    These are two agents. With ``negated=False`` the agent prefers the action of lowest value and assumes that later
    actions are optimal. With ``negated=True`` it is rational for :math:`-r`, the planner :math:`(-p)(r) = p(-r)`: it
    minimizes the return. The two differ because the one takes a maximum over later actions and the other a minimum.
    Where it is unknown whether an agent is rational, use a mixture:
    ``gi.agents.mixture([gi.agents.boltzmann(beta=beta), gi.agents.anti_rational(beta=beta)])``.

    Parameters
    ----------
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0. 0: uniform.
    negated : bool
        True: the planner is run on :math:`-r`.
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
    Armstrong and Mindermann (2018): with a prior of rewards that is symmetric under :math:`r \to -r`, no data
    distinguish the negated planner from the planner.

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
        return assemble("anti_rational", beta, others, wrapped=Negated)
    return assemble("anti_rational", make_part(Softmax, beta=beta, sign=-1), others)
