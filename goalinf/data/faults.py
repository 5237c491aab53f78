"""Faults of a table: the first one is raised, or all kinds of them are gathered."""

from __future__ import annotations

from typing import NoReturn


class Faults:
    """Raises the first fault of a table."""

    messages: tuple[str, ...] = ()

    def add(self, message: str) -> NoReturn:
        """Raise a ValueError with this message."""
        raise ValueError(message)


class Gathered:
    """Gathers one message per kind of fault, so that a table can be mended in one go."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def add(self, message: str) -> None:
        """Keep the message."""
        self.messages.append(message)
