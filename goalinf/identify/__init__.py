"""What data can say at all: null spaces, reward distances, and the audit of a posterior."""

from goalinf.identify import distance
from goalinf.identify.audit import audit
from goalinf.identify.contraction import Contraction
from goalinf.identify.controllability import co_successor_components, controllability_deficit
from goalinf.identify.naming import Direction
from goalinf.identify.null_space import NullSpace, null_space
from goalinf.identify.report import Audit
from goalinf.identify.ridge import Ridge

__all__ = [
    "Audit",
    "Contraction",
    "Direction",
    "NullSpace",
    "Ridge",
    "audit",
    "co_successor_components",
    "controllability_deficit",
    "distance",
    "null_space",
]
