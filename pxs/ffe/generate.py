"""Stage 3: the expressions, by any method of a bench (`generate`).

    FOLDER/pictures.jsonl                           a record a picture, also of those that failed, with the reason
    FOLDER/pictures/SUBJECT/EXPRESSION_ASKED.png    the pictures, with their provenance in text chunks

A picture that fails, or in which no face is found, is made again with the next seed, a few times; the next run tries
again. Methods that set the expression by number do not read the part of a prompt that names parts of the face; it is
recorded all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from tqdm.auto import tqdm

from pxs.benchmark.methods import Method
from pxs.benchmark.methods.context import Context
from pxs.data.synthetic_bench import SyntheticTruth
from pxs.data.tasks import Task
from pxs.editing.photographs import FaceFinder
from pxs.errors import DataError, OutputError, PxsError, ScaleError, one_line
from pxs.expressions import Mix
from pxs.ffe import manifest
from pxs.ffe.collect import Subject, kept
from pxs.ffe.compose import about, library
from pxs.ffe.engines import Engine, here
from pxs.ffe.planning import Amount, PlannedPicture, plan
from pxs.images import save_png
from pxs.storage.hashes import file_hash
from pxs.storage.locks import writing

STAGE, PICTURES = "pictures", "pictures"


@dataclass(frozen=True)
class Made:
    """A picture of a subject with an expression.

    asked: the intensity that was asked for. prompt: its name in the library, text: about this subject. seed: of the
    attempt that succeeded, or of the last one. method: what identifies the generator and its settings. picture: the
    file in FOLDER, empty after a failure, of which `error` is the reason.
    """

    name: str
    key: str
    subject: str
    person: str
    expression: str
    asked: float
    strength: str
    prompt: str
    text: str
    seed: int
    attempts: int
    method: dict[str, str]
    picture: str
    sha256: str
    error: str


@dataclass(frozen=True)
class Generator:
    """A method, its name, and the settings that it shares with others, whose seed is set before each attempt."""

    name: str
    method: Method
    context: Context

    def provenance(self) -> dict[str, str]:
        """What identifies the method and its settings."""
        return {"generator": self.name, **(getattr(self.method, "provenance", None) or {})}

    def edit(self, task: Task, mixes: Sequence[Mix], seed: int) -> list[Image.Image]:
        """One picture a mix."""
        self.context.seed = seed
        images = list(self.method.edit(task, mixes))
        if len(images) != len(mixes):
            raise DataError(f"the method gave {len(images)} images for {len(mixes)} mixes")
        return images


class Makers(NamedTuple):
    """What makes pictures, and what finds a face in every one that counts; None takes all."""

    generator: Generator
    finder: FaceFinder | None


def generate(
    folder: Path,
    generator: Generator,
    amount: Amount = Amount(),  # noqa: B008
    finder: FaceFinder | None = None,
    attempts: int = 3,
    progress: bool = False,
    engine: Engine = here,
) -> list[Made]:
    """The records of all pictures, which are then in the manifest.

    finder: finds a face in every picture that counts; None takes all. engine: does the work (engines.py). Raises
    DataError if nothing could be made, OutputError where nothing can be written, and what the method raises that no
    picture could change.
    """
    planned = plan(kept(folder), library(folder), amount)
    seed, provenance = generator.context.seed, generator.provenance()
    keys = {one.name: _key(one, provenance, seed, attempts) for one in planned}
    with writing(folder), manifest.unless_empty(folder, STAGE, Made):
        before = manifest.recover(folder, STAGE, Made)
        known = {name: before[name] for name in keys if name in before and _holds(before[name], keys[name], folder)}
        settings = {"generator": provenance, "pairs": amount.pairs, "each": amount.each, "attempts": attempts}
        manifest.write(folder, STAGE, len(planned), settings, known.values())
        found = dict(known)
        with tqdm(total=len(planned), desc="generate", leave=False, disable=not progress) as bar:
            bar.update(len(known))
            groups = list(_groups([one for one in planned if one.name not in known]))
            make = partial(_made, folder, provenance, seed, attempts)
            for made in engine(make, Makers(generator, finder), groups, Made):
                found[made.name] = made
                manifest.add(folder, STAGE, made)
                bar.update()
                bar.set_postfix(failed=sum(bool(m.error) for m in found.values()), refresh=False)
        done = [found[one.name] for one in planned]
        manifest.write(folder, STAGE, len(done), settings, done)
        if all(made.error for made in done):
            raise DataError(f"none of {len(done)} pictures could be made, the first: {done[0].error}")
    return done


def made_pictures(folder: Path) -> list[Made]:
    """The pictures that could be made. Raises DataError as `manifest.read`, and for one that is gone or was changed."""
    found = [made for made in manifest.read(folder, STAGE, Made) if not made.error]
    for made in found:
        if not _is_there(made, folder):
            raise DataError(
                f"{folder / made.picture} is gone or was changed: run 'pxs ffe generate' again, which makes it anew"
            )
    return found


def _key(one: PlannedPicture, provenance: Mapping[str, str], seed: int, attempts: int) -> str:
    text = about(one.prompt, one.subject.domain)
    return manifest.key_of(
        one.subject.sha256, one.subject.person, one.expression, one.asked, text, provenance, seed, attempts
    )


def _holds(made: Made, key: str, folder: Path) -> bool:
    """Whether a record of an earlier run is still good; failures are tried again."""
    return made.key == key and not made.error and _is_there(made, folder)


def _is_there(made: Made, folder: Path) -> bool:
    file = folder / made.picture
    return file.is_file() and file_hash(file) == made.sha256


def _groups(planned: Sequence[PlannedPicture]) -> Iterator[list[PlannedPicture]]:
    """Pictures of one subject and expression, which a method makes together."""
    for _, group in groupby(planned, lambda one: (one.subject.name, one.expression)):
        yield list(group)


def _task(subject: Subject, expression: str, text: str, folder: Path) -> Task:
    truth = SyntheticTruth(subject.number, subject.style) if subject.number >= 0 else None
    left, top, right, bottom = subject.box
    return Task(
        name=subject.name,
        domain=subject.domain,
        expression=expression,
        prompt=text,
        picture=folder / subject.picture,
        box=(left, top, right, bottom),
        identity=subject.number if subject.number >= 0 else None,
        style=subject.style,
        truth=truth,
    )


def _made(
    folder: Path,
    provenance: Mapping[str, str],
    seed: int,
    attempts: int,
    makers: Makers,
    group: Sequence[PlannedPicture],
) -> Iterator[Made]:
    """The records of pictures of one subject and expression; what fails is tried again with the next seeds."""
    left = list(group)
    for attempt in range(attempts):
        images, errors = _attempt(left, folder, makers, seed + attempt)
        again = []
        for one in left:
            error = errors.get(one.name, "")
            key = _key(one, provenance, seed, attempts)
            made = _record(one, key, provenance, seed + attempt, attempt + 1, error)
            if not error:
                yield _saved(made, images[one.name], one.subject, folder)
            elif attempt + 1 == attempts:
                yield made
            else:
                again.append(one)
        left = again
        if not left:
            return


def _attempt(
    group: Sequence[PlannedPicture], folder: Path, makers: Makers, seed: int
) -> tuple[dict[str, Image.Image], dict[str, str]]:
    """Pictures by name, and why others failed."""
    generator, finder = makers
    first = group[0]
    task = _task(first.subject, first.expression, about(first.prompt, first.subject.domain), folder)
    try:
        images = generator.edit(task, [Mix({one.expression: one.asked}) for one in group], seed)
    except (ScaleError, OutputError):  # no other picture would fare better
        raise
    except Exception as error:  # a foreign method can raise anything: the others go on
        kind = "" if isinstance(error, PxsError) else f"{type(error).__name__}: "
        return {}, dict.fromkeys((one.name for one in group), f"{kind}{one_line(error)}")
    named = {one.name: image.convert("RGB") for one, image in zip(group, images, strict=True)}
    if finder is None:
        return named, {}
    return named, {name: "no face in the picture" for name, image in named.items() if not finder.find(image)}


def _record(one: PlannedPicture, key: str, provenance: Mapping[str, str], seed: int, attempts: int, error: str) -> Made:
    return Made(
        name=one.name,
        key=key,
        subject=one.subject.name,
        person=one.subject.person,
        expression=one.expression,
        asked=one.asked,
        strength=one.prompt.strength,
        prompt=one.prompt.name,
        text=about(one.prompt, one.subject.domain),
        seed=seed,
        attempts=attempts,
        method=dict(provenance),
        picture="",
        sha256="",
        error=error,
    )


def _saved(made: Made, image: Image.Image, subject: Subject, folder: Path) -> Made:
    """The record of a picture that is now on the disk."""
    person = {"identity": str(subject.number), "style": subject.style} if subject.number >= 0 else {}
    mix = str(Mix({made.expression: made.asked}))
    text = {**made.method, **person, "mix": mix, "seed": str(made.seed), "prompt": made.text}
    picture = f"{PICTURES}/{made.name}.png"
    save_png(image, folder / picture, text, overwrite=True)
    values = {name: getattr(made, name) for name in made.__dataclass_fields__}
    return Made(**{**values, "picture": picture, "sha256": file_hash(folder / picture)})
