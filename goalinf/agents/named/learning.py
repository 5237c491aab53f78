"""Agents that learn values from rewards."""

from __future__ import annotations

from goalinf.agents.agent import Agent
from goalinf.agents.discrete import constructor
from goalinf.agents.memory.experience import NoPlanning
from goalinf.agents.memory.q_learning import QLearning
from goalinf.agents.memory.two_step import TwoStep
from goalinf.agents.named.assembly import Setting, assemble, make_part
from goalinf.agents.parts.choice import DefaultPolicy, Softmax
from goalinf.planning.parameters import Parameter
from goalinf.types import Numbers


@constructor
def q_learning(
    *,
    learning_rate: Parameter,
    beta: Parameter | Numbers,
    discount: Parameter | None = None,
    initial: Parameter = 0.0,
    default: Parameter | Numbers | None = None,
    **others: Setting,
) -> Agent:
    r"""Make a Q-learner: it learns action values from rewards, without a model of the world.

    .. math:: \pi_t = \mathrm{softmax}_a(\beta\,Q_t(s_t, a)),\quad
        Q(s,a) \leftarrow Q(s,a) + \alpha\,[R + \gamma \max_b Q(s',b) - Q(s,a)]

    Learning starts anew in every trajectory and follows its observed steps; the likelihood is one scan over the steps.
    The reward is known, or inferred jointly with the values that are learned from it. A missing action changes no value
    and is not scored: in a table, a trial with a missed response is a row with an empty action, and the next row holds
    the same state.

    Parameters
    ----------
    learning_rate : float or Distribution
        :math:`\alpha`, in [0, 1]. 0: no learning; 1: only the last outcome counts.
    beta : float or Distribution
        Inverse temperature in 1/utility, at least 0.
    discount : float or Distribution, optional
        :math:`\gamma`, in [0, 1]. None: the discount factor of the world.
    initial : float or Distribution
        Initial value of every state and action, in utility; above the attainable values, it makes the agent explore.
        Where no episode ends, adding ``c`` to it is equivalent to subtracting :math:`(1 - \gamma)\,c` from every
        reward: with a discount near 1 behavior contains little information about it.
    default : float (A,), (S, A) or Distribution, optional
        Policy for equal values. None: uniform.
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
    Watkins (1989); Sutton and Barto (2018), section 6.5.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> reward = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="arrival")
    >>> learner = gi.agents.q_learning(learning_rate=0.5, beta=5.0)
    >>> data = gi.simulate(jax.random.key(0), hall, learner, reward, trajectories=20, steps=40)
    >>> scores = gi.Behavior(hall, learner, reward).log_prob_by("step", data)
    >>> bool(scores[:, 30:].mean() > scores[:, :10].mean())
    True

    A bandit of two arms; the response of the second trial (step 2) was missed:

    >>> import pandas as pd
    >>> arms = [("cue", "left", "good"), ("cue", "right", "bad"), ("good", "next", "cue"), ("bad", "next", "cue")]
    >>> bandit = gi.from_table(pd.DataFrame(arms, columns=["state", "action", "next_state"]), discount=0.0)
    >>> pays = gi.StateReward.at(bandit, {"good": 1.0, "bad": -1.0}, default=0.0, on="arrival")
    >>> table = pd.DataFrame({"trial": 0, "t": range(7)})
    >>> table["state"] = ["cue", "good", "cue", "cue", "bad", "cue", "good"]
    >>> table["action"] = ["left", "next", None, "right", "next", "left", None]
    >>> data = gi.read_trajectories(table, bandit, trajectory="trial", step="t", state="state", action="action")
    >>> round(float(gi.Behavior(bandit, gi.agents.q_learning(learning_rate=0.3, beta=2.0), pays).log_prob(data)), 6)
    -1.993918
    """
    process = make_part(QLearning, learning_rate=learning_rate, discount=discount, initial=initial)
    choice = make_part(Softmax, beta=beta, default=default)
    without = {"beliefs": "it learns from rewards, without a model of the world"}
    return assemble("q_learning", choice, others, planner=NoPlanning(), process=process, without=without)


@constructor
def two_step(
    *,
    learning_rate_1: Parameter,
    learning_rate_2: Parameter,
    beta_1: Parameter,
    beta_2: Parameter,
    eligibility: Parameter = 1.0,
    repetition: Parameter = 0.0,
    model_based: Parameter = 0.0,
    first: int = 0,
    **others: Setting,
) -> Agent:
    r"""Make the hybrid agent of model-based and model-free learning in the two-step task.

    In the first state the action follows a softmax of :math:`\beta_1\,[w\,Q_{MB} + (1 - w)\,Q_{MF} +
    p\,\mathrm{rep}]`, in a second-stage state a softmax of :math:`\beta_2\,Q_2`, with :math:`Q_{MB}(a) = \sum_{s'}
    P(s' \mid a) \max_b Q_2(s', b)`, and rep indicates the last first-stage action; after the reward R of a trial

    .. math:: Q_{MF}(a) &\leftarrow Q_{MF}(a) + \alpha_1\,[Q_2 - Q_{MF}(a)] + \alpha_1 \lambda\,[R - Q_2]\\
        Q_2 &\leftarrow Q_2 + \alpha_2\,[R - Q_2]

    A trajectory is all the trials of one subject: first state, second-stage state, outcome, first state, … The agent
    knows the transitions of the first stage; it learns the values of the second stage. A missing action changes no
    value and is not scored; rep then still indicates the last observed first-stage action.

    Parameters
    ----------
    learning_rate_1, learning_rate_2 : float or Distribution
        :math:`\alpha_1` and :math:`\alpha_2`, in [0, 1].
    beta_1, beta_2 : float or Distribution
        Inverse temperatures of the stages, in 1/utility, at least 0.
    eligibility : float or Distribution
        :math:`\lambda`, in [0, 1]: weight of the second-stage prediction error in the first-stage update.
    repetition : float or Distribution
        p, in utility: bonus of repeating the last first-stage action.
    model_based : float or Distribution
        w, in [0, 1]. 0: model-free; 1: model-based.
    first : int
        Number of the first state.
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
    Daw, Gershman, Seymour, Dayan and Dolan (2011), "Model-based influences on humans' choices and striatal prediction
    errors".

    Examples
    --------
    >>> import goalinf as gi
    >>> learner = gi.agents.two_step(
    ...     learning_rate_1=0.5, learning_rate_2=0.4, beta_1=5.0, beta_2=3.0, eligibility=0.6, model_based=0.4
    ... )
    >>> learner.parameters["model_based"].item()
    0.4
    """
    process = make_part(
        TwoStep,
        learning_rate_1=learning_rate_1,
        learning_rate_2=learning_rate_2,
        beta_1=beta_1,
        beta_2=beta_2,
        eligibility=eligibility,
        repetition=repetition,
        model_based=model_based,
        first=first,
    )
    without = {"beliefs": "it knows the transitions of the first stage and learns the values of the second"}
    return assemble("two_step", DefaultPolicy(), others, planner=NoPlanning(), process=process, without=without)
