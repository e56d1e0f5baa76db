"""The results of many runs in one table: python -m analysis.gather out/sweep --out out/sweep.csv.

Every run of a notebook or a command writes a results.json. In a sweep each run is one papermill call with a folder of
its own:

    mkdir -p out/sweep
    for face in 400003 400011 400020; do
        papermill notebooks/02_blend.ipynb "out/sweep/$face.ipynb" -y "face_seeds: [$face]" -p out_dir "out/sweep/$face"
    done
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pxs.errors import DataError, OutputError, one_line
from pxs.parsing import Parser
from pxs.storage.files import output_folder

RESULTS = "results.json"


def gather(folder: str | Path, records: str | None = None) -> pd.DataFrame:
    """All results below a folder as one table; the column "run" is the folder of each, relative to `folder`.

    One row a run: each value is a column, values inside mappings as "outer.inner"; lists are not changed. With
    `records`, the dotted name of a list of mappings such as "verdicts", there is one row for each entry of the list.
    Raises DataError if there are no results, a file cannot be read, or one has no such list.
    """
    root = Path(folder)
    files = sorted(root.rglob(RESULTS))
    if not files:
        raise DataError(f"no {RESULTS} below {str(folder)!r}: run a notebook with its out_dir there first")
    rows = []
    for file in files:
        flat = dict(_flat(_read(file)))
        run = {"run": file.parent.relative_to(root).as_posix()}
        rows += [run | flat] if records is None else [run | entry for entry in _entries(flat, records, file)]
    return pd.DataFrame(rows)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read ({one_line(error)}): run its notebook again") from None
    if not isinstance(content, dict):
        raise DataError(
            f"{file} holds a {type(content).__name__}, not a JSON object: remove it, or run its notebook again"
        )
    return content


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _entries(flat: Mapping[str, Any], name: str, file: Path) -> list[dict[str, Any]]:
    entries = flat.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        lists = ", ".join(k for k, v in flat.items() if isinstance(v, list) and v and isinstance(v[0], dict))
        raise DataError(f"{file} has no list of records {name!r}: choose from {lists or 'none'}")
    return [dict(_flat(entry)) for entry in entries]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status: 2 after an error, which is printed as one line."""
    parser = Parser(prog="python -m analysis.gather", description="Gather results into one table.")
    parser.add_argument("folder", help="folder with the runs below it")
    parser.add_argument("--records", help="a list of records in the results, one row an entry, such as verdicts")
    parser.add_argument("--out", type=Path, help="a .csv file (default: print the table)")
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    found = gather(args.folder, args.records)
    if args.out is None:
        print(found.to_string())
        return
    output_folder(args.out.parent)
    try:
        found.to_csv(args.out, index=False)
    except OSError as error:
        raise OutputError(f"{str(args.out)!r} cannot be written ({one_line(error)}): choose another file") from None
    print(args.out)


if __name__ == "__main__":
    sys.exit(main())
