"""Agents with habits, execution errors, and errors of the plan."""

from __future__ import annotations

from typing import Literal

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.hidden.plan_noise import PlanNoise
from goalinf.agents.memory.habits import ChoiceKernel
from goalinf.agents.named.assembly import Setting, assemble, make_part
from goalinf.agents.parts.beliefs import ForeseesSlips
from goalinf.agents.parts.noise import Slip
from goalinf.checks import check_flag
from goalinf.planning.parameters import Parameter
from goalinf.types import Numbers


@constructor
def habitual(
    *,
    persistence: Parameter,
    beta: Parameter | Numbers,
    habit_rate: Parameter = 1.0,
    by_state: bool = False,
    **others: Setting,
) -> Agent:
    r"""Make a habitual agent, which repeats past actions (perseveration, choice kernel).

    .. math:: \pi_t(a) \propto \pi(a \mid s_t)\,e^{\kappa K_t(a)},\quad
        K_{t+1} = K_t + \eta\,(\mathbb 1[a = a_t] - K_t),\quad K_0 = 0

    Parameters
    ----------
    persistence : float or Distribution
        :math:`\kappa` in nats. 0: :func:`boltzmann`; below: alternation.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    habit_rate : float or Distribution
        :math:`\eta`, in [0, 1]. 1: the kernel is the last action; 0: no habits.
    by_state : bool
        True: every state has its own kernel. Recommended on graphs, where the same action number has another meaning
        in every state.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``, ``beliefs``, ``noise`` or ``lapse``, which
        are applied after the habit; see :func:`boltzmann`.

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

    process = make_part(ChoiceKernel, persistence=persistence, habit_rate=habit_rate, by_state=by_state)
    return assemble("habitual", beta, others, process=process)


@constructor
def slipping(
    *,
    slip: Parameter,
    beta: Parameter | Numbers,
    foreseen: bool = False,
    recorded: Literal["executed", "intended"] = "executed",
    **others: Setting,
) -> Agent:
    r"""Make an agent with execution errors: the executed action follows :math:`(1-\eta)\,\delta_a + \eta/|A(s)|`.

    Here a is the intended action. With ``foreseen=True`` the agent plans with
    :math:`P_\eta = (1 - \eta) P + \eta\,\overline{P}`, :math:`\overline P` the mean over the available actions, and
    with the reward mixed likewise; otherwise as if there were no slips.

    Parameters
    ----------
    slip : float or Distribution
        :math:`\eta`, in [0, 1]. 0: :func:`boltzmann`.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    foreseen : bool
        True: the agent takes its slips into account when it plans.
    recorded : {"executed", "intended"}
        The data record the executed action, or the intended action.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``outlook``; ``beliefs`` where slips are not foreseen; see
        :func:`boltzmann`. A slip that is not foreseen, with the executed action recorded, is a lapse.

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
    noise = make_part(Slip, slip=slip, recorded=recorded)
    check_flag("foreseen", foreseen)
    return assemble("slipping", beta, others, beliefs=ForeseesSlips() if foreseen else None, noise=noise)


@constructor
def noisy_plan(
    *, plan_noise: Parameter, beta: Parameter | Numbers, draws: int = 64, seed: int = 0, **others: Setting
) -> Agent:
    r"""Make an agent with errors of the plan: :math:`\tilde Q = Q + \sigma \xi`, :math:`\xi \sim N(0, I)`.

    The errors are drawn once per episode, so that they are the same whenever a state is visited again, unlike the
    errors of noisy choices. The integral over :math:`\xi` is an average over fixed draws, state by state, because
    errors of different states are independent. The likelihood of the actions in a state has a relative error of
    :math:`\mathrm{sd}(p)/(\bar p \sqrt{M})`, where p is their probability under each of the M draws: compare the log
    marginal likelihood for several values of ``draws`` where it matters.

    Parameters
    ----------
    plan_noise : float or Distribution
        :math:`\sigma` in utility, at least 0. 0: :func:`boltzmann`.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0; usually large, so that the plan is followed.
    draws : int
        M, the number of draws of :math:`\xi`. Each costs as much as one policy.
    seed : int
        Seed of the draws.
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
    process = make_part(PlanNoise, plan_noise=plan_noise, draws=draws, seed=seed)
    return assemble("noisy_plan", beta, others, process=process)
