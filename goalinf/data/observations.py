"""Observations: data with a likelihood under the plans of an agent."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeVar, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from goalinf.agents.agent import Agent, SingleAgent
from goalinf.agents.policy import Policy
from goalinf.content_hash import content_hash
from goalinf.rewards import Reward
from goalinf.worlds import World

_Self = TypeVar("_Self", bound="Observations")


@runtime_checkable
class Plans(Protocol):
    """Plans of one agent in all conditions, under which observations are scored."""

    @property
    def agent(self) -> SingleAgent:
        """The agent, with known parameters (traced where they are inferred)."""

    @property
    def policy(self) -> Policy:
        """Policies and values (beta times V), with a leading axis of conditions."""

    @property
    def worlds(self) -> tuple[World, ...]:
        """World of every condition, or one for all."""

    @property
    def rewards(self) -> tuple[Reward, ...]:
        """Reward of every condition, or one for all."""

    def actions(self, trajectories: Observations, unit: str) -> Float[Array | np.ndarray, ...]:
        """Return the log-probability of the observed actions of trajectories, by unit."""

    def rolled_out(self, key: Array, trajectories: Observations) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Simulate states ``(N, T+1)``, actions ``(N, T)`` and a flag for steps taken ``(N, T)``, from these starts."""


class Observations(eqx.Module):
    """Data with a likelihood under the behavior of an agent; abstract.

    Every observation belongs to a subject and to a context, which names its world and its reward. Units are groups of
    observations, from single ones to all of the data: a unit is left out in cross-validation, and has one option of a
    mixture of agents. :class:`~goalinf.Trajectories` is the usual class. Any other class with these members can be
    given to :func:`~goalinf.infer`, :func:`~goalinf.compare` and :func:`~goalinf.inference.log_predictive_density`, is
    saved with a fit, predicted by :meth:`goalinf.Fit.predict` and audited by :func:`~goalinf.audit`.

    Attributes
    ----------
    units : tuple of str
        Names of the units, the smallest first; the last two are ``"subject"`` and ``"data"``.
    unit : str
        Unit of which a fit keeps the log-likelihood; there are N of them.
    noun : str
        Name of one observation in messages, such as ``"action"``.
    subject, context : int (N,)
        Numbers of the subject and of the context of each of these.
    """

    units: ClassVar[tuple[str, ...]]
    unit: ClassVar[str]
    noun: ClassVar[str]

    if TYPE_CHECKING:  # declared by each class, in an order of its own
        subject: Int[Array | np.ndarray, " N"]
        context: Int[Array | np.ndarray, " N"]

    @abc.abstractmethod
    def log_likelihood(self, plans: Plans, unit: str) -> Float[Array | np.ndarray, ...]:
        """Return the log-probability of the observations in every item of a unit, in nats; traceable.

        An audit differentiates it in forward mode: its derivative is finite wherever the observations are possible.

        Parameters
        ----------
        plans : Plans
            Plans of one agent. Here ``context`` holds numbers of conditions, of which ``plans.policy`` has an axis.
        unit : str
            One of ``units``. Items of a unit smaller than ``unit`` may have axes ``(N, T)``, with zeros at padding.
            Subjects are in the order of their numbers, without gaps; entries after the last one are zero.
        """

    @abc.abstractmethod
    def replicated(self: _Self, key: Array, plans: Sequence[Plans], option: np.ndarray) -> _Self:
        """Draw replicated data: new observations with the design of these data, on the host.

        The design is everything but the observations: subjects, contexts, and what was asked.

        Parameters
        ----------
        key : jax.random key
            Source of randomness.
        plans : sequence of Plans
            Plans of every option of a mixture; of one agent, where it is no mixture. Here ``plans.policy`` has an axis
            of contexts, which ``context`` numbers.
        option : int (N,)
            Number of the option of each of the N units.

        References
        ----------
        Gelman et al. (2013), "Bayesian data analysis", section 6.3: replications of the observed data.
        """

    @abc.abstractmethod
    def scored(self, unit: str) -> Bool[np.ndarray, ...]:
        """Return True for every item of ``unit`` or a smaller one that has an observation, shaped as its scores."""

    @abc.abstractmethod
    def check(self, worlds: Sequence[World], agent: Agent) -> None:
        """Refuse observations that cannot come from these worlds (one per context, or one for all) and this agent.

        Raises
        ------
        ValueError
            Where they cannot; the message names the observation, what was found and what was expected.
        """

    @abc.abstractmethod
    def unlabeled(self: _Self, n_pairs: int | None = None) -> _Self:
        """Remove all names except those of the contexts, for compiled code.

        With ``n_pairs``, the largest number of states times actions of a world, the data may be padded, so that further
        data of the same shape share compiled programs.
        """

    @abc.abstractmethod
    def arrays(self) -> Mapping[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return the names of the axes and the numbers of every array, without derived ones."""

    @property
    @abc.abstractmethod
    def named_contexts(self) -> tuple[Hashable, ...] | None:
        """Name of each context, in compiled code too; None where contexts have no names."""

    @abc.abstractmethod
    def names(self, unit: str) -> tuple[Hashable, ...]:
        """Return the names of the items of ``unit`` or of the subjects; their numbers where they have no names."""

    @abc.abstractmethod
    def where(self, unit: str, *item: int) -> str:
        """Return the name of an item for messages, with its row where the data came from a table."""

    # -- derived ------------------------------------------------------------------------------

    @property
    def context_names(self) -> tuple[Hashable, ...]:
        """Name of each context; its number where contexts have no names."""
        named = self.named_contexts
        return tuple(range(int(np.max(self.context, initial=-1)) + 1)) if named is None else named

    @property
    def n_observed(self) -> int:
        """Number of observations."""
        return int(np.sum(self.scored(self.units[0]), dtype=np.int64))

    def members(self, unit: str) -> Int[Array | np.ndarray, " N"]:
        """Return the number of the item of this unit to which each item of ``self.unit`` belongs, ``(N,)``.

        Raises
        ------
        ValueError
            Where the data have no such unit.
        """
        known = {self.unit: np.arange(self.subject.shape[-1]), "subject": self.subject, "data": 0 * self.subject}
        if unit not in known:
            raise ValueError(f"the unit is {unit!r}; {type(self).__name__} have {', '.join(known)}")
        return known[unit]

    def summed(self, scores: Float[Array, " N"], unit: str) -> Float[Array, " G"]:
        """Add the scores of the items of ``self.unit`` by subject (ranked, zero after the last one) or over all."""
        if unit == "data":
            return scores.sum()[None]
        members = jnp.asarray(self.members(unit))
        rank = jnp.unique(members, return_inverse=True, size=members.size)[1]
        return jax.ops.segment_sum(scores, rank, members.size)

    def check_contexts(self, names: Sequence[Hashable]) -> None:
        """Refuse numbers of contexts without a name, on the host; compiled code would use another context.

        Raises
        ------
        ValueError
            Where a number is negative or too large; the message names the item of ``unit``.
        """
        numbers = np.asarray(self.context)
        wrong = (numbers < 0) | (numbers >= len(names))
        if wrong.any():
            item, number = int(np.argwhere(wrong)[0][-1]), numbers[wrong][0]
            raise ValueError(
                f"{self.where(self.unit, item)} is of context number {number}; expected 0 to {len(names) - 1}, the "
                f"numbers of the contexts {', '.join(map(repr, names))}"
            )

    def renumbered(self: _Self, conditions: np.ndarray | None) -> _Self:
        """Replace the number of every context by that of its condition, -1 for others; traceable.

        Parameters
        ----------
        conditions : int (C,) or (C, U), optional
            Number of the condition of every context, or of every context and subject. None: all contexts are one
            condition, number 0.
        """
        leaves = dict(jax.tree_util.tree_leaves_with_path(self))

        def replaced(path: tuple[Any, ...], leaf: Any) -> Any:
            if getattr(path[-1], "name", None) != "context":
                return leaf
            if conditions is None:
                return 0 * leaf
            subject = leaves[(*path[:-1], jax.tree_util.GetAttrKey("subject"))]
            numbers = (leaf, subject)[: conditions.ndim]
            if all(isinstance(number, np.ndarray) for number in numbers):
                return conditions[numbers]
            inside = [(number >= 0) & (number < size) for number, size in zip(numbers, conditions.shape, strict=True)]
            return jnp.where(jnp.stack(inside).all(axis=0), jnp.asarray(conditions)[numbers], -1)

        return jax.tree_util.tree_map_with_path(replaced, self)

    def data_hash(self) -> str:
        """Return the SHA-256 of the numbers (names left out): equal data have equal hashes."""
        return content_hash({name: values for name, (_, values) in self.arrays().items()})

    # -- what NumPyro asks of every value -------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Axes of a batch of data sets, in front of N; ``()`` for one data set, which is one draw."""
        return jnp.shape(self.subject)[:-1]

    @property
    def ndim(self) -> int:
        """Number of the axes of :attr:`shape`."""
        return len(self.shape)

    @property
    def concrete(self) -> bool:
        """True for one data set whose numbers can be looked at; False inside compiled code and for a batch."""
        return self.ndim == 0 and not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(self))

    def __jax_array__(self) -> NoReturn:
        """Say to ``jnp.shape``, which NumPyro calls on observations, that :attr:`shape` can be asked.

        Raises
        ------
        TypeError
            Always: data are a record, not an array.
        """
        raise TypeError(
            f"{type(self).__name__} is a record of several arrays, not an array: use its fields, such as data.subject"
        )
