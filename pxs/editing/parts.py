"""The stock pipeline from a model folder: every weight from the files, none left over, and each part tried out once.

The loaders of diffusers and transformers draw random numbers for weights that a file lacks, leave out what they do not
know, and take configurations that fail, or give another picture, when the first picture is made. Here they raise.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pxs.editing.conditioning import tell_pictures
from pxs.editing.folders import AGAIN, WEIGHTS, check_folder
from pxs.editing.sampling import schedule
from pxs.errors import ModelError, one_line

if TYPE_CHECKING:
    import torch
    from diffusers import QwenImageEditPlusPipeline

TRIED = 64  # side in pixels of the picture, and tokens, that processor and scheduler are tried on
Loader = Callable[[Path, "torch.dtype"], Any]


def load_pipeline(folder: Path, dtype: torch.dtype, **parts: Any) -> QwenImageEditPlusPipeline:
    """The stock pipeline with our torchvision-free processor; `parts` replaces components (None leaves one out).

    Raises ModelError, one line, for a folder that is incomplete, damaged, or whose parts do not fit together.
    """
    from diffusers import QwenImageEditPlusPipeline

    check_folder(folder)
    found = {part: parts[part] if part in parts else _load(part, folder / part, dtype) for part in _loaders()}
    with _refused(folder):
        pipe = QwenImageEditPlusPipeline(**found)
        pipe.set_progress_bar_config(disable=True)
    if pipe.text_encoder is not None:
        pipe.text_encoder.register_forward_pre_hook(tell_pictures, with_kwargs=True)
    _check_finite(pipe, folder)
    for part, attempt in (("scheduler", _try_scheduler), ("processor", _try_processor), ("text_encoder", _try_encoder)):
        with _refused(folder / part), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numbers that are not finite, which are refused
            attempt(pipe)
    return pipe


def _loaders() -> dict[str, Loader]:
    """Part -> the function that loads it. The classes are those of the stock pipeline, whatever the folder names."""
    from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

    from pxs.editing.processor import Processor

    own = {"local_files_only": True}
    weights = {**own, "use_safetensors": True, "output_loading_info": True}
    return {
        "scheduler": lambda part, _: FlowMatchEulerDiscreteScheduler.from_pretrained(part, **own),
        "vae": lambda part, dtype: AutoencoderKLQwenImage.from_pretrained(part, torch_dtype=dtype, **weights),
        "text_encoder": lambda part, dtype: Qwen2_5_VLForConditionalGeneration.from_pretrained(
            part, dtype=dtype, ignore_mismatched_sizes=True, **weights
        ),
        "tokenizer": lambda part, _: Qwen2Tokenizer.from_pretrained(part, **own),
        "processor": lambda part, _: Processor.from_pretrained(part),
        "transformer": lambda part, dtype: QwenImageTransformer2DModel.from_pretrained(
            part, torch_dtype=dtype, **weights
        ),
    }


def _load(part: str, folder: Path, dtype: torch.dtype) -> Any:
    """One part; raises ModelError unless its weights are exactly those of its files."""
    with _refused(folder), quiet():
        loaded = _loaders()[part](folder, dtype)
    if not isinstance(loaded, tuple):
        return loaded
    model, said = loaded
    if missing := said["missing_keys"]:
        raise ModelError(f"{str(folder)!r} lacks {_few(missing)}: {AGAIN}")
    if unexpected := said["unexpected_keys"]:
        raise ModelError(f"{str(folder)!r} holds more than its configuration, {_few(unexpected)}: {AGAIN}")
    if shapes := said["mismatched_keys"]:
        few = _few(f"{key} {list(found)}, not {list(needed)}" for key, found, needed in shapes)
        raise ModelError(f"{str(folder)!r} holds weights of other shapes ({few}): {AGAIN}")
    return model


def _few(keys: Iterable[str]) -> str:
    """The first three of some keys, and how many more there are."""
    found = sorted(keys)
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


@contextmanager
def _refused(folder: Path) -> Iterator[None]:
    """Whatever foreign code raises about a folder becomes one ModelError."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{str(folder)!r}: {error}") from None
    except Exception as error:  # a damaged folder: the loaders raise many classes of errors
        kind = "" if isinstance(error, OSError | ValueError | RuntimeError) else f"{type(error).__name__}: "
        raise ModelError(f"{str(folder)!r} cannot be loaded ({kind}{one_line(error)}): {AGAIN}") from None


