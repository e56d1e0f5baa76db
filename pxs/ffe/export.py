"""Parquet tables of a data set, by `datasets` (`write_parquet`); nothing is sent anywhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pxs.data.ffe import Row
from pxs.errors import OutputError, one_line
from pxs.expressions import EXPRESSIONS
from pxs.storage.files import output_folder, replace_file

TABLES = "data"
SHARD = 500  # rows of a file


def write_parquet(rows: Sequence[tuple[str, Row]], name: str, folder: Path) -> list[Path]:
    """Write the rows of a split as folder/data/NAME-00000-of-00002.parquet, ..., with the pictures inside.

    Tables of an earlier run are replaced. Raises OutputError where nothing can be written.
    """
    from datasets import Dataset, Features, Image, List, Value
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    scores = {expression: Value("float32") for expression in EXPRESSIONS}
    target = {"image": Image(), "category": Value("string"), "scores": scores}
    columns = {
        "person": Value("string"),
        "domain": Value("string"),
        "source": Image(),
        "source_box": List(Value("float32")),
    }
    columns |= {f"{place}_{what}": kind for place in ("first", "second") for what, kind in target.items()}
    features = Features(columns)
    tables = output_folder(folder / TABLES)
    shards = [rows[start : start + SHARD] for start in range(0, len(rows), SHARD)]
    written = []
    for number, shard in enumerate(shards):
        file = tables / f"{name}-{number:05d}-of-{len(shards):05d}.parquet"
        try:
            with tempfile.TemporaryDirectory() as temporary:
                made = Path(temporary) / "table.parquet"
                Dataset.from_list(list(_entries(shard)), features=features).to_parquet(str(made))
                replace_file(file, made.read_bytes())
        except OSError as error:
            raise OutputError(f"{str(file)!r} cannot be written ({one_line(error)}): check its space") from None
        written.append(file)
    for old in set(tables.glob(f"{name}-*.parquet")) - set(written):
        old.unlink(missing_ok=True)
    return written


def _entries(rows: Sequence[tuple[str, Row]]) -> Iterator[dict[str, Any]]:
    for person, row in rows:
        entry: dict[str, Any] = {
            "person": person,
            "domain": row.domain,
            "source": _picture(row.source),
            "source_box": list(row.boxes[0]),
        }
        for place, target in zip(("first", "second"), row.targets, strict=True):
            entry[f"{place}_image"] = _picture(target.image)
            entry[f"{place}_category"] = target.category
            entry[f"{place}_scores"] = {name: target.scores[name] for name in EXPRESSIONS}
        yield entry


def _picture(path: Path) -> dict[str, Any]:
    return {"bytes": path.read_bytes(), "path": path.name}
