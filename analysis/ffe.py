"""The building of a data set, measured against the truth: labels' errors by stage, and what they do to an adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import pxs
from analysis.figures import bare
from analysis.simulated_vlm import PARTNER
from pxs.data.ffe import Row, Target
from pxs.data.synthetic_bench import SyntheticTruth
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix
from pxs.faces.identity import seeds
from pxs.faces.render import Drawing, render_one
from pxs.ffe.annotate import STAGE, Label
from pxs.ffe.asking import ACCEPTED, CORRECTED, FOLDER, Asked, check_verdict
from pxs.ffe.generate import made_pictures
from pxs.ffe.manifest import read
from pxs.ffe.scores import KINDS, scores_of
from pxs.images import open_image, picture_hash, save_png, saved_text
from pxs.judging.expression import ExpressionJudge
from pxs.study.store import Store
from pxs.training.settings import Settings
from pxs.training.trainer import train

WORDS = {
    "first": "one pass",
    "all": "mean of passes",
    "sure": "without doubt",
    "verified": "checked by people",
}
"""What each kind of scores is called in figures."""


def write_people(folder: Path, count: int, style: str, size: int) -> list[str]:
    """Neutral pictures of `count` synthetic people; the folder, as `pxs ffe collect` takes it. Existing ones stay."""
    for number in seeds("gallery", count):
        file = folder / f"{style}_{number}.png"
        if not file.exists():
            text = {"identity": str(number), "style": style, "mix": str(Mix())}
            save_png(render_one(Drawing(number, Mix(), style), size), file, text)
    return [str(folder)]


def truths(folder: Path) -> dict[str, Mix]:
    """The mix that each picture of the generator "truth" was made with, by the picture's hash."""
    return {
        picture_hash(open_image(folder / made.picture)): _mix(made.expression, made.asked)
        for made in made_pictures(folder)
    }


def _mix(expression: str, asked: float) -> Mix:
    return Mix({expression: asked})


def check_as_people(folder: Path, asked: Asked, slip: float = 0.05, patience: float = 0.12, seed: int = 0) -> int:
    """Answer all questions as simulated people would, into the file of answers; the number of answers.

    A person sees the truth up to an error of standard deviation `slip`, and corrects scores where one is off by more
    than `patience`; else the label is accepted.
    """
    labels = {label.name: label for label in read(folder, STAGE, Label)}
    store, count = Store(folder / FOLDER, asked.study, asked.raters), 0
    moment = datetime.now(UTC)
    for number, (rater, names) in enumerate(asked.raters.items()):
        random = np.random.default_rng((seed, number))
        for name in names:
            item = asked.items[name]
            label = labels[item.picture]
            truth = np.array(_mix(label.expression, label.asked).vector())
            seen = np.clip(truth + (truth > 0) * random.normal(0, slip, len(truth)), 0, 1).round(2)
            off = np.abs(seen - [item.scores[e] for e in EXPRESSIONS]).max()
            said = {
                "item": name,
                "verdict": CORRECTED if off > patience else ACCEPTED,
                "at": moment.isoformat(),
                "seconds": 2,
            }
            scores = {"scores": dict(zip(EXPRESSIONS, seen.tolist(), strict=True))} if off > patience else {}
            store.put(rater, *check_verdict(asked, rater, said | scores))
            count += 1
    store.close()
    return count


def label_errors(folder: Path, kinds: Sequence[str] = tuple(KINDS)) -> dict[str, dict[str, float]]:
    """How far labels are from the truth, by the kind of scores.

    pictures: how many have scores. own: mean absolute error of the score of the expression that was asked for. others:
    mean score of the other 11, which are truly 0. partner: mean score of the confusable partner, of pictures that have
    one. wrong: share of pictures in which another expression is the strongest.
    """
    made = {one.name: one for one in made_pictures(folder)}
    scored = {kind: scores_of(folder, kind) for kind in kinds}
    return {
        kind: _errors([(made[name].expression, made[name].asked, own) for name, own in scores.items()])
        for kind, scores in scored.items()
    }


def _errors(scored: Sequence[tuple[str, float, Mapping[str, float]]]) -> dict[str, float]:
    own = [abs(scores[expression] - asked) for expression, asked, scores in scored]
    others = [sum(scores.values()) - scores[expression] for expression, _, scores in scored]
    partner = [scores[PARTNER[expression]] for expression, _, scores in scored if expression in PARTNER]
    wrong = [max(scores, key=scores.__getitem__) != expression for expression, _, scores in scored]
    return {
        "pictures": len(scored),
        "own": float(np.mean(own)),
        "others": float(np.mean(others)) / (len(EXPRESSIONS) - 1),
        "partner": float(np.mean(partner)) if partner else 0.0,
        "wrong": float(np.mean(wrong)),
    }


def error_table(errors: Mapping[str, Mapping[str, float]]) -> str:
    """The errors as a table for people."""
    heads = ("labels", "pictures", "error of the score asked for", "mean of the other 11", "partner", "wrong")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for kind, row in errors.items():
        values = [f"{row[name]:.3f}" for name in ("own", "others", "partner")]
        lines.append(f"| {WORDS[kind]} | {row['pictures']:.0f} | {' | '.join(values)} | {row['wrong']:.1%} |")
    return "\n".join(lines)


