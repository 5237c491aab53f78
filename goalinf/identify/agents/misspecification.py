"""What it costs to assume the wrong planner: exact posteriors over rewards, whoever acted and whoever was assumed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr
from scipy.special import logsumexp

from goalinf.agents import Agent
from goalinf.behavior import simulate
from goalinf.checks import PRNGKey, check_count, check_kind, check_number, takes_key
from goalinf.errors import ConvergenceError, PrecisionError
from goalinf.identify.candidates import Place, log_likelihood, policies_of
from goalinf.identify.distance.regret import share_of_range
from goalinf.inference.samplers.progress import Progress
from goalinf.precision import computing_in
from goalinf.rewards import Reward, check_reward
from goalinf.worlds import World, label

PRIOR = "prior"  # the column of somebody who sees no data
_ALIKE = 1e-9  # relative difference of probabilities that is rounding
_MEASURES = {
    "log_score": ("log posterior probability of the truth", "nats"),
    "regret": ("normalized regret of acting on the posterior mean", "1"),
    "starc": ("STARC distance of the posterior mean from the truth", "1"),
    "coverage": ("share of credible sets that hold the truth", "1"),
}


@takes_key
def misspecification_matrix(
    key: PRNGKey,
    world: World,
    agents: Mapping[str, Agent],
    rewards: Sequence[Reward] | Mapping[Any, Reward],
    *,
    trajectories: int = 10,
    steps: int = 20,
    data_sets: int = 50,
    transfer: World | None = None,
    level: float = 0.9,
) -> xr.Dataset:
    r"""What is learned of a reward when its owner plans in one way and is taken to plan in another.

    For every data set a reward :math:`R_c` is drawn from the candidates, each as likely as the others, and pursued by
    the true agent. The posterior under the assumed agent is exact,

    .. math:: p(k \mid D) \propto \prod_{n,t} \pi_{\text{assumed}, R_k}(a_{nt} \mid s_{nt}),

    and is judged by four measures. All assumed agents see the same data sets, and all true agents pursue the same
    candidates, so that the numbers of a row are paired; those of a column share their candidates.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world : World
        Where they act.
    agents : mapping from str to Agent
        Who may act, and who may be assumed to; without priors.
    rewards : sequence or mapping of Reward
        The candidates, at least two, known and all of one kind. They may not end the episode by themselves.
    trajectories, steps : int
        Size of a data set: walks, and most decisions in each.
    data_sets : int
        How many data sets for every true agent, at least two.
    transfer : World, optional
        Where somebody acts on what was learned, with the same states and actions as the candidates need. Default: the
        same world.
    level : float
        Posterior probability of the credible set, in (0, 1).

    Returns
    -------
    Dataset
        Means over the data sets by ``true`` and ``assumed``, with their standard errors as ``…_error``. The last
        column, ``assumed="prior"``, is that of somebody who sees no data.

        - ``log_score``: log posterior probability of the truth, :math:`\log p(c \mid D)`, in nats; 0 is best.
        - ``regret``: of acting on the posterior mean reward in ``transfer``, as :func:`goalinf.identify.distance.regret
          <goalinf.identify.distance.regret>`, in [0, 1]. Returns are linear in the reward: nothing else that uses the
          posterior only has a larger expected return under it.
        - ``starc``: distance of the posterior mean from the truth in ``world``, in [0, 1].
        - ``coverage``: how often the truth is in the smallest set of candidates with a posterior probability of at
          least ``level``, into which equally probable ones go together. At least ``level`` on average where the
          assumed agent is the true one.

        Every one of them by data set is in ``…_each (true, assumed, data_set)``, for paired comparisons; the
        coordinate ``candidate (data_set)`` says which one was wanted.

    Raises
    ------
    ValueError
        Where a choice is impossible for an assumed agent who wants what the true one does (give that agent a lapse), a
        reward ends the episode by itself or is of another kind, the agents hold priors, or a number is no count.
    ConvergenceError, PrecisionError
        Where a planner fails; the agent is named.

    Notes
    -----
    The log score is proper: in expectation nobody does better than who assumes the true agent. The other measures of
    the truth may well be better on average under a wrong assumption that happens to err on the right side. A wrong
    assumption can do worse than no data at all, which the column ``prior`` shows.

    References
    ----------
    Chan, Critch and Dragan (2021), "Human irrationality: both bad and good for reward inference"; Skalse and Abate
    (2023), "Misspecification in inverse reinforcement learning".

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> agents = {"keen": gi.agents.boltzmann(beta=3.0), "contrary": gi.agents.anti_rational(beta=3.0, negated=True)}
    >>> wants = [gi.StateReward.at(hall, {mark: 1.0}, default=0.0, on="departure") for mark in "ab"]
    >>> size = {"trajectories": 5, "steps": 5, "data_sets": 10}
    >>> found = gi.identify.misspecification_matrix(jax.random.key(0), hall, agents, wants, **size)
    >>> found.regret.sel(true="keen").round(2).to_series().to_dict()
    {'keen': 0.0, 'contrary': 1.0, 'prior': 0.5}
    """
    names, candidates = _checked(key, world, agents, rewards)
    for what, count, least in (("trajectories", trajectories, 1), ("steps", steps, 1), ("data_sets", data_sets, 2)):
        check_count(what, count, least)
    check_kind("transfer", world if transfer is None else transfer, World, "a World, such as gi.gridworld makes")
    if not 0.0 < check_number("level", level, 0.0, 1.0, "a number in (0, 1)") < 1.0:
        raise ValueError(f"level is {level!r}; expected a number in (0, 1)")
    here = Place.of(world, candidates)
    there = here if transfer is None else Place.of(transfer, candidates)
    extremes = [there.returns(there.greedy(sign * there.units), there.units) for sign in (1.0, -1.0)]
    wanted = np.asarray(jax.random.randint(jax.random.fold_in(key, 0), (data_sets,), 0, len(candidates)))

    def judged(log_posterior: np.ndarray) -> np.ndarray:
        """The measures of a posterior by data set, ``(measure, data set)``."""
        posterior = np.exp(log_posterior)
        found = there.returns(there.greedy(there.directions(posterior)), there.units[wanted])
        losses = share_of_range(extremes[0][wanted], found, extremes[1][wanted])
        distances = np.linalg.norm(here.directions(posterior) - here.units[wanted], axis=1) / 2
        log_score = log_posterior[np.arange(data_sets), wanted]
        return np.stack([log_score, losses, np.minimum(distances, 1.0), _covered(posterior, wanted, level)])

    with computing_in("float64"), Progress("agents, assumed and true", len(agents) ** 2, divergences=False) as bar:
        walks = {}
        for row, (name, agent) in enumerate(agents.items(), start=1):
            # A key of its own: another agent at the end changes nothing for those before it.
            one, wants = jax.random.fold_in(key, row), {d: candidates[k] for d, k in enumerate(wanted.tolist())}
            with _about(name):
                walks[name] = simulate(
                    one, world, agent, wants, trajectories=trajectories, steps=steps, precision="float64"
                )
        table = np.empty((len(_MEASURES), len(agents), len(agents) + 1, data_sets))
        table[:, :, -1] = judged(np.full((data_sets, len(candidates)), -np.log(len(candidates))))[:, None]
        for column, (name, agent) in enumerate(agents.items()):
            with _about(name):
                policies = policies_of(world, agent, candidates)
            for row, (true, data) in enumerate(walks.items()):
                logs = log_likelihood(policies, data, data_sets)
                _check_possible(logs, wanted, name, true, names)
                table[:, row, column] = judged(logs - logsumexp(logs, axis=1, keepdims=True))
                bar.advance(1)
    found = _labeled(table, list(agents), names, wanted)
    return found.assign_attrs(trajectories=trajectories, steps=steps, level=float(level))


def _covered(posterior: np.ndarray, wanted: np.ndarray, level: float) -> np.ndarray:
    """Whether the truth is in the credible set: all that are more probable do not yet make up the level."""
    own = posterior[np.arange(len(wanted)), wanted][:, None]
    before = np.where(posterior > own * (1.0 + _ALIKE), posterior, 0.0).sum(axis=1)
    return (before < level * (1.0 - _ALIKE)).astype(float)


def _check_possible(logs: np.ndarray, wanted: np.ndarray, assumed: str, true: str, names: Sequence[Any]) -> None:
    """Refuse data that the assumed agent never makes if it wants the same."""
    own = logs[np.arange(len(wanted)), wanted]
    impossible = np.flatnonzero(np.isneginf(own))
    if len(impossible):
        number = int(impossible[0])
        raise ValueError(
            f"agent {assumed!r} never does what agent {true!r} did in data set {number}, if it wants candidate "
            f"{label(names[wanted[number]])} as that one does ({len(impossible)} of {len(own)} data sets): give "
            f"{assumed!r} a lapse, such as lapse=0.01"
        )


def _labeled(table: np.ndarray, agents: list[str], names: Sequence[Any], wanted: np.ndarray) -> xr.Dataset:
    """Means, standard errors and all of the numbers, ``(measure, true, assumed, data set)``, by name."""
    count = table.shape[-1]
    found: dict[str, Any] = {}
    for (name, (words, units)), each in zip(_MEASURES.items(), table, strict=True):
        attrs, error = {"long_name": words, "units": units}, each.std(axis=-1, ddof=1) / np.sqrt(count)
        found[name] = (("true", "assumed"), each.mean(axis=-1), attrs)
        found[f"{name}_error"] = (("true", "assumed"), error, {"long_name": f"standard error of {name}"})
        found[f"{name}_each"] = (("true", "assumed", "data_set"), each, attrs)
    candidates = [names[k] if all(isinstance(n, int) for n in names) else label(names[k]) for k in wanted.tolist()]
    coords = {
        "true": agents,
        "assumed": [*agents, PRIOR],
        "data_set": np.arange(count),
        "candidate": ("data_set", candidates),
    }
    return xr.Dataset(found, coords)


def _checked(key: Any, world: Any, agents: Any, rewards: Any) -> tuple[list[Any], list[Reward]]:
    """Names of the candidates, and the candidates; or an error in words."""
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    check_kind(
        "agents", agents, Mapping, "a mapping from name to agent, such as {'keen': gi.agents.boltzmann(beta=3.0)}"
    )
    if not agents:
        raise ValueError("no agents were given; expected a mapping from name to agent")
    for name, agent in agents.items():
        check_kind(f"the name {name!r} of an agent", name, str, "a word")
        check_kind(f"agent {name!r}", agent, Agent, "an agent, such as gi.agents.boltzmann(beta=3.0)")
        if name == PRIOR:
            raise ValueError("an agent is called 'prior', as the column of those who see no data is: rename it")
    check_kind("rewards", rewards, (Mapping, Sequence), "a sequence or a mapping of rewards")
    named = dict(rewards if isinstance(rewards, Mapping) else enumerate(rewards))
    if len(named) < 2:
        raise ValueError(f"{len(named)} candidate rewards were given; expected two at least")
    for name, reward in named.items():
        check_reward(f"reward {name!r}", reward)
    return list(named), list(named.values())


@contextlib.contextmanager
def _about(name: str) -> Iterator[None]:
    """Say which agent an error is about."""
    try:
        yield
    except (ValueError, ConvergenceError, PrecisionError) as error:
        raise type(error)(f"agent {name!r}: {error}") from error
