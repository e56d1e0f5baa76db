"""`Editor`, a loaded model, which opens pictures as a `Portrait` each.

editor = pxs.load("mini")
portrait = editor.open("face.png")
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from pxs import quantities
from pxs.editing.adapters import DEFAULT_ADAPTER, Choice
from pxs.editing.calibration import Calibration, find_calibration
from pxs.editing.checkpoints import ADAPTER_FILE, Checkpoint, find_model, load_checkpoint
from pxs.editing.conditioning import Encode
from pxs.editing.exact import DEFAULT, PLAIN, Savings
from pxs.editing.exact.fixed_batch import fixed
from pxs.editing.exact.prompt_prefix import encode_shared
from pxs.editing.exact.transformer import Lean
from pxs.editing.exact.vae2d import StockVae, Vae2d
from pxs.editing.options import DEFAULT_OPTIONS, LoadOptions
from pxs.editing.photographs import Which, check_alone, cut_faces
from pxs.editing.portrait import Portrait
from pxs.editing.recipes import RECIPES
from pxs.editing.sampling import Prepare, stock_velocity
from pxs.editing.zero import check_zero
from pxs.errors import ModelError
from pxs.expressions import COLOURS, EXPRESSIONS, Domain, check_domain
from pxs.images import Box, Source, from_array, open_picture, to_array
from pxs.storage.paths import check_path, kind_of
from pxs.storage.provenance import versions

if TYPE_CHECKING:
    from diffusers import QwenImageEditPlusPipeline

BATCH = 16  # most edits that go through the transformer together
DECODE = 4  # most pictures that are decoded together
DECODE_PIXELS = 4 * 544 * 544  # most pixels that are decoded together: 512 x 512 take a third of a gigabyte


def load(
    model: str | Path = "mini",
    adapter: Choice = DEFAULT_ADAPTER,
    options: LoadOptions = DEFAULT_OPTIONS,
    **changes: Any,
) -> Editor:
    """Load a model: "mini" (drawn faces), "mini-portrait" (rendered people), a checkpoint folder, or the id of a
    downloaded hub model; with a LoRA adapter.

    `adapter` is a safetensors file, a folder with one, a downloaded hub id, several of these as {adapter: weight}, None
    for the base model, or by default the adapter that comes with the model. `options` and single `changes` of them,
    such as `memory="offload"` or `dtype=torch.bfloat16`, are those of `LoadOptions`. Raises ModelError or AdapterError,
    see `load_checkpoint`, and TypeError for an option that does not exist.
    """
    chosen = replace(options, **changes)
    return Editor(load_checkpoint(model, adapter, chosen), chosen.savings, chosen.compile, chosen.reuse, chosen.zero)


class Editor:
    """A loaded model. `editor.open(picture)` gives a `Portrait`; `editor.pipe` is the stock pipeline underneath.

    `savings`, `compile`, `reuse` and `zero` as in `load`; several editors may share one checkpoint.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        savings: Savings = DEFAULT,
        compile: bool = False,
        reuse: float = 0.0,
        zero: str = "neutral",
    ) -> None:
        self.checkpoint, self.savings, self.batch, self.recipe = checkpoint, savings, BATCH, checkpoint.recipe
        self.reuse, self.compile, self.zero = quantities.REUSE(reuse), compile, check_zero(zero)
        if savings.graphs and checkpoint.options.memory == "int8":
            raise ModelError("memory mode 'int8' looks at values, which a CUDA graph cannot: take fp8, or no graphs")
        self.pipe: QwenImageEditPlusPipeline = checkpoint.pipe
        self.vae = (Vae2d.from_stock if savings.vae2d else StockVae)(self.pipe.vae)
        encode: Callable[..., Tensor] = encode_shared if savings.prefix else self.recipe.encode
        self.encode_prompts: Encode = partial(encode, see=self.recipe.see)
        self.prepare = _prepare(savings, compile, self.reuse)
        self.mean, self.std = (
            torch.tensor(x, device=self.vae_device, dtype=torch.float32)[:, None, None]
            for x in (self.pipe.vae.config.latents_mean, self.pipe.vae.config.latents_std)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """An editor is pickled as its recipe, for other processes and machines: they load the model from their disk.

        Changes that were made to `pipe` by hand do not travel. A GPU is chosen anew.
        """
        c = self.checkpoint
        own = find_model(c.name) / ADAPTER_FILE
        options = replace(
            c.options,
            device="cpu" if c.options.device == "cpu" else None,
            recipe=self.recipe.name if RECIPES.get(self.recipe.name) is self.recipe else self.recipe,
            savings=self.savings,
            compile=self.compile,
            reuse=self.reuse,
            zero=self.zero,
        )
        model = str(check_path(c.name).absolute()) if kind_of(c.name) == "folder" else c.name
        adapters = {DEFAULT_ADAPTER if a.file == own else a.file.absolute(): a.weight for a in c.adapters}
        return _restored, (model, c.name, adapters or None, options, (c.fingerprint, c.adapter_hash))

    def __repr__(self) -> str:
        return f"Editor({', '.join(self._facts)})"

    @property
    def name(self) -> str:
        """Model and adapters, for people."""
        c = self.checkpoint
        return f"{c.name} with {c.adapter}" if c.adapter else c.name

    @property
    def _facts(self) -> tuple[str, str, str]:
        """What a person asks first: which model, where it runs, and how it edits."""
        options, side = self.checkpoint.options, self.checkpoint.resolution
        kind = str(self.pipe.transformer.dtype).removeprefix("torch.")
        where = f"{self.vae_device}, {kind}, memory {options.memory}"
        return self.name, where, f"recipe {self.recipe.name}, {side} x {side} pixels"

    def _repr_html_(self) -> str:
        chip = '<span style="border-left: 0.8em solid {}; padding: 0 1em 0 0.3em; display: inline-block">{}</span>'
        words = "".join(chip.format(COLOURS[name], name) for name in EXPRESSIONS)
        return f"<div><strong>Editor</strong> {html.escape('; '.join(self._facts))}<br>{words}</div>"

    @property
    def vae_device(self) -> torch.device:
        """Where pictures are encoded and decoded."""
        return self.vae.quant_conv.weight.device

    @property
    def provenance(self) -> dict[str, str]:
        """What identifies model, adapter and software, as strings."""
        c = self.checkpoint
        return {
            "model": c.name,
            "model_hash": c.fingerprint,
            "adapter": c.adapter,
            "adapter_hash": c.adapter_hash,
            "memory": c.options.memory,
            "schedule": c.options.schedule,
            "attention": c.options.attention,
            "reuse": f"{self.reuse:g}",
            "recipe": self.recipe.name,
            "zero": self.zero,
            **versions(),
        }

    @cached_property
    def calibration(self) -> Calibration:
        """That of its adapter, for calibrated intensities; raises AdapterError and DataError as `find_calibration`."""
        return find_calibration([(a.file, a.sha256, a.weight) for a in self.checkpoint.adapters])

    def halve_batch(self, size: int) -> None:
        """From now on, edit half as many together as `size`, for which memory did not suffice; ModelError for 1."""
        if size == 1 or self.savings.fixed_batch:
            raise ModelError(
                f"memory does not suffice for {max(1, self.savings.fixed_batch)} edits at once in mode "
                f"{self.checkpoint.options.memory!r}: free some, or load the model with another mode or a smaller "
                "fixed batch"
            )
        self.batch = size // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def open(
        self,
        image: Source,
        domain: Domain | str = "human",
        box: Box | None = None,
        face: Which | None = None,
        only: str | Sequence[str] = (),
        still: bool = False,
        force: bool = False,
    ) -> Portrait:
        """Open a picture (a path, see `Source`) for editing; `domain` is "human" or "anime".

        `box` is the face, (left, top, right, bottom) in pixels, around which the recipe "published" cuts its square.

        With `face` only that face is edited, at the model's resolution, and put back; all else keeps its bytes. It is
        "largest", the number of one in `portrait.faces`, or its box in pixels, which alone needs no `pxs[photos]`.
        `only` limits the edit to parts of it: "mouth", "eyes", "brows", or several of these. `still` warps edits back
        onto the pose of the head. `force` goes on where a face is small, turned, or cut by the border.

        Raises ImageError for a picture that cannot be used, for a box that reaches outside of it, for a box with the
        recipe "fitted", and for a face that is not there or cannot be edited. Warns if the model was trained on made
        faces only and the picture seems to be another.
        """
        opened = open_picture(image)
        check_alone(face, box, bool(only) or still)
        cut = None if face is None else cut_faces(opened.image, [face], only, force)[0]
        return Portrait(self, opened.image, check_domain(domain), box, opened, cut, still)

    @torch.inference_mode()
    def encode(self, image: Image.Image) -> Tensor:
        """Normalised latents (1, z, H / 8, W / 8) of an RGB image whose sides are multiples of 16."""
        pixels = torch.from_numpy(to_array(image)).permute(2, 0, 1)[None] * 2 - 1
        mean, _ = self.vae.encode(pixels.to(self.vae.quant_conv.weight))
        return (mean - self.mean.to(mean)) / self.std.to(mean)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> list[Image.Image]:
        """Images from normalised latents (B, z, h, w); with a fixed batch each is decoded alone, see `Savings`."""
        images: list[Image.Image] = []
        pixels_each = 64 * latents.shape[2] * latents.shape[3]
        most = 1 if self.savings.fixed_batch else DECODE
        for part in latents.to(self.vae.quant_conv.weight).split(max(1, min(most, DECODE_PIXELS // pixels_each))):
            pixels = self.recipe.develop(self.vae.decode, part, self.mean.to(part), self.std.to(part))
            images += [from_array(p) for p in pixels.permute(0, 2, 3, 1).cpu().numpy()]
        return images


def _restored(model: str, name: str, adapter: Choice, options: LoadOptions, hashes: tuple[str, str]) -> Editor:
    """The editor that was pickled. Raises ModelError where its model or adapter is missing or another one."""
    editor = load(model, adapter, options)
    found = editor.checkpoint
    if (found.fingerprint, found.adapter_hash) != hashes:
        raise ModelError(f"model {name!r} or its adapter is another one here: copy the files of the first machine")
    editor.checkpoint = replace(found, name=name)
    return editor


def _prepare(savings: Savings, compile: bool, reuse: float) -> Prepare:
    """How an editor runs the transformer."""
    stock = replace(savings, prefix=False, vae2d=False, fixed_batch=0) == PLAIN and not compile and not reuse
    prepare = stock_velocity if stock else Lean(savings, compile, reuse)
    return fixed(prepare, savings.fixed_batch) if savings.fixed_batch else prepare
