"""The result: rows that a trainer reads, split by person, Parquet tables and a data card (`build`).

FOLDER/train.jsonl, test.jsonl      FFE rows (pxs/data/ffe.py), with pictures named relative to FOLDER
FOLDER/data/*.parquet               the same with the pictures inside
FOLDER/README.md                    the data card
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pxs.data.ffe import Row, encoded, write
from pxs.errors import DataError
from pxs.ffe import verify
from pxs.ffe.card import card
from pxs.ffe.collect import kept
from pxs.ffe.export import write_parquet
from pxs.ffe.generate import made_pictures
from pxs.ffe.rows import pair_up, split
from pxs.ffe.scores import VERIFIED, best, scores_of
from pxs.storage.files import replace_file
from pxs.storage.locks import writing
from pxs.storage.parsing import parse_json
from pxs.storage.provenance import write_json

TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class Built:
    """What was built: rows by split, and the files."""

    rows: dict[str, list[Row]]
    files: list[Path]


def build(folder: Path, use: str = "", share: float = 0.1, seed: int = 0) -> Built:
    """Write the data set in `folder`.

    use: whose scores, one of `scores.KINDS`; by default the best that there are. share: of the people, for tests.
    Raises DataError if no row comes together.
    """
    use = use or best(folder)
    scores = scores_of(folder, use)
    subjects = {subject.name: subject for subject in kept(folder)}
    root = folder.absolute()
    rows = pair_up(subjects, made_pictures(folder), scores, root)
    if not rows:
        raise DataError(
            f"no row comes together from {len(scores)} scored pictures ({use}): each needs two expressions of a person"
        )
    tested = split((person for person, _ in rows), share, seed)
    splits = {
        TRAIN: [one for one in rows if one[0] not in tested],
        TEST: [one for one in rows if one[0] in tested],
    }
    agreed = parse_json((folder / verify.AGREEMENT).read_text()) if use == VERIFIED else None
    for own in splits.values():
        if own:
            encoded(root / "rows.jsonl", [row for _, row in own])  # refuses what cannot be written, before anything is
    with writing(folder):
        files: list[Path] = []
        for name, own in splits.items():
            if own:
                files.append(write(folder / f"{name}.jsonl", [row for _, row in own], overwrite=True))
            else:
                (folder / f"{name}.jsonl").unlink(missing_ok=True)
            files += write_parquet(own, name, folder)
        people = sorted({(person, name) for name, own in splits.items() for person, _ in own})
        files.append(
            write_json(folder / "split.json", {"use": use, "seed": seed, "share": share, "people": dict(people)})
        )
        replace_file(folder / "README.md", card(folder, use, splits, agreed).encode())
    files.append(folder / "README.md")
    return Built({name: [row for _, row in own] for name, own in splits.items()}, files)
