"""The numbers that people give, and what each may be: one check for the command line, the API, settings and files.

    steps = STEPS(np.int64(20))          # 20: whole numbers of any library are taken; True, 20.0, "20" and None are not
    steps = STEPS.parse("20")            # from a text
    scales = SCALE.several([0, 0.5, 1])  # a list, also from an iterator, which is read once

All raise ScaleError, whose message names the number, shows it, and says what to give. A ceiling is what the memory of
an ordinary machine holds, or where larger values mean nothing.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar, Generic, SupportsFloat, TypeVar

from pxs.errors import ScaleError, shown

N = TypeVar("N", int, float)
Kind = TypeVar("Kind", bound="Quantity[Any]")

MOST_TOGETHER = 10_000
"""The most entries of a list that people give: each is a picture, or several, in memory."""


@dataclass(frozen=True)
class Quantity(Generic[N]):
    """One kind of number, from `least` to `most`, both included. name: what messages call it. why: what follows the
    range in a message, such as a reason or examples."""

    name: str
    least: N
    most: N
    why: str = ""
    example: ClassVar[str]

    def __call__(self, value: object) -> N:
        """The value as a number of Python; raises ScaleError unless it is one of this kind."""
        return self._within(self._number(value), value)

    def parse(self, text: str) -> N:
        """The number that a text says in digits; raises ScaleError unless it is one of this kind."""
        plain = text.strip()
        number = self._read(plain if text.isprintable() and plain.isascii() and "_" not in plain else "", text)
        return self._within(number, number)

    def several(self, values: object) -> list[N]:
        """A list of such numbers, read once from any sequence or iterator; raises ScaleError, also for an empty one."""
        numbers = [self(value) for value in listed(values, self.name, self.example)]
        if not numbers:
            raise ScaleError(f"no {self.plural} were given: give at least one{self._reason}")
        return numbers

    def named(self: Kind, name: str) -> Kind:
        """The same kind under another name."""
        return replace(self, name=name)

    @property
    def plural(self) -> str:
        """The name of several."""
        return f"{self.name[:-1]}ies" if self.name.endswith("y") else f"{self.name}s"

    @property
    def range(self) -> str:
        """What may be given, for people."""
        return f"{_digits(self.least)} to {_digits(self.most)}{self._reason}"

    @property
    def _reason(self) -> str:
        return f", {self.why}" if self.why else ""

    def _within(self, number: N, value: object) -> N:
        if not self.least <= number <= self.most:
            wrong = "small" if number < self.least else "large"
            given = _digits(value) if isinstance(value, float) else shown(value)
            raise ScaleError(f"{self.name} {given} is too {wrong}: give {self.range}")
        return number

    def _refused(self, value: object, wrong: str) -> ScaleError:
        return ScaleError(f"{self.name} {shown(value)} is not {wrong}: give {self.range}")

    def _number(self, value: object) -> N:
        raise NotImplementedError

    def _read(self, plain: str, text: str) -> N:
        raise NotImplementedError


class Whole(Quantity[int]):
    """A whole number. See `Quantity`."""

    example = "[42, 43]"

    def _number(self, value: object) -> int:
        try:
            return operator.index(_no_truth(value))  # type: ignore[arg-type]
        except TypeError:
            raise self._refused(value, "a whole number") from None

    def _read(self, plain: str, text: str) -> int:
        if not re.fullmatch(r"[+-]?\d+", plain):
            raise self._refused(text, "a whole number")
        sign, digits = plain[:1] == "-", plain.lstrip("+-0")[:400]  # int() refuses thousands of digits
        return -int(digits or "0") if sign else int(digits or "0")


class Real(Quantity[float]):
    """A finite number. See `Quantity`."""

    example = "[0, 0.5, 1]"

    def _number(self, value: object) -> float:
        if not isinstance(value, SupportsFloat):
            raise self._refused(value, "a number")
        try:
            return self._finite(float(_no_truth(value)), value)  # type: ignore[arg-type]
        except OverflowError:  # an integer beyond all floats
            return math.inf if value > 0 else -math.inf  # type: ignore[operator]
        except (TypeError, ValueError):  # an array of several, a truth value
            raise self._refused(value, "a number") from None

    def _read(self, plain: str, text: str) -> float:
        try:
            number = float(plain)
        except ValueError:
            raise self._refused(text, "a number") from None
        return number if re.search(r"\d", plain) else self._finite(number, text)

    def _finite(self, number: float, value: object) -> float:
        if not math.isfinite(number):
            raise self._refused(value, "finite")
        return number


def listed(values: object, what: str, example: str) -> list[Any]:
    """The entries of a sequence or an iterator, which is read once; at most MOST_TOGETHER, so that endless ones end.

    Raises ScaleError for a text, a mapping, and what has no entries; `what` names one entry, `example` is code.
    """
    try:
        if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
            raise TypeError
        iterator = iter(values)
    except TypeError:  # also an array without dimensions
        raise ScaleError(f"{what} {shown(values)} is not a list: write for example {example}") from None
    entries = list(islice(iterator, MOST_TOGETHER + 1))
    if len(entries) > MOST_TOGETHER:
        raise ScaleError(f"a list of {what} has more than {MOST_TOGETHER} entries: give fewer at a time")
    return entries


def _no_truth(value: object) -> object:
    """The value; raises TypeError for True and False, also of numpy and torch, which count as numbers elsewhere."""
    if isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool"):
        raise TypeError
    return value


def _digits(number: float) -> str:
    if isinstance(number, int) and number > 10**12 and number & (number + 1) == 0:
        return f"2^{number.bit_length()} - 1"
    return f"{number:.15g}" if isinstance(number, float) else str(number)


SEED = Whole("seed", 0, 2**64 - 1)
"""Of noise, order and identities: what generators of torch take."""

STEPS = Whole("steps", 1, 1000, "as many as models have noise levels")
"""Of denoising."""

SCALE = Real("scale", -1e6, 1e6, "such as 0 0.5 1 1.5")
"""A factor: the intensity of an expression, or the weight of an adapter. Beyond, float32 has no digits left."""

SHARE = Real("share", 0, 1)

REUSE = Real("reuse", 0, 0.99, "a share of change; 0 is never")

PIXEL = Real("side of the face box", -1e6, 1e6, "in pixels of the picture")

COUNT = Whole("count", 1, 100_000)
"""Of people, rows or tasks: there are so many people of each purpose, see faces/identity.py."""

SIZE = Whole("size", 16, 2048, "in pixels a side")
"""Of a picture that is drawn or rendered: 2048 x 2048 take a gigabyte while they are rendered."""

PORTRAIT_SIZE = Whole("size", 32, SIZE.most, SIZE.why)
"""Of a rendered picture."""

WORKERS = Whole("workers", 1, 256, "or None for one a core")
"""Of processes."""

RATERS = Whole("raters", 1, 1000, "a page each")
"""People who are asked."""

PORT = Whole("port", 0, 65535, "0 for any that is free")
"""Of an address to listen on."""

PRICE = Real("price", 0, 1e6)
"""Of one picture, or of a million tokens, in any currency."""

TIMEOUT = Real("timeout", 0.1, 7200, "in seconds")
"""Of a request to a service."""
