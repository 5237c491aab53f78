"""Who planned it, and who else could have: equivalence, posterior, misspecification, degenerate pairs."""
