"""Stage 4: 12 scores for every picture (`annotate`).

    FOLDER/labels.jsonl     a record a picture: the scores of each pass, their mean, and what is in doubt

A pass is one look at all pictures: by a vision-language model that is asked with the labels in some order, by another
judge, or the truth. Pictures that a judge refuses stay without scores, and the next run asks again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from pxs.errors import DataError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.ffe import manifest
from pxs.ffe.collect import Subject
from pxs.ffe.doubts import Rules, Scored, doubts
from pxs.ffe.engines import Engine, here
from pxs.ffe.generate import Made, made_pictures
from pxs.ffe.judges import Pass
from pxs.images import open_image
from pxs.judging.each import values_or_reasons
from pxs.judging.identity import IdentityJudge
from pxs.storage.locks import writing

STAGE = "labels"
TOGETHER = 16  # pictures that a judge is given at once
DIGITS = 4
NOBODY = -2.0
"""In place of a cosine that nobody took."""


@dataclass(frozen=True)
class Label:
    """The scores of a picture.

    judges: the names of the passes. passes: the 12 scores of each, in the order of EXPRESSIONS. scores: their means, by
    expression. similarity: the cosine with the source, NOBODY where no recogniser looked. doubts: why the label is not
    trusted, empty if it is. error: why there are no scores, else empty.
    """

    name: str
    key: str
    subject: str
    person: str
    expression: str
    asked: float
    judges: list[str]
    passes: list[list[float]]
    scores: dict[str, float]
    similarity: float
    doubts: list[str]
    error: str


class Judges(NamedTuple):
    """The passes, and the recogniser that compares pictures with their sources; None compares nothing."""

    passes: Sequence[Pass]
    recogniser: IdentityJudge | None


def annotate(
    folder: Path,
    passes: Sequence[Pass],
    recogniser: IdentityJudge | None = None,
    rules: Rules = Rules(),  # noqa: B008
    progress: bool = False,
    engine: Engine = here,
) -> list[Label]:
    """The labels of all pictures, which are then in the manifest; `engine` does the work (engines.py).

    Raises DataError if no picture got scores, and JudgeSetupError if a judge can judge none at all; what was judged
    before stays, and the next run goes on with the rest.
    """
    pictures = made_pictures(folder)
    names = [one.name for one in passes]
    by = [*names, getattr(recogniser, "name", "")]
    keys = {made.name: manifest.key_of(made.sha256, made.expression, by) for made in pictures}
    with writing(folder), manifest.unless_empty(folder, STAGE, Label):
        before = manifest.recover(folder, STAGE, Label)
        known = {n: before[n] for n in keys if n in before and before[n].key == keys[n] and not before[n].error}
        settings = {"judges": names, "recogniser": by[-1], "rules": asdict(rules)}
        manifest.write(folder, STAGE, len(pictures), settings, known.values())
        found = dict(known)
        left = [made for made in pictures if made.name not in known]
        with tqdm(total=len(pictures), desc="annotate", leave=False, disable=not progress) as bar:
            bar.update(len(known))
            parts = [left[start : start + TOGETHER] for start in range(0, len(left), TOGETHER)]
            for label in engine(partial(_labels, folder, keys), Judges(passes, recogniser), parts, Label):
                found[label.name] = label
                manifest.add(folder, STAGE, label)
                bar.update()
                bar.set_postfix(failed=sum(bool(one.error) for one in found.values()), refresh=False)
        done = _doubted([found[made.name] for made in pictures], rules)
        manifest.write(folder, STAGE, len(done), settings, done)
        if all(label.error for label in done):
            raise DataError(f"none of {len(done)} pictures got scores, the first: {done[0].error}")
    return done


def _labels(folder: Path, keys: Mapping[str, str], judges: Judges, made: Sequence[Made]) -> list[Label]:
    """Labels of some pictures, doubts aside."""
    passes, recogniser = judges
    files = [str(folder / one.picture) for one in made]
    results = [one.scores(made, files) for one in passes]
    similar, unknown = _similarities(made, recogniser, folder)
    labels = []
    for place, one in enumerate(made):
        reasons = [f"{p.name}: {bad[place]}" for p, (_, bad) in zip(passes, results, strict=True) if place in bad]
        mixes = [mix for mixes, _ in results if (mix := mixes[place]) is not None]
        error = reasons[0] if reasons else unknown.get(place, "")
        rows = [] if error else [[round(min(1.0, max(0.0, v)), DIGITS) for v in mix.vector()] for mix in mixes]
        mean = dict(zip(EXPRESSIONS, np.mean(rows, axis=0).round(DIGITS).tolist(), strict=True)) if rows else {}
        labels.append(
            Label(
                name=one.name,
                key=keys[one.name],
                subject=one.subject,
                person=one.person,
                expression=one.expression,
                asked=one.asked,
                judges=[p.name for p in passes],
                passes=rows,
                scores=mean,
                similarity=similar[place],
                doubts=[],
                error=error,
            )
        )
    return labels


def _similarities(
    made: Sequence[Made], recogniser: IdentityJudge | None, folder: Path
) -> tuple[list[float], dict[int, str]]:
    """The cosine of each picture with its source, and why others have none."""
    if recogniser is None:
        return [NOBODY] * len(made), {}
    sources = {s.name: s.picture for s in manifest.read(folder, "identities", Subject)}
    images = [open_image(folder / path) for one in made for path in (one.picture, sources[one.subject])]

    def embed(given: Sequence[object]) -> list[np.ndarray]:
        return list(recogniser.embed(given))  # type: ignore[arg-type]

    vectors, reasons = values_or_reasons(embed, images)
    found, unknown = [], {}
    for place in range(len(made)):
        first, second = vectors[2 * place], vectors[2 * place + 1]
        if first is None or second is None:
            reason = reasons.get(2 * place) or reasons.get(2 * place + 1) or "no embedding"
            unknown[place] = f"{recogniser.name}: {reason}"
            found.append(NOBODY)
        else:
            found.append(round(float(first @ second), DIGITS))
    return found, unknown


def _doubted(labels: Sequence[Label], rules: Rules) -> list[Label]:
    """The same labels with their doubts."""
    scored = {
        one.name: Scored(
            (one.subject, one.expression),
            one.asked,
            one.passes,
            Mix(one.scores),
            None if one.similarity == NOBODY else one.similarity,
        )
        for one in labels
        if not one.error
    }
    found = doubts(scored, rules)
    return [replace(one, doubts=found.get(one.name, [])) for one in labels]
