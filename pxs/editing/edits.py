"""`Edits`: the images that came out, with everything needed to make them again. Shows itself in a notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from pxs.editing.calibration import Calibration
from pxs.errors import OutputError
from pxs.expressions import Mix
from pxs.images import FORMAT_SUFFIXES, Picture, animate, from_array, save_picture, to_array, wrapped_sheet
from pxs.images.showing import Showing, Shown
from pxs.storage.files import output_folder, sync_folder
from pxs.storage.paths import PathName, check_name, check_path, exists, kind_of


@dataclass(frozen=True, eq=False)
class Edits(Shown, Sequence[Image.Image]):
    """Edited images in order of their mixes; a sequence of PIL images of the source's size.

    source: the picture that was edited, RGB (with the recipe "published" the square that the model saw); images and
    mixes: equally many; seed and steps: of the sampling.
    provenance: model, model_hash, adapter, adapter_hash, recipe, domain, the hash of the source, and versions, all
    strings.
    raw: the model's own picture of each edit, of the model's size, without any detail of the source; with the recipe
    "published" these are the images.
    origin: the file that the source was read from, whose opacity, colours and EXIF data saved edits keep; None with the
    recipe "published".
    each: for one image whose faces have a mix each: these; `mixes` then holds the first of them.
    calibration: by which the model was asked for other intensities than `mixes`, None without one.
    """

    source: Image.Image
    images: tuple[Image.Image, ...]
    mixes: tuple[Mix, ...]
    seed: int
    steps: int
    provenance: dict[str, str] = field(default_factory=dict)
    raw: tuple[Image.Image, ...] = ()
    origin: Picture | None = None
    each: tuple[Mix, ...] = ()
    calibration: Calibration | None = None

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...

    @overload
    def __getitem__(self, index: slice) -> Edits: ...

    def __getitem__(self, index: int | slice) -> Image.Image | Edits:
        if not isinstance(index, slice):
            return self.images[index]
        count = len(self)
        faces = [self.raw[i : i + count][index] for i in range(0, len(self.raw), count or 1)]
        raw = tuple(image for one in faces for image in one)
        return replace(self, images=self.images[index], mixes=self.mixes[index], raw=raw)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Image.Image]:
        return iter(self.images)

    def __repr__(self) -> str:
        return f"Edits({len(self)} images of {self.source.width} x {self.source.height}, seed {self.seed})"

    def _shown(self) -> Showing:
        labels = "; ".join(self._labels())
        size = f"{self.source.width} x {self.source.height}"
        facts = f"{len(self)} edits of {size} pixels, seed {self.seed}, {self.steps} steps"
        return Showing(self.sheet(), f"The source and its edits: {labels}", facts)

    def sheet(self, columns: int = 8) -> Image.Image:
        """The source and all edits, labelled, at most `columns` in a row and 256 pixels a cell."""
        cells = [_thumbnail(image) for image in (self.source, *self.images)]
        return wrapped_sheet(cells, ["source", *self._labels()], columns)

    def _labels(self) -> list[str]:
        return [" | ".join(map(str, self.each or (mix,))) for mix in self.mixes]

    def differences(self, gain: float = 4.0) -> list[Image.Image]:
        """Per edit, the absolute change from the source times `gain`, as RGB on black."""
        source = to_array(self.source)
        return [from_array(np.clip(gain * np.abs(to_array(image) - source), 0, 1)) for image in self.images]

    def save(
        self, folder: PathName, stem: str = "edit", overwrite: bool = False, names: Sequence[str] | None = None
    ) -> list[Path]:
        """Write one PNG an edit, {stem}_{mix}.png, with seed, mix, hashes and versions in its text chunks.

        One edit may also be given the name of its file: `edits.save("face.png")`, `edits[2:3].save("face.jpg")`.

        names: file names to use instead, one an edit. Those that end in .webp and .jpg give WebP (lossless) and JPEG
        files with the same text; JPEG of quality 95, or with the recipe "published" of Pillow's default, as the script.

        Raises, before anything is written, OutputError if the folder cannot be written to, if a file exists (unless
        `overwrite`), or if two edits would get the same name, and PathError for a name that is not that of a file.
        """
        target = check_path(folder)
        if target.suffix.lower() in FORMAT_SUFFIXES.values() and names is None and kind_of(target) != "folder":
            target, names = target.parent, [target.name]
            if len(self) != 1:
                raise OutputError(f"{str(folder)!r} names one file for {len(self)} edits: give a folder, or one edit")
        given = [f"{stem}_{self.slug(mix)}.png" for mix in self.mixes] if names is None else names
        if len(given) != len(self.mixes):
            raise OutputError(f"{len(given)} names were given for {len(self.mixes)} edits: give one each")
        paths = [target / name for name in check_names(given)]
        taken = [p for p in paths if exists(p)]
        if taken and not overwrite:
            raise OutputError(f"{str(taken[0])!r} exists: choose another folder, or allow overwriting")
        output_folder(target)
        quality = 75 if self.provenance.get("recipe") == "published" else 95
        for path, image, mix in zip(paths, self.images, self.mixes, strict=True):
            save_picture(image, path, self.text(mix), overwrite, self.origin, quality)
        sync_folder(target)
        return paths

    def text(self, mix: Mix) -> dict[str, str]:
        """The text chunks of one edit's PNG."""
        found = edit_text(self.provenance, self.seed, self.steps, mix, self.calibration)
        return {**found, "mix": json.dumps([dict(one) for one in self.each])} if self.each else found

    def slug(self, mix: Mix) -> str:
        """The mix of an edit, or those of all its faces, as part of a file name."""
        return "+".join(one.slug for one in self.each or (mix,))

    def animate(self, path: PathName, seconds: float = 2.0) -> Path:
        """Write the edits as an animation, there and back (.gif, .webp or .png)."""
        return animate(list(self.images), path, seconds=seconds, edited=True)


def edit_text(
    provenance: Mapping[str, str], seed: int, steps: int, mix: Mix, calibration: Calibration | None = None
) -> dict[str, str]:
    """What the file of an edit says about it.

    "mix" holds the intensities that were asked for, "calibrated" the hash of the calibration, or "no".
    """
    calibrated = "no" if calibration is None else calibration.sha256
    sampling = {"seed": str(seed), "steps": str(steps), "calibrated": calibrated}
    return {**provenance, **sampling, "mix": json.dumps(dict(mix))}


def check_names(names: Sequence[str]) -> Sequence[str]:
    """The names of files for edits. Raises PathError for one that no file can have, OutputError for equal ones."""
    for name in names:
        if names.count(check_name(name)) > 1:
            raise OutputError(f"two edits would be written to {name!r}: ask for each mix once, to 6 digits")
    return names


def _thumbnail(image: Image.Image, side: int = 256) -> Image.Image:
    if max(image.size) <= side:
        return image
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small
