"""Jumps between modes, starts of the chains, approximations around one mode, and longer chains."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats
from test_modes import ERRORS, LINES, QUIET, far, humps, mixed, narrow

import goalinf as gi
from goalinf.inference.model.mode_search import _ranked
from goalinf.inference.samplers import select
from goalinf.inference.samplers.chains import HMC
from goalinf.inference.samplers.jumps import Maps
from goalinf.inference.samplers.run import thinned
from goalinf.inference.samplers.sampler import Settings


def maps():
    rng = np.random.default_rng(0)
    scales = np.tril(rng.normal(size=(3, 2, 2))) + 2.0 * np.eye(2)
    return Maps.of(np.array([[0.0, 0.0], [20.0, 1.0], [-5.0, 30.0]]), scales, np.log([2.0, 1.0, 1.0]))


def test_a_jump_back_returns_to_the_same_place():
    jumps, x = maps(), jnp.array([0.3, -0.4])
    for seed in range(8):
        there, log_volume, possible = jumps.propose(jax.random.key(seed), x)
        jacobian = jax.jacfwd(lambda x, seed=seed: jumps.propose(jax.random.key(seed), x)[0])(x)
        assert float(log_volume) == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-5)
        assert possible
        assert int(jumps.nearest(there)) != int(jumps.nearest(x))
        back = [jumps.propose(jax.random.key(s), there) for s in range(20)]
        returned = [(place, volume) for place, volume, _ in back if int(jumps.nearest(place)) == int(jumps.nearest(x))]
        assert returned
        for place, volume in returned:
            np.testing.assert_allclose(place, x, atol=1e-5)
            assert float(volume) == pytest.approx(-float(log_volume), abs=1e-5)


def test_chains_are_shared_out_by_mass():
    jumps = maps()
    starts = jumps.shared_out(np.zeros((8, 2)))
    assert [int((starts == center).all(axis=1).sum()) for center in jumps.centers] == [4, 2, 2]
    assert {tuple(row) for row in jumps.shared_out(np.zeros((3, 2)))} == {tuple(c) for c in jumps.centers}
    assert tuple(jumps.shared_out(np.zeros((1, 2)))[0]) == (0.0, 0.0)


def test_starts_are_the_peaks_of_what_was_drawn():
    """On a line, the draws whose nearest better neighbor is far away are those next to the two peaks."""
    u = np.random.default_rng(0).uniform(-5.0, 5.0, 200)
    first = _ranked(u[:, None], -mixed(-3.0, 3.0, [0.3, 0.3], 0.5)(u))[:2]
    np.testing.assert_allclose(sorted(u[first]), [-3.0, 3.0], atol=0.2)


def test_the_evidence_of_two_modes():
    """By the sum on the grid; a single normal proposal across both modes would have a hundred times the error."""
    u = np.linspace(-45.0, 45.0, 400_001)
    fit = gi.infer(jax.random.key(3), model=far, data=jnp.array(1.2), **QUIET)
    found = gi.inference.marginal_likelihood(jax.random.key(0), fit)
    right = np.log(np.exp(LINES[far](u)).sum() * (u[1] - u[0])) + stats.norm.logpdf(1.2, 0.0, 1.0)
    assert abs(found.log_evidence - right) < ERRORS * found.error
    assert found.error < 0.05


def test_the_mode_is_the_highest_of_all():
    """Narrow at -4 with weight 0.3 and wide at 3 with weight 0.7: the narrow one is higher, and the start between."""
    best = gi.inference.find_map(jax.random.key(0), model=narrow, data=jnp.array(1.2))
    assert best.modes == 2
    assert float(best.values["u"]) == pytest.approx(-4.0, abs=1e-3)


def test_a_gaussian_around_one_of_two_modes_is_not_certified():
    look = gi.infer(jax.random.key(0), model=humps, data=jnp.array(1.2), method="laplace")
    assert not look.converged
    assert "around one of 2 modes, which holds about 0.67 of the probability" in look.diagnosis


# -- longer chains ----------------------------------------------------------------------------------------------------


def sticky(y):
    """Strongly correlated and bent: some hundred effective draws in a thousand of each chain."""
    u = numpyro.sample("u", dist.Normal(0.0, 1.0))
    v = numpyro.sample("v", dist.Normal(u**2, 0.3))
    numpyro.sample("y", dist.Normal(v, 1.0), obs=y)


def test_an_interrupt_while_chains_go_on_loses_no_whole_run(monkeypatch):
    """Ctrl-C in the third hundred of the longer part: the draws that were asked for are all there."""
    parts = []
    advance, shrink = HMC.advance, HMC.shrink_steps

    def interrupted(self, steps, bar, *, kept=True):
        found = advance(self, steps, bar, kept=kept)
        parts.append(kept)
        if sum(parts) == 5:
            self.interrupted = True
        return found

    def begun_again(self, draws):
        if again := shrink(self, draws):
            parts.clear()
        return again

    monkeypatch.setattr(HMC, "advance", interrupted)
    monkeypatch.setattr(HMC, "shrink_steps", begun_again)
    monkeypatch.setattr(select, "_longer", lambda *_: True)
    fit = gi.infer(jax.random.key(0), model=sticky, data=jnp.array(1.2), draws=300, method="hmc", **QUIET)
    assert fit.tree.attrs["interrupted"] == 1
    assert fit.posterior.sizes["draw"] == 300
    assert fit.tree.attrs["every"] == 1
    assert "draw kept" not in fit.diagnosis


@pytest.mark.parametrize(
    ("r_hat", "ess", "asked", "every", "longer"),
    [
        (1.01, 400.0, 400, 1, False),
        (1.011, 400.0, 400, 1, True),
        (1.01, 399.0, 400, 2, True),
        (1.1, 100.0, 400, 2, True),
        (1.11, 100.0, 400, 1, False),  # chains that do not agree
        (1.05, 100.0, 400, 4, False),  # long enough already
        (1.05, 100.0, 399, 1, False),  # too few were asked for
        (np.nan, 100.0, 400, 1, True),  # one chain
    ],
)
def test_chains_go_on_where_twice_as_many_draws_may_be_enough(monkeypatch, r_hat, ess, asked, every, longer):
    monkeypatch.setattr(select._arviz, "worst", lambda _: (r_hat, ess))
    settings = Settings(chains=2, draws=asked, precision="float64")
    assert select._longer({"x": np.zeros((2, 5, 1))}, settings, every) is longer


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"diverging": 1}, "1 of 200 pilot draws diverged"),
        ({"diverging": 1, "first": False}, None),
        ({"acceptance_rate": 0.49}, "took 10 gradients a draw at acceptance 0.49"),
        ({"n_steps": 91}, "took 91 gradients a draw at acceptance 0.8"),
        ({"n_steps": 90, "acceptance_rate": 0.5, "ess": 10.0}, None),
        ({"ess": 9.9}, "the 200 pilot draws in whitened coordinates have an effective sample size of 10"),
        ({"khat": 0.71, "first": False}, "the Pareto k of independent proposals was 0.71"),
        ({"khat": 0.7, "n_steps": 99, "acceptance_rate": 0.61}, None),
        ({"khat": 0.7, "acceptance_rate": 0.59}, "independent proposals were accepted at a rate of 0.59"),
    ],
)
def test_a_pilot_stops_at_its_limits(monkeypatch, change, reason):
    pilot = {"diverging": 0, "acceptance_rate": 0.8, "n_steps": 10, "ess": 100.0, "khat": None, "first": True, **change}
    monkeypatch.setattr(select._arviz, "smallest_ess", lambda _: pilot["ess"])
    draws = {"x": np.zeros((2, 100, 1)), "diverging": np.arange(200).reshape(2, 100) < pilot["diverging"]}
    draws |= {name: np.full((2, 100), pilot[name]) for name in ("acceptance_rate", "n_steps")}
    found = select._reason_to_stop(draws, pilot["first"], pilot["khat"])
    assert found is None if reason is None else reason in found


def test_kept_draws_stand_for_all_steps_since_the_last():
    """One chain of seven steps, every third of which is kept; the seventh is left out."""
    steps = {
        "x": np.arange(7.0),
        "diverging": [True, False, False, False, False, False, True],
        "jumped": [False, False, True, False, False, False, True],
        "n_steps": [1, 2, 4, 8, 16, 32, 64],
        "acceptance_rate": [0.75, 0.5, 0.25, 1.0, 1.0, 0.25, 0.0],
    }
    kept = thinned({name: np.array(values)[None] for name, values in steps.items()}, 3)
    assert {name: values[0].tolist() for name, values in kept.items()} == {
        "x": [2.0, 5.0],
        "diverging": [True, False],
        "jumped": [True, False],
        "n_steps": [7, 56],
        "acceptance_rate": [0.5, 0.75],
    }


def test_longer_chains_keep_every_second_draw(monkeypatch):
    """Step sizes are kept: rounding differs between processors, and a divergent draw would begin the run again."""
    answers = iter([True, False])
    monkeypatch.setattr(select, "_longer", lambda *_: next(answers))
    monkeypatch.setattr(HMC, "shrink_steps", lambda *_: False)
    fit = gi.infer(jax.random.key(0), model=sticky, data=jnp.array(1.2), draws=300, method="hmc", **QUIET)
    assert fit.posterior.sizes["draw"] == 300
    assert fit.tree.attrs["every"] == 2
    assert "every 2nd draw kept" in fit.diagnosis
    further = gi.resume(fit, draws=50)
    gradients = further.sample_stats["n_steps"].values
    assert gradients.shape[1] == 350
    assert gradients[:, 300:].mean() == pytest.approx(gradients[:, :300].mean(), rel=0.2)  # of two steps each


def test_step_sizes_are_halved_three_times_where_draws_diverge(monkeypatch):
    """Where all draws diverge whatever the step size, the draws begin again three times and are kept then."""
    factors = []
    advance, shrink = HMC.advance, HMC.shrink_steps

    def diverged(self, steps, bar, *, kept=True):
        draws = advance(self, steps, bar, kept=kept)
        return {**draws, "diverging": np.full_like(draws["diverging"], kept)}

    def noted(self, draws):
        before = self.state.adapted["step_size"]
        again = shrink(self, draws)
        factors.append((self.state.adapted["step_size"] / before).tolist())
        return again

    monkeypatch.setattr(HMC, "advance", diverged)
    monkeypatch.setattr(HMC, "shrink_steps", noted)
    settings = {**QUIET, "chains": 2}
    fit = gi.infer(jax.random.key(0), model=sticky, data=jnp.array(1.2), draws=50, warmup=50, method="hmc", **settings)
    assert factors == [[0.5, 0.5]] * 3 + [[1.0, 1.0]]
    assert fit.sample_stats["diverging"].all()
