r"""Comparison of experiments by rank, expected information, and expected value of sample information."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np
import pandas as pd

from goalinf import display
from goalinf.checks import check_count, check_kind, takes_key
from goalinf.identify.experiments.kinds import Demonstrations, Experiment, PreferenceQuery
from goalinf.identify.experiments.preposterior import Finite, Normal, open_directions
from goalinf.inference.results.fit import Fit
from goalinf.inference.samplers.progress import Progress
from goalinf.precision import computing_in
from goalinf.rewards import Reward
from goalinf.types import PRNGKey
from goalinf.worlds import World


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Design:
    """Expected results of several experiments; ``print`` it, or read the table.

    Parameters
    ----------
    table : DataFrame
        One row per experiment, best first by ``evsi`` (by ``information`` without targets):

        - ``nullity``: null directions of the reward that remain after infinite data of this kind in addition to those
          of the fit;
        - ``information``: expected information about the reward, nats, and ``information_error``;
        - ``evsi``: expected value of sample information, utility, mean over the targets, and ``evsi_error``; one
          column ``evsi: <target>`` for each where there are several.
    nullity : int
        Null directions of the reward without any of the experiments.
    perfect : float
        Expected value of perfect information about the reward, utility: no ``evsi`` is larger.
    most : float
        Largest possible information, nats: the log of the number of rewards; infinite for a fit.
    """

    table: pd.DataFrame
    nullity: int
    perfect: float
    most: float

    def __str__(self) -> str:
        best, name = self.table.iloc[0], self.table.index[0]
        most = self.table["information"].idxmax()
        lines = [
            f"Most {'informative' if most == name else 'valuable'} next data set: {name} (expected information "
            f"{display.number(best.information)} nats; resolves {self.nullity - best.nullity:.0f} of {self.nullity} "
            "null directions)."
        ]
        if np.isfinite(self.perfect):
            share = f", {min(best.evsi / self.perfect, 1.0):.0%} of it" if self.perfect > 0 else ""
            lines.append(
                f"Expected value of these data for acting: {display.number(max(best.evsi, 0.0))} utility (perfect "
                f"information: {display.number(self.perfect)} utility{share})."
            )
        if most != name:
            lines.append(f"Most informative: {most} ({display.number(self.table['information'].max())} nats).")
        if (self.table["information"] > self.most - 1.0).any():
            lines.append("Some experiments distinguish nearly all of these rewards: compare them with more rewards.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Design(next data set: {self.table.index[0]}; print it for the sentences)"


@takes_key
def design_experiment(
    key: PRNGKey,
    rewards: Fit | Sequence[Reward],
    experiments: Mapping[str, Experiment],
    *,
    targets: World | Mapping[str, World] | None = None,
    data_sets: int = 200,
    draws: int = 200,
) -> Design:
    r"""Compare experiments before their data are collected.

    For equally probable rewards :math:`R_m`, the data of an experiment d give a posterior by Bayes' rule. The expected
    information gain and the expected value of sample information are

    .. math:: \mathrm{EIG}(d) = E_{m,\,D}\Big[\log \frac{p_d(D \mid R_m)}{\frac1M \sum_{m'} p_d(D \mid R_{m'})}\Big],
        \quad \mathrm{EVSI}(d) = E_D\big[\max_\pi E[J_R(\pi) \mid D]\big] - \max_\pi E[J_R(\pi)]

    where :math:`J_R(\pi)` is the expected return in a target world. J is linear in R, so that the optimal policy for
    the expected reward has the largest expected return. Demonstrations are simulated; the two answers to a preference
    query are summed over.

    The posterior of a fit is approximated by a normal distribution with the mean and the covariance C of its draws. An
    experiment with Fisher information F (at the mean) gives :math:`C' = (C^{-1} + F)^{-1}` and
    :math:`\tfrac12 \log\det(C C'^{-1})` nats, and moves the mean by a normal variable with covariance
    :math:`C - C'`, over which the value is averaged. The approximation is poor for experiments with few actions.
    Parameters of the agent are fixed at their posterior mean.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    rewards : Fit, or sequence of Reward
        A posterior, or equally probable rewards, such as draws from a prior: at least two.
    experiments : mapping from name to Demonstrations or PreferenceQuery
        The experiments to compare.
    targets : World or mapping from name to World, optional
        Worlds in which a policy will act on the inferred reward. Default: no values, only information and rank.
    data_sets : int
        Minimum number of simulated outcomes of every demonstration; for a sequence of rewards.
    draws : int
        Draws of the posterior mean after the experiment; for a fit.

    Returns
    -------
    Design

    Raises
    ------
    ValueError
        If there are fewer than two rewards or no experiments, if an agent holds a prior, or if a reward ends the
        episode by itself.

    References
    ----------
    Lindley (1956) for the information; Raiffa and Schlaifer (1961) for the value of a sample; Amin, Jiang and Singh
    (2017) for the choice of environments in inverse reinforcement learning; Heath, Manolopoulou and Baio (2018) for the
    distribution of a posterior mean before the data.

    Examples
    --------
    Two candidate rewards. Demonstrations of an agent with the true reward identify it:

    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("b.s.a", discount=0.9)
    >>> left, right = ({"b": 1.0}, {"a": 1.0})
    >>> rewards = [gi.StateReward.at(hall, one, default=0.0, on="departure") for one in (left, right)]
    >>> watch = gi.identify.Demonstrations(hall, gi.agents.soft_optimal(beta=5.0), trajectories=3)
    >>> idle = gi.identify.Demonstrations(hall, gi.agents.uniform(), trajectories=3)
    >>> found = gi.identify.design_experiment(jax.random.key(0), rewards, {"watch": watch, "idle": idle}, targets=hall)
    >>> found.table["information"].round(2).abs().to_dict()
    {'watch': 0.69, 'idle': 0.0}
    """
    check_count("data_sets", data_sets)
    check_count("draws", draws, 2)
    if not isinstance(experiments, Mapping) or not experiments:
        raise TypeError(
            f"experiments is {experiments!r}; expected a mapping from name to gi.identify.Demonstrations or "
            "gi.identify.PreferenceQuery"
        )
    for name, one in experiments.items():
        check_kind(
            repr(name),
            one,
            (Demonstrations, PreferenceQuery),
            "gi.identify.Demonstrations or gi.identify.PreferenceQuery",
        )
    named = {} if targets is None else dict(targets) if isinstance(targets, Mapping) else {"target": targets}
    for name, world in named.items():
        check_kind(f"the target {name!r}", world, World, "a World, such as gi.gridworld makes")
    with computing_in("float64"):
        now: Finite | Normal = (
            Normal.of(key, rewards, named, draws) if isinstance(rewards, Fit) else Finite.of(rewards, named, data_sets)
        )
        rows: dict[str, dict[str, float]] = {}
        keys = jax.random.split(key, len(experiments))
        with Progress(f"{len(experiments)} experiments", len(experiments), divergences=False) as bar:
            for own, (name, experiment) in zip(keys, experiments.items(), strict=True):
                nullity = open_directions([*now.known, experiment.rows(now.typical, now.names)])
                rows[name] = {"nullity": nullity, **now.judge(own, experiment)}
                bar.advance(1)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment").astype({"nullity": int})
    table = table.sort_values("evsi" if named else "information", ascending=False, kind="stable")
    return Design(table, now.nullity, now.perfect, now.most)
