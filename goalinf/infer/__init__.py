"""Inference: priors as leaves, MCMC, exact goal posteriors, quick looks, and the fit."""
