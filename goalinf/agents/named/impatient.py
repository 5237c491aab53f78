"""Agents that see the future smaller than it is, by how far it is away."""

from __future__ import annotations

from typing import Any

from goalinf.agents.agent import Agent
from goalinf.agents.mixtures import constructor
from goalinf.agents.named.assembly import assembled, made
from goalinf.agents.parts.discounting import Hyperbolic, QuasiHyperbolic


@constructor
def myopic(*, discount: Any, beta: Any, **others: Any) -> Agent:
    r"""Discounts the future by a factor of its own, :math:`\gamma'` in the place of :math:`\gamma`.

    .. math:: Q = r + \gamma' P \max_a Q,\quad \pi = \mathrm{softmax}_a(\beta\,Q)

    A reward for every state and action takes up any discount: behavior in one world identifies :math:`\gamma'` only if
    rewards are of fewer parameters than that.

    Parameters
    ----------
    discount : float or Distribution
        :math:`\gamma'` per step, in [0, 1]. 0: greedy; that of the world: :func:`boltzmann`.
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
    return assembled("myopic", beta, others, discount=discount)


@constructor
def hyperbolic(*, k: Any, beta: Any, horizon: int, sophisticated: bool = False, **others: Any) -> Agent:
    r"""Utility after d steps counts :math:`D(d) = 1/(1 + k d)`: tempted by what is near.

    With n decisions left and at a delay d from where the plan is made,

    .. math:: EU_n(s,a,d) &= D(d)\,r(s,a) + \sum_t P(t \mid s,a) \sum_{a'} C_{n-1}(a' \mid t, d')\,EU_{n-1}(t,a',d+1)\\
        C_n(a \mid s,d) &= \mathrm{softmax}_a(\beta\,EU_n(s,a,d))

    and :math:`\pi_n(a \mid s) = C_n(a \mid s, 0)`. The naive agent takes its later selves to see the delays of today,
    :math:`d' = d + 1`, and goes back on its plans; the sophisticated one knows better, :math:`d' = 0`, and keeps away
    from temptation. Choices at large delays are imagined as noisier, since beta multiplies what is left of utility.

    Parameters
    ----------
    k : float or Distribution
        Discount rate per step, at least 0. 0: undiscounted, and naive is sophisticated.
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0.
    horizon : int
        Number of decisions; the policy depends on how many are left.
    sophisticated : bool
        Whether it knows that later selves will see things differently.
    **others
        ``beliefs``, ``noise`` or ``lapse``; see :func:`boltzmann`. The discount of the world plays no part.

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
    planner = made(Hyperbolic, k=k, horizon=horizon, sophisticated=sophisticated)
    without = {
        "discount": "it counts delays, 1 / (1 + k d), and has no discount factor (gi.agents.quasi_hyperbolic does)"
    }
    return assembled("hyperbolic", beta, others, planner=planner, without=without)


@constructor
def quasi_hyperbolic(
    *, present_bias: Any, beta: Any, discount: Any = None, sophisticated: bool = False, **others: Any
) -> Agent:
    r"""Everything later counts for b times less than it will then: the present is special.

    Naive: :math:`Q = r + b\,\delta P V_\delta` with the optimal values :math:`V_\delta` at discount :math:`\delta`.
    Sophisticated: :math:`Q = r + b\,\delta P U` with :math:`U = \sum_a \pi_a (r + \delta P U)_a` and
    :math:`\pi = \mathrm{softmax}(\beta Q)`, a stationary equilibrium with its later selves.

    For rewards on departure the naive agent with :math:`(b, \rho)` does exactly what :func:`boltzmann` does with
    :math:`b \rho`, in every world. With rewards on arrival or of actions it takes several worlds, or few unknowns, to
    tell present bias from another reward.

    Parameters
    ----------
    present_bias : float or Distribution
        :math:`b`, in [0, 1]. 1: none; 0: greedy.
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0; one number. At high beta there can be several equilibria, of which
        the one found from zero values is taken.
    discount : float or Distribution, optional
        :math:`\delta`, in [0, 1]. None: that of the world.
    sophisticated : bool
        Whether it knows that it will be biased later as well.
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
    planner = made(QuasiHyperbolic, present_bias=present_bias, discount=discount, sophisticated=sophisticated)
    return assembled("quasi_hyperbolic", beta, others, planner=planner)
