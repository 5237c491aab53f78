"""Parts of a planning agent: beliefs, planners, choice rules, noise."""
