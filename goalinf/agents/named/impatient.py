"""Agents with their own discounting: myopic, hyperbolic, quasi-hyperbolic."""

from __future__ import annotations

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.named.assembly import Setting, assemble, make_part
from goalinf.agents.parts.discounting import Hyperbolic, QuasiHyperbolic
from goalinf.planning.parameters import Parameter
from goalinf.types import Numbers


@constructor
def myopic(*, discount: Parameter, beta: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make a myopic agent: its own discount factor :math:`\gamma'` replaces :math:`\gamma` of the world.

    .. math:: Q = r + \gamma' P \max_a Q,\quad \pi = \mathrm{softmax}_a(\beta\,Q)

    A reward for every state and action compensates for any discount: behavior in one world identifies :math:`\gamma'`
    only if the reward has fewer parameters.

    Parameters
    ----------
    discount : float or Distribution
        :math:`\gamma'` per step, in [0, 1]. 0: greedy; the discount factor of the world: :func:`boltzmann`.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    **others
        ``horizon``, ``depth``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see
        :func:`boltzmann`.

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
    >>> hall = gi.gridworld("s..a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> gi.agents.myopic(discount=0.0, beta=5.0).policy(hall, reward).sel(state="s").values
    array([0.25, 0.25, 0.25, 0.25])
    """
    return assemble("myopic", beta, others, discount=discount)


@constructor
def hyperbolic(
    *, k: Parameter, beta: Parameter | Numbers, horizon: int, sophisticated: bool = False, **others: Setting
) -> Agent:
    r"""Make an agent with hyperbolic discounting: utility after d steps has weight :math:`D(d) = 1/(1 + k d)`.

    With n decisions left, at a delay of d steps from the current decision,

    .. math:: EU_n(s,a,d) &= D(d)\,r(s,a) + \sum_t P(t \mid s,a) \sum_{a'} C_{n-1}(a' \mid t, d')\,EU_{n-1}(t,a',d+1)\\
        C_n(a \mid s,d) &= \mathrm{softmax}_a(\beta\,EU_n(s,a,d))

    and :math:`\pi_n(a \mid s) = C_n(a \mid s, 0)`. The naive agent assumes that its later selves measure delays from
    the current decision, :math:`d' = d + 1`, and deviates from its plans; the sophisticated agent assumes correctly
    that they measure delays from their own decisions, :math:`d' = 0`, and avoids states in which its later self would
    deviate from the plan. Later actions at large delays are assumed to be noisier, since beta multiplies discounted
    utility.

    Parameters
    ----------
    k : float or Distribution
        Discount rate per step, at least 0. 0: undiscounted; naive and sophisticated agents are then equal.
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0.
    horizon : int
        Number of decisions; the policy depends on the number that remain.
    sophisticated : bool
        True: the agent predicts the discounting of its later selves.
    **others
        ``beliefs``, ``noise`` or ``lapse``; see :func:`boltzmann`. The discount of the world has no effect.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`.

    References
    ----------
    Evans, Stuhlmüller and Goodman (2016), and chapter 5 of their agentmodels.org.

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.hyperbolic(k=1.0, beta=2.0, horizon=6).parameters
    {'k': array(1.), 'beta': array(2.)}
    """
    planner = make_part(Hyperbolic, k=k, horizon=horizon, sophisticated=sophisticated)
    without = {
        "discount": "it discounts delays by 1 / (1 + k d), without a factor (gi.agents.quasi_hyperbolic has one)"
    }
    return assemble("hyperbolic", beta, others, planner=planner, without=without)


@constructor
def quasi_hyperbolic(
    *,
    present_bias: Parameter,
    beta: Parameter | Numbers,
    discount: Parameter | None = None,
    sophisticated: bool = False,
    **others: Setting,
) -> Agent:
    r"""Make a present-biased agent: at each decision, all later utility is multiplied by b (quasi-hyperbolic).

    Naive: :math:`Q = r + b\,\delta P V_\delta` with the optimal values :math:`V_\delta` at discount :math:`\delta`.
    Sophisticated: :math:`Q = r + b\,\delta P U` with :math:`U = \sum_a \pi_a (r + \delta P U)_a` and
    :math:`\pi = \mathrm{softmax}(\beta Q)`, a stationary equilibrium with its later selves.

    For rewards on departure the naive agent with :math:`(b, \rho)` has exactly the policy of :func:`boltzmann` with
    :math:`b \rho`, in every world. With rewards on arrival or of actions, several worlds or a reward of few parameters
    are needed to distinguish present bias from another reward.

    Parameters
    ----------
    present_bias : float or Distribution
        :math:`b`, in [0, 1]. 1: none; 0: greedy.
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0; one number. At high beta there can be several equilibria; the
        search starts from values of zero.
    discount : float or Distribution, optional
        :math:`\delta`, in [0, 1]. None: the discount factor of the world.
    sophisticated : bool
        True: the agent predicts that its later selves are biased as well.
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
    Laibson (1997); O'Donoghue and Rabin (1999) for naive and sophisticated.

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.quasi_hyperbolic(present_bias=0.6, beta=2.0, sophisticated=True).parameters
    {'present_bias': array(0.6), 'beta': array(2.)}
    """
    planner = make_part(QuasiHyperbolic, present_bias=present_bias, discount=discount, sophisticated=sophisticated)
    return assemble("quasi_hyperbolic", beta, others, planner=planner)
