"""Flags that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pxs.errors import AdapterError, DataError, OutputError, shown
from pxs.expressions import DOMAINS
from pxs.faces import STYLES
from pxs.parsing import argument, parsed
from pxs.quantities import REUSE, SCALE, SEED, STEPS
from pxs.storage.paths import check_path, exists

if TYPE_CHECKING:
    from pxs.editing.calibration import Calibration
    from pxs.editing.editor import Editor
    from pxs.editing.options import LoadOptions

Value = TypeVar("Value")

DEFAULT_ADAPTER = "default"  # as in editing/adapters, whose import would take a second


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What a command adds itself to."""


path = parsed(lambda text: str(check_path(text)))
"""A `type` for argparse: a path that can be one."""


def add_picture(command: argparse.ArgumentParser) -> None:
    """Flags of a command that edits one picture."""
    command.add_argument("--image-path", type=path, required=True, help="the picture to edit")
    add_sampling(command)


def add_sampling(command: argparse.ArgumentParser) -> None:
    """Flags of every command that edits."""
    command.add_argument("--seed", type=argument(SEED), default=42, help="one seed is one image (default 42)")
    command.add_argument("--steps", type=argument(STEPS), default=50, help="denoising steps (default 50)")
    command.add_argument(
        "--domain", "--data-type", default="human", choices=tuple(DOMAINS), help="kind of face (default human)"
    )
    command.add_argument(
        "--calibrated", action="store_true", help="intensities as edits show them, by the adapter's calibration"
    )
    command.add_argument(
        "--zero", choices=("neutral", "source"), help="what intensity 0 gives: a neutral face (default), or the source"
    )
    command.add_argument("--overwrite", action="store_true", help="replace files that exist")


def add_expression_judge(command: argparse.ArgumentParser) -> None:
    """Flags that choose the judge of expression."""
    command.add_argument("--expression-judge", default="mini", metavar="NAME", help="see pxs judges (default mini)")
    command.add_argument(
        "--judge-url", help="address of an OpenAI-compatible endpoint, for --expression-judge endpoint"
    )
    command.add_argument("--judge-model", help="the model behind it; for --expression-judge vlm, its folder")


def add_styles(command: argparse.ArgumentParser) -> None:
    """The flag that chooses the styles of synthetic faces."""
    command.add_argument(
        "--style",
        nargs="+",
        choices=STYLES,
        default=list(DOMAINS),
        help="of the faces: human and anime are drawn, person is rendered (default human anime)",
    )


def add_model(command: argparse.ArgumentParser) -> None:
    """Flags that choose the model, its adapters and how it runs."""
    command.add_argument(
        "--model-path", type=path, default="mini", help="mini (default), mini-portrait, a checkpoint folder or a hub id"
    )
    command.add_argument(
        "--lora-path",
        nargs="+",
        type=path,
        default=[DEFAULT_ADAPTER],
        metavar="FILE[=WEIGHT]",
        help="LoRA adapters: files or hub ids; none for the base model (default the model's own)",
    )
    command.add_argument(
        "--memory", default="auto", help="auto, full, offload, fp8, int8 or nf4 (default auto: what fits)"
    )
    command.add_argument("--schedule", default="own", help="own, or few with an adapter of 4 or 8 steps (default own)")
    command.add_argument(
        "--attention", default="native", metavar="NAME", help="a kernel that is installed, such as flash"
    )
    command.add_argument(
        "--reuse",
        type=argument(REUSE),
        default=0.0,
        metavar="SHARE",
        help="approximate: reuse steps that change by less",
    )


def add_recipe(command: argparse.ArgumentParser) -> None:
    """By which steps the model edits."""
    command.add_argument(
        "--recipe",
        default="auto",
        metavar="NAME",
        help="published (the steps of the PixelSmile script) or fitted (whole pictures, at their own size); default "
        "auto: published for the full model with an adapter, else fitted",
    )


def load_editor(args: argparse.Namespace) -> Editor:
    """Load the editor that the flags of `add_model` describe."""
    from pxs.editing.editor import load

    return load(args.model_path, adapter_of(args), load_options(args))


def load_options(args: argparse.Namespace) -> LoadOptions:
    """The options in the flags of `add_model`, and in `--dtype`, `--recipe` and `--zero` where a command has them.

    A command without `--recipe` compares edits with their whole source: its recipe is "fitted".
    """
    import torch

    from pxs.editing.options import LoadOptions

    dtype = getattr(torch, args.dtype) if getattr(args, "dtype", None) else None
    recipe, zero = getattr(args, "recipe", "fitted"), getattr(args, "zero", None) or "neutral"
    run = args.memory, args.schedule, args.attention
    return LoadOptions(None, dtype, *run, reuse=args.reuse, recipe=recipe, zero=zero)


def calibration_of_flags(args: argparse.Namespace) -> Calibration | None:
    """The calibration that `--calibrated` means, None without the flag; raises AdapterError if there is none."""
    from pxs.editing.checkpoints import calibration_of

    return calibration_of(args.model_path, adapter_of(args)) if args.calibrated else None


def adapter_of(args: argparse.Namespace) -> Mapping[str | Path, float] | str | None:
    """The adapters in --lora-path with their weights, as `pxs.load` takes them."""
    if args.lora_path == ["none"]:
        return None
    if args.lora_path == [DEFAULT_ADAPTER]:
        return DEFAULT_ADAPTER
    chosen = [_weighted(text) for text in args.lora_path]
    for name, _ in chosen:
        if [n for n, _ in chosen].count(name) > 1:
            raise AdapterError(f"adapter {name!r} is named twice: name each once")
    return dict(chosen)


def _weighted(text: str) -> tuple[str | Path, float]:
    """FILE or FILE=WEIGHT; a file whose name has an equals sign may be given as it is."""
    name, equals, weight = text.rpartition("=")
    if not equals or exists(text):
        return text, 1.0
    return name, SCALE.named(f"weight of {shown(name)}").parse(weight)


def refuse_existing(paths: Sequence[Path], overwrite: bool) -> None:
    """Raise OutputError if a file that is to be written exists, unless it may be replaced."""
    taken = [path for path in paths if exists(path)]
    if taken and not overwrite:
        raise OutputError(f"{str(taken[0])!r} exists: choose another folder or add --overwrite")


def by_name(
    flag: str, form: str, given: Sequence[str], names: Sequence[str], read: Callable[[str], Value]
) -> dict[str, Value]:
    """Values by their names, from texts NAME=VALUE, which messages call `form`.

    `read` makes a value of the text behind "=". Raises DataError for another form and a name that is none of `names`.
    """
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (equals and value) or name not in names:
            raise DataError(f"{flag} {shown(text)} is not {form}: name one of {', '.join(names)}")
        found[name] = read(value)
    return found
