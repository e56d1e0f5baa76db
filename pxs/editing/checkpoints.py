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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxs.editing.adapters import DEFAULT_ADAPTER, Adapter, Choice, find_adapters, load_adapters
from pxs.editing.attention import set_attention
from pxs.editing.conditioning import tell_pictures
from pxs.editing.memory import choose, place
from pxs.editing.options import DEFAULT_OPTIONS, LoadOptions
from pxs.editing.recipes import FITTED, Recipe, Sides, find_recipe
from pxs.editing.sampling import reschedule
from pxs.errors import ModelError, one_line
from pxs.storage.hub import MODEL, downloaded, file_hash, is_hub_id
from pxs.storage.paths import kind_of

if TYPE_CHECKING:
    import torch
    from diffusers import QwenImageEditPlusPipeline

BUNDLED = {"mini": Path(__file__).parents[1] / "mini" / "weights"}
DEFAULT_RESOLUTION = 512  # what PixelSmile adapters were trained at
PIPELINE_SIDE = 1024  # what the pipeline of diffusers generates when it is asked for no size


@dataclass(frozen=True)
class Checkpoint:
    """A loaded pipeline and what identifies it.

    `fingerprint` is the SHA-256 over all weight and configuration files, `adapters` what was added to the weights,
    `resolution` the side in pixels of the square whose area pictures are edited at. `drawn_psnr` is set for a model
    that was trained on drawn faces only: inputs that its VAE reconstructs below this PSNR (dB) trigger a warning; None
    disables it. `options` are those it was loaded with; device, dtype, memory and recipe are what was
    chosen. `pipeline_side` is the side of the square that the recipe "published" generates.
    """

    pipe: QwenImageEditPlusPipeline
    name: str
    fingerprint: str
    resolution: int
    drawn_psnr: float | None
    adapters: tuple[Adapter, ...] = ()
    options: LoadOptions = LoadOptions(memory="full")
    pipeline_side: int = PIPELINE_SIDE

    @property
    def sides(self) -> Sides:
        """The sizes that recipes choose from."""
        return Sides(self.resolution, self.pipeline_side)

    @property
    def recipe(self) -> Recipe:
        """How pictures are edited; "fitted" for a checkpoint that was put together by hand without a recipe."""
        return self.options.recipe if isinstance(self.options.recipe, Recipe) else FITTED

    @property
    def adapter(self) -> str:
        """File names of the adapters, with weights other than 1; empty without one."""
        return ", ".join(map(str, self.adapters))

    @property
    def adapter_hash(self) -> str:
        """SHA-256 of the adapters' files; empty without one."""
        return ", ".join(a.sha256 for a in self.adapters)


def load_checkpoint(
    model: str | Path = "mini",
    adapter: Choice = DEFAULT_ADAPTER,
    options: LoadOptions = DEFAULT_OPTIONS,
) -> Checkpoint:
    """Load a model and LoRA adapters: one, several as {adapter: weight}, or None for the base model.

    An adapter is a safetensors file, a folder with one, or a downloaded hub id. The default is the one that lies in the
    checkpoint folder as adapter.safetensors, if there is one. Raises ModelError for a model that is missing,
    incomplete, too large or not of this kind, AdapterError for an adapter that does not fit it.
    """
    import torch

    folder = find_model(model)
    files = _adapter_files(folder, adapter)
    recipe = find_recipe(options.recipe, options.schedule, folder, files)
    device = check_device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = options.dtype or (torch.bfloat16 if device.startswith("cuda") else torch.float32)
    sides = sides_of(folder)
    mode = choose(options.memory, folder, dtype, recipe.generated(sides), device)
    pipe = load_pipeline(folder, dtype)
    pipe.scheduler = reschedule(pipe.scheduler, options.schedule)
    adapters = load_adapters(pipe.transformer, files)
    place(pipe, mode, device)
    set_attention(pipe.transformer, options.attention)
    loaded = replace(options, device=device, dtype=dtype, memory=mode, recipe=recipe)
    drawn = drawn_psnr_of(folder)
    return Checkpoint(pipe, str(model), fingerprint(folder), sides.trained, drawn, adapters, loaded, sides.pipeline)


def recipe_of(model: str | Path, adapter: Choice, options: LoadOptions) -> Recipe:
    """The recipe that `load_checkpoint` chooses; only headers of the files are read. Raises as that function does."""
    folder = find_model(model)
    return find_recipe(options.recipe, options.schedule, folder, _adapter_files(folder, adapter))


def _adapter_files(folder: Path, adapter: Choice) -> dict[Path, float]:
    own = folder / "adapter.safetensors"
    return find_adapters(adapter, own if own.is_file() else None)


def check_device(device: str) -> str:
    """Return the name of a device that PyTorch has here; raises ModelError for another."""
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ModelError(
            f"device {device!r} cannot be used ({one_line(error)}): give cpu, or cuda on a machine with a GPU"
        ) from None
    return device


def find_model(model: str | Path) -> Path:
    """The folder of a model: bundled, local, or already downloaded from the hub."""
    if str(model) in BUNDLED:
        return _checked(BUNDLED[str(model)], model)
    if kind_of(model) == "folder":
        return _checked(Path(model), model)
    if not is_hub_id(str(model)):
        known = ", ".join(BUNDLED)
        raise ModelError(f"no model {str(model)!r}: give {known}, a checkpoint folder, or a hub id such as ORG/NAME")
    return _checked(downloaded(str(model), MODEL), model)


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

    try:
        processor = Processor.from_pretrained(folder / "processor")
        with quiet():
            pipe = QwenImageEditPlusPipeline.from_pretrained(
                folder, dtype=dtype, processor=processor, local_files_only=True, use_safetensors=True, **parts
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{str(folder)!r} cannot be loaded ({one_line(error)}): download the checkpoint again"
        ) from None
    if pipe.text_encoder is not None:
        pipe.text_encoder.register_forward_pre_hook(tell_pictures, with_kwargs=True)
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


def resolution_of(folder: Path) -> int:
    """The side in pixels of the square whose area a checkpoint edits pictures at."""
    return int(_settings(folder).get("resolution", DEFAULT_RESOLUTION))


def sides_of(folder: Path) -> Sides:
    """The sizes that recipes choose from; a folder with a resolution of its own has this one for both."""
    trained = resolution_of(folder)
    return Sides(trained, trained if "resolution" in _settings(folder) else PIPELINE_SIDE)


def drawn_psnr_of(folder: Path) -> float | None:
    """See `Checkpoint.drawn_psnr`."""
    return _settings(folder).get("drawn_psnr")


def _settings(folder: Path) -> dict[str, Any]:
    file = folder / "workbench.json"
    try:
        return json.loads(file.read_text()) if file.is_file() else {}
    except ValueError as error:
        raise ModelError(f"{file} is not valid JSON ({one_line(error)}): repair or delete it") from None


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and hashes of all weight and configuration files of a checkpoint."""
    digest = hashlib.sha256()
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".safetensors", ".json") and f.parent != folder)
    for file in files:
        digest.update(f"{file.relative_to(folder).as_posix()} {file_hash(file)}\n".encode())
    return digest.hexdigest()
