"""Fits of parts of data, and of simulated data of many designs."""
