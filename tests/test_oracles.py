"""The oracles themselves, against golden numbers and identities."""

import math

import golden
import numpy as np
import oracles
import pytest
import specimens

P, R, DISCOUNT, BETA = golden.G3_P, golden.G3_R, golden.G3_DISCOUNT, golden.G3_BETA
SIX_DIGITS = {"rtol": 0, "atol": 5.1e-7}


def test_values_on_g3():
    hard = oracles.boltzmann_q(P, R, DISCOUNT, BETA)
    np.testing.assert_allclose(hard.V, golden.G3_V_HARD, **SIX_DIGITS)
    np.testing.assert_allclose(hard.Q, golden.G3_Q_HARD, **SIX_DIGITS)
    np.testing.assert_allclose(oracles.mce(P, R, DISCOUNT, BETA).V, golden.G3_V_SOFT, **SIX_DIGITS)


def test_policies_on_g3():
    found = {
        "boltzmann_q": oracles.boltzmann_q(P, R, DISCOUNT, BETA).policy,
        "mce": oracles.mce(P, R, DISCOUNT, BETA).policy,
        "mce_horizon_4": oracles.finite(P, R, DISCOUNT, BETA, 4, oracles.soft(BETA)).policy[0],
        "boltzmann_horizon_4": oracles.finite(P, R, DISCOUNT, BETA, 4, oracles.hard).policy[0],
    }
    for name, policy in found.items():
        np.testing.assert_allclose(policy[:, 0], golden.G3_POLICY[name], **SIX_DIGITS, err_msg=name)
        np.testing.assert_allclose(policy.sum(1), 1.0, rtol=1e-14)


def test_long_horizon_approaches_the_fixed_point():
    long = oracles.finite(P, R, DISCOUNT, BETA, 400, oracles.soft(BETA))
    np.testing.assert_allclose(long.policy[0], oracles.mce(P, R, DISCOUNT, BETA).policy, atol=1e-13)


def test_masked_action_is_as_good_as_absent():
    available = np.array([[True, True, False]] * 3)
    wide_P = np.concatenate([P, np.full((3, 1, 3), 1 / 3)], axis=1)
    wide_r = np.concatenate([R, np.full((3, 1), 100.0)], axis=1)
    wide, narrow = oracles.mce(wide_P, wide_r, DISCOUNT, BETA, available), oracles.mce(P, R, DISCOUNT, BETA)
    np.testing.assert_allclose(wide.V, narrow.V, rtol=1e-13)
    np.testing.assert_allclose(wide.policy[:, :2], narrow.policy, rtol=1e-12)
    assert (wide.policy[:, 2] == 0).all()


def test_undiscounted_walk_to_a_terminal_state():
    line = specimens.moves([[0, 1], [0, 2], [1, 2]])  # left, right; state 2 ends it
    plan = oracles.boltzmann_q(line, np.full((3, 2), -1.0), 1.0, 1.0, terminal=np.array([False, False, True]))
    np.testing.assert_array_equal(plan.V, [-2.0, -1.0, 0.0])
    np.testing.assert_array_equal(plan.Q[:2], [[-3.0, -2.0], [-3.0, -1.0]])
    assert np.isnan(plan.policy[2]).all()


def test_pinned_dead_end_is_indifferent():
    fork = specimens.moves([[1, 2], [1, 1], [2, 2]])  # state 1 ends it, state 2 leads nowhere
    plan = oracles.boltzmann_q(
        fork, np.full((3, 2), -1.0), 1.0, 1.0, terminal=np.array([False, True, False]), pinned=[np.nan, np.nan, -9.0]
    )
    np.testing.assert_array_equal(plan.V, [-1.0, 0.0, -9.0])
    np.testing.assert_allclose(plan.policy[2], [0.5, 0.5], rtol=1e-15)


