"""What is asked of whom: pairs of expressions for each person, intensities that cover each band evenly (`plan`)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pxs.errors import DataError
from pxs.expressions import CONFUSABLE, EXPRESSIONS
from pxs.ffe.attributes import STRENGTHS
from pxs.ffe.collect import Subject
from pxs.ffe.compose import Prompt

OTHERS = tuple(name for name in EXPRESSIONS if not any(name in pair for pair in CONFUSABLE))
GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it modulo 1 fill 0..1 evenly, however many there are

Pair = tuple[str, str]


@dataclass(frozen=True)
class PlannedPicture:
    """A picture to make: the subject, the expression and its intensity, and the prompt for its strength."""

    subject: Subject
    expression: str
    asked: float
    prompt: Prompt

    @property
    def name(self) -> str:
        """The name of the picture."""
        return f"{self.subject.name}/{self.expression}_{self.asked:g}"


@dataclass(frozen=True)
class Amount:
    """pairs: of expressions for each subject, the first of them confusable. each: pictures of an expression at each
    strength. subjects: of one person, at most, those with the largest faces."""

    pairs: int = 2
    each: int = 1
    subjects: int = 1


def plan(
    subjects: Sequence[Subject], prompts: Mapping[tuple[str, str], Sequence[Prompt]], amount: Amount
) -> list[PlannedPicture]:
    """The pictures to make, subject by subject.

    The plan for more subjects begins with that for fewer. Raises DataError for an expression without prompts.
    """
    counts: dict[tuple[str, str], int] = {}
    planned = []
    chosen = choose(subjects, amount.subjects)
    for subject, pairs in zip(chosen, pairs_of(len(chosen), amount.pairs), strict=True):
        for expression in (name for pair in pairs for name in pair):
            for strength in STRENGTHS:
                options = prompts.get((expression, strength.name))
                if not options:
                    raise DataError(f"no prompt for {expression}, {strength.name}: run 'pxs ffe compose' again")
                for _ in range(amount.each):
                    count = counts.get((expression, strength.name), 0)
                    counts[expression, strength.name] = count + 1
                    place = (count * GOLDEN + EXPRESSIONS.index(expression) / len(EXPRESSIONS)) % 1
                    asked = round(strength.low + (strength.high - strength.low) * place, 3)
                    planned.append(PlannedPicture(subject, expression, asked, options[count % len(options)]))
    return _named_apart(planned)


def choose(subjects: Sequence[Subject], most: int) -> list[Subject]:
    """Of each person at most `most` subjects, those with the largest faces, in the order of their names."""
    people: dict[str, list[Subject]] = {}
    for subject in subjects:
        people.setdefault(subject.person, []).append(subject)
    chosen = [s for own in people.values() for s in sorted(own, key=lambda s: (-s.size, s.name))[:most]]
    return sorted(chosen, key=lambda s: s.name)


def pairs_of(count: int, pairs: int) -> Iterator[tuple[Pair, ...]]:
    """The pairs of expressions of each of `count` subjects: a confusable one, then others in rounds in which each
    expression comes once."""
    others = _rounds()
    for number in range(count):
        yield CONFUSABLE[number % len(CONFUSABLE)], *islice(others, pairs - 1)


def _rounds() -> Iterator[Pair]:
    """Pairs of OTHERS for ever: rounds of a tournament in which everybody meets everybody (circle method)."""
    first, *rest = OTHERS
    while True:
        for turn in range(len(rest)):
            circle = [first, *rest[turn:], *rest[:turn]]
            half = len(circle) // 2
            yield from zip(circle[:half], reversed(circle[half:]), strict=True)


def _named_apart(planned: Sequence[PlannedPicture]) -> list[PlannedPicture]:
    """The same pictures, once each: two with one name would be one file."""
    return list({one.name: one for one in planned}.values())
