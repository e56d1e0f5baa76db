"""General editors that run here: pipelines of diffusers that edit a picture by an instruction.

EDITORS is the table of what differs between them. Nothing is downloaded: `pxs download --model ORG/NAME` does that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.general import General, Size
from pxs.editing.bundled import BUNDLED, bundled
from pxs.editing.checkpoints import check_device, fingerprint, load_checkpoint
from pxs.editing.conditioning import tell_pictures
from pxs.editing.folders import read_object
from pxs.editing.memory import USABLE_SHARE
from pxs.editing.parts import quiet
from pxs.errors import ModelError, one_line, shown
from pxs.storage.hub import MODEL, downloaded, is_hub_id
from pxs.storage.paths import check_path, kind_of
from pxs.storage.provenance import versions

if TYPE_CHECKING:
    from pxs.editing.options import LoadOptions

ROOM = 1.3  # memory that a pipeline needs to its weights, about
MODES = ("auto", "full", "offload")
MEGAPIXEL = 1024 * 1024


@dataclass(frozen=True)
class Pipeline:
    """An editor of diffusers: the name that people know, the default model, the class, and how it is called.

    steps: its published number. call: arguments beside the picture, the prompt, the steps and the generator.
    config: entries that the model's model_index.json must have, with their values. frame: from the loaded pipeline and
    the size of a picture to the one at which the pipeline cuts nothing; by default it cuts nothing at any size. parts:
    from the model's folder to parts that are not loaded as its model_index.json says. needs: packages beside ours.
    """

    title: str
    model: str
    kind: str
    steps: int
    call: Mapping[str, Any]
    config: Mapping[str, Any] = field(default_factory=dict)
    frame: Callable[[Any, Size], Size] = lambda pipe, size: size
    parts: Callable[[Path], Mapping[str, Any]] = lambda folder: {}
    needs: tuple[str, ...] = ()


def _sixteens(pipe: Any, size: Size) -> Size:
    """FLUX.2 takes at most a megapixel and multiples of its patches, and cuts off what is beyond them."""
    scale, patch = min(1.0, (MEGAPIXEL / (size[0] * size[1])) ** 0.5), 2 * pipe.vae_scale_factor
    width, height = (max(patch, int(scale * side) // patch * patch) for side in size)
    return width, height


def _bucket(pipe: Any, size: Size) -> Size:
    """JoyImage generates at one of a list of sizes, of the nearest aspect."""
    height, width = pipe.vae_image_processor.get_default_height_width(None, size[1], size[0])
    return width, height


def _pictures_alone(folder: Path) -> Mapping[str, Any]:
    """LongCat uses the pictures' half of its processor, which needs torchvision for videos: ours does not."""
    from pxs.editing.processor import Processor

    return {"text_processor": Processor.from_pretrained(folder / "text_processor")}


EDITORS = {
    "qwen_edit": Pipeline(
        "Qwen-Image-Edit-2511",
        "Qwen/Qwen-Image-Edit-2511",
        "QwenImageEditPlusPipeline",
        50,
        {"true_cfg_scale": 4.0, "negative_prompt": " "},
    ),
    "flux2_klein": Pipeline(
        "FLUX.2 Klein, distilled",
        "black-forest-labs/FLUX.2-klein-4B",
        "Flux2KleinPipeline",
        4,
        {"guidance_scale": 1.0},
        {"is_distilled": True},
        _sixteens,
    ),
    "flux2_klein_base": Pipeline(
        "FLUX.2 Klein, base",
        "black-forest-labs/FLUX.2-klein-base-4B",
        "Flux2KleinPipeline",
        50,
        {"guidance_scale": 4.0},
        {"is_distilled": False},
        _sixteens,
    ),
    "longcat_edit": Pipeline(
        "LongCat-Image-Edit",
        "meituan-longcat/LongCat-Image-Edit",
        "LongCatImageEditPipeline",
        50,
        {"guidance_scale": 4.5, "negative_prompt": ""},
        parts=_pictures_alone,
    ),
    "joyimage_edit": Pipeline(
        "JoyImage-Edit",
        "jdopensource/JoyAI-Image-Edit-Diffusers",
        "JoyImageEditPipeline",
        40,
        {"guidance_scale": 4.0},
        frame=_bucket,
        needs=("torchvision",),
    ),
    "qwen_image_21": Pipeline(
        "Qwen-Image-2.1",
        "Qwen/Qwen-Image-2.1",
        "QwenImage21Pipeline",
        40,
        {"true_cfg_scale": 1.0},
        needs=("torchvision",),
    ),
}
"""Name of a method -> what it runs. A model of Qwen-Image-2.1 that has noise levels of its own takes as many steps."""


