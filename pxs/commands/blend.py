"""`pxs blend`: all 15 pairs of the basic six on one picture, each judged."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.commands.arguments import (
    Commands,
    add_judges,
    add_model,
    add_picture,
    load_editor,
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
    command.add_argument("--out", required=True, help="folder for 15 PNGs, sheet.png and results.json")
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
    add_judges(command)
    add_model(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs blend`: all 15 pairs on one picture, each judged; writes the pictures, a sheet and results.json."""
    seed, steps, intensity = args.seed, args.steps, args.intensity
    if intensity <= 0:
        raise ScaleError(f"intensity {intensity:g} blends nothing: give a number above 0, such as 1")
    from pxs.images import open_picture, save_png
    from pxs.judging import expression_judge, identity_judge
    from pxs.judging.blends import BlendThresholds, judge_blends
    from pxs.storage.files import output_folder
    from pxs.storage.provenance import write_json

    thresholds = BlendThresholds(args.present, args.identity)
    mixes = [weigh(args.rule, a, b, intensity, intensity) for a, b in PAIRS]
    image = open_picture(args.image_path)
    folder, stem = Path(args.out), Path(args.image_path).stem
    files = [folder / f"{stem}_{mix.slug}.png" for mix in mixes]
    refuse_existing([*files, folder / "sheet.png", folder / "results.json"], args.overwrite)
    loaded = cache(lambda: load_editor(args))  # once, also for a judge that is the model
    sees = expression_judge(args.expression_judge, loaded, args.judge_url, args.judge_model, folder / "judged")
    knows = identity_judge(args.identity_judge)
    editor = loaded()
    output_folder(folder)
    edits = editor.open(image, args.data_type).edit(mixes, seed, steps, progress=sys.stderr.isatty())
    judged = judge_blends(edits.source, list(edits), PAIRS, sees, knows, thresholds)
    edits.save(folder, stem, args.overwrite)
    save_png(verdict_sheet(list(edits), judged), folder / "sheet.png", edits.provenance, overwrite=args.overwrite)
    results = {
        "image": Path(args.image_path).name,
        "rule": args.rule,
        "intensity": intensity,
        "seed": seed,
        "steps": steps,
        "thresholds": vars(thresholds),
        "judges": {"expression": sees.name, "identity": knows.name},
        "pairs": [one.record(file.name) for one, file in zip(judged, files, strict=True)],
        "provenance": edits.provenance,
    }
    for one in judged:
        print(f"{one.first + ' + ' + one.second:20} {one.verdict}")
    print(*files, folder / "sheet.png", write_json(folder / "results.json", results), sep="\n")


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
