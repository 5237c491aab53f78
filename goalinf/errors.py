"""Errors of solvers and precision; warnings about unidentified parameters and several solutions."""

__all__ = ["ConvergenceError", "PrecisionError", "SeveralSolutionsWarning", "UnidentifiedWarning"]


class ConvergenceError(RuntimeError):
    """A solver ended without a solution; the message says how it ended and what to do."""


class PrecisionError(ArithmeticError):
    """The chosen precision cannot represent the numbers; the message says what to change."""


class UnidentifiedWarning(UserWarning):
    """A parameter has a prior that no behavior can change; the message says which, why, and what to do."""


class SeveralSolutionsWarning(UserWarning):
    """A fixed point is one of several; the message says where the search started, and how much another one differs."""
