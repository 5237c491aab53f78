"""Evans et al. (2016): every published digit of theory 4.1 and 4.2, through the library's own agents."""

import evans_oracles as oracle
import jax
import numpy as np
import pytest

import goalinf as gi
from goalinf_models import evans_2016, exact
from goalinf_models.evans_worlds import procrastination, restaurants

DAYS = ["wait"] * 8 + ["work", "relax"]
WAYS = {"l": "left", "r": "right", "u": "up", "d": "down"}
PATHS = {"naive": "uuuulll", "sophisticated": "uurruuulull"}
PROCRASTINATION = {  # after n observations: E reward, P(work on the last day), E alpha, E k, evidence
    ("rational", 0): ("4.4375", ".8313", "322.21", None, "1"),
    ("rational", 1): ("3.2242", ".5288", "153.20", None, ".26583"),
    ("rational", 4): ("1.0755", ".1060", "394.02", None, ".10218"),
    ("rational", 8): (".5302", ".0056", "457.48", None, ".087977"),
    ("rational", 9): ("4.7674", ".7565", ".68", None, "4.966e-4"),
    ("procrastination", 0): ("4.4375", ".6536", "322.21", "1.5", "1"),
    ("procrastination", 1): ("3.4214", ".3712", "299.69", "2.2451", ".43064"),
    ("procrastination", 4): ("2.9345", ".2402", "455.97", "2.5970", ".28216"),
    ("procrastination", 8): ("2.8487", ".2158", "495.72", "2.6309", ".25939"),
    ("procrastination", 9): ("6.1569", ".9560", "572.63", "3.4959", ".055978"),
}
RESTAURANT = {"naive": (".019858", ".9417", ".8852", "9.889"), "sophisticated": (".004511", ".0614", ".8660", "14.330")}
TEMPTING = [-0.01, 10.0, -10.0, -10.0, 20.0, 0.0, 0.0]  # time; donut, veg, noodle: now, later


def reads(value, digits) -> bool:
    """Whether a number, rounded to what is printed, reads like this."""
    mantissa = digits.split("e")[0].replace(".", "").lstrip("0")
    if "e" in digits:
        return f"{float(value):.{len(mantissa) - 1}e}".replace("e-0", "e-") == digits
    return f"{float(value):.{len(digits.partition('.')[2])}f}".removeprefix("0") == digits.removeprefix("0")


def walked(paid, start, actions) -> gi.Trajectories:
    """The trajectory of a sequence of actions."""
    world, states = paid.world, [paid.world.states.index(start)]
    numbers = [world.actions.index(action) for action in actions]
    for a in numbers:
        assert world.mdp.available[states[-1], a]
        states.append(int(world.mdp.successors[states[-1], a, 0]))
    return gi.Trajectories.of([states], [numbers])


@pytest.fixture(scope="module")
def puts_off():
    days = walked(procrastination(), "day 0", DAYS)
    return {variant: exact(**evans_2016.model(days, variant))[0] for variant in ("procrastination", "rational")}


@pytest.fixture(scope="module")
def last_day():
    """P(work on the last day that is rewarded) under every hypothesis: reward, alpha, k."""
    work = procrastination()
    state, action = work.world.states.index("day 8"), work.world.actions.index("work")
    rewards, alphas, ks = ((0.5, 2, 3, 4, 5, 6, 7, 8), (0.1, 1, 10, 100, 1000), (0, 0.5, 1, 2, 4))

    def one(reward, alpha, k):
        agent = gi.agents.hyperbolic(k=k, beta=alpha, horizon=work.horizon)
        wants = work.reward(jax.numpy.stack([reward, -1.0, -0.1]))
        return jax.numpy.exp(gi.Behavior(work.world, agent, wants).policy.log_probs[0, 8, state, action])

    with jax.enable_x64(True):
        grid = jax.numpy.meshgrid(*(jax.numpy.array(x, float) for x in (rewards, alphas, ks)), indexing="ij")
        flat = jax.jit(jax.vmap(one))(*(x.ravel() for x in grid))
    return np.asarray(flat).reshape(8, 5, 5)


