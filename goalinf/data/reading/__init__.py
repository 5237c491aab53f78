"""Reader of trajectories from tables."""
