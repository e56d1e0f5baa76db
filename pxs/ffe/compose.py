"""Stage 2: the library of prompts (`compose`): which parts of the face show an expression, at three strengths.

    FOLDER/prompts.jsonl        a record a combination, also of those left out, with the reason
    FOLDER/attributes.md        the table that they are made from (attributes.py)

A combination takes one or two actions of each part of the face that the table names. It is left out if two of its units
are antagonists, or if its units are all those of a combination of another expression; and where a model is given, if it
says that no face can show all of it at once (contradictions.py). A prompt has two parts: the expression, then the parts
of the face.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from pxs.expressions import DOMAINS, EXPRESSIONS
from pxs.ffe import manifest
from pxs.ffe.attributes import PARTS, STRENGTHS, TABLE, Action, Strength, contradiction, markdown
from pxs.ffe.contradictions import impossible
from pxs.ffe.describe import Model
from pxs.storage.files import replace_file
from pxs.storage.locks import writing

STAGE, ATTRIBUTES = "prompts", "attributes.md"


@dataclass(frozen=True)
class Prompt:
    """A combination at one strength. parts: the words by part of the face. units: its FACS units. text: the prompt
    about {subject}. dropped: why it is left out, or empty."""

    name: str
    key: str
    expression: str
    strength: str
    parts: dict[str, str]
    units: list[str]
    text: str
    dropped: str


def compose(folder: Path, most: int = 8, model: Model | None = None) -> list[Prompt]:
    """All combinations, which are then in the manifest; of each expression and strength at most `most` are kept.

    model: is asked about those; what it finds impossible is left out, what it gives no answer about is kept. Raises
    JudgeSetupError if it cannot be asked.
    """
    combined = {expression: list(_combinations(expression)) for expression in EXPRESSIONS}
    owners: dict[frozenset[str], str] = {}
    for expression, ways in combined.items():
        for way in ways:
            owners.setdefault(_units(way), expression)
    found: list[Prompt] = []
    for expression, ways in combined.items():
        reasons = _reasons(expression, ways, owners, most)
        if model is not None:
            reasons = _second_filter(ways, reasons, model)
        for strength in STRENGTHS:
            found += [
                _prompt(expression, strength, number, way, reason)
                for number, (way, reason) in enumerate(zip(ways, reasons, strict=True))
            ]
    with writing(folder):
        manifest.write(folder, STAGE, len(found), {"most": most}, found)
        replace_file(folder / ATTRIBUTES, markdown().encode())
    return found


def _reasons(expression: str, ways: Sequence[Way], owners: dict[frozenset[str], str], most: int) -> list[str]:
    """Why each way is left out by the rules, "" for those that are kept."""
    reasons = [_reason(expression, way, owners) for way in ways]
    sound = [place for place, reason in enumerate(reasons) if not reason]
    chosen = {sound[i * len(sound) // most] for i in range(most)} if len(sound) > most else set(sound)
    for place in set(sound) - chosen:
        reasons[place] = f"enough of them: {most} a strength are kept"
    return reasons


def _second_filter(ways: Sequence[Way], reasons: Sequence[str], model: Model) -> list[str]:
    """The reasons, with those of the model for ways that the rules keep."""
    kept = [place for place, reason in enumerate(reasons) if not reason]
    movements = ["\n".join(f"- {part}: {a.words}" for part, actions in ways[i] for a in actions) for i in kept]
    said = dict(zip(kept, impossible(movements, model), strict=True))
    return [f"contradictory, says the model: {said[i]}" if said.get(i) else old for i, old in enumerate(reasons)]


def library(folder: Path) -> dict[tuple[str, str], list[Prompt]]:
    """The prompts that are kept, by expression and strength. Raises DataError as `manifest.read`."""
    found: dict[tuple[str, str], list[Prompt]] = {}
    for prompt in manifest.read(folder, STAGE, Prompt):
        if not prompt.dropped:
            found.setdefault((prompt.expression, prompt.strength), []).append(prompt)
    return found


Way = Sequence[tuple[str, Sequence[Action]]]
"""Actions by part of the face."""


def _combinations(expression: str) -> Iterator[Way]:
    """All ways to take one or two actions of each part, those with the fewest actions first."""
    parts = [part for part in PARTS if part in TABLE[expression]]
    choices = [[taken for count in (1, 2) for taken in combinations(TABLE[expression][part], count)] for part in parts]
    ways = sorted(product(*choices), key=lambda way: sum(map(len, way)))
    return (list(zip(parts, way, strict=True)) for way in ways)


def _units(way: Way) -> frozenset[str]:
    return frozenset(unit for _, actions in way for action in actions for unit in action.units)


def _reason(expression: str, way: Way, owners: dict[frozenset[str], str]) -> str:
    units = _units(way)
    against = contradiction(units)
    if against:
        return f"antagonists: {against}"
    return "" if owners[units] == expression else f"ambiguous: the same units as {owners[units]}"


def _prompt(expression: str, strength: Strength, number: int, way: Way, reason: str) -> Prompt:
    parts = {part: " and ".join(f"{strength.adverb} {action.words}" for action in actions) for part, actions in way}
    local = "; ".join(f"{part}: {words}" for part, words in parts.items())
    text = f"Edit the {{subject}} to show a {expression} expression. {local[0].upper()}{local[1:]}."
    units = sorted(_units(way), key=lambda unit: (len(unit), unit))
    name = f"{expression}_{strength.name}_{number:02d}"
    return Prompt(name, manifest.key_of(text), expression, strength.name, parts, units, text, reason)


def about(prompt: Prompt, domain: str) -> str:
    """The text of a prompt about the subject of a domain."""
    return prompt.text.format(subject=DOMAINS[domain])
