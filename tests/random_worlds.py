"""Random worlds for the fuzz tests: coarse numbers, so that ties, certain outcomes and equal rows are common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import goalinf as gi

_EXAMPLES = settings.default.max_examples
discounts = st.sampled_from([0.0, 0.5, 0.9, 0.99])


def fuzzed(test):
    """A property with 2,000 examples in `make fuzz`, which alone runs it; five where it is asked for by name."""
    return pytest.mark.fuzz(settings(max_examples=_EXAMPLES if _EXAMPLES > 25 else 5)(test))


@dataclass(frozen=True)
class Drawn:
    """The arrays that the oracles take, and the world of the library."""

    P: np.ndarray
    discount: float
    available: np.ndarray
    terminal: np.ndarray

    @cached_property
    def world(self) -> gi.World:
        return gi.from_arrays(
            successors=np.broadcast_to(np.arange(len(self.P)), self.P.shape),
            probabilities=self.P,
            available=self.available,
            terminal=self.terminal,
            discount=self.discount,
        )

    @property
    def counted(self) -> np.ndarray:
        """Choices that can occur, (S, A)."""
        return self.available & ~self.terminal[:, None]


@st.composite
def worlds(draw, states=4, actions=2, discount=discounts, ends=True, gaps=True, one_shape=False):
    """Transitions in multiples of one over at most 4 S, unavailable actions, terminal states.

    With `one_shape` the first action leads from everywhere to the first state, and from there everywhere, so that few
    shapes of arrays occur and few programs are compiled.
    """
    weights = draw(hnp.arrays(np.int64, (states, actions, states), elements=st.integers(0, 3)))
    certain = draw(hnp.arrays(np.bool_, (states, actions)))
    first = np.arange(states) == weights.argmax(-1)[..., None]
    weights = np.where(certain[..., None] | (weights.sum(-1, keepdims=True) == 0), first, weights)
    available = draw(hnp.arrays(np.bool_, (states, actions))) if gaps else np.ones((states, actions), bool)
    available[~available.any(1)] = True
    terminal = draw(hnp.arrays(np.bool_, states)) if ends else np.zeros(states, bool)
    terminal[0] = False
    if one_shape:
        weights[0, 0] += 1
        weights[:, 0, 0] += 1
        available[:, 0] = True
        terminal[:] = False if not ends else np.arange(states) == states - 1
    return Drawn(weights / weights.sum(-1, keepdims=True), draw(discount), available, terminal)


def rewards(shape):
    """Numbers between -2 and 2 in steps of a half."""
    return hnp.arrays(np.int64, shape, elements=st.integers(-4, 4)).map(lambda x: x / 2)
