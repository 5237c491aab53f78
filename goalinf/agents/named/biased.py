"""Agents with a risk measure: outcomes are combined by a functional other than the expectation."""

from __future__ import annotations

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.named.assembly import Setting, assemble, make_part
from goalinf.planning.parameters import Parameter
from goalinf.planning.risk import CVaR, EntropicRisk, Extremal, HyperbolicBellman, Optimism, Prospect
from goalinf.types import Numbers


@constructor
def risk_sensitive(*, risk: Parameter, beta: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make a risk-sensitive agent: exponential utility of the outcome of each step.

    .. math:: Q = \tfrac1\theta \log \sum_t P(t \mid s,a)\,e^{\theta (R + \gamma V(t))},\quad V = \max_a Q

    Where every action has one outcome, risk has no effect.

    Parameters
    ----------
    risk : float or Distribution
        :math:`\theta` in 1/utility. Below 0: risk-averse; 0: :func:`boltzmann`; above: risk-seeking; towards
        ±infinity: the best or worst possible outcome.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``beliefs``, ``noise`` or ``lapse``; see
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
    Howard and Matheson (1972).

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.risk_sensitive(risk=-1.0, beta=2.0).parameters
    {'risk': array(-1.), 'beta': array(2.)}
    """
    return assemble("risk_sensitive", beta, others, outlook=make_part(EntropicRisk, risk=risk))


@constructor
def cvar(*, tail: Parameter, beta: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make an agent that maximizes the nested conditional value at risk, the mean of the worst outcomes of a step.

    .. math:: Q = \tfrac1\alpha \int_0^\alpha F^{-1}(u)\,du,\quad F \text{ the distribution of } R + \gamma V

    The conditional value at risk of whole returns, which is not nested, is time-inconsistent and not covered.

    Parameters
    ----------
    tail : float or Distribution
        :math:`\alpha`, above 0 and up to 1. 1: :func:`boltzmann`; towards 0: the worst possible outcome. Where every
        action has one outcome, it has no effect.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``beliefs``, ``noise`` or ``lapse``; see
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
    Majumdar et al. (2017).

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.cvar(tail=0.5, beta=2.0).parameters
    {'tail': array(0.5), 'beta': array(2.)}
    """
    return assemble("cvar", beta, others, outlook=make_part(CVaR, tail=tail))


@constructor
def prospect(
    *,
    loss_aversion: Parameter,
    beta: Parameter | Numbers,
    exponent: Parameter | None = None,
    weighting: Parameter | None = None,
    **others: Setting,
) -> Agent:
    r"""Make an agent of prospect theory: losses weigh more than gains, and sensitivity to both diminishes.

    .. math:: Q = \sum_t P\,[u(R) + \gamma V(t)],\quad
        u(x) = \begin{cases} f(x) & x \ge 0 \\ -\lambda f(|x|) & x < 0 \end{cases},\quad
        f(x) = \log(1 + x) \text{ or } x^a

    Only the reward is transformed, with a reference point of zero: a constant added to all rewards changes behavior.
    With a ``weighting``, small probabilities of the best and the worst outcomes are overweighted
    (:class:`~goalinf.agents.Prospect` has the formula).

    Parameters
    ----------
    loss_aversion : float or Distribution
        :math:`\lambda`, at least 0; the usual estimate is 2.25.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    exponent : float or Distribution, optional
        :math:`a`, above 0; the usual estimate is 0.88. None: the logarithm (Chan, Critch and Dragan 2021). With
        ``exponent=1`` and ``loss_aversion=1`` the agent is :func:`boltzmann`; the logarithm only approximates
        :func:`boltzmann`, for rewards far below 1.
    weighting : float or Distribution, optional
        :math:`c`, from 0.28 to 1, of cumulative decision weights :math:`w(p) = p^c / (p^c + (1-p)^c)^{1/c}`; the usual
        estimate is 0.61 to 0.69. None, or 1: probabilities.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``beliefs``, ``noise`` or ``lapse``; see
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
    Kahneman and Tversky (1979); Tversky and Kahneman (1992); Chan, Critch and Dragan (2021).

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.prospect(loss_aversion=2.25, beta=2.0, exponent=0.88).parameters
    {'loss_aversion': array(2.25), 'exponent': array(0.88), 'beta': array(2.)}
    """
    outlook = make_part(Prospect, loss_aversion=loss_aversion, exponent=exponent, weighting=weighting)
    return assemble("prospect", beta, others, outlook=outlook)


@constructor
def optimistic(*, optimism: Parameter, beta: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make an optimistic agent, which overestimates the probabilities of better outcomes.

    .. math:: T(t) \propto P(t \mid s,a)\,e^{w (R + \gamma V(t))},\quad Q = \sum_t T(t)\,(R + \gamma V(t))

    Parameters
    ----------
    optimism : float or Distribution
        :math:`w` in 1/utility. 0: :func:`boltzmann`; below: pessimism; towards ±infinity: the best or worst possible
        outcome. Where every action has one outcome, it has no effect. For large :math:`|w|` there can be several fixed
        points; the search starts from values of zero.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``beliefs``, ``noise`` or ``lapse``; see
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
    Chan, Critch and Dragan (2021); some released code leaves out the normalization of T.

    Examples
    --------
    An optimistic agent with a lookahead of three steps and lapses:

    >>> import goalinf as gi
    >>> gi.agents.optimistic(optimism=0.5, beta=2.0, depth=3, lapse=0.05).parameters
    {'optimism': array(0.5), 'beta': array(2.), 'lapse': array(0.05)}
    """
    return assemble("optimistic", beta, others, outlook=make_part(Optimism, optimism=optimism))


@constructor
def extremal(*, peak: Parameter, beta: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make an agent that values the best step of an outcome, regardless of duration (peak-end rule).

    .. math:: Q = \sum_t P(t \mid s,a) \max\{R,\ (1 - a) R + a V(t)\}

    The discount of the world has no effect: :math:`a` replaces it.

    Parameters
    ----------
    peak : float or Distribution
        :math:`a`, in [0, 1). 0: greedy.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    **others
        ``horizon``, ``depth``, ``backup``, ``beliefs``, ``noise`` or ``lapse``; see
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
    >>> gi.agents.extremal(peak=0.5, beta=2.0).parameters
    {'peak': array(0.5), 'beta': array(2.)}
    """
    without = {"discount": "peak takes its place"}
    return assemble("extremal", beta, others, outlook=make_part(Extremal, peak=peak), without=without)


@constructor
def chan_hyperbolic(*, curvature: Parameter, beta: Parameter | Numbers, **others: Setting) -> Agent:
    r"""Make an agent with a hyperbolic Bellman update; for discounting of delays see :func:`hyperbolic`.

    .. math:: Q = \sum_t P(t \mid s,a)\,\frac{R + \gamma V(t)}{1 + k V(t)}

    Parameters
    ----------
    curvature : float or Distribution
        :math:`k` in 1/utility, at least 0. 0: :func:`boltzmann`. Where values are negative, :math:`1 + k V` has to
        be above 0; otherwise planning fails.
    beta : float, (S,) or Distribution
        Inverse temperature in 1/utility, at least 0.
    **others
        ``horizon``, ``depth``, ``discount``, ``backup``, ``beliefs``, ``noise`` or ``lapse``; see
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
    Alexander and Brown (2010); Chan, Critch and Dragan (2021).

    Examples
    --------
    >>> import goalinf as gi
    >>> gi.agents.chan_hyperbolic(curvature=0.1, beta=2.0).parameters
    {'curvature': array(0.1), 'beta': array(2.)}
    """
    return assemble("chan_hyperbolic", beta, others, outlook=make_part(HyperbolicBellman, curvature=curvature))
