"""Run a notebook once for each combination of parameters: python -m analysis.sweep NOTEBOOK -p NAME VALUES --out DIR.

    python -m analysis.sweep notebooks/01_edit.ipynb -p expression all -p seed 1:3 --workers 2 --out out/sweep

VALUES are one value, several with commas (happy,sad), a range of whole numbers with both ends (1:20), or `all`: the 12
expressions. A value is YAML, as for papermill: `[0, 1]` is a list. Each run has a folder of its own below DIR:

    DIR/expression=happy,seed=1/run.ipynb     the executed notebook
    DIR/expression=happy,seed=1/run.json      parameters, hash of the notebook, error: written last
    DIR/expression=happy,seed=1/...           what the notebook writes, results.json among it
    DIR/plan.json                             all runs and their parameters: written first
    DIR/sweep.csv                             one row a run: parameters, error, results

The same command goes on: a run is skipped if it ended without an error, with these parameters and this notebook. A run
that fails is named at the end (exit status 1), and the others are done.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from tqdm.auto import tqdm

from analysis.gather import MANIFEST, PLAN, RESULTS, flat, read_results, spread
from pxs.errors import DataError, UsageError, one_line, shown
from pxs.expressions import EXPRESSIONS
from pxs.parsing import Parser, argument, parsed
from pxs.quantities import WORKERS
from pxs.storage.files import output_folder, replace_file
from pxs.storage.hashes import file_hash
from pxs.storage.locks import writing
from pxs.storage.paths import NAME_BYTES, check_path
from pxs.storage.provenance import write_json

MOST_RUNS = 10_000
OUT_DIR = "out_dir"  # the parameter of every notebook that names the folder of its results


@dataclass(frozen=True)
class Run:
    """One run: its folder and its parameters. `error` is empty until it fails."""

    folder: Path
    parameters: Mapping[str, Any]
    error: str = ""


def values_of(text: str) -> list[Any]:
    """The values that a text names, see the head of this file. Raises UsageError for a text that names none."""
    if text == "all":
        return list(EXPRESSIONS)
    if found := re.fullmatch(r"(-?\d{1,9}):(-?\d{1,9})", text):
        first, last = map(int, found.groups())
        if not 0 <= last - first < MOST_RUNS:
            raise UsageError(f"the range {text} is empty or has more than {MOST_RUNS} numbers: give FIRST:LAST")
        return list(range(first, last + 1))
    try:
        value = yaml.safe_load(text)
        values = [yaml.safe_load(part) for part in text.split(",")] if isinstance(value, str) else [value]
    except yaml.YAMLError as error:
        raise UsageError(
            f"the values {shown(text)} cannot be read ({one_line(error)}): write happy,sad or 1:20"
        ) from None
    if any(value is None for value in values) or len({json.dumps(v) for v in values}) < len(values):
        raise UsageError(f"the values {shown(text)} are empty or repeat: name each once, with commas between")
    return values


def plan(notebook: Path, given: Mapping[str, Sequence[Any]], out: Path) -> list[Run]:
    """One run for each combination of the values, the first parameter changing slowest.

    Raises DataError for a notebook that cannot be read or has no such parameter, and for too many runs.
    """
    known = _parameters(notebook)
    if unknown := [name for name in given if name not in known or name == OUT_DIR]:
        raise DataError(f"{notebook.name} has no parameter {shown(unknown[0])} to vary: choose from {', '.join(known)}")
    combinations = [dict(zip(given, row, strict=True)) for row in product(*given.values())]
    if len(combinations) > MOST_RUNS:
        raise DataError(f"{len(combinations)} runs are more than {MOST_RUNS}: vary less")
    return [Run(out / _name(parameters), parameters) for parameters in combinations]


def _parameters(notebook: Path) -> list[str]:
    import papermill

    try:
        found = [name for name in papermill.inspect_notebook(str(notebook)) if name != OUT_DIR]
    except Exception as error:  # papermill, nbformat and json each raise their own
        raise DataError(f"{str(notebook)!r} is no notebook that can be read ({one_line(error)}): name one") from None
    if not found:
        raise DataError(f"{str(notebook)!r} has no cell of parameters: tag one with 'parameters'")
    return found


def _name(parameters: Mapping[str, Any]) -> str:
    """The name of a run's folder: its parameters, shortened by a hash where they would be too long or not a name."""
    from hashlib import sha256

    text = ",".join(f"{name}={value}" for name, value in parameters.items())
    plain = re.sub(r"[^\w.,=+-]", "_", text)
    if plain == text and len(text.encode()) < NAME_BYTES:
        return text
    return f"{plain[:80]}-{sha256(text.encode()).hexdigest()[:12]}"


