"""Variants of the models of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Variant(NamedTuple):
    """Variant of a model.

    Parameters
    ----------
    by : callable
        Function that takes the keyword arguments that ``model`` returns: ``gi.infer`` (after a random key),
        :func:`exact`, or another function that the module names.
    sites : tuple of str
        Sites that have a posterior.
    question : str
        Question that its posterior answers.
    """

    by: Callable[..., Any]
    sites: tuple[str, ...]
    question: str
