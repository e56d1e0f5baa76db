"""Stands in for a model in tests of many pictures, in any process: its edits are inverted pictures."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from PIL import ImageOps

from pxs.batch.work import Settings
from pxs.editing.edits import Edits
from pxs.errors import ImageError, ModelError

FATAL, FLAKY, BAD, MISSING = (1, 2, 3), (4, 5, 6), (7, 8, 9), "missing"
"""Colours of the first pixel of pictures that kill the process, that do so once, and that cannot be edited."""


@dataclass(frozen=True)
class StandIn(Settings):
    """Settings that load no model. log: a file that gets a line an edit."""

    log: Path = Path()

    def load(self, number=0, workers=1):
        if self.model == MISSING:
            raise ModelError("no model here")
        return SimpleNamespace(open=self._open)

    def _open(self, picture, domain):
        def edit(mixes, seed, steps, progress, calibrated):
            with open(self.log, "a") as file:
                file.write("edit\n")
            kind = picture.image.getpixel((0, 0))
            if kind == FATAL or kind == FLAKY and not self._seen():
                os.kill(os.getpid(), signal.SIGKILL)
            if kind == BAD:
                raise ImageError("it cannot be edited")
            images = tuple(ImageOps.invert(picture.image) for _ in mixes)
            return Edits(picture.image, images, mixes, seed, steps, {"model": self.model}, (), picture)

        return SimpleNamespace(edit=edit)

    def _seen(self):
        mark = self.log.with_suffix(".seen")
        there = mark.exists()
        mark.touch()
        return there
