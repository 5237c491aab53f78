"""Both ways to plan."""

import pytest


@pytest.fixture(scope="module", params=["host", "compiled"])
def route(request):
    """Both solvers: SciPy's factorization on the host, and the compiled one."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "compiled":
            patch.setattr("goalinf.agents.planning_agent.factorable", lambda mdp: False)
        yield request.param
