"""The command `pxs`: a thin front over the package. Mistakes end in one line on standard error and exit status 2.

pxs edit --image-path face.png --expression happy --scales 0 0.5 1 1.5 --output-dir out
pxs edit --image-path face.png --mix happy=0.7 surprised=0.5 --output-dir out
pxs faces --out faces
pxs info
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from pxs import __version__
from pxs.errors import ExpressionError, OutputError, PxsError, ScaleError
from pxs.expressions import DOMAINS, EXPRESSIONS, Mix, sweep

SCALES = (0.0, 0.5, 1.0, 1.5)


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
    edit.add_argument("--image-path", required=True, help="the picture to edit")
    edit.add_argument("--output-dir", required=True, help="folder for the edited PNGs")
    edit.add_argument("--expression", help=f"one of {', '.join(EXPRESSIONS)}")
    edit.add_argument("--scales", nargs="*", metavar="A", help="intensities of the expression (default 0 0.5 1 1.5)")
    edit.add_argument("--mix", nargs="+", metavar="NAME=A", help="several expressions at once, instead of --expression")
    edit.add_argument("--seed", default="42", help="one seed is one image (default 42)")
    edit.add_argument("--steps", default="50", help="denoising steps (default 50)")
    edit.add_argument("--data-type", default="human", choices=tuple(DOMAINS), help="kind of face (default human)")
    edit.add_argument("--overwrite", action="store_true", help="replace files that exist")
    _add_model(edit)
    edit.set_defaults(run=run_edit)

    faces = commands.add_parser("faces", help="draw sample portraits", description="Write drawn portraits as PNGs.")
    faces.add_argument("--out", required=True, help="folder for the portraits")
    faces.add_argument("--count", default="6", help="how many, of each style (default 6)")
    faces.add_argument("--seed", default="0", help="number of the first identity (default 0)")
    faces.add_argument("--mix", nargs="+", metavar="NAME=A", help="expression of the faces (default neutral)")
    faces.add_argument("--size", default="128", help="pixels a side (default 128)")
    faces.add_argument("--overwrite", action="store_true", help="replace files that exist")
    faces.set_defaults(run=run_faces)

    info = commands.add_parser("info", help="show model, device and versions")
    _add_model(info)
    info.set_defaults(run=run_info)
    return top


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model-path", default="mini", help="mini, a checkpoint folder or a hub id (default mini)")
    command.add_argument("--lora-path", help="a LoRA adapter, .safetensors")


def run_edit(args: argparse.Namespace) -> None:
    """`pxs edit`: check everything that can be checked, load, edit, write, print the paths."""
    mixes = _mixes(args)
    seed, steps = _whole(args.seed, "seed", 0), _whole(args.steps, "steps", 1)
    from pxs.images import open_image, output_folder

    image = open_image(args.image_path)
    folder, stem = Path(args.output_dir), Path(args.image_path).stem
    _refuse_existing([folder / f"{stem}_{mix.slug}.png" for mix in mixes], args.overwrite)
    from pxs.editing.editor import load

    editor = load(args.model_path, args.lora_path)
    output_folder(folder)
    edits = editor.open(image, args.data_type).edit(mixes, seed, steps, progress=sys.stderr.isatty())
    for path in edits.save(folder, stem, args.overwrite):
        print(path)


def run_faces(args: argparse.Namespace) -> None:
    """`pxs faces`: drawn portraits of the gallery's identities, in both styles."""
    count, first = _whole(args.count, "count", 1), _whole(args.seed, "seed", 0)
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


def run_info(args: argparse.Namespace) -> None:
    """`pxs info`: what would run, where, and with which versions."""
    from pxs.editing.editor import load

    editor = load(args.model_path, args.lora_path)
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
