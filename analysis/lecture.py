"""What every notebook needs beside its question: faces that can be seen from the last row, and a results.json.

A notebook ends with `write_results(out, globals(), ...)`. The file then holds every parameter, the versions of the
software, and what the notebook found, so that a run can be read, and run again, without the notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from analysis.parameters import parameters
from pxs.images import Figure, sheet
from pxs.storage.provenance import versions, write_json

SIDE = 256
"""The side of a face on the page, in pixels: an expression is then legible from the last row of a lecture room."""
ACROSS = 4
"""Faces in a row of the page; more are continued below, since a browser would shrink them."""


def faces(
    rows: Sequence[Sequence[Image.Image]],
    alt: str,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    file: Path | None = None,
) -> Figure:
    """The pictures of equally long `rows`, SIDE pixels each and at most ACROSS in a row, as a figure of a notebook.

    Rows that are longer are cut into blocks one below the other; each block repeats the row labels. The rows are also
    written to `file`, a PNG, uncut and at the size of the pictures. alt: the text that stands for the figure.
    Raises ImageError when there is no picture, or when labels and pictures differ in number.
    """
    if file is not None:
        sheet(rows, row_labels, column_labels).save(file)
    scale = SIDE / max(max(image.size) for row in rows for image in row)
    blocks = [
        sheet(
            [row[i : i + ACROSS] for row in rows],
            row_labels,
            column_labels and column_labels[i : i + ACROSS],
            scale,
            font_size=18,
        )
        for i in range(0, max(map(len, rows)), ACROSS)
    ]
    page = Image.new("RGB", (max(b.width for b in blocks), sum(b.height for b in blocks)), "white")
    top = 0
    for block in blocks:
        page.paste(block, (0, top))
        top += block.height
    return Figure(page, alt)


def write_results(folder: Path, namespace: Mapping[str, Any], **found: Any) -> Path:
    """Write results.json: the parameters of the notebook whose `globals()` is `namespace`, versions, and `found`.

    A table becomes a list with one mapping a row, an array a list, and NaN None. Returns the path. Raises OutputError
    for a number that is not finite.
    """
    content = {"parameters": parameters(namespace), "versions": versions(), **plain(found)}
    return write_json(folder / "results.json", content)


def plain(value: Any) -> Any:
    """The value as JSON holds it: tables and arrays as lists, numbers of NumPy as Python's, NaN in a table as None."""
    if isinstance(value, pd.DataFrame):
        return plain(value.astype(object).where(value.notna(), None).to_dict("records"))
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def write_tables(folder: Path, **tables: pd.DataFrame) -> None:
    """Write each table, named by its keyword, as a CSV file: what is too long for the page."""
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
