"""Solvers of Bellman equations."""
