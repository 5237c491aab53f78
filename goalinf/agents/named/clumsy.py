"""Agents whose hand is not as good as their head: habits, slips, plans that are a little wrong."""

from __future__ import annotations

from typing import Any, Literal

from goalinf.agents.agent import Agent
from goalinf.agents.hidden.plan_noise import PlanNoise
from goalinf.agents.memory.habits import ChoiceKernel
from goalinf.agents.mixtures import constructor
from goalinf.agents.named.assembly import assembled, made
from goalinf.agents.parts.beliefs import ForeseesSlips
from goalinf.agents.parts.noise import Slip
from goalinf.checks import check_flag


@constructor
def habitual(*, persistence: Any, beta: Any, habit_rate: Any = 1.0, by_state: bool = False, **others: Any) -> Agent:
    r"""Does again what it did before (perseveration, a kernel of past choices).

    .. math:: \pi_t(a) \propto \pi(a \mid s_t)\,e^{\kappa K_t(a)},\quad
        K_{t+1} = K_t + \eta\,(\mathbb 1[a = a_t] - K_t),\quad K_0 = 0

    Parameters
    ----------
    persistence : float or Distribution
        :math:`\kappa` in nats. 0: :func:`boltzmann`; below: alternation.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    habit_rate : float or Distribution
        :math:`\eta`, in [0, 1]. 1: only the last choice counts; 0: no habits.
    by_state : bool
        Whether every state has habits of its own. On graphs, where an action means something else in every state, it
        had better.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``, which
        come after the habit; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError, TypeError
        See :func:`boltzmann`.

    References
    ----------
    Lau and Glimcher (2005).

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.habitual(persistence=0.5, beta=2.0).parameters
    {'beta': array(2.), 'persistence': array(0.5), 'habit_rate': array(1.)}
    """
    check_flag("by_state", by_state)

    process = made(ChoiceKernel, persistence=persistence, habit_rate=habit_rate, by_state=by_state)
    return assembled("habitual", beta, others, process=process)


@constructor
def slipping(
    *,
    slip: Any,
    beta: Any,
    foreseen: bool = False,
    recorded: Literal["executed", "intended"] = "executed",
    **others: Any,
) -> Agent:
    r"""The hand slips: what is done is :math:`(1 - \eta)\,\delta_a + \eta\,/\,|A(s)|`, whatever was meant.

    Foreseen, it plans with :math:`P_\eta = (1 - \eta) P + \eta\,\overline{P}`, :math:`\overline P` the mean over the
    available actions, and with such a reward; else as if the hand were steady.

    Parameters
    ----------
    slip : float or Distribution
        :math:`\eta`, in [0, 1]. 0: :func:`boltzmann`.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    foreseen : bool
        Whether the agent knows, and keeps away from edges.
    recorded : {"executed", "intended"}
        Whether the data say what was done, or what was meant.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``; ``beliefs`` where slips are not foreseen; see
        :func:`boltzmann`. A slip that is not foreseen and is recorded as executed is a lapse.

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
    >>> gi.agents.slipping(slip=0.2, beta=2.0, foreseen=True).parameters
    {'beta': array(2.), 'slip': array(0.2)}
    """
    noise = made(Slip, slip=slip, recorded=recorded)
    check_flag("foreseen", foreseen)
    return assembled("slipping", beta, others, beliefs=ForeseesSlips() if foreseen else None, noise=noise)


@constructor
def noisy_plan(*, plan_noise: Any, beta: Any, draws: int = 64, seed: int = 0, **others: Any) -> Agent:
    r"""The plan itself is wrong, once per episode: :math:`\tilde Q = Q + \sigma \xi`, :math:`\xi \sim N(0, I)`.

    Errors are then consistent within an episode, as those of noisy choices are not: the same wrong turn is taken when
    a state is met again. The integral over :math:`\xi` is an average over draws that never change, state by state, as
    errors of one state say nothing of those of another. What is seen of a state has a relative error of
    :math:`\mathrm{sd}(p)/(\bar p \sqrt{M})`, p being its probability under each of the M draws: compare evidence with
    several ``draws`` where it matters.

    Parameters
    ----------
    plan_noise : float or Distribution
        :math:`\sigma` in utility, at least 0. 0: :func:`boltzmann`.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0; usually large, so that the plan is followed.
    draws : int
        How many :math:`\xi`. Each costs as much as one policy.
    seed : int
        Which.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``; see
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
    >>> gi.agents.noisy_plan(plan_noise=0.5, beta=10.0, draws=16).parameters
    {'beta': array(10.), 'plan_noise': array(0.5)}
    """
    process = made(PlanNoise, plan_noise=plan_noise, draws=draws, seed=seed)
    return assembled("noisy_plan", beta, others, process=process)
