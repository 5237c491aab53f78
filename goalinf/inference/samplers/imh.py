r"""Independence Metropolis–Hastings: proposals that do not depend on the state of the chain.

In few dimensions a posterior of rewards is close to its Laplace approximation. Most proposals from a Student-t
distribution around the mode, which has heavier tails, are then accepted, and every accepted draw is independent of the
last one; gradients, compilation and warm-up are not needed. With weights :math:`w(x) = p(x)/q(x)` a proposal
:math:`x'` is accepted with probability :math:`\min(1, w(x')/w(x))` (Hastings 1970; Tierney 1994). Where the proposal
distribution misses part of the posterior, the weights have a heavy tail, which their Pareto :math:`\hat k` measures
(Vehtari et al. 2024): above 0.7 the chains are not reliable. Where proposals reach a part too rarely, chains stay at
one point for many steps; proposals around a normal mode are accepted at a rate of 0.9 in three dimensions and 0.66 in
twenty, so that a rate of at least 0.6 is required. With several modes the proposals are a mixture of Student-t
distributions, one around each mode.
"""

from __future__ import annotations

import numpy as np

from goalinf.checks import numpy_generator
from goalinf.inference import _arviz
from goalinf.inference.samplers.geometry import Coordinates
from goalinf.inference.samplers.progress import Progress
from goalinf.inference.samplers.sampler import Draws, Sampler, Settings, State
from goalinf.interrupt import heed
from goalinf.types import PRNGKey

FEW = 20  # largest number of dimensions in which the Laplace approximation of a posterior of rewards is close enough
_FREEDOM = 10.0  # degrees of freedom of the proposals
_FEWEST = 50  # weights needed to estimate the tail around one mode


class IndependentChains(Sampler):
    """Chains of proposals around the modes, in whitened coordinates, made on the host."""

    method, algorithm = "independence", "IMH"
    default_warmup = 50
    whitened = True
    options = ()

    def __init__(self, key: PRNGKey, coordinates: Coordinates, state: State, settings: Settings, *, warmup: int):
        self._rng = numpy_generator(key)
        self._parameterization, self._geometry = coordinates.parameterization, coordinates.geometry
        self._n_modes, self._block = coordinates.modes, settings.block
        self._log_weights, self._modes = np.empty(0), np.empty(0, int)
        if self._parameterization.closed is not None:
            self._parameterization.closed.derivatives(self._geometry.center)  # warm start of all planning
        start = self._with_weights(state.x)
        defined = np.isfinite(start["potential"])[:, None]
        self._state = start if defined.all() else self._with_weights(np.where(defined, state.x, 0.0))

    @staticmethod
    def possible(coordinates: Coordinates) -> bool:
        """Return True where the density is cheap on the host, or proposals from several modes replace jumps."""
        return coordinates.parameterization.closed is not None or coordinates.modes > 1

    @property
    def state(self) -> State:
        """Points of the chains; there is no adaptation."""
        return State(self._state["x"])

    @property
    def diagnostics(self) -> dict[str, float]:
        r"""Pareto :math:`\hat k` of the weights of all proposals so far; the largest over all modes.

        A heavy tail of the weights around one mode may not be visible among the weights of all modes.
        """
        by_mode = [self._log_weights[self._modes == number] for number in np.unique(self._modes)]
        tested = [weights for weights in by_mode if weights.size >= _FEWEST]
        return {"khat": max(map(_arviz.khat, [self._log_weights, *tested]))}

    def describe(self, target: str) -> str:
        """Describe the sampler; ``target`` names the sampled parameters."""
        modes = "the mode" if self._n_modes == 1 else f"{self._n_modes} modes"
        return f"Independence Metropolis–Hastings on {target}, with Student-t proposals around {modes}"

    def shrink_steps(self, draws: Draws) -> bool:
        """Keep the proposals, which have no step size."""
        return False

    def advance(self, steps: int, progress: Progress, *, kept: bool = True) -> Draws:
        """Run whole blocks; on Ctrl-C the finished blocks are returned."""
        parts: list[Draws] = []
        try:
            for _ in range(-(-steps // self._block)):
                heed()
                parts.append(self._run_block(self._block))
                undefined = parts[-1]["diverging"]
                progress.advance(undefined.size, int(undefined.sum()) if kept else 0)
        except KeyboardInterrupt:
            self.interrupted = True
            if not parts:
                raise
        return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}

    def _run_block(self, steps: int) -> Draws:
        proposed = self._proposed(steps)
        self._log_weights = np.append(self._log_weights, proposed["log_weight"])
        self._modes = np.append(self._modes, proposed.get("mode", np.zeros(proposed["log_weight"].shape, int)))
        thresholds = self._rng.uniform(size=proposed["log_weight"].shape)
        rates, states = [], []
        for step, threshold in enumerate(thresholds):
            proposal = {name: values[step] for name, values in proposed.items()}
            rates.append(np.exp(np.minimum(proposal["log_weight"] - self._state["log_weight"], 0.0)))
            accepted = threshold < rates[-1]
            self._state = {
                name: np.where(accepted.reshape(-1, *[1] * (values.ndim - 1)), proposal[name], values)
                for name, values in self._state.items()
            }
            states.append(self._state)
        draws = {name: np.stack([state[name] for state in states], axis=1) for name in self._state}
        del draws["log_weight"]
        rate = np.stack(rates, axis=1)
        # A divergence, as for other samplers: the density is undefined at the proposal because planning fails.
        return {**draws, "acceptance_rate": rate, "diverging": ~np.isfinite(proposed["potential"].T)}

    def _proposed(self, steps: int) -> Draws:
        """Draw ``steps`` proposals for every chain, with their weights."""
        shape = steps, *self._state["x"].shape
        scale = np.sqrt(_FREEDOM / self._rng.chisquare(_FREEDOM, shape[:2]))
        noise = self._rng.standard_normal(shape) * scale[..., None]
        if (maps := self._geometry.maps) is None:
            return self._with_weights(noise)
        mode = self._rng.choice(len(maps.centers), shape[:2], p=np.exp(maps.log_defensive))
        return self._with_weights(maps.centers[mode] + np.einsum("...ij,...j->...i", maps.scales[mode], noise))

    def _with_weights(self, x: np.ndarray) -> Draws:
        """Compute potential and log-weight at coordinates ``(…, D)``.

        With a closed form also the log-likelihood by trajectory; with several modes also the number of the mode.
        """
        flats = (self._geometry.center + x @ self._geometry.scale.T).reshape(-1, x.shape[-1])
        extra = {}
        if self._parameterization.closed is not None:
            potential, extra["scores"] = self._parameterization.closed.scores(flats)
        else:
            potential = -self._parameterization.log_density(flats)
        if (maps := self._geometry.maps) is None:
            log_proposal = -0.5 * (_FREEDOM + x.shape[-1]) * np.log1p((x**2).sum(axis=-1) / _FREEDOM)
        else:
            log_proposal = maps.log_density(x, _FREEDOM)
            extra["mode"] = maps.nearest(x).ravel()
        shaped = {
            name: values.reshape(*x.shape[:-1], *values.shape[1:])
            for name, values in {"potential": potential, **extra}.items()
        }
        return {"x": x, **shaped, "log_weight": -shaped["potential"] - log_proposal}