class Local(General):
    """An editor of EDITORS, loaded at the first use. Alpha: see general.py.

    Steps are the published ones unless `context.general.steps` is given. One seed is one noise, on any device; only
    JoyImage also draws noise on the device, when it encodes the source.
    Raises ModelError for a model that is not there (with the command that fetches it) or of another kind.
    """

    def __init__(self, context: Context, name: str) -> None:
        self.context, self.name, self.spec = context, name, EDITORS[name]
        self.model = context.general.models.get(name, self.spec.model)
        self.steps = context.general.steps or self.spec.steps
        self.lacks = lacking(self.spec.kind)
        if not self.lacks:
            self.folder = find(self.model, self.spec)
            self.lacks = missing(self.spec.needs)

    def pipe(self) -> Any:
        """The pipeline, loaded; raises ModelError for a damaged folder or too little memory."""
        return self.context.loaded(self.name, lambda: load(self.spec, self.folder, self.context.options))

    @property
    def provenance(self) -> Mapping[str, str]:
        """What an edit depends on; loads the pipeline, and raises as `pipe`."""
        settings = json.dumps(dict(self.spec.call), sort_keys=True)
        found = {"method": self.name, "model": self.model, "model_hash": fingerprint(self.folder), "call": settings}
        run = {"steps": str(self.steps), "seed": str(self.context.seed), "dtype": str(self.pipe().dtype)}
        return {**found, **run, **versions()}

    def frame(self, size: Size) -> Size:
        """The size at which the pipeline cuts nothing off."""
        return self.spec.frame(self.pipe(), size)

    def picture(self, image: Image.Image, text: str) -> Image.Image:
        """The pipeline's own picture."""
        pipe, seed = self.pipe(), self.context.seed
        call = {**self.spec.call, "num_inference_steps": self.steps}
        with torch.random.fork_rng():  # JoyImage encodes the source with noise from the global generator
            torch.manual_seed(seed)
            generator = torch.Generator().manual_seed(seed)
            return opaque(pipe(image=image, prompt=text, generator=generator, **call).images[0])


def opaque(picture: Image.Image) -> Image.Image:
    """A picture as RGB; one with opacity, as Qwen-Image-2.1 makes them, over white, as that model sees its sources."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def lacking(kind: str) -> str:
    """What the installed diffusers lacks for a class of pipelines; empty if it has it."""
    import diffusers

    return "" if hasattr(diffusers, kind) else f"diffusers {version('diffusers')} has no {kind}: install a newer one"


def missing(packages: Sequence[str]) -> str:
    """Which packages are not installed, and the command that installs them; empty if all are."""
    absent = " ".join(name for name in packages if find_spec(name) is None)
    return f"not installed: pip install {absent}" if absent else ""


def find(model: str, spec: Pipeline) -> Path:
    """The folder of a model on this machine. Raises ModelError if it is not there or of another kind than `spec`."""
    if model in BUNDLED:
        folder = bundled(model)
    elif kind_of(model) == "folder":
        folder = check_path(model)
    elif is_hub_id(model):
        folder = downloaded(model, MODEL)
    else:
        raise ModelError(f"no model {model!r}: give a folder in the layout of diffusers, or a hub id such as ORG/NAME")
    index = read_object(folder / "model_index.json")
    for entry, needed in {"_class_name": spec.kind, **spec.config}.items():
        found = index.get(entry, False)
        if found != needed:
            raise ModelError(f"{model!r} has {entry} {shown(found)}, not {needed!r}: give a model of {spec.title}")
    return folder


def load(spec: Pipeline, folder: Path, options: LoadOptions) -> Any:
    """A pipeline where `options` have it. Raises ModelError for a damaged folder, or a mode that it does not have."""
    if spec.kind == "QwenImageEditPlusPipeline":  # the kind of pipeline that this package runs itself, in all its modes
        return load_checkpoint(folder, None, options).pipe
    import diffusers

    device = check_device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = options.dtype or (torch.bfloat16 if device.startswith("cuda") else torch.float32)
    mode = _mode(options.memory, folder, device)
    given: dict[str, Any] = {"dtype": dtype, "local_files_only": True, "use_safetensors": True}
    try:
        with quiet():
            pipe = getattr(diffusers, spec.kind).from_pretrained(folder, **spec.parts(folder), **given)
    except Exception as error:  # a damaged folder, a package that is missing: the loaders raise many classes
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ModelError(
            f"{str(folder)!r} cannot be loaded ({reason}): install what is missing, or download the model again"
        ) from None
    if mode == "offload":
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.to(device)
    return prepared(pipe)


def prepared(pipe: Any) -> Any:
    """The pipeline without bars, and with an encoder that is told which tokens are the picture's, see conditioning."""
    pipe.set_progress_bar_config(disable=True)
    if hasattr(pipe.text_encoder.config, "image_token_id"):
        pipe.text_encoder.register_forward_pre_hook(tell_pictures, with_kwargs=True)
    return pipe


def _mode(memory: str, folder: Path, device: str) -> str:
    """Where the parts of a pipeline lie: all on the device, or each only while it works."""
    if memory not in MODES:
        raise ModelError(f"general editors have no memory mode {memory!r}: choose from {', '.join(MODES)}")
    if not device.startswith("cuda"):
        return "full"
    if memory != "auto":
        return memory
    weights = sum(file.stat().st_size for file in folder.glob("*/*.safetensors"))
    return "full" if ROOM * weights <= USABLE_SHARE * torch.cuda.mem_get_info(device)[0] else "offload"
