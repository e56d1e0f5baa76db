"""Which picture a session edits (`PictureChoice`), and that picture opened by the model (`Opened`)."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from pxs.app import offers
from pxs.app.offers import Sample
from pxs.editing.editor import Editor
from pxs.editing.photographs import Face, Faces, finder, installed
from pxs.editing.photographs.choosing import check_face, doubt
from pxs.editing.portrait import Portrait
from pxs.editing.request import Request
from pxs.errors import ImageError, PxsError, one_line
from pxs.expressions import NEUTRAL, Mix
from pxs.faces import kinds
from pxs.images import Picture, open_picture, read_text

T = TypeVar("T")
AUTO: Literal["auto"] = "auto"


@dataclass(frozen=True, eq=False)
class PictureChoice:
    """A picture that was chosen.

    content: of its file. name: of the file. domain: "human" or "anime". face: the number of the face that is edited
    alone, None for the whole picture, or AUTO: a face alone where the picture is no portrait that the model knows.
    sample: which sample it is, if it is one.
    """

    content: bytes
    name: str
    domain: str = "human"
    face: int | None | Literal["auto"] = AUTO
    sample: Sample | None = None

    @classmethod
    def of_sample(cls, sample: Sample) -> PictureChoice:
        """The choice of a sample face."""
        return cls(offers.png(sample), sample.file, sample.domain, None, sample)


@dataclass(frozen=True, eq=False)
class Opened:
    """A picture that the model has opened. face: the number of the face in `faces` that is edited alone, or None.

    remarks: what a user should know about it, each one line.
    """

    choice: PictureChoice
    portrait: Portrait
    faces: tuple[Face, ...]
    face: int | None
    remarks: tuple[str, ...]


class Origin(NamedTuple):
    """What an edit was made of: the hash of the picture, and the box of the face that was edited alone, or ""."""

    source: str
    face: str

    @classmethod
    def of(cls, text: Mapping[str, str]) -> Origin:
        """The origin that the provenance of an edit states."""
        return cls(text["source"], text.get("face", ""))


class Settings(NamedTuple):
    """What a file of ours says about the edit in it."""

    request: Request
    origin: Origin


def settings_in(content: bytes) -> Settings | None:
    """The settings in a file that holds an edit of ours; None for any other file, or for an edit beyond the sliders."""
    try:
        text = read_text(content)
        if text.get("calibrated", "no") != "no" or text.get("zero", NEUTRAL) != NEUTRAL:
            return None
        request = Request(Mix(json.loads(text["mix"])), int(text["seed"]), int(text["steps"])).check()
        return Settings(request, Origin.of(text))
    except (PxsError, KeyError, ValueError, RecursionError):
        return None


def open_choice(editor: Editor, choice: PictureChoice) -> Opened:
    """Open the picture. Raises ImageError if it cannot be used."""
    picture, remarks = _warned(open_picture, choice.content)
    trained = editor.checkpoint.styles
    if choice.sample and trained and choice.sample.style not in trained:
        remarks = (*remarks, f"this model was trained on {kinds(trained)} only: expect a poor edit of this face")
    look = choice.sample is None and installed()
    faces = Faces(picture.image, finder().find(picture.image) if look else [])
    if choice.face != AUTO:
        portrait, more = _open(editor, picture, choice, faces, choice.face)
        return Opened(choice, portrait, faces.found, choice.face, (*remarks, *more))
    if len(faces) < 2 and not (faces and doubt(faces)):
        portrait, more = _open(editor, picture, choice, faces, None)
        if not (faces and more):
            return Opened(choice, portrait, faces.found, None, (*remarks, *more))
    return _face_alone(editor, picture, choice, faces, remarks)


def _face_alone(
    editor: Editor, picture: Picture, choice: PictureChoice, faces: Faces, remarks: tuple[str, ...]
) -> Opened:
    """The largest face that can be edited alone; the whole picture if there is none."""
    for number, face in enumerate(faces):
        try:
            check_face(face, picture.image.size)
        except ImageError as error:
            remarks = (*remarks, plain(one_line(error)))
            continue
        portrait, more = _open(editor, picture, choice, faces, number)
        return Opened(choice, portrait, faces.found, number, more)
    portrait, more = _open(editor, picture, choice, faces, None)
    return Opened(choice, portrait, faces.found, None, (*remarks[:1], *more))


def _open(
    editor: Editor, picture: Picture, choice: PictureChoice, faces: Faces, face: int | None
) -> tuple[Portrait, tuple[str, ...]]:
    if face is None:
        return _warned(editor.open, picture, choice.domain)
    if face >= len(faces):
        raise ImageError(f"there is no face {face} in {choice.name!r}: choose another")
    return _warned(editor.open, picture, choice.domain, face=faces[face])


def _warned(make: Callable[..., T], *given: Any, **more: Any) -> tuple[T, tuple[str, ...]]:
    """What `make` returns, and its warnings as lines for a user."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = make(*given, **more)
    return made, tuple(plain(str(one.message)) for one in caught)


def plain(message: str) -> str:
    """A message for people who see neither Python nor the command line: without brackets, and without `force`."""
    return re.sub(r"(, or|:) force=True.*$", "", re.sub(r" *\([^()]*\)", "", message))
