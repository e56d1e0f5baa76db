"""`Portrait`, a picture that an editor has opened.

    portrait = editor.open("face.png")
    portrait.sweep("happy", [0, 0.5, 1, 1.5])

What depends on the picture alone (its latents, the embeddings of all prompts about it) is computed once per portrait.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from pxs import quantities
from pxs.editing.conditioning import embed_expressions
from pxs.editing.edits import Edits
from pxs.editing.photographs import Cut, Faces, Which, finder, prepare_cut
from pxs.editing.photographs.reading import read
from pxs.editing.sampling import DenoisingStep, Grid, Prepare, denoise, pack, unpack
from pxs.editing.zero import from_source, model_share, with_detail
from pxs.errors import ExpressionError, shown
from pxs.expressions import NEUTRAL, Expression, Mix, Mixes, Scales, as_mixes, check_pair, several_scales, sweep
from pxs.faces import kinds
from pxs.images import Box, Picture, Source, open_image, picture_hash, psnr, to_array
from pxs.images.showing import Showing, Shown

if TYPE_CHECKING:
    from pxs.editing.editor import Editor

SEED = 42
STEPS = 50


class Portrait(Shown):
    """A picture opened by an editor.

    `source` is the picture; `prepared` what the editor's recipe makes of it; `fitted` the part and size of it that the
    VAE encodes and that edits are generated at; `origin` the file that the picture was read from; `cut` the square
    around the face that is edited alone, if one is; `remarks` what a user should know, of which opening it warned.
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
        self.remarks = self._unlike_training()
        for remark in self.remarks:
            warnings.warn(remark, stacklevel=3)

    def __repr__(self) -> str:
        return f"Portrait({', '.join(self._facts)})"

    @property
    def _facts(self) -> tuple[str, str, str]:
        """What a person asks first: size and kind, what of it is edited and at which size, by what."""
        part = "whole" if self.cut is None else f"the face at {self.cut.notes['face']}"
        at = f"{part}, at {self.fitted.width} x {self.fitted.height}"
        return f"{self.source.width} x {self.source.height} {self.domain}", f"edited {at}", f"by {self.editor.name}"

    def _shown(self) -> Showing:
        return Showing(self.source, f"The opened picture, {self._facts[0]}", ", ".join(self._facts))

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

    def steps(
        self, mixes: Mixes, seed: int = SEED, steps: int = STEPS, calibrated: bool = False
    ) -> Iterator[DenoisingStep]:
        """Denoise all mixes in one batch and yield a `DenoisingStep` after each step; `calibrated` as in `edit`.

        `preview` turns its latents into images.

        Raises ExpressionError for what is not a mix, and ScaleError without mixes or for an impossible number.
        """
        several, seed, steps = as_mixes(mixes), quantities.SEED(seed), quantities.STEPS(steps)
        given, prepare = self._given(several, calibrated), self.editor.prepare
        if self.editor.zero == "source":
            shares, neutral = [model_share(mix) for mix in given], self.embeddings[NEUTRAL][None]
            prepare = from_source(prepare, pack(self.latents), neutral, shares)
        return self.denoise(self.editor.recipe.interpolate(self.embeddings, given), seed, steps, prepare)

    def _given(self, mixes: Sequence[Mix], calibrated: bool) -> list[Mix]:
        """The mixes that the model is given for those that were asked for."""
        return list(map(self.editor.calibration, mixes)) if calibrated else list(mixes)

    def denoise(
        self, text: Tensor, seed: int = SEED, steps: int = STEPS, prepare: Prepare | None = None
    ) -> Iterator[DenoisingStep]:
        """Denoise under embeddings (N, L, C) of your own, such as conditioning.scaled_word returns; as `steps`.

        `prepare` decides how the transformer is run, by default as the editor does.
        """
        pipe, prepare = self.editor.pipe, prepare or self.editor.prepare
        seed, steps = quantities.SEED(seed), quantities.STEPS(steps)
        noise = self.editor.recipe.noise(seed, self.latents.shape[1], self.grid, text)
        return denoise(pipe.transformer, pipe.scheduler, noise, pack(self.latents), text, self.grid, steps, prepare)

    def preview(self, tokens: Tensor) -> list[Image.Image]:
        """Images of the model's size from packed latents, such as a `DenoisingStep`'s `latents` or `clean`."""
        return self.editor.decode(unpack(tokens, self.grid))

    def edit(
        self, mixes: Mixes, seed: int = SEED, steps: int = STEPS, progress: bool = True, calibrated: bool = False
    ) -> Edits:
        """The picture with each of the mixes; one seed is one image, whether alone or among others.

        With `calibrated` the intensities are those that edits show, by the calibration of the editor's adapter; raises
        AdapterError for an adapter without one.

        The same call gives the same bits again. Alone or among others, with other threads or on another machine, a few
        pixels may differ by one level; `Savings.fixed_batch` says how to have the same bits alone and among others.
        With the recipe "fitted" the images have the source's size; with "published" they are the model's own pictures.
        Raises ExpressionError for what is not a mix, and ScaleError without mixes or for an impossible number.
        """
        several, seed, steps = as_mixes(mixes), quantities.SEED(seed), quantities.STEPS(steps)
        images: list[Image.Image] = []
        with tqdm(total=steps * len(several), desc="edit", leave=False, disable=not progress) as bar:
            while len(images) < len(several):
                chunk = several[len(images) : len(images) + self.editor.batch]
                try:
                    images += self._edited(chunk, seed, steps, bar, calibrated)
                    continue
                except torch.OutOfMemoryError:
                    bar.n = steps * len(images)
                self.editor.halve_batch(len(chunk))  # outside, where the failed attempt holds no memory any more
        return self._edits(images, several, seed, steps, calibrated)

    def finish(self, last: DenoisingStep, mixes: Mixes, seed: int = SEED, calibrated: bool = False) -> Edits:
        """What `edit` returns for these mixes and this seed, from the last of their `steps`."""
        return self._edits(self.preview(last.latents), as_mixes(mixes), quantities.SEED(seed), last.total, calibrated)

    def _detailed(self, raw: Sequence[Image.Image], mixes: Sequence[Mix]) -> Sequence[Image.Image]:
        """The model's own pictures of mixes, with the source's detail near intensity 0 where that is the source."""
        shares = [model_share(mix) for mix in mixes]
        if self.editor.zero == "neutral" or min(shares) == 1:
            return raw
        decoded = self.editor.decode(self.latents)[0]
        return [with_detail(image, self.fitted, decoded, w) for image, w in zip(raw, shares, strict=True)]

    def _edits(
        self, raw: Sequence[Image.Image], mixes: Sequence[Mix], seed: int, steps: int, calibrated: bool
    ) -> Edits:
        """The edits whose own pictures, of the model's size, are `raw`."""
        detailed = self._detailed(raw, self._given(mixes, calibrated))
        return Edits(
            source=self.prepared.shown,
            images=tuple(self.prepared.restore(image) for image in detailed),
            mixes=tuple(mixes),
            seed=seed,
            steps=steps,
            provenance=self.provenance,
            raw=tuple(raw),
            origin=self.origin if self.prepared.shown is self.source else None,
            calibration=self.editor.calibration if calibrated else None,
        )

    def _edited(
        self, mixes: Sequence[Mix], seed: int, steps: int, bar: tqdm[NoReturn], calibrated: bool
    ) -> list[Image.Image]:
        """The model's own pictures of one batch of `edit`."""
        for step in self.steps(mixes, seed, steps, calibrated):
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
        self,
        other: Source,
        face: Which = "largest",
        seed: int = SEED,
        steps: int = STEPS,
        progress: bool = True,
        calibrated: bool = False,
    ) -> Edits:
        """The picture with the expression of a face in another picture; `face` says which of its faces.

        The provenance has what was read, with its uncertainty, as "like". Raises ImageError as `reading.read` does.
        """
        reading = read(open_image(other), face)
        edits = self.edit(reading.mix, seed, steps, progress, calibrated)
        return replace(edits, provenance={**edits.provenance, "like": str(reading)})

    def sweep(
        self,
        expression: Expression | str,
        scales: Scales = (0, 0.5, 1, 1.5),
        seed: int = SEED,
        steps: int = STEPS,
        progress: bool = True,
        calibrated: bool = False,
    ) -> Edits:
        """One expression at each of the scales; raises ExpressionError or ScaleError."""
        return self.edit(sweep(expression, scales), seed, steps, progress, calibrated)

    def blend(
        self,
        first: Expression | str,
        second: Expression | str,
        scales: Scales = (0, 0.5, 1),
        seed: int = SEED,
        steps: int = STEPS,
        progress: bool = True,
        calibrated: bool = False,
    ) -> Edits:
        """Two expressions at every pair of scales, the first changing slowest; raises ExpressionError or ScaleError."""
        check_pair(first, second)
        several = several_scales(scales)
        mixes = [Mix({first: a, second: b}) for a in several for b in several]
        return self.edit(mixes, seed, steps, progress, calibrated)

    def _unlike_training(self) -> tuple[str, ...]:
        """A remark if the VAE reconstructs this picture worse than the made faces that the model was trained on."""
        checkpoint = self.editor.checkpoint
        if checkpoint.least_psnr is None:
            return ()
        quality = psnr(to_array(self.editor.decode(self.latents)[0]), to_array(self.fitted))
        if quality >= checkpoint.least_psnr:
            return ()
        return (
            f"model {checkpoint.name!r} was trained on {kinds(checkpoint.styles)} only, and this picture seems to be "
            f"another (it reconstructs it at {quality:.1f} dB, those at {checkpoint.least_psnr:.1f} or more): expect a "
            "poor edit",
        )
