"""Linear rewards: beta times the reward as a parameter, and derivatives in closed form."""
