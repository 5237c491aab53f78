"""Facts about agents, from the facts of their parts: usual priors, invariances, attainable policies."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpyro.distributions as dist
from numpyro.distributions import Distribution

from goalinf.planning.facts import INVARIANCES, Invariance
from goalinf.planning.parameters import Part

# Usual priors for rewards of about unit size, from the papers cited with each agent.
# Each is made when it is used: creating a distribution compiles code.
PRIORS: dict[str, Callable[[], Distribution]] = {
    "aspiration": lambda: dist.HalfNormal(1.0),
    "beta": lambda: dist.LogNormal(0.6931471805599453, 1.0),
    "beta_1": lambda: dist.LogNormal(1.0986122886681098, 0.7),
    "beta_2": lambda: dist.LogNormal(1.0986122886681098, 0.7),
    "confusion": lambda: dist.Beta(1.0, 3.0),
    "control": lambda: dist.LogNormal(0.0, 0.7),
    "curvature": lambda: dist.HalfNormal(0.2),
    "detour": lambda: dist.Beta(1.0, 1.0),
    "discount": lambda: dist.Beta(18.0, 2.0),
    "early": lambda: dist.Beta(1.0, 9.0),
    "eligibility": lambda: dist.Beta(1.0, 1.0),
    "exponent": lambda: dist.Beta(8.0, 2.0),
    "habit_rate": lambda: dist.Beta(2.0, 2.0),
    "hazard": lambda: dist.Beta(1.0, 19.0),
    "initial": lambda: dist.Normal(0.0, 1.0),
    "k": lambda: dist.LogNormal(0.0, 1.0),
    "lapse": lambda: dist.Beta(1.0, 9.0),
    "learning_rate": lambda: dist.Beta(2.0, 2.0),
    "learning_rate_1": lambda: dist.Beta(2.0, 2.0),
    "learning_rate_2": lambda: dist.Beta(2.0, 2.0),
    "loss_aversion": lambda: dist.LogNormal(0.6931471805599453, 0.5),
    "model_based": lambda: dist.Beta(1.0, 1.0),
    "optimism": lambda: dist.Normal(0.0, 1.0),
    "overshoot": lambda: dist.Beta(1.0, 9.0),
    "peak": lambda: dist.Beta(4.0, 2.0),
    "persistence": lambda: dist.Normal(0.0, 1.0),
    "plan_noise": lambda: dist.HalfNormal(1.0),
    "present_bias": lambda: dist.Beta(4.0, 2.0),
    "prior": lambda: dist.Beta(1.0, 1.0),
    "recovery": lambda: dist.Beta(1.0, 9.0),
    "repetition": lambda: dist.Normal(0.0, 1.0),
    "replan": lambda: dist.Beta(1.0, 9.0),
    "risk": lambda: dist.Normal(0.0, 1.0),
    "sharpness": lambda: dist.LogNormal(1.6094379124341003, 0.7),
    "slip": lambda: dist.Beta(1.0, 9.0),
    "switch": lambda: dist.Beta(1.0, 9.0),
    "tail": lambda: dist.Beta(2.0, 2.0),
    "weighting": lambda: dist.Uniform(0.28, 1.0),
}


def invariances(parts: Iterable[Part]) -> dict[Invariance, bool | None]:
    """Return changes of the reward that leave the policy of an agent of these parts unchanged; None where unknown."""
    known = [part.facts for part in parts]
    if any(facts.ignores_reward for facts in known) and not any(facts.learns for facts in known):
        return dict.fromkeys(INVARIANCES, True)
    unknown = any(facts.breaks is None for facts in known)
    broken = {kind for facts in known for kind in facts.breaks or ()}
    return {kind: False if kind in broken else None if unknown else True for kind in INVARIANCES}


def onto(parts: Iterable[Part]) -> bool | None:
    """Return True where every policy of full support is the policy of some reward r(s, a); None where unknown.

    For agents with hidden modes this holds for the policy of every mode; with a memory, for the first step.
    """
    known = [part.facts.onto for part in parts]
    return False if False in known else None if None in known else True
