"""Golden numbers: computed twice, by independent code, to the digits written here."""

import numpy as np

# G3: three states, two actions, the problem behind every golden policy.
G3_P = np.array(
    [
        [[0.7, 0.3, 0.0], [0.0, 0.4, 0.6]],
        [[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]],
        [[0.0, 0.6, 0.4], [0.3, 0.0, 0.7]],
    ]
)
G3_R = np.array([[1.0, 0.0], [0.0, 0.5], [-0.5, 0.25]])  # r[s, a]
G3_DISCOUNT = 0.9
G3_BETA = 2.0

G3_V_HARD = np.array([6.903994, 5.757325, 5.713725])
G3_Q_HARD = np.array([[6.903994, 5.158048], [5.697593, 5.757325], [4.665896, 5.713725]])
G3_V_SOFT = np.array([7.870388, 7.025721, 6.636287])

# Probability of action 0 in states 0, 1, 2. Finite horizons: 4 steps, the policy of the first.
G3_POLICY = {
    "boltzmann_q": np.array([0.970456, 0.470170, 0.109520]),
    "mce": np.array([0.970254, 0.524692, 0.148575]),
    "mce_horizon_4": np.array([0.966999, 0.506596, 0.152215]),
    "boltzmann_horizon_4": np.array([0.970049, 0.474480, 0.114048]),
}

# EPIC's 3 x 3 gridworlds: departure rewards, row by row; 5 actions, discount 0.99.
EPIC_DISCOUNT = 0.99
EPIC_REWARDS = {
    "sparse": np.array([0, 0, 0, 0, 0, 0, 0, 0, 1.0]),
    "path": np.array([0, -1, -1, 0, 0, 0, -1, -1, 4.0]),
    "cliff": np.array([0, -1, -1, 0, 0, 0, -4, -4, 4.0]),
    "center": np.array([0, 0, 0, 0, 1.0, 0, 0, 0, 0]),
}
STARC_MINIMAL = {
    ("sparse", "path"): 0.1553,
    ("sparse", "cliff"): 0.3801,
    ("path", "cliff"): 0.2852,
    ("sparse", "center"): 0.7718,
    ("path", "center"): 0.7324,
    ("cliff", "center"): 0.6926,
}
