"""Facts about agents, from the facts of their parts: invariances and attainable policies."""

from __future__ import annotations

from collections.abc import Iterable

from goalinf.planning.facts import INVARIANCES, Invariance
from goalinf.planning.parameters import Part


def invariances(parts: Iterable[Part]) -> dict[Invariance, bool | None]:
    """Return changes of the reward that leave the policy of an agent of these parts unchanged; None where unknown."""
    all_facts = [part.facts for part in parts]
    if any(facts.ignores_reward for facts in all_facts) and not any(facts.learns for facts in all_facts):
        return dict.fromkeys(INVARIANCES, True)
    unknown = any(facts.breaks is None for facts in all_facts)
    broken = {kind for facts in all_facts for kind in facts.breaks or ()}
    return {kind: False if kind in broken else None if unknown else True for kind in INVARIANCES}


def onto(parts: Iterable[Part]) -> bool | None:
    """Return True where every policy of full support is the policy of some reward r(s, a); None where unknown.

    For agents with hidden modes this holds for the policy of every mode; with a memory, for the first step.
    """
    onto_by_part = [part.facts.onto for part in parts]
    return False if False in onto_by_part else None if None in onto_by_part else True
