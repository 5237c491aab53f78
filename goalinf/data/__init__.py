"""Data: observations, of which trajectories are the usual kind, read from tables and converted to tables."""

from goalinf.data.cells import Cells as Cells
from goalinf.data.labels import Labels as Labels
from goalinf.data.observations import Observations as Observations
from goalinf.data.reading.table import read_trajectories as read_trajectories
from goalinf.data.trajectories import Trajectories as Trajectories

__all__ = ["Cells", "Labels", "Observations", "Trajectories", "read_trajectories"]
