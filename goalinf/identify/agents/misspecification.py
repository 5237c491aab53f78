"""Cost of a wrong planner: exact posteriors over rewards for every pair of true and assumed agent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr
from scipy.special import logsumexp

from goalinf.agents import Agent
from goalinf.agents.agent import single_agent
from goalinf.behavior import sample_trajectories
from goalinf.checks import check_count, check_kind, check_number, takes_key
from goalinf.data import Trajectories
from goalinf.errors import ConvergenceError, PrecisionError
from goalinf.identify.candidates import CandidateRewards, log_likelihood, policies_of
from goalinf.identify.distance.regret import share_of_range
from goalinf.inference.samplers.progress import Progress
from goalinf.precision import computing_in
from goalinf.rewards import Reward, check_reward
from goalinf.types import PRNGKey
from goalinf.worlds import World, label

PRIOR = "prior"  # the column of an observer without data
_ALIKE = 1e-9  # relative difference of probabilities that counts as rounding
_MEASURES = {
    "log_score": ("log posterior probability of the truth", "nats"),
    "regret": ("normalized regret of acting on the posterior mean", "1"),
    "starc": ("STARC distance of the posterior mean from the truth", "1"),
    "coverage": ("share of credible sets that contain the truth", "1"),
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
    r"""Evaluate the inference of a reward for every pair of true and assumed agent.

    For every data set a reward :math:`R_c` is drawn uniformly from the candidates, and the true agent acts on it. The
    posterior under the assumed agent is exact,

    .. math:: p(k \mid D) \propto \prod_{n,t} \pi_{\text{assumed}, R_k}(a_{nt} \mid s_{nt}),

    and is evaluated by four measures. All assumed agents have the same data sets, so that the numbers of a row are
    paired; all true agents have the same sequence of candidates, so that the numbers of a column share it.

    Parameters
    ----------
    key : int or jax.random key
        A seed, or a source of randomness, which is consumed.
    world : World
        World of the agents.
    agents : mapping from str to Agent
        Agents without priors; each is a true and an assumed agent.
    rewards : sequence or mapping of Reward
        The candidates: at least two known rewards of one class that do not end the episode by themselves.
    trajectories, steps : int
        Size of a data set: number of trajectories, and largest number of decision steps in each.
    data_sets : int
        Number of data sets for every true agent, at least two.
    transfer : World, optional
        World to transfer to, with the states and actions of the candidates. Default: the world of the data.
    level : float
        Posterior probability of the credible set, in (0, 1).

    Returns
    -------
    Dataset
        Means over the data sets by ``true`` and ``assumed``, with their standard errors as ``…_error``. The last
        column, ``assumed="prior"``, holds the measures of the prior without data.

        - ``log_score``: log posterior probability of the truth, :math:`\log p(c \mid D)`, in nats; 0 is best.
        - ``regret``: of acting on the posterior mean reward in ``transfer``, as :func:`goalinf.identify.distance.regret
          <goalinf.identify.distance.regret>`, in [0, 1]. Returns are linear in the reward: no other policy that
          depends on the posterior alone has a larger expected return under it.
        - ``starc``: distance of the posterior mean from the truth in ``world``, in [0, 1].
        - ``coverage``: share of data sets with the truth in the smallest set of candidates with a posterior probability
          of at least ``level``; equally probable candidates enter the set together. At least ``level`` on average if
          the assumed agent is the true agent.

        The values by data set are in ``…_each (true, assumed, data_set)``, for paired comparisons; the coordinate
        ``candidate (data_set)`` holds the true candidate.

    Raises
    ------
    ValueError
        If an action of the true agent is impossible for an assumed agent with the same reward (give the assumed agent a
        lapse), if a reward ends the episode by itself or is of another class, if the agents hold priors, or if a number
        is not a count.
    ConvergenceError, PrecisionError
        If a planner fails; the message names the agent.

    Notes
    -----
    The log score is proper: its expectation is largest for the true agent. The other measures can be better on average
    for a wrong agent. A wrong agent can be worse than no data at all; compare the column ``prior``.

    References
    ----------
    Chan, Critch and Dragan (2021), "Human irrationality: both bad and good for reward inference"; Skalse and Abate
    (2023), "Misspecification in inverse reinforcement learning".

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=0.9)
    >>> agents = {"keen": gi.agents.boltzmann(beta=3.0), "contrary": gi.agents.anti_rational(beta=3.0, negated=True)}
    >>> rewards = [gi.StateReward.at(hall, {mark: 1.0}, default=0.0, on="departure") for mark in "ab"]
    >>> size = {"trajectories": 5, "steps": 5, "data_sets": 10}
    >>> found = gi.identify.misspecification_matrix(jax.random.key(0), hall, agents, rewards, **size)
    >>> found.regret.sel(true="keen").round(2).to_series().to_dict()
    {'keen': 0.0, 'contrary': 1.0, 'prior': 0.5}
    """
    names, candidates = _checked(key, world, agents, rewards)
    for what, count, least in (("trajectories", trajectories, 1), ("steps", steps, 1), ("data_sets", data_sets, 2)):
        check_count(what, count, least)
    check_kind("transfer", world if transfer is None else transfer, World, "a World, such as gi.gridworld makes")
    if not 0.0 < check_number("level", level, 0.0, 1.0, "a number in (0, 1)") < 1.0:
        raise ValueError(f"level is {level!r}; expected a number in (0, 1)")
    candidate_rewards = CandidateRewards.of(world, candidates)
    transfer_rewards = candidate_rewards if transfer is None else CandidateRewards.of(transfer, candidates)
    units = transfer_rewards.units
    extreme_returns = [transfer_rewards.returns(transfer_rewards.greedy(sign * units), units) for sign in (1.0, -1.0)]
    truth = np.asarray(jax.random.randint(jax.random.fold_in(key, 0), (data_sets,), 0, len(candidates)))

    def measures(log_posterior: np.ndarray) -> np.ndarray:
        """Compute the measures of a posterior by data set, ``(measure, data set)``."""
        posterior = np.exp(log_posterior)
        policies = transfer_rewards.greedy(transfer_rewards.directions(posterior))
        returns = transfer_rewards.returns(policies, units[truth])
        regret = share_of_range(extreme_returns[0][truth], returns, extreme_returns[1][truth])
        distances = np.linalg.norm(candidate_rewards.directions(posterior) - candidate_rewards.units[truth], axis=1) / 2
        log_score = log_posterior[np.arange(data_sets), truth]
        return np.stack([log_score, regret, np.minimum(distances, 1.0), _covered(posterior, truth, level)])

    with computing_in("float64"), Progress("agents, assumed and true", len(agents) ** 2, divergences=False) as bar:
        true_rewards = {d: candidates[k] for d, k in enumerate(truth.tolist())}
        data_of = _simulated(key, world, agents, true_rewards, trajectories, steps)
        table = np.empty((len(_MEASURES), len(agents), len(agents) + 1, data_sets))
        table[:, :, -1] = measures(np.full((data_sets, len(candidates)), -np.log(len(candidates))))[:, None]
        for column, (name, agent) in enumerate(agents.items()):
            with _about(name):
                policies = policies_of(world, agent, candidates)
            for row, (true, data) in enumerate(data_of.items()):
                log_likelihoods = log_likelihood(policies, data, data_sets)
                _check_possible(log_likelihoods, truth, name, true, names)
                table[:, row, column] = measures(log_likelihoods - logsumexp(log_likelihoods, axis=1, keepdims=True))
                bar.advance(1)
    returns = _labeled(table, list(agents), names, truth)
    return returns.assign_attrs(trajectories=trajectories, steps=steps, level=float(level))


def _simulated(
    key: PRNGKey,
    world: World,
    agents: Mapping[str, Agent],
    pursued: Mapping[int, Reward],
    trajectories: int,
    steps: int,
) -> dict[str, Trajectories]:
    """Simulate every true agent under the rewards of all data sets."""
    data_of, size = {}, {"trajectories": trajectories, "steps": steps}
    for row, (name, agent) in enumerate(agents.items(), start=1):
        # One key per agent: a further agent at the end does not change the data of the agents before it.
        with _about(name):
            data_of[name] = sample_trajectories(
                jax.random.fold_in(key, row), world, agent, pursued, **size, precision="float64"
            )
    return data_of


def _covered(posterior: np.ndarray, truth: np.ndarray, level: float) -> np.ndarray:
    """Compute 1.0 where the truth is in the credible set: more probable candidates sum to less than the level."""
    of_truth = posterior[np.arange(len(truth)), truth][:, None]
    before = np.where(posterior > of_truth * (1.0 + _ALIKE), posterior, 0.0).sum(axis=1)
    return (before < level * (1.0 - _ALIKE)).astype(float)


def _check_possible(logs: np.ndarray, truth: np.ndarray, assumed: str, true: str, names: Sequence[Any]) -> None:
    """Raise an error for data that are impossible for the assumed agent with the same reward."""
    log_prob_of_truth = logs[np.arange(len(truth)), truth]
    impossible = np.flatnonzero(np.isneginf(log_prob_of_truth))
    if len(impossible):
        number = int(impossible[0])
        raise ValueError(
            f"data set {number} of agent {true!r} has probability 0 under agent {assumed!r} with the same reward, "
            f"candidate {label(names[truth[number]])} ({len(impossible)} of {len(truth)} data sets): give {assumed!r} "
            "a lapse, such as lapse=0.01"
        )


def _labeled(table: np.ndarray, agents: list[str], names: Sequence[Any], truth: np.ndarray) -> xr.Dataset:
    """Return means, standard errors and all values, ``(measure, true, assumed, data set)``, by name."""
    count = table.shape[-1]
    variables: dict[str, Any] = {}
    for (name, (words, units)), each in zip(_MEASURES.items(), table, strict=True):
        attrs, error = {"long_name": words, "units": units}, each.std(axis=-1, ddof=1) / np.sqrt(count)
        variables[name] = (("true", "assumed"), each.mean(axis=-1), attrs)
        variables[f"{name}_error"] = (("true", "assumed"), error, {"long_name": f"standard error of {name}"})
        variables[f"{name}_each"] = (("true", "assumed", "data_set"), each, attrs)
    candidates = [names[k] if all(isinstance(n, int) for n in names) else label(names[k]) for k in truth.tolist()]
    coords = {
        "true": agents,
        "assumed": [*agents, PRIOR],
        "data_set": np.arange(count),
        "candidate": ("data_set", candidates),
    }
    return xr.Dataset(variables, coords)


def _checked(key: Any, world: Any, agents: Any, rewards: Any) -> tuple[list[Any], list[Reward]]:
    """Return names of the candidates, and the candidates; raise an error for wrong arguments."""
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    check_kind(
        "agents", agents, Mapping, "a mapping from name to agent, such as {'keen': gi.agents.boltzmann(beta=3.0)}"
    )
    if not agents:
        raise ValueError("no agents were given; expected a mapping from name to agent")
    for name, agent in agents.items():
        check_kind(f"the name {name!r} of an agent", name, str, "a string")
        single_agent(f"agent {name!r}", agent)
        if name == PRIOR:
            raise ValueError(
                "an agent has the name 'prior', which is reserved for the column without data: rename the agent"
            )
    check_kind("rewards", rewards, (Mapping, Sequence), "a sequence or a mapping of rewards")
    named = dict(rewards if isinstance(rewards, Mapping) else enumerate(rewards))
    if len(named) < 2:
        raise ValueError(f"{len(named)} candidate rewards were given; expected at least two")
    for name, reward in named.items():
        check_reward(f"reward {name!r}", reward)
    return list(named), list(named.values())


@contextlib.contextmanager
def _about(name: str) -> Iterator[None]:
    """Add the name of the agent to an error."""
    try:
        yield
    except (ValueError, ConvergenceError, PrecisionError) as error:
        raise type(error)(f"agent {name!r}: {error}") from error
