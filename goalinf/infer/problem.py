"""What is to be inferred: the densities that a sampler needs, and the labels of what comes out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro

from goalinf.agents import Agent, Setting
from goalinf.agents.checks import check_plannable
from goalinf.agents.contexts import Rewards, Worlds
from goalinf.behavior import Behavior
from goalinf.data import Trajectories
from goalinf.infer import assemble
from goalinf.infer.batches import over_draws
from goalinf.infer.density import Density, Model
from goalinf.infer.mode import derivatives
from goalinf.infer.priors import Site, fill, find_sites, sample_sites
from goalinf.infer.scale import PRODUCT, sample_product, scalable, split_product


@dataclasses.dataclass(frozen=True, eq=False)
class Posterior:
    """A posterior ready for sampling.

    Parameters
    ----------
    plain : Density
        The model as it was written.
    product : Density or None
        The same model in beta times the reward, where that is possible.
    data : pytree
        What enters compiled code; ``labeled`` is the same with its names.
    dims, coords : mapping
        Axis names of every site, and the labels along them.
    sites : list of Site
        Empty for a user's own model.
    """

    plain: Density
    product: Density | None
    data: Any
    labeled: Any
    dims: Mapping[str, Sequence[str]]
    coords: Mapping[str, Any]
    sites: list[Site]
    world: Worlds | None = None
    agent: Agent | None = None
    reward: Rewards | None = None

    def values(self, key: Any, sampled: Any) -> dict[str, np.ndarray]:
        """Every site's value for every draw, ``(chains, draws, …)``."""
        x = sampled.draws["x"]
        flat = x.reshape(-1, x.shape[-1])
        keys = jax.random.split(key, len(flat))

        def one(draw, center, scale, data):
            key, x = draw
            values = sampled.density.constrain(center + scale @ x, data)
            return split_product(key, self.sites, values[PRODUCT]) if sampled.product else values

        values = over_draws(one, (keys, flat), *sampled.geometry.arrays(), self.data)
        return {name: draws.reshape(*x.shape[:2], *draws.shape[1:]) for name, draws in values.items()}


def standard(
    key: Any, world: Worlds | None, agent: Agent | None, reward: Rewards | None, data: Any, *, as_product: bool = True
) -> Posterior:
    """The posterior of an agent and a reward that hold priors, in beta times the reward, too, where that is possible.

    Raises
    ------
    ValueError
        See :func:`~goalinf.infer`.
    """
    missing = [name for name, given in (("world", world), ("agent=", agent), ("reward=", reward)) if given is None]
    if missing:
        raise ValueError(f"gi.infer needs {', '.join(missing)}; or a model of your own as model=")
    if not isinstance(agent, Agent):
        raise TypeError(f"agent is a {type(agent).__name__}; expected an agent such as gi.soft_optimal(beta=1.0)")
    assert world is not None
    assert reward is not None
    if not isinstance(data, Trajectories):
        raise TypeError(f"data is a {type(data).__name__}; read a table with gi.read_trajectories first")
    if data.n_choices == 0:
        raise ValueError("the data hold no observed choice; there is nothing to learn from")
    setting = Setting.of(world, reward, data.context_names)
    _check_fits(setting, data)
    sites = find_sites(agent, reward, setting.world)
    if not sites:
        raise ValueError(
            "nothing is unknown: give a parameter of the agent or the reward a distribution, "
            "such as gi.StateReward(dist.Normal(0, 1), on='departure')"
        )
    typical = {site.name: site.prior.mean for site in sites}
    known_agent, known_reward = fill(
        agent,
        reward,
        {k: np.broadcast_to(v, s.prior.shape()) for (k, v), s in zip(typical.items(), sites, strict=True)},
    )
    known = Setting.of(world, known_reward, data.context_names)
    for index, one in enumerate(known.worlds):
        check_plannable(known_agent, one, known.rewards[min(index, len(known.rewards) - 1)])

    def model_of(draw: Any) -> Model:
        def model(observed: Trajectories) -> None:
            filled_agent, filled_reward = fill(agent, reward, draw(sites))
            # The names of the contexts are on the host; inside compiled code only their order is left.
            behavior = Behavior(world, filled_agent, filled_reward, contexts=data.context_names)
            numpyro.sample("choices", behavior, obs=observed)

        return model

    bare = data.unlabeled()
    plain = Density.of(model_of(sample_sites), bare, key)
    product = Density.of(model_of(sample_product), bare, key) if as_product and scalable(sites, reward) else None
    _check_defined(product or plain, bare, data)
    dims, coords = assemble.site_coords(sites, setting.world, reward)
    return Posterior(plain, product, bare, data, dims, coords, sites, world, agent, reward)


def own_model(
    key: Any, model: Model, data: Any, dims: Mapping[str, Sequence[str]], coords: Mapping[str, Any]
) -> Posterior:
    """The posterior of a user's own NumPyro model."""
    bare = data.unlabeled() if isinstance(data, Trajectories) else data
    plain = Density.of(model, bare, key)
    if isinstance(data, Trajectories):
        _check_defined(plain, bare, data)
    return Posterior(plain, None, bare, data, dims, coords, [])


def _check_fits(setting: Setting, data: Trajectories) -> None:
    """States and actions of the data exist in their worlds."""
    for number, context in enumerate(setting.contexts if len(setting.worlds) > 1 else (None,)):
        world = setting.worlds[number if len(setting.worlds) > 1 else 0]
        cells = data.cells
        mine = np.asarray(cells.context) == number if len(setting.worlds) > 1 else np.ones(len(cells.state), bool)
        states, actions = np.asarray(cells.state)[mine], np.asarray(cells.action)[mine]
        where = "" if context is None else f" of context {context!r}"
        if states.size and states.max() >= world.n_states:
            raise ValueError(
                f"the data{where} visit state number {states.max()}; the world has {world.n_states} states"
            )
        if actions.size and actions.max() >= world.n_actions:
            raise ValueError(
                f"the data{where} hold action number {actions.max()}; the world has {world.n_actions} actions"
            )


def _check_defined(density: Density, bare: Trajectories, data: Trajectories) -> None:
    """The density is finite at the prior medians; otherwise the step that is not is named."""
    if np.isfinite(derivatives(density, density.start, bare)[0]):
        return
    sites = jax.device_get(density.constrain(jnp.asarray(density.start), bare))
    scored, _ = jax.device_get(jax.jit(lambda s, d: density.log_likelihood(s, d, by="step"))(sites, bare))
    if np.ndim(scored) == 0:
        return
    wrong = np.argwhere(~np.isfinite(scored))
    if len(wrong):
        n, t = wrong[0]
        where = data.labels.where(int(n), int(t)) if data.labels is not None else f"trajectory {n}, step {t}"
        raise ValueError(
            f"{where}: this choice has probability zero under the agent ({len(wrong)} such steps). "
            "Is the action available there? Drop the step, mark the choice as missing, or use an agent that can lapse"
        )
