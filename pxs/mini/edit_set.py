"""The edit set: the training data of the transformer, as cached latents and prompt embeddings.

Every identity has 13 drawings: neutral, and each expression at a random intensity that is not part of the label. The
prompts are encoded with two source images: the neutral face, and one of the others. The set is written in chunks of
identities. A chunk file is complete or missing, so an interrupted run continues with the next chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLQwenImage
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pxs.editing.conditioning import encode_prompts
from pxs.editing.exact.vae2d import Vae2d
from pxs.editing.parts import load_pipeline
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, prompt
from pxs.faces import STYLES, domain
from pxs.faces.render import Drawing, render
from pxs.mini.data import label_probabilities
from pxs.mini.train_vae import to_tensor
from pxs.storage.files import replacing

INTENSITIES = (0.5, 1.1)  # range of the intensities of the targets; labels do not state them
NEUTRAL_LABELS = 0.12  # share of the examples whose label is neutral
EXPRESSIVE_SOURCES = 0.2  # share of the examples whose source is not neutral
LABELS = (NEUTRAL, *EXPRESSIONS)


@dataclass(frozen=True)
class EditSet:
    """Cached tensors of I identities (each in one style).

    latents: (I, 13, 16, h, w) float16, normalised; index 0 is the neutral face, index 1 + k shows EXPRESSIONS[k].
    embeddings: (I, 2, 13, L, C) float16; the 13 prompts with the neutral face, and with the face at index `posed`.
    posed: (I,) int64, 1 to 12; the index of the second source.
    """

    latents: NDArray[np.float16]
    embeddings: NDArray[np.float16]
    posed: NDArray[np.int64]

    @classmethod
    def load(cls, files: Sequence[Path]) -> EditSet:
        """Join the chunk files of one split."""
        chunks = [np.load(f) for f in files]
        return cls(*(np.concatenate([c[name] for c in chunks]) for name in ("latents", "embeddings", "posed")))

    def batch(self, seed: int, step: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Source latents and target latents (B, 16, h, w), and prompt embeddings (B, L, C), all float32.

        The examples depend on (seed, step) alone; `size` is B.
        """
        rng = np.random.default_rng((seed, step))
        who = rng.integers(len(self.latents), size=size)
        second = rng.random(size) < EXPRESSIVE_SOURCES
        shown = rng.integers(len(EXPRESSIONS), size=size)
        target, label = 1 + shown, np.array([1 + rng.choice(len(EXPRESSIONS), p=_PROBABILITIES[s]) for s in shown])
        neutral = rng.random(size) < NEUTRAL_LABELS
        target[neutral], label[neutral] = 0, 0
        source = np.where(second, self.posed[who], 0)
        embeddings = self.embeddings[who, second.astype(int), label]
        return _float(self.latents[who, source]), _float(self.latents[who, target]), _float(embeddings)


_PROBABILITIES = [label_probabilities(e) for e in EXPRESSIONS]


def _float(array: NDArray[np.float16]) -> Tensor:
    """The array as a float32 tensor."""
    return torch.from_numpy(array).float()


def write_chunk(target: Path, identities: Sequence[int], style: str, checkpoint: Path, size: int = 128) -> None:
    """Make and encode the faces of these seeds in one style, with the VAE and text encoder of `checkpoint`.

    `size` is the side of the pictures in pixels. The mixes do not depend on it.
    """
    rng = np.random.default_rng((identities[0], STYLES.index(style)))
    mixes = [Mix() if e == NEUTRAL else Mix({e: float(rng.uniform(*INTENSITIES))}) for _ in identities for e in LABELS]
    repeated = np.repeat(identities, len(LABELS)).tolist()
    made = render([Drawing(n, mix, style) for n, mix in zip(repeated, mixes, strict=True)], size)
    faces = made.reshape(len(identities), len(LABELS), *made.shape[1:])
    posed = rng.integers(1, len(LABELS), size=len(identities))
    latents = encode(checkpoint / "vae", made)
    pipe = load_pipeline(checkpoint, torch.float32, transformer=None, vae=None)
    prompts = [prompt(label, domain(style)) for label in LABELS]
    embeddings = [
        torch.stack([encode_prompts(pipe, Image.fromarray(faces[i, index]), prompts) for index in (0, posed[i])])
        for i in range(len(identities))
    ]
    text = torch.stack(embeddings).numpy()
    latents = latents.reshape(len(identities), len(LABELS), *latents.shape[1:])
    with replacing(target) as file:
        np.savez(file, latents=latents.astype(np.float16), posed=posed, embeddings=text.astype(np.float16))


@torch.inference_mode()
def encode(folder: Path, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Normalised latents (N, z, H / 8, W / 8) float32 of pictures (N, H, W, 3) uint8, from the VAE in `folder`."""
    stock = AutoencoderKLQwenImage.from_pretrained(folder, dtype=torch.float32)
    mean, std = (torch.tensor(x)[:, None, None] for x in (stock.config.latents_mean, stock.config.latents_std))
    vae = Vae2d.from_stock(stock).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = to_tensor(pictures).contiguous(memory_format=torch.channels_last)
    parts = [(vae.encode(part)[0] - mean) / std for part in images.split(4)]
    latents: NDArray[np.float32] = torch.cat(parts).numpy()
    return latents
