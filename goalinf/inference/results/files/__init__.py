"""Files of fits."""
