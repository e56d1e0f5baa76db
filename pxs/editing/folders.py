"""What a model folder must hold, found by reading its JSON files and the headers of its weights; nothing is loaded.

A diffusers folder of the stock Qwen-Image-Edit classes. A configuration out of a file can ask for a billion layers, and
weights may lie in other files than the index says: both are found here, in milliseconds, and each fault is one line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pxs.errors import DataError, ModelError, one_line
from pxs.faces import STYLES
from pxs.storage.parsing import parse_json

KINDS = {
    "scheduler": ("scheduler_config.json", "_class_name", "FlowMatchEulerDiscreteScheduler"),
    "transformer": ("config.json", "_class_name", "QwenImageTransformer2DModel"),
    "vae": ("config.json", "_class_name", "AutoencoderKLQwenImage"),
    "text_encoder": ("config.json", "model_type", "qwen2_5_vl"),
}
"""Part -> its configuration, the entry that names what it is, and what this must be."""

WEIGHTS = ("transformer", "vae", "text_encoder")
PARTS = (*KINDS, "tokenizer", "processor")
AGAIN = "download the checkpoint again"
FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")

LAYERS, WIDTH, SIDE, TEXT = 1_000, 2**18, 256, 2**24
MOST = {
    **dict.fromkeys(("num_layers", "num_hidden_layers", "depth", "num_res_blocks"), LAYERS),
    **dict.fromkeys(("num_attention_heads", "num_key_value_heads", "num_heads"), LAYERS),
    **dict.fromkeys(("attention_head_dim", "joint_attention_dim", "hidden_size", "intermediate_size"), WIDTH),
    **dict.fromkeys(("out_hidden_size", "in_channels", "out_channels", "input_channels", "z_dim", "base_dim"), WIDTH),
    **dict.fromkeys(("patch_size", "merge_size", "spatial_merge_size", "temporal_patch_size"), SIDE),
    **dict.fromkeys(("vocab_size", "max_position_embeddings"), TEXT),
    **dict.fromkeys(("num_train_timesteps",), 1_000_000),
    **dict.fromkeys(("shortest_edge", "min_pixels"), 2**20),
    **dict.fromkeys(("longest_edge", "max_pixels"), 2**26),
}
"""Whole numbers of configurations, and the most that each may be: beyond any model, within any memory."""

SETTINGS = "workbench.json"
SMALLEST, LARGEST = 16, 4096  # sides in pixels that a model may edit at


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ModelError if there is none."""
    try:
        found = parse_json(file.read_text(encoding="utf-8-sig"), AGAIN)
    except FileNotFoundError:
        raise ModelError(f"{str(file.parent)!r} lacks {file.name}: {AGAIN}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file} cannot be read ({one_line(error)}): {AGAIN}") from None
    except DataError as error:
        raise ModelError(f"{file} is {error}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{file} is a {type(found).__name__}, not an object: {AGAIN}")
    return found


def read_settings(folder: Path) -> dict[str, Any]:
    """What workbench.json says, checked: resolution, styles, least_psnr; empty without it. Raises ModelError."""
    file = folder / SETTINGS
    said = read_object(file) if file.is_file() else {}
    side, styles, psnr = said.get("resolution"), said.get("styles", []), said.get("least_psnr")
    if side is not None and not (type(side) is int and SMALLEST <= side <= LARGEST):
        raise ModelError(f"{file} has resolution {_shown(side)}: give a side from {SMALLEST} to {LARGEST} pixels")
    if psnr is not None and not (type(psnr) in (int, float) and abs(psnr) <= 1_000):
        raise ModelError(f"{file} has least_psnr {_shown(psnr)}: give a number of decibels")
    if not (isinstance(styles, list) and all(style in STYLES for style in styles)):
        raise ModelError(f"{file} has styles {_shown(styles)}: give a list of {', '.join(STYLES)}")
    return said


