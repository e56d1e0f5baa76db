"""From a name to a loaded pipeline: where a checkpoint lies, what it is (fingerprint), on which device, which adapter.

A checkpoint is a diffusers folder of the stock Qwen-Image-Edit classes. `mini` ships with the package; a hub id must
have been downloaded before, since nothing is fetched unasked. Beside model_index.json a folder may hold workbench.json:
{"resolution": side of the square that the model was trained at, "drawn_psnr": see Checkpoint.drawn_psnr}.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxs.errors import AdapterError, ModelError, one_line

if TYPE_CHECKING:
    import torch
    from diffusers import QwenImageEditPlusPipeline

BUNDLED = {"mini": Path(__file__).parents[1] / "mini" / "weights"}
DEFAULT_ADAPTER = "default"  # the one that comes with the checkpoint, if any
DEFAULT_RESOLUTION = 512  # what PixelSmile adapters were trained at


@dataclass(frozen=True)
class Checkpoint:
    """A loaded pipeline and what identifies it.

    `fingerprint` is the SHA-256 over all weight and configuration files, `adapter` the adapter's file name and
    `adapter_hash` its SHA-256 (both empty without one), `resolution` the side in pixels of the square whose area
    pictures are edited at. `drawn_psnr` is set for a model that knows drawn faces only: a picture that its VAE
    reconstructs worse than this many dB is none.
    """

    pipe: QwenImageEditPlusPipeline
    name: str
    fingerprint: str
    resolution: int
    drawn_psnr: float | None
    adapter: str = ""
    adapter_hash: str = ""


def load_checkpoint(
    model: str | Path = "mini",
    adapter: str | Path | None = DEFAULT_ADAPTER,
    device: str | None = None,
    dtype: torch.dtype | None = None,
) -> Checkpoint:
    """Load a model and a LoRA adapter: a safetensors file in diffusers layout, or None for the base model.

    The default is the adapter that lies in the checkpoint folder as adapter.safetensors, if there is one. `device` is
    "cuda" where there is one, else "cpu"; `dtype` bfloat16 on a GPU, float32 on a CPU. Raises ModelError for a model
    that is missing, incomplete or not of this kind, AdapterError for an adapter that does not fit it.
    """
    import torch

    folder = find_model(model)
    adapter_file = _own_adapter(folder) if adapter == DEFAULT_ADAPTER else adapter and find_adapter(adapter)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or (torch.bfloat16 if device.startswith("cuda") else torch.float32)
    pipe = load_pipeline(folder, dtype).to(device)
    settings = _settings(folder)
    loaded = Checkpoint(
        pipe,
        str(model),
        fingerprint(folder),
        int(settings.get("resolution", DEFAULT_RESOLUTION)),
        settings.get("drawn_psnr"),
    )
    if adapter_file is None:
        return loaded
    attach_adapter(pipe, adapter_file)
    return Checkpoint(**{**vars(loaded), "adapter": adapter_file.name, "adapter_hash": file_hash(adapter_file)})


def _own_adapter(folder: Path) -> Path | None:
    """The adapter that a checkpoint comes with."""
    file = folder / "adapter.safetensors"
    return file if file.is_file() else None


def find_model(model: str | Path) -> Path:
    """The folder of a model: bundled, local, or already downloaded from the hub."""
    if str(model) in BUNDLED:
        return _checked(BUNDLED[str(model)], model)
    if Path(model).is_dir():
        return _checked(Path(model), model)
    parts = str(model).split("/")
    if len(parts) != 2 or not all(parts) or Path(model).exists():
        known = ", ".join(BUNDLED)
        raise ModelError(f"no model {str(model)!r}: give {known}, a checkpoint folder, or a hub id such as ORG/NAME")
    return _checked(_downloaded(str(model)), model)


def _downloaded(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        raise ModelError(
            f"model {hub_id!r} is neither a folder nor downloaded: run 'hf download {hub_id}' first, or give a folder"
        ) from None


def _checked(folder: Path, model: str | Path) -> Path:
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelError(f"{str(model)!r} is not a checkpoint folder: {index} is missing")
    try:
        entries = json.loads(index.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{index} is not valid JSON ({error}): download the checkpoint again") from None
    kind = entries.get("_class_name") if isinstance(entries, dict) else None
    if kind != "QwenImageEditPlusPipeline":
        raise ModelError(
            f"{str(model)!r} is a {kind}, not a QwenImageEditPlusPipeline: give a Qwen-Image-Edit checkpoint"
        )
    absent = [
        part
        for part in ("transformer", "vae", "text_encoder", "tokenizer", "processor", "scheduler")
        if not (folder / part).is_dir()
    ]
    if absent:
        raise ModelError(f"{str(model)!r} lacks {', '.join(absent)}: download the checkpoint again")
    return folder


def load_pipeline(folder: Path, dtype: torch.dtype, **parts: Any) -> QwenImageEditPlusPipeline:
    """The stock pipeline with our torchvision-free processor; `parts` replaces components (None leaves one out)."""
    from diffusers import QwenImageEditPlusPipeline

    from pxs.editing.processor import Processor

    processor = Processor.from_pretrained(folder / "processor")
    try:
        with quiet():
            pipe = QwenImageEditPlusPipeline.from_pretrained(
                folder, dtype=dtype, processor=processor, local_files_only=True, **parts
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{str(folder)!r} cannot be loaded ({one_line(error)}): download the checkpoint again"
        ) from None
    pipe.set_progress_bar_config(disable=True)
    _check_finite(pipe, folder)
    return pipe


def _check_finite(pipe: QwenImageEditPlusPipeline, folder: Path) -> None:
    """A flipped bit loads silently and blackens every picture: look for it here."""
    for part in ("transformer", "vae", "text_encoder"):
        model = getattr(pipe, part)
        for name, weight in model.named_parameters() if model is not None else ():
            if not bool(weight.isfinite().all()):
                raise ModelError(f"{folder / part}: weight {name} is not finite: download the checkpoint again")


@contextmanager
def quiet() -> Iterator[None]:
    """No loading bars, and no warning about the type of our processor."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    log = logging.getLogger("diffusers.pipelines")
    bars = diffusers_logging.is_progress_bar_enabled(), transformers_logging.is_progress_bar_enabled()
    before = log.level
    log.setLevel(logging.ERROR)
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        log.setLevel(before)
        for on, module in zip(bars, (diffusers_logging, transformers_logging), strict=True):
            if on:
                module.enable_progress_bar()


