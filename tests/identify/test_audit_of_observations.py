"""The audit of observations that are not trajectories: choices between two states, by the value of each.

The oracle is NumPy: values by a Bellman iteration, derivatives of the log-likelihood by central differences.
"""

import dataclasses

import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import xarray as xr
from made_fits import make_fit, normal
from state_choices import DATA, HALL, StateChoices, log_probabilities, values

import goalinf as gi
from goalinf.errors import UnidentifiedWarning
from goalinf.identify import ZeroReward
from goalinf.identify.local.jacobian import log_policy_jacobian
from goalinf.identify.local.likelihood_jacobian import likelihood_jacobians
from goalinf.inference.model.build import posterior_of, warn_unidentified
from goalinf.inference.model.models import StandardModel

NORMAL = dist.Normal(0.0, 1.0)
PRIOR = gi.StateReward(NORMAL, on="departure")
KNOWN, FREE = (gi.agents.soft_optimal(beta=beta) for beta in (2.0, dist.LogNormal(0.0, 0.5)))
STEP = 1e-5


def first(n):
    """The first n choices."""
    fields = ("first", "second", "chosen", "subject", "context")
    return dataclasses.replace(DATA, **{name: getattr(DATA, name)[:n] for name in fields})


def differences(data, reward, beta, discount=0.8):
    """Derivatives of every log-probability in the reward and in log beta, (N, 6), by central differences."""
    moves = STEP * np.concatenate([np.eye(6), -np.eye(6)])
    scaled = [b * values((reward + x[:5])[None], b, discount)[0] for x in moves for b in [beta * np.exp(x[5])]]
    scores = log_probabilities(np.array(scaled), data)
    return (scores[:6] - scores[6:]).T / (2 * STEP)


def null_dimension(matrix):
    """By eye: derivatives are of order one, and errors of central differences of order 1e-9."""
    return matrix.shape[1] - int((np.linalg.svd(matrix, compute_uv=False) > 1e-6).sum())


def test_derivatives_equal_central_differences():
    reward, beta = normal(5, seed=1), 1.3
    jacobian = likelihood_jacobians(StandardModel(HALL, FREE, PRIOR), DATA, ("reward.values", "agent.beta"))
    found = jacobian({"reward.values": reward, "agent.beta": np.array(beta)})
    assert found.source == "these 12 choices"
    alone = likelihood_jacobians(StandardModel(HALL, FREE, PRIOR), first(1), ("agent.beta",))
    assert alone({"reward.values": reward, "agent.beta": np.array(beta)}).source == "this 1 choice"
    assert (found.matrix().shape, found.reward_part().matrix().shape) == ((12, 6), (12, 5))
    np.testing.assert_allclose(found.matrix(), differences(DATA, reward, beta), atol=1e-8)


def test_derivatives_in_two_contexts_by_name():
    data = dataclasses.replace(DATA, context=np.arange(12) % 2, contexts=("far", "near"))
    worlds = {"near": gi.gridworld("a.s.b", discount=0.3), "far": HALL}
    reward = normal(5, seed=2)
    found = likelihood_jacobians(StandardModel(worlds, KNOWN, PRIOR), data, ("reward.values",))(
        {"reward.values": reward}
    )
    each = [differences(data, reward, 2.0, discount)[:, :5] for discount in (0.8, 0.3)]
    np.testing.assert_allclose(found.matrix(), np.where(np.arange(12)[:, None] % 2, each[1], each[0]), atol=1e-8)


def test_derivatives_of_trajectories_are_those_of_the_log_policy():
    known = gi.StateReward(normal(5, seed=3), on="departure")
    walks = gi.simulate(0, HALL, KNOWN, known, trajectories=3, steps=4)
    walks = gi.Trajectories.of(walks.states, np.where(np.arange(4) == [[1], [5], [5]], -1, walks.actions))
    found = likelihood_jacobians(StandardModel(HALL, KNOWN, PRIOR), walks, ("reward.values",))
    expected = log_policy_jacobian(HALL, KNOWN, known).log_policy[0][walks.states[:, :-1], walks.actions]
    at = found({"reward.values": np.asarray(known.values)})
    assert at.source == "these 11 actions"
    np.testing.assert_allclose(at.matrix(), expected[walks.observed], atol=1e-10)


