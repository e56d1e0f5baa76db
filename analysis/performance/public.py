"""The public editing algorithm on the stock pipeline of diffusers: the reference that editing.py compares with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from diffusers import QwenImageEditPlusPipeline
from PIL import Image

from pxs.editing.conditioning import condition_image
from pxs.editing.parts import quiet
from pxs.editing.portrait import SEED
from pxs.editing.processor import Processor
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, prompt


class Public:
    """The public algorithm for one picture: for each intensity two prompt encodings, then one run of the pipeline."""

    def __init__(self, pipe: QwenImageEditPlusPipeline, image: Image.Image) -> None:
        self.pipe: Any = pipe  # diffusers sets the pipeline's parts at run time, without types
        self.image = image

    def edits(self, mixes: Sequence[Mix], steps: int) -> list[Image.Image]:
        """The edit of each mix, one after the other. A mix has at most one expression."""
        return [self._edit(*next(iter(mix.items()), (EXPRESSIONS[0], 0.0)), steps) for mix in mixes]

    def encode(self, word: str) -> torch.Tensor:
        """The embedding (1, L, C) of one prompt."""
        condition = condition_image(self.pipe, self.image)
        with torch.no_grad():
            embedding: torch.Tensor = self.pipe.encode_prompt(prompt(word), image=[condition])[0]
        return embedding

    def open(self) -> None:
        """Compute what `Editor.open` computes: the embeddings of all prompts, and the latents."""
        for word in (NEUTRAL, *EXPRESSIONS):
            self.encode(word)
        pixels = self.pipe.image_processor.preprocess(self.image).unsqueeze(2).to(self.pipe.vae.device)
        with torch.no_grad():
            self.pipe.vae.encode(pixels.to(self.pipe.vae.dtype))

    def _edit(self, word: str, alpha: float, steps: int) -> Image.Image:
        neutral, target = self.encode(NEUTRAL), self.encode(word)
        text = neutral + alpha * (target - neutral)
        with _picture_area(self.image.width * self.image.height):
            edited: Image.Image = self.pipe(
                image=self.image,
                prompt_embeds=text,
                prompt_embeds_mask=torch.ones(text.shape[:2], dtype=torch.long, device=text.device),
                width=self.image.width,
                height=self.image.height,
                num_inference_steps=steps,
                true_cfg_scale=1.0,
                generator=torch.Generator().manual_seed(SEED),
            ).images[0]
        return edited


@contextmanager
def _picture_area(pixels: int) -> Iterator[None]:
    """While open, the stock pipeline encodes pictures with this number of pixels, as `pxs` does, not 1024 x 1024."""
    with patch("diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus.VAE_IMAGE_SIZE", pixels):
        yield


def stock_pipeline(folder: Path) -> QwenImageEditPlusPipeline:
    """The stock pipeline of a checkpoint folder. The processor is that of pxs: the stock one needs torchvision."""
    pipeline: Any = QwenImageEditPlusPipeline  # its methods have no types
    with quiet():
        processor = Processor.from_pretrained(folder / "processor")
        loaded: QwenImageEditPlusPipeline = pipeline.from_pretrained(folder, processor=processor, local_files_only=True)
    return loaded
