"""A recipe's steps around one face of a picture: cut, prepare, and the way back to the whole picture."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from pxs.editing.photographs.choosing import Which, choose_all
from pxs.editing.photographs.cutting import Cut
from pxs.editing.photographs.faces import Face, Faces, finder, installed
from pxs.editing.photographs.outline import check_regions
from pxs.editing.photographs.pose import hold_still
from pxs.editing.recipes import Prepared, Recipe, Sides
from pxs.errors import ImageError
from pxs.images import Box, Fit


def prepare_cut(cut: Cut, recipe: Recipe, sides: Sides, still: bool = False) -> Prepared:
    """What `recipe` makes of the square around a face; edits are restored into the whole picture.

    still: warp every edit back onto the pose that the head had; restoring then raises ImageError where it cannot be.
    """
    small = cut.square.resize((sides.trained, sides.trained), Image.Resampling.LANCZOS)
    prepared = recipe.prepare(small, sides, None)
    way = Fit(cut.square, prepared.sampled)

    def restore(edited: Image.Image) -> Image.Image:
        square = way.restore(edited)
        return cut.put_back(hold_still(cut.square, square) if still else square)

    return prepared._replace(shown=cut.picture, restore=restore)


def cut_faces(
    picture: Image.Image, which: Sequence[Which] | None, only: str | Sequence[str] = (), force: bool = False
) -> list[Cut]:
    """Squares around faces of a picture, each keeping clear of all other faces; around all of them for None.

    Raises ImageError as `choose_all` does, and for a part of a face that is unknown.
    """
    parts = check_regions(only) if only else ()
    boxes = which is not None and all(isinstance(one, (tuple, Face)) for one in which)
    faces = Faces(picture, [] if boxes and not installed() else finder().find(picture))
    chosen = choose_all(faces, which, force)
    return [Cut(picture, face, [f for f in (*chosen, *faces) if f is not face], parts) for face in chosen]


def check_alone(face: Which | None, box: Box | None, limited: bool) -> None:
    """Raise ImageError for a face together with a box, and for an edit that is limited to a part of no face."""
    if face is None and limited:
        raise ImageError("a part of the face, or a head held still, needs the face: give face='largest'")
    if face is not None and box is not None:
        raise ImageError("face and box exclude each other: give the face alone, which takes a box as well")
