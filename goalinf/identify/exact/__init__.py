"""Exact identifiability: invariances, transfer, feasible sets."""
