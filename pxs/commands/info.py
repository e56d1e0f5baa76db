"""`pxs info`: what would run, where, and with which versions."""

from __future__ import annotations

import argparse

from pxs.commands.arguments import adapter_of, add_model


def add(commands: argparse._SubParsersAction) -> None:
    """Declare the command."""
    command = commands.add_parser("info", help="show model, device and versions")
    add_model(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs info`: what would run, where, and with which versions."""
    from pxs.editing.editor import load

    editor = load(args.model_path, adapter_of(args))
    weights = sum(p.numel() for p in editor.pipe.transformer.parameters())
    rows = {
        **{key: value or "none" for key, value in editor.provenance.items()},
        **{str(adapter): adapter.facts for adapter in editor.checkpoint.adapters},
        "resolution": f"{editor.checkpoint.resolution} x {editor.checkpoint.resolution}",
        "transformer": f"{weights / 1e6:.1f} million parameters",
        "device": str(editor.pipe.device),
        "dtype": str(editor.pipe.transformer.dtype).removeprefix("torch."),
    }
    for key, value in rows.items():
        print(f"{key:14} {value}")
