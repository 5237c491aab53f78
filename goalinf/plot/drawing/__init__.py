"""Style, layout and ground of figures."""