def _settings(folder: Path) -> dict[str, Any]:
    file = folder / "workbench.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def file_hash(file: Path) -> str:
    """SHA-256 of a file; of a hub download, the name of the blob that the link points to is that hash already."""
    name = file.resolve().name
    if file.is_symlink() and len(name) == 64 and set(name) <= set("0123456789abcdef"):
        return name
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and hashes of all weight and configuration files of a checkpoint."""
    digest = hashlib.sha256()
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".safetensors", ".json") and f.parent != folder)
    for file in files:
        digest.update(f"{file.relative_to(folder).as_posix()} {file_hash(file)}\n".encode())
    return digest.hexdigest()


def find_adapter(adapter: str | Path) -> Path:
    """The safetensors file of an adapter: the file itself, or the only one in a folder."""
    path = Path(adapter)
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(found) != 1:
        raise AdapterError(f"{str(adapter)!r} holds {len(found)} safetensors files: give the adapter's file")
    if found[0].suffix != ".safetensors":
        raise AdapterError(f"{str(adapter)!r} is not a .safetensors file: other formats can run code and are refused")
    if not found[0].is_file():
        raise AdapterError(f"no adapter {str(adapter)!r}: give a .safetensors file or a folder with one")
    return found[0]


def attach_adapter(pipe: QwenImageEditPlusPipeline, file: Path) -> None:
    """Add a LoRA to the transformer's weights, W + alpha / rank * B A, at its full strength.

    The intensity of an edit does not depend on it, so it costs nothing once it is added. Every key must match a weight
    of the model in name and shape; raises AdapterError.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as tensors:
            shapes = {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"{file} is damaged ({one_line(error)}): copy or download the adapter again") from None
    _check_keys(pipe, file, shapes)
    with quiet():
        pipe.load_lora_weights(str(file.parent), weight_name=file.name, local_files_only=True)
        pipe.fuse_lora(components=["transformer"])
        pipe.unload_lora_weights()


def _check_keys(pipe: QwenImageEditPlusPipeline, file: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    weights = {k.removesuffix(".weight"): tuple(w.shape) for k, w in pipe.transformer.named_parameters()}
    bad = []
    for key, shape in shapes.items():
        name = key.removeprefix("transformer.")
        layer, dot, part = name.partition(".lora_")
        target = weights.get(layer)
        side = {"A": 1, "B": 0}.get(part[:1])
        fits = bool(dot) and target is not None and side is not None and shape[side] == target[side]
        if not fits:
            bad.append(f"{key} {list(shape)}")
    if bad or not shapes:
        shown = "; ".join(bad[:3]) + (f"; and {len(bad) - 3} more" if len(bad) > 3 else "") or "it holds no tensors"
        raise AdapterError(f"{file} does not fit this model ({shown}): give an adapter trained on it")
