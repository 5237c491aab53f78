"""Power scaling: log priors of draws by hand, and the diagnosis of wide, narrow and irrelevant priors."""

import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from pooled import CASES, DATA, HALL, WANTS, of_prior
from scipy import stats

import goalinf as gi
from goalinf.inference.prior_sensitivity import _log_prior


@pytest.mark.parametrize(
    ("center", "sd", "says"), [(0.5, 5.0, ""), (3.5, 0.2, "prior and data both"), (0.4, 1e-3, "the prior determines")]
)
def test_diagnosis(center, sd, says):
    """A wide prior has no influence, a narrow one away from the data conflicts, and data do not move a fixed value."""
    agent = gi.agents.boltzmann(beta=dist.LogNormal(center, sd))
    fit = gi.infer(0, HALL, agent=agent, reward=WANTS, data=DATA, method="laplace", draws=1000)
    table = gi.inference.prior_sensitivity(fit)
    assert list(table.columns) == ["prior", "likelihood", "diagnosis"]
    row = table.loc["agent.beta"]
    assert row["diagnosis"].startswith(says)
    assert bool(row["diagnosis"]) == bool(says) == (row["prior"] >= 0.05)
    assert (row["likelihood"] >= 0.05) == (not says.startswith("the prior"))


def test_priors_of_groups_are_scaled_and_not_the_group():
    """The density of median and spread; the values of subjects have none of their own."""
    group = gi.partial_pooling(dist.LogNormal(0.2, 0.7), spread=dist.HalfNormal(0.5))
    fit = of_prior(gi.agents.boltzmann(beta=group), draws=40)
    mean, sd = (fit.posterior[f"agent.beta.{name}"].values for name in ("mean", "sd"))
    expected = stats.lognorm.logpdf(mean, 0.7, scale=np.exp(0.2)) + stats.halfnorm.logpdf(sd, scale=0.5)
    np.testing.assert_allclose(_log_prior(fit), expected, rtol=1e-9)
    table = gi.inference.prior_sensitivity(fit)
    assert table.index.tolist() == fit.summary().index.tolist()
    each = of_prior(*CASES["an array prior"], draws=10)
    values = each.posterior["reward.values"].values
    expected = stats.norm.logpdf(values, 0.0, np.arange(1.0, 6.0)).sum((2, 3))
    np.testing.assert_allclose(_log_prior(each), expected, rtol=1e-9)


def test_own_models_and_what_is_refused():
    def model(data):
        beta = numpyro.sample("beta", dist.LogNormal(0.0, 1.0))
        numpyro.deterministic("double", 2.0 * beta)
        numpyro.sample("choices", gi.Behavior(HALL, gi.agents.boltzmann(beta=beta), WANTS), obs=data)

    own = gi.infer(0, model=model, data=DATA, chains=1, warmup=20, draws=20)
    np.testing.assert_allclose(_log_prior(own), stats.lognorm.logpdf(own.posterior["beta"].values, 1.0), rtol=1e-9)
    agent = gi.agents.lookahead(depth=gi.one_of([1, 3]), beta=2.0)
    fit = gi.infer(0, HALL, agent=agent, reward=WANTS, data=DATA)
    with pytest.raises(ValueError, match="all unknowns of this fit are discrete"):
        gi.inference.prior_sensitivity(fit)
