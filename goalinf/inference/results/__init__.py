"""Fits: draws with labels, diagnostics and files."""
