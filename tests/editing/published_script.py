"""The steps of the public PixelSmile script on stock diffusers: the reference for the recipe "published".

Nothing of the package is imported here. What the script gets from elsewhere is written anew: the crop, which it takes
from its own helpers; the processor, since the stock one needs torchvision; and the positions of the picture's tokens,
which the transformers 4 that the script was written for finds by itself and transformers 5 must be told.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
)
from PIL import Image
from transformers import BatchFeature, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

SIDE = 512


class Processor:
    """One prompt and one picture: the placeholder is repeated for each token of the picture."""

    def __init__(self, folder: Path) -> None:
        self.images = Qwen2VLImageProcessorPil.from_pretrained(folder)
        self.tokenizer = Qwen2Tokenizer.from_pretrained(folder)

    def __call__(self, text, images, padding, return_tensors):
        picture = self.images(images=images, return_tensors=return_tensors)
        count = int(picture["image_grid_thw"].prod()) // 4
        whole = [line.replace("<|image_pad|>", "<|image_pad|>" * count) for line in text]
        words = self.tokenizer(whole, padding=padding, return_tensors=return_tensors)
        return BatchFeature({**words, **picture})


def mark_picture(encoder, args, given):
    """Tells transformers 5 which tokens are the picture's."""
    if given.get("pixel_values") is not None:
        given["mm_token_type_ids"] = (given["input_ids"] == encoder.config.image_token_id).long()
    return args, given


def load_pipe(folder: Path) -> QwenImageEditPlusPipeline:
    """The stock pipeline of a checkpoint folder."""
    encoder = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder / "text_encoder")
    encoder.register_forward_pre_hook(mark_picture, with_kwargs=True)
    pipe = QwenImageEditPlusPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
        vae=AutoencoderKLQwenImage.from_pretrained(folder / "vae"),
        text_encoder=encoder,
        tokenizer=Qwen2Tokenizer.from_pretrained(folder / "tokenizer"),
        processor=Processor(folder / "processor"),
        transformer=QwenImageTransformer2DModel.from_pretrained(folder / "transformer"),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def crop(image: Image.Image, box=None) -> Image.Image:
    """Shorter side to 512, then a square of 512 from the centre, or as far around the box as the picture reaches."""
    factor = max(SIDE / image.size[0], SIDE / image.size[1])
    wide, high = int(image.size[0] * factor), int(image.size[1] * factor)
    image = image.resize((wide, high), resample=Image.LANCZOS)
    if box:
        x1, y1, x2, y2 = [side * factor for side in box]
        x = (x1 + x2) / 2 - SIDE / 2
        lowest, highest = y1, y2 - SIDE
        y = lowest - (lowest - highest) * 0.5 if y2 - y1 <= SIDE else (y1 + y2) / 2 - SIDE / 2
    else:
        x, y = (wide - SIDE) // 2, (high - SIDE) * 0.5
    x, y = max(0, min(x, wide - SIDE)), max(0, min(y, high - SIDE))
    return image.crop((int(x), int(y), int(x + SIDE), int(y + SIDE)))


def encode(pipe, image: Image.Image, expression: str) -> torch.Tensor:
    """The embedding (1, L, C) of one prompt; the text encoder sees the crop itself."""
    words = f"Edit the person to show a {expression} expression"
    with torch.no_grad():
        return pipe.encode_prompt(prompt=words, image=image, device=pipe.device, num_images_per_prompt=1)[0]


def interpolated(neutral, target, score: float, way: str) -> torch.Tensor:
    """The five ways of the public code, by the names that it gives them."""
    result = target.clone()
    if way == "score_one_all":
        result = neutral + score * (target - neutral)
    elif way == "score_one":
        result[:, -7:] = neutral[:, -7:] + score * (target[:, -7:] - neutral[:, -7:])
    elif way == "score_one_exp":
        result[:, -6:] = neutral[:, -6:] + score * (target[:, -6:] - neutral[:, -6:])
    elif way == "score_one_tgt":
        result[:, -7] = neutral[:, -7] + score * (target[:, -7] - neutral[:, -7])
    elif way == "score_scale":
        result[:, -7] *= score
    return result


def run_edit(pipe, image: Image.Image, embeddings: torch.Tensor, seed: int, steps: int) -> Image.Image:
    """One edit of the crop. No height and width are passed, so the pipeline generates 1024 x 1024."""
    generator = torch.Generator(device=pipe.device).manual_seed(seed)
    with torch.no_grad():
        return pipe(
            image=image,
            prompt_embeds=embeddings,
            prompt_embeds_mask=None,
            num_inference_steps=steps,
            true_cfg_scale=0,
            output_type="pil",
            generator=generator,
        ).images[0]


def save_tiny_checkpoint(folder: Path, tokens: Path) -> None:
    """A checkpoint of random weights, two layers each; the processor has the pixel limits of the released model.

    tokens: a checkpoint folder whose tokenizer, processor and text encoder's configuration are taken.
    """
    import json
    import shutil

    from transformers import Qwen2_5_VLConfig

    torch.manual_seed(0)
    config = Qwen2_5_VLConfig.from_pretrained(tokens / "text_encoder")
    width = config.text_config.hidden_size
    parts = {
        "transformer": QwenImageTransformer2DModel(
            num_layers=2, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=width,
            axes_dims_rope=(4, 6, 6), zero_cond_t=True,
        ),
        "vae": AutoencoderKLQwenImage(base_dim=8, num_res_blocks=1),
        "text_encoder": Qwen2_5_VLForConditionalGeneration(config),
    }  # fmt: skip
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    for name in ("scheduler", "tokenizer", "processor"):
        shutil.copytree(tokens / name, folder / name)
    limits = folder / "processor" / "preprocessor_config.json"
    settings = json.loads(limits.read_text())
    settings["size"] = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 16384}
    limits.write_text(json.dumps(settings))
    classes = {"transformer": "QwenImageTransformer2DModel", "vae": "AutoencoderKLQwenImage"}
    index = {name: ["diffusers", kind] for name, kind in classes.items()}
    index |= {
        "_class_name": "QwenImageEditPlusPipeline",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "processor": ["transformers", "Qwen2VLProcessor"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))


def as_numbers(image: Image.Image) -> np.ndarray:
    """Pixels as integers that can be subtracted."""
    return np.asarray(image, int)
