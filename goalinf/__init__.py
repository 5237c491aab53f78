"""goalinf: probabilistic goal inference and Bayesian inverse reinforcement learning.

World, agent and reward define a distribution of behavior; behavior and priors define a posterior; every posterior comes
with its audit. The names of this module are those of most scripts. Agents are in ``goalinf.agents``, measures of
identifiability in ``goalinf.identify``, further tools of inference in ``goalinf.inference``.
"""

from importlib.metadata import version

import lazy_loader

# The names are listed once, in __init__.pyi. Each is imported at first use: ``goalinf --help`` needs no JAX.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("goalinf")
