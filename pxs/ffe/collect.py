"""Stage 1: folders of pictures -> identities (`collect`).

    FOLDER/identities.jsonl     a record a picture that was given, also of those left out, with the reason
    FOLDER/sources/NAME.png     the pictures that are kept: upright, sRGB, without what the file said about its camera
    FOLDER/sheet.webp           all that are kept, by the ends of their names, for people to reject from

A picture is left out if it cannot be read, has no face or several, is too small, blurred or turned, is the same file or
a near duplicate of another, or was rejected. Pictures of one person are kept, under the name of that person.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm.auto import tqdm

from pxs.batch.finding import Found
from pxs.editing.photographs import FaceFinder
from pxs.errors import DataError, ImageError, PxsError
from pxs.faces import STYLES
from pxs.faces import domain as domain_of
from pxs.ffe import manifest
from pxs.ffe.faces import Limits, Measured, fault, measure, near
from pxs.ffe.grouping import people
from pxs.images import open_image, save_picture, save_png, saved_text, wrapped_sheet
from pxs.judging.identity import IdentityJudge
from pxs.storage.hashes import file_hash
from pxs.storage.locks import writing

STAGE, SOURCES, SHEET = "identities", "sources", "sheet.webp"
KEPT = ("identity", "style", "mix", "pxs")  # what the text of a synthetic picture says
THUMBNAIL, COLUMNS, ON_SHEET = 112, 12, 600
REJECTED = "rejected"
DIGITS = 6  # at the end of a name, which tell it from others


@dataclass(frozen=True)
class Subject:
    """A picture that was given.

    path: where it was; sha256: of that file. picture: the copy in FOLDER, empty for what was left out, of which
    `dropped` is the reason. person: the name of the first picture of the same person. domain: "human" or "anime". box:
    of the face, in pixels of the copy. number, style: of a synthetic person, -1 and empty for others. licence, origin:
    as stated, or "not stated".
    """

    name: str
    key: str
    path: str
    sha256: str
    picture: str
    person: str
    domain: str
    box: list[float]
    size: float
    sharpness: float
    turn: float
    print: str
    number: int
    style: str
    licence: str
    origin: str
    dropped: str


@dataclass(frozen=True)
class Terms:
    """On what terms a picture is used: its licence, and where it comes from."""

    licence: str = "not stated"
    origin: str = "not stated"


@dataclass(frozen=True)
class Criteria:
    """What pictures must meet. same: the cosine of one person. domain: of pictures that do not say theirs."""

    limits: Limits = Limits()
    same: float = 0.5
    domain: str = "human"


def collect(
    pictures: Sequence[Found],
    folder: Path,
    finder: FaceFinder,
    recogniser: IdentityJudge | None,
    terms: Mapping[str, Terms],
    criteria: Criteria = Criteria(),
    rejected: Sequence[str] = (),
    progress: bool = False,
) -> list[Subject]:
    """The records of all pictures, which are then in the manifest.

    terms: by the name of a picture below the folder that all have in common, by the folders above it, or for all by "".
    rejected: names that people took off the sheet, or their last DIGITS; those of an earlier run stay rejected. Raises
    DataError for one that is not there, and if nothing is kept.
    """
    files = [_file(picture) for picture in pictures]
    names = {file.name for file in files}
    if unknown := set(rejected) - names - {name[-DIGITS:] for name in names}:
        raise DataError(f"no picture has the name {sorted(unknown)[0]!r}: take the names from {SHEET}")
    with writing(folder), manifest.unless_empty(folder, STAGE, Subject):
        known = manifest.recover(folder, STAGE, Subject)
        out = {subject.name for subject in known.values() if subject.dropped == REJECTED} | set(rejected)
        name = getattr(recogniser, "name", "")
        settings = {"limits": asdict(criteria.limits), "same": criteria.same, "recogniser": name}
        manifest.write(folder, STAGE, len(files), settings, known.values())
        found = []
        for file in tqdm(files, "collect", leave=False, disable=not progress):
            subject = _looked_at(
                file, folder, known.get(file.name), finder, _terms_of(file.picture.name, terms), criteria
            )
            found.append(subject)
            if known.get(file.name) != subject:
                manifest.add(folder, STAGE, subject)
        done = _rejected(_grouped(_without_duplicates(found), folder, recogniser, criteria.same), out)
        if all(subject.dropped for subject in done):
            reasons = ", ".join(f"{why}: {count}" for why, count in manifest.counted(s.dropped for s in done).items())
            raise DataError(f"none of {len(done)} pictures is kept ({reasons}): give others, or change the limits")
        manifest.write(folder, STAGE, len(done), settings, done)
        _remove_others(folder, done)
        _write_sheet(folder, done)
    return done


def kept(folder: Path) -> list[Subject]:
    """The subjects that were not left out. Raises DataError as `manifest.read`, and for a picture that is gone."""
    subjects = [s for s in manifest.read(folder, STAGE, Subject) if not s.dropped]
    for subject in subjects:
        if not (folder / subject.picture).is_file():
            raise DataError(f"{folder / subject.picture} is gone: run 'pxs ffe collect' again, which copies it anew")
    return subjects


def _terms_of(name: str, terms: Mapping[str, Terms]) -> Terms:
    """The terms of a picture: its own, or those of the nearest folder above it."""
    places = [name, *(str(parent) for parent in Path(name).parents), ""]
    return next((terms[place] for place in places if place in terms), Terms())


class File(NamedTuple):
    """A picture that was given, the hash of its content (empty if it cannot be read), and its name in the data set."""

    picture: Found
    sha256: str
    name: str


def _file(picture: Found) -> File:
    """The name is the stem of the file in plain letters, and DIGITS that tell it from others."""
    try:
        sha256 = file_hash(picture.path)
    except OSError:
        sha256 = ""
    stem = re.sub(r"[^A-Za-z0-9]+", "_", picture.path.stem)[:40]
    digits = hashlib.sha256(f"{picture.name} {sha256}".encode()).hexdigest()[:DIGITS]
    return File(picture, sha256, f"{stem}-{digits}")


def _looked_at(
    file: File, folder: Path, before: Subject | None, finder: FaceFinder, terms: Terms, criteria: Criteria
) -> Subject:
    """The record of one picture by itself, whose copy is written if it is kept; that of an earlier run if it holds."""
    key = manifest.key_of(file.sha256, asdict(criteria.limits), criteria.domain, asdict(terms))
    copy = f"{SOURCES}/{file.name}.png"
    if before and before.key == key and (not before.picture or _is_copy(folder / copy, file.sha256)):
        return replace(before, person=before.name, dropped="" if before.picture else before.dropped)
    path, said = str(file.picture.path), (terms.licence, terms.origin)
    blank = Subject(
        file.name, key, path, file.sha256, "", file.name, criteria.domain, [], 0.0, 0.0, 0.0, "", -1, "", *said, ""
    )
    try:
        image = open_image(file.picture.path)
    except ImageError as error:
        return replace(blank, dropped=f"unreadable: {error}")
    measured, reason = measure(image, finder)
    if measured is None:
        return replace(blank, dropped=reason)
    reason = fault(measured, criteria.limits)
    text = {entry: value for entry, value in saved_text(file.picture.path).items() if entry in KEPT}
    subject = _described(blank, measured, text, reason)
    if reason:
        return subject
    save_png(image, folder / copy, {**text, "sha256": file.sha256}, overwrite=True)
    return replace(subject, picture=copy)


def _is_copy(copy: Path, sha256: str) -> bool:
    return saved_text(copy).get("sha256") == sha256


def _described(blank: Subject, measured: Measured, text: Mapping[str, str], reason: str) -> Subject:
    number, style = text.get("identity", ""), text.get("style", "")
    synthetic = number.isascii() and number.isdigit() and style in STYLES
    return replace(
        blank,
        domain=domain_of(style) if synthetic else blank.domain,
        box=list(measured.box),
        size=measured.size,
        sharpness=measured.sharpness,
        turn=measured.turn,
        print=f"{measured.print:016x}",
        number=int(number) if synthetic else -1,
        style=style if synthetic else "",
        dropped=reason,
    )


def _without_duplicates(subjects: Sequence[Subject]) -> list[Subject]:
    """The same records; of near duplicates all but the largest face are left out."""
    chosen: list[Subject] = []
    reasons: dict[str, str] = {}
    for subject in sorted((s for s in subjects if s.picture), key=lambda s: (-s.size, s.name)):
        twin = next((s for s in chosen if _twins(s, subject)), None)
        if twin is None:
            chosen.append(subject)
        else:
            reasons[subject.name] = f"{'same file' if twin.sha256 == subject.sha256 else 'near duplicate'}: {twin.name}"
    return [replace(s, dropped=reasons.get(s.name, s.dropped)) for s in subjects]


def _twins(first: Subject, second: Subject) -> bool:
    if first.number >= 0 and second.number >= 0 and first.number != second.number:
        return False
    return first.sha256 == second.sha256 or near(int(first.print, 16), int(second.print, 16))


def _grouped(subjects: Sequence[Subject], folder: Path, recogniser: IdentityJudge | None, same: float) -> list[Subject]:
    """The same records with the names of people."""
    usable = [s for s in subjects if s.picture and not s.dropped]
    embeddings: NDArray[np.float32] = np.zeros((len(usable), 0), np.float32)
    if recogniser is not None and usable:
        try:
            embeddings = np.concatenate([recogniser.embed([open_image(folder / s.picture)]) for s in usable])
        except PxsError as error:
            raise DataError(f"the recogniser {recogniser.name} fails ({error}): name another, or none") from None
    first = people(embeddings, [s.number for s in usable], same)
    person = {s.name: usable[place].name for s, place in zip(usable, first, strict=True)}
    return [replace(s, person=person.get(s.name, s.name)) for s in subjects]


def _rejected(subjects: Sequence[Subject], names: set[str]) -> list[Subject]:
    return [replace(s, dropped=REJECTED) if {s.name, s.name[-DIGITS:]} & names else s for s in subjects]


def _remove_others(folder: Path, subjects: Sequence[Subject]) -> None:
    """Remove copies of pictures that are no longer among those that were given."""
    wanted = {folder / s.picture for s in subjects if s.picture}
    for file in (folder / SOURCES).glob("*.png"):
        if file not in wanted:
            file.unlink(missing_ok=True)


def _write_sheet(folder: Path, subjects: Sequence[Subject]) -> None:
    """The sheet of those that are kept, by person; of very many, the first ON_SHEET."""
    shown = sorted((s for s in subjects if not s.dropped), key=lambda s: (s.person, s.name))[:ON_SHEET]
    if not shown:
        return
    small = []
    for subject in shown:
        left, top, right, bottom = subject.box
        picture = open_image(folder / subject.picture).crop((round(left), round(top), round(right), round(bottom)))
        side = max(picture.size)
        square = Image.new("RGB", (side, side), "white")
        square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        small.append(square.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS))
    save_picture(wrapped_sheet(small, [s.name[-DIGITS:] for s in shown], COLUMNS), folder / SHEET, {}, overwrite=True)
