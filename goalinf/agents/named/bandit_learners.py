"""Agents that learn the values of options from outcomes: bandits, reversal learning, probabilistic selection."""

from __future__ import annotations

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.memory.bandits import KalmanLearner, PearceHall, RescorlaWagner
from goalinf.agents.memory.experience import NoPlanning
from goalinf.agents.memory.option_memory import OptionLearning
from goalinf.agents.named.assembly import Setting, assemble, make_part
from goalinf.agents.parts.choice import Softmax
from goalinf.planning.parameters import Parameter


@constructor
def rescorla_wagner(
    *,
    learning_rate: Parameter,
    beta: Parameter,
    loss_rate: Parameter | None = None,
    unchosen_rate: Parameter = 0.0,
    forgetting: Parameter = 0.0,
    initial: Parameter = 0.0,
    persistence: Parameter = 0.0,
    by_state: bool = False,
    **others: Setting,
) -> Agent:
    r"""Make a learner by prediction errors: it chooses options by a softmax of their values.

    .. math:: \pi_t(a) \propto e^{\beta\,V_t(a) + \kappa\,\mathrm{rep}(a)},\qquad
        V(c) \leftarrow V(c) + \alpha_{\pm}\,[u_c - V(c)]

    for the chosen option c with utility :math:`u_c`; rep indicates the last action. Outcomes of other options that were
    seen teach by :math:`\alpha_u`; the values of all others return to the initial value by the rate :math:`\phi`. A
    trajectory is all the trials that belong together: values start anew in the next one. A missing action changes
    nothing and is not scored; a choice without an outcome is scored and teaches nothing.

    Parameters
    ----------
    learning_rate : float or Distribution
        :math:`\alpha_+`, in [0, 1], for outcomes above the value; for all outcomes without ``loss_rate``.
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0.
    loss_rate : float or Distribution, optional
        :math:`\alpha_-`, for outcomes below the value, in [0, 1].
    unchosen_rate : float or Distribution
        :math:`\alpha_u`, in [0, 1].
    forgetting : float or Distribution
        :math:`\phi`, in [0, 1].
    initial : float or Distribution
        Value of an option before its first outcome, in utility.
    persistence : float or Distribution
        :math:`\kappa`, in nats; below zero: alternation.
    by_state : bool
        True where every state (cue, offer) has its own values; False where an option has one value in all of them.
    **others
        ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError
        Where a number is outside its range.

    References
    ----------
    Rescorla and Wagner (1972); Frank, Moustafa, Haughey, Curran and Hutchison (2007) for two rates; Ito and Doya (2009)
    for forgetting.

    Examples
    --------
    >>> import goalinf as gi
    >>> arms = gi.bandit(["left", "right"])
    >>> data = gi.Trajectories.of([[0, 0, 0, -1]], [[0, 0, 1]], outcomes=[[1.0, 1.0, -2.0]])
    >>> learner = gi.agents.rescorla_wagner(learning_rate=0.5, beta=2.0)
    >>> gi.Behavior(arms, learner, gi.RecordedReward()).log_prob_by("step", data).round(4).tolist()
    [[-0.6931, -0.3133, -1.7014]]
    """
    rates = {"learning_rate": learning_rate, "loss_rate": loss_rate, "unchosen_rate": unchosen_rate}
    values = {"forgetting": forgetting, "initial": initial}
    process = make_part(RescorlaWagner, **rates, **values, persistence=persistence, by_state=by_state)
    return _learner("rescorla_wagner", process, beta, others)