def test_null_directions_of_reward_and_beta():
    """A constant cancels in differences of values, and beta times the values has no other unit than the reward."""
    draws, beta = normal(2, 200, 5), np.exp(0.5 * normal(2, 200, seed=1))
    found = gi.audit(make_fit(HALL, FREE, PRIOR, DATA, values=draws, beta=beta), quick=True)
    matrix = differences(DATA, draws[-1, -1], beta[-1, -1])
    assert (null_dimension(matrix[:, :5]), null_dimension(matrix)) == (1, 2)
    assert (found.nullity, found.nullity_data, found.nullity_joint) == (1, 1, 2)
    assert [one.kind for one in found.null_space.directions] == ["constant", "scale"]
    rows = np.column_stack([found.null_space.basis, found.null_space.agent["agent.beta"]])
    np.testing.assert_allclose(matrix @ rows.T, 0.0, atol=1e-7)
    np.testing.assert_allclose(np.abs(rows[0]), [*np.full(5, 5**-0.5), 0.0], atol=1e-8)
    assert found.ridge is not None
    assert found.visits is None
    assert "unvisited" not in set(found.to_frame()["quantity"])
    text = str(found)
    for words in (
        "Data: 12 choices.\n",
        "Identified by these 12 choices: 4 of 5 directions of reward, to first order at one posterior draw, if",
        "Not identified at any draw: 1 direction. Its posterior equals its prior; other observations may identify more.",
        "constant (1): adding a constant to every reward does not change the likelihood of these 12 choices",
        "With beta free, 2 directions of reward and agent together are not identified by these 12 choices, to first",
        "scale (1): only the product of beta and the reward is identified",
    ):
        assert words in text
    for words in ("visited", "any amount", "policy"):
        assert words not in text.split("Contraction")[0]
    assert "1 of 5 directions of reward" not in str(found.null_space)
    assert "2 of 6 parameters (reward, beta) are not identified by these 12 choices:" in str(found.null_space)


def test_few_observations_leave_directions_that_depend_on_the_draw():
    """Two choices: three directions are null at one draw, and the constant alone at all of them."""
    data = first(2)
    draws = normal(2, 400, 5)
    found = gi.audit(make_fit(HALL, KNOWN, PRIOR, data, values=draws), quick=True)
    each = [differences(data, one, 2.0)[:, :5] for one in draws[0, :4]]
    assert [null_dimension(one) for one in each] == [3, 3, 3, 3]
    assert null_dimension(np.concatenate(each)) == 1
    assert (found.nullity, found.nullity_data) == (1, 3)
    assert "Not identified at one draw: 2 further directions, which depend on the draw." in str(found)
    narrow = gi.audit(make_fit(HALL, KNOWN, PRIOR, data, values=0.5 * draws), quick=True)
    assert narrow.contraction.equals_prior is False
    assert "Or the directions are null at the examined draws only." in str(narrow)


class RewardChoices(StateChoices):
    """Choices between two states by their rewards, whatever the agent does."""

    def better(self, plans):
        (reward,) = plans.rewards
        return reward.values[self.first] - reward.values[self.second]


BY_REWARD = RewardChoices(DATA.first, DATA.second, DATA.chosen, DATA.subject, DATA.context)


def test_beta_alone_is_not_identified_where_observations_depend_on_the_reward_alone():
    draws, beta = normal(1, 50, 5), np.exp(normal(1, 50, seed=1))
    found = gi.audit(make_fit(HALL, FREE, PRIOR, BY_REWARD, values=draws, beta=beta), quick=True)
    assert [one.kind for one in found.null_space.directions] == ["constant", "agent"]
    assert "  agent (1): a change of beta alone does not change the likelihood of these 12 choices" in str(found)
    np.testing.assert_allclose(found.null_space.agent["agent.beta"], [0.0, 1.0], atol=1e-9)
    known = gi.StateReward(normal(5), on="departure")
    found = gi.audit(make_fit(HALL, FREE, known, BY_REWARD, beta=beta), quick=True)
    assert [one.kind for one in found.null_space.directions] == ["agent"]


