"""Models: priors, log densities and their parameterizations."""
