"""Who looks at the edits of a task: judges of expression and identity, and what pixels say where there is a truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.benchmark.edit import TaskEdits, mixes_of
from pxs.data.tasks import Task, Truth
from pxs.errors import JudgeError, PxsError, one_line
from pxs.expressions import Mix
from pxs.images import psnr, to_array
from pxs.judging.each import values_or_reasons
from pxs.judging.nearest import nearest_intensity

if TYPE_CHECKING:
    from pxs.judging.expression import ExpressionJudge
    from pxs.judging.identity import IdentityJudge

MAX_PSNR = 60.0
"""dB: what pixels that equal the truth count as."""
CHANGED = 8 / 255
"""A pixel changes if truth and source differ by more than this in a channel, 0..1."""
PIXELS = ("changed_psnr", "kept_psnr", "measured")
"""The values of a picture that `Pixels` gives."""


Values: TypeAlias = tuple[list[Any], dict[int, str]]
"""One value a picture, None where it is missing, and the reasons of the missing ones by their number, from 0."""


class FaultError(PxsError):
    """Raised for a task that no method can do."""


class Shown:
    """What a rater looks at: a task and its edits."""

    def __init__(self, task: Task, edits: TaskEdits) -> None:
        self.task, self.edits = task, edits

    @cached_property
    def fault(self) -> str:
        """Why no method can do this task, empty if one can."""
        try:
            self.task.face(self.source, self.source.size)
        except PxsError as error:
            return one_line(error)
        return ""

    @cached_property
    def source(self) -> Image.Image:
        """The portrait before editing, RGB."""
        return self.task.open()

    @cached_property
    def images(self) -> list[Image.Image]:
        """The edits, RGB, one a mix."""
        return self.edits.open()

    @cached_property
    def faces(self) -> list[Image.Image]:
        """The face in the source and in each edit, cut out by the task's box."""
        return [self.task.face(image, self.source.size) for image in (self.source, *self.images)]


class Rater(Protocol):
    """Gives the values of one task: one a mix, as JSON. `name` tells apart values by other judges or weights."""

    name: str

    def __call__(self, shown: Shown) -> Values:
        """The values, and the reasons of those that are missing by their numbers, from 0.

        Raises JudgeError for an answer that makes no sense, JudgeSetupError for a judge that can judge nothing.
        """
        ...


def _values(judge: Callable[[Sequence[Image.Image]], Any], images: Sequence[Image.Image], name: str) -> Values:
    """What a judge gives for each image, with the reasons where it fails; raises JudgeError if it gives too few."""
    values, reasons = values_or_reasons(judge, images)
    if len(values) != len(images):
        raise JudgeError(f"{name} gave {len(values)} values for {len(images)} images: it must give one each")
    return values, reasons


class Scores:
    """The judged mix of each edit: rows of 12 intensities in 0..1."""

    def __init__(self, judge: ExpressionJudge) -> None:
        self.judge, self.name = judge, judge.name

    def __call__(self, shown: Shown) -> Values:
        mixes, reasons = _values(self.judge.judge, shown.faces[1:], self.name)
        rows = [None if mix is None else np.array(mix.vector()) for mix in mixes]
        for number, row in enumerate(rows):
            if row is not None and not (row.min() >= 0 and row.max() <= 1):
                raise JudgeError(f"{self.name} gave scores outside 0..1 for picture {number}: {mixes[number]}")
        return [None if row is None else row.round(5).tolist() for row in rows], reasons


class Similarity:
    """The cosine of identity vectors, source against each edit, in -1..1."""

    def __init__(self, judge: IdentityJudge) -> None:
        self.judge, self.name = judge, judge.name

    def __call__(self, shown: Shown) -> Values:
        vectors, reasons = _values(self.judge.embed, shown.faces, self.name)
        if vectors[0] is None:
            raise FaultError(f"the source: {reasons[0].removeprefix('picture 0: ')}")
        found = [None if vector is None else np.asarray(vector, dtype=np.float64) for vector in vectors]
        for vector in found:
            if vector is not None and (vector.ndim != 1 or not abs(np.linalg.norm(vector) - 1) <= 1e-3):
                raise JudgeError(f"{self.name} gave an array of shape {vector.shape} that is no unit vector")
        source = np.asarray(vectors[0], dtype=np.float64)
        cosines = [None if vector is None else round(float(vector @ source), 5) for vector in found[1:]]
        return cosines, {number - 1: reason for number, reason in reasons.items()}


class Pixels:
    """PIXELS of each edit against the ground truth: PSNR where the truth differs from the source and where it does
    not, in dB up to MAX_PSNR (None without such a pixel), and the intensity of the nearest truth.

    Empty for a task without a truth.
    """

    name = "pixels against truth"

    def __init__(self) -> None:
        self._truth: Truth | None = None
        self._pictures: dict[tuple[Mix, int], Image.Image] = {}

    def _picture(self, truth: Truth, mix: Mix, size: int) -> Image.Image:
        """The true picture of a mix; those of one truth are kept, since methods are rated task by task."""
        if truth is not self._truth:
            self._truth, self._pictures = truth, {}
        if (mix, size) not in self._pictures:
            self._pictures[mix, size] = truth(mix, size)
        return self._pictures[mix, size]

    def __call__(self, shown: Shown) -> Values:
        if shown.task.truth is None:
            return [], {}
        picture = partial(self._picture, shown.task.truth, size=shown.images[0].width)
        source = to_array(shown.source.resize(shown.images[0].size))
        measured = nearest_intensity(shown.images, picture, shown.task.expression)
        rows = []
        for image, mix, intensity in zip(shown.images, mixes_of(shown.task), measured, strict=True):
            truth = to_array(picture(mix))
            changed = (np.abs(truth - source) > CHANGED).any(axis=2)
            parts = [_psnr(to_array(image), truth, mask) for mask in (changed, ~changed)]
            rows.append([*parts, round(float(intensity), 4)])
        return rows, {}


def _psnr(image: NDArray[np.float32], truth: NDArray[np.float32], mask: NDArray[np.bool_]) -> float | None:
    return round(min(psnr(image, truth, mask), MAX_PSNR), 3) if mask.any() else None
