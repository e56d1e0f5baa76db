"""Which hidden states decide the outcome? Activation patching: those of one edit are put into another.

Two edits of one picture start from the same noise. The *receiver* is asked for one expression, the *donor* for another.
A patch names streams, blocks and denoising steps: there, the receiver's hidden states after the block become the
donor's. The receiver goes on with them, and its final latents x show how far the outcome followed:

    position = (x - r) . (d - r) / |d - r|^2            0: still the receiver r, 1: the donor d
    off line = |x - r - position (d - r)| / |d - r|     0: a point on the line between the two

A difference of hidden states says where two expressions differ; a patch says where the difference acts. The donor runs
in the same batch, so nothing is stored. Before the first step that is patched an edit is the receiver's, and is not
computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

import pxs
from analysis.faces import Face
from analysis.features import check_blocks
from pxs import quantities
from pxs.editing.sampling import DenoisingStep, Prepare, Velocity, denoise, pack, schedule, stock_velocity
from pxs.errors import DataError, ScaleError
from pxs.expressions import Mix, Pair, check_pair
from pxs.judging.expression import ExpressionJudge

STREAMS = ("text", "image")
BATCH = 30  # patches that run together, beside the donor
ALL = -1
"""In a table, the number that stands for all blocks or all steps."""


class Patch(NamedTuple):
    """What is replaced: these streams ("text", "image") after each of these blocks, at each of these steps, from 0."""

    streams: tuple[str, ...]
    blocks: tuple[int, ...]
    steps: tuple[int, ...]

    def first(self, steps: int) -> int:
        """The first step that differs from the receiver's, of `steps`."""
        return min(self.steps, default=steps)


Edit = Callable[[Sequence[int], Prepare], Tensor]
"""Edits one picture from one noise: each row is asked for the donor's (0) or the receiver's (1) expression. Returns
their final packed latents (rows, tokens, C)."""


@dataclass(frozen=True)
class Outcome:
    """Final packed latents, float32: `receiver` and `donor` (tokens, C), and `patched` (N, tokens, C), a row a patch.

    Raises DataError if receiver and donor are equal: then there is no line between them.
    """

    receiver: Tensor
    donor: Tensor
    patched: Tensor

    def __post_init__(self) -> None:
        if torch.equal(self.receiver, self.donor):
            raise DataError("receiver and donor end in the same latents: patch between two edits that differ")

    @property
    def distance(self) -> float:
        """Root mean square of donor - receiver; latents have a standard deviation near 1."""
        return float(self._line.square().mean().sqrt())

    @property
    def position(self) -> Tensor:
        """Where each row lies on the line from receiver (0) to donor (1), (N,)."""
        return self._moved @ self._line / self._line.square().sum()

    @property
    def off_line(self) -> Tensor:
        """The distance of each row from that line, (N,), in units of its length."""
        return (self._moved - self.position[:, None] * self._line).norm(dim=1) / self._line.norm()

    @property
    def _line(self) -> Tensor:
        return (self.donor - self.receiver).flatten()

    @property
    def _moved(self) -> Tensor:
        return (self.patched - self.receiver).flatten(1)


@dataclass(frozen=True)
class PatchPlan:
    """What to patch: in each pair the second expression is put into the first, both at intensity `strength`.

    `blocks` of None means all. Raises ExpressionError for two names that are not a pair, ScaleError without pairs and
    for an impossible number.
    """

    pairs: Sequence[Pair]
    steps: int = 6
    seed: int = 42
    strength: float = 1.0
    blocks: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if not self.pairs:
            raise ScaleError("no pairs were given to patch: give one or more")
        for pair in self.pairs:
            check_pair(*pair)
        quantities.STEPS(self.steps), quantities.SEED(self.seed)
        if quantities.SCALE.named("strength")(self.strength) == 0:
            raise ScaleError("strength 0 asks for no expression: give 1, for example")

    def patches(self, blocks: Sequence[int]) -> dict[tuple[str, int, int], Patch]:
        """The patch of each stream, block and step, where ALL stands for all steps."""
        when = {**{step: (step,) for step in range(self.steps)}, ALL: tuple(range(self.steps))}
        return {
            (stream, block, step): Patch((stream,), (block,), steps)
            for stream in STREAMS
            for step, steps in when.items()
            for block in blocks
        }


