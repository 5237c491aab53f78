"""Common parts of the models: variants, and exact posteriors of models with finitely many hypotheses."""

from goalinf_models.catalogue.enumeration import choice, exact
from goalinf_models.catalogue.variant import Variant

__all__ = ["Variant", "choice", "exact"]
