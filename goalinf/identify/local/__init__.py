"""Local identifiability: Jacobians, null spaces and their directions."""
