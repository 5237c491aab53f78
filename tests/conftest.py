"""What every test shares: shape annotations that are executed, a compilation cache, quiet figures, real data."""

import contextlib
import importlib
import os
from pathlib import Path

import jax
import jaxtyping
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
# They hold no examples to run; the conftests all have one name, and the driver of mutants needs an extra of its own.
collect_ignore_glob = ["*conftest.py", "mutants.py"]

# Environment variables rather than configuration calls, so that subprocesses (scripts, the command line) share them.
# The tests keep a compilation cache; the library sets none. Delete it whenever you like.
cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "goalinf-tests" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
os.environ["MPLBACKEND"] = "Agg"
# The last JAX for Python 3.11 still has its older code generator, which compiles these small programs a third faster.
if jax.__version_info__ < (0, 11):
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

# Other libraries come before the hook: what is first imported under it is compiled anew, which takes 15 seconds.
for library in (
    *("arviz", "equinox", "gymnasium", "h5netcdf", "jax", "matplotlib.pyplot", "networkx", "numpyro.infer"),
    *("pandas", "pyarrow.parquet", "rich.progress", "scipy.sparse.linalg", "scipy.stats", "typer", "xarray", "zarr"),
):
    importlib.import_module(library)

# The hook comes before anything imports goalinf. Every annotated function and record then checks its shapes.
jaxtyping.install_import_hook(["goalinf", "goalinf_models"], "beartype.beartype")

from hypothesis import HealthCheck, settings  # noqa: E402

_raises = pytest.raises


@contextlib.contextmanager
def raises(expected, **kwargs):
    """Expect an error as users see it, who have no hook: annotations are executed only where their error is expected."""
    executed = jaxtyping.TypeCheckError in (expected if isinstance(expected, tuple) else (expected,))
    with pytest.MonkeyPatch.context() as patch, _raises(expected, **kwargs) as error:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", not executed)
        yield error


pytest.raises = raises

settings.register_profile(
    "goalinf",  # the same examples on every run and every machine; compilation makes the first one slow
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", settings.get_profile("goalinf"), derandomize=False, max_examples=500)
settings.register_profile(  # `make fuzz`: the properties marked fuzz, which no other run has
    "fuzz",
    settings.get_profile("explore"),
    max_examples=int(os.environ.get("GOALINF_FUZZ_EXAMPLES", "2000")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "goalinf"))


@pytest.fixture(autouse=True, scope="module")
def quick_to_compile(request):
    """Most tests spend nearly all of their time compiling; only what samples runs long enough to earn it back."""
    jax.config.update("jax_disable_most_optimizations", request.path.name != "test_samplers.py")


@pytest.fixture(autouse=True)
def _few_programs():
    """Forget what was compiled before its memory maps are more than Linux allows (65,530), where XLA crashes."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 30_000:
        jax.clear_caches()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of this checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real behavior, ``../shared/data`` beside the checkout; skips where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data is absent: ../shared/data does not exist beside the checkout")
    return folder


@pytest.fixture(autouse=True)
def _close_figures():
    """Leave no figure open behind a test."""
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def pytest_collection_modifyitems(items):
    """Skip tests marked ``gpu`` where JAX sees no accelerator."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import jax

    if jax.default_backend() == "cpu":
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs an accelerator: JAX sees only the CPU"))
