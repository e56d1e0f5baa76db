"""The results of many runs in one table: python -m analysis.gather out/sweep --out out/sweep.csv.

Every run of a notebook or a command writes a results.json. `analysis.sweep` makes many, each in a folder of its own,
and lists them in plan.json before it starts. The column "state" says what became of a run:

    finished    its results are there
    failed      it ended with an error
    killed      it began, and did not end (or it is still running)
    missing     it was planned, and did not begin
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
PLAN = "plan.json"  # the folders and parameters of all runs of a sweep, written before the first one
MANIFEST = "run.json"  # the parameters and the error of one run of a sweep, written when it ended
FINISHED = "finished"


def gather(folder: str | Path, records: str | None = None) -> pd.DataFrame:
    """All results below a folder as one table; the column "run" is the folder of each, relative to `folder`.

    One row a run, those that did not finish too: see the head of this file for the column "state". Each value is a
    column, values inside mappings as "outer.inner", and those of a list of numbers or words as "name.0", "name.1", ...;
    other lists are not changed. With `records`, the dotted name of a list of mappings such as "verdicts", there is one
    row for each entry of the list, and one for each run without results.
    Raises DataError if there are no runs, a file cannot be read, or one has no such list.
    """
    root = Path(folder)
    planned = _planned(root)
    files = {file.parent for name in (RESULTS, "*.ipynb") for file in root.rglob(name)}
    runs = sorted({f for f in files if _state(f, planned) is not None} | set(planned))
    if not runs:
        raise DataError(f"no {RESULTS} below {str(folder)!r}: run a notebook with its out_dir there first")
    rows = []
    for run in runs:
        state = _state(run, planned)
        about = {"run": run.relative_to(root).as_posix(), "state": state, **planned.get(run, {})}
        if state != FINISHED or not (run / RESULTS).is_file():
            rows.append(about)
            continue
        found = dict(flat(read_results(run / RESULTS)))
        rows += [about | spread(found)] if records is None else _entries(found, records, run / RESULTS, about)
    return pd.DataFrame(rows)


def _planned(root: Path) -> dict[Path, Mapping[str, Any]]:
    """The folder of each run that a sweep at or below `root` planned, with its parameters."""
    return {
        file.parent / name: parameters
        for file in root.rglob(PLAN)
        for name, parameters in read_results(file).get("runs", {}).items()
    }


def _state(run: Path, planned: Mapping[Path, object]) -> str | None:
    """What became of the run in a folder; None if nothing says that there was one."""
    if run in planned:
        if not run.is_dir():
            return "missing"
        if not (run / MANIFEST).is_file():
            return "killed"
        return "failed" if read_results(run / MANIFEST).get("error") else FINISHED
    if (run / RESULTS).is_file():
        return FINISHED
    ends = [_end(file) for file in run.glob("*.ipynb")]
    return next((end for end in ends if end is not None), None)


def _end(notebook: Path) -> str | None:
    """How papermill left a notebook that has no results; None for a notebook that papermill did not write."""
    about = read_results(notebook).get("metadata", {}).get("papermill")
    if about is None:
        return None
    return "failed" if about.get("exception") else "killed"


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


def spread(content: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values, those of a list of numbers, words or nothing as "name.0", "name.1", ..."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, list) and value and not any(isinstance(inner, list | dict) for inner in value):
            found |= {f"{name}.{index}": inner for index, inner in enumerate(value)}
        else:
            found[name] = value
    return found


def _entries(found: Mapping[str, Any], name: str, file: Path, about: dict[str, Any]) -> list[dict[str, Any]]:
    entries = found.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        lists = ", ".join(k for k, v in found.items() if isinstance(v, list) and v and isinstance(v[0], dict))
        raise DataError(f"{file} has no list of records {name!r}: choose from {lists or 'none'}")
    return [about | spread(dict(flat(entry))) for entry in entries]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module.

    The exit status is 1 if runs did not finish, which are named, and 2 after an error, which is printed as one line.
    """
    parser = Parser(prog="python -m analysis.gather", description="Gather results into one table.")
    parser.add_argument("folder", help="folder with the runs below it")
    parser.add_argument("--records", help="a list of records in the results, one row an entry, such as verdicts")
    parser.add_argument("--out", type=Path, help="a .csv file (default: print the table)")
    unfinished: list[tuple[str, str]] = []
    status = parser.run(lambda args: unfinished.extend(_report(args)), arguments)
    for run, state in unfinished:
        print(f"{parser.prog}: {run} is {state}", file=sys.stderr)
    return status or (1 if unfinished else 0)


def _report(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Write or print the table; the runs that did not finish, with their states."""
    found = gather(args.folder, args.records)
    if args.out is None:
        print(found.to_string())
    else:
        output_folder(args.out.parent)
        try:
            found.to_csv(args.out, index=False)
        except OSError as error:
            raise OutputError(f"{str(args.out)!r} cannot be written ({one_line(error)}): choose another file") from None
        print(args.out)
    return [(row.run, row.state) for row in found.itertuples() if row.state != FINISHED]


if __name__ == "__main__":
    sys.exit(main())
