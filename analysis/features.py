"""Collects features from several places of an editor during editing, for many faces.

    prompt          the interpolated embedding at the expression's token, (C,)
    text b, step s  the text stream after transformer block b at denoising step s, at the same token, (D,)
    image b, step s the image stream there, mean over the tokens of the edited picture (not of the source), (D,)
    clean, step s   the one-step estimate of the clean latents x0 = x - sigma v, all tokens, (tokens * channels,)
    picture         the feature vector of the finished picture, from a feature encoder, (F,)

The identity of a face changes these features far more than its expression does. `Collection.points` therefore subtracts
from every row the feature of the same face's neutral edit with the same noise. `explained` measures the effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor, nn
from tqdm.auto import tqdm

import pxs
from analysis.faces import Face
from pxs.editing.conditioning import interpolate
from pxs.editing.sampling import DenoisingStep
from pxs.encoders.features import FeatureEncoder
from pxs.errors import DataError, ModelError, ScaleError
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, check_expression
from pxs.quantities import SCALE

Features = NDArray[np.float32]
EXPRESSION_TOKEN = -7
"""Position of the expression's word in the prompt, counted from the end: the last token in which the prompts differ."""
CHUNK = 13  # mixes in one batch


class Place(NamedTuple):
    """The source of features. kind: "prompt", "text", "image", "clean" or "picture"; block and step, from 0, or -1."""

    kind: str
    block: int = -1
    step: int = -1

    def __str__(self) -> str:
        block = f", block {self.block}" if self.block >= 0 else ""
        return f"{self.kind}{block}" + (f", step {self.step}" if self.step >= 0 else "")


@dataclass(frozen=True)
class CollectionPlan:
    """What to collect: every expression at every intensity (above 0) with every seed, at some blocks and steps.

    `blocks` and `at` (denoising steps), from 0; None means all. Raises ExpressionError for an unknown expression,
    ScaleError for an intensity that is not above 0, a step that is out of range, and an empty list.
    """

    expressions: Sequence[str] = EXPRESSIONS
    intensities: Sequence[float] = (0.5, 1.0, 1.5)
    seeds: Sequence[int] = (42,)
    steps: int = 12
    blocks: Sequence[int] | None = None
    at: Sequence[int] | None = None

    def __post_init__(self) -> None:
        for name in self.expressions:
            check_expression(name)
        for what, values in (
            ("expressions", self.expressions),
            ("intensities", self.intensities),
            ("seeds", self.seeds),
        ):
            if not len(values) or len(set(values)) < len(values):
                raise ScaleError(f"{what} {list(values)} cannot be used: give at least one, each once")
        low = min(SCALE.named("intensity")(a) for a in self.intensities)
        if low <= 0:
            raise ScaleError(f"intensity {low:g} is not above 0: leave it out, neutral is always collected")
        wrong = [s for s in self.collected_steps if not 0 <= s < self.steps]
        if wrong:
            raise ScaleError(f"step {wrong[0]} is out of range: give 0 to {self.steps - 1}")

    @property
    def collected_steps(self) -> list[int]:
        """The denoising steps at which features are collected, in order."""
        return sorted(set(range(self.steps) if self.at is None else self.at))

    def mixes(self) -> list[Mix]:
        """Neutral, then each expression at each intensity."""
        return [Mix(), *(Mix({name: a}) for name in self.expressions for a in self.intensities)]


@dataclass(frozen=True)
class Collection:
    """Features of N edits.

    rows: face, seed, expression (also "neutral") and intensity of each edit. raw: features (N, D) of each place,
    float32. pictures: the edits, RGB. sigmas: the noise level, 1 to 0, before each denoising step.
    """

    rows: pd.DataFrame
    raw: Mapping[Place, Features]
    pictures: Sequence[Image.Image]
    sigmas: Sequence[float]

    @property
    def expressive(self) -> NDArray[np.bool_]:
        """Which rows have an expression, not neutral; (N,) bool."""
        found: NDArray[np.bool_] = (self.rows.expression != NEUTRAL).to_numpy(dtype=bool)
        return found

    @property
    def table(self) -> pd.DataFrame:
        """The M rows that have an expression, numbered from 0."""
        return self.rows[self.expressive].reset_index(drop=True)

    @property
    def thumbnails(self) -> list[Image.Image]:
        """The pictures of `table`."""
        return [picture for picture, chosen in zip(self.pictures, self.expressive, strict=True) if chosen]

    def points(self, place: Place, relative: bool = True) -> NDArray[np.float64]:
        """Features (M, D) of the rows of `table`; if `relative`, minus those of the neutral edit of the face and seed.

        Raises DataError for a place that was not collected.
        """
        if place not in self.raw:
            raise DataError(f"nothing was collected at {place}: choose from {', '.join(map(str, self.raw))}")
        features = self.raw[place].astype(np.float64)
        if relative:
            keys = self.rows.groupby(["face", "seed"], sort=False).ngroup().to_numpy()
            neutral = np.flatnonzero(~self.expressive)
            origin = dict(zip(keys[neutral], neutral, strict=True))
            features = features - features[[origin[key] for key in keys]]
        chosen: NDArray[np.float64] = features[self.expressive]
        return chosen

    def places(self, kind: str) -> list[Place]:
        """The places of one kind, in order of block and step."""
        return sorted(place for place in self.raw if place.kind == kind)


Recorded = list[tuple[Tensor, Tensor]]
"""The recorded image and text features of one block, each (B, D); one entry a forward pass."""


