"""Samplers and the choice among them."""