def finished(run: Run, key: str) -> bool:
    """Whether a run ended without an error, with these parameters and the notebook of this hash."""
    try:
        found = json.loads((run.folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return False
    return bool(found == {"parameters": dict(run.parameters), "notebook": key, "error": ""})


def execute(notebook: Path, run: Run, key: str, environment: Mapping[str, str]) -> Run:
    """Run a notebook by papermill in a process of its own, and write its manifest; the run with its error, if any."""
    output_folder(run.folder)
    (run.folder / MANIFEST).unlink(missing_ok=True)
    file = run.folder / "parameters.yaml"
    replace_file(file, yaml.safe_dump({**run.parameters, OUT_DIR: str(run.folder.resolve())}).encode())
    command = [sys.executable, "-m", "papermill", str(notebook), str(run.folder / "run.ipynb"), "-f", str(file)]
    done = subprocess.run([*command, "--no-progress-bar"], env=dict(environment), capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    error = (lines[-1] if lines else f"exit status {done.returncode}") if done.returncode else ""
    file.unlink(missing_ok=True)
    write_json(run.folder / MANIFEST, {"parameters": dict(run.parameters), "notebook": key, "error": error})
    return Run(run.folder, run.parameters, error)


def sweep(notebook: Path, runs: Sequence[Run], workers: int, progress: bool = True) -> list[Run]:
    """Execute the runs that are missing, `workers` at a time; all runs in their order, with their errors."""
    key = file_hash(notebook)
    ended = {run.folder: run for run in runs if finished(run, key)}
    missing = [run for run in runs if run.folder not in ended]
    environment = {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // workers)), **os.environ}
    with (
        tqdm(total=len(runs), initial=len(ended), desc="sweep", disable=not progress) as bar,
        ThreadPoolExecutor(workers) as pool,
    ):
        for future in as_completed([pool.submit(execute, notebook, run, key, environment) for run in missing]):
            run = future.result()
            ended[run.folder] = run
            bar.update()
    return [ended[run.folder] for run in runs]


def table(runs: Iterable[Run]) -> pd.DataFrame:
    """One row a run: its folder, parameters, error, and the values of its results.json where there is one."""
    rows = []
    for run in runs:
        file = run.folder / RESULTS
        results = spread(dict(flat(read_results(file)))) if file.is_file() and not run.error else {}
        rows.append({"run": run.folder.name, **run.parameters, "error": run.error, **results})
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status: 1 if runs failed, 2 after another mistake."""
    parser = Parser(prog="python -m analysis.sweep", description="Run a notebook for each combination of parameters.")
    parser.add_argument("notebook", type=parsed(check_path), help="the notebook")
    parser.add_argument(
        "-p", "--parameter", nargs=2, action="append", required=True, metavar=("NAME", "VALUES"), help="what to vary"
    )
    parser.add_argument("--workers", type=argument(WORKERS), default=1, help="runs at a time (default 1)")
    parser.add_argument("--out", type=parsed(check_path), required=True, help="folder for the runs")
    failed: list[Run] = []
    status = parser.run(lambda args: failed.extend(_sweep(args)), arguments)
    for run in failed:
        print(f"{parser.prog}: {run.folder.name} failed: {run.error}", file=sys.stderr)
    return status or (1 if failed else 0)


def _sweep(args: argparse.Namespace) -> list[Run]:
    """The runs that failed."""
    names = [name for name, _ in args.parameter]
    if len(set(names)) < len(names):
        raise UsageError(f"a parameter is given twice in {' '.join(names)}: name each once")
    runs = plan(args.notebook, {name: values_of(text) for name, text in args.parameter}, args.out)
    folder = output_folder(args.out)
    with writing(folder):
        write_json(folder / PLAN, {"runs": {run.folder.name: dict(run.parameters) for run in runs}})
        ended = sweep(args.notebook, runs, args.workers, sys.stderr.isatty())
        replace_file(folder / "sweep.csv", table(ended).to_csv(index=False).encode())
    print(folder / "sweep.csv")
    return [run for run in ended if run.error]


if __name__ == "__main__":
    sys.exit(main())
