"""Methods with known faults, to try a study of people on: drawn faces that jump, or become somebody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from pxs.data.synthetic_bench import SyntheticTruth
from pxs.data.tasks import Task
from pxs.errors import DataError
from pxs.expressions import Mix
from pxs.study.answers import Given, check_answer
from pxs.study.key import Key
from pxs.study.simulated import Taste

TASTE: Taste = {
    "even": {"continuity": 4.3, "identity": 4.5},
    "jumpy": {"continuity": 2.0, "identity": 4.3},
    "stranger": {"continuity": 3.5, "identity": 1.7},
}
"""What people would say of these methods, by assumption: their mean answers, 1 to 5."""


def checked(key: Key, files: Sequence[Mapping[str, Any]]) -> Given:
    """The answers in the values of files, as `pxs study score` reads them."""
    by_rater = {one["rater"]: [check_answer(key, one["rater"], said) for said in one["answers"]] for one in files}
    return {rater: {answer.item: answer for answer in answers} for rater, answers in by_rater.items()}


def _person(task: Task) -> SyntheticTruth:
    if not isinstance(task.truth, SyntheticTruth):
        raise DataError(f"{task.name} is no drawn face: these methods draw")
    return task.truth


class Even:
    """The requested mix, drawn: no fault."""

    provenance = {"method": "even"}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One picture a mix."""
        return [_person(task)(mix) for mix in mixes]


class Jumpy:
    """Each intensity rounded to a whole number: the expression comes at once, in the middle of the sweep."""

    provenance = {"method": "jumpy"}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One picture a mix."""
        return [_person(task)(Mix({name: float(round(value)) for name, value in mix.items()})) for mix in mixes]


class Stranger:
    """The requested mix, but the person fades into another as it grows."""

    provenance = {"method": "stranger"}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One picture a mix."""
        person = _person(task)
        other = replace(person, number=person.number + 1)
        return [Image.blend(person(mix), other(mix), min(1.0, max(mix.values(), default=0))) for mix in mixes]
