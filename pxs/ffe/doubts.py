"""Which labels are in doubt, and why (`doubts`): passes that disagree, sweeps that fall, faces of somebody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pxs.expressions import EXPRESSIONS, Mix

PASSES, ORDER, OTHER, ABSENT, PERSON = (
    "the passes disagree",
    "weaker than at a lower intensity",
    "another expression is stronger",
    "the expression is hardly there",
    "another person",
)


@dataclass(frozen=True)
class Rules:
    """When a label is in doubt.

    apart: two passes differ by more in one of the 12 scores. fall: the score of the expression asked for is lower by
    more than at a lower intensity of the same subject. least: it is below this. leading: another score is higher by
    more. alike: the cosine of the picture and its source is below this.
    """

    apart: float = 0.25
    fall: float = 0.15
    least: float = 0.05
    leading: float = 0.1
    alike: float = 0.5


@dataclass(frozen=True)
class Scored:
    """What doubts depend on: of which sweep a picture is (subject and expression), asked, the scores of each pass,
    their mean, and the cosine with the source, None where nobody looked."""

    sweep: tuple[str, str]
    asked: float
    passes: Sequence[Sequence[float]]
    mean: Mix
    similarity: float | None


def doubts(scored: Mapping[str, Scored], rules: Rules) -> dict[str, list[str]]:
    """The reasons for doubt about each picture; an empty list for labels that are trusted."""
    found = {name: _alone(one, rules) for name, one in scored.items()}
    sweeps: dict[tuple[str, str], list[str]] = {}
    for name, one in scored.items():
        sweeps.setdefault(one.sweep, []).append(name)
    for (_, expression), names in sweeps.items():
        for weaker, stronger in _falls([(n, scored[n].asked, scored[n].mean[expression]) for n in names], rules.fall):
            for name in (weaker, stronger):  # which of the two is wrong is not known
                if ORDER not in found[name]:
                    found[name].append(ORDER)
    return found


def _alone(one: Scored, rules: Rules) -> list[str]:
    """The doubts about a picture by itself."""
    expression = one.sweep[1]
    reasons = []
    if len(one.passes) > 1 and float(np.ptp(np.asarray(one.passes, float), axis=0).max()) > rules.apart:
        reasons.append(PASSES)
    own = one.mean[expression]
    if own < rules.least:
        reasons.append(ABSENT)
    elif max(one.mean[name] for name in EXPRESSIONS if name != expression) > own + rules.leading:
        reasons.append(OTHER)
    if one.similarity is not None and one.similarity < rules.alike:
        reasons.append(PERSON)
    return reasons


def _falls(sweep: Sequence[tuple[str, float, float]], fall: float) -> list[tuple[str, str]]:
    """Neighbours in a sweep of (name, asked, score) whose scores fall by more than `fall`."""
    ordered = sorted(sweep, key=lambda entry: entry[1])
    return [(a[0], b[0]) for a, b in zip(ordered, ordered[1:], strict=False) if b[2] < a[2] - fall]
