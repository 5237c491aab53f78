"""Checks that arrays fit into the memory of this machine, before anything is allocated."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

# The other half is for other programs of the user, for copies, and for the derivatives that inference needs.
_SHARE = 0.5
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def check_memory(what: str, size: float, remedy: str) -> None:
    """Refuse arrays that take more than half of the memory of this machine.

    Parameters
    ----------
    what : str
        Arrays to allocate, in the plural, with their sizes.
    size : float
        Bytes of the arrays.
    remedy : str
        Advice that ends the message.

    Raises
    ------
    ValueError
        Where they do; the message has both sizes.
    """
    memory = physical_memory()
    if memory is not None and size > _SHARE * memory:
        raise ValueError(
            f"{what} take about {shown(size)}; this machine has {shown(memory)}, of which half may be used: {remedy}"
        )


def world_bytes(states: int, actions: int, width: int = 1) -> float:
    """Estimate the bytes of a world and of one plan in it, with ``width`` successors of every state and action.

    Measured on open grids of 22,500 and 90,000 cells: 670 bytes for a state with four actions, and 1,800 more while a
    policy is computed.
    """
    return states * (300.0 + actions * (450.0 + 100.0 * width))


def check_world(states: int, actions: int, width: int = 1) -> None:
    """Refuse a world of this size (``width`` successors of every state and action) where memory cannot hold it."""
    several = (f"{actions:,} action{'s' * (actions != 1)}", f"{width:,} successor{'s' * (width != 1)}")
    what = f"{states:,} states with {several[0]} and {several[1]} each"
    check_memory(what, world_bytes(states, actions, width), "make the world smaller or coarser")


@cache
def physical_memory() -> float | None:
    """Return the bytes of memory of this machine, or of the container of the process; None where unknown."""
    try:
        memory = float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # Windows
        return None
    try:
        limit = _CONTAINER.read_text(encoding="ascii").strip()
    except OSError:
        return memory
    return min(memory, float(limit)) if limit.isdigit() else memory


def shown(size: float) -> str:
    """Format a number of bytes: ``"62.5 GB"``."""
    scale, unit = next(
        ((10.0**power, unit) for power, unit in ((3, "kB"), (6, "MB"), (9, "GB")) if size < 999.5 * 10.0**power),
        (1e12, "TB"),
    )
    return f"{size / scale:,.0f} {unit}" if size >= 999.5 * scale else f"{size / scale:.3g} {unit}"