def _check_finite(pipe: QwenImageEditPlusPipeline, folder: Path) -> None:
    """A flipped bit loads silently and blackens every picture: look for it here."""
    for part in WEIGHTS:
        model = getattr(pipe, part)
        for name, weight in model.named_parameters() if model is not None else ():
            if not bool(weight.isfinite().all()):
                raise ModelError(f"{folder / part}: weight {name} is not finite: {AGAIN}")


def _try_scheduler(pipe: QwenImageEditPlusPipeline) -> None:
    """Its noise levels must fall from at most 1 to 0."""
    levels = schedule(pipe.scheduler, 3, TRIED).sigmas.tolist()
    if not (levels[0] <= 1 and all(a > b >= 0 for a, b in pairwise(levels)) and levels[-1] == 0):
        raise ModelError(f"its noise levels do not fall from 1 to 0: {levels}")


def _try_processor(pipe: QwenImageEditPlusPipeline) -> None:
    """A prompt and a picture must become words and patches that the text encoder takes."""
    from pxs.editing.processor import IMAGE_TOKEN

    words, config = pipe.processor.tokenizer, getattr(pipe.text_encoder, "config", None)
    prompt = pipe.prompt_template_encode.format(f"<|vision_start|>{IMAGE_TOKEN}<|vision_end|>Edit")
    told = pipe.processor([prompt], [Image.new("RGB", (TRIED, TRIED), "grey")])
    ids, patches = told["input_ids"][0], told["pixel_values"]
    given, back = (text.replace(IMAGE_TOKEN, "") for text in (prompt, words.decode(ids)))
    if given != back:
        raise ModelError(f"its tokenizer does not give back the words of a prompt: {AGAIN}")
    if not bool(patches.isfinite().all()):
        raise ModelError(f"it makes no finite numbers of a picture: {AGAIN}")
    if config is None:
        return
    image, most = words.convert_tokens_to_ids(IMAGE_TOKEN), config.text_config.vocab_size
    if image != config.image_token_id or int(ids.max()) >= most:
        raise ModelError(f"its tokens are not those of the text encoder: {AGAIN}")
    seen, merged = config.vision_config, pipe.processor.image_processor.merge_size
    values = seen.in_channels * seen.temporal_patch_size * seen.patch_size**2
    if patches.shape[1] != values or merged != seen.spatial_merge_size:
        raise ModelError(f"its patches are not those of the text encoder: {AGAIN}")


def _try_encoder(pipe: QwenImageEditPlusPipeline) -> None:
    """Its positions in time, height and width must share out a head."""
    if pipe.text_encoder is None:
        return
    config = pipe.text_encoder.config.text_config
    sections, head = config.rope_parameters["mrope_section"], config.hidden_size // config.num_attention_heads
    if len(sections) != 3 or 2 * sum(sections) != head:
        raise ModelError(f"its mrope_section {sections} does not fill half a head of {head}: {AGAIN}")


@contextmanager
def quiet() -> Iterator[None]:
    """No loading bars, and no logs of the loaders: what matters of them is raised."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    modules = (diffusers_logging, transformers_logging)
    before = [(module.is_progress_bar_enabled(), module.get_verbosity()) for module in modules]
    for module in modules:
        module.disable_progress_bar()
        module.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        for module, (bars, verbosity) in zip(modules, before, strict=True):
            module.set_verbosity(verbosity)
            if bars:
                module.enable_progress_bar()
