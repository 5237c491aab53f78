"""Complete Bayesian models from the literature, written with :mod:`goalinf`.

The catalogue is empty so far: this release ships the toolkit the models will be written with. A model will be one
function that tells its generative story, with its source, its priors and the published numbers it reproduces.
"""

__all__: list[str] = []
