"""Face units as an expression judge: the 52 units of ARKit that the face landmarker states, read as a mix.

The network of the units is Google's. The linear map from units to intensities is ours, fitted on rendered people whose
mix is known (pxs/editing/photographs/reading.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from pxs.editing.photographs.reading import TABLE, read_face
from pxs.expressions import Mix
from pxs.judging.each import judge_each
from pxs.judging.outside.faces import check_finder, largest_face
from pxs.storage.hashes import file_hash


class UnitsJudge:
    """All 12 expressions, from face units. Raises JudgeSetupError without the extra `photos`.

    An intensity below the map's standard error is 0, one above 1 counts as 1.
    """

    name = "units"
    role = "score"

    def __init__(self) -> None:
        check_finder()
        self.name = f"{self.name} {file_hash(TABLE)[:8]}"

    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix per image (any mode and size), of its largest face, intensities in [0, 1].

        Raises UnjudgedError for images without a face; the message contains the number of the picture, counted from 0.
        """
        return judge_each(lambda i, image: _mix(image, f"picture {i}"), images)


def _mix(image: Image.Image, name: str) -> Mix:
    picture = image.convert("RGB")
    mix = read_face(largest_face(picture, name)).mix
    return Mix({expression: min(1.0, value) for expression, value in mix.items()})
