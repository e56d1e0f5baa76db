"""What `pxs train` and `accelerate launch -m pxs.training` do with their arguments."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from pxs.errors import TrainingError
from pxs.ffe import read
from pxs.training.settings import Settings
from pxs.training.trainer import Step, train

STOPPED = 143  # the exit status of a program that ended because of SIGTERM


def run(args: argparse.Namespace) -> None:
    """Train as the command line says. Raises PxsError; ends with status 143 when asked to stop by SIGTERM."""
    settings = settings_of(args)
    rows, folder = read(args.data, rescale=args.rescale), Path(args.out)
    with _events(folder) if args.tensorboard else nullcontext() as events:
        stopped = follow(train(rows, settings, folder), events)
    if stopped:
        print(f"pxs: stopped and saved; the same command goes on in {folder}", file=sys.stderr)
        sys.exit(STOPPED)
    print(folder / "adapter.safetensors", folder / "results.json", sep="\n")


def settings_of(args: argparse.Namespace) -> Settings:
    """Settings from --config, then --set, then --steps and --seed."""
    settings = Settings.load(args.config) if args.config else Settings()
    changes = dict(_assignment(text) for text in args.set)
    changes |= {name: _value(v) for name, v in (("steps", args.steps), ("seed", args.seed)) if v is not None}
    return settings.updated(changes)


def follow(steps: Iterable[Step], events: Any = None) -> bool:
    """Show steps as a progress bar and hand them to TensorBoard; whether the training was asked to stop."""
    bar, step = None, None
    for step in steps:
        bar = bar or tqdm(total=step.total, initial=step.index, desc="train", disable=not sys.stderr.isatty())
        bar.set_postfix({name: f"{value:.3f}" for name, value in step.losses.items()})
        bar.update()
        for name, value in (step.losses | {"rate": step.rate}).items() if events else ():
            events.add_scalar(name, value, step.index + 1)
    if bar:
        bar.close()
    return bool(step and step.stopped)


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TrainingError(f"{text!r} is not NAME=VALUE: write for example rank=8")
    return name, _value(value)


def _value(text: str) -> Any:
    """A number, true or false where the text is one, else the text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _events(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise TrainingError("--tensorboard needs the package tensorboard: pip install tensorboard") from None
    return SummaryWriter(str(folder / "tensorboard"))
