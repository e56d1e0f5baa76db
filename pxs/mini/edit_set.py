"""The edit set: what the transformer learns from, as cached latents and prompt embeddings.

Every identity has 13 drawings (neutral, and each expression at an intensity that no label tells) and two sources that
prompts are encoded about: the neutral face, and one of the others. Chunks of identities are files that appear whole, so
making the set resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLQwenImage
from PIL import Image
from torch import Tensor

from pxs.editing.checkpoints import load_pipeline
from pxs.editing.conditioning import encode_prompts
from pxs.editing.exact.vae2d import Vae2d
from pxs.expressions import DOMAINS, EXPRESSIONS, NEUTRAL, Mix, prompt
from pxs.faces.render import Drawing, render
from pxs.mini.data import label_probabilities
from pxs.mini.train_vae import to_tensor

INTENSITIES = (0.5, 1.1)  # range of the targets' hidden intensities
NEUTRAL_LABELS = 0.12  # share of examples whose label is neutral
EXPRESSIVE_SOURCES = 0.2  # share whose source is not neutral
ROWS = (NEUTRAL, *EXPRESSIONS)


@dataclass(frozen=True)
class EditSet:
    """Cached tensors of I identities (each in one style), as float16 arrays.

    latents: (I, 13, 16, h, w), normalised; row 0 is the neutral face, row 1 + k shows EXPRESSIONS[k].
    embeddings: (I, 2, 13, L, C); of the 13 prompts about the neutral face, and about the face in row `posed`.
    posed: (I,) the row of the second source.
    """

    latents: np.ndarray
    embeddings: np.ndarray
    posed: np.ndarray

    @classmethod
    def load(cls, files: Sequence[Path]) -> EditSet:
        """The chunks of one split, joined."""
        chunks = [np.load(f) for f in files]
        return cls(*(np.concatenate([c[name] for c in chunks]) for name in ("latents", "embeddings", "posed")))

    def batch(self, seed: int, step: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Source latents, target latents (B, 16, h, w) and embeddings (B, L, C), chosen by (seed, step) alone."""
        rng = np.random.default_rng((seed, step))
        who = rng.integers(len(self.latents), size=size)
        second = rng.random(size) < EXPRESSIVE_SOURCES
        shown = rng.integers(len(EXPRESSIONS), size=size)
        target, label = 1 + shown, np.array([1 + rng.choice(len(EXPRESSIONS), p=_LABELS[s]) for s in shown])
        neutral = rng.random(size) < NEUTRAL_LABELS
        target[neutral], label[neutral] = 0, 0
        source = np.where(second, self.posed[who], 0)
        arrays = self.latents[who, source], self.latents[who, target], self.embeddings[who, second.astype(int), label]
        return tuple(torch.from_numpy(a).float() for a in arrays)  # type: ignore[return-value]


_LABELS = [label_probabilities(e) for e in EXPRESSIONS]


def write_chunk(target: Path, numbers: Sequence[int], style: str, checkpoint: Path) -> None:
    """Draw and encode the identities with these numbers, with the VAE and the text encoder in `checkpoint`."""
    rng = np.random.default_rng((numbers[0], tuple(DOMAINS).index(style)))
    mixes = [Mix() if e == NEUTRAL else Mix({e: float(rng.uniform(*INTENSITIES))}) for _ in numbers for e in ROWS]
    people = np.repeat(numbers, len(ROWS)).tolist()
    pictures = render([Drawing(n, mix, style) for n, mix in zip(people, mixes, strict=True)])
    faces = pictures.reshape(len(numbers), len(ROWS), *pictures.shape[1:])
    posed = rng.integers(1, len(ROWS), size=len(numbers))
    latents = encode(checkpoint / "vae", pictures)
    pipe = load_pipeline(checkpoint, torch.float32, transformer=None, vae=None)
    words = [prompt(word, style) for word in ROWS]
    embeddings = [
        torch.stack([encode_prompts(pipe, Image.fromarray(faces[i, row]), words) for row in (0, posed[i])])
        for i in range(len(numbers))
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_suffix(".partial.npz")
    text = torch.stack(embeddings).numpy()
    latents = latents.reshape(len(numbers), len(ROWS), *latents.shape[1:])
    np.savez(beside, latents=latents.astype(np.float16), posed=posed, embeddings=text.astype(np.float16))
    beside.replace(target)


@torch.inference_mode()
def encode(folder: Path, pictures: np.ndarray) -> np.ndarray:
    """Normalised latents (N, z, h, w) float32 of pictures (N, H, W, 3) uint8, by the VAE in `folder`."""
    stock = AutoencoderKLQwenImage.from_pretrained(folder, dtype=torch.float32)
    mean, std = (torch.tensor(x)[:, None, None] for x in (stock.config.latents_mean, stock.config.latents_std))
    vae = Vae2d.from_stock(stock)
    return torch.cat([(vae.encode(part)[0] - mean) / std for part in torch.split(to_tensor(pictures), 32)]).numpy()
