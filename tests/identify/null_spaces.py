"""What the tests of null spaces share: worlds, classes of rewards, and what holds of every null space."""

import numpy as np
import numpyro.distributions as dist
import specimens

import goalinf as gi

ZOO = specimens.zoo()
SOFT = gi.agents.soft_optimal(beta=2.0)
NORMAL = dist.Normal(0.0, 1.0)
DEPARTURE, ARRIVAL = (gi.StateReward(NORMAL, on=on) for on in ("departure", "arrival"))
ACTION, TRANSITION = gi.ActionReward(NORMAL), gi.TransitionReward(NORMAL)


def world_of(name, discount=0.7):
    return gi.from_arrays(ZOO[name].P, discount=discount)


def kinds(found):
    return {one.kind: one.dimension for one in found.directions}


def flat(found):
    return found.basis.values.reshape(found.dimension, -1)


def projection(columns):
    u, size, _ = np.linalg.svd(columns, full_matrices=False)
    u = u[:, size > 1e-9]
    return u @ u.T


def check(found):
    """What holds of every null space."""
    assert sum(kinds(found).values()) == len(found.directions and found.basis) == found.dimension
    joint = np.concatenate(
        [flat(found), *[found.agent[name].values.reshape(found.dimension, -1) for name in found.agent]], axis=1
    )
    np.testing.assert_allclose(joint @ joint.T, np.eye(found.dimension), atol=1e-9)
    assert found.singular_values.shape == (found.n_parameters,)
    assert (found.singular_values < 1e-7).sum() == found.dimension
    named = [one.kind for one in found.directions for _ in range(one.dimension)]
    assert found.basis.kind.values.tolist() == named
    assert found.to_frame().dimension.sum() == found.dimension
    assert "other" not in kinds(found)
