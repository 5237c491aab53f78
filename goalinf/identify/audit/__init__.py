"""The audit of a posterior."""
