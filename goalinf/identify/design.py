r"""Which experiment to make next: by rank, by expected information, by the expected value of what is learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import pandas as pd
from scipy.special import logsumexp

from goalinf.checks import check_count, check_key, check_kind
from goalinf.identify.candidates import Place
from goalinf.identify.directions import Directions
from goalinf.identify.experiments import Comparison, Demonstrations, Experiment
from goalinf.identify.kernel import kernel
from goalinf.infer.fit import Fit
from goalinf.infer.progress import Progress
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
        The most information that can be seen with so many draws of the reward, nats: near it, take more draws.
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
            share = f" ({best.evsi / self.perfect:.0%})" if self.perfect > 0 else ""
            lines.append(
                f"Acting on the answer is worth {best.evsi:.3g} more on average, of the {self.perfect:.3g} that "
                f"knowing the reward would be worth{share}."
            )
        most = self.table["information"].idxmax()
        if most != self.table.index[0]:
            lines.append(f"Most information would come from {most}; it is not what acting needs.")
        if (self.table["information"] > self.most - 1.0).any():
            lines.append("Some experiments tell all draws of the reward apart: take more draws to compare those.")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Design(best next: {self.table.index[0]}; print it for the sentences)"


def design_experiment(
    key: Any,
    rewards: Fit | Sequence[Reward],
    experiments: Mapping[str, Experiment],
    *,
    targets: World | Mapping[str, World] | None = None,
    data_sets: int = 200,
    draws: int = 200,
) -> Design:
    r"""Compare experiments before any of them is made.

    With draws of the reward :math:`R_m` that stand for what is known so far, data of an experiment d tell them apart by
    Bayes' rule. Its expected information, and the expected value of acting on it, are

    .. math:: \mathrm{EIG}(d) = E_{m,\,D}\Big[\log \frac{p_d(D \mid R_m)}{\frac1M \sum_{m'} p_d(D \mid R_{m'})}\Big],
        \quad \mathrm{EVSI}(d) = E_D\big[\max_\pi E[J_R(\pi) \mid D]\big] - \max_\pi E[J_R(\pi)]

    where :math:`J_R(\pi)` is the expected return in a target world; the best policy for an expected reward is best in
    expectation, as J is linear in R. Data are simulated; the two answers to a comparison are summed over.

    Parameters
    ----------
    key : jax.random key
        Source of randomness; consumed.
    rewards : Fit, or sequence of Reward
        A posterior, or equally probable rewards, such as draws from a prior: at least two.
    experiments : mapping from name to Demonstrations or Comparison
        What could be done.
    targets : World or mapping from name to World, optional
        Where somebody will act on what is learned. Default: no values, only information and rank.
    data_sets : int
        Simulated outcomes of every demonstration, at least.
    draws : int
        Of the posterior, where `rewards` is a fit.

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
    (2017) for the choice of environments in inverse reinforcement learning.

    Examples
    --------
    Two bits are unknown, and somebody will act on the first one only:

    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("b.s.a", discount=0.9)
    >>> left, right = ({"b": 1.0}, {"a": 1.0})
    >>> rewards = [gi.StateReward.at(hall, one, default=0.0, on="departure") for one in (left, right)]
    >>> watch = gi.Demonstrations(hall, gi.soft_optimal(beta=5.0), trajectories=3)
    >>> idle = gi.Demonstrations(hall, gi.uniform(), trajectories=3)
    >>> found = gi.design_experiment(jax.random.key(0), rewards, {"watch": watch, "idle": idle}, targets=hall)
    >>> found.table["information"].round(2).to_dict()
    {'watch': 0.69, 'idle': 0.0}
    """
    check_key(key)
    check_count("data_sets", data_sets)
    candidates, known = _candidates(rewards, draws, key)
    if not isinstance(experiments, Mapping) or not experiments:
        raise TypeError(f"experiments is {experiments!r}; expected a mapping from name to gi.Demonstrations or so")
    for name, one in experiments.items():
        check_kind(repr(name), one, (Demonstrations, Comparison), "gi.Demonstrations or gi.Comparison")
    named = {} if targets is None else dict(targets) if isinstance(targets, Mapping) else {"target": targets}
    for name, world in named.items():
        check_kind(f"the target {name!r}", world, World, "a World, such as gi.gridworld makes")
    places = {name: _Target.of(world, candidates) for name, world in named.items()}
    keys = jax.random.split(key, len(experiments))
    rows: dict[str, dict[str, float]] = {}
    with computing_in("float64"), Progress(f"{len(experiments)} experiments", len(experiments)) as bar:
        for one, (name, experiment) in zip(keys, experiments.items(), strict=True):
            logs, weights = experiment.outcomes(one, candidates, data_sets)
            rows[name] = _judged(logs, weights, places, sampled=isinstance(experiment, Demonstrations))
            rows[name]["nullity"] = _nullity([*known, experiment.rows(candidates[0])])
            bar.advance(1, 0)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")
    table.insert(0, "nullity", table.pop("nullity").astype(int))
    table = table.sort_values("evsi" if places else "information", ascending=False, kind="stable")
    size = experiments[next(iter(experiments))].rows(candidates[0]).shape[1]
    perfect = float(np.mean([one.perfect for one in places.values()])) if places else float("nan")
    return Design(table, _nullity(known) if known else size, perfect, float(np.log(len(candidates))))


def _candidates(rewards: Any, draws: int, key: Any) -> tuple[list[Reward], list[np.ndarray]]:
    """Equally probable rewards, and what the data so far show of them."""
    if isinstance(rewards, Fit):
        check_count("draws", draws, 2)
        found = Directions.of(rewards, "the design of an experiment")
        if not found.n_rewards:
            raise ValueError("this fit knows its reward: there is nothing to find out by an experiment")
        seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
        drawn = rewards.rewards(min(draws, int(np.prod(found.rewards().shape[:2]))), seed=seed)
        return drawn, [found.alone.matrix() / found.alone.tolerance]
    if not isinstance(rewards, Sequence) or len(rewards) < 2:
        count = f"{len(rewards)} of them" if isinstance(rewards, Sequence) else f"a {type(rewards).__name__}"
        raise ValueError(f"rewards is {count}; expected a Fit, or two known rewards at least")
    for number, reward in enumerate(rewards):
        check_kind(f"reward {number}", reward, Reward, "a reward, such as gi.StateReward")
    return list(rewards), []


def _nullity(rows: Sequence[np.ndarray]) -> int:
    """Directions that none of them shows; every one is in units of its own tolerance."""
    return kernel(np.concatenate(rows), 1.0).dimension


@dataclasses.dataclass(frozen=True, eq=False)
class _Target:
    """A world in which somebody acts on what is known."""

    place: Place
    now: np.ndarray  # return of the best policy by what is known now, under every candidate (K,)
    perfect: float

    @classmethod
    def of(cls, world: World, candidates: Sequence[Reward]) -> _Target:
        place = Place.of(world, candidates)
        count = len(candidates)
        first = place.greedy(place.directions(np.full((1, count), 1.0 / count)))
        now = place.returns(np.repeat(first, count, axis=0), place.incomes)
        best = place.returns(place.greedy(place.units), place.incomes)
        return cls(place, now, float((best - now).mean()))

    def gains(self, posterior: np.ndarray) -> np.ndarray:
        """How much better is done on average with each posterior ``(D, K)`` than now."""
        made = self.place.greedy(self.place.directions(posterior))
        return self.place.returns(made, posterior @ self.place.incomes) - posterior @ self.now


def _judged(logs: np.ndarray, weights: np.ndarray, places: Mapping[str, _Target], *, sampled: bool) -> dict[str, float]:
    """Information and values of outcomes with log-likelihoods ``(D, K)`` and weights ``(D,)``."""
    evidence = logsumexp(logs, axis=1) - np.log(logs.shape[1])
    posterior = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    with np.errstate(invalid="ignore"):
        ratio = np.where(posterior > 0, logs - evidence[:, None], 0.0)
    # Of an outcome, the information is the divergence of what is known after it from before: less noisy than one draw.
    each = {"information": (posterior * ratio).sum(axis=1)}
    gains = {name: place.gains(posterior) for name, place in places.items()}
    if gains:
        each["evsi"] = np.mean(list(gains.values()), axis=0)
    if len(gains) > 1:
        each |= {f"evsi: {name}": gain for name, gain in gains.items()}
    found = {}
    for name, values in each.items():
        found[name] = float(weights @ values)
        if name in ("information", "evsi"):
            spread = values.std(ddof=1) / np.sqrt(len(values)) if sampled and len(values) > 1 else 0.0
            found[f"{name}_error"] = float(spread)
    return found
