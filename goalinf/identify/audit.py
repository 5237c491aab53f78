"""The audit of a posterior: what the data said, what they could not say, and what is the prior and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from goalinf.agents import Setting
from goalinf.agents.derivatives import Jacobian, kernel, log_policy_jacobian
from goalinf.identify.contraction import Contraction, contraction
from goalinf.identify.null_space import NullSpace, null_space_at, reward_part
from goalinf.identify.ridge import Ridge, ridge
from goalinf.infer.priors import fill
from goalinf.worlds import label

_NAMED = 8  # so many unvisited states are named in print


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """What a posterior can and cannot say; ``print`` it, or :meth:`to_frame`.

    Parameters
    ----------
    n_choices : int
        Choices that were scored.
    n_parameters : int
        Parameters of the reward that were inferred.
    nullity : int
        Directions of reward that no amount of behavior shows, given the agent's parameters and as if every state were
        visited.
    nullity_joint : int
        The same with the agent's free parameters added.
    nullity_visited : int
        Directions of reward that no amount of choices in the states of these data would show: at least `nullity`.
    null_space : NullSpace
        The directions of `nullity_joint`, named; the first `nullity` of them are of the reward alone.
    free : tuple of str
        The agent's free parameters.
    unvisited : tuple of str
        States without a scored choice (and the context, where there are several worlds), ended ones left out.
    n_places : int
        How many states there are in which a choice could be scored.
    contraction : Contraction, optional
        Posterior against prior; None where the reward was known or its prior has no finite variance.
    ridge : Ridge, optional
        Scale against temperature; None where beta or the reward was known.
    diagnosis : str
        What the fit says of its convergence.
    """

    n_choices: int
    n_parameters: int
    nullity: int
    nullity_joint: int
    nullity_visited: int
    null_space: NullSpace
    free: tuple[str, ...]
    unvisited: tuple[str, ...]
    n_places: int
    contraction: Contraction | None
    ridge: Ridge | None
    diagnosis: str

    @property
    def effective_dimension(self) -> float | None:
        """Effective identified dimension, the sum of contractions over the directions that behavior can show."""
        return self.contraction.effective_dimension if self.contraction is not None else None

    def to_frame(self) -> pd.DataFrame:
        """The audit as a table: ``quantity``, ``value``, ``meaning``."""
        rows: list[tuple[str, float, str]] = [
            ("choices", self.n_choices, "choices that were scored"),
            ("states", self.n_places, "states in which a choice can be scored"),
            ("unvisited", len(self.unvisited), "of these, states without a choice in the data"),
            ("reward_parameters", self.n_parameters, "parameters of the reward that were inferred"),
            ("nullity", self.nullity, "directions of reward that no behavior shows, the agent known, every state visited"),
            ("nullity_joint", self.nullity_joint, "the same with the agent's free parameters added"),
            ("nullity_visited", self.nullity_visited, "directions of reward that choices in the visited states cannot show"),
        ]
        rows += [(f"null: {one.kind}", one.dimension, one.sentence) for one in self.null_space.directions]
        if (found := self.contraction) is not None:
            identified, unidentified = found.identified, found.unidentified
            rows.append(("effective_dimension", found.effective_dimension, "sum of the contractions of the identified directions"))
            rows.append(("contraction_identified", _mean(1 - identified), "mean of 1 - posterior/prior variance, identified directions"))
            rows.append(("contraction_unidentified", _mean(1 - unidentified), "the same, unidentified directions"))
            rows.append(("contraction_unidentified_error", _mean_error(found), "its Monte Carlo standard error"))
        if self.ridge is not None:
            meaning = {
                "correlation": "posterior correlation of log beta and the log of the size of the reward",
                "beta": "posterior sd of log beta",
                "size": "posterior sd of the log of the size of the reward",
                "product": "posterior sd of the log of their product",
            }
            rows += [(f"ridge_{name}", getattr(self.ridge, name), words) for name, words in meaning.items()]
            rows += [
                (f"ridge_prior_{name}", getattr(self.ridge, f"prior_{name}"), words.replace("posterior", "prior"))
                for name, words in meaning.items()
                if name != "correlation"
            ]
        return pd.DataFrame(rows, columns=["quantity", "value", "meaning"])

    def __str__(self) -> str:
        parts = [*self._data(), *self._directions(), *self._contraction()]
        if self.ridge is not None:
            parts.append(str(self.ridge))
        if self.diagnosis:
            parts.append(f"Sampler: {self.diagnosis}")
        return "\n".join(["What this posterior can say, and what it cannot", *parts])

    def __repr__(self) -> str:
        known = "reward known" if not self.n_parameters else f"{self.nullity} of {self.n_parameters} directions of reward unidentified"
        return f"Audit({self.n_choices:,} choices, {known}; print it for the sentences)"

    def _data(self) -> list[str]:
        seen = self.n_places - len(self.unvisited)
        text = f"Data: {self.n_choices:,} choices in {seen} of {_count(self.n_places, 'state')}."
        if self.unvisited:
            names = ", ".join(self.unvisited[:_NAMED]) + (", …" if len(self.unvisited) > _NAMED else "")
            text += f" No choice was seen in {names}."
        return [text]

    def _directions(self) -> list[str]:
        lines = []
        if self.n_parameters:
            shown = self.n_parameters - self.nullity
            lines.append(
                f"Identified: {shown} of {_count(self.n_parameters, 'direction')} of reward, if every state is visited and "
                "the agent's parameters are known."
            )
            own = [one for one in self.null_space.directions if one.kind not in ("scale", "trade-off")]
            if own:
                lines.append(f"Prior and nothing else: {_count(self.nullity, 'direction')}, however much data there is.")
                lines += [f"  {one.kind} ({one.dimension}): {one.sentence}" for one in own]
            if more := self.nullity_visited - self.nullity:
                lines.append(
                    f"These visits hide {more} more: {_count(self.nullity_visited, 'direction')} cannot be told from choices in "
                    "the visited states alone."
                )
            else:
                lines.append("These visits hide no more than that.")
        else:
            lines.append("The reward was known; nothing about it was inferred.")
        if self.free:
            names = " and ".join(name.removeprefix("agent.") for name in self.free)
            extra = [one for one in self.null_space.directions if one.kind in ("scale", "trade-off")]
            lines.append(
                f"With {names} free, {_count(self.nullity_joint, 'direction')} of reward and agent together "
                f"{'is' if self.nullity_joint == 1 else 'are'} not identified{':' if extra else '.'}"
            )
            lines += [f"  {one.kind} ({one.dimension}): {one.sentence}" for one in extra]
        return lines

    def _contraction(self) -> list[str]:
        if not self.n_parameters:
            return []
        if self.contraction is None:
            return ["Contraction cannot be said: the prior of the reward has no finite variance to compare with."]
        found, lines = self.contraction, []
        if len(found.identified):
            lines.append(
                f"Contraction: in the identified directions the posterior variance is on average "
                f"{np.mean(found.identified):.0%} of the prior's. "
                f"Effective identified dimension: {found.effective_dimension:.1f} of {len(found.identified)}."
            )
        if len(found.unidentified):
            ratio = f"{np.mean(found.unidentified):.0%} ± {_mean_error(found):.0%}"
            verdict = {
                True: "the posterior is the prior, within Monte Carlo error",
                None: "too few effective draws to say more",
                False: "which differs from the prior by more than Monte Carlo error",
            }[found.equals_prior]
            lines.append(f"In the unidentified directions it is {ratio} of the prior's: {verdict}.")
            if found.equals_prior is False:
                lines.append(
                    "  The prior is Gaussian, so that they should be equal: the chains have not converged."
                    if found.gaussian
                    else "  The prior is not Gaussian: it ties directions together, and the data narrow these through the prior alone."
                )
        return lines


def audit(fit: Any) -> Audit:
    r"""Say what a posterior owes to the data and what it owes to the prior.

    The Jacobian of the log-policy is taken at one posterior draw (the last): its null space is what no data could
    say. The posterior is compared with the prior inside it, where a Gaussian prior must come back unchanged, and at right
    angles to it, where the generalized eigenvalues of posterior against prior variance tell how much was learned.

    Parameters
    ----------
    fit : Fit
        From :func:`~goalinf.infer` with a world, an agent and a reward.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        Where the model is a user's own, so that world, agent and reward are not known.

    References
    ----------
    Contraction: Betancourt (2018), "Calibrating model-based inferences and decisions", there by parameter. Null spaces: Cao,
    Cohen and Szpruch (2021), theorem 1.

    Examples
    --------
    >>> import jax, goalinf as gi
    >>> import numpyro.distributions as dist
    >>> hall = gi.gridworld("s.a", discount=0.9)
    >>> wants = gi.StateReward.at(hall, {"a": 1.0}, default=0.0, on="departure")
    >>> walks = gi.simulate(jax.random.key(0), hall, gi.soft_optimal(beta=2.0), wants, trajectories=5, steps=10)
    >>> prior = gi.StateReward(dist.Normal(0.0, 1.0), on="departure")
    >>> fit = gi.infer(jax.random.key(1), hall, agent=gi.soft_optimal(beta=2.0), reward=prior, data=walks, draws=100)
    >>> gi.audit(fit).nullity
    1
    """
    missing = [name for name in ("world", "agent", "reward") if getattr(fit, name, None) is None]
    if missing:
        raise ValueError(
            f"an audit needs the {', the '.join(missing)} that was fitted, and a model of your own does not say: fit with "
            "gi.infer(key, world, agent=..., reward=..., data=...), or call gi.null_space(world, agent, reward) yourself"
        )
    contexts = fit.data.context_names
    setting = Setting.of(fit.world, fit.reward, contexts)
    sites = {site.name: site for site in fit.sites}
    rewards = [name for name in sites if name.startswith("reward.")]
    free = tuple(name for name in sites if name.startswith("agent."))
    last = {name: fit.posterior[name].values[-1, -1] for name in sites}
    agent, reward = fill(fit.agent, fit.reward, last)
    jacobian = log_policy_jacobian(fit.world, agent, reward, wrt=(*rewards, *free), contexts=contexts)
    rewards = [column.name for column in jacobian.columns if column.name in rewards]
    first = Setting.of(fit.world, reward, contexts).rewards[0]
    joint = null_space_at(jacobian, setting, agent, first)
    alone = reward_part(jacobian)
    n_reward = alone.log_policy.shape[-1]
    nullity = sum(one.dimension for one in joint.directions if one.kind not in ("scale", "trade-off"))
    visited, n_choices = _visits(fit.data, jacobian)
    null = joint.basis.values.reshape(len(joint.basis), -1)[:nullity]
    draws = {name: np.asarray(fit.posterior[name].values, float) for name in sites}
    priors = [sites[name].prior for name in rewards]
    values = [draws[name].reshape(*draws[name].shape[:2], -1) for name in rewards]
    together = np.concatenate(values, axis=2) if values else np.zeros((1, 1, 0))
    places = np.argwhere(jacobian.rows.any(2))
    seen = visited.any(1) if visited.ndim == 3 else visited
    ridged = rewards and "agent.beta" in sites and draws["agent.beta"].ndim == 2 and nullity < n_reward
    return Audit(
        n_choices=n_choices,
        n_parameters=n_reward,
        nullity=nullity,
        nullity_joint=joint.dimension,
        nullity_visited=kernel(alone.matrix(visited), alone.tolerance).dimension,
        null_space=joint,
        free=free,
        unvisited=tuple(_place(setting, c, s) for c, s in places if not seen[c, s]),
        n_places=len(places),
        contraction=contraction(together, priors, null) if rewards else None,
        ridge=ridge(draws["agent.beta"].ravel(), together.reshape(-1, n_reward), (sites["agent.beta"].prior, priors), null)
        if ridged
        else None,
        diagnosis=str(getattr(fit, "diagnosis", "") or ""),
    )


def _visits(data: Any, jacobian: Jacobian) -> tuple[np.ndarray, int]:
    """Where choices were scored, bool ``(C, S)`` or, with a finite horizon, ``(C, T, S)``; and how many."""
    steps = data.actions.shape[1]
    n_contexts, n_states, _ = jacobian.rows.shape
    live = jacobian.rows.any(2)
    context = np.asarray(data.context) if n_contexts > 1 else np.zeros(len(data.context), int)
    context = np.broadcast_to(context[:, None], data.actions.shape)
    states = np.maximum(np.asarray(data.states)[:, :steps], 0)
    scored = np.asarray(data.observed) & live[context, states]
    if jacobian.log_policy.ndim == 4:
        visited = np.zeros((n_contexts, n_states), bool)
        visited[context[scored], states[scored]] = True
    else:
        visited = np.zeros((n_contexts, jacobian.log_policy.shape[1], n_states), bool)
        time = np.broadcast_to(np.arange(steps), data.actions.shape)
        visited[context[scored], time[scored], states[scored]] = True
    return visited, int(scored.sum())


def _place(setting: Setting, context: int, state: int) -> str:
    """Name of a state, with its context where there are several policies."""
    world = setting.worlds[min(context, len(setting.worlds) - 1)]
    several = len(setting.worlds) > 1 or len(setting.rewards) > 1
    return label(world.states[state]) + (f" (context {label(setting.contexts[context])})" if several else "")


def _mean(x: np.ndarray) -> float:
    return float(np.mean(x)) if len(x) else float("nan")


def _mean_error(found: Contraction) -> float:
    """Standard error of the mean ratio; directions are independent under the prior."""
    return float(np.sqrt(np.sum(found.error**2)) / len(found.error)) if len(found.error) else float("nan")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"
