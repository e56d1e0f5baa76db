"""The vocabulary of the workbench: 12 expressions, their prompts and colours, and `Mix`, the currency of the house.

A `Mix` says how strong each expression is. A sweep is a list of mixes, a blend is a mix with two entries, a label in a
data set is a mix, a judge returns a mix. Sources: PixelSmile (arXiv 2603.25728) for the twelve expressions, the prompt
and the confusable pairs; Ekman's six for the basic ones.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import Parameter, Signature
from itertools import combinations
from numbers import Real
from typing import Any, ClassVar, Literal, get_args

from pxs.errors import ExpressionError, ScaleError, shown
from pxs.quantities import SCALE, listed

Basic = Literal["happy", "sad", "angry", "surprised", "fear", "disgust"]
Expression = Literal[Basic, "anxious", "contempt", "confident", "shy", "sleepy", "confused"]
"""The name of an expression, for editors that complete what a type lists."""

Domain = Literal["human", "anime"]

BASIC: tuple[str, ...] = get_args(Basic)
EXPRESSIONS: tuple[str, ...] = get_args(Expression)
NEUTRAL = "neutral"
PAIRS = tuple(combinations(BASIC, 2))
CONFUSABLE = (("fear", "surprised"), ("angry", "disgust"))

DOMAINS = {"human": "person", "anime": "character"}
"""The two domains and the subject word that each puts into the prompt."""

COLOURS = {
    "happy": "#E69F00",
    "sad": "#0072B2",
    "angry": "#D55E00",
    "surprised": "#56B4E9",
    "fear": "#332288",
    "disgust": "#117733",
    "anxious": "#AA4499",
    "contempt": "#882255",
    "confident": "#DDCC77",
    "shy": "#CC79A7",
    "sleepy": "#888888",
    "confused": "#44AA99",
    NEUTRAL: "#000000",
}
"""One colour per expression, everywhere; from the colour-blind-safe palettes of Okabe & Ito and of Paul Tol."""

MEANINGS = {
    "happy": "happiness smile smiling grin grinning laugh laughing laughter joy joyful glad cheerful content",
    "sad": "sadness unhappy sorrow sorrowful gloomy upset cry crying tears tearful grief depressed disappointed",
    "angry": "anger mad furious fury rage annoyed irritated cross hostile",
    "surprised": "surprise surprising astonished amazed startled shock shocked stunned wow",
    "fear": "fearful afraid scared scary frightened terrified terror horror panic",
    "disgust": "disgusted disgusting revulsion repelled nausea nauseated yuck gross",
    "anxious": "anxiety anxiousness nervous worry worried tense stressed uneasy",
    "contempt": "contemptuous scorn scornful disdain sneer smirk mocking despise",
    "confident": "confidence proud pride assured determined brave bold smug",
    "shy": "shyness timid bashful coy embarrassed ashamed blush blushing",
    "sleepy": "sleepiness sleep asleep tired drowsy weary exhausted yawn yawning",
    "confused": "confusion puzzled perplexed baffled bewildered unsure doubtful",
}
"""Other words for the expressions: what people write who do not know the 12 names."""

_MEANT = {word: name for name in EXPRESSIONS for word in (name, *MEANINGS[name].split())}

_FACTOR, _DIVISOR, _INTENSITY = SCALE.named("factor"), SCALE.named("divisor"), SCALE.named("intensity")
_INTENSITY_OF = {name: SCALE.named(f"intensity of {name}") for name in EXPRESSIONS}


def check_expression(name: str) -> str:
    """Return `name` if it is one of the 12 expressions; else raise ExpressionError that suggests what was meant."""
    if isinstance(name, str) and name in EXPRESSIONS:
        return name
    meant = _meant(str(name)[:20].lower())
    hint = f"did you mean {meant!r}?" if meant else f"choose from {', '.join(EXPRESSIONS)}"
    if name == NEUTRAL:
        hint = "it has no intensity, and is the empty mix, Mix()"
    raise ExpressionError(f"unknown expression {shown(name)}: {hint}")


def _meant(word: str) -> str | None:
    """The expression that a word means, or is spelt like."""
    alike = difflib.get_close_matches(word, _MEANT, n=1, cutoff=0.8) or difflib.get_close_matches(
        word, EXPRESSIONS, n=1, cutoff=0.5
    )
    return _MEANT[alike[0]] if alike else None


def check_domain(domain: str) -> str:
    """Return `domain` if it is "human" or "anime"; else raise ExpressionError."""
    if domain not in tuple(DOMAINS):
        raise ExpressionError(f"unknown domain {shown(domain)}: choose from {', '.join(DOMAINS)}")
    return domain


def prompt(expression: str, domain: str = "human") -> str:
    """The edit prompt for one expression (or "neutral") in one domain, as PixelSmile was trained with it."""
    word = expression if expression == NEUTRAL else check_expression(expression)
    return f"Edit the {DOMAINS[check_domain(domain)]} to show a {word} expression"


class Mix(Mapping[str, float]):
    """Intensities of the 12 expressions: 0 is absent, 1 full, above 1 exaggerated; an empty mix is the neutral face.

    Immutable and hashable; entries that are zero are left out, so `Mix(happy=0) == Mix()`. Arithmetic is that of
    vectors: `Mix(happy=1) * 0.5 + Mix(sad=0.2)`, `a - b`, `-a`, `a / 2`, `sum(mixes)`.

    >>> Mix(happy=0.7, surprised=0.5)["happy"]
    0.7
    >>> str(Mix(happy=0.7, surprised=0.5))
    'happy 0.7 + surprised 0.5'

    Raises ExpressionError for a name that is not one of the 12, ScaleError for an intensity that is not a `SCALE`.
    """

    __slots__ = ("_entries",)
    __signature__: ClassVar[Signature] = Signature(
        [
            Parameter("entries", Parameter.POSITIONAL_ONLY, default=None),
            *(Parameter(name, Parameter.KEYWORD_ONLY, default=0) for name in EXPRESSIONS),
        ]
    )  # what TAB offers

    def __init__(self, entries: Mapping[str, float] | None = None, /, **named: float) -> None:
        if not isinstance(entries, Mapping | None):
            raise ExpressionError(f"{shown(entries)} is not a mix: write for example Mix(happy=0.7)")
        given = {**(entries or {}), **named}
        checked = {k: _INTENSITY_OF[check_expression(k)](v) for k, v in given.items()}
        self._entries = {name: checked[name] for name in EXPRESSIONS if checked.get(name, 0.0) != 0.0}

    @classmethod
    def parse(cls, words: Iterable[str]) -> Mix:
        """A mix from words such as "happy=0.7" "surprised=0.5"."""
        entries: dict[str, float] = {}
        for word in listed(words, "mix", '["happy=0.7", "surprised=0.5"]'):
            name, equals, value = word.partition("=")
            if not equals:
                raise ScaleError(f"{shown(word)} is not NAME=INTENSITY: write for example happy=0.7 surprised=0.5")
            if check_expression(name) in entries:
                raise ExpressionError(f"{name!r} is given twice: name each expression once")
            entries[name] = _INTENSITY_OF[name].parse(value)
        return cls(entries)

    @classmethod
    def from_vector(cls, values: Iterable[float]) -> Mix:
        """A mix from 12 numbers in the order of EXPRESSIONS; raises ScaleError for another count."""
        numbers = listed(values, "intensities", str([0] * len(EXPRESSIONS)))
        if len(numbers) != len(EXPRESSIONS):
            raise ScaleError(f"{len(numbers)} intensities were given: give {len(EXPRESSIONS)}, one an expression")
        return cls(dict(zip(EXPRESSIONS, numbers, strict=True)))

    def vector(self) -> tuple[float, ...]:
        """The 12 intensities in the order of EXPRESSIONS."""
        return tuple(self._entries.get(name, 0.0) for name in EXPRESSIONS)

    def __getitem__(self, name: str) -> float:
        return self._entries.get(check_expression(name), 0.0)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __add__(self, other: Mix) -> Mix:
        if not isinstance(other, Mix):
            return NotImplemented
        return Mix.from_vector(a + b for a, b in zip(self.vector(), other.vector(), strict=True))

    def __radd__(self, other: int) -> Mix:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # what `sum` begins with

    def __sub__(self, other: Mix) -> Mix:
        return self + -other if isinstance(other, Mix) else NotImplemented

    def __neg__(self) -> Mix:
        return self * -1

    def __mul__(self, factor: float) -> Mix:
        times = _FACTOR(factor)
        return Mix.from_vector(a * times for a in self.vector())

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Mix:
        by = _DIVISOR(divisor)
        if by == 0:
            raise ScaleError("a mix cannot be divided by 0: give another number")
        return Mix.from_vector(a / by for a in self.vector())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mix) and self._entries == other._entries

    def __hash__(self) -> int:
        return hash(tuple(self._entries.items()))

    def __str__(self) -> str:
        return " + ".join(f"{name} {value:g}" for name, value in self._entries.items()) or NEUTRAL

    def __repr__(self) -> str:
        return f"Mix({', '.join(f'{name}={value:g}' for name, value in self._entries.items())})"

    def _ipython_key_completions_(self) -> list[str]:
        return list(EXPRESSIONS)

    @property
    def slug(self) -> str:
        """The mix as part of a file name: "happy_0.7-surprised_0.5", or "neutral"."""
        return "-".join(f"{name}_{value:g}" for name, value in self._entries.items()) or NEUTRAL


Mixes = Mix | Mapping[str, float] | Expression | str | Iterable[Mix | Mapping[str, float] | str]
"""One mix or several. A mix may be written as a dictionary, or as the name of one expression at full, or "neutral"."""


def as_mixes(given: Mixes) -> list[Mix]:
    """One mix, or those of a sequence or an iterator, which is read once, as a list.

    Raises ExpressionError for what is not a mix, ScaleError for none.
    """
    mixes: list[Any] = [given] if isinstance(given, str | Mapping) else listed(given, "mix", "Mix(happy=0.7)")
    if not mixes:
        raise ScaleError("no mixes were given: give at least one, such as Mix(happy=0.7)")
    return [_as_mix(mix) for mix in mixes]


def _as_mix(given: object) -> Mix:
    if isinstance(given, str):
        return Mix() if given == NEUTRAL else Mix({check_expression(given): 1})
    if isinstance(given, Mapping):
        return given if isinstance(given, Mix) else Mix(given)
    raise ExpressionError(f"{shown(given)} is not a mix: write for example Mix(happy=0.7)")


Scales = float | Iterable[float]
"""One scale or several."""


def several_scales(given: Scales) -> list[float]:
    """The scales as a list; raises ScaleError for what is not a number, and for none."""
    return SCALE.several([given] if isinstance(given, Real) else given)


def sweep(expression: Expression | str, scales: Scales) -> list[Mix]:
    """One mix per scale along one expression; raises ExpressionError or ScaleError, also without scales."""
    check_expression(expression)
    return [Mix({expression: scale}) for scale in several_scales(scales)]


Rule = Callable[[str, str, float, float], Mix]

Pair = tuple[str, str]


def sum_of_directions(first: str, second: str, a: float, b: float) -> Mix:
    """Both expressions at their own intensity: e_neutral + a (e_1 - e_neutral) + b (e_2 - e_neutral).

    Raises ExpressionError for names that are not two of the 12, ScaleError for an intensity that is not finite.
    """
    check_pair(first, second)
    return Mix({first: a, second: b})


def convex(first: str, second: str, a: float, b: float) -> Mix:
    """A point between the two expressions: weights a / (a + b) and b / (a + b), at the intensity of the larger.

    What the prompts add up to is never more than one expression at full: at a = b = 1 each has 0.5. Where one
    intensity is 0 the rule agrees with `sum_of_directions`. Raises as that one does, and ScaleError below 0.
    """
    check_pair(first, second)
    a, b = (_INTENSITY(x) for x in (a, b))
    if min(a, b) < 0:
        raise ScaleError(f"intensity {min(a, b):g} is below 0: weights of a convex blend are 0 or more")
    total, strength = a + b, max(a, b)
    return Mix({first: strength * (a / total), second: strength * (b / total)}) if total else Mix()


RULES: dict[str, Rule] = {"sum": sum_of_directions, "convex": convex}
"""The two ways to weigh a blend."""


def weigh(rule: str, first: str, second: str, a: float, b: float) -> Mix:
    """The mix of a blend under the rule of this name, "sum" or "convex"; raises ExpressionError or ScaleError."""
    if rule not in tuple(RULES):
        raise ScaleError(f"unknown rule {shown(rule)}: choose from {', '.join(RULES)}")
    return RULES[rule](first, second, a, b)


def check_pair(first: str, second: str) -> Pair:
    """Return the two names if they are two different of the 12 expressions; else raise ExpressionError."""
    for name in (first, second):
        check_expression(name)
    if first == second:
        raise ExpressionError(f"the pair {first!r}, {second!r} is one expression: blend two different ones")
    return first, second
