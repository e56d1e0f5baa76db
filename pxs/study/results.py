"""From answers to results: who is counted, means, choices, agreement, and how well judges predict people."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from pxs.errors import DataError
from pxs.study import agreement
from pxs.study.answers import Given
from pxs.study.bench import Sweep, Verdicts
from pxs.study.key import SCALES, Key
from pxs.study.pairs import bradley_terry, with_halves
from pxs.study.resampling import Floats, interval, weighted_means, weights
from pxs.study.tables import PASS, Choices, Table, checks_passed, choices, passes, ratings

HES = "hes"
SEED = 0  # of the resamples
FEWEST = 3  # sweeps of which a rank correlation is taken


def results_of(key: Key, given: Given, verdicts: Mapping[str, Verdicts]) -> dict[str, Any]:
    """All results as they are written. Raises DataError if no rater counts."""
    passed = checks_passed(key, given)
    kept = {rater: answers for rater, answers in given.items() if passes(*passed[rater])}
    if not kept:
        told = ", ".join(f"{rater} {right} of {of}" for rater, (right, of) in passed.items())
        raise DataError(f"no rater has {PASS:.0%} of the checks right ({told}): nothing can be scored")
    table = ratings(key, kept)
    drawn = _Resampled(table)
    return {
        "study": key.study,
        "raters": _raters(key, given, passed),
        "methods": _methods(table, drawn),
        "differences": _differences(table, drawn),
        "choices": _choices(choices(key, kept)),
        "agreement": {scale: _agreement(table.values[scale]) for scale in SCALES},
        "judges": {name: _judge(one, table) for name, one in verdicts.items()},
        "median_seconds": _seconds(kept),
    }


def _raters(key: Key, given: Given, passed: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    apart = {rater: f"{right} of {of} checks right" for rater, (right, of) in passed.items() if not passes(right, of)}
    missing = {rater: len(key.raters[rater]) - len(answers) for rater, answers in given.items()}
    return {
        "asked": len(key.raters),
        "answered": len(given),
        "counted": len(given) - len(apart),
        "set_apart": apart,
        "unanswered": {rater: count for rater, count in missing.items() if count},
    }


class _Resampled:
    """The mean of each scale and its harmonic mean by method, over all, and in each resample of raters and faces."""

    def __init__(self, table: Table) -> None:
        generator = np.random.default_rng(SEED)
        raters, faces = (weights(len(names), generator) for names in (table.raters, table.faces))
        enough = min(len(table.raters), len(table.faces)) >= 2
        self.drawn: dict[str, dict[str, Floats]] = {}
        self.means: dict[str, dict[str, float]] = {}
        for column, method in enumerate(table.methods):
            parts = {scale: table.values[scale][:, column] for scale in SCALES}
            drawn = {scale: weighted_means(part, raters, faces) for scale, part in parts.items()}
            means = {scale: _mean(part) for scale, part in parts.items()}
            self.means[method] = {**means, HES: _harmonic(*means.values())}
            every = {**drawn, HES: _harmonic(*drawn.values())}
            self.drawn[method] = every if enough else {name: np.full(1, np.nan) for name in every}


def _methods(table: Table, r: _Resampled) -> dict[str, Any]:
    counts = (~np.isnan(table.values[SCALES[0]])).sum(axis=(0, 2))
    found: dict[str, Any] = {}
    for method, count in zip(table.methods, counts, strict=True):
        parts = ((name, r.means[method][name], r.drawn[method][name]) for name in (*SCALES, HES))
        found[method] = {name: {"mean": _number(mean), "interval": _ends(drawn)} for name, mean, drawn in parts}
        found[method]["ratings"] = int(count)
    return found


def _differences(table: Table, r: _Resampled) -> list[dict[str, Any]]:
    """Every two methods, first minus second, with the interval of the difference."""
    found = []
    for first, second in combinations(table.methods, 2):
        one: dict[str, Any] = {"first": first, "second": second}
        for name in (*SCALES, HES):
            difference = _number(r.means[first][name] - r.means[second][name])
            drawn = r.drawn[first][name] - r.drawn[second][name]
            one[name] = {"difference": difference, "interval": _ends(drawn)}
        found.append(one)
    return found


def _choices(c: Choices, resamples: int = 500) -> dict[str, Any] | None:
    """Wins, Bradley-Terry strengths with their intervals, and agreement, by scale; None without choices."""
    if not len(c.raters):
        return None
    generator = np.random.default_rng(SEED)
    counts, faces = (weights(len(c.names[name]), generator, resamples) for name in ("raters", "faces"))
    enough = min(len(c.names["raters"]), len(c.names["faces"])) >= 2
    found = {}
    for scale in SCALES:
        wins, methods = c.wins(scale), c.names["methods"]
        value = bradley_terry(with_halves(wins))
        each = counts[:, c.raters] * faces[:, c.faces]
        drawn = np.array([bradley_terry(with_halves(c.wins(scale, one))) for one in each])
        ends = [_ends(drawn[:, i]) if enough else None for i in range(len(methods))]
        strengths = {m: {"value": _number(v), "interval": e} for m, v, e in zip(methods, value, ends, strict=True)}
        alpha = agreement.krippendorff_alpha(c.table(scale), agreement.ORDINAL)
        found[scale] = {"methods": methods, "wins": wins.tolist(), "strengths": strengths, "alpha": _number(alpha)}
    return found


def _agreement(values: Floats) -> dict[str, Any]:
    """Agreement on one scale over all sweeps; None where it cannot be computed, with the reason."""
    table = values.reshape(len(values), -1)
    table = table[:, ~np.isnan(table).all(axis=0)]
    shared = int(((~np.isnan(table)).sum(axis=0) >= 2).sum())
    two = agreement.icc_two(table)
    found = {
        "alpha": _number(agreement.krippendorff_alpha(table)),
        "icc_1": _number(agreement.icc_one(table)),
        "icc_2": _number(two[0] if two else None),
        "icc_2_k": _number(two[1] if two else None),
        "sweeps": shared,
    }
    if not shared:
        return {**found, "reason": "no sweep was rated by two raters"}
    return found if found["alpha"] is not None else {**found, "reason": "all ratings are equal"}


def _judge(verdicts: Verdicts, table: Table) -> dict[str, Any]:
    """Spearman's rank correlation of a judge and the mean of people over sweeps; its interval is over faces."""
    means = _by_sweep(table, verdicts.scale)
    shared = [sweep for sweep in means if sweep in verdicts.values]
    people, judge = (np.array([source[sweep] for sweep in shared]) for source in (means, verdicts.values))
    found: dict[str, Any] = {"scale": verdicts.scale, "sweeps": len(shared)}
    value = _spearman(people, judge)
    if value is None:
        return {**found, "spearman": None, "interval": None, "reason": "too few sweeps, or no differences"}
    faces = sorted({task for _, task in shared})
    of_face = [np.flatnonzero([task == face for _, task in shared]) for face in faces]
    generator = np.random.default_rng(SEED)
    drawn = []
    for _ in range(500 if len(faces) > 1 else 0):
        chosen = np.concatenate([of_face[i] for i in generator.integers(len(faces), size=len(faces))])
        drawn.append(_spearman(people[chosen], judge[chosen]))
    sound = np.array([np.nan if one is None else one for one in drawn])
    return {**found, "spearman": _number(value), "interval": _ends(sound)}


def _by_sweep(table: Table, scale: str) -> dict[Sweep, float]:
    """The mean of people by method and task."""
    values = table.values[scale]
    there = np.isfinite(values).sum(axis=0) > 0
    return {
        (method, face): float(np.nanmean(values[:, i, j]))
        for i, method in enumerate(table.methods)
        for j, face in enumerate(table.faces)
        if there[i, j]
    }


def _spearman(first: Floats, second: Floats) -> float | None:
    if len(first) < FEWEST or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(stats.rankdata(first), stats.rankdata(second))[0, 1])


def _harmonic(first: Any, second: Any) -> Any:
    return 2 * first * second / (first + second)


def _mean(values: Floats) -> float:
    sound = values[~np.isnan(values)]
    return float(sound.mean()) if len(sound) else float("nan")


def _seconds(given: Given) -> float:
    return round(float(np.median([answer.seconds for answers in given.values() for answer in answers.values()])), 1)


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def _ends(drawn: Floats) -> list[float] | None:
    ends = interval(drawn)
    return None if ends is None else [round(end, 4) for end in ends]