@contextmanager
def recording(transformer: nn.Module, blocks: Sequence[int], tokens: int) -> Iterator[dict[int, Recorded]]:
    """While open, every forward pass appends, for each block, the pair image (B, D) and text (B, D) to its list.

    `tokens` is the number of tokens of the edited picture; they come first in the image stream. The hooks are removed
    at the end, also after an error. Raises ModelError for a block that is out of range.
    """
    layers: Any = transformer.transformer_blocks
    check_blocks(blocks, len(layers))
    found: dict[int, Recorded] = {index: [] for index in blocks}

    def hook(index: int) -> Any:
        def keep(module: nn.Module, inputs: object, output: tuple[Tensor, Tensor]) -> None:
            text, image = output
            found[index].append((image[:, :tokens].float().mean(dim=1).cpu(), text[:, EXPRESSION_TOKEN].float().cpu()))

        return keep

    with ExitStack() as hooks:
        for index in found:
            hooks.callback(layers[index].register_forward_hook(hook(index)).remove)
        yield found


def check_blocks(blocks: Sequence[int], count: int) -> None:
    """Raise ModelError unless every block is from 0 to `count` - 1."""
    wrong = [b for b in blocks if not 0 <= b < count]
    if wrong:
        raise ModelError(f"block {wrong[0]} is out of range: the transformer has {count}, give 0 to {count - 1}")


def collect(
    editor: pxs.Editor,
    faces: Sequence[Face],
    plan: CollectionPlan,
    encoder: FeatureEncoder | None = None,
    progress: bool = True,
) -> Collection:
    """Edit every face under the plan and collect its features; those of "picture" need an `encoder`.

    Raises ModelError for a block that is out of range, DataError for two faces with one name, and the errors of
    `Editor.open` and `Portrait.steps`.
    """
    if len({face.name for face in faces}) < len(faces):
        raise DataError(f"two of {[face.name for face in faces]} have one name: give each face its own")
    pipe: Any = editor.pipe  # diffusers sets the pipeline's parts at run time, without types
    blocks = range(len(pipe.transformer.transformer_blocks)) if plan.blocks is None else plan.blocks
    mixes = plan.mixes()
    rows: list[tuple[str, int, str, float]] = []
    parts: list[dict[Place, Features]] = []
    pictures: list[Image.Image] = []
    sigmas: list[float] = []
    runs = [(face, seed) for face in faces for seed in plan.seeds]
    for face, seed in tqdm(runs, desc="faces", leave=False, disable=not progress):
        portrait = editor.open(face.picture, face.style)
        for start in range(0, len(mixes), CHUNK):
            part, latents, sigmas = _edit(portrait, mixes[start : start + CHUNK], seed, plan, blocks)
            parts.append(part)
            pictures += portrait.preview(latents)
        rows += [(face.name, seed, next(iter(mix), NEUTRAL), max(mix.values(), default=0.0)) for mix in mixes]
    raw = {place: np.concatenate([part[place] for part in parts]) for place in parts[0]}
    if encoder is not None:
        raw[Place("picture")] = encoder.embed(pictures)
    table = pd.DataFrame(rows, columns=["face", "seed", "expression", "intensity"])
    return Collection(table, raw, pictures, sigmas)


def _edit(
    portrait: pxs.Portrait, mixes: Sequence[Mix], seed: int, plan: CollectionPlan, blocks: Sequence[int]
) -> tuple[dict[Place, Features], Tensor, list[float]]:
    """Features, final latents and noise levels of one batch."""
    prompts = interpolate(portrait.embeddings, mixes)[:, EXPRESSION_TOKEN]
    part: dict[Place, Features] = {Place("prompt"): prompts.float().cpu().numpy()}
    pipe: Any = portrait.editor.pipe
    tokens, sigmas = portrait.grid[0] * portrait.grid[1] // 4, []
    with recording(pipe.transformer, blocks, tokens) as recorded:
        for step in portrait.steps(mixes, seed, plan.steps):
            sigmas.append(step.sigma)
            streams = {block: take(recorded[block], len(mixes)) for block in recorded}
            if step.index in plan.collected_steps:
                part |= _places(step, streams)
    return part, step.latents, sigmas


def _places(step: DenoisingStep, streams: Mapping[int, tuple[Features, Features]]) -> dict[Place, Features]:
    """The features of one denoising step."""
    found: dict[Place, Features] = {Place("clean", step=step.index): step.clean.flatten(1).float().cpu().numpy()}
    for block, (image, text) in streams.items():
        found |= {Place("image", block, step.index): image, Place("text", block, step.index): text}
    return found


def take(recorded: Recorded, count: int) -> tuple[Features, Features]:
    """Remove what was recorded, and return its first `count` rows: image and text, each (count, D).

    An editor may split a batch into several forward passes and pad the last one. Raises ModelError if nothing was
    recorded.
    """
    if not recorded:
        raise ModelError("no hook of the transformer was called: load the model without compile")
    image, text = (torch.cat(parts)[:count].numpy() for parts in zip(*recorded, strict=True))
    recorded.clear()
    return image, text


def explained(points: NDArray[np.floating], labels: ArrayLike) -> float:
    """The share of the variance of points (N, D) that lies between groups of equal labels (N,), 0 to 1.

    Eta squared: the sum of squares of the group means about the grand mean, divided by that of all points; 0 if all
    points are equal.
    """
    given: NDArray[Any] = np.asarray(labels)
    centred = points - points.mean(axis=0)
    total = (centred**2).sum()
    between = sum((given == g).sum() * (centred[given == g].mean(axis=0) ** 2).sum() for g in np.unique(given))
    return float(between / total) if total else 0.0
