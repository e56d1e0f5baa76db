"""What the people in a data set look like, by a second question to a vision-language model (`describe`).

    FOLDER/descriptions.jsonl       a record a source: how a model describes the person, in fixed words

The words say how a picture looks to a model, not who somebody is: they are for seeing what a data set lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tqdm.auto import tqdm

from pxs.errors import DataError
from pxs.ffe import manifest
from pxs.ffe.collect import Subject, kept
from pxs.images import open_image
from pxs.judging.answers import UnusableError, object_of
from pxs.judging.each import values_or_reasons
from pxs.judging.endpoint import EndpointJudge
from pxs.judging.local_vlm import LocalVlmJudge
from pxs.judging.rubric import Rubric, version_of
from pxs.storage.locks import writing

STAGE, TOGETHER = "descriptions", 16
CHOICES = {
    "looks": ("woman", "man", "unclear"),
    "age": ("child", "teenager", "young adult", "middle-aged", "old", "unclear"),
    "skin": ("light", "medium", "dark", "unclear"),
    "style": ("photograph", "rendering", "drawing", "anime", "unclear"),
}
"""The questions, and what may be answered."""
SENTENCES = 3

PROMPT = (
    "Describe the person in this picture as they look; do not guess who it is. Answer with one JSON object with "
    "these keys:\n"
    + "\n".join(f"- {name}: one of {', '.join(words)}" for name, words in CHOICES.items())
    + f"\n- sentences: a list of {SENTENCES} short sentences: the face, the hair and clothes, the picture itself.\n"
    "Say unclear where the picture does not show it."
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{name: {"type": "string", "enum": list(words)} for name, words in CHOICES.items()},
        "sentences": {"type": "array", "items": {"type": "string"}, "minItems": SENTENCES, "maxItems": SENTENCES},
    },
    "required": [*CHOICES, "sentences"],
    "additionalProperties": False,
}


class Model(Protocol):
    """What answers a question about a picture: a judge that can be asked something else."""

    def asked(self, rubric: Rubric) -> EndpointJudge | LocalVlmJudge: ...


@dataclass(frozen=True)
class Description:
    """How a model describes a source: a word for each question, and sentences. error: why there is none, else empty."""

    name: str
    key: str
    words: dict[str, str]
    sentences: list[str]
    error: str


def read_answer(text: str) -> dict[str, Any]:
    """The description in the text of an answer. Raises UnusableError for other words than those of CHOICES, and as
    `object_of`."""
    said = object_of(text, SCHEMA["required"], "words of a description")
    for name, words in CHOICES.items():
        if said[name] not in words:
            raise UnusableError(f"{name} is {str(said[name])[:40]!r}, none of {', '.join(words)}")
    sentences = said["sentences"]
    if not isinstance(sentences, list) or len(sentences) != SENTENCES or not all(isinstance(s, str) for s in sentences):
        raise UnusableError(f"the answer has no {SENTENCES} sentences")
    return said


DESCRIPTION = Rubric(PROMPT, SCHEMA, version_of(PROMPT, SCHEMA), read_answer, dict)


def describe(folder: Path, model: Model, progress: bool = False) -> list[Description]:
    """The descriptions of all sources, which are then in the manifest; what was described before is not asked again.

    Raises DataError if there is none, and JudgeSetupError if the model can answer nothing at all.
    """
    subjects, judge = kept(folder), model.asked(DESCRIPTION)
    keys = {subject.name: manifest.key_of(subject.sha256, judge.name) for subject in subjects}
    with writing(folder), manifest.unless_empty(folder, STAGE, Description):
        before = manifest.recover(folder, STAGE, Description)
        found = {n: before[n] for n in keys if n in before and before[n].key == keys[n] and not before[n].error}
        manifest.write(folder, STAGE, len(subjects), {"judge": judge.name}, found.values())
        left = [subject for subject in subjects if subject.name not in found]
        for start in tqdm(range(0, len(left), TOGETHER), "describe", leave=False, disable=not progress):
            for one in _described(left[start : start + TOGETHER], keys, judge, folder):
                found[one.name] = one
                manifest.add(folder, STAGE, one)
        done = [found[subject.name] for subject in subjects]
        manifest.write(folder, STAGE, len(done), {"judge": judge.name}, done)
        if all(one.error for one in done):
            raise DataError(f"none of {len(done)} people could be described, the first: {done[0].error}")
    return done


def _described(
    subjects: list[Subject], keys: Mapping[str, str], judge: EndpointJudge | LocalVlmJudge, folder: Path
) -> list[Description]:
    images = [open_image(folder / subject.picture) for subject in subjects]
    answers, reasons = values_or_reasons(judge.judge, images)
    found = []
    for place, (subject, said) in enumerate(zip(subjects, answers, strict=True)):
        words = {name: said[name] for name in CHOICES} if said else {}
        sentences = list(said["sentences"]) if said else []
        error = "" if said else f"{judge.name}: {reasons.get(place, 'no answer')}"
        found.append(Description(subject.name, keys[subject.name], words, sentences, error))
    return found
