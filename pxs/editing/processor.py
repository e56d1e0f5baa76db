"""The text-and-image half of Qwen's processor, for machines without torchvision.

`Qwen2VLProcessor` cannot be built without torchvision, because its video half needs it. The pipeline only ever asks for
text and still images; this class answers that from the same files, with the same output.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import BatchFeature, ProcessorMixin, Qwen2Tokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

IMAGE_TOKEN = "<|image_pad|>"


class Processor(ProcessorMixin):  # type: ignore[misc]  # transformers has no types
    """Tokenises prompts and cuts images into patches, as `Qwen2VLProcessor` does for text and still images."""

    def __init__(self, tokenizer: Qwen2Tokenizer, images: Qwen2VLImageProcessorPil) -> None:
        self.tokenizer, self.image_processor = tokenizer, images  # all that the base class would do with them

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Processor:
        """From a checkpoint's `processor` folder."""
        images = Qwen2VLImageProcessorPil.from_pretrained(folder)
        return cls(Qwen2Tokenizer.from_pretrained(folder), images)

    def __call__(
        self,
        text: Sequence[str],
        images: Sequence[Image.Image] | None = None,
        padding: bool = True,
        return_tensors: str = "pt",
    ) -> BatchFeature:
        """input_ids and attention_mask (B, L), and with images pixel_values (patches, C) and image_grid_thw (N, 3).

        The same images go with every text. Each image placeholder is repeated once per merged patch of its image.
        """
        patches: dict[str, Any] = {}
        if images:
            patches = dict(self.image_processor(images=list(images), return_tensors=return_tensors))
            counts = (patches["image_grid_thw"].prod(dim=1) // self.image_processor.merge_size**2).tolist()
            text = [_expand(t, counts) for t in text]
            patches["pixel_values"] = patches["pixel_values"].repeat(len(text), 1)
            patches["image_grid_thw"] = patches["image_grid_thw"].repeat(len(text), 1)
        tokens = self.tokenizer(list(text), padding=padding, return_tensors=return_tensors)
        return BatchFeature({"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"], **patches})


def _expand(text: str, counts: Sequence[int]) -> str:
    """The text with its i-th image placeholder written counts[i] times; raises ValueError if their numbers differ."""
    parts = text.split(IMAGE_TOKEN)
    if len(parts) != len(counts) + 1:
        raise ValueError(f"the prompt has {len(parts) - 1} image placeholders, but {len(counts)} images were given")
    return "".join(p + IMAGE_TOKEN * n for p, n in zip(parts, [*counts, 0], strict=True))
