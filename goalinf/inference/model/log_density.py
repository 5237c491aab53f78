"""Interface of a posterior to samplers: a potential over a flat, unconstrained vector, with the data as argument."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, jaxprs_in_params
from jax.flatten_util import ravel_pytree
from jaxtyping import ArrayLike, PyTree
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer import init_to_median
from numpyro.infer.util import constrain_fn, potential_energy

from goalinf.agents.agent import By
from goalinf.behavior import Behavior
from goalinf.data import Observations
from goalinf.inference.model.curvature import SHARED, second_order
from goalinf.inference.model.program_cache import mapped, shared
from goalinf.inference.model.tabulated.likelihood_table import TabulatedBehavior
from goalinf.types import Numeric, PRNGKey

Data: TypeAlias = Observations | PyTree[ArrayLike]  # the latter for a model of the user, or a table of likelihoods
Model = Callable[[Data], None]
_Program = TypeVar("_Program")
_UNBOUNDED = ("while", "pure_callback", "io_callback")  # primitives whose cost cannot be read from a program


@dataclasses.dataclass(frozen=True, eq=False)
class Density:
    """Log density of a NumPyro model over a flat vector.

    Parameters
    ----------
    model : callable
        A NumPyro model of one argument, the data.
    start : float (D,)
        Unconstrained coordinates of the prior medians.
    unravel : callable
        ``(D,)`` -> dictionary of unconstrained sites.
    recipe : hashable
        Contents of the model: densities with equal recipes share their compiled programs.
    owner : int (D,), optional
        Number of the unit to which a coordinate belongs, -1 for shared ones, where units are independent given these.
    """

    model: Model
    start: np.ndarray
    unravel: Callable[[Any], dict[str, Any]]
    recipe: Hashable
    owner: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        model: Model,
        data: Data,
        key: PRNGKey,
        start: Mapping[str, Any] | None = None,
        *,
        unknown: bool = True,
        recipe: Hashable | None = None,
        labeled: Data | None = None,
    ) -> Density:
        """Trace the model once (inside the precision of the block), at the prior medians or the values of ``start``.

        ``unknown`` is True if the model must have a continuous parameter. Without a ``recipe`` the model shares its
        programs with no other. ``labeled`` are the same data with their names, for messages.

        Raises
        ------
        ValueError
            Where the model has no parameter to infer or no observed site, or the data cannot come from the worlds
            in which they are scored.
        """
        seeded = handlers.seed(model, key)
        values, median = start or {}, init_to_median()

        def initial_value(site):
            return jnp.asarray(values[site["name"]]) if site["name"] in values else median(site)

        trace = handlers.trace(handlers.substitute(seeded, substitute_fn=initial_value)).get_trace(data)
        sampled = [site for site in trace.values() if site["type"] == "sample"]
        latent = [site for site in sampled if not site["is_observed"]]
        for site in latent:
            if site["fn"].support.is_discrete:
                raise ValueError(f"site {site['name']!r} is discrete; marginalize it, or give it a continuous prior")
        if not latent and unknown:
            raise ValueError("the model has no parameter to infer: give some parameter a distribution as its prior")
        if len(latent) == len(sampled):
            raise ValueError(
                "the model has no observed site: pass the data, as in numpyro.sample(name, gi.Behavior(...), obs=data)"
            )
        _check_observed(trace, data, labeled)
        unconstrained = {site["name"]: biject_to(site["fn"].support).inv(site["value"]) for site in latent}
        flat, unravel = ravel_pytree(unconstrained)
        return cls(model, np.asarray(flat), unravel, object() if recipe is None else recipe)

    @property
    def size(self) -> int:
        """Number of unconstrained coordinates, D."""
        return self.start.size

    def potential(self, flat: Numeric, data: Data) -> Any:
        """Compute minus the log joint density at a flat vector; infinite where undefined."""
        return potential_energy(self.model, (data,), {}, self.unravel(flat))

    def draw_prior(self, key: PRNGKey, data: Data) -> Any:
        """Draw all sites from their priors, in unconstrained coordinates; traceable."""
        trace = handlers.trace(handlers.seed(self.model, key)).get_trace(data)
        sites = {
            name: biject_to(trace[name]["fn"].support).inv(trace[name]["value"]) for name in self.unravel(self.start)
        }
        return ravel_pytree(sites)[0]

    def value(self, flat: Numeric, data: Data) -> Any:
        """Compute the potential at a flat vector, by a compiled program without derivatives."""
        return self._value(flat, data)

    @property
    def _value(self) -> Any:
        return self.program("value", lambda: jax.jit(self.potential))

    def operations(self, data: Data) -> float:
        """Estimate the operations of one value; infinite for loops that end by a condition, as in planners."""
        return _operations(self._value.trace(self.start, data).jaxpr.jaxpr)

    def curvature(self, flat: np.ndarray, data: Data) -> np.ndarray:
        """Compute the Hessian of the potential ``(D, D)``, a few columns at a time; all would exceed the memory."""
        owner = np.full(self.size, SHARED) if self.owner is None else self.owner
        program = self.program("curvature", lambda: jax.jit(second_order(self.potential, owner)))
        return np.asarray(jax.device_get(program(flat, data)[2]), float)

    def constrain(self, flat: Numeric, data: Data) -> dict[str, Any]:
        """Return the value of every site at a flat vector."""
        return constrain_fn(self.seeded, (data,), {}, self.unravel(flat), return_deterministic=True)

    def program(self, name: Hashable, make: Callable[[], _Program]) -> _Program:
        """Return the program of this name; it is made unless a model of the same recipe has made it."""
        return shared(self.recipe, name, make)

    def over_draws(self, name: Hashable, function: Callable[..., Any], draws: PyTree[ArrayLike], data: Data) -> Any:
        """Evaluate ``function(draw, data)`` for every draw, on the host; the program is kept under this name."""
        return jax.device_get(self.program(name, lambda: mapped(function))(draws, (data,)))

    @property
    def seeded(self) -> Model:
        """Model with a fixed random key; sites with given values do not use it."""
        return handlers.seed(self.model, jax.random.key(0))

    def replay(self, sites: dict[str, Any], data: Data) -> dict[str, Any]:
        """Trace the model at these values of its sites."""
        return handlers.trace(handlers.substitute(self.seeded, sites)).get_trace(data)

    def check(self, data: Data, labeled: Data | None = None) -> None:
        """Refuse trajectories that cannot come from the worlds in which the model scores them.

        Raises
        ------
        ValueError
            See :meth:`~goalinf.Behavior.check`.
        """
        _check_observed(self.replay(self.constrain(jnp.asarray(self.start), data), data), data, labeled)

    def sites(self, data: Data) -> dict[str, Any]:
        """Return the value of every inferred site at the start."""
        values = self.constrain(jnp.asarray(self.start), data)
        return {name: values[name] for name in self.unravel(jnp.asarray(self.start))}

    def behaviors(self, sites: dict[str, Any], data: Data) -> list[tuple[Behavior | TabulatedBehavior, Any]]:
        """Return the behaviors that the model observes, at these values of its sites, and the data of each."""
        return [
            (site["fn"], site["value"])
            for site in self.replay(sites, data).values()
            if site["type"] == "sample"
            and site["is_observed"]
            and isinstance(site["fn"], (Behavior, TabulatedBehavior))
        ]

    def log_likelihood(self, sites: dict[str, Any], data: Data, *, unit: str) -> tuple[Any, Any]:
        """Return log-likelihoods of the observed sites by a unit of the data, and the largest residual."""
        total, residual = jnp.zeros(()), jnp.zeros(())
        for behavior, value in self.behaviors(sites, data):
            total, residual = total + behavior.log_prob_by(unit, value), jnp.maximum(residual, behavior.residual)
        return total, residual

    def options(self, sites: dict[str, Any], data: Data, *, unit: str) -> list[tuple[Any, Any]]:
        """Return log weights and scores of the options of every behavior; see :meth:`Behavior.by_option`."""
        return [behavior.by_option(unit, value) for behavior, value in self.behaviors(sites, data)]

    def units(self, sites: Mapping[str, Any], data: Data) -> list[By | None]:
        """Return the units of the mixture of every behavior; None where there is a single agent."""
        units_of_behaviors: list[By | None] = []

        def collect(sites: Mapping[str, Any], data: Data) -> None:  # traced: subjects may have no parameter
            agents = [behavior.agent for behavior, _ in self.behaviors(dict(sites), data)]
            units_of_behaviors.extend(agent.by for agent in agents)

        jax.eval_shape(collect, dict(sites), data)
        return units_of_behaviors


def _check_observed(trace: Mapping[str, Any], data: Data, labeled: Data | None) -> None:
    """Check the observations that a traced model observes; messages use the names of ``labeled`` for its data."""
    for site in trace.values():
        if site["type"] == "sample" and site["is_observed"] and isinstance(site["fn"], Behavior):
            value = site["value"]
            site["fn"].check(labeled if value is data and labeled is not None else value)


def _operations(jaxpr: Jaxpr) -> float:
    """Estimate the operations of all equations: n^1.5 for n numbers, as for products and factorizations of matrices."""
    total = 0.0
    for equation in jaxpr.eqns:
        if equation.primitive.name in _UNBOUNDED:
            return np.inf
        if inner := list(jaxprs_in_params(equation.params)):
            total += equation.params.get("length", 1) * sum(map(_operations, inner))
        else:
            arrays = (variable.aval for variable in (*equation.invars, *equation.outvars))
            total += sum(array.size**1.5 for array in arrays)  # type: ignore[attr-defined]
    return total
