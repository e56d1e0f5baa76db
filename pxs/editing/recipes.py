"""Recipes: the steps between a picture and its edit in which two ways of running one model differ.

                            fitted                                  published
    picture                 whole, at the model's area              square crop, around a face where its box is given
    the text encoder sees   384 x 384 pixels of it                  the crop itself
    size generated          the model's area                        the pipeline's own: 1024 x 1024
    noise                   float32 from a generator on the CPU     in the model's dtype, from one on its device
    interpolation           in float32                              in the model's dtype
    what comes out          the change, carried to the source       the model's own picture
    files of `pxs edit`     face_happy_1.png                        face_happy_1.0.jpg

"published" follows the public PixelSmile script step by step. The pipeline of diffusers enlarges the script's crop of
512 x 512 to the size that the full model was made for. A model that was trained at one size, such as mini, has that
size for both: its crop is not enlarged. The noise levels differ with the size alone: both recipes take them from the
checkpoint's own scheduler, shifted for the number of tokens that are generated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from torch import Tensor

from pxs.editing.adapters import adapter_notes
from pxs.editing.conditioning import (
    See,
    all_tokens,
    condition_image,
    encode_prompts,
    encode_singly,
    interpolate,
    interpolate_by,
    same_image,
)
from pxs.editing.sampling import Grid, pipeline_noise, seeded_noise
from pxs.errors import ImageError, ModelError
from pxs.expressions import Mix
from pxs.images import Box, crop_square, fit

AUTO = "auto"
NOTE, TRAINED_HERE = "pxs.recipe", "pxs.base"  # entries in the notes of an adapter


class Sides(NamedTuple):
    """Sides of squares in pixels. trained: those of a model's training pictures; pipeline: what diffusers generates."""

    trained: int
    pipeline: int


class Prepared(NamedTuple):
    """A picture as a recipe prepares it. All images are RGB.

    described: what the text encoder's processor gets, before `Recipe.see`. sampled: what the VAE encodes, at the size
    that is generated. shown: what the edits are compared with. restore: from the model's picture, of the size of
    `sampled`, to the edit, of the size of `shown`.
    """

    described: Image.Image
    sampled: Image.Image
    shown: Image.Image
    restore: Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Recipe:
    """The functions in which one way from a picture to its edit differs from another.

    prepare: from an RGB picture, the sides of the model, and a face box or None; raises ImageError for a picture or a
        box that cannot be used.
    generated: side in pixels of the square whose area is generated.
    see: what the text encoder's processor gets, from `Prepared.described`.
    encode: from the pipeline, `Prepared.described`, N prompts and `see` to embeddings (N, L, C), where the saving
        `prefix` is off.
    interpolate: from embeddings (L, C) by word, and N mixes, to embeddings (N, L, C).
    noise: from seed, channels, grid, and the embeddings, to packed noise (1, tokens, 4 * channels).
    develop: from the VAE's `decode`, normalised latents (B, z, h, w), their mean and standard deviation (z, 1, 1), to
        pixels (B, 3, 8 h, 8 w), float32 in 0..1 but for rounding.
    file_name: of an edit, from the stem of the picture's file, the mix, and the expression and intensity asked for, if
        it was one.
    """

    name: str
    prepare: Callable[[Image.Image, Sides, Box | None], Prepared]
    generated: Callable[[Sides], int]
    see: See
    encode: Callable[[Any, Image.Image, Sequence[str], See], Tensor]
    interpolate: Callable[[dict[str, Tensor], Sequence[Mix]], Tensor]
    noise: Callable[[int, int, Grid, Tensor], Tensor]
    develop: Callable[[Callable[[Tensor], Tensor], Tensor, Tensor, Tensor], Tensor]
    file_name: Callable[[str, Mix, tuple[str, float] | None], str]


def _whole(image: Image.Image, sides: Sides, box: Box | None) -> Prepared:
    """The whole picture at the area that the model was trained at."""
    if box is not None:
        raise ImageError("the recipe 'fitted' edits the whole picture: leave the face box out, or take 'published'")
    fitted, way = fit(image, sides.trained)
    return Prepared(fitted, fitted, image, way.restore)


