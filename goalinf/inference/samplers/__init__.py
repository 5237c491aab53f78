"""Samplers, and the selection of one of them."""
