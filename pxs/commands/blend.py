"""`pxs blend`: all 15 pairs of the basic six on one picture, each judged."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.commands.arguments import (
    Commands,
    add_expression_judge,
    add_model,
    add_picture,
    calibration_of_flags,
    load_editor,
    path,
    refuse_existing,
)
from pxs.errors import ScaleError
from pxs.expressions import PAIRS, weigh
from pxs.parsing import argument
from pxs.quantities import SCALE, SHARE

if TYPE_CHECKING:
    from PIL import Image

    from pxs.judging.blends import JudgedBlend, Verdict


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("blend", help="blend all 15 pairs", description="Blend every pair of the basic six.")
    command.add_argument("--out", type=path, required=True, help="folder for 15 PNGs, sheet.png and results.json")
    command.add_argument(
        "--intensity",
        type=argument(SCALE.named("intensity")),
        default=1.0,
        metavar="A",
        help="of both expressions (default 1)",
    )
    command.add_argument("--rule", default="sum", help="sum: both at A; convex: half of each, together A (default sum)")
    command.add_argument(
        "--present",
        type=argument(SHARE.named("present")),
        default=0.3,
        metavar="T",
        help="judged intensity that counts (default 0.3)",
    )
    command.add_argument(
        "--identity",
        type=argument(SHARE.named("identity")),
        default=0.5,
        metavar="T",
        help="cosine that is the same person (default 0.5)",
    )
    add_picture(command)
    add_expression_judge(command)
    command.add_argument("--identity-judge", default="mini", metavar="NAME", help="see pxs judges (default mini)")
    add_model(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs blend`: all 15 pairs on one picture, each judged; writes the pictures, results.json and a sheet.

    The pictures are on disk before the first is judged, and so are the answers of an endpoint: a second run goes on.
    """
    seed, steps, intensity = args.seed, args.steps, args.intensity
    if intensity <= 0:
        raise ScaleError(f"intensity {intensity:g} blends nothing: give a number above 0, such as 1")
    from pxs.editing.checkpoints import find_model, sides_of
    from pxs.editing.keeping import check_targets, keep
    from pxs.editing.recipes import FITTED
    from pxs.images import open_image, open_picture, save_png
    from pxs.judging import expression_judge, identity_judge
    from pxs.judging.blends import BlendThresholds, judge_blends
    from pxs.storage.locks import writing
    from pxs.storage.provenance import write_json

    thresholds = BlendThresholds(args.present, args.identity)
    mixes = [weigh(args.rule, a, b, intensity, intensity) for a, b in PAIRS]
    picture = open_picture(args.image_path)
    folder, stem = Path(args.out), Path(args.image_path).stem
    files = [folder / f"{stem}_{mix.slug}.png" for mix in mixes]
    sheet, table = folder / "sheet.png", folder / "results.json"
    loaded = cache(lambda: load_editor(args))  # once, also for a judge that is the model
    sees = expression_judge(args.expression_judge, loaded, args.judge_url, args.judge_model, folder / "judged")
    knows = identity_judge(args.identity_judge)
    asked = {
        "image": Path(args.image_path).name,
        "rule": args.rule,
        "intensity": intensity,
        "seed": seed,
        "steps": steps,
        "calibrated": args.calibrated,
        "zero": args.zero or "neutral",
        "thresholds": vars(thresholds),
        "judges": {"expression": sees.name, "identity": knows.name},
    }
    prepared = FITTED.prepare(picture.image, sides_of(find_model(args.model_path)), None)
    calibration = calibration_of_flags(args)
    check_targets(files, mixes, seed, steps, args.domain, prepared, args.overwrite, calibration)
    refuse_existing([] if _is_of(table, asked) else [sheet, table], args.overwrite)
    with writing(folder):
        portrait = loaded().open(picture, args.domain)
        keep(portrait, mixes, files, seed, steps, args.overwrite, sys.stderr.isatty(), args.calibrated)
        images = [open_image(file) for file in files]
        judged = judge_blends(portrait.source, images, PAIRS, sees, knows, thresholds)
        pairs = [one.record(file.name) for one, file in zip(judged, files, strict=True)]
        write_json(table, {**asked, "pairs": pairs, "provenance": portrait.provenance})
        save_png(verdict_sheet(images, judged), sheet, portrait.provenance, overwrite=True)
    for one in judged:
        print(f"{one.first + ' + ' + one.second:20} {one.verdict}")
    print(*files, sheet, table, sep="\n")


def _is_of(table: Path, asked: Mapping[str, object]) -> bool:
    """Whether a results file is of this question, so that this run goes on with it."""
    try:
        found = json.loads(table.read_bytes())
        return all(found.get(key) == value for key, value in asked.items())
    except (OSError, ValueError, AttributeError):
        return False


def verdict_sheet(images: Sequence[Image.Image], judged: Sequence[JudgedBlend], columns: int = 5) -> Image.Image:
    """The images with pair and verdict over each, `columns` in a row, every cell about 200 pixels wide.

    Raises ImageError without images.
    """
    from pxs.images import wrapped_sheet

    labels = [f"{one.first} + {one.second}: {_brief(one.verdict)}" for one in judged]
    scale = 200 / max((image.width for image in images), default=200)
    return wrapped_sheet(images, labels, columns, scale, font_size=11)


def _brief(found: Verdict) -> str:
    return f"only {found.dominant}" if found.dominant else found.kind
