"""Named agents: constructors of agents that have a name in the literature."""
