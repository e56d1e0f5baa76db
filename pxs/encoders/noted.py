"""Which networks a training looked at: a note beside the adapter, so that none of them scores it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from pxs.errors import JudgeError, one_line

ENCODERS = "encoders.json"
"""The file beside a trained adapter with the names of the encoders of its losses."""

VERSION = re.compile(r"\b[0-9a-f]{8}\b")
"""What tells weights apart, at the end of the name of an encoder or a judge: the first digits of their hash."""


def refuse_encoders(judges: Iterable[str], adapter: Path) -> None:
    """Raise JudgeError if the file ENCODERS beside an adapter (a file, or a folder with one) names a judge's weights.

    `judges` are names of judges, which end in their version.
    """
    if not adapter.exists():
        return
    note = (adapter if adapter.is_dir() else adapter.parent) / ENCODERS
    try:
        encoders = list(map(str, json.loads(note.read_text())["encoders"])) if note.is_file() else []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JudgeError(f"{str(note)!r} cannot be read ({one_line(error)}): remove it, or train again") from None
    looked_at = {version for encoder in encoders for version in VERSION.findall(encoder)}
    for judge in judges:
        if looked_at & set(VERSION.findall(judge)):
            raise JudgeError(
                f"the judge {judge} has the weights that the training of {str(adapter)!r} looked at: choose another"
            )
