"""A sheet of blends for a person to judge, and how far the judges agree with the person.

    sheet/001.png ...     the source at the left, the blend at the right; nothing says what made it
    sheet/verdicts.csv    a line a picture: its number, the two expressions, and an empty verdict to fill in
    sheet/key.csv         what made each picture, and the verdicts of the judges: not to be opened before

A verdict is "coherent" (both expressions, the same person), "collapsed" (one of the two, the same person) or
"conflicting" (neither, a third one, or another person). Lines without a verdict are left out.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.blends import Batch
from pxs.errors import DataError, one_line, shown
from pxs.images import save_png, sheet
from pxs.judging.blends import KINDS
from pxs.storage.files import output_folder, replace_file

COLUMNS = ("picture", "first", "second", "verdict")
SCALE = 2  # of the pictures on the sheet


def write_sheet(
    batches: Mapping[str, Sequence[Batch]], rows: pd.DataFrame, count: int, folder: Path, seed: int = 0
) -> list[Path]:
    """Write a sheet of `count` pictures, or all if there are fewer, in random order, as many of each method and rule.

    `batches` maps a rule to what was made under it; `rows` are the verdicts, as of `blend_comparison.Compared`. Returns
    the paths of verdicts.csv and key.csv.
    """
    target, blank, key = output_folder(folder), [], []
    for number, (rule, batch, index) in enumerate(_drawn(batches, count, np.random.default_rng(seed)), start=1):
        one, name = batch.judged[index], f"{number:03}.png"
        both = sheet([[batch.face.picture, batch.images[index]]], column_labels=["before", "after"], scale=SCALE)
        save_png(both, target / name, {}, overwrite=True)
        blank.append((name, one.first, one.second, ""))
        what = {"method": batch.method, "rule": rule, "face": batch.face.name, "seed": batch.seed}
        what |= {"first": one.first, "second": one.second}
        same = rows[(rows[list(what)] == list(what.values())).all(axis=1)]
        key.append({"picture": name, **what, **dict(zip(same.judge, same.verdict, strict=True))})
    files = [target / "verdicts.csv", target / "key.csv"]
    for file, table in zip(files, (pd.DataFrame(blank, columns=COLUMNS), pd.DataFrame(key)), strict=True):
        replace_file(file, table.to_csv(index=False).encode())
    return files


def _drawn(
    batches: Mapping[str, Sequence[Batch]], count: int, rng: np.random.Generator
) -> list[tuple[str, Batch, int]]:
    """Rule, batch and number of `count` pictures: of each method and rule one in turn, at random; then shuffled."""
    groups: dict[tuple[str, str], list[tuple[str, Batch, int]]] = {}
    for rule, made in batches.items():
        for batch in made:
            groups.setdefault((batch.method, rule), []).extend((rule, batch, i) for i in range(len(batch.judged)))
    mixed = [[group[k] for k in rng.permutation(len(group))] for group in groups.values()]
    taken = [one for turn in zip_longest(*mixed) for one in turn if one is not None][:count]
    return [taken[k] for k in rng.permutation(len(taken))]


def read_verdicts(filled: Path, key: Path) -> pd.DataFrame:
    """The key with the person's verdict of each picture that has one, in the column "person".

    Raises DataError for a file that cannot be read, that lacks a column, an unknown picture or verdict, and no verdict
    at all.
    """
    known, given = _read(key, ["picture"]), _read(filled, ["picture", "verdict"])
    verdicts: dict[str, str] = {}
    for row in given:
        name, verdict = row["picture"], row["verdict"].strip().lower()
        if name not in {one["picture"] for one in known}:
            raise DataError(f"{str(filled)!r}: no picture {shown(name)} is on the sheet: keep the names as they were")
        if verdict and verdict not in KINDS:
            raise DataError(f"{str(filled)!r}: the verdict {shown(verdict)} of {name} is not {', '.join(KINDS)}")
        if verdict:
            verdicts[name] = verdict
    if not verdicts:
        raise DataError(f"{str(filled)!r} has no verdict: write coherent, collapsed or conflicting into a line")
    rows = [{**row, "person": verdicts[row["picture"]]} for row in known if row["picture"] in verdicts]
    return pd.DataFrame(rows)


def _read(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} cannot be read ({one_line(error)}): give a CSV file in UTF-8") from None
    missing = [name for name in columns if rows and name not in rows[0]]
    if missing or not rows:
        what = f"has no column {missing[0]!r}" if missing else "has no lines"
        raise DataError(f"{str(path)!r} {what}: give a sheet as it was written, filled in")
    return rows


def agreement(found: pd.DataFrame) -> pd.DataFrame:
    """How far each judge agrees with the person: one row a judge.

    Columns: judge, pictures, same, the share of equal verdicts, kappa (Cohen's: 0 is chance, 1 is always; NaN if both
    give one verdict only), and coherent and person, the shares of pictures that each calls coherent. `found` is of
    `read_verdicts`.
    """
    made = ("picture", "method", "rule", "face", "seed", "first", "second", "person")
    rows = []
    for judge in (name for name in found.columns if name not in made):
        same = float((found[judge] == found.person).mean())
        chance = sum(float((found[judge] == k).mean() * (found.person == k).mean()) for k in KINDS)
        rows.append(
            {
                "judge": judge,
                "pictures": len(found),
                "same": same,
                "kappa": (same - chance) / (1 - chance) if chance < 1 else float("nan"),
                "coherent": float((found[judge] == "coherent").mean()),
                "person": float((found.person == "coherent").mean()),
            }
        )
    return pd.DataFrame(rows)
