"""What to observe next: kinds of experiments, what is expected of them, and which is best."""
