"""What a linear reward allows: beta times the reward as a parameter, and derivatives in closed form."""
