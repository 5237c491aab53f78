"""Matching of data with worlds, rewards, and other data."""
