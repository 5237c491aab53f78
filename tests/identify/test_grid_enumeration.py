"""The posterior of a Boltzmann agent's reward in loops of four states, against sums over a grid of rewards.

The loop worlds of Ramachandran and Amir (2007): one step left or right. What behavior cannot show is integrated by
hand. With v such that P v does not depend on the action, the reward rho + (I - discount P) v has the values V + v, and
the differences Q(s, a) - Q(s, b) are as before: so is the likelihood. Under a normal prior with equal variances the
part of rho in this space is independent of the part at right angles to it, and keeps its prior. The rest, of two or
three dimensions, is summed over a grid. Nothing here but the fit itself comes from the library.
"""

from types import SimpleNamespace

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.diagnostics import effective_sample_size
from scipy import optimize, stats

import goalinf as gi

BETA, DISCOUNT, MEAN, SD = 1.5, 0.8, 0.5, 1.0  # mean and sd of the prior of every state
TRUTH = np.array([1.2, -0.3, 0.4, 0.1])
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
ENOUGH = 400.0  # effective draws demanded before anything is compared
ERRORS = 4.0  # standard errors allowed, of one comparison among some eighty; seeds are fixed
SWEEPS = 120  # 0.8^120 = 2e-12

# States that each choice leads to, and the blind directions. Both left and right go from an even to an odd state or
# back: beside the constant, the checkerboard (1 on even states, -discount on odd ones) cannot be seen. Together they
# span the rewards that are equal on opposite states. Whoever may stay is in either color: the constant alone is left.
LOOPS = {
    "left, right": ([[3, 1], [0, 2], [1, 3], [2, 0]], [[1, 1, 1, 1], [1, -DISCOUNT, 1, -DISCOUNT]]),
    "left, right, stay": ([[3, 1, 0], [0, 2, 1], [1, 3, 2], [2, 0, 3]], [[1, 1, 1, 1]]),
}


def log_likelihood(rho, following, counts):
    """Of the counts of choices (S, A), for rewards (n, S); by value iteration."""
    V = np.zeros_like(rho)
    for _ in range(SWEEPS):
        V = rho + DISCOUNT * V[:, following].max(2)
    logits = BETA * DISCOUNT * V[:, following]  # the reward of being in a state is the same for all choices
    top = logits.max(2, keepdims=True)
    log_policy = logits - top - np.log(np.exp(logits - top).sum(2, keepdims=True))
    return (counts * log_policy).sum((1, 2))


def enumerated(following, blind, counts, points):
    """Grid (n, d) of the part of the reward that shows, in units of its prior; weights; orthonormal axes of both parts."""
    axes = np.linalg.qr(np.array(blind, float).T, mode="complete")[0].T
    hidden, shown = axes[: len(blind)], axes[len(blind) :]
    line = np.linspace(-5.5, 5.5, points)
    grid = np.stack(np.meshgrid(*[line] * len(shown), indexing="ij"), -1).reshape(-1, len(shown))
    rho = MEAN + SD * grid @ shown
    log_weights = log_likelihood(rho, following, counts) - 0.5 * (grid**2).sum(1)
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    kept = weights > 1e-14  # the others together weigh less than 1e-8
    return SimpleNamespace(grid=grid[kept], weights=weights[kept], hidden=hidden, shown=shown)


def moments(exact, direction):
    """Posterior mean and variance of direction @ rho."""
    along = SD * exact.grid @ (exact.shown @ direction)
    mean = exact.weights @ along
    spread = exact.weights @ (along - mean) ** 2
    return mean + MEAN * direction.sum(), spread + SD**2 * np.sum((exact.hidden @ direction) ** 2)


def share_below(exact, direction, x):
    """Posterior probability that direction @ rho is at most x: a mixture of normals, one for each point."""
    along = SD * exact.grid @ (exact.shown @ direction) + MEAN * direction.sum()
    return exact.weights @ stats.norm.cdf(x, along, SD * np.linalg.norm(exact.hidden @ direction))


def quantile(exact, direction, level):
    """Where that probability reaches a level."""
    return optimize.brentq(lambda x: share_below(exact, direction, x) - level, -20.0, 20.0)


@pytest.fixture(scope="module", params=LOOPS)
def case(request):
    """A loop, behavior in it, the grid, and the fit."""
    following, blind = (np.array(x) for x in LOOPS[request.param])
    world = gi.from_arrays(np.eye(4)[following], discount=DISCOUNT)
    agent = gi.agents.boltzmann(beta=BETA)
    truth = gi.StateReward(TRUTH, on="departure")
    walks = gi.simulate(jax.random.key(0), world, agent, truth, trajectories=8, steps=5)
    counts = np.zeros(following.shape)
    np.add.at(counts, (np.asarray(walks.states)[:, :-1], np.asarray(walks.actions)), 1.0)
    prior = gi.StateReward(dist.Normal(MEAN, SD), on="departure")
    fit = gi.infer(
        jax.random.key(1), world, agent=agent, reward=prior, data=walks, method="nuts", draws=1500, progress=False
    )
    points = {2: 121, 1: 73}[len(blind)]  # along each axis of what shows
    return SimpleNamespace(
        following=following,
        blind=blind,
        counts=counts,
        points=points,
        exact=enumerated(following, blind, counts, points),
        fit=fit,
        draws=fit.posterior["reward.values"].values,
    )


