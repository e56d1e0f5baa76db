"""A second filter of combinations: a model is asked in words which of them no face can show at once (`impossible`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pxs.ffe.describe import Model
from pxs.judging.answers import UnusableError, object_of
from pxs.judging.each import values_or_reasons
from pxs.judging.rubric import Rubric, version_of

PROMPT = (
    "Below is a list of movements of a face and head. Can one person show all of them at the same moment? They "
    "contradict each other if one undoes another, such as lips pressed together and a mouth wide open. Answer with one "
    "JSON object: possible, true or false, and why, a short reason."
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"possible": {"type": "boolean"}, "why": {"type": "string"}},
    "required": ["possible", "why"],
    "additionalProperties": False,
}


def read_answer(text: str) -> dict[str, Any]:
    """The answer as an object. Raises UnusableError for other types than those of SCHEMA, and as `object_of`."""
    said = object_of(text, SCHEMA["required"], "words possible and why")
    if not isinstance(said["possible"], bool) or not isinstance(said["why"], str):
        raise UnusableError(f"the answer {text[:60]!r} does not say true or false, and why")
    return said


QUESTION = Rubric(PROMPT, SCHEMA, version_of(PROMPT, SCHEMA), read_answer, dict)


def impossible(movements: Sequence[str], model: Model) -> list[str | None]:
    """Why the model finds each list of movements impossible; "" where it finds it possible, None without an answer.

    Raises JudgeSetupError if the model cannot be asked, or answers nothing at all.
    """
    answers, _ = values_or_reasons(model.asked(QUESTION).judge, list(movements))
    return [None if said is None else "" if said["possible"] else " ".join(said["why"].split()) for said in answers]
