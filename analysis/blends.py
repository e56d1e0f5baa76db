"""Which pairs of emotions blend? Every pair on several faces and seeds is coherent, collapsed or conflicting.

A picture gets its verdict from pxs/judging/blends.py. A pair gets the verdict that most of its pictures got; at a tie
the worse one. The mean over pictures is not used: if half of the pictures show only the first expression and half only
the second, both means are high, but no picture is a blend.

There are two references: the drawing of the same blend, judged in the same way (drawn faces only), and what PixelSmile
reports for photographs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from PIL import Image

import pxs
from analysis.faces import Face
from pxs.errors import ScaleError
from pxs.expressions import PAIRS, Mix, Pair, check_pair, weigh
from pxs.judging.blends import KINDS, BlendThresholds, JudgedBlend, judge_blends, verdict
from pxs.judging.expression import ExpressionJudge
from pxs.judging.identity import IdentityJudge

PUBLISHED_COHERENT = 9
"""The number of the 15 pairs that PixelSmile reports as coherent (arXiv 2603.25728)."""
PUBLISHED = {
    ("happy", "surprised"): "coherent",
    ("sad", "disgust"): "coherent",
    ("surprised", "fear"): "collapsed",
    ("happy", "angry"): "conflicting",
}
"""The verdicts of the pairs that PixelSmile names; of the other eleven it gives only the number of coherent ones."""
DRAWN = "drawn"
"""The name of the method that draws the blend instead of editing."""


@dataclass(frozen=True)
class BlendPlan:
    """What to blend: pairs, both expressions at intensity `strength`, under a rule ("sum" or "convex"); noise seeds.

    Raises ExpressionError for two names that are not a pair, ScaleError for an unknown rule or without pairs or seeds.
    """

    pairs: Sequence[Pair] = PAIRS
    strength: float = 1.0
    rule: str = "sum"
    seeds: Sequence[int] = (42,)
    steps: int = 12

    def __post_init__(self) -> None:
        if not self.seeds or not self.pairs:
            raise ScaleError(
                f"{len(self.pairs)} pairs with {len(self.seeds)} seeds are too few: give one of each or more"
            )
        self.mixes()

    def mixes(self) -> list[Mix]:
        """The mix of each pair."""
        return [weigh(self.rule, a, b, self.strength, self.strength) for a, b in self.pairs]


@dataclass(frozen=True)
class Batch:
    """The blends of one face by one method with one seed: one picture and one judgement for each pair of the plan."""

    method: str
    face: Face
    seed: int
    images: Sequence[Image.Image]
    judged: Sequence[JudgedBlend]


def choose_pairs(names: Sequence[Sequence[str]]) -> list[Pair]:
    """The pairs that lists of two names give, or all 15 if there are no lists.

    Raises ScaleError unless a list has two names, ExpressionError for unknown or equal names.
    """
    chosen = []
    for pair in names or PAIRS:
        if isinstance(pair, str) or len(pair) != 2:
            raise ScaleError(f"{pair!r} is not a pair: give two names, such as ['happy', 'surprised']")
        chosen.append(check_pair(*pair))
    return chosen


def blend_faces(
    editors: Mapping[str, pxs.Editor],
    faces: Sequence[Face],
    plan: BlendPlan,
    expression: ExpressionJudge,
    identity: IdentityJudge,
    thresholds: BlendThresholds = BlendThresholds(),  # noqa: B008
) -> Iterator[Batch]:
    """Blend every pair on every face with every seed and editor. The blends of drawn faces are also drawn, once.

    Yields len(faces) * (len(editors) * len(seeds) + 1) batches for drawn faces, each when it is judged.
    """
    for face in faces:
        if face.identity:
            drawings = [pxs.draw(face.identity, m, face.style, face.picture.width) for m in plan.mixes()]
            judged = judge_blends(face.picture, drawings, plan.pairs, expression, identity, thresholds)
            yield Batch(DRAWN, face, 0, drawings, judged)
        for method, editor in editors.items():
            portrait = editor.open(face.picture, face.style)
            for seed in plan.seeds:
                edits = list(portrait.edit(plan.mixes(), seed, plan.steps, progress=False))
                judged = judge_blends(portrait.source, edits, plan.pairs, expression, identity, thresholds)
                yield Batch(method, face, seed, edits, judged)


def table(batches: Sequence[Batch]) -> pd.DataFrame:
    """One row a picture: method, face, seed, first, second; the judged intensities of the two (a, b); the strongest
    other expression (third) and its intensity; similarity to the source; verdict; the dominant name of a collapsed one.
    """
    return pd.DataFrame([_row(batch, one) for batch in batches for one in batch.judged])


def _row(batch: Batch, one: JudgedBlend) -> dict[str, object]:
    others = {name: value for name, value in one.judged.items() if name not in (one.first, one.second)}
    third = max(others, key=others.__getitem__, default="")
    return {
        "method": batch.method,
        "face": batch.face.name,
        "seed": batch.seed,
        "first": one.first,
        "second": one.second,
        "a": one.judged[one.first],
        "b": one.judged[one.second],
        "third": third,
        "third_intensity": others.get(third, 0.0),
        "similarity": one.similarity,
        "verdict": one.verdict.kind,
        "dominant": one.verdict.dominant,
    }


def judge_again(pictures: pd.DataFrame, thresholds: BlendThresholds) -> pd.DataFrame:
    """The rows of `table` with the verdicts that other thresholds give."""
    found = [verdict(_judged(row), row.similarity, row.first, row.second, thresholds) for row in pictures.itertuples()]
    return pictures.assign(verdict=[v.kind for v in found], dominant=[v.dominant for v in found])


def _judged(row: Any) -> Mix:
    """The judged mix of a picture, as far as its row in the table tells."""
    both = {row.first: row.a, row.second: row.b}
    return Mix({**both, row.third: row.third_intensity} if row.third else both)


def pair_verdicts(pictures: pd.DataFrame) -> pd.DataFrame:
    """One row for each method and pair: verdict and dominant name by majority; the share of each verdict; the means
    over pictures of a, of b, of the weaker of the two, and of the similarity.
    """
    groups = pictures.groupby(["method", "first", "second"], sort=False)
    rows = [{"method": m, "first": a, "second": b, **_majority(part)} for (m, a, b), part in groups]
    return pd.DataFrame(rows)


def _majority(part: pd.DataFrame) -> dict[str, object]:
    shares = {kind: float((part.verdict == kind).mean()) for kind in KINDS}
    winner = max(reversed(KINDS), key=shares.__getitem__)  # at a tie the worse one, which comes first
    dominant = part.dominant[part.dominant != ""]
    return {
        "verdict": winner,
        "dominant": dominant.value_counts().idxmax() if winner == "collapsed" else "",
        **shares,
        "a": float(part.a.mean()),
        "b": float(part.b.mean()),
        "weaker": float(part[["a", "b"]].min(axis=1).mean()),
        "similarity": float(part.similarity.mean()),
        "pictures": len(part),
    }


def counts(verdicts: pd.DataFrame) -> dict[str, dict[str, int]]:
    """For each method, the number of pairs with each verdict."""
    return {m: {k: int((part.verdict == k).sum()) for k in KINDS} for m, part in verdicts.groupby("method", sort=False)}


def threshold_effect(pictures: pd.DataFrame, name: str, values: Sequence[float], base: BlendThresholds) -> pd.DataFrame:
    """The number of pairs with each verdict for each value of the threshold `name` ("present" or "identity").

    The other threshold is that of `base`. Columns: method, value and the three verdicts.
    """
    rows = []
    for value in values:
        changed = BlendThresholds(**{**vars(base), name: value})
        for method, kinds in counts(pair_verdicts(judge_again(pictures, changed))).items():
            rows.append({"method": method, "value": float(value), **kinds})
    return pd.DataFrame(rows)


def agreement(verdicts: pd.DataFrame, other: Mapping[Pair, str]) -> dict[str, int]:
    """For each method, the number of pairs in `other` with the same verdict; the order in a pair does not matter."""
    wanted = {frozenset(pair): kind for pair, kind in other.items()}
    same = [wanted.get(frozenset((row.first, row.second))) == row.verdict for row in verdicts.itertuples()]
    return {method: int(sum(part)) for method, part in pd.Series(same).groupby(verdicts.method.to_numpy(), sort=False)}


def grid_mixes(pair: Pair, scales: Sequence[float], rule: str = "sum") -> list[Mix]:
    """Blends at all pairs of intensities, the first expression changes slowest; raises as `weigh` does."""
    if not len(scales):
        raise ScaleError("no intensities were given: give at least one, such as 0 0.5 1")
    return [weigh(rule, *check_pair(*pair), a, b) for a in scales for b in scales]
