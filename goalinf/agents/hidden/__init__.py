"""Agents with hidden modes."""