def label_figure(folder: Path) -> Figure:
    """Scores against the truth, a panel for each kind: of the expression asked for, and of its confusable partner."""
    made = {one.name: one for one in made_pictures(folder)}
    kinds = tuple(KINDS)
    figure = Figure(figsize=(3.0 * len(kinds), 3.1), layout="constrained")
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        scores = scores_of(folder, kind)
        asked = [made[name].asked for name in scores]
        own = [scores[name][made[name].expression] for name in scores]
        pairs = [
            (made[n].asked, s[PARTNER[made[n].expression]]) for n, s in scores.items() if made[n].expression in PARTNER
        ]
        bare(axes).plot([0, 1], [0, 1], color="#cccccc", zorder=0)
        axes.plot(asked, own, ".", color="#0072B2", markersize=4, label="asked for")
        axes.plot(*zip(*pairs, strict=True), "x", color="#D55E00", markersize=3, label="its confusable partner")
        axes.set(title=f"{WORDS[kind]}: {len(scores)}", xlabel="true intensity", xlim=(0, 1), ylim=(-0.02, 1.02))
    panels[0].set_ylabel("score")
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def drawn_twins(rows: Sequence[Row], folder: Path, size: int = 128) -> list[Row]:
    """The same rows with every picture replaced by a drawing of the same person and mix; the scores stay.

    `mini` edits drawn faces alone. What the labels say, right or wrong, is then learnt on faces that it can edit.
    """
    return [
        Row(
            _twin(row.source, folder, size),
            (_twin_target(row.targets[0], folder, size), _twin_target(row.targets[1], folder, size)),
            "human",
        )
        for row in rows
    ]


def _twin_target(target: Target, folder: Path, size: int) -> Target:
    return Target(_twin(target.image, folder, size), target.category, target.scores)


def _twin(picture: Path, folder: Path, size: int) -> Path:
    """The drawing of what a synthetic picture shows by its text, which is made once."""
    said = saved_text(picture)
    words = [] if said["mix"] == NEUTRAL else [part.replace(" ", "=") for part in said["mix"].split(" + ")]
    mix = Mix.parse(words)
    file = folder / f"{said['identity']}_{mix.slug}.png"
    if not file.exists():
        drawn = render_one(Drawing(int(said["identity"]), mix, "human"), size)
        save_png(drawn, file, {"identity": said["identity"], "style": "human", "mix": said["mix"]})
    return file


def true_rows(rows: Sequence[Row]) -> list[Row]:
    """The same rows with the true scores, which the text of each synthetic picture says."""

    def true(target: Target) -> Target:
        words = [part.replace(" ", "=") for part in saved_text(target.image)["mix"].split(" + ")]
        return replace(target, scores=Mix.parse(words))

    return [replace(row, targets=(true(row.targets[0]), true(row.targets[1]))) for row in rows]


def train_small(rows: Sequence[Row], steps: int, seed: int, folder: Path, **settings: object) -> Path:
    """A short training of `mini` on the rows, without contrast and identity loss; the file of the adapter.

    Targets are conditioned on all 12 scores, so that what is wrong with any of them counts.
    """
    chosen = Settings(
        steps=steps, batch=4, rank=8, alpha=16, warmup=max(1, steps // 8), seed=seed, contrast="none",
        identity_weight=0, conditioning="scores", shift=3.0, save_every=0, validate_every=0, validation=0,
    ).updated(settings)  # fmt: skip
    for _ in train(rows, chosen, folder):
        pass
    return folder / "adapter.safetensors"


def measure_adapter(
    adapter: Path | None, people: Sequence[SyntheticTruth], judge: ExpressionJudge, steps: int = 8, size: int = 128
) -> dict[str, float]:
    """Edits of people by `mini` with an adapter, judged, and compared with the truth.

    error: mean absolute difference of requested and judged intensity of the expressions of the confusable pairs, at
    0.3, 0.6 and 0.9. partner: mean judged intensity of the confusable partner. distance: mean absolute difference of
    pixels, in 0..1, from the true picture.
    """
    editor = pxs.load("mini", adapter=adapter)
    mixes = [Mix({name: a}) for name in PARTNER for a in (0.3, 0.6, 0.9)]
    error, partner, distance = [], [], []
    for person in people:
        edits = list(editor.open(person(Mix(), size)).edit(mixes, 42, steps, progress=False))
        for mix, edit, judged in zip(mixes, edits, judge.judge(edits), strict=True):
            ((name, asked),) = mix.items()
            error.append(abs(judged[name] - asked))
            partner.append(judged[PARTNER[name]])
            distance.append(_distance(edit, person(mix, size)))
    found = {"error": error, "partner": partner, "distance": distance}
    return {name: float(np.mean(values)) for name, values in found.items()}


def _distance(first: Image.Image, second: Image.Image) -> float:
    a, b = (np.asarray(image.convert("RGB"), np.float64) / 255 for image in (first, second))
    return float(np.abs(a - b).mean())
