"""Results of inference: draws with labels, diagnostics and files."""
