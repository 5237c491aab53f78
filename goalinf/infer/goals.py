"""Discrete goals, exactly: the posterior over a finite set of goals after every step."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from goalinf.agents import Agent, plan
from goalinf.agents.agent import check_known
from goalinf.agents.checks import check_plannable, check_solved
from goalinf.agents.contexts import pad_reward, stack_rewards
from goalinf.agents.host import factorable
from goalinf.behavior import score_steps
from goalinf.checks import check_kind
from goalinf.data import Trajectories
from goalinf.data.fitting import check_fits
from goalinf.infer.assemble import trajectory_labels
from goalinf.precision import Precision, cast, computing_in
from goalinf.rewards import Reward
from goalinf.worlds import MDP, World, bucket, pad


def goal_posterior(
    world: World,
    agent: Agent,
    goals: Mapping[Hashable, Reward],
    data: Trajectories,
    *,
    prior: Mapping[Hashable, float] | None = None,
    precision: Precision | None = None,
) -> xr.DataArray:
    r"""Which of these goals is someone pursuing? The exact posterior after every step.

    .. math:: p(g \mid s_{0:t}, a_{0:t}) \propto p(g) \prod_{k \le t} \pi_g(a_k \mid s_k)

    In float64 every goal is planned for on the host, where nothing has to be compiled, in worlds of up to 1,500 states
    and in larger ones whose steps are short. Elsewhere all goals are planned for in one batch, in which worlds and data
    are padded to powers of two, so that many differently shaped worlds share one program.

    Parameters
    ----------
    world : World
        Where they act.
    agent : Agent
        How they plan and choose, without priors.
    goals : mapping
        Name of the goal -> reward; see :func:`goals`. All rewards of one kind.
    data : Trajectories
        What was observed. Missing choices leave the posterior as it was.
    prior : mapping, optional
        Goal -> prior weight, positive; default: all alike.
    precision : {"float64", "float32"}, optional
        Default: float64 on a CPU, float32 on an accelerator.

    Returns
    -------
    DataArray
        Probabilities with dimensions ``(trajectory, step, goal)``; ``step`` counts the observed steps, 0 is the prior.
        Behind the end of a trajectory the last posterior stays. The coordinate ``evidence (trajectory,)`` is the log
        marginal likelihood of the choices in nats, :math:`\log \sum_g p(g) \prod_t \pi_g(a_t \mid s_t)`;
        ``log_likelihood (trajectory, goal)`` are its parts.

    Raises
    ------
    ValueError
        Where there is no goal or no choice, the prior does not fit, the data do not fit the world, a choice is
        impossible under every goal (it is named), or an undiscounted problem cannot end.
    ConvergenceError, PrecisionError
        Where the planner fails.

    References
    ----------
    Baker, Saxe and Tenenbaum (2009), model M1.

    Examples
    --------
    >>> import goalinf as gi
    >>> hall = gi.gridworld("a.s.b", discount=1.0)
    >>> walk = gi.Trajectories.of([[2, 3, 4]], [[3, 3]])
    >>> goals = gi.goals(hall, {"left": "a", "right": "b"}, step_cost=1.0)
    >>> posterior = gi.goal_posterior(hall, gi.boltzmann(beta=1.0), goals, walk)
    >>> posterior.sel(trajectory=0, step=2, goal="right").item() > 0.9
    True
    """
    check_kind("world", world, World, "a World, such as gi.gridworld makes")
    check_kind("agent", agent, Agent, "an agent, such as gi.boltzmann(beta=1.0)")
    check_kind("goals", goals, Mapping, "a mapping from name to reward, such as gi.goals(world, {'home': 'a'}) makes")
    check_kind("data", data, Trajectories, "trajectories; read a table with gi.read_trajectories first")
    for name, reward in goals.items():
        check_kind(f"goal {name!r}", reward, Reward, "a reward, such as those of gi.goals")
    if not goals:
        raise ValueError("no goals were given; make some with gi.goals(world, {'home': 'a', …})")
    if data.n_choices == 0:
        raise ValueError("the data hold no observed choice; there is nothing to learn from")
    check_fits(data, [world])
    check_known(agent, tuple(goals.values()))
    for reward in goals.values():
        check_plannable(agent, world, reward)
    log_prior = _log_prior(goals, prior)
    with computing_in(precision) as chosen:
        score = _on_host if chosen == "float64" and factorable(world.mdp) else _compiled
        scores, residual, values = score(agent, world.mdp, list(goals.values()), data)
        check_solved(residual, values, chosen)
    log_likelihood = np.moveaxis(np.asarray(scores, float), 0, -1)
    _check_possible(log_likelihood, data)
    n, t = data.actions.shape
    running = np.concatenate([np.zeros((n, 1, len(goals))), np.cumsum(log_likelihood, axis=1)], axis=1) + log_prior
    evidence = np.logaddexp.reduce(running, axis=-1)
    return xr.DataArray(
        np.exp(running - evidence[..., None]),
        dims=("trajectory", "step", "goal"),
        coords={
            "trajectory": trajectory_labels(data),
            "step": np.arange(t + 1),
            "goal": list(goals),
            "evidence": ("trajectory", evidence[:, -1]),
            "log_likelihood": (("trajectory", "goal"), running[:, -1] - log_prior),
        },
        name="probability",
        attrs={"long_name": "posterior probability of the goal"},
    )


def _on_host(agent: Agent, mdp: MDP, rewards: list[Reward], data: Trajectories) -> Any:
    """Log-probabilities of the choices under every goal ``(G, N, T)``, and how well it was planned for."""
    policies = [plan(agent, mdp, reward) for reward in jax.device_get(rewards)]
    scores = [score_steps(jax.tree.map(lambda leaf: leaf[None], policy), data) for policy in policies]
    return np.stack(scores), np.array([p.residual for p in policies]), np.stack([p.values for p in policies])


def _compiled(agent: Agent, mdp: MDP, rewards: list[Reward], data: Trajectories) -> Any:
    """The same on a device, padded to powers of two."""
    sizes = {"state": bucket(mdp.n_states), "action": mdp.n_actions, "successor": bucket(mdp.successors.shape[2])}
    padded = pad(mdp, states=sizes["state"], width=sizes["successor"], neighbors=bucket(mdp.neighbors.shape[0]))
    stacked = stack_rewards([pad_reward(reward, sizes) for reward in rewards])
    n, t = data.actions.shape
    steps = bucket(t) if agent.planner.horizon is None else min(bucket(t), max(t, agent.planner.horizon))
    arrays = _padded(data, bucket(n), steps)
    scores, residual, values = jax.device_get(_scores(*cast((agent, padded, stacked)), arrays))
    return scores[:, :n, :t], residual, values


@jax.jit
def _scores(agent: Agent, mdp: Any, rewards: Any, arrays: Any) -> Any:
    states, actions, observed = arrays
    none = jnp.zeros(len(states), int)
    data = Trajectories.traced(states, actions, lengths=none, observed=observed, subject=none, context=none)
    policies = jax.vmap(partial(plan, agent, mdp))(rewards)
    one = jax.vmap(lambda policy: score_steps(jax.tree.map(lambda leaf: leaf[None], policy), data))
    return one(policies), policies.residual, policies.values


def _log_prior(goals: Mapping[Hashable, Reward], prior: Mapping[Hashable, float] | None) -> np.ndarray:
    if prior is None:
        return np.full(len(goals), -np.log(len(goals)))
    check_kind("prior", prior, Mapping, "a mapping from goal to weight")
    if set(prior) != set(goals):
        raise ValueError(f"the prior names {sorted(map(str, prior))}; the goals are {sorted(map(str, goals))}")
    weights = np.array([prior[name] for name in goals], float)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError(
            f"prior weights are {weights.tolist()}; expected finite numbers of at least zero, not all zero"
        )
    with np.errstate(divide="ignore"):
        return np.log(weights / weights.sum())


def _padded(data: Trajectories, n: int, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States, actions and what was observed, in a larger rectangle."""
    rows, steps = (0, n - data.n_trajectories), (0, t - data.max_steps)
    return (
        np.pad(data.states, (rows, steps), constant_values=-1),
        np.pad(data.actions, (rows, steps), constant_values=-1),
        np.pad(data.observed, (rows, steps)),
    )


def _check_possible(log_likelihood: np.ndarray, data: Trajectories) -> None:
    impossible = np.argwhere(~np.isfinite(log_likelihood).any(-1))
    if len(impossible):
        n, t = (int(i) for i in impossible[0])
        where = data.labels.where(n, t) if data.labels is not None else f"trajectory {n}, step {t}"
        raise ValueError(
            f"{where}: this choice has probability zero under every goal ({len(impossible)} such steps): "
            "is the action available there?"
        )