def error_of(draws):
    """Monte Carlo standard error of the mean of draws (chains, draws)."""
    size = min(float(effective_sample_size(draws)), draws.size)
    assert size >= ENOUGH, f"only {size:.0f} effective draws"
    return draws.std() / np.sqrt(size)


def test_what_is_integrated_by_hand_is_blind(case):
    """To rounding, anywhere; and at right angles to it nothing is."""
    rng = np.random.default_rng(2)
    rho, moves = rng.normal(size=(50, 4)), rng.normal(size=(50, len(case.blind)))
    at = log_likelihood(rho, case.following, case.counts)
    np.testing.assert_allclose(log_likelihood(rho + moves @ case.blind, case.following, case.counts), at, atol=1e-10)
    for direction in case.exact.shown:
        assert np.ptp(log_likelihood(rho + direction, case.following, case.counts) - at) > 0.1


def test_the_grid_converges(case):
    """Twice the spacing changes no mean, variance or quantile by a tenth of its Monte Carlo standard error."""
    half = enumerated(case.following, case.blind, case.counts, (case.points + 1) // 2)
    for direction in np.eye(4):
        draws = case.draws @ direction
        (mean, variance), (mean2, variance2) = moments(case.exact, direction), moments(half, direction)
        assert abs(mean - mean2) < 0.1 * error_of(draws)
        assert abs(variance - variance2) < 0.1 * error_of((draws - mean) ** 2)
        for level in LEVELS:
            reached = quantile(half, direction, level)
            below = (draws <= reached).astype(float)
            assert abs(share_below(case.exact, direction, reached) - level) < 0.1 * error_of(below)


def test_nuts_agrees(case):
    """Means, variances and quantiles of the reward of every state and of every axis of what shows."""
    assert case.fit.tree.attrs["algorithm"] == "NUTS"
    assert case.fit.divergences == 0
    for direction in [*np.eye(4), *case.exact.shown]:
        draws, (mean, variance) = case.draws @ direction, moments(case.exact, direction)
        assert abs(draws.mean() - mean) < ERRORS * error_of(draws)
        square = (draws - mean) ** 2
        assert abs(square.mean() - variance) < ERRORS * error_of(square)
    for direction in np.eye(4):
        for level in LEVELS:
            below = (case.draws @ direction <= quantile(case.exact, direction, level)).astype(float)
            assert abs(below.mean() - level) < ERRORS * error_of(below)


def test_the_audit_names_what_is_prior_and_nothing_else(case):
    found = gi.audit(case.fit, quick=True)
    kinds = {one.kind: one.dimension for one in found.null_space.directions}
    expected = {"constant": 1} | ({"controllability deficit": 1} if len(case.blind) == 2 else {})
    assert kinds == expected
    assert found.nullity == found.nullity_joint == found.nullity_data == len(case.blind)
    basis = found.null_space.basis.values
    np.testing.assert_allclose(basis.T @ basis, case.exact.hidden.T @ case.exact.hidden, atol=1e-9)
    np.testing.assert_allclose(abs(basis[0]), 0.5, atol=1e-9)  # the first is the constant
    said = str(found)
    assert f"Not identified: {len(case.blind)} direction" in said
    assert "constant (1): adding a constant to every reward does not change the policy" in said
    assert ("controllability deficit (1): values built from features of the next state" in said) == (
        len(case.blind) == 2
    )
    assert found.contraction.equals_prior is True
    assert "equal to the prior within Monte Carlo error" in said


def test_the_posterior_along_blind_directions_is_the_prior(case):
    """Mean, variance and distribution, by directions of our own; the others were learned about."""
    for direction in case.exact.hidden:
        draws, center = case.draws @ direction, MEAN * direction.sum()
        assert abs(draws.mean() - center) < ERRORS * error_of(draws)
        square = (draws - center) ** 2
        assert abs(square.mean() - SD**2) < ERRORS * error_of(square)
        every = int(np.ceil(draws.size / min(float(effective_sample_size(draws)), draws.size)))
        thinned = draws[:, ::every].ravel()
        assert stats.kstest(thinned, stats.norm(center, SD).cdf).pvalue > 1e-3
    for direction in case.exact.shown:
        assert moments(case.exact, direction)[1] < 0.8 * SD**2
