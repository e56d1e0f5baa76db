"""`pxs info`: shows model, adapters, device and versions; or the GPU memory that a model needs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pxs.commands.arguments import Commands, adapter_of, add_model, add_recipe, load_editor, load_options
from pxs.threads import described

if TYPE_CHECKING:
    from pxs.editing.adapters import Adapter


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("info", help="show model, device and versions")
    command.add_argument("--estimate", action="store_true", help="print how much GPU memory the model needs")
    add_model(command)
    add_recipe(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs info`: load the model that the flags name and print what it is."""
    if args.estimate:
        return _estimate(args)
    editor = load_editor(args)
    from pxs.editing.checkpoints import find_model
    from pxs.editing.memory import sizes

    s = sizes(find_model(args.model_path))
    counts = {"transformer": s.blocks + s.modulation + s.rest, "text encoder": s.text_encoder, "VAE": s.vae}
    rows = {
        **{key: value or "none" for key, value in editor.provenance.items()},
        "parameters": ", ".join(f"{part} {count / 1e6:,.1f} M" for part, count in counts.items()),
        "resolution": f"{editor.checkpoint.resolution} x {editor.checkpoint.resolution}",
        "device": str(editor.vae_device),
        "dtype": str(editor.pipe.transformer.dtype).removeprefix("torch."),
        **described(),
    }
    config = editor.pipe.transformer.config
    adapters = [row for adapter in editor.checkpoint.adapters for row in _of_adapter(adapter, config)]
    for key, value in [*rows.items(), *adapters]:
        print(f"{key:20} {value}")


def _of_adapter(adapter: Adapter, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Rows about an adapter: its facts, layouts, tensors that were left out, and how stock diffusers loads its file."""
    from pxs.editing.adapters.stock import stock_report

    yield str(adapter), adapter.facts
    for layout in adapter.layouts:
        yield "  layout", layout
    for remark in adapter.remarks:
        yield "  remark", remark
    yield "  stock diffusers", stock_report(adapter.file, config)


def _estimate(args: argparse.Namespace) -> None:
    """Print the memory that each mode needs in bfloat16, and the smallest GPU that has it."""
    import torch

    from pxs.editing.checkpoints import find_model, recipe_of, sides_of
    from pxs.editing.memory import ASSUMED_BATCH, GPU_SIZES_GB, USABLE_SHARE, estimate, sizes

    folder = find_model(args.model_path)
    side = recipe_of(args.model_path, adapter_of(args), load_options(args)).generated(sides_of(folder))
    print(f"{args.model_path}, bfloat16, {ASSUMED_BATCH} intensities at {side} x {side}:")
    for mode, need in estimate(sizes(folder), torch.bfloat16, side).items():
        fits = [card for card in GPU_SIZES_GB if need <= USABLE_SHARE * card]
        print(f"{mode:10} {need:7.2f} GB   {f'fits a card of {fits[0]} GB' if fits else 'fits no single card'}")
