"""Planning: what is solved, and how. Knows no agent."""
