"""The bridge that log evidence is computed by: its estimate, and that its standard error is one."""

import numpy as np
import pytest
from scipy import stats

from goalinf.inference.bridge_sampling import bridge

LOG_Z, CHAINS, DRAWS, PROPOSALS, REPEATS = 3.0, 4, 400, 2000, 200


def autoregressive(rng, correlation):
    """Chains of a standard normal whose neighboring draws are correlated."""
    noise = rng.normal(size=(CHAINS, DRAWS))
    draws = noise.copy()
    for t in range(1, DRAWS):
        draws[:, t] = correlation * draws[:, t - 1] + np.sqrt(1 - correlation**2) * noise[:, t]
    return draws


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_error_is_the_standard_deviation_of_repeated_estimates(correlation):
    """A normal density that integrates to exp(3), proposals that are wider and beside it."""
    rng = np.random.default_rng(0)

    def log_ratio(x):
        return LOG_Z + stats.norm.logpdf(x) - stats.norm.logpdf(x, 0.5, 1.5)

    found = np.array(
        [
            bridge(log_ratio(autoregressive(rng, correlation)), log_ratio(rng.normal(0.5, 1.5, PROPOSALS)))
            for _ in range(REPEATS)
        ]
    )
    estimates, errors = found.T
    spread = estimates.std(ddof=1)
    assert estimates.mean() == pytest.approx(LOG_Z, abs=5 * spread / np.sqrt(REPEATS))
    # The relative error of a standard deviation from 200 numbers is 5 %.
    assert np.sqrt((errors**2).mean()) == pytest.approx(spread, rel=0.2)
