"""One collector for what an editor thinks while it edits: features from several places, for many faces at once.

    prompt          the interpolated embedding at the expression's token, (C,)
    text b, step s  the text stream after transformer block b at denoising step s, at the same token, (D,)
    image b, step s the image stream there, mean over the tokens of the picture being made (not of the source), (D,)
    clean, step s   the one-step estimate of the clean latents x0 = x - sigma v, all tokens, (tokens * channels,)
    picture         what a feature judge sees in the finished picture, (F,)

Who the face is moves these features far more than its expression does. `Collection.points` therefore subtracts, from
every row, the feature of the same face's neutral edit with the same noise; `explained` shows how much that matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm.auto import tqdm

import pxs
from analysis.faces import Face
from pxs.editing.conditioning import interpolate
from pxs.editing.sampling import DenoisingStep
from pxs.encoders.features import FeatureEncoder
from pxs.errors import DataError, ModelError, ScaleError
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, check_expression, check_scale

EXPRESSION_TOKEN = -7
"""Where the expression's word stands in the prompt, counted from the end: the last row in which the prompts differ."""
CHUNK = 13  # mixes that go through the transformer together


class Place(NamedTuple):
    """Where features come from: kind is "prompt", "text", "image", "clean" or "picture"; block and step from 0."""

    kind: str
    block: int = -1
    step: int = -1

    def __str__(self) -> str:
        block = f", block {self.block}" if self.block >= 0 else ""
        return f"{self.kind}{block}" + (f", step {self.step}" if self.step >= 0 else "")


