"""The results of many runs in one table: python -m analysis.gather out/sweep --out out/sweep.csv.

Every run of a notebook or a command writes a results.json. `analysis.sweep` makes many, each in a folder of its own.
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
        found = dict(flat(read_results(file)))
        run = {"run": file.parent.relative_to(root).as_posix()}
        rows += [run | found] if records is None else [run | entry for entry in _entries(found, records, file)]
    return pd.DataFrame(rows)


def read_results(file: Path) -> Mapping[str, Any]:
    """The content of a results.json; raises DataError for a file that cannot be read or holds no object."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read ({one_line(error)}): run its notebook again") from None
    if not isinstance(content, dict):
        raise DataError(
            f"{file} holds a {type(content).__name__}, not a JSON object: remove it, or run its notebook again"
        )
    return content


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of a mapping, those of a mapping inside it as "outer.inner"."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _entries(found: Mapping[str, Any], name: str, file: Path) -> list[dict[str, Any]]:
    entries = found.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        lists = ", ".join(k for k, v in found.items() if isinstance(v, list) and v and isinstance(v[0], dict))
        raise DataError(f"{file} has no list of records {name!r}: choose from {lists or 'none'}")
    return [dict(flat(entry)) for entry in entries]


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