def _square(image: Image.Image, sides: Sides, box: Box | None) -> Prepared:
    """A square crop, which the pipeline enlarges before the VAE."""
    crop = crop_square(image, sides.trained, box)
    enlarged = crop.resize((sides.pipeline, sides.pipeline), Image.Resampling.LANCZOS)
    return Prepared(crop, enlarged, enlarged, Image.Image.copy)


def _noise_on_cpu(seed: int, channels: int, grid: Grid, text: Tensor) -> Tensor:
    return seeded_noise(seed, channels, grid)


def _develop_fitted(decode: Callable[[Tensor], Tensor], latents: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return decode(latents * std + mean).float() / 2 + 0.5


def _develop_published(decode: Callable[[Tensor], Tensor], latents: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """In the operations of the pipeline: it divides by 1 / std, and computes in the dtype of the VAE to the end."""
    return (decode(latents / (1.0 / std) + mean) * 0.5 + 0.5).clamp(0, 1).float()


def _png_name(stem: str, mix: Mix, asked: tuple[str, float] | None) -> str:
    return f"{stem}_{mix.slug}.png"


def _jpg_name(stem: str, mix: Mix, asked: tuple[str, float] | None) -> str:
    """As the script writes intensities: face_happy_0.0.jpg. A mix, which the script does not know, is named as ever."""
    return f"{stem}_{mix.slug}.jpg" if asked is None else f"{stem}_{asked[0]}_{float(asked[1])}.jpg"


FITTED = Recipe(
    "fitted",
    _whole,
    attrgetter("trained"),
    condition_image,
    encode_prompts,
    interpolate,
    _noise_on_cpu,
    _develop_fitted,
    _png_name,
)
PUBLISHED = Recipe(
    "published",
    _square,
    attrgetter("pipeline"),
    same_image,
    encode_singly,
    partial(interpolate_by, all_tokens),
    pipeline_noise,
    _develop_published,
    _jpg_name,
)
RECIPES = {recipe.name: recipe for recipe in (PUBLISHED, FITTED)}


def check_recipe(recipe: str | Recipe, schedule: str = "own") -> str | Recipe:
    """Return a recipe, its name, or "auto"; raises ModelError for an unknown name and a schedule that does not fit."""
    if isinstance(recipe, str) and recipe not in (AUTO, *RECIPES):
        raise ModelError(f"unknown recipe {recipe!r}: choose from {', '.join((AUTO, *RECIPES))}")
    if recipe in (PUBLISHED, PUBLISHED.name) and schedule != "own":
        raise ModelError(f"the recipe 'published' has no schedule {schedule!r}: leave it out, or take recipe 'fitted'")
    return recipe


def find_recipe(recipe: str | Recipe, schedule: str, folder: Path, adapters: Mapping[Path, float]) -> Recipe:
    """The recipe that a choice means for a checkpoint folder and adapter files; AdapterError for a damaged file.

    "auto" is "published" where people compare with published pictures: the full model, which is a folder without
    workbench.json, with an adapter. Such adapters were trained on crops and judged by the pictures of the public
    script. It is "fitted" for all else: for models made here, such as mini, which were trained on whole pictures; for
    the bare full model, of which nothing was published in this way; for an adapter that says so in its notes
    ("pxs.recipe") or that `pxs train` made without saying anything; and with a schedule of few steps.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe != AUTO:
        return RECIPES[recipe]
    if schedule != "own" or not adapters or (folder / "workbench.json").is_file():
        return FITTED
    wanted = [_noted(adapter_notes(file)) for file in adapters]
    return FITTED if FITTED.name in wanted else PUBLISHED


def _noted(notes: Mapping[str, Any]) -> str:
    """The name of the recipe that an adapter was made for, or empty."""
    return str(notes.get(NOTE) or (FITTED.name if TRAINED_HERE in notes else ""))
