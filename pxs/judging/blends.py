"""Blends: how two expressions are weighed into one mix, and whether the face that came out shows both.

A blend is judged by the mix that an expression judge sees in it and by the likeness to the face it came from:

    coherent      both expressions are there, no third one is stronger than both, and it is still the same person
    collapsed     one of the two is there and the other is not: the one that is there dominates
    conflicting   neither is there, a third one is stronger than both, or it is another person: an impossible face

What "there" and "the same person" mean is in `BlendThresholds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from pxs.errors import ExpressionError, ScaleError
from pxs.expressions import Mix, Pair, check_pair, check_scale
from pxs.judging.expression import ExpressionJudge
from pxs.judging.identity import IdentityJudge
from pxs.judging.measures import identity_similarity

KINDS = ("coherent", "collapsed", "conflicting")


@dataclass(frozen=True)
class BlendThresholds:
    """What counts as shown and as the same person; each in [0, 1], else ScaleError.

    present: judged intensity from which on an expression is there, where 1 is full.
    identity: cosine of identity vectors, edit against source, from which on it is the same person.
    """

    present: float = 0.3
    identity: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= check_scale(value, f"threshold {name}") <= 1:
                raise ScaleError(f"threshold {name} {value:g} is out of range: give 0 to 1")


@dataclass(frozen=True)
class Verdict:
    """`kind` is one of KINDS; `dominant` is the expression that a collapsed blend shows, else empty."""

    kind: str
    dominant: str = ""

    def __str__(self) -> str:
        return f"collapsed into {self.dominant}" if self.dominant else self.kind


def verdict(
    judged: Mix,
    similarity: float,
    first: str,
    second: str,
    thresholds: BlendThresholds = BlendThresholds(),
) -> Verdict:
    """The verdict on one picture: `judged` is the mix seen in it, `similarity` the cosine to its source, -1 to 1.

    Raises ExpressionError for names that are not two of the 12.
    """
    check_pair(first, second)
    strongest = max((first, second), key=judged.__getitem__)
    foreign = max((value for name, value in judged.items() if name not in (first, second)), default=0.0)
    shown = [name for name in (first, second) if judged[name] >= thresholds.present]
    if not shown or similarity < thresholds.identity or foreign > judged[strongest]:
        return Verdict("conflicting")
    return Verdict("coherent") if len(shown) == 2 else Verdict("collapsed", shown[0])


@dataclass(frozen=True)
class JudgedBlend:
    """One blend as judged: the pair, the mix seen, the cosine to the source in -1..1, and the verdict."""

    first: str
    second: str
    judged: Mix
    similarity: float
    verdict: Verdict

    def record(self, file: str) -> dict[str, object]:
        """What a results file says of it: the picture's name, the pair, mix, similarity and verdict."""
        return {
            "file": file,
            "first": self.first,
            "second": self.second,
            "verdict": self.verdict.kind,
            "dominant": self.verdict.dominant,
            "judged": dict(self.judged),
            "similarity": self.similarity,
        }


def judge_blends(
    source: Image.Image,
    images: Sequence[Image.Image],
    pairs: Sequence[Pair],
    expression: ExpressionJudge,
    identity: IdentityJudge,
    thresholds: BlendThresholds = BlendThresholds(),
) -> list[JudgedBlend]:
    """Judge images that were blended from one source, the i-th from the i-th pair.

    Raises JudgeError if a judge fails, ExpressionError for a pair that is none or if there are not equally many.
    """
    if len(images) != len(pairs):
        raise ExpressionError(f"{len(pairs)} pairs were given for {len(images)} pictures: give one each")
    if not images:
        return []
    mixes, vectors = expression.judge(images), identity.embed([source, *images])
    similar = identity_similarity([vectors[0]] * len(images), vectors[1:])
    return [
        JudgedBlend(a, b, mix, float(s), verdict(mix, float(s), a, b, thresholds))
        for (a, b), mix, s in zip(pairs, mixes, similar, strict=True)
    ]
