r"""Which experiment to make next: by rank, by expected information, by the expected value of what is learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np
import pandas as pd

from goalinf.checks import PRNGKey, check_count, check_kind, takes_key
from goalinf.identify.experiments.kinds import Demonstrations, Experiment, PreferenceQuery
from goalinf.identify.experiments.preposterior import Finite, Normal, open_directions
from goalinf.inference.results.fit import Fit
from goalinf.inference.samplers.progress import Progress
from goalinf.precision import computing_in
from goalinf.rewards import Reward
from goalinf.worlds import World


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Design:
    """What every experiment is expected to bring; ``print`` it, or read the table.

    Parameters
    ----------
    table : DataFrame
        One row per experiment, best first by ``evsi`` (by ``information`` without targets):

        - ``nullity``: directions of reward that stay open after infinite data of this kind beside those of the fit;
        - ``information``: expected information about the reward, nats, and ``information_error``;
        - ``evsi``: expected value of sample information, utility, mean over the targets, and ``evsi_error``; one
          column ``evsi: <target>`` for each where there are several.
    nullity : int
        Without any of them.
    perfect : float
        What knowing the reward would be worth, utility: no ``evsi`` is larger.
    most : float
        The most information that so many rewards allow, nats; infinite for a fit.
    """

    table: pd.DataFrame
    nullity: int
    perfect: float
    most: float

    def __str__(self) -> str:
        best = self.table.iloc[0]
        lines = [f"Best next: {self.table.index[0]}."]
        lines.append(
            f"It is expected to bring {best.information:.2f} nats about the reward, and leaves {best.nullity:.0f} of "
            f"{self.nullity} blind directions open."
        )
        if np.isfinite(self.perfect):
            share = f" ({min(best.evsi / self.perfect, 1.0):.0%})" if self.perfect > 0 else ""
            lines.append(
                f"Acting on the answer is worth {max(best.evsi, 0.0):.3g} more on average, of the {self.perfect:.3g} "
                f"that knowing the reward would be worth{share}."
            )
        most = self.table["information"].idxmax()
        if most != self.table.index[0]:
            lines.append(f"Most information would come from {most}; it is not what acting needs.")
        if (self.table["information"] > self.most - 1.0).any():
            lines.append("Some experiments tell nearly all of these rewards apart: take more of them to compare those.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Design(best next: {self.table.index[0]}; print it for the sentences)"


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
    r"""Compare experiments before any of them is made.

    Of equally probable rewards :math:`R_m`, data of an experiment d make some more probable than others by Bayes'
    rule. Its expected information, and the expected value of acting on it, are

    .. math:: \mathrm{EIG}(d) = E_{m,\,D}\Big[\log \frac{p_d(D \mid R_m)}{\frac1M \sum_{m'} p_d(D \mid R_{m'})}\Big],
        \quad \mathrm{EVSI}(d) = E_D\big[\max_\pi E[J_R(\pi) \mid D]\big] - \max_\pi E[J_R(\pi)]

    where :math:`J_R(\pi)` is the expected return in a target world; the best policy for an expected reward is best in
    expectation, as J is linear in R. Data are simulated; the two answers to a comparison are summed over.

    A posterior is taken for normal, with the mean and the covariance C of its draws: an experiment with Fisher
    information F (at the mean) leaves :math:`C' = (C^{-1} + F)^{-1}`, brings :math:`\tfrac12 \log\det(C C'^{-1})`
    nats, and moves the mean by a normal of covariance :math:`C - C'`, over which the value is averaged. Experiments of
    a few choices are judged only roughly by this. Parameters of the agent count as known, at their mean.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    rewards : Fit, or sequence of Reward
        A posterior, or equally probable rewards, such as draws from a prior: at least two.
    experiments : mapping from name to Demonstrations or PreferenceQuery
        What could be done.
    targets : World or mapping from name to World, optional
        Where somebody will act on what is learned. Default: no values, only information and rank.
    data_sets : int
        Simulated outcomes of every demonstration, at least; for a sequence of rewards.
    draws : int
        Of the mean after the experiment; for a fit.

    Returns
    -------
    Design

    Raises
    ------
    ValueError
        Where there are fewer than two rewards, no experiments, an agent holds a prior, or a reward ends the episode by
        itself.

    References
    ----------
    Lindley (1956) for the information; Raiffa and Schlaifer (1961) for the value of a sample; Amin, Jiang and Singh
    (2017) for the choice of environments in inverse reinforcement learning; Heath, Manolopoulou and Baio (2018) for the
    moments of a mean before the data.

    Examples
    --------
    One of two things is wanted. Watching somebody who wants it tells which:

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
            f"experiments is {experiments!r}; expected a mapping from name to gi.identify.Demonstrations or so"
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
                nullity = open_directions([*now.known, experiment.rows(now.typical)])
                rows[name] = {"nullity": nullity, **now.judge(own, experiment)}
                bar.advance(1)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment").astype({"nullity": int})
    table = table.sort_values("evsi" if named else "information", ascending=False, kind="stable")
    return Design(table, now.nullity, now.perfect, now.most)