def measure_patches(
    editors: Mapping[str, pxs.Editor], faces: Sequence[Face], plan: PatchPlan, judge: ExpressionJudge
) -> pd.DataFrame:
    """One row for each editor, face, pair and patch of the plan.

    Columns: editor, face, first (the receiver), second (the donor), distance, stream, block, step (ALL for all steps),
    position, off_line; for single steps sigma, the noise level before the step; for all steps a and b, the judged
    intensities of first and second.
    Raises ModelError for a block that is out of range, and the errors of `Editor.open`.
    """
    rows = []
    for name, editor in editors.items():
        count = len(layers_of(editor.pipe.transformer))
        blocks = range(count) if plan.blocks is None else sorted(set(plan.blocks))
        check_blocks(blocks, count)
        for face in tqdm(faces, desc=f"patches of {name}", leave=False):
            portrait = editor.open(face.picture, face.style)
            for pair in plan.pairs:
                where = {"editor": name, "face": face.name, "first": pair[0], "second": pair[1]}
                rows += [{**where, **row} for row in _measured(portrait, pair, plan, plan.patches(blocks), judge)]
    return pd.DataFrame(rows)


def _measured(
    portrait: pxs.Portrait,
    pair: Pair,
    plan: PatchPlan,
    patches: Mapping[tuple[str, int, int], Patch],
    judge: ExpressionJudge,
) -> Iterator[dict[str, Any]]:
    receiver, donor = (Mix({name: plan.strength}) for name in pair)
    outcome = patch_portrait(portrait, receiver, donor, list(patches.values()), plan.seed, plan.steps)
    whole = [i for i, (_, _, step) in enumerate(patches) if step == ALL]
    judged = dict(zip(whole, judge.judge(portrait.preview(outcome.patched[whole])), strict=True))
    pipe: Any = portrait.editor.pipe
    sigmas = schedule(pipe.scheduler, plan.steps, len(outcome.donor)).sigmas.tolist()
    places = zip(patches, outcome.position.tolist(), outcome.off_line.tolist(), strict=True)
    for i, ((stream, block, step), position, off_line) in enumerate(places):
        yield {
            "distance": outcome.distance,
            "stream": stream,
            "block": block,
            "step": step,
            "sigma": float("nan") if step == ALL else sigmas[step],
            "position": position,
            "off_line": off_line,
            "a": judged[i][pair[0]] if i in judged else float("nan"),
            "b": judged[i][pair[1]] if i in judged else float("nan"),
        }


def patch_portrait(
    portrait: pxs.Portrait, receiver: Mix, donor: Mix, patches: Sequence[Patch], seed: int = 42, steps: int = 6
) -> Outcome:
    """The outcome of each patch of the receiver's edit of a portrait with the donor's hidden states.

    Raises ModelError, DataError or ScaleError for a patch of a block, stream or step that is not there.
    """
    check_patches(patches, len(layers_of(portrait.editor.pipe.transformer)), steps)
    prompts = portrait.editor.recipe.interpolate(portrait.embeddings, [donor, receiver])

    def edit(rows: Sequence[int], prepare: Prepare) -> Tensor:
        *_, last = stock_steps(portrait, prompts[list(rows)], seed, steps, prepare)
        return last.latents.float()

    return run_patches(edit, patches, steps)


def check_patches(patches: Sequence[Patch], blocks: int, steps: int) -> None:
    """Raise ModelError for a block, DataError for a stream, ScaleError for a step that is not there."""
    for patch in patches:
        check_blocks(patch.blocks, blocks)
        for stream in patch.streams:
            if stream not in STREAMS:
                raise DataError(f"unknown stream {stream!r}: choose from {', '.join(STREAMS)}")
        wrong = [step for step in patch.steps if not 0 <= step < steps]
        if wrong:
            raise ScaleError(f"step {wrong[0]} is out of range: give 0 to {steps - 1}")


def run_patches(edit: Edit, patches: Sequence[Patch], steps: int) -> Outcome:
    """The outcome of each patch; `edit` runs `steps` steps."""
    known: list[Tensor] = []
    donor, receiver = edit([0, 1], _recorded(known))
    patched: dict[int, Tensor] = {}
    order = sorted(range(len(patches)), key=lambda i: patches[i].first(steps))
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        rows = [0] + [1] * len(part)
        patched |= dict(zip(part, edit(rows, _patched([patches[i] for i in part], known, rows))[1:], strict=True))
    return Outcome(receiver, donor, torch.stack([patched[i] for i in range(len(patches))]))


