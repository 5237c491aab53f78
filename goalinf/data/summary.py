"""Trajectories in words and as HTML: how many there are, and the first rows."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from goalinf import display
from goalinf.data.recorded import Recorded
from goalinf.data.trajectory_arrays import many

_SHOWN = 5  # rows in a notebook


def in_words(data: Recorded) -> str:
    """Say how much behavior there is; the shapes of arrays that cannot be looked at."""
    if not data.concrete:
        return f"Trajectories(states {jnp.shape(data.states)}, actions {jnp.shape(data.actions)})"
    shortest, longest = int(np.min(data.lengths)), int(np.max(data.lengths))
    each = f"{shortest} to {longest}" if shortest < longest else f"{longest}"
    head = f"Trajectories: {many(data.n_trajectories, 'trajectory')}, {each} steps each, {data.n_steps:,} in all"
    missing, empty = data.n_steps - int(np.sum(data.observed)), int(np.sum(~data.scored("trajectory")))
    gaps = f"{missing or 'no'} missing choice{'s' * (missing != 1)}"
    if data.forced is not None:
        gaps += f", {many(int(np.sum(data.forced)), 'forced action')}"
    if empty:
        gaps += f"; {many(empty, 'trajectory')} without any choice"
    return "\n".join([head, gaps, f"{many(data.n_subjects, 'subject')}, {many(data.n_contexts, 'context')}"])


def as_html(data: Recorded) -> str:
    """Show the words of :func:`in_words` and the first rows of the first trajectory as HTML."""
    head, *lines = in_words(data).splitlines()
    if not data.concrete:
        return display.card(head)
    first = data.select([0]).to_frame().head(_SHOWN)
    shown = f"The first {len(first)} of its rows:" if len(first) else ""
    text = "\n".join([*lines, shown]).rstrip()
    return display.card(head, display.paragraphs(text), display.table(first, index=False))
