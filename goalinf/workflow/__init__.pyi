from .refits.cross_validation import kfold as kfold
from .trial_regressors import regressors as regressors
