"""Design of experiments: demonstrations and preference queries before the data are collected."""
