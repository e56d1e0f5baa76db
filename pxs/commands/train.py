"""`pxs train`, and `accelerate launch -m pxs train`: train a LoRA adapter on FFE rows, or continue a training.

The recipe is that of --recipe, else the one that suits the model: "mini" for a model of drawn faces, "pixelsmile" (the
published settings, by the domain of the rows) for every other. One line on standard error names it. --config, --set,
--steps, --seed and --method change single settings of it. `--recipe pixelsmile` without a model trains
Qwen/Qwen-Image-Edit-2511. --method trains another method of linear control, for `pxs bench`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxs.commands.arguments import Commands, path
from pxs.errors import DataError, TrainingError, shown
from pxs.parsing import argument
from pxs.storage.parsing import parse_json
from pxs.training.settings import CHOICES, LIMITS, Settings, read_changes

if TYPE_CHECKING:
    from pxs.training.trainer import TrainingStep

SHORT = ("steps", "seed", "method")  # settings with an option of their own
STOPPED = 143  # the exit status of a program that ended because of SIGTERM


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("train", help="train an adapter", description="Train a LoRA adapter on FFE rows.")
    command.add_argument(
        "--data", type=path, required=True, metavar="FILE", help="FFE rows (pxs faces --ffe makes some)"
    )
    command.add_argument("--out", type=path, required=True, help="folder for the adapter; a second run continues there")
    command.add_argument(
        "--recipe",
        choices=CHOICES["recipe"],
        help="settings and steps: mini, or pixelsmile, as published (default: by the model)",
    )
    command.add_argument("--method", choices=CHOICES["method"], help="what is trained (default pixelsmile)")
    command.add_argument("--config", type=path, metavar="FILE", help="settings as JSON, see pxs/training/settings.py")
    command.add_argument("--pictures", type=path, metavar="FOLDER", help="that holds all pictures of the rows")
    command.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings by name, such as rank=8")
    command.add_argument("--steps", type=argument(LIMITS["steps"]), help="number of steps")
    command.add_argument("--seed", type=argument(LIMITS["seed"]), help="of order, noise and first weights")
    command.add_argument("--rescale", action="store_true", help="spread scores that crowd the top")
    command.add_argument("--tensorboard", action="store_true", help="also write TensorBoard events to OUT/tensorboard")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs train`: train with the given settings. Raises PxsError; exits with status 143 after SIGTERM."""
    changes = changes_of(args)
    from accelerate import Accelerator

    from pxs.data.ffe import read
    from pxs.training.recipes import choose_settings
    from pxs.training.trainer import train

    rows, folder = read(args.data, args.rescale, pictures=args.pictures), Path(args.out)
    accelerator = Accelerator()
    speaks = accelerator.is_main_process
    settings = choose_settings(changes, rows, args.recipe, accelerator.num_processes)
    with _events(folder) if args.tensorboard and speaks else nullcontext() as events:
        steps = train(rows, settings, folder, tell=_tell if speaks else _ignore)
        stopped = follow(steps, events, quiet=not (speaks and sys.stderr.isatty()))
    if stopped and speaks:
        print(f"pxs: stopped and saved; the same command continues in {folder}", file=sys.stderr)
    if stopped:
        sys.exit(STOPPED)
    if speaks:
        print(folder / "adapter.safetensors", folder / "results.json", sep="\n")


def changes_of(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that are given: by --config, then --set, then SHORT. Raises TrainingError."""
    changes = read_changes(args.config) if args.config else {}
    changes |= dict(_assignment(text) for text in args.set)
    changes |= {name: v for name, v in vars(args).items() if name in SHORT and v is not None}
    Settings().updated(changes)
    return changes


def follow(steps: Iterable[TrainingStep], events: Any = None, quiet: bool = False) -> bool:
    """Show steps as a progress bar and pass them to TensorBoard; return whether the training was stopped."""
    from tqdm.auto import tqdm

    bar, step = None, None
    for step in steps:
        bar = bar or tqdm(total=step.total, initial=step.index, desc="train", disable=quiet)
        bar.set_postfix({name: f"{value:.3f}" for name, value in step.losses.items()})
        bar.update()
        scalars = {**step.losses, "rate": step.rate, "validation": step.validation}
        for name, value in scalars.items() if events else ():
            if value is not None:
                events.add_scalar(name, value, step.index + 1)
    if bar:
        bar.close()
    return bool(step and step.stopped)


def _tell(line: str) -> None:
    print(f"pxs: {line}", file=sys.stderr)


def _ignore(line: str) -> None:
    pass


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TrainingError(f"{shown(text)} is not NAME=VALUE: write for example rank=8")
    return name, _value(value)


def _value(text: str) -> Any:
    """The JSON value of a text, such as a number or true; the text itself if it is not JSON."""
    try:
        return parse_json(text)
    except DataError:
        return text


def _events(folder: Path) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise TrainingError("--tensorboard needs the package tensorboardX: pip install tensorboardX") from None
    return SummaryWriter(str(folder / "tensorboard"))