def test_data_that_changed_in_place_are_not_audited():
    data = dataclasses.replace(DATA, chosen=np.array(DATA.chosen))
    fit = make_fit(HALL, KNOWN, PRIOR, data, values=normal(1, 50, 5))
    fit.tree["observed_data"] = xr.Dataset()
    data.chosen[0] = 1 - data.chosen[0]
    with pytest.raises(ValueError, match="the data of this fit are not those of its draws"):
        gi.audit(fit, quick=True)


def test_facts_about_policies_warn_for_trajectories_only():
    model = StandardModel(HALL, FREE, PRIOR)
    warn_unidentified(posterior_of(model, BY_REWARD))
    with pytest.warns(UnidentifiedWarning, match=r"agent\.beta and reward\.values both have a prior"):
        warn_unidentified(posterior_of(model, gi.Trajectories.of([[0, 1]], [[3]])))


def test_known_rewards_by_context():
    rewards = {name: gi.StateReward(normal(5, seed=i), on="departure") for i, name in enumerate(("far", "near"))}
    data = dataclasses.replace(DATA, context=np.arange(12) % 2, contexts=("far", "near"))
    found = gi.audit(make_fit(HALL, FREE, rewards, data, beta=np.exp(normal(2, 100))), quick=True)
    assert (found.n_parameters, found.nullity_data, found.nullity_joint) == (0, 0, 0)
    assert "The reward was known" in str(found)


def test_a_derivative_that_is_not_finite_is_refused():
    certain = make_fit(HALL, KNOWN, PRIOR, DATA, values=np.full((1, 2, 5), np.nan))
    with pytest.raises((gi.errors.ConvergenceError, ValueError)):
        gi.audit(certain, quick=True)


def posterior_draws(data, count):
    """Independent draws of the reward given the choices, by rejection from the prior."""
    candidates = normal(6000, 5, seed=5)
    scores = log_probabilities(2.0 * values(candidates), data).sum(axis=1)
    kept = np.random.default_rng(6).random(len(scores)) < np.exp(scores - scores.max())
    return candidates[kept][: 2 * count].reshape(2, count, 5)


def test_every_question(tmp_path):
    """The null component of the posterior is the prior; three questions need trajectories and say so."""
    data = first(4)
    fit = make_fit(HALL, KNOWN, PRIOR, data, values=posterior_draws(data, 200))
    fit.tree.attrs["precision"] = "float64"
    found = gi.audit(fit, planners={"hard": gi.agents.boltzmann(beta=2.0)})
    assert found.contraction.equals_prior is True
    assert np.abs(found.contraction.unidentified - 1.0) < 5 * found.contraction.error
    assert 0.5 < found.effective_dimension < 4.0
    answers = found.answers
    for answer in (answers.planners, answers.pairs, answers.design):
        assert answer.startswith("Not computed: ")
        assert answer.endswith(
            "; this analysis needs trajectories, and this fit is of StateChoices: fit trajectories of the same agent."
        )
    assert isinstance(answers.regret, pd.DataFrame)
    assert isinstance(answers.zero, ZeroReward)
    exact = log_probabilities(2.0 * values(np.zeros((1, 5))), data).sum()
    assert answers.zero.log_evidence == pytest.approx(exact, abs=1e-9)
    page = gi.plot.audit_page(found, tmp_path / "audit.html").read_text()
    assert "likelihood of these 4 choices" in page
    with pytest.raises(ValueError, match="the design of an experiment needs trajectories, and this fit is of StateCh"):
        gi.identify.design_experiment(0, fit, {"more": gi.identify.Demonstrations(HALL, KNOWN)})
