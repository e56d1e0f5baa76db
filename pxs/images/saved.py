"""Pictures that lie on disk already: what they say about themselves, and which of those that are wanted are there.

A command that was interrupted goes on by this: pictures whose text says that they are the wanted ones are kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from pxs.errors import OutputError
from pxs.images.files import read_text
from pxs.storage.paths import PathName, exists


def picture_hash(image: Image.Image) -> str:
    """The SHA-256 of an image's mode, size and pixels, as 64 hexadecimal digits."""
    return hashlib.sha256(f"{image.mode} {image.size} ".encode() + image.tobytes()).hexdigest()


def saved_text(path: PathName) -> dict[str, str]:
    """The text that `save_picture` put into a file, and its "size" as 64 x 64.

    Empty for a file that is damaged, or no such picture.
    """
    try:
        with Image.open(os.fsdecode(path), formats=("PNG", "JPEG", "WEBP")) as image:
            image.load()  # damage shows here
            size = f"{image.width} x {image.height}"
        return {**read_text(path), "size": size}
    except Exception:  # damaged data: the decoders raise many classes of errors
        return {}


def finished(wanted: Mapping[Path, Mapping[str, str]]) -> set[Path]:
    """Those of the wanted pictures that are there, by path; the text of each must hold the given entries.

    Raises OutputError for a file that is there but is another picture, or none.
    """
    there = {path for path in wanted if exists(path)}
    for path in wanted:
        if path in there:
            saved = saved_text(path)
            other = next((key for key, value in wanted[path].items() if saved.get(key) != value), None)
            if other:
                raise OutputError(
                    f"{str(path)!r} exists, with {other} {saved.get(other, 'unknown')[:40]!r} instead of "
                    f"{wanted[path][other][:40]!r}: choose another folder, or allow overwriting (--overwrite)"
                )
    return there
