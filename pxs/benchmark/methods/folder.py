"""A folder of pictures made elsewhere, by any program: FOLDER/TASK/MIX.png, for example human_000/happy_0.5.png.

The layout is that of `edits/METHOD` in a benchmark's results, so results of one run can enter another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from pxs.data.tasks import Task
from pxs.errors import DataError
from pxs.expressions import Mix
from pxs.images import open_image
from pxs.storage.hashes import file_hash
from pxs.storage.paths import kind_of

NAME = re.compile(r"\w[\w.-]*")


class Folder:
    """Pictures that are already there; `provenance` holds the hash of the folder's pictures.

    Raises DataError for a name that cannot be a folder's, and for a folder that is not there.
    """

    def __init__(self, name: str, path: str | Path) -> None:
        self.path = Path(path)
        if not NAME.fullmatch(name):
            raise DataError(f"method name {name!r} is not usable: give letters, digits, '_', '-' or '.'")
        if kind_of(path) != "folder":
            raise DataError(f"method {name!r}: {str(path)!r} is not a folder: give one with TASK/MIX.png inside")
        self.name = name

    @property
    def provenance(self) -> dict[str, str]:
        """Name, and the number and hash of the pictures."""
        from hashlib import sha256

        pictures = sorted(self.path.glob("*/*.png"))
        digest = sha256()
        for file in pictures:
            digest.update(f"{file.relative_to(self.path).as_posix()} {file_hash(file)}\n".encode())
        return {"method": f"folder {self.name}", "pictures": str(len(pictures)), "hash": digest.hexdigest()}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """The picture of each mix; raises ImageError that names the one that is missing."""
        return [open_image(self.path / task.name / f"{mix.slug}.png") for mix in mixes]
