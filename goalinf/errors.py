"""Errors that are not simply a wrong value."""


class ConvergenceError(RuntimeError):
    """A solver ended without a solution; the message says how it ended and what to do."""


class PrecisionError(ArithmeticError):
    """The numbers are beyond what the chosen precision can hold; the message says what to change."""