def check_parts(folder: Path, model: str | Path) -> None:
    """Raise ModelError unless all parts are there, and are of a Qwen-Image-Edit checkpoint by what they say."""
    kind = read_object(folder / "model_index.json").get("_class_name")
    if kind != "QwenImageEditPlusPipeline":
        raise ModelError(
            f"{str(model)!r} is a {_shown(kind)}, not a QwenImageEditPlusPipeline: give a Qwen-Image-Edit checkpoint"
        )
    if absent := [part for part in PARTS if not (folder / part).is_dir()]:
        raise ModelError(f"{str(model)!r} lacks {', '.join(absent)}: {AGAIN}")


def check_folder(folder: Path) -> None:
    """Check every JSON file of the parts, and the headers of their weights. Raises ModelError."""
    for part in PARTS:
        for file in sorted((folder / part).glob("*.json")):
            _check_numbers(read_object(file), file)
    for part, (name, entry, kind) in KINDS.items():
        found = read_object(folder / part / name).get(entry)
        if found != kind:
            raise ModelError(f"{folder / part / name} is of a {_shown(found)}, not of a {kind}: {AGAIN}")
    _check_latents(folder / "vae" / "config.json")
    for part in WEIGHTS:
        _check_weights(folder / part)


def _check_numbers(said: Mapping[str, Any], file: Path) -> None:
    """The numbers in MOST, at any depth, must be whole and within bounds."""
    inner = [said]
    while inner:
        for name, value in inner.pop().items():
            if isinstance(value, Mapping):
                inner.append(value)
            elif name in MOST and value is not None and not (type(value) is int and 1 <= value <= MOST[name]):
                raise ModelError(f"{file} has {name} {_shown(value)}: a whole number from 1 to {MOST[name]} is needed")


def _check_latents(file: Path) -> None:
    """Mean and deviation of the latents must be there for each of their channels."""
    said = read_object(file)
    for name, least in (("latents_mean", -math.inf), ("latents_std", 0.0)):
        values = said.get(name)
        if values is None:  # those of the class are used
            continue
        sound = isinstance(values, list) and all(type(v) in (int, float) and least < v < math.inf for v in values)
        if not sound or len(values) != said.get("z_dim", 16):
            raise ModelError(f"{file} has {name} {_shown(values)}: finite numbers, one a channel, are needed: {AGAIN}")


def _check_weights(part: Path) -> None:
    """The files of a part must be whole, of floating-point numbers, and hold what the index, if any, places in them."""
    index = next(iter(sorted(part.glob("*.safetensors.index.json"))), None)
    files = sorted(part.glob("*.safetensors"))
    places = {} if index is None else _places(index)
    if not files and not places:
        raise ModelError(f"{str(part)!r} lacks weights as safetensors: {AGAIN}")
    held = {file.name: set(_names(file)) for file in files}
    for key, name in places.items():
        if name not in held:
            raise ModelError(f"{str(part)!r} lacks {name}: {AGAIN}")
        if key not in held[name]:
            raise ModelError(f"{part / name} lacks {_shown(key)}, which {index} places there: {AGAIN}")


def _places(index: Path) -> dict[str, str]:
    """Key -> file name, as an index of shards says. Raises ModelError for an index that leads out of its folder."""
    places = read_object(index).get("weight_map")
    names = places.values() if isinstance(places, dict) else [None]
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelError(f"{index} has no weight_map from keys to files beside it: {AGAIN}")
    return dict(places or {})


def _names(file: Path) -> Iterator[str]:
    """The keys of a safetensors file. Raises ModelError if it is damaged or holds other than floating-point numbers."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as stream:
            for name in stream.keys():  # noqa: SIM118
                kind = stream.get_slice(name).get_dtype()
                if kind not in FLOATS:
                    raise ModelError(f"{file} holds {kind} numbers ({_shown(name)}), not floats: {AGAIN}")
                yield name
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{file} is damaged ({one_line(error)}): {AGAIN}") from None


def _shown(value: Any) -> str:
    """A value out of a file, on one line and short."""
    try:
        text = repr(value) if isinstance(value, str) and value.isprintable() else ascii(value)
    except RecursionError:  # lists in lists
        text = f"a {type(value).__name__} nested too deep"
    return text if len(text) <= 60 else f"{text[:60]}..."
