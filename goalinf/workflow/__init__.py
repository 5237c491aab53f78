"""Workflow: designs, simulation, recovery, confusion, calibration, power, cross-validation, checks and reports."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
