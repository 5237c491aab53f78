"""Identifiability of planners: equivalence, posterior, misspecification, degenerate pairs."""
