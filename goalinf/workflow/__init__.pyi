from .refits.cross_validation import kfold as kfold
