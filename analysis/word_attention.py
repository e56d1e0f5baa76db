"""Where on the face does the word act? Attention of the picture's tokens to the word of the expression.

In every block each token of the edited picture attends to all tokens of the text, of the edited picture and of the
source, in one softmax. A map holds, for each token of the edited picture, the weight that it gives to the word: the
mean over heads, divided by 1 / number of keys. So 1 is what the word gets if all tokens get the same.

Attention says where the word is read, not what reading it does. So every map is compared with where the edit differs
from the neutral edit of the same face and noise: by the rank correlation over tokens of the map and the mean absolute
difference of the final latents. The words of a prompt stand in one place, so the neutral prompt has a map too; it is
compared with the same differences, to show what comes from the face alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor
from tqdm.auto import tqdm

import pxs
from analysis.faces import Face
from analysis.features import EXPRESSION_TOKEN
from analysis.patching import layers_of, stock_steps
from pxs.editing.exact.blocks import heads, queries, rotate
from pxs.editing.sampling import Grid
from pxs.expressions import Mix

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention

Array = NDArray[np.float64]
Keep = Callable[[Tensor], None]
"""Takes the weights (B, heads, L + tokens, L + tokens) of one attention; text comes first; rows sum to 1."""


class Watched:
    """An attention processor with the outputs of the stock one, which hands the weights of every call to `keep`."""

    def __init__(self, keep: Keep) -> None:
        self.keep = keep

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        encoder_hidden_states_mask: None = None,
        attention_mask: None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The picture's (B, tokens, D) and the text's (B, L, D) part of the attention; there must be no masks."""
        picture, text = hidden_states, encoder_hidden_states
        assert image_rotary_emb is not None and encoder_hidden_states_mask is None and attention_mask is None
        rope = torch.cat(image_rotary_emb[::-1])
        query = rotate(queries(attn, text, picture), rope)
        of_text, of_picture = heads(attn, attn.add_k_proj(text)), heads(attn, attn.to_k(picture))
        key = rotate(torch.cat([attn.norm_added_k(of_text), attn.norm_k(of_picture)], dim=1), rope)
        value = torch.cat([heads(attn, attn.add_v_proj(text)), heads(attn, attn.to_v(picture))], dim=1)
        logits = torch.einsum("bqhd,bkhd->bhqk", query.float(), key.float()) / query.shape[-1] ** 0.5
        weights = logits.softmax(dim=-1)
        self.keep(weights)
        mixed = torch.einsum("bhqk,bkhd->bqhd", weights.to(value.dtype), value).flatten(2)
        words = text.shape[1]
        return attn.to_out[0](mixed[:, words:]), attn.to_add_out(mixed[:, :words])


@contextmanager
def watching(transformer: Any, keep: Callable[[int, Tensor], None]) -> Iterator[None]:
    """While open, `keep` gets the block and the weights of every attention. The processors are put back at the end."""
    layers = layers_of(transformer)
    stock = [layer.attn.processor for layer in layers]
    try:
        for block, layer in enumerate(layers):
            layer.attn.set_processor(Watched(partial(keep, block)))
        yield
    finally:
        for layer, processor in zip(layers, stock, strict=True):
            layer.attn.set_processor(processor)


def word_maps(
    portrait: pxs.Portrait, mixes: Sequence[Mix], seed: int = 42, steps: int = 6, word: int = EXPRESSION_TOKEN
) -> tuple[Array, Array]:
    """Maps (N, blocks, steps, rows, columns) of N edits, and where each differs from the first.

    The differences (N, steps, rows, columns) are mean absolute ones of the one-step estimates of the clean latents;
    those of the last step are of the finished edits. Rows and columns are those of the picture's tokens. `word` is the
    token's place in the prompt, counted from the end.
    """
    prompts = portrait.editor.recipe.interpolate(portrait.embeddings, mixes)
    transformer = portrait.editor.pipe.transformer
    count = portrait.grid[0] * portrait.grid[1] // 4
    found: list[list[Tensor]] = [[] for _ in layers_of(transformer)]

    def keep(block: int, weights: Tensor) -> None:
        found[block].append(to_word(weights, count, word).cpu())

    with watching(transformer, keep):
        clean = torch.stack([step.clean for step in stock_steps(portrait, prompts, seed, steps)], dim=1)
    maps = torch.stack([torch.stack(block, dim=1) for block in found], dim=1)
    changes = (clean - clean[:1]).float().abs().mean(dim=3).cpu()
    return _shaped(maps, portrait.grid), _shaped(changes, portrait.grid)


def to_word(weights: Tensor, count: int, word: int) -> Tensor:
    """From weights (B, heads, keys, keys) what the edited picture's `count` tokens give to a word, (B, count).

    The keys are the text's, the edited picture's and the source's, `count` each of the last two; see the module for the
    unit.
    """
    keys = weights.shape[-1]
    text = keys - 2 * count
    return weights[:, :, text : text + count, text + word].mean(dim=1) * keys


def _shaped(values: Tensor, grid: Grid) -> Array:
    return values.unflatten(-1, (grid[0] // 2, grid[1] // 2)).double().numpy()


def measure_attention(
    editors: Mapping[str, pxs.Editor],
    faces: Sequence[Face],
    expressions: Sequence[str],
    seed: int = 42,
    steps: int = 6,
    strength: float = 1.0,
) -> pd.DataFrame:
    """One row for each editor, face, expression, block and step.

    Columns: editor, face, expression, block, step; weight: the mean of the map over tokens; agreement: its rank
    correlation with where the edit differs from the neutral one; neutral: that of the neutral prompt's map.
    """
    rows = []
    mixes = [Mix(), *(Mix({name: strength}) for name in expressions)]
    for editor, model in editors.items():
        for face in tqdm(faces, desc=f"attention of {editor}", leave=False):
            maps, changes = word_maps(model.open(face.picture, face.style), mixes, seed, steps)
            for name, own, change in zip(expressions, maps[1:], changes[1:, -1], strict=True):
                for block, step in np.ndindex(own.shape[:2]):
                    rows.append(
                        {
                            "editor": editor,
                            "face": face.name,
                            "expression": name,
                            "block": block,
                            "step": step,
                            "weight": float(own[block, step].mean()),
                            "agreement": rank_correlation(own[block, step], change),
                            "neutral": rank_correlation(maps[0, block, step], change),
                        }
                    )
    return pd.DataFrame(rows)


def rank_correlation(first: Array, second: Array) -> float:
    """Spearman's correlation of two maps of one shape, -1 to 1; 0 if one of them is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first.ravel(), second.ravel()).statistic)
