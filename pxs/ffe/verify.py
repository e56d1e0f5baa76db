"""Stage 5, third part: what people said becomes data (`verify`).

    FOLDER/verified.jsonl       a record a label: its scores now, and every verdict with who and when
    FOLDER/agreement.json       how far two people agree, by expression

A label that people corrected has the mean of their scores, where accepting is to give the scores that were shown. It is
rejected if at least half of those who saw it reject it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pxs.errors import DataError, PxsError
from pxs.expressions import EXPRESSIONS
from pxs.ffe import manifest
from pxs.ffe.annotate import Label
from pxs.ffe.asking import ACCEPTED, CORRECTED, FOLDER, REJECTED, Asked, check_verdict, labels_asked, read_asked
from pxs.ffe.tables import markdown_table
from pxs.storage.locks import writing
from pxs.storage.paths import PathName, kind_of
from pxs.storage.provenance import write_json
from pxs.study.agreement import INTERVAL, NOMINAL, icc_one, icc_two, krippendorff_alpha
from pxs.study.answers import DATABASE, file_of_answers, stored

STAGE, AGREEMENT = "verified", "agreement.json"
NOT_ASKED, UNANSWERED = "not asked", "not answered"


@dataclass(frozen=True)
class Verified:
    """What a label is after people looked at it.

    status: "accepted", "corrected", "rejected", "not asked" or "not answered". scores: by expression, now. verdicts: of
    each person: rater, verdict, scores, at (when), seconds.
    """

    name: str
    key: str
    status: str
    scores: dict[str, float]
    verdicts: list[dict[str, Any]]


Said = dict[str, dict[str, dict[str, Any]]]
"""Verdicts by rater and item."""


def verify(folder: Path, sent: Sequence[PathName] = ()) -> tuple[list[Verified], dict[str, Any]]:
    """The labels after people looked at them, and their agreement; both are then in the folder.

    sent: files that people saved, beside what was served or came from notebooks. Raises DataError for a file that
    cannot be used, two different answers of one person to one question, and if there is no answer at all.
    """
    asked = read_asked(folder)
    labels = labels_asked(folder, asked)
    said = _said(asked, folder, sent)
    if not any(said.values()):
        raise DataError("nobody has answered yet: run 'pxs ffe serve', or name the files that people saved")
    of_picture: dict[str, list[dict[str, Any]]] = {}
    for rater, answers in said.items():
        for item, verdict in answers.items():
            of_picture.setdefault(asked.items[item].picture, []).append({"rater": rater, **verdict})
    pictures = {item.picture for item in asked.items.values()}
    done = [_verified(label, of_picture.get(label.name, []), label.name in pictures) for label in labels.values()]
    agreed = agreement(asked, said)
    with writing(folder):
        manifest.write(folder, STAGE, len(done), {"raters": len(said), "study": asked.study}, done)
        write_json(folder / AGREEMENT, agreed)
    return done, agreed


def _verified(label: Label, verdicts: Sequence[Mapping[str, Any]], asked: bool) -> Verified:
    kept = [{k: v for k, v in one.items() if k != "item"} for one in verdicts]
    if not verdicts or label.error:
        return Verified(label.name, label.key, UNANSWERED if asked else NOT_ASKED, label.scores, kept)
    good = [one for one in verdicts if one["verdict"] != REJECTED]
    if 2 * len(good) <= len(verdicts):
        return Verified(label.name, label.key, REJECTED, label.scores, kept)
    means = np.mean([[one["scores"][name] for name in EXPRESSIONS] for one in good], axis=0)
    scores = dict(zip(EXPRESSIONS, means.round(4).tolist(), strict=True))
    changed = any(one["verdict"] == CORRECTED for one in good)
    return Verified(label.name, label.key, CORRECTED if changed else ACCEPTED, scores, kept)


def agreement(asked: Asked, said: Said) -> dict[str, Any]:
    """How far people agree on what two of them saw, by expression, and on rejecting.

    Of each expression: "alpha", Krippendorff's for intervals; "icc_1" of single scores, ICC(1,1); "icc_2" ICC(2,1)
    where the same people saw all. "rejecting": alpha for names. What cannot be computed is None. Rejected pictures have
    no scores.
    """
    raters = list(said)
    twice = [name for name in asked.items if sum(name in answers for answers in said.values()) > 1]
    found: dict[str, Any] = {"people": len(raters), "answers": sum(map(len, said.values())), "seen_twice": len(twice)}
    if not twice:
        found["why_empty"] = "no picture was checked by two people: ask with a larger --overlap, or wait for answers"
    table = np.full((len(raters), len(twice), len(EXPRESSIONS)), np.nan)
    rejecting = np.full((len(raters), len(twice)), np.nan)
    for row, rater in enumerate(raters):
        for column, item in enumerate(twice):
            verdict = said[rater].get(item)
            if verdict:
                rejecting[row, column] = verdict["verdict"] == REJECTED
                if verdict["verdict"] != REJECTED:
                    table[row, column] = [verdict["scores"][name] for name in EXPRESSIONS]
    found["rejecting"] = krippendorff_alpha(rejecting, NOMINAL) if twice else None
    found["expressions"] = {name: _of_scores(table[..., i]) for i, name in enumerate(EXPRESSIONS)}
    return found


def _of_scores(table: np.ndarray) -> dict[str, float | None]:
    """The coefficients of one table (R, U); None for what cannot be computed of it."""
    if not table.size:
        return {"alpha": None, "icc_1": None, "icc_2": None}
    whole = table[:, ~np.isnan(table).any(axis=0)]
    two = icc_two(whole) if whole.shape[1] else None
    return {
        "alpha": krippendorff_alpha(table, INTERVAL),
        "icc_1": icc_one(table),
        "icc_2": None if two is None else two[0],
    }


def markdown(found: Mapping[str, Any]) -> str:
    """The agreement as a table for people."""
    counts = f"{found['answers']} answers of {found['people']} people, {found['seen_twice']} pictures seen by two"
    rows = [
        (name, *(_rounded(row[measure]) for measure in ("alpha", "icc_1", "icc_2")))
        for name, row in found["expressions"].items()
    ]
    rows.append(("rejecting", _rounded(found["rejecting"]), None, None))
    return f"{counts}\n\n{markdown_table(('expression', 'alpha', 'ICC(1,1)', 'ICC(2,1)'), rows)}"


def _rounded(value: float | None) -> str | None:
    """The number with two decimals."""
    return None if value is None else f"{value:.2f}"


def _said(asked: Asked, folder: Path, sent: Sequence[PathName]) -> Said:
    """All verdicts, checked: those in the database, and those in files. Raises DataError as `verify`."""
    found: Said = {}
    database = folder / FOLDER / DATABASE
    sources = [(str(file), *file_of_answers(file, asked.study)) for file in sent]
    if kind_of(database) == "file":
        sources += [(str(database), rater, said) for rater, said in stored(database).items()]
    for origin, rater, said in sources:
        for one in said:
            try:
                item, verdict = check_verdict(asked, rater, one)
            except PxsError as error:
                raise DataError(f"{origin}: {error}") from None
            known = found.setdefault(rater, {}).setdefault(item, verdict)
            if (known["verdict"], known["scores"]) != (verdict["verdict"], verdict["scores"]):
                raise DataError(f"{origin} has another answer of {rater} to item {item} than was read before: keep one")
    return found
