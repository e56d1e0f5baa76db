"""Small pipelines of the real classes of diffusers, with random weights: text encoders and blocks of a few numbers.

    pipe = build("flux2_klein")         # by the name of the method that runs it

Words and pictures are those of mini's tokenizer and processor, whose stock classes need torchvision for videos.
"""

import json
import shutil

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage21,
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    JoyImageEditPipeline,
    JoyImageEditTransformer3DModel,
    LongCatImageEditPipeline,
    LongCatImageTransformer2DModel,
    QwenImage21Pipeline,
    QwenImage21Transformer2DModel,
)
from transformers import (
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from pxs.editing.bundled import BUNDLED
from pxs.editing.processor import Processor

MINI = BUNDLED["mini"]
WIDTH = 16  # of everything that can be as narrow


class ChatProcessor(Processor):
    """The processor with what two pipelines ask of it besides: the template of a conversation, and the side of pads."""

    def __call__(self, text, images=None, padding=True, return_tensors="pt", padding_side="left"):
        images = [images] if images is not None and not isinstance(images, list) else images
        return super().__call__(text, images, padding, return_tensors)

    def apply_chat_template(self, messages, tokenize=True, return_dict=False):
        (part,) = messages[0]["content"]
        return [self.tokenizer(f"<|im_start|>system\n{part['text']}<|im_end|>\n")["input_ids"]]


def tokenizer():
    return Qwen2Tokenizer.from_pretrained(MINI / "tokenizer")


def scheduler(**more):
    return FlowMatchEulerDiscreteScheduler(**more)


def qwen3():
    """A text encoder deep enough for the layers that FLUX.2 reads."""
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=522,
            hidden_size=WIDTH,
            intermediate_size=WIDTH,
            num_hidden_layers=28,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            pad_token_id=0,
        )
    )


def qwen3_vl():
    text = {
        "vocab_size": 522,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
    }
    vision = {
        "depth": 2,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
        "patch_size": 14,
        "deepstack_visual_indexes": [0, 1],
    }
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=5,
        video_token_id=6,
        vision_start_token_id=3,
        vision_end_token_id=4,
    )
    return Qwen3VLForConditionalGeneration(config)


def flux2_klein(is_distilled=True):
    return Flux2KleinPipeline(
        scheduler=scheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLFlux2(
            block_out_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=4
        ),
        text_encoder=qwen3(),
        tokenizer=tokenizer(),
        transformer=Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=3 * WIDTH,
            timestep_guidance_channels=16,
            axes_dims_rope=(2, 2, 2, 2),
            guidance_embeds=False,
        ),
        is_distilled=is_distilled,
    )


def longcat_edit():
    return LongCatImageEditPipeline(
        scheduler=scheduler(use_dynamic_shifting=True),
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8, 8, 8, 8),
            latent_channels=16,
            norm_num_groups=4,
            shift_factor=0.1,
            scaling_factor=0.3,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration.from_pretrained(MINI / "text_encoder"),
        tokenizer=tokenizer(),
        text_processor=Processor.from_pretrained(MINI / "processor"),
        transformer=LongCatImageTransformer2DModel(
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=128,
            pooled_projection_dim=128,
            axes_dims_rope=[2, 2, 4],
        ),
    )


def joyimage_edit():
    return JoyImageEditPipeline(
        scheduler=scheduler(shift=1.5),
        vae=AutoencoderKLWan(base_dim=4, num_res_blocks=1),
        text_encoder=qwen3_vl(),
        tokenizer=tokenizer(),
        transformer=JoyImageEditTransformer3DModel(
            in_channels=16,
            hidden_size=WIDTH,
            num_attention_heads=2,
            text_dim=WIDTH,
            num_layers=1,
            rope_dim_list=[2, 2, 4],
        ),
        processor=ChatProcessor.from_pretrained(MINI / "processor"),
    )


def qwen_image_21():
    return QwenImage21Pipeline(
        scheduler=scheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLQwenImage21(base_dim=4, decoder_base_dim=4, num_res_blocks=1),
        text_encoder=qwen3_vl(),
        processor=ChatProcessor.from_pretrained(MINI / "processor"),
        transformer=QwenImage21Transformer2DModel(
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            context_in_dim=WIDTH,
            axes_dims_rope=(2, 2, 4),
        ),
    )


BUILDERS = {
    "flux2_klein": flux2_klein,
    "flux2_klein_base": lambda: flux2_klein(is_distilled=False),
    "longcat_edit": longcat_edit,
    "joyimage_edit": joyimage_edit,
    "qwen_image_21": qwen_image_21,
}


def build(name):
    """The pipeline that a method runs, in float32 on the CPU, with the same random weights every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipe = BUILDERS[name]()
    for part in ("vae", "text_encoder", "transformer"):
        getattr(pipe, part).eval()
    return pipe


def save(pipe, folder):
    """Save a pipeline in the layout of diffusers; a processor is mini's, under the name of its stock class."""
    index = {"_class_name": type(pipe).__name__}
    for name, part in pipe.components.items():
        if isinstance(part, Processor):
            shutil.copytree(MINI / "processor", folder / name)
            index[name] = ["transformers", "Qwen2VLProcessor"]
        else:
            part.save_pretrained(folder / name)
            index[name] = [type(part).__module__.split(".")[0], type(part).__name__]
    (folder / "model_index.json").write_text(json.dumps(index))
