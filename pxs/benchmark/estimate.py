"""What judging by an endpoint, and editing by a remote service, would cost, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pxs.benchmark.edit import has_edits, read_edits
from pxs.benchmark.methods.remote import Remote
from pxs.benchmark.raters import Shown
from pxs.data.tasks import Task
from pxs.errors import PxsError
from pxs.judging.endpoint import EndpointJudge
from pxs.judging.rubric import PROMPT

LETTERS, PIXELS = 4, 750  # that make a token, about
ANSWER = 120  # tokens of an answer, about


@dataclass(frozen=True)
class Estimate:
    """pictures: all that are judged; requests: those without an answer yet. Tokens are rough. cost: None if unknown."""

    pictures: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", about {self.cost:.2f} in the currency of the prices"
        return (
            f"{self.pictures} pictures, {self.requests} requests at least; about {self.input_tokens:,} tokens in and "
            f"{self.output_tokens:,} out{cost}"
        )


def estimate(judge: EndpointJudge, methods: Sequence[str], tasks: Sequence[Task], folder: str | Path) -> Estimate:
    """What is still to be asked of `judge` about the edits of `tasks` by `methods` in the results `folder`.

    Edits that are not on disk yet count as not asked, at the size of the task's face.
    """
    pictures = requests = tokens = 0
    for task in tasks:
        for method in methods:
            count = len(task.levels.alphas)
            faces = _faces(task, Path(folder) / "edits" / method / task.name)
            lacking = judge.lacking(faces) if faces else count
            pictures, requests = pictures + count, requests + lacking
            tokens += lacking * (math.ceil(len(PROMPT) / LETTERS) + _area(task, faces) // PIXELS)
    answer_tokens = requests * ANSWER
    cost = None if judge.prices is None else (judge.prices[0] * tokens + judge.prices[1] * answer_tokens) / 1e6
    return Estimate(pictures, requests, tokens, answer_tokens, cost)


@dataclass(frozen=True)
class EditEstimate:
    """tasks: all that are edited by `method`; requests: those without edits and answer yet. cost: None if unknown."""

    method: str
    tasks: int
    requests: int
    cost: float | None

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", about {self.cost:.2f} in the currency of the prices"
        return f"{self.method}: {self.tasks} tasks, {self.requests} requests at least{cost}"


def edit_estimate(editor: Remote, name: str, tasks: Sequence[Task], folder: str | Path) -> EditEstimate:
    """What is still to be asked of a remote editor, the method `name`, for the results `folder`."""
    requests = lacking(editor, name, tasks, folder)
    return EditEstimate(name, len(tasks), requests, None if editor.price is None else editor.price * requests)


def lacking(editor: Remote, name: str, tasks: Sequence[Task], folder: str | Path) -> int:
    """For how many tasks neither edits nor an answer are on disk. A task that no method can do is none of them."""
    count = 0
    for task in tasks:
        try:
            count += not (has_edits(editor, task, folder, name) or editor.knows(task))
        except PxsError:
            continue
    return count


def _faces(task: Task, folder: Path) -> list[Image.Image]:
    """The faces in edits that are on disk; none where they are not, or cannot be opened."""
    edits = read_edits(folder)
    try:
        return Shown(task, edits).faces[1:] if edits and edits.files else []
    except PxsError:
        return []


def _area(task: Task, faces: Sequence[Image.Image]) -> int:
    """The pixels of a face of this task."""
    if faces:
        return faces[0].width * faces[0].height
    if task.box is None:
        return 512 * 512
    left, top, right, bottom = task.box
    return round((right - left) * (bottom - top))
