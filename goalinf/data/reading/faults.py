"""Faults of a table: the first one is raised, or one of each kind is gathered."""

from __future__ import annotations

from typing import NoReturn


class Faults:
    """Collector that raises the first fault of a table."""

    messages: tuple[str, ...] = ()

    def add(self, message: str) -> NoReturn:
        """Raise a ValueError with this message."""
        raise ValueError(message)


class Gathered:
    """Collector of one message per kind of fault, so that all of them can be corrected together."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def add(self, message: str) -> None:
        """Keep the message."""
        self.messages.append(message)