def test_likelihood_skips_what_was_not_chosen():
    policy = oracles.mce(P, R, DISCOUNT, BETA).policy
    states, actions = [[0, 1, 2], [2, 1, 0]], [[0, 1, 1], [0, 0, 0]]
    logs = oracles.step_log_probabilities(policy, states, actions, [3, 1], [[True, False, True], [True, True, True]])
    expected = np.array([[policy[0, 0], 1.0, policy[2, 1]], [policy[2, 0], 1.0, 1.0]])
    np.testing.assert_allclose(logs, np.log(expected), rtol=1e-14)
    after_the_end = oracles.step_log_probabilities(policy, states, actions, terminal=[False, True, False])
    np.testing.assert_array_equal(after_the_end[:, 1:], 0.0)
    assert oracles.log_likelihood([[1.0, 0.0]] * 3, states, actions) == -math.inf


def test_goal_posterior_multiplies_step_by_step():
    likely, unlikely = np.log([[0.8, 0.5]]), np.log([[0.2, 0.5]])
    np.testing.assert_allclose(oracles.goal_posterior([likely, unlikely])[0], [[0.8, 0.2], [0.8, 0.2]])
    np.testing.assert_allclose(oracles.goal_posterior([likely, unlikely], [0.2, 0.8])[0, 1], [0.5, 0.5])


@pytest.mark.parametrize("ends", [[False, False, False], [False, False, True]])
def test_paths_sum_to_one_and_score_as_the_likelihood(ends):
    ends = np.array(ends)
    plan = oracles.mce(P, R, DISCOUNT, BETA, terminal=ends)
    paths = list(oracles.every_path(plan.policy, P, [0.5, 0.5, 0.0], 4, ends))
    assert math.fsum(path.probability for path in paths) == pytest.approx(1.0, abs=1e-14)
    for path in paths[::7]:
        moved = math.prod(P[s, a, t] for s, a, t in zip(path.states[:-1], path.actions, path.states[1:], strict=True))
        chosen = oracles.log_likelihood(plan.policy, [path.states], [path.actions])
        assert path.probability == pytest.approx(0.5 * moved * math.exp(chosen), rel=1e-12)


def test_paths_of_a_timed_policy_sum_to_one():
    plan = oracles.finite(P, R, 1.0, BETA, 3, oracles.hard)
    assert math.fsum(p.probability for p in oracles.every_path(plan.policy, P, [1, 0, 0], 3)) == pytest.approx(
        1.0, abs=1e-14
    )


@pytest.mark.parametrize("discount", [0.0, 0.9])
def test_jacobian_of_the_log_policy(discount):
    """d log pi / d r = beta (I - E Pi) (I - discount P Pi)^-1."""
    policy = oracles.mce(P, R, discount, BETA).policy
    found = oracles.jacobian(lambda r: np.log(oracles.mce(P, r, discount, BETA).policy), R)
    choose = np.zeros((3, 6))
    for s in range(3):
        choose[s, 2 * s : 2 * s + 2] = policy[s]
    every, onward = np.repeat(np.eye(3), 2, axis=0), P.reshape(6, 3)
    exact = BETA * (np.eye(6) - every @ choose) @ np.linalg.inv(np.eye(6) - discount * onward @ choose)
    np.testing.assert_allclose(found.reshape(6, 6), exact, atol=1e-9)


def test_gradient_has_the_shape_of_its_argument():
    x = np.array([[0.3, -1.0], [0.2, 0.7]])
    np.testing.assert_allclose(oracles.gradient(lambda v: np.sin(v).prod(), x), np.sin(x).prod() / np.tan(x), rtol=1e-9)


def test_zero_jacobian_has_a_full_null_space():
    assert oracles.null_space(np.zeros((4, 3))).shape == (3, 3)


def test_grid_posterior_of_a_gaussian():
    axis = np.linspace(-8.0, 8.0, 401)
    exact = oracles.grid_posterior(lambda x: -((x[0] - 1.0) ** 2) / 2 - x[1] ** 2 / 8, [axis, 2 * axis])
    np.testing.assert_allclose(exact.mean, [1.0, 0.0], atol=1e-8)
    np.testing.assert_allclose(exact.sd, [1.0, 2.0], rtol=1e-8)
    assert exact.log_evidence == pytest.approx(math.log(2 * math.pi * 2.0), abs=1e-8)
    assert exact.weights.shape == (401, 401)


