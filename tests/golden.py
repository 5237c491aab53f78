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

# The other agents of theory 1.9, and chan_hyperbolic of A12. Numbers in names are parameters; H: horizon, step 0 of it.
G3_AGENT_POLICY = {
    "boltz_operator": np.array([0.975353, 0.517329, 0.114359]),
    "lookahead 2": np.array([0.947846, 0.419458, 0.163147]),
    "greedy": np.array([0.880797, 0.268941, 0.182426]),
    "myopic discount .5": np.array([0.934720, 0.363264, 0.155937]),
    "hyperbolic naive k=1 H=6": np.array([0.938085, 0.385595, 0.165949]),
    "hyperbolic sophisticated k=1 H=6": np.array([0.942271, 0.383469, 0.150983]),
    "quasi-hyperbolic naive .6": np.array([0.947605, 0.384219, 0.135007]),
    "quasi-hyperbolic sophisticated .6": np.array([0.952260, 0.412283, 0.141373]),
    "chan_hyperbolic .1": np.array([0.912698, 0.405037, 0.184268]),
    "KL default (.8, .2)": np.array([0.997533, 0.928006, 0.454848]),
    "rational inattention 1/3": np.array([0.974109, 0.504073, 0.123478]),
    "entropic -1": np.array([0.963869, 0.445943, 0.139569]),
    "entropic +1": np.array([0.973678, 0.483761, 0.086149]),
    "CVaR .5": np.array([0.963231, 0.365864, 0.196234]),
    "prospect log 2": np.array([0.911435, 0.441528, 0.081883]),
    "prospect power .88 2.25": np.array([0.967925, 0.438590, 0.027046]),
    "optimism +1": np.array([0.975408, 0.490244, 0.071516]),
    "optimism -1": np.array([0.957197, 0.429499, 0.169524]),
    "illusion 2": np.array([0.994754, 0.834759, 0.250089]),
    "illusion 0": np.array([0.939775, 0.332463, 0.110434]),
    "extremal .5": np.array([0.822743, 0.427596, 0.297286]),
    "false dynamics: swapped .2": np.array([0.943451, 0.389196, 0.152112]),
    "lapse .1": np.array([0.923411, 0.473153, 0.148568]),
    "anti_boltzmann": np.array([0.029544, 0.529830, 0.890480]),
    "perseveration .5 after 0": np.array([0.981870, 0.594003, 0.168589]),
    "successor": np.array([0.948066, 0.460345, 0.200711]),
    "hybrid .5": np.array([0.960766, 0.465254, 0.149471]),
    "satisficing .2 10": np.array([1.000000, 0.476777, 0.000236]),
    "slip aware .2": np.array([0.937812, 0.480763, 0.176279]),  # of the action that is intended
    "slip unaware .2": np.array([0.876365, 0.476136, 0.187616]),  # of the action that is executed
}
G3_INATTENTIVE_HABIT = np.array([0.533887, 0.466113])  # q of rational inattention, every state alike
G3_V_CHAN_HYPERBOLIC = np.array([2.465845, 1.753871, 1.625785])

# EPIC's 3 x 3 gridworlds: departure rewards, row by row; 5 actions, discount 0.99.
EPIC_DISCOUNT = 0.99
EPIC_REWARDS = {
    "sparse": np.array([0, 0, 0, 0, 0, 0, 0, 0, 1.0]),
    "path": np.array([0, -1, -1, 0, 0, 0, -1, -1, 4.0]),
    "cliff": np.array([0, -1, -1, 0, 0, 0, -4, -4, 4.0]),
    "center": np.array([0, 0, 0, 0, 1.0, 0, 0, 0, 0]),
}
EPIC_DISTANCES = {  # also the Pearson distance of the raw rewards, sparse-dense apart
    ("sparse", "path"): 0.1602,
    ("sparse", "cliff"): 0.3676,
    ("path", "cliff"): 0.2672,
    ("sparse", "center"): 0.7500,
    ("path", "center"): 0.7071,
    ("cliff", "center"): 0.6692,
}
STARC_VALUE_ADJUSTED = {
    ("sparse", "path"): 0.1292,
    ("sparse", "cliff"): 0.4203,
    ("path", "cliff"): 0.3529,
    ("sparse", "center"): 0.7695,
    ("path", "center"): 0.7419,
    ("cliff", "center"): 0.7094,
}
STARC_MINIMAL = {
    ("sparse", "path"): 0.1553,
    ("sparse", "cliff"): 0.3801,
    ("path", "cliff"): 0.2852,
    ("sparse", "center"): 0.7718,
    ("path", "center"): 0.7324,
    ("cliff", "center"): 0.6926,
}
