"""Inference: priors as leaves of agents and rewards, MCMC, exact posteriors over goals, approximations, comparison."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
