"""FFE rows for tests: a sound row as JSON, the row that it describes, and a file of rows."""

import json

from pxs.data.ffe import Row, Target
from pxs.expressions import Mix

PICTURES = ("source", "fear", "surprised")


def document():
    """A sound row as JSON."""
    targets = [{"image": f"images/{c}.png", "category": c, "scores": {c: 0.5, "anxious": 0.25}} for c in PICTURES[1:]]
    return {"src": {"image": "images/source.png"}, "dst": targets}


def sample(folder, domain="human", boxes=()):
    """The row that `document` describes."""
    source, *images = (folder / "images" / f"{name}.png" for name in PICTURES)
    targets = [Target(i, c, Mix({c: 0.5, "anxious": 0.25})) for i, c in zip(images, PICTURES[1:], strict=True)]
    return Row(source, tuple(targets), domain, boxes)


def save(folder, *lines):
    path = folder / "train.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path
