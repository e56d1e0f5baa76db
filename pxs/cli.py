"""The command `pxs`: a thin front over the package. Mistakes end in one line on standard error and exit status 2.

pxs edit --image-path face.png --expression happy --scales 0 0.5 1 1.5 --output-dir out
pxs edit --image-path face.png --mix happy=0.7 surprised=0.5 --output-dir out
pxs blend --image-path face.png --out out/blend
pxs faces --out faces
pxs faces --ffe 200 --out ffe
pxs bench --methods truth source base words --out out/bench
pxs info
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from pxs import __version__
from pxs.errors import ExpressionError, OutputError, PxsError, ScaleError
from pxs.expressions import DOMAINS, EXPRESSIONS, PAIRS, Mix, check_scale, sweep

SCALES = (0.0, 0.5, 1.0, 1.5)
DEFAULT_ADAPTER = "default"  # the one that comes with the model
BENCH_METHODS = ("truth", "source", "base", "words", "pixelsmile")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 after a mistake, which is printed as one line."""
    args = parser().parse_args(arguments)
    warnings.showwarning = _one_line_warning
    command: Callable[[argparse.Namespace], None] = args.run
    try:
        command(args)
        sys.stdout.flush()
    except PxsError as error:
        print(f"pxs: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone, as in `pxs faces --out f | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("pxs: stopped", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line, with the flags of the public PixelSmile script for `edit`."""
    top = argparse.ArgumentParser(prog="pxs", description="Edit a face to any intensity of 12 expressions.")
    top.add_argument("--version", action="version", version=f"pxs {__version__}")
    commands = top.add_subparsers(dest="command", required=True)

    edit = commands.add_parser("edit", help="edit one picture", description="Edit one picture at several intensities.")
    edit.add_argument("--output-dir", required=True, help="folder for the edited PNGs")
    edit.add_argument("--expression", help=f"one of {', '.join(EXPRESSIONS)}")
    edit.add_argument("--scales", nargs="*", metavar="A", help="intensities of the expression (default 0 0.5 1 1.5)")
    edit.add_argument("--mix", nargs="+", metavar="NAME=A", help="several expressions at once, instead of --expression")
    _add_picture(edit)
    _add_model(edit)
    edit.set_defaults(run=run_edit)

    blend = commands.add_parser("blend", help="blend all 15 pairs", description="Blend every pair of the basic six.")
    blend.add_argument("--out", required=True, help="folder for 15 PNGs, sheet.png and results.json")
    blend.add_argument("--intensity", default="1", metavar="A", help="of both expressions (default 1)")
    blend.add_argument("--rule", default="sum", help="sum: both at A; convex: half of each, together A (default sum)")
    blend.add_argument("--present", default="0.3", metavar="T", help="judged intensity that counts (default 0.3)")
    blend.add_argument("--identity", default="0.5", metavar="T", help="cosine that is the same person (default 0.5)")
    _add_picture(blend)
    _add_judges(blend)
    _add_model(blend)
    blend.set_defaults(run=run_blend)

    faces = commands.add_parser("faces", help="draw sample portraits", description="Write drawn portraits as PNGs.")
    faces.add_argument("--out", required=True, help="folder for the portraits")
    faces.add_argument("--count", help="how many, of each style (default 6)")
    faces.add_argument("--seed", default="0", help="number of the first identity, with --ffe of the set (default 0)")
    faces.add_argument("--mix", nargs="+", metavar="NAME=A", help="expression of the faces (default neutral)")
    faces.add_argument("--ffe", metavar="N", help="instead, a training set in FFE layout, of N rows")
    faces.add_argument("--size", default="128", help="pixels a side (default 128)")
    faces.add_argument("--overwrite", action="store_true", help="replace files that exist")
    faces.set_defaults(run=run_faces)

    bench = commands.add_parser("bench", help="compare methods", description="Run and judge methods on a benchmark.")
    bench.add_argument("--methods", nargs="+", required=True, metavar="NAME", help=f"of {', '.join(BENCH_METHODS)}")
    bench.add_argument("--out", required=True, help="folder for results; a second run continues there")
    bench.add_argument("--tasks", help="how many tasks, from the first (default all)")
    bench.add_argument("--bench", help="folder or hub id in the layout of FFE-Bench (default the drawn mini-FFE-Bench)")
    bench.add_argument("--data-type", default="human", choices=tuple(DOMAINS), help="for rows that do not say")
    bench.add_argument("--seed", default="42", help="one seed is one image (default 42)")
    bench.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the model (default by device)")
    bench.add_argument("--steps", default="12", help="denoising steps (default 12)")
    _add_judges(bench)
    _add_model(bench)
    bench.set_defaults(run=run_bench)

    train = commands.add_parser("train", help="train an adapter", description="Train a LoRA adapter on FFE rows.")
    train.add_argument("--data", required=True, metavar="FILE", help="FFE rows, JSONL (pxs faces --ffe makes some)")
    train.add_argument("--out", required=True, help="folder for the adapter; a second run continues there")
    train.add_argument("--config", metavar="FILE", help="settings as JSON, see pxs/training/settings.py")
    train.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings by name, such as rank=8")
    train.add_argument("--steps", help="number of steps")
    train.add_argument("--seed", help="of order, noise and first weights")
    train.add_argument("--rescale", action="store_true", help="spread scores that crowd the top")
    train.add_argument("--tensorboard", action="store_true", help="also write TensorBoard events to OUT/tensorboard")
    train.set_defaults(run=run_train)

    info = commands.add_parser("info", help="show model, device and versions")
    _add_model(info)
    info.set_defaults(run=run_info)
    return top


def _add_picture(command: argparse.ArgumentParser) -> None:
    """What editing one picture needs, whatever is made of it."""
    command.add_argument("--image-path", required=True, help="the picture to edit")
    command.add_argument("--seed", default="42", help="one seed is one image (default 42)")
    command.add_argument("--steps", default="50", help="denoising steps (default 50)")
    command.add_argument("--data-type", default="human", choices=tuple(DOMAINS), help="kind of face (default human)")
    command.add_argument("--overwrite", action="store_true", help="replace files that exist")


def _add_judges(command: argparse.ArgumentParser) -> None:
    command.add_argument("--expression-judge", default="mini", metavar="NAME", help="mini, qwen, endpoint or pyfeat")
    command.add_argument(
        "--judge-url", help="address of an OpenAI-compatible endpoint, for --expression-judge endpoint"
    )
    command.add_argument("--judge-model", help="the model behind it")
    command.add_argument("--identity-judge", default="mini", metavar="NAME", help="mini or arcface")


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model-path", default="mini", help="mini, a checkpoint folder or a hub id (default mini)")
    command.add_argument("--lora-path", default=DEFAULT_ADAPTER, help="a LoRA adapter, .safetensors; none for the base")


def _adapter(args: argparse.Namespace) -> str | None:
    return None if args.lora_path == "none" else args.lora_path


def run_edit(args: argparse.Namespace) -> None:
    """`pxs edit`: check everything that can be checked, load, edit, write, print the paths."""
    mixes = _mixes(args)
    seed, steps = _whole(args.seed, "seed", 0), _whole(args.steps, "steps", 1)
    from pxs.images import open_image, output_folder

    image = open_image(args.image_path)
    folder, stem = Path(args.output_dir), Path(args.image_path).stem
    _refuse_existing([folder / f"{stem}_{mix.slug}.png" for mix in mixes], args.overwrite)
    from pxs.editing.editor import load

    editor = load(args.model_path, _adapter(args))
    output_folder(folder)
    edits = editor.open(image, args.data_type).edit(mixes, seed, steps, progress=sys.stderr.isatty())
    for path in edits.save(folder, stem, args.overwrite):
        print(path)


def run_blend(args: argparse.Namespace) -> None:
    """`pxs blend`: all 15 pairs on one picture, each judged; writes the pictures, a sheet and results.json."""
    seed, steps = _whole(args.seed, "seed", 0), _whole(args.steps, "steps", 1)
    intensity = check_scale(args.intensity, "intensity")
    if intensity <= 0:
        raise ScaleError(f"intensity {intensity:g} blends nothing: give a number above 0, such as 1")
    from pxs.images import open_image, output_folder, save_png
    from pxs.judging import expression_judge, identity_judge
    from pxs.judging.blends import BlendThresholds, judge_blends, verdict_sheet, weigh
    from pxs.provenance import write_json

    thresholds = BlendThresholds(check_scale(args.present, "present"), check_scale(args.identity, "identity"))
    mixes = [weigh(args.rule, a, b, intensity, intensity) for a, b in PAIRS]
    image = open_image(args.image_path)
    folder, stem = Path(args.out), Path(args.image_path).stem
    files = [folder / f"{stem}_{mix.slug}.png" for mix in mixes]
    _refuse_existing([*files, folder / "sheet.png", folder / "results.json"], args.overwrite)
    from pxs.editing.editor import load

    loaded = cache(lambda: load(args.model_path, _adapter(args)))  # once, here or for a judge that is the model itself
    sees = expression_judge(args.expression_judge, loaded, args.judge_url, args.judge_model)
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


def run_faces(args: argparse.Namespace) -> None:
    """`pxs faces`: drawn portraits of the gallery's identities, in both styles; or a drawn FFE set."""
    if args.ffe is not None:
        return _write_ffe(args)
    count, first = _whole("6" if args.count is None else args.count, "count", 1), _whole(args.seed, "seed", 0)
    size, mix = _whole(args.size, "size", 16), Mix.parse(args.mix or [])
    from pxs.images import output_folder, save_png
    from pxs.mini.faces import Identity, draw, seeds

    try:
        numbers = seeds("gallery", count, first)
    except ValueError as error:
        raise ScaleError(str(error)) from None
    plan = [(n, style) for style in DOMAINS for n in numbers]
    folder = Path(args.out)
    paths = [folder / f"{style}_{n - numbers[0] + first:03d}_{mix.slug}.png" for n, style in plan]
    _refuse_existing(paths, args.overwrite)
    output_folder(folder)
    for (number, style), path in zip(plan, paths, strict=True):
        text = {"identity": str(number), "style": style, "mix": str(mix), "pxs": __version__}
        save_png(draw(Identity.sample(number), mix, style, size), path, text, overwrite=args.overwrite)
    print(*paths, sep="\n")


def _write_ffe(args: argparse.Namespace) -> None:
    if args.mix or args.count is not None:
        raise ExpressionError("--ffe draws mixes and a number of its own: leave out --mix and --count")
    count, seed = _whole(args.ffe, "number of rows", 1), _whole(args.seed, "seed", 0)
    size = _whole(args.size, "size", 16)
    from pxs.mini.ffe_set import write_drawn_set

    print(write_drawn_set(args.out, count, seed, size=size, overwrite=args.overwrite, progress=sys.stderr.isatty()))


def run_bench(args: argparse.Namespace) -> None:
    """`pxs bench`: run what is missing, write the results, print the table."""
    seed, steps = _whole(args.seed, "seed", 0), _whole(args.steps, "steps", 1)
    count = None if args.tasks is None else _whole(args.tasks, "tasks", 1)
    from pxs.benchmark.methods import choose
    from pxs.benchmark.runner import Judges, run
    from pxs.benchmark.table import markdown, write_results
    from pxs.benchmark.tasks import load_bench, mini_bench
    from pxs.editing.editor import load
    from pxs.judging import expression_judge, identity_judge

    tasks = (load_bench(args.bench, args.data_type) if args.bench else mini_bench())[:count]
    methods = choose(
        args.methods, model=args.model_path, adapter=_adapter(args), steps=steps, seed=seed, dtype=args.dtype
    )
    expression = expression_judge(
        args.expression_judge,
        editor=lambda: load(args.model_path),
        url=args.judge_url,
        model=args.judge_model,
        cache=Path(args.out) / "judged",
    )
    judges = Judges(expression, identity_judge(args.identity_judge))
    rows = write_results(run(methods, tasks, judges, args.out, sys.stderr.isatty()), args.out)
    print(markdown(rows, published=False), end="")
    for name, row in rows.items():
        for task, reason in row["failures"].items():
            print(f"pxs: {name} failed on {task}: {reason}", file=sys.stderr)
    print(Path(args.out) / "results.json")


def run_train(args: argparse.Namespace) -> None:
    """`pxs train`: train or go on, with a progress bar; prints the paths of adapter and results."""
    from pxs.training.command import run

    run(args)


def run_info(args: argparse.Namespace) -> None:
    """`pxs info`: what would run, where, and with which versions."""
    from pxs.editing.editor import load

    editor = load(args.model_path, _adapter(args))
    weights = sum(p.numel() for p in editor.pipe.transformer.parameters())
    rows = {
        **{key: value or "none" for key, value in editor.provenance.items()},
        "resolution": f"{editor.checkpoint.resolution} x {editor.checkpoint.resolution}",
        "transformer": f"{weights / 1e6:.1f} million parameters",
        "device": str(editor.pipe.device),
        "dtype": str(editor.pipe.transformer.dtype).removeprefix("torch."),
    }
    for key, value in rows.items():
        print(f"{key:14} {value}")


def _mixes(args: argparse.Namespace) -> list[Mix]:
    """What to make of --expression, --scales and --mix."""
    if args.mix and (args.expression or args.scales is not None):
        raise ExpressionError("--mix and --expression with --scales exclude each other: give one of them")
    if args.mix:
        return [Mix.parse(args.mix)]
    if not args.expression:
        raise ExpressionError("no expression was given: use --expression NAME or --mix NAME=INTENSITY")
    return sweep(args.expression, SCALES if args.scales is None else args.scales)


def _whole(text: str, what: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ScaleError(f"{what} {text!r} is not a whole number: give {least} or more") from None
    if number < least:
        raise ScaleError(f"{what} {number} is too small: give {least} or more")
    return number


def _refuse_existing(paths: Sequence[Path], overwrite: bool) -> None:
    taken = [path for path in paths if path.exists()]
    if taken and not overwrite:
        raise OutputError(f"{taken[0]} exists: choose another folder or add --overwrite")


def _one_line_warning(message: Warning | str, *_: object) -> None:
    print(f"pxs: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
