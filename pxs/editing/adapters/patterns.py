"""alpha_pattern and rank_pattern of peft: an own value for the layers whose name matches, the first match counts.

peft takes each pattern for a regular expression that must match the whole name of a layer, or its end after a dot. A
regular expression out of a file can run for ever. So only the plain forms that peft documents are read here, by string
search alone, in a time that grows with length of pattern times length of name:

    to_q                            a name, or the end of one after a dot
    attn.to_out.0                   the same; a dot may be written as \\.
    transformer_blocks.*.to_q       .* stands for any text
    ^proj_out, to_q$                ^ only at the start of the whole name; $ changes nothing

A dot is a dot here; in peft it is any one character. Names of the layers do not differ in that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pxs.errors import AdapterError

MOST_PATTERNS = 10_000
MOST_WILDCARDS = 64
LONGEST = 300  # characters
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


@dataclass(frozen=True)
class Pattern:
    """Texts that follow each other in a name, with anything between; `whole` if the name must begin with the first."""

    texts: tuple[str, ...]
    whole: bool
    value: float

    def matches(self, name: str) -> bool:
        """Whether it matches the name of a layer, or its end after a dot."""
        if len(self.texts) == 1:
            (text,) = self.texts
            return name == text or not self.whole and name.endswith(f".{text}")
        starts = [0] if self.whole else [0, *(i + 1 for i, letter in enumerate(name) if letter == ".")]
        return any(_in_order(self.texts, name[start:]) for start in starts)

    @property
    def wild(self) -> bool:
        """Whether it has a wildcard."""
        return len(self.texts) > 1


def read_patterns(said: Mapping[str, float], what: str) -> tuple[Pattern, ...]:
    """The patterns of `what`, "alpha_pattern" or "rank_pattern". Raises AdapterError for forms that are not plain."""
    if len(said) > MOST_PATTERNS:
        raise AdapterError(f"states {len(said)} patterns as {what}: give at most {MOST_PATTERNS}")
    patterns = tuple(_parse(text, value, what) for text, value in said.items())
    if sum(p.wild for p in patterns) > MOST_WILDCARDS:
        raise AdapterError(f"states over {MOST_WILDCARDS} patterns with .* as {what}: name the layers instead")
    return patterns


def value_of(layer: str, patterns: Sequence[Pattern]) -> float | None:
    """The value of the first pattern that matches a layer; None if none does."""
    return next((p.value for p in patterns if p.matches(layer)), None)


def _parse(text: str, value: float, what: str) -> Pattern:
    inner = text.removeprefix("^").removesuffix("$").replace("\\.", ".")
    texts = tuple(inner.split(".*"))
    if len(text) > LONGEST or not set().union(*texts) <= PLAIN:
        raise AdapterError(
            f"states {ascii(text[:60])} in {what}, a regular expression that is not read: name layers, or use .* alone"
        )
    return Pattern(texts, text.startswith("^"), value)


def _in_order(texts: Sequence[str], name: str) -> bool:
    """Whether a name begins with the first text, ends with the last, and holds the others between in their order."""
    first, *middle, last = texts
    at, end = len(first), len(name) - len(last)
    if at > end or not (name.startswith(first) and name.endswith(last)):
        return False
    for text in middle:
        found = name.find(text, at, end)
        if found < 0:
            return False
        at = found + len(text)
    return True
