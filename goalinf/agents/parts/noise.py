"""Noise: maps from log-probabilities of intended actions to log-probabilities of recorded actions."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, Literal

import equinox as eqx
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array, Bool, Float

from goalinf.checks import check_choice
from goalinf.planning.facts import REGULAR, Facts
from goalinf.planning.parameters import SHARE, DefaultPriors, Parameter, Part, Ranges
from goalinf.precision import namespace
from goalinf.types import Real

LogProbs = Float[Array | np.ndarray, "*T S A"]
Available = Bool[Array | np.ndarray, "S A"]


class Noise(Part):
    """Map from log-probabilities of intended actions to log-probabilities of recorded actions."""

    @property
    def slip_probability(self) -> Any:
        """Probability of an execution error (slip); None without slips."""
        return None

    @property
    def hides_slips(self) -> bool:
        """True where data record the intended action and the world moves by the executed one."""
        return False

    @abc.abstractmethod
    def __call__(self, log_probs: LogProbs, available: Available) -> LogProbs:
        """Return log-probabilities of the recorded actions."""


class NoNoise(Noise):
    """No noise: the intended action is executed."""

    numpy: ClassVar[bool] = True
    facts: ClassVar[Facts] = REGULAR

    def __call__(self, log_probs: LogProbs, available: Available) -> LogProbs:
        """Return the log-probabilities unchanged."""
        return log_probs


class Lapse(Noise):
    r"""Lapses, uniformly random actions: :math:`\pi' = (1 - \epsilon)\,\pi + \epsilon\,/\,|A(s)|`.

    The usual remedy where a single improbable action would reduce the estimate of beta to near zero (Wichmann and Hill
    2001).

    Parameters
    ----------
    lapse : float or Distribution
        :math:`\epsilon`, in [0, 1].
    """

    lapse: Parameter
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, onto=False)
    parameters: ClassVar[Ranges] = {"lapse": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"lapse": lambda: dist.Beta(1.0, 9.0)}
    numpy: ClassVar[bool] = True

    def __call__(self, log_probs: LogProbs, available: Available) -> LogProbs:
        """Return log-probabilities of the executed actions."""
        return _blurred(log_probs, available, self.lapse)


class Slip(Noise):
    r"""Execution error: for an intended action a the executed one has :math:`(1-\eta)\,\delta_a + \eta/|A(s)|`.

    Parameters
    ----------
    slip : float or Distribution
        :math:`\eta`, in [0, 1].
    recorded : {"executed", "intended"}
        The data record the executed action, or the intended action.
    """

    slip: Parameter
    facts: ClassVar[Facts] = dataclasses.replace(REGULAR, onto=False)
    recorded: Literal["executed", "intended"] = eqx.field(static=True, default="executed")
    parameters: ClassVar[Ranges] = {"slip": SHARE}
    default_priors: ClassVar[DefaultPriors] = {"slip": lambda: dist.Beta(1.0, 9.0)}
    numpy: ClassVar[bool] = True

    @property
    def slip_probability(self) -> Any:
        """Probability of a slip."""
        return self.slip

    @property
    def hides_slips(self) -> bool:
        """True where data record the intended action."""
        return self.recorded == "intended"

    def __check_init__(self) -> None:
        check_choice("recorded", self.recorded, ("executed", "intended"))

    def __call__(self, log_probs: LogProbs, available: Available) -> LogProbs:
        """Return log-probabilities of the recorded actions."""
        return log_probs if self.recorded == "intended" else _blurred(log_probs, available, self.slip)


def _blurred(log_probs: LogProbs, available: Available, share: Real) -> Any:
    """Compute log((1 - share) exp(log_probs) + share / |A|), exact and differentiable at shares of zero and one too."""
    xp = namespace(log_probs, share)
    anything = -xp.log(available.sum(axis=-1, keepdims=True).astype(log_probs.dtype))
    tiny = log_probs < -0.8 * np.log(np.finfo(log_probs.dtype).max)  # such a probability has no inverse
    usual = xp.where(tiny, anything, log_probs)
    usual = usual + xp.log1p(share * xp.expm1(anything - usual))
    rare = anything + xp.log(xp.where(tiny & (share > 0), share, 1.0))
    return xp.where(available, xp.where(tiny, xp.where(share > 0, rare, log_probs), usual), -xp.inf)
