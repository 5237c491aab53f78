"""Regressors by trial: what a fitted agent expected, chose and learned at every row of the table."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from goalinf.agents import HiddenModeAgent, MixtureAgent
from goalinf.behavior.conditions import Conditions
from goalinf.behavior.step_values import Quantities
from goalinf.checks import check_count, check_kind
from goalinf.data import Observations, Trajectories
from goalinf.inference.model.models import Draw, StandardModel
from goalinf.inference.model.program_cache import moments, recipe, shapes, shared
from goalinf.inference.results.fit import Fit
from goalinf.inference.results.fitted_data import check_data
from goalinf.precision import computing_in
from goalinf.rewards import Alternatives
from goalinf.sizes import check_memory
from goalinf.worlds.names import label

_OF_CHOICES = ("choice_probability", "surprise", "entropy")  # without a value where the action was forced
_ORDER = (*_OF_CHOICES, "value", "values", "prediction_error", "state_value", "action_value", "advantage")


def regressors(fit: Fit, *, draws: int = 200, seed: int = 0, prefix: str = "") -> pd.DataFrame:
    r"""Compute regressors for every row of the table: choice probabilities, values, prediction errors, posteriors.

    Regressors are for analyses of other measurements of the same trials, such as model-based functional imaging,
    pupillometry or reaction times. Every quantity is conditional on the parameters and on the earlier trials; its
    column holds the mean over posterior draws, and a second column, ``<name>_sd``, its standard deviation over draws,
    the posterior uncertainty of the regressor. Parameters with one value per subject have, in every draw, the value of
    the subject of the row.

    Parameters
    ----------
    fit : Fit
        Fit of trajectories with ``gi.infer(…, agent=, reward=, data=)``.
    draws : int
        Number of posterior draws, chosen at random without repetition.
    seed : int
        Seed of this choice.
    prefix : str
        Beginning of the names of all new columns.

    Returns
    -------
    DataFrame
        The rows, order, index and columns of the table that was read (:meth:`goalinf.Trajectories.to_frame`), and for
        every agent

        - ``choice_probability``: probability of the chosen action, in [0, 1];
        - ``surprise``: :math:`-\log p` of the chosen action, in nats;
        - ``entropy``: entropy of the distribution of the choice, in nats;

        for learners, in utility (units of the reward)

        - ``value``: learned value of the action, before its outcome, and ``value[a]`` of every available action a;
        - ``prediction_error``: utility of the outcome minus what was expected of the action, see Notes;

        for agents that plan, in utility

        - ``state_value``: :math:`V(s)` of the planner, ``action_value``: :math:`Q(s, a)` of the action, and
          ``advantage``: :math:`Q(s, a) - V(s)`;

        and for agents that are one of several, or have hidden modes such as goals

        - ``probability[name]``: posterior probability of every option or mode after the step, in [0, 1].

        Rows without a recorded action (missing choices, visits to a last state) are NaN. Forced actions have no choice
        probability, surprise and entropy. The value of the action is that of the forced action.

    Raises
    ------
    TypeError
        Where the data are no trajectories.
    ValueError
        Where the model is a NumPyro model of your own, there are fewer draws, the table has a column of one of these
        names, or the data changed in place after the fit.

    Notes
    -----
    The prediction error is the one by which the learner changes its values: :math:`u - V(c)` under the Rescorla-Wagner
    and the Pearce-Hall rule, :math:`u - m(c)` of the Kalman filter (without the bonus of uncertainty, and so is the
    value), the temporal-difference error :math:`R + \gamma \max_b Q(s', b) - Q(s, a)` of Q-learning. It is NaN where
    the outcome is unknown. The two-step agent has one in both stages: :math:`R - Q_2` in the row of the second stage,
    and in the row of the first stage :math:`Q_2 - Q_{MF}`, which arises when the second-stage action is known; its
    first-stage value is :math:`w\,Q_{MB} + (1 - w)\,Q_{MF}`, whose two terms are ``value_model_based`` and
    ``value_model_free``.

    The planner's V is that of its own backup: the soft maximum for a soft-optimal agent, so that the advantage of its
    choice is :math:`\log \pi(a \mid s) / \beta`; the maximum for optimal planning.

    Under a mixture of agents the probabilities and the values are averages over the options, weighted by their
    posterior probability before the step, where all options have the quantity. The same holds for the planned values of
    hidden modes, where every mode has a plan. Where a subject is one of several agents, its steps are in the order of
    the names of its trajectories. Modes have the names of the rewards of :func:`~goalinf.agents.switching`, others
    their number (:meth:`goalinf.Behavior.mode_posterior`).

    References
    ----------
    O'Doherty, Hampton and Kim (2007), "Model-based fMRI and its application to reward learning and decision making".

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> arms = gi.bandit(["A", "B"])
    >>> data = gi.Trajectories.of([[0, 0, 0, -1]], [[0, 0, 1]], outcomes=[[1.0, 1.0, -2.0]])
    >>> agent = gi.agents.rescorla_wagner(learning_rate=dist.Beta(2.0, 2.0), beta=1.0)
    >>> fit = gi.infer(0, arms, agent=agent, reward=gi.RecordedReward(), data=data, method="laplace")
    >>> table = gi.workflow.regressors(fit)
    >>> table["prediction_error"].round(2).tolist()[::2]
    [1.0, -2.0]
    >>> [name for name in table if name.startswith("value")]
    ['value', 'value_sd', 'value[A]', 'value_sd[A]', 'value[B]', 'value_sd[B]']
    """
    check_kind("fit", fit, Fit, "what gi.infer returns")
    check_kind("prefix", prefix, str, "the beginning of the names of columns")
    model = fit.standard("agent", "regressors need the agent: fit with gi.infer(key, world, agent=…, reward=…)")
    data = fit.data
    if not isinstance(data, Trajectories):
        raise TypeError(f"regressors are computed for trajectories; the data of this fit are {type(data).__name__}")
    check_count("draws", draws)
    check_data(fit.tree, data)
    size = data.n_trajectories * data.max_steps
    columns_by_step = 20 + max(world.n_actions for world in Conditions.of(model.world, model.reward).worlds)
    check_memory(f"regressors of {size:,} steps", 32.0 * size * columns_by_step, "fit or select fewer trajectories")
    sample = fit.some_draws(draws, seed=seed)
    values = {site.name: sample[site.name] for site in fit.sites}
    with computing_in(fit.tree.attrs["precision"]):
        mean, sd = _moments(model, data, values)
    columns = {f"{prefix}{name}": array for name, array in _columns(model, data, mean, sd).items()}
    existing = set(data.to_frame().columns) & set(columns)
    if existing:
        raise ValueError(
            f"the table has a column {sorted(existing)[0]!r} already; give prefix=, such as prefix='model_', for the "
            "names of the regressors"
        )
    return data.to_frame(**columns)


def _moments(
    model: StandardModel, data: Trajectories, values: Mapping[str, np.ndarray]
) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
    """Return mean and standard deviation over draws of every quantity by step, by a program that all draws share."""
    contexts, levels, copied = data.context_names, model.levels(data), model.own_arrays()
    unlabeled = (data if levels is None else levels.coded(data)).unlabeled()

    def quantities(draw: Draw, observations: Observations) -> Quantities:
        assert isinstance(observations, Trajectories)
        return copied.behavior(draw, contexts, levels).step_values(observations)

    if not values:
        known = jax.device_get(quantities({}, unlabeled))
        return known, {name: np.zeros_like(array) for name, array in known.items()}
    plans = None if levels is None else levels.arrays
    key = recipe(*copied.contents(), contexts, jnp.result_type(float).name, shapes(unlabeled), plans)
    program = shared(key, "regressors", lambda: moments(quantities))
    return jax.device_get(program(dict(values), (unlabeled,)))


def _columns(
    model: StandardModel, data: Trajectories, mean: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the columns ``(N, T)`` by name: means, each followed by its standard deviation."""
    by_name = {
        "values": ("value", _action_names(model, data)),
        "options": ("probability", _mode_names(model, mean)),
        "modes": ("probability", _mode_names(model, mean)),
    }
    columns: dict[str, np.ndarray] = {}
    for quantity in sorted(mean, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)):
        base, names = by_name.get(quantity, (quantity, [""]))
        for number, name in enumerate(names):
            for suffix, moment in (("", mean), ("_sd", sd)):
                array = np.asarray(moment[quantity])
                if quantity in by_name:
                    columns[f"{base}{suffix}[{label(name)}]"] = array[..., number]
                else:
                    columns[f"{base}{suffix}"] = np.where(data.choices, array, np.nan) if base in _OF_CHOICES else array
    return columns


def _action_names(model: StandardModel, data: Trajectories) -> Sequence[Hashable]:
    """Return the names of the actions; their numbers where states or worlds name them differently."""
    worlds = Conditions.of(model.world, model.reward, data.context_names).worlds
    if worlds[0].local_actions or any(world.actions != worlds[0].actions for world in worlds):
        return range(max(world.n_actions for world in worlds))
    return worlds[0].actions


def _mode_names(model: StandardModel, mean: Mapping[str, np.ndarray]) -> Sequence[Hashable]:
    """Return the names of the options of a mixture, of the rewards of a switching agent, or numbers of modes."""
    if isinstance(model.agent, MixtureAgent):
        return model.agent.names
    count = mean["modes"].shape[-1] if isinstance(model.agent, HiddenModeAgent) and "modes" in mean else 0
    if isinstance(model.reward, Alternatives) and len(model.reward.names) == count:
        return model.reward.names
    return range(count)
