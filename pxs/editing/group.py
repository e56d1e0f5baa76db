"""`Group`: several faces of one picture, opened together; each is edited alone, all in one picture.

`Alone` says which they are, for any picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pxs.editing.editor import Editor
from pxs.editing.edits import Edits
from pxs.editing.photographs import Cut, Which, cut_faces
from pxs.editing.portrait import SEED, STEPS, Portrait
from pxs.errors import ScaleError
from pxs.expressions import Mix, check_domain
from pxs.images import Picture, Source, open_picture


class Group:
    """Faces of one picture. `portraits` has one portrait a face; `Group.open` finds the faces."""

    def __init__(
        self,
        editor: Editor,
        cuts: Sequence[Cut],
        domain: str = "human",
        still: bool = False,
        origin: Picture | None = None,
    ) -> None:
        check_domain(domain)
        self.portraits = tuple(Portrait(editor, cut.picture, domain, None, origin, cut, still) for cut in cuts)

    @classmethod
    def open(
        cls,
        editor: Editor,
        image: Source,
        faces: Sequence[Which] | None = None,
        domain: str = "human",
        only: str | Sequence[str] = (),
        still: bool = False,
        force: bool = False,
    ) -> Group:
        """The faces of a picture that are meant, all by default; the rest, and what is raised, as in `Editor.open`."""
        opened = open_picture(image)
        return cls(editor, cut_faces(opened.image, faces, only, force), domain, still, opened)

    def edit(
        self,
        mixes: Sequence[Mix] | Mix,
        seed: int = SEED,
        steps: int = STEPS,
        progress: bool = True,
        calibrated: bool = False,
    ) -> Edits:
        """The picture with each of the mixes on all of the faces; raises as `Portrait.edit`."""
        parts = [portrait.edit(mixes, seed, steps, progress, calibrated) for portrait in self.portraits]
        images = tuple(merge(parts[0].source, alike) for alike in zip(*parts, strict=True))
        return replace(parts[0], images=images, provenance=self._notes(parts), raw=_raw(parts))

    def edit_each(
        self,
        mixes: Sequence[Mix],
        seed: int = SEED,
        steps: int = STEPS,
        progress: bool = True,
        calibrated: bool = False,
    ) -> Edits:
        """The picture with one mix a face, in the order of `portraits`; one image. Raises as `Portrait.edit`.

        Raises ScaleError for another number of mixes than of faces.
        """
        if len(mixes) != len(self.portraits):
            raise ScaleError(f"{len(mixes)} mixes were given for {len(self.portraits)} faces: give one a face")
        pairs = zip(self.portraits, mixes, strict=True)
        parts = [portrait.edit(mix, seed, steps, progress, calibrated) for portrait, mix in pairs]
        image = merge(parts[0].source, [part[0] for part in parts])
        notes = self._notes(parts)
        return replace(parts[0], images=(image,), provenance=notes, raw=_raw(parts), each=tuple(mixes))

    def _notes(self, parts: Sequence[Edits]) -> dict[str, str]:
        return {**parts[0].provenance, "face": ", ".join(part.provenance["face"] for part in parts)}


@dataclass(frozen=True)
class Alone:
    """Faces that are edited alone, in any picture; the fields as in `Editor.open`. which: None is all of them."""

    which: tuple[Which, ...] | None = None
    only: tuple[str, ...] = ()
    still: bool = False
    force: bool = False

    def cuts(self, picture: Image.Image) -> list[Cut]:
        """The squares around these faces of a picture; raises ImageError as `cut_faces` does."""
        return cut_faces(picture, self.which, self.only, self.force)

    def open(self, editor: Editor, picture: Picture, domain: str) -> Group:
        """These faces of a picture, to be edited together."""
        return Group(editor, self.cuts(picture.image), domain, self.still, picture)


def merge(source: Image.Image, edited: Sequence[Image.Image]) -> Image.Image:
    """One picture from edits of the same source, each of another place; RGB and of one size."""
    before = np.asarray(source)
    result = before.copy()
    for image in edited:
        after = np.asarray(image)
        changed = (after != before).any(axis=2)
        result[changed] = after[changed]
    return Image.fromarray(result)


def _raw(parts: Sequence[Edits]) -> tuple[Image.Image, ...]:
    """The model's own pictures of all faces, those of one face after those of the other."""
    return tuple(image for part in parts for image in part.raw)
