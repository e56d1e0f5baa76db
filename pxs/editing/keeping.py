"""Edits that are kept as they come: each batch is on disk before the next begins, and what is there is not made again.

    for path in keep(portrait, mixes, paths, seed, steps): ...

A batch of which a picture is missing is edited whole, as at first, so the pictures do not depend on interruptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pxs.editing.calibration import Calibration
from pxs.editing.edits import check_names, edit_text
from pxs.editing.portrait import Portrait
from pxs.editing.recipes import Prepared
from pxs.errors import OutputError
from pxs.expressions import Mix
from pxs.images import finished, picture_hash


def check_targets(
    paths: Sequence[Path],
    mixes: Sequence[Mix],
    seed: int,
    steps: int,
    domain: str,
    prepared: Prepared,
    overwrite: bool = False,
    calibration: Calibration | None = None,
) -> None:
    """Before a model is loaded: whether `keep` could write these files.

    Raises OutputError for equal names or mixes, and unless `overwrite` for a file that cannot be the wanted edit;
    PathError for a name that no file can have.
    """
    check_names([path.name for path in paths])
    for mix in mixes:
        if mixes.count(mix) > 1:
            raise OutputError(f"two edits would show {mix}: ask for each mix once")
    known = {"domain": domain, "source": picture_hash(prepared.shown)}
    if not overwrite:
        finished(_wanted(known, paths, mixes, seed, steps, calibration))


def keep(
    portrait: Portrait,
    mixes: Sequence[Mix],
    paths: Sequence[Path],
    seed: int,
    steps: int,
    overwrite: bool = False,
    progress: bool = True,
    calibrated: bool = False,
) -> None:
    """Edit what is missing of `paths`, files of one folder, one a mix, and write it batch by batch.

    Raises OutputError if a file is there that is not the wanted edit, unless `overwrite`, which makes all anew; and as
    `Portrait.edit` and `Edits.save` do.
    """
    calibration = portrait.editor.calibration if calibrated else None
    wanted = _wanted(portrait.provenance, paths, mixes, seed, steps, calibration)
    there = set() if overwrite else finished(wanted)
    first = 0
    while first < len(mixes):
        size = portrait.editor.batch
        part = paths[first : first + size]
        if not there.issuperset(part):
            edits = portrait.edit(mixes[first : first + size], seed, steps, progress, calibrated)
            edits.save(part[0].parent, overwrite=True, names=[path.name for path in part])
        first += len(part)


def _wanted(
    provenance: Mapping[str, str],
    paths: Sequence[Path],
    mixes: Sequence[Mix],
    seed: int,
    steps: int,
    calibration: Calibration | None,
) -> dict[Path, dict[str, str]]:
    texts = (edit_text(provenance, seed, steps, mix, calibration) for mix in mixes)
    return dict(zip(paths, texts, strict=True))
