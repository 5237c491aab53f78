"""Log-likelihoods of levels that are tabulated, because they depend on one parameter alone."""
