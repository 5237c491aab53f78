"""Parameters with one value per level: regressions, their groups, and the parameterization for samplers."""
