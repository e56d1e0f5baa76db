"""From a name to a loaded pipeline: where a checkpoint lies, what it is (fingerprint), on which device, which adapter.

A checkpoint is a diffusers folder of the stock Qwen-Image-Edit classes. `mini` ships with the package; a hub id must
have been downloaded before, since nothing is fetched unasked. Beside model_index.json a folder may hold workbench.json:
{"resolution": side of the square that the model was trained at, "styles" and "least_psnr": see Checkpoint}.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.editing.adapters import DEFAULT_ADAPTER, Adapter, Choice, find_adapters, load_adapters
from pxs.editing.attention import set_attention
from pxs.editing.bundled import BUNDLED, bundled
from pxs.editing.calibration import Calibration, find_calibration
from pxs.editing.folders import check_parts, read_settings
from pxs.editing.memory import choose, place
from pxs.editing.options import DEFAULT_OPTIONS, LoadOptions
from pxs.editing.parts import load_pipeline
from pxs.editing.recipes import FITTED, Recipe, Sides, find_recipe
from pxs.editing.sampling import reschedule
from pxs.errors import ModelError, one_line
from pxs.storage.hashes import file_hash, folder_hashes
from pxs.storage.hub import MODEL, downloaded, is_hub_id
from pxs.storage.paths import check_path, kind_of

if TYPE_CHECKING:
    from diffusers import QwenImageEditPlusPipeline

ADAPTER_FILE = "adapter.safetensors"  # in a checkpoint folder: its default adapter
DEFAULT_RESOLUTION = 512  # what PixelSmile adapters were trained at
PIPELINE_SIDE = 1024  # what the pipeline of diffusers generates when it is asked for no size


@dataclass(frozen=True)
class Checkpoint:
    """A loaded pipeline and what identifies it.

    `fingerprint` is the SHA-256 over all weight and configuration files, `adapters` what was added to the weights,
    `resolution` the side in pixels of the square whose area pictures are edited at. `styles` are those of the faces
    that the model was trained on, of `pxs.faces.STYLES`; empty for a model of photographs. Pictures that its VAE
    reconstructs below `least_psnr` (dB) are unlike those faces and trigger a warning; None disables it. `options` are
    those it was loaded with; device, dtype, memory and recipe are what was chosen. `pipeline_side` is the side of the
    square that the recipe "published" generates.
    """

    pipe: QwenImageEditPlusPipeline
    name: str
    fingerprint: str
    resolution: int
    styles: tuple[str, ...] = ()
    least_psnr: float | None = None
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
    identity = fingerprint(folder)
    pipe = load_pipeline(folder, dtype)
    pipe.scheduler = reschedule(pipe.scheduler, options.schedule)
    adapters = load_adapters(pipe.transformer, files)
    place(pipe, mode, device)
    set_attention(pipe.transformer, options.attention)
    loaded = replace(options, device=device, dtype=dtype, memory=mode, recipe=recipe)
    least = read_settings(folder).get("least_psnr")
    return Checkpoint(
        pipe, str(model), identity, sides.trained, styles_of(folder), least, adapters, loaded, sides.pipeline
    )


def recipe_of(model: str | Path, adapter: Choice, options: LoadOptions) -> Recipe:
    """The recipe that `load_checkpoint` chooses; only headers of the files are read. Raises as that function does."""
    folder = find_model(model)
    return find_recipe(options.recipe, options.schedule, folder, _adapter_files(folder, adapter))


def identity_of(model: str | Path, adapter: Choice, options: LoadOptions) -> dict[str, str]:
    """What an edit depends on beside picture, mix and seed, without loading the model. Raises as `recipe_of` does."""
    folder = find_model(model)
    files = _adapter_files(folder, adapter)
    dtype = "" if options.dtype is None else str(options.dtype)
    chosen = {name: str(getattr(options, name)) for name in ("memory", "schedule", "attention", "reuse")}
    zero = {} if options.zero == "neutral" else {"zero": options.zero}  # as keys were before there was a choice
    return {
        "model_hash": fingerprint(folder),
        "adapter_hash": ", ".join(f"{file_hash(file)} {weight:g}" for file, weight in files.items()),
        "recipe": find_recipe(options.recipe, options.schedule, folder, files).name,
        "dtype": dtype,
        **chosen,
        **zero,
    }


def calibration_of(model: str | Path, adapter: Choice) -> Calibration:
    """The calibration of a choice of adapters, without loading the model; raises as `find_calibration`."""
    files = _adapter_files(find_model(model), adapter)
    return find_calibration([(file, file_hash(file), weight) for file, weight in files.items()])


def _adapter_files(folder: Path, adapter: Choice) -> dict[Path, float]:
    own = folder / ADAPTER_FILE
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
        return _checked(bundled(str(model)), model)
    if kind_of(model) == "folder":
        return _checked(check_path(model), model)
    if not is_hub_id(str(model)):
        known = ", ".join(BUNDLED)
        raise ModelError(f"no model {str(model)!r}: give {known}, a checkpoint folder, or a hub id such as ORG/NAME")
    return _checked(downloaded(str(model), MODEL), model)


def _checked(folder: Path, model: str | Path) -> Path:
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelError(f"{str(model)!r} is not a checkpoint folder: {index} is missing")
    check_parts(folder, model)
    return folder


def resolution_of(folder: Path) -> int:
    """The side in pixels of the square whose area a checkpoint edits pictures at."""
    return int(read_settings(folder).get("resolution") or DEFAULT_RESOLUTION)


def sides_of(folder: Path) -> Sides:
    """The sizes that recipes choose from; a folder with a resolution of its own has this one for both."""
    own = read_settings(folder).get("resolution")
    return Sides(resolution_of(folder), own or PIPELINE_SIDE)


def styles_of(folder: Path) -> tuple[str, ...]:
    """See `Checkpoint.styles`."""
    return tuple(read_settings(folder).get("styles", ()))


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and hashes of all weight and configuration files of a checkpoint.

    Raises ModelError for a file that has changed since the folder was first loaded, see `folder_hashes`.
    """
    digest = hashlib.sha256()
    for name, sha256 in folder_hashes(folder).items():
        if name.endswith((".safetensors", ".json")):
            digest.update(f"{name} {sha256}\n".encode())
    return digest.hexdigest()
