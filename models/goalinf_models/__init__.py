"""Complete Bayesian models from the literature, written with :mod:`goalinf`.

Every model is a module with the same parts:

``VARIANTS``
    Name of a variant of the model -> :class:`~goalinf_models.catalogue.Variant`: the function that computes its
    posterior, the sites, the question that it answers. The first is the default.
``example(key, variant)``
    Small data from known values.
``model(data, variant)``
    Keyword arguments for ``gi.infer``, or for :func:`exact` where every unknown has finitely many values.

>>> import jax, goalinf as gi
>>> from goalinf_models import evans_2016, exact
>>> data = evans_2016.example(jax.random.key(0))
>>> posterior = exact(**evans_2016.model(data))
>>> posterior.sel(step=0).sum(("reward", "alpha")).values.round(2)  # the prior of k
array([[0.2, 0.2, 0.2, 0.2, 0.2]])
"""

from goalinf_models import (
    ashwood_2022,
    baker_2009,
    chan_2021,
    daw_2011,
    delay_discounting,
    evans_2016,
    planning_depth,
    ramachandran_amir_2007,
    reddy_2018,
    ziebart_2008,
)
from goalinf_models.catalogue import Variant, choice, exact

__all__ = [
    "Variant",
    "ashwood_2022",
    "baker_2009",
    "chan_2021",
    "choice",
    "daw_2011",
    "delay_discounting",
    "evans_2016",
    "exact",
    "planning_depth",
    "ramachandran_amir_2007",
    "reddy_2018",
    "ziebart_2008",
]
