"""`Editor`, a loaded model, and `Portrait`, a picture that it has opened.

    editor = pxs.load("mini")
    portrait = editor.open("face.png")
    portrait.sweep("happy", [0, 0.5, 1, 1.5])

What depends on the picture alone (its latents, the embeddings of all prompts about it) is computed once per portrait.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from pxs import quantities
from pxs.editing.adapters import DEFAULT_ADAPTER, Choice
from pxs.editing.checkpoints import Checkpoint, load_checkpoint
from pxs.editing.conditioning import Encode, embed_expressions
from pxs.editing.edits import Edits
from pxs.editing.exact import DEFAULT, PLAIN, Savings
from pxs.editing.exact.fixed_batch import fixed
from pxs.editing.exact.prompt_prefix import encode_shared
from pxs.editing.exact.transformer import Lean
from pxs.editing.exact.vae2d import StockVae, Vae2d
from pxs.editing.options import DEFAULT_OPTIONS, LoadOptions
from pxs.editing.photographs import Cut, Faces, Which, check_alone, cut_faces, finder, prepare_cut
from pxs.editing.photographs.reading import read
from pxs.editing.sampling import DenoisingStep, Grid, Prepare, denoise, pack, stock_velocity, unpack
from pxs.errors import ExpressionError, ModelError, ScaleError, shown
from pxs.expressions import Mix, as_mixes, check_domain, check_expression, sweep
from pxs.images import Box, Picture, Source, from_array, open_image, open_picture, picture_hash, psnr, to_array
from pxs.storage.provenance import versions

if TYPE_CHECKING:
    from diffusers import QwenImageEditPlusPipeline

SEED = 42
STEPS = 50
BATCH = 16  # most edits that go through the transformer together
DECODE = 4  # most pictures that are decoded together
DECODE_PIXELS = 4 * 544 * 544  # most pixels that are decoded together: 512 x 512 take a third of a gigabyte


def load(
    model: str | Path = "mini",
    adapter: Choice = DEFAULT_ADAPTER,
    options: LoadOptions = DEFAULT_OPTIONS,
    **changes: Any,
) -> Editor:
    """Load a model: "mini", a checkpoint folder, or the id of a downloaded hub model; with a LoRA adapter.

    `adapter` is a safetensors file, a folder with one, a downloaded hub id, several of these as {adapter: weight}, None
    for the base model, or by default the adapter that comes with the model. `options` and single `changes` of them,
    such as `memory="offload"` or `dtype=torch.bfloat16`, are those of `LoadOptions`. Raises ModelError or AdapterError,
    see `load_checkpoint`, and TypeError for an option that does not exist.
    """
    chosen = replace(options, **changes)
    return Editor(load_checkpoint(model, adapter, chosen), chosen.savings, chosen.compile, chosen.reuse)


class Editor:
    """A loaded model. `editor.open(picture)` gives a `Portrait`; `editor.pipe` is the stock pipeline underneath.

    `savings`, `compile` and `reuse` as in `load`; several editors may share one checkpoint.
    """

    def __init__(
        self, checkpoint: Checkpoint, savings: Savings = DEFAULT, compile: bool = False, reuse: float = 0.0
    ) -> None:
        self.checkpoint, self.savings, self.batch, self.recipe = checkpoint, savings, BATCH, checkpoint.recipe
        self.reuse = quantities.REUSE(reuse)
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
            **versions(),
        }

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
        domain: str = "human",
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
        recipe "fitted", and for a face that is not there or cannot be edited. Warns if the model was trained on drawn
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


def _prepare(savings: Savings, compile: bool, reuse: float) -> Prepare:
    """How an editor runs the transformer."""
    stock = replace(savings, prefix=False, vae2d=False, fixed_batch=0) == PLAIN and not compile and not reuse
    prepare = stock_velocity if stock else Lean(savings, compile, reuse)
    return fixed(prepare, savings.fixed_batch) if savings.fixed_batch else prepare


class Portrait:
    """A picture opened by an editor.

    `source` is the picture; `prepared` what the editor's recipe makes of it; `fitted` the part and size of it that the
    VAE encodes and that edits are generated at; `origin` the file that the picture was read from; `cut` the square
    around the face that is edited alone, if one is.
    """

    def __init__(
        self,
        editor: Editor,
        source: Image.Image,
        domain: str,
        box: Box | None = None,
        origin: Picture | None = None,
        cut: Cut | None = None,
        still: bool = False,
    ) -> None:
        self.editor, self.source, self.domain, self.origin, self.cut = editor, source, domain, origin, cut
        sides, recipe = editor.checkpoint.sides, editor.recipe
        self.prepared = prepare_cut(cut, recipe, sides, still) if cut else recipe.prepare(source, sides, box)
        self.fitted = self.prepared.sampled
        self.latents = editor.encode(self.fitted)
        self._warn_if_not_drawn()

    @cached_property
    def embeddings(self) -> dict[str, Tensor]:
        """Embeddings (L, C) of the neutral prompt and of the 12 expressions about this picture."""
        editor = self.editor
        seen = self.prepared.described
        return embed_expressions(editor.pipe, seen, self.domain, editor.encode_prompts)

    @cached_property
    def faces(self) -> Faces:
        """All faces of the source with their numbers; raises ImageError without the extra `photos`."""
        return Faces(self.source, finder().find(self.source))

    @property
    def provenance(self) -> dict[str, str]:
        """What identifies an edit of this picture, but for mix, seed and steps."""
        own = {"domain": self.domain, "source": picture_hash(self.prepared.shown)}
        return {**self.editor.provenance, **own, **({} if self.cut is None else self.cut.notes)}

    @property
    def grid(self) -> Grid:
        """Rows and columns of the latents."""
        return self.latents.shape[2], self.latents.shape[3]

    def steps(self, mixes: Iterable[Mix] | Mix, seed: int = SEED, steps: int = STEPS) -> Iterator[DenoisingStep]:
        """Denoise all mixes in one batch and yield a `DenoisingStep` after each step.

        `preview` turns its latents into images.

        Raises ExpressionError for what is not a mix, and ScaleError without mixes or for an impossible number.
        """
        mixes, seed, steps = as_mixes(mixes), quantities.SEED(seed), quantities.STEPS(steps)
        return self.denoise(self.editor.recipe.interpolate(self.embeddings, mixes), seed, steps)

    def denoise(self, text: Tensor, seed: int = SEED, steps: int = STEPS) -> Iterator[DenoisingStep]:
        """Denoise under embeddings (N, L, C) of your own, such as conditioning.scaled_word returns; as `steps`."""
        pipe, prepare = self.editor.pipe, self.editor.prepare
        seed, steps = quantities.SEED(seed), quantities.STEPS(steps)
        noise = self.editor.recipe.noise(seed, self.latents.shape[1], self.grid, text)
        return denoise(pipe.transformer, pipe.scheduler, noise, pack(self.latents), text, self.grid, steps, prepare)

    def preview(self, tokens: Tensor) -> list[Image.Image]:
        """Images of the model's size from packed latents, such as a `DenoisingStep`'s `latents` or `clean`."""
        return self.editor.decode(unpack(tokens, self.grid))

    def edit(self, mixes: Iterable[Mix] | Mix, seed: int = SEED, steps: int = STEPS, progress: bool = True) -> Edits:
        """The picture with each of the mixes; one seed is one image, whether alone or among others.

        The same call gives the same bits again. Alone or among others, with other threads or on another machine, a few
        pixels may differ by one level; `Savings.fixed_batch` says how to have the same bits alone and among others.
        With the recipe "fitted" the images have the source's size; with "published" they are the model's own pictures.
        Raises ExpressionError for what is not a mix, and ScaleError without mixes or for an impossible number.
        """
        mixes, seed, steps = as_mixes(mixes), quantities.SEED(seed), quantities.STEPS(steps)
        images: list[Image.Image] = []
        with tqdm(total=steps * len(mixes), desc="edit", leave=False, disable=not progress) as bar:
            while len(images) < len(mixes):
                chunk = mixes[len(images) : len(images) + self.editor.batch]
                try:
                    images += self._edited(chunk, seed, steps, bar)
                    continue
                except torch.OutOfMemoryError:
                    bar.n = steps * len(images)
                self.editor.halve_batch(len(chunk))  # outside, where the failed attempt holds no memory any more
        return self._edits(images, mixes, seed, steps)

    def finish(self, last: DenoisingStep, mixes: Iterable[Mix] | Mix, seed: int = SEED) -> Edits:
        """What `edit` returns for these mixes and this seed, from the last of their `steps`."""
        return self._edits(self.preview(last.latents), as_mixes(mixes), quantities.SEED(seed), last.total)

    def _edits(self, raw: Sequence[Image.Image], mixes: Sequence[Mix], seed: int, steps: int) -> Edits:
        """The edits whose own pictures, of the model's size, are `raw`."""
        images = tuple(self.prepared.restore(image) for image in raw)
        origin = self.origin if self.prepared.shown is self.source else None
        return Edits(self.prepared.shown, images, tuple(mixes), seed, steps, self.provenance, tuple(raw), origin)

    def _edited(self, mixes: Sequence[Mix], seed: int, steps: int, bar: tqdm[NoReturn]) -> list[Image.Image]:
        """The model's own pictures of one batch of `edit`."""
        for step in self.steps(mixes, seed, steps):
            bar.update(len(mixes))
            latents = step.latents
        return self.preview(latents)

    def edit_with_prompt(self, text: str, seed: int = SEED, steps: int = STEPS) -> Image.Image:
        """The picture edited by an instruction of your own instead of a mix, at the size of `edit`'s images.

        Raises ExpressionError for a text with tokens of the prompt template in it, ScaleError for an impossible number.
        """
        if not isinstance(text, str) or "<|" in text:
            raise ExpressionError(f"{shown(text)} is not a text without '<|', which begins a token of the template")
        seed, steps = quantities.SEED(seed), quantities.STEPS(steps)
        recipe = self.editor.recipe
        *_, last = self.denoise(
            recipe.encode(self.editor.pipe, self.prepared.described, [text], recipe.see), seed, steps
        )
        return self.prepared.restore(self.preview(last.latents)[0])

    def neutral(self, seed: int = SEED, steps: int = STEPS, progress: bool = True) -> Edits:
        """The picture with a neutral face: its expression is taken away; raises ScaleError with fewer than 1 step."""
        return self.edit(Mix(), seed, steps, progress)

    def like(
        self, other: Source, face: Which = "largest", seed: int = SEED, steps: int = STEPS, progress: bool = True
    ) -> Edits:
        """The picture with the expression of a face in another picture; `face` says which of its faces.

        The provenance has what was read, with its uncertainty, as "like". Raises ImageError as `reading.read` does.
        """
        reading = read(open_image(other), face)
        edits = self.edit(reading.mix, seed, steps, progress)
        return replace(edits, provenance={**edits.provenance, "like": str(reading)})

    def sweep(
        self,
        expression: str,
        scales: Iterable[float] = (0, 0.5, 1, 1.5),
        seed: int = SEED,
        steps: int = STEPS,
        progress: bool = True,
    ) -> Edits:
        """One expression at each of the scales; raises ExpressionError or ScaleError."""
        return self.edit(sweep(expression, scales), seed, steps, progress)

    def blend(
        self,
        first: str,
        second: str,
        scales: Iterable[float] = (0, 0.5, 1),
        seed: int = SEED,
        steps: int = STEPS,
        progress: bool = True,
    ) -> Edits:
        """Two expressions at every pair of scales, the first changing slowest; raises ExpressionError or ScaleError."""
        for name in (first, second):
            check_expression(name)
        if first == second:
            raise ScaleError(f"{first!r} was given twice: blend two different expressions")
        scales = quantities.SCALE.several(scales)
        return self.edit([Mix({first: a, second: b}) for a in scales for b in scales], seed, steps, progress)

    def _warn_if_not_drawn(self) -> None:
        """For a model of drawn faces: warn if the VAE reconstructs this picture worse than any drawn face."""
        floor = self.editor.checkpoint.drawn_psnr
        if floor is None:
            return
        quality = psnr(to_array(self.editor.decode(self.latents)[0]), to_array(self.fitted))
        if quality < floor:
            warnings.warn(
                f"model {self.editor.checkpoint.name!r} was trained on drawn faces only, and this picture seems to "
                f"be another (it reconstructs it at {quality:.0f} dB, drawn faces at {floor:.0f} or more): expect "
                "a poor edit",
                stacklevel=3,
            )
