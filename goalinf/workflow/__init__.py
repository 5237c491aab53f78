"""Workflow: designs, simulation from priors, and checks of models before and after fitting."""
