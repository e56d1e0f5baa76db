"""What the page is told: events as JSON objects, with pictures as data URLs."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from PIL import Image

from pxs.app.choice import Opened
from pxs.app.lines import Model, command_line, python_line
from pxs.editing.edits import Edits
from pxs.editing.request import Request
from pxs.images.screen import jpeg, scaled

LONGEST = 1024
"""Longest side of a picture that is sent to the page, in pixels."""

Event = dict[str, Any]


def data_url(image: Image.Image, longest: int = LONGEST) -> str:
    """The image as a JPEG in a data URL, made smaller where its longer side has more than `longest` pixels."""
    content = jpeg(image, scaled(image.size, min(longest, max(image.size))))
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def settings_event(request: Request) -> Event:
    """How sliders and fields are set."""
    return {"kind": "settings", "mix": dict(request.mix), "seed": request.seed, "steps": request.steps}


def finished_event(model: Model, opened: Opened, edits: Edits) -> Event:
    """A finished edit of one mix, with the line of Python and the command that make it."""
    request = Request.of(edits)
    made = model, opened.choice, opened.face, request
    return {
        **settings_event(request),
        "kind": "finished",
        "image": data_url(edits[0]),
        "label": str(request.mix),
        "remarks": request.remarks,
        "python": python_line(*made),
        "command": command_line(*made),
    }


def picture_event(opened: Opened) -> Event:
    """What the page shows of an opened picture; boxes of faces are shares of its width and height."""
    shown: Image.Image = opened.portrait.prepared.shown
    (width, height), choice = opened.portrait.source.size, opened.choice
    return {
        "kind": "picture",
        "image": data_url(shown),
        "width": shown.width,
        "height": shown.height,
        "name": choice.name,
        "domain": choice.domain,
        "sample": None if choice.sample is None else list(choice.sample),
        "faces": [[x / side for x, side in zip(f.box, (width, height) * 2, strict=True)] for f in opened.faces],
        "boxed": shown.size == (width, height),
        "face": opened.face,
        "remarks": list(opened.remarks),
    }


def stem_of(name: str) -> str:
    """The stem of a file name, of at most 60 characters that any system takes."""
    return re.sub(r"[^\w-]+", "_", Path(name).stem)[:60].strip("_") or "face"
