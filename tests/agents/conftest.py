"""Both ways to plan."""

import pytest


@pytest.fixture(scope="module", params=["host", "compiled"])
def route(request):
    """Both solvers: SciPy's factorization on the host, and the compiled one."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "compiled":
            for module in ("composed_agent", "believed_problem"):
                patch.setattr(f"goalinf.agents.{module}.factorable", lambda mdp: False)
        yield request.param