@dataclass(frozen=True)
class CollectionPlan:
    """What to collect: every expression at every intensity (above 0) with every seed, at which blocks and steps.

    `blocks` and `at` (steps, from 0) are all where None. Raises ExpressionError for an unknown expression, ScaleError
    for an intensity that is not above 0, a step that is out of range, or a list that is empty.
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
        low = min(check_scale(a, "intensity") for a in self.intensities)
        if low <= 0:
            raise ScaleError(f"intensity {low:g} is not above 0: neutral is collected anyway")
        wrong = [s for s in self.wanted_steps if not 0 <= s < self.steps]
        if wrong:
            raise ScaleError(f"step {wrong[0]} is out of range: give 0 to {self.steps - 1}")

    @property
    def wanted_steps(self) -> list[int]:
        """The steps to look at, rising."""
        return sorted(set(range(self.steps) if self.at is None else self.at))

    def mixes(self) -> list[Mix]:
        """Neutral, then each expression at each intensity."""
        return [Mix(), *(Mix({name: a}) for name in self.expressions for a in self.intensities)]


@dataclass(frozen=True)
class Collection:
    """Features of N edits. rows: face, seed, expression ("neutral" too) and intensity of each; raw: (N, D) a place;
    pictures: the edits; sigmas: noise level, 1 to 0, before each denoising step.
    """

    rows: pd.DataFrame
    raw: Mapping[Place, np.ndarray]
    pictures: Sequence[Image.Image]
    sigmas: Sequence[float]

    @property
    def shown(self) -> np.ndarray:
        """Which rows show an expression, (N,) bool."""
        return (self.rows.expression != NEUTRAL).to_numpy()

    @property
    def table(self) -> pd.DataFrame:
        """The rows that show an expression, M of them, numbered from 0."""
        return self.rows[self.shown].reset_index(drop=True)

    @property
    def thumbnails(self) -> list[Image.Image]:
        """The pictures of `table`."""
        return [picture for picture, shown in zip(self.pictures, self.shown, strict=True) if shown]

    def points(self, place: Place, relative: bool = True) -> np.ndarray:
        """Features (M, D) of the rows of `table`; `relative` to the neutral edit of the same face and seed.

        Raises DataError for a place that was not collected.
        """
        if place not in self.raw:
            raise DataError(f"nothing was collected at {place}: choose from {', '.join(map(str, self.raw))}")
        features = self.raw[place].astype(np.float64)
        if relative:
            keys = self.rows.groupby(["face", "seed"], sort=False).ngroup().to_numpy()
            neutral = np.flatnonzero(~self.shown)
            origin = dict(zip(keys[neutral], neutral, strict=True))
            features = features - features[[origin[key] for key in keys]]
        return features[self.shown]

    def places(self, kind: str) -> list[Place]:
        """The places of one kind, in order of block and step."""
        return sorted(place for place in self.raw if place.kind == kind)


Seen = list[tuple[Tensor, Tensor]]
"""What passes through one block, one entry a forward pass."""


@contextmanager
def recording(transformer: nn.Module, blocks: Sequence[int], tokens: int) -> Iterator[dict[int, Seen]]:
    """While open, every forward pass appends, for each block, the pair image (B, D) and text (B, D) to its list.

    `tokens`: how many tokens of the image stream belong to the picture being made; they come first. The hooks are
    removed when the context is left, however it is left. Raises ModelError for a block that the transformer has not.
    """
    layers = transformer.transformer_blocks
    check_blocks(blocks, len(layers))
    found: dict[int, Seen] = {index: [] for index in blocks}

    def hook(index: int) -> Any:
        def keep(module: nn.Module, inputs: object, output: tuple[Tensor, Tensor]) -> None:
            text, image = output
            seen = image[:, :tokens].float().mean(dim=1).cpu(), text[:, EXPRESSION_TOKEN].float().cpu()
            found[index].append(seen)

        return keep

    with ExitStack() as hooks:
        for index in found:
            hooks.callback(layers[index].register_forward_hook(hook(index)).remove)
        yield found


def check_blocks(blocks: Sequence[int], count: int) -> None:
    """Raise ModelError unless every block is one of `count`, counted from 0."""
    wrong = [b for b in blocks if not 0 <= b < count]
    if wrong:
        raise ModelError(f"block {wrong[0]} is out of range: the transformer has {count}, give 0 to {count - 1}")


def collect(
    editor: pxs.Editor,
    faces: Sequence[Face],
    plan: CollectionPlan,
    judge: FeatureEncoder | None = None,
    progress: bool = True,
) -> Collection:
    """Edit every face under the plan and collect its features; without a `judge` there are none of "picture".

    Raises ModelError for a block that the model has not, DataError for two faces of one name, and what `Editor.open`
    and `Portrait.steps` raise.
    """
    if len({face.name for face in faces}) < len(faces):
        raise DataError(f"two of {[face.name for face in faces]} have one name: give each face its own")
    blocks = range(len(editor.pipe.transformer.transformer_blocks)) if plan.blocks is None else plan.blocks
    mixes, rows, parts, pictures = plan.mixes(), [], [], []
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
    if judge is not None:
        raw[Place("picture")] = judge.embed(pictures)
    table = pd.DataFrame(rows, columns=["face", "seed", "expression", "intensity"])
    return Collection(table, raw, pictures, sigmas)


def _edit(
    portrait: pxs.Portrait, mixes: Sequence[Mix], seed: int, plan: CollectionPlan, blocks: Sequence[int]
) -> tuple[dict[Place, np.ndarray], Tensor, list[float]]:
    """Features, final latents and noise levels of one batch."""
    prompts = interpolate(portrait.embeddings, mixes)[:, EXPRESSION_TOKEN]
    part = {Place("prompt"): prompts.float().cpu().numpy()}
    tokens, sigmas = portrait.grid[0] * portrait.grid[1] // 4, []
    with recording(portrait.editor.pipe.transformer, blocks, tokens) as seen:
        for step in portrait.steps(mixes, seed, plan.steps):
            sigmas.append(step.sigma)
            passes = {block: take(seen[block], len(mixes)) for block in seen}
            if step.index in plan.wanted_steps:
                part |= _places(step, passes)
    return part, step.latents, sigmas


def _places(step: DenoisingStep, passes: Mapping[int, tuple[np.ndarray, np.ndarray]]) -> dict[Place, np.ndarray]:
    """The features of one denoising step."""
    found = {Place("clean", step=step.index): step.clean.flatten(1).float().cpu().numpy()}
    for block, (image, text) in passes.items():
        found |= {Place("image", block, step.index): image, Place("text", block, step.index): text}
    return found


def take(seen: Seen, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` rows of what was seen, image and text, and forget it: an editor may have split a batch into
    several passes, and filled up the last one. Raises ModelError if no pass came by.
    """
    if not seen:
        raise ModelError("the transformer ran past its own blocks, so nothing was seen: load the model without compile")
    image, text = (torch.cat(parts)[:count].numpy() for parts in zip(*seen, strict=True))
    seen.clear()
    return image, text


def explained(points: np.ndarray, labels: Sequence[object]) -> float:
    """The share of the variance of points (N, D) that lies between the groups that the labels make, 0 to 1.

    Eta squared: the sum of squares of the group means about the grand mean over that of all points; 0 if there is none.
    """
    labels = np.asarray(labels)
    centred = points - points.mean(axis=0)
    total = (centred**2).sum()
    between = sum((labels == g).sum() * (centred[labels == g].mean(axis=0) ** 2).sum() for g in np.unique(labels))
    return float(between / total) if total else 0.0
