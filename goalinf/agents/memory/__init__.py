"""Agents with a memory: habits and learners."""
