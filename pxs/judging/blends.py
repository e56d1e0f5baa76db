"""Verdicts on blends: whether an edited face shows both expressions and the same person.

A verdict depends on the mix that an expression judge reports, and on the identity similarity of edit and source:

    coherent      both expressions are present, no third one is stronger than both, and it is the same person
    collapsed     one of the two is present (the dominant one), the other is not, and it is the same person
    conflicting   neither is present, a third one is stronger than both, or it is another person

`BlendThresholds` defines "present" and "the same person".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from pxs.errors import ExpressionError
from pxs.expressions import Mix, Pair, check_pair
from pxs.judging.expression import ExpressionJudge
from pxs.judging.identity import IdentityJudge
from pxs.judging.measures import identity_similarity
from pxs.quantities import SHARE

KINDS = ("coherent", "collapsed", "conflicting")


@dataclass(frozen=True)
class BlendThresholds:
    """The thresholds of a verdict; raises ScaleError unless each is in [0, 1].

    present: the smallest judged intensity of an expression that is present; 1 is full intensity.
    identity: the smallest cosine of the identity vectors of edit and source that counts as the same person.
    """

    present: float = 0.3
    identity: float = 0.5

    def __post_init__(self) -> None:
        for name, value in list(vars(self).items()):
            object.__setattr__(self, name, SHARE.named(f"threshold {name}")(value))


@dataclass(frozen=True)
class Verdict:
    """`kind` is one of KINDS; `dominant` is the expression that is present in a collapsed blend, else empty."""

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
    """The verdict on one picture: `judged` is its judged mix, `similarity` its cosine to the source, in [-1, 1].

    Raises ExpressionError unless `first` and `second` are two different expressions.
    """
    check_pair(first, second)
    strongest = max((first, second), key=judged.__getitem__)
    third = max((value for name, value in judged.items() if name not in (first, second)), default=0.0)
    present = [name for name in (first, second) if judged[name] >= thresholds.present]
    if not present or similarity < thresholds.identity or third > judged[strongest]:
        return Verdict("conflicting")
    return Verdict("coherent") if len(present) == 2 else Verdict("collapsed", present[0])


@dataclass(frozen=True)
class JudgedBlend:
    """A judged blend: the pair, the judged mix, the cosine to the source in [-1, 1], and the verdict."""

    first: str
    second: str
    judged: Mix
    similarity: float
    verdict: Verdict

    def record(self, file: str) -> dict[str, object]:
        """The entry in a results file: the name of the picture, pair, mix, similarity and verdict."""
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
    """Judge N images (any mode and size) that were blended from one source, the i-th from the i-th of N pairs.

    Raises JudgeError if a judge fails. Raises ExpressionError for a pair that is not two different expressions, and if
    the numbers of images and pairs differ.
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