@pytest.mark.parametrize(("variant", "n"), PROCRASTINATION)
def test_procrastination(puts_off, last_day, variant, n):
    found = puts_off[variant].sel(step=n)
    values = found.values if variant == "procrastination" else found.values[..., None]
    works = (values * last_day[:, :, : values.shape[2]]).sum()
    means = [float((found * found[site]).sum()) for site in found.dims]
    expected = PROCRASTINATION[variant, n]
    assert reads(works, expected[1]), works
    assert reads(np.exp(found.evidence), expected[4]), float(np.exp(found.evidence))
    for value, digits in zip(means, (expected[0], *expected[2:4]), strict=False):
        assert reads(value, digits), (value, digits)


def test_bayes_factor_of_discounting(puts_off):
    evidence = {variant: float(found.evidence[-1]) for variant, found in puts_off.items()}
    assert reads(np.exp(evidence["procrastination"] - evidence["rational"]), "112.7")


def tempting(found):
    """Veg is better at the start and donut is when they stand before it (delays as the chapter counts them)."""
    donut, veg = (
        lambda d, kind=kind: found[f"{kind}.now"] / (1 + d) + found[f"{kind}.later"] / (2 + d)
        for kind in ("donut", "veg")
    )
    return (donut(4) < veg(6)) & (donut(0) > veg(2))


@pytest.mark.parametrize("path", PATHS)
def test_restaurant(path):
    walk = walked(restaurants(), "3,1", [WAYS[step] for step in PATHS[path]])
    every = exact(**evans_2016.model(walk, "restaurant"))[0]
    prior, found = every[0], every[-1]
    assert reads(prior.where(tempting(prior), 0.0).sum(), ".0898")
    veg, donut = (found[f"{kind}.now"] + found[f"{kind}.later"] for kind in ("veg", "donut"))
    numbers = (
        np.exp(found.evidence),
        found.sel(naive=True).sum(),
        found.where(tempting(found), 0.0).sum(),
        (found * (veg - donut)).sum(),
    )
    for value, digits in zip(numbers, RESTAURANT[path], strict=True):
        assert reads(value, digits), (float(value), digits)


@pytest.mark.parametrize("kind", PATHS)
def test_restaurant_path(kind):
    town = restaurants()
    agent = gi.agents.hyperbolic(k=1.0, beta=500.0, horizon=town.horizon, sophisticated=kind == "sophisticated")
    policy = agent.policy(town.world, town.reward(np.array(TEMPTING)))
    walk = walked(town, "3,1", [WAYS[step] for step in PATHS[kind]])
    steps = [float(policy[t, s, a]) for t, (s, a) in enumerate(zip(walk.states[0, :-1], walk.actions[0], strict=True))]
    assert np.prod(steps) > 0.95


def test_a_single_step_to_the_left():
    town = restaurants()
    walk = walked(town, "3,1", ["left"])
    likes = [np.array([-0.04, *np.repeat(1.0 + np.eye(3)[kind], 2)]) for kind in (0, 1, 2)]  # donut, veg, noodle
    agent = gi.agents.hyperbolic(k=0.0, beta=2.0, horizon=town.horizon)
    goals = {name: town.reward(like) for name, like in zip(("donut", "veg", "noodle"), likes, strict=True)}
    found = gi.goal_posterior(town.world, agent, goals, walk)[0, -1]
    for value, digits in zip(found.values, (".9106", ".0604", ".0290"), strict=True):
        assert reads(value, digits), (value, digits)


@pytest.mark.parametrize("sophisticated", [False, True])
def test_the_worlds_are_those_of_the_oracle(sophisticated):
    for paid, start, problem, weights, path in (
        (procrastination(), "day 0", oracle.procrastination_mdp(), [4.5, -1.0, -0.1], DAYS),
        (restaurants(), "3,1", oracle.restaurant_mdp(), TEMPTING, PATHS["naive"]),
    ):
        assert paid.world.n_states == len(problem.states)
        agent = gi.agents.hyperbolic(k=0.7, beta=1.3, horizon=paid.horizon, sophisticated=sophisticated)
        walk = walked(paid, start, [WAYS.get(step, step) for step in path])
        mine = gi.Behavior(paid.world, agent, paid.reward(np.array(weights))).log_prob_by("trajectory", walk)[0]
        policy = problem.plan(weights, 1.3, 0.7, sophisticated).policy
        assert float(mine) == pytest.approx(float(np.log(problem.likelihood(policy, path))), abs=1e-9)
