"""Edits the face of a clip, frame by frame (`edit_clip`)."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from dataclasses import dataclass

from PIL import Image
from tqdm.auto import tqdm

from pxs.editing.editor import Editor
from pxs.editing.photographs import Cut
from pxs.editing.portrait import SEED, STEPS, Portrait
from pxs.expressions import Mix
from pxs.storage.hashes import file_hash
from pxs.storage.paths import PathName
from pxs.video.clips import Clip, Kind
from pxs.video.tracking import Track


@dataclass(frozen=True)
class Course:
    """What is made of a clip: from the mix `start` in its first frame evenly to `end` in its last.

    seed: of the noise, which all frames share. only: parts of the face that the edit is limited to. calibrated: as in
    `Portrait.edit`.
    """

    start: Mix
    end: Mix
    seed: int = SEED
    steps: int = STEPS
    domain: str = "human"
    only: tuple[str, ...] = ()
    calibrated: bool = False

    def at(self, share: float) -> Mix:
        """The mix after a share of the clip, 0..1."""
        return self.start + share * (self.end - self.start)


def edit_clip(
    editor: Editor, clip: Clip, track: Track, course: Course, target: PathName, kind: Kind, progress: bool = True
) -> None:
    """Edit the face that was followed in every frame and write the clip to `target`, see `Clip.rewrite`.

    Outside of the mask, and in frames that are left alone, pictures keep their bytes until they are encoded. What is
    warned of in many frames is said once.
    """
    said: Counter[str] = Counter()
    with tqdm(total=clip.frames, desc="edit", unit="frame", leave=False, disable=not progress) as bar:

        def change(number: int, picture: Image.Image) -> Image.Image:
            bar.update()
            face = track.face(number)
            if face is None:
                return picture
            mix = course.at(number / max(1, len(track.places) - 1))
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UserWarning)
                cut = Cut(picture, face, only=course.only)
                portrait = Portrait(editor, picture, course.domain, cut=cut)
                edits = portrait.edit(mix, course.seed, course.steps, False, course.calibrated)
            said.update(str(one.message) for one in caught)
            return edits[0]

        clip.rewrite(target, kind, change, _note(editor, clip, course))
    if said:
        first, others = next(iter(said)), sum(said.values()) - 1
        warnings.warn(f"{first} (and so in {others} other frames)" if others else first, stacklevel=2)


def _note(editor: Editor, clip: Clip, course: Course) -> str:
    """What identifies the edit, as JSON."""
    sampling = {"seed": course.seed, "steps": course.steps, "domain": course.domain, "only": list(course.only)}
    calibrated = editor.calibration.sha256 if course.calibrated else "no"
    mixes = [dict(course.start), dict(course.end)]
    own = {**sampling, "calibrated": calibrated, "mix": mixes, "source": file_hash(clip.path)}
    return json.dumps({**editor.provenance, **own})
