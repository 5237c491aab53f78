"""Tests that sample for minutes earn back what compiling with all optimizations costs; the others do not."""

import jax
import pytest


@pytest.fixture(autouse=True)
def optimized_where_slow(request, quick_to_compile):
    slow = request.node.get_closest_marker("slow") is not None
    jax.config.update("jax_disable_most_optimizations", not slow)
    yield
    jax.config.update("jax_disable_most_optimizations", True)