def _recorded(known: list[Tensor]) -> Prepare:
    """The stock velocity, which also appends that of every step to `known`."""

    def prepare(*inputs: Any) -> Velocity:
        velocity = stock_velocity(*inputs)

        def keep(index: int, latents: Tensor) -> Tensor:
            known.append(velocity(index, latents))
            return known[-1]

        return keep

    return prepare


def _patched(patches: Sequence[Patch], known: Sequence[Tensor], rows: Sequence[int]) -> Prepare:
    """The velocity under patches, one for each row but the first; until one begins, it is taken from `known`."""
    first = min(patch.first(len(known)) for patch in patches)

    def prepare(transformer: Any, *inputs: Any) -> Velocity:
        velocity = stock_velocity(transformer, *inputs)

        def at(index: int, latents: Tensor) -> Tensor:
            if index < first:
                return known[index][list(rows)]
            with patching(transformer, patches, index):
                return velocity(index, latents)

        return at

    return prepare


@contextmanager
def patching(transformer: nn.Module, patches: Sequence[Patch], step: int) -> Iterator[None]:
    """While open, patch i replaces hidden states of row i + 1 of a batch by those of row 0, the donor.

    Only what the patches name at this denoising step is replaced. The hooks are removed at the end, also after an
    error.
    """
    active = [(i + 1, patch) for i, patch in enumerate(patches) if step in patch.steps]
    layers = layers_of(transformer)

    def hook(block: int) -> Any:
        rows = [[row for row, p in active if stream in p.streams and block in p.blocks] for stream in STREAMS]

        def replace(module: nn.Module, inputs: object, output: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
            return tuple(_from_donor(states, chosen) for states, chosen in zip(output, rows, strict=True))

        return replace

    with ExitStack() as hooks:
        for block in {block for _, patch in active for block in patch.blocks}:
            hooks.callback(layers[block].register_forward_hook(hook(block)).remove)
        yield


def _from_donor(states: Tensor, rows: Sequence[int]) -> Tensor:
    """Hidden states (B, tokens, D) of which some rows are row 0."""
    if not rows:
        return states
    patched = states.clone()
    patched[list(rows)] = states[0]
    return patched


def layers_of(transformer: Any) -> nn.ModuleList:
    """The blocks of a transformer; diffusers sets them at run time, without types."""
    return transformer.transformer_blocks


def stock_steps(
    portrait: pxs.Portrait, prompts: Tensor, seed: int, steps: int, prepare: Prepare = stock_velocity
) -> Iterator[DenoisingStep]:
    """Edit a portrait under embeddings (N, L, C) by the transformer's own forward, so that hooks and processors count.

    Yields as `Portrait.denoise`.
    """
    pipe, recipe = portrait.editor.pipe, portrait.editor.recipe
    noise = recipe.noise(seed, portrait.latents.shape[1], portrait.grid, prompts)
    control = pack(portrait.latents)
    return denoise(pipe.transformer, pipe.scheduler, noise, control, prompts, portrait.grid, steps, prepare)


def patch_table(patches: pd.DataFrame, editor: str, pair: Pair, stream: str) -> pd.DataFrame:
    """The mean position over faces: blocks (rows) and single steps (columns). `patches` is of `measure_patches`."""
    return _part(patches, editor, pair, stream, single=True).pivot_table(
        index="block", columns="step", values="position"
    )


def by_block(patches: pd.DataFrame, editor: str, pair: Pair, stream: str) -> pd.DataFrame:
    """For patches at all steps, one row a block: mean and sd over faces of the position, means of a, b and distance.

    The sd is 0 for one face; faces is their number. `patches` is of `measure_patches`.
    """
    part = _part(patches, editor, pair, stream, single=False).groupby("block")
    means = part[["position", "a", "b", "distance"]].mean()
    return means.assign(sd=part.position.std().fillna(0.0), faces=part.position.count())


def _part(patches: pd.DataFrame, editor: str, pair: Pair, stream: str, single: bool) -> pd.DataFrame:
    p = patches
    mine = (p.editor == editor) & (p["first"] == pair[0]) & (p["second"] == pair[1]) & (p.stream == stream)
    return p[mine & ((p.step != ALL) == single)]
