"""Rows of two targets from scored pictures (`pair_up`), and people for training and for tests (`split`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pxs.data.ffe import Row, Target
from pxs.expressions import CONFUSABLE, Mix
from pxs.ffe.collect import Subject
from pxs.ffe.generate import Made


def pair_up(
    subjects: Mapping[str, Subject], pictures: Iterable[Made], scores: Mapping[str, Mapping[str, float]], folder: Path
) -> list[tuple[str, Row]]:
    """Rows with their people: each scored picture in one row at most, with one of another expression of its subject.

    Confusable pairs come first, then whatever is left, the most frequent expressions first. A target's own score must
    be above 0, since that is what it is an example of.
    """
    of_subject: dict[str, dict[str, list[Made]]] = {}
    for made in pictures:
        if scores.get(made.name, {}).get(made.expression, 0) > 0:
            of_subject.setdefault(made.subject, {}).setdefault(made.expression, []).append(made)
    rows = []
    for name, by_expression in sorted(of_subject.items()):
        subject = subjects[name]
        left, top, right, bottom = subject.box
        box = (left, top, right, bottom)
        for first, second in _pairs(by_expression):
            targets = tuple(
                Target(folder / made.picture, made.expression, Mix(dict(scores[made.name])), (box,))
                for made in (first, second)
            )
            rows.append((subject.person, Row(folder / subject.picture, targets, subject.domain, (box,))))  # type: ignore[arg-type]
    return rows


def _pairs(by_expression: Mapping[str, Sequence[Made]]) -> list[tuple[Made, Made]]:
    """Pairs of pictures of different expressions, in the order of their strengths."""
    left = {name: sorted(own, key=lambda made: made.asked) for name, own in by_expression.items()}
    pairs = []
    for a, b in CONFUSABLE:
        while left.get(a) and left.get(b):
            pairs.append((left[a].pop(0), left[b].pop(0)))
    while len(most := sorted((name for name in left if left[name]), key=lambda name: (-len(left[name]), name))) > 1:
        pairs.append((left[most[0]].pop(0), left[most[1]].pop(0)))
    return pairs


def split(people: Iterable[str], share: float, seed: int) -> set[str]:
    """The people for tests: a share of all, by a hash of their names, so that a person stays where it is when others
    come in. At least one of two or more if the share is above 0."""
    order = sorted(set(people), key=lambda name: (_place(name, seed), name))
    count = sum(_place(name, seed) < share for name in order)
    most = len(order) - 1  # somebody is left to train on
    return set(order[: min(max(count, int(share > 0)), most)])


def _place(name: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
