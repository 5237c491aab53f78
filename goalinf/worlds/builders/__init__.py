"""Functions that build worlds."""
