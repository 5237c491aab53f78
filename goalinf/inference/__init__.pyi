from .bridge_sampling import marginal_likelihood as marginal_likelihood
from .map_estimate import find_map as find_map
from .model_selection import model_selection as model_selection
from .predictive import log_predictive_density as log_predictive_density
from .prior_sensitivity import prior_sensitivity as prior_sensitivity
from .scoring.leave_one_out import loo as loo
