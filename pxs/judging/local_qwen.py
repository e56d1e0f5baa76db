"""`LocalQwenJudge`: a local Qwen2.5-VL as an expression judge, such as the text encoder of the loaded model.

One closed question per expression. The answer is read from the probabilities of the ten digits, not parsed from text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from pxs.errors import JudgeError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.judging.each import judge_each

if TYPE_CHECKING:
    from pxs.editing.editor import Editor

QUESTION = (
    "How strongly does the face in this picture show the expression {expression!r}? 0 is not at all, 9 is as strongly "
    "as this face could show it. Answer with one digit from 0 to 9."
)
CHAT = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n<|vision_start|>{picture}<|vision_end|>{question}<|im_end|>\n<|im_start|>assistant\n"
)
IMAGE_TOKEN = "<|image_pad|>"
MAX_AREA = 512 * 512  # in pixels; larger pictures are resized to this area before the processor


class LocalQwenJudge:
    """A local Qwen2.5-VL, such as the text encoder of Qwen-Image-Edit, which needs no further download.

    The model answers one closed question per expression with a digit. The intensity is the expected digit, under the
    probabilities of the ten digits as next token, divided by 9. This is deterministic.

    `model` is a Qwen2_5_VLForConditionalGeneration; `processor` has its `image_processor` and `tokenizer`; `batch` is
    the number of questions per forward pass. The text encoder of `mini` works here too, but its weights are random, so
    its answers have no meaning. The text encoder of an editor also conditions the edits: this judge cannot see errors
    that both share, so confirm its results with another judge.

    Raises JudgeError if the model has no language head, `batch` is below 1, or a digit is not one token.
    """

    role = "score"

    def __init__(self, model: Any, processor: Any, batch: int = len(EXPRESSIONS), name: str = "local-qwen") -> None:
        if getattr(model, "lm_head", None) is None:
            raise JudgeError(f"{type(model).__name__} has no language head: give a Qwen2_5_VLForConditionalGeneration")
        if batch < 1:
            raise JudgeError(f"a batch of {batch!r} questions is too small: give 1 or more")
        self.model, self.processor, self.batch, self.name = model, processor, batch, name
        self.digits = torch.tensor(_digit_tokens(processor.tokenizer))

    @classmethod
    def from_editor(cls, editor: Editor, batch: int = len(EXPRESSIONS)) -> LocalQwenJudge:
        """The judge from the text encoder and processor of an editor. Raises JudgeError if they are not loaded."""
        fingerprint = editor.checkpoint.fingerprint
        pipe: Any = editor.pipe
        if pipe.text_encoder is None or pipe.processor is None:
            raise JudgeError("the editor was loaded without its text encoder: load the whole model")
        return cls(pipe.text_encoder, pipe.processor, batch, f"local-qwen {fingerprint[:8]}")

    @torch.inference_mode()
    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix per image (any mode and size), intensities in [0, 1]. Raises UnjudgedError for NaN answers."""
        return judge_each(lambda i, image: Mix.from_vector(self._intensities(image, f"picture {i}")), images)

    def _intensities(self, image: Image.Image, name: str) -> list[float]:
        """The 12 intensities in one image, in the order of EXPRESSIONS."""
        inputs = self.processor.image_processor(images=[_resized(image)], return_tensors="pt").to(self.model.device)
        grid = inputs["image_grid_thw"]
        encoded = self.model.get_image_features(inputs["pixel_values"], grid)
        features = encoded.pooler_output[0]
        chats = [CHAT.format(picture=IMAGE_TOKEN * len(features), question=_question(e)) for e in EXPRESSIONS]
        logits = []
        for start in range(0, len(chats), self.batch):
            part = chats[start : start + self.batch]
            encoded.pooler_output = (features,) * len(part)
            logits.append(self._next_token(part, grid.repeat(len(part), 1), encoded)[:, self.digits])
        probabilities = torch.cat(logits).float().softmax(dim=1).cpu()
        if not bool(probabilities.isfinite().all()):
            raise JudgeError(f"{name}: the answer of the model is not finite: load it in bfloat16 or float32")
        intensities: list[float] = (probabilities @ torch.linspace(0, 1, 10)).clamp(0, 1).tolist()
        return intensities

    def _next_token(self, chats: list[str], grid: Tensor, encoded: Any) -> Tensor:
        """Logits (B, V) of the token after each of B chats about one image, given its encoding once per chat."""
        tokens = self.processor.tokenizer(chats, padding=True, return_tensors="pt").to(self.model.device)
        ids, mask = tokens["input_ids"], tokens["attention_mask"]
        last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1, keepdim=True)
        answer = self.model(
            input_ids=ids,
            attention_mask=mask,
            image_grid_thw=grid,
            mm_token_type_ids=(ids == self.model.config.image_token_id).int(),
            mm_encoder_outputs={"image": encoded},
            logits_to_keep=last,
            use_cache=False,
        )
        logits: Tensor = answer.logits[:, 0]
        return logits


def _question(expression: str) -> str:
    return QUESTION.format(expression=expression)


def _digit_tokens(tokenizer: Any) -> list[int]:
    """The token ids of "0" to "9". Raises JudgeError unless each digit is one token, different from the others."""
    ids = [tokenizer.encode(str(digit), add_special_tokens=False) for digit in range(10)]
    wrong = [digit for digit, tokens in enumerate(ids) if len(tokens) != 1]
    if wrong:
        raise JudgeError(f"the digit {wrong[0]} is not one token of this tokenizer: give the tokenizer of Qwen2.5-VL")
    if len({tokens[0] for tokens in ids}) < 10:
        raise JudgeError("this tokenizer has one token for several digits: give the tokenizer of Qwen2.5-VL")
    return [tokens[0] for tokens in ids]


def _resized(image: Image.Image) -> Image.Image:
    """The image in RGB, resized to MAX_AREA pixels if it has more."""
    factor = math.sqrt(MAX_AREA / (image.width * image.height))
    if factor >= 1:
        return image.convert("RGB")
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
