"""`Shelf`: the edits that a session keeps, as PNG files in a folder of its own."""

from __future__ import annotations

import io
import shutil
import threading
import weakref
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pxs.app.events import data_url
from pxs.editing.edits import Edits
from pxs.errors import OutputError
from pxs.images import animate

MOST, MOST_BYTES = 60, 200_000_000
"""Edits that one session can keep, and bytes of their files."""
THUMBNAIL, FRAME = 224, 768  # longest side of a thumbnail, and of a frame of an animation, in pixels
ANIMATIONS = {"gif": "image/gif", "webp": "image/webp"}


@dataclass(frozen=True)
class Kept:
    """One kept edit: its file, the mix in words, and the command that makes it."""

    file: Path
    label: str
    command: str
    thumbnail: str  # a data URL

    @property
    def facts(self) -> dict[str, str]:
        """What the page shows of it."""
        return {"name": self.file.name, "label": self.label, "image": self.thumbnail}


class Shelf:
    """Kept edits in the folder `folder`, in the order in which they were kept. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[Kept] = []
        self._count = 0
        self._newest: Callable[[], Edits | None] = lambda: None
        self._lock = threading.Lock()

    def keep(self, edits: Edits, stem: str, command: str) -> None:
        """Keep an edit, once. Raises OutputError where there is no more room."""
        with self._lock:
            if edits is self._newest():
                return
            if len(self.kept) >= MOST or sum(one.file.stat().st_size for one in self.kept) > MOST_BYTES:
                raise OutputError(
                    f"{len(self.kept)} edits are kept, and there is no room for more: download them and remove some"
                )
            mix, self._count = edits.mixes[0], self._count + 1
            [file] = edits.save(self.folder, names=[f"{self._count:02d}_{stem}_{mix.slug}.png"])
            image = data_url(edits[0], THUMBNAIL)
            self.kept.append(Kept(file, str(mix), command, image))
            self._newest = weakref.ref(edits)

    def remove(self, name: str) -> None:
        """Remove a kept edit and its file; nothing happens if there is none of this name."""
        with self._lock:
            for one in [one for one in self.kept if one.file.name == name]:
                self.kept.remove(one)
                one.file.unlink(missing_ok=True)
                self._newest = lambda: None

    def clear(self) -> None:
        """Remove all."""
        with self._lock:
            self.kept.clear()
            shutil.rmtree(self.folder, ignore_errors=True)

    def written(self, edits: Edits, name: str) -> bytes:
        """The PNG file of one edit, which is not kept."""
        with self._lock:
            [file] = edits.save(self.folder, names=[name], overwrite=True)
            try:
                return file.read_bytes()
            finally:
                file.unlink()

    def content(self, name: str) -> bytes | None:
        """The PNG file of this name; None if it is not kept."""
        with self._lock:
            return next((one.file.read_bytes() for one in self.kept if one.file.name == name), None)

    def archive(self) -> bytes:
        """A ZIP file with all kept edits, and the commands that make them. Raises OutputError if there are none."""
        with self._lock:
            if not self.kept:
                raise OutputError("no edit is kept yet: keep one, then download them")
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for one in self.kept:
                    archive.write(one.file, one.file.name)
                archive.writestr("commands.txt", "".join(f"{one.command}\n" for one in self.kept))
            return buffer.getvalue()

    def animation(self, kind: str) -> bytes:
        """The kept edits as an animation, "gif" or "webp", there and back, of at most FRAME pixels a side.

        Raises OutputError for fewer than two, and where their sizes differ.
        """
        with self._lock:
            if len(self.kept) < 2:
                raise OutputError("an animation needs two kept edits or more: keep another one")
            frames = [_read(one.file) for one in self.kept]
            file = animate(frames, self.folder / f"animation.{kind}", seconds=0.4 * len(frames), edited=True)
            return file.read_bytes()


def _read(file: Path) -> Image.Image:
    with Image.open(file) as image:
        frame = image.convert("RGB")
    frame.thumbnail((FRAME, FRAME), Image.Resampling.LANCZOS)
    return frame