@constructor
def kalman_learner(
    *,
    observation_sd: Parameter,
    beta: Parameter,
    drift_sd: Parameter = 0.0,
    initial: Parameter = 0.0,
    initial_sd: Parameter = 1.0,
    exploration: Parameter = 0.0,
    persistence: Parameter = 0.0,
    by_state: bool = False,
    **others: Setting,
) -> Agent:
    r"""Make a Bayesian learner of options whose outcomes are normal and may drift.

    .. math:: \pi_t(a) \propto e^{\beta\,[m(a) + b \sqrt{v(a)}] + \kappa\,\mathrm{rep}(a)},\qquad
        K = \frac{v(c)}{v(c) + \sigma_o^2},\quad m(c) \leftarrow m(c) + K\,[u_c - m(c)],\quad
        v(c) \leftarrow (1 - K)\,v(c)

    and after every choice :math:`v(o) \leftarrow v(o) + \sigma_d^2` for all options.

    Parameters
    ----------
    observation_sd : float or Distribution
        :math:`\sigma_o`, in utility, at least 0.
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0.
    drift_sd : float or Distribution
        :math:`\sigma_d`, in utility per choice, at least 0.
    initial, initial_sd : float or Distribution
        Mean and standard deviation of an option before its first outcome, in utility.
    exploration : float or Distribution
        b, bonus of uncertain options in standard deviations.
    persistence : float or Distribution
        :math:`\kappa`, in nats.
    by_state : bool
        True where every state (cue, offer) has its own values.
    **others
        ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError
        Where a number is outside its range.

    References
    ----------
    Daw, O'Doherty, Dayan, Seymour and Dolan (2006); Speekenbrink and Konstantinidis (2015).

    Examples
    --------
    >>> import goalinf as gi
    >>> arms = gi.bandit(["left", "right"])
    >>> data = gi.Trajectories.of([[0, 0, -1]], [[0, 0]], outcomes=[[1.0, 0.0]])
    >>> learner = gi.agents.kalman_learner(observation_sd=1.0, beta=2.0)
    >>> gi.Behavior(arms, learner, gi.RecordedReward()).log_prob_by("step", data).round(4).tolist()
    [[-0.6931, -0.3133]]
    """
    settings = {"observation_sd": observation_sd, "drift_sd": drift_sd, "initial": initial, "initial_sd": initial_sd}
    bonuses = {"exploration": exploration, "persistence": persistence}
    process = make_part(KalmanLearner, **settings, **bonuses, by_state=by_state)
    return _learner("kalman_learner", process, beta, others)


@constructor
def pearce_hall(
    *,
    learning_rate: Parameter,
    associability_rate: Parameter,
    beta: Parameter,
    initial_associability: Parameter = 1.0,
    initial: Parameter = 0.0,
    persistence: Parameter = 0.0,
    by_state: bool = False,
    **others: Setting,
) -> Agent:
    r"""Make a learner whose learning rate follows the size of recent prediction errors.

    .. math:: \delta = u_c - V(c),\quad V(c) \leftarrow V(c) + \kappa\,a(c)\,\delta,\quad
        a(c) \leftarrow (1 - \eta)\,a(c) + \eta\,|\delta|

    Parameters
    ----------
    learning_rate : float or Distribution
        :math:`\kappa`, in [0, 1].
    associability_rate : float or Distribution
        :math:`\eta`, in [0, 1].
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0.
    initial_associability : float or Distribution
        Associability of an option before its first outcome, at least 0.
    initial : float or Distribution
        Value of an option before its first outcome, in utility.
    persistence : float or Distribution
        Bonus of the last action, in nats.
    by_state : bool
        True where every state (cue, offer) has its own values.
    **others
        ``noise`` or ``lapse``; see :func:`boltzmann`.

    Returns
    -------
    Agent

    Raises
    ------
    ValueError
        Where a number is outside its range.

    References
    ----------
    Pearce and Hall (1980); Li, Schiller, Schoenbaum, Phelps and Daw (2011).

    Examples
    --------
    >>> import goalinf as gi
    >>> arms = gi.bandit(["left", "right"])
    >>> data = gi.Trajectories.of([[0, 0, 0, -1]], [[0, 0, 0]], outcomes=[[1.0, 0.0, 0.0]])
    >>> learner = gi.agents.pearce_hall(learning_rate=0.5, associability_rate=0.5, beta=2.0)
    >>> gi.Behavior(arms, learner, gi.RecordedReward()).log_prob_by("step", data).round(4).tolist()
    [[-0.6931, -0.3133, -0.4741]]
    """
    rates = {"learning_rate": learning_rate, "associability_rate": associability_rate}
    starts = {"initial_associability": initial_associability, "initial": initial}
    process = make_part(PearceHall, **rates, **starts, persistence=persistence, by_state=by_state)
    return _learner("pearce_hall", process, beta, others)


def _learner(name: str, process: OptionLearning, beta: Parameter, others: dict[str, Setting]) -> Agent:
    """Assemble an agent that learns the values of options."""
    without = {"beliefs": "it learns from outcomes, without a model of the world"}
    choice = make_part(Softmax, beta=beta)
    return assemble(name, choice, others, planner=NoPlanning(), process=process, without=without)