def span(*columns):
    """The projection onto the span of the columns, which identifies the span."""
    q = np.linalg.svd(np.concatenate(columns, axis=1), full_matrices=False)[0]
    return q @ q.T


@pytest.mark.parametrize("name", specimens.zoo())
def test_zoo(name):
    """The numbers of the table, from the transitions and from the policies themselves."""
    specimen = specimens.zoo()[name]
    world, discount = specimen.P, 0.7
    n_states, n_actions, _ = world.shape
    np.testing.assert_allclose(world.sum(2), 1.0)
    assert specimen.nullity == n_states
    assert oracles.kappa(world) == specimen.kappa
    assert oracles.period(world) == specimen.period
    assert oracles.kappa_horizon(world, n_states + 2) == specimen.kappa_inf
    assert oracles.two_worlds_nullity(world, 0.9, world, 0.5) == specimen.kappa

    if n_states > 9:
        return  # finite differences would take long
    r = np.random.default_rng(1).normal(size=(n_states, n_actions))

    def log_policy(reward):
        return np.log(oracles.mce(world, reward, discount, 1.0).policy)

    def jacobian(view):
        """Central differences of log pi with respect to a state reward."""
        return oracles.jacobian(lambda rho: log_policy(view(world, rho)).ravel(), r[:, 0])

    null = oracles.null_space(oracles.jacobian(lambda x: log_policy(x.reshape(r.shape)).ravel(), r.ravel()))
    assert null.shape[1] == specimen.nullity
    np.testing.assert_allclose(span(null), span(oracles.shaping_map(world, discount)), atol=1e-7)
    for view, closed in [
        (oracles.departure, oracles.invisible_departure),
        (oracles.arrival, oracles.invisible_arrival),
    ]:
        null = oracles.null_space(jacobian(view))
        assert null.shape[1] == specimen.kappa
        np.testing.assert_allclose(span(null), span(closed(world, discount)), atol=1e-7)


@pytest.mark.parametrize(
    ("name", "by_horizon"), [("triangle", [3, 2, 1, 1]), ("cycle of 4 with a chord", [4, 3, 2, 1])]
)
def test_nullity_falls_with_the_horizon(name, by_horizon):
    world = specimens.zoo()[name].P
    assert [oracles.kappa_horizon(world, h) for h in (1, 2, 3, 4)] == by_horizon


def test_two_worlds():
    rng = np.random.default_rng(2)
    two = [oracles.random_law(rng, 18, 5, 18) for _ in range(2)]
    assert oracles.two_worlds_nullity(two[0], 1 / 1.05, two[1], 1 / 1.05) == 1
    laws = [specimens.exogenous(3, oracles.random_law(rng, 4, 4)) for _ in range(2)]
    assert oracles.two_worlds_nullity(laws[0], 0.9, laws[1], 0.9) == 3 + 4 - 1


@pytest.mark.parametrize("pair", golden.STARC_MINIMAL, ids="-".join)
def test_starc_golden(pair):
    world = specimens.grid(3, stay=True)
    one, two = (oracles.departure(world, golden.EPIC_REWARDS[name]) for name in pair)
    found = oracles.starc(world, golden.EPIC_DISCOUNT, one, two)
    assert found == pytest.approx(golden.STARC_MINIMAL[pair], abs=5.1e-5)


def test_starc_identities():
    world, discount = specimens.grid(3, stay=True), golden.EPIC_DISCOUNT
    sparse = oracles.departure(world, golden.EPIC_REWARDS["sparse"])
    rows, columns = np.divmod(np.arange(9), 3)
    dense = sparse + oracles.shaping(world, discount, -((2 - rows) + (2 - columns)).astype(float))
    assert oracles.starc(world, discount, sparse, dense) == pytest.approx(0.0, abs=1e-9)
    assert oracles.starc(world, discount, sparse, 3 * sparse + 7) == pytest.approx(0.0, abs=1e-9)
    assert oracles.starc(world, discount, sparse, -sparse) == pytest.approx(1.0, abs=1e-12)
    assert oracles.starc(world, discount, np.ones((9, 5)), -np.ones((9, 5))) == 0.0  # nothing to compare
