"""Vision-language models as expression judges: any OpenAI-compatible endpoint, or the Qwen2.5-VL of the base model.

`EndpointJudge` asks for all 12 intensities at once, as JSON that a schema pins down. `LocalQwenJudge` asks one closed
question an expression and reads the answer off the probabilities of the ten digits, so that there is nothing to parse.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from pxs.errors import JudgeError, one_line
from pxs.expressions import EXPRESSIONS, Mix
from pxs.optional import require
from pxs.storage.files import output_folder
from pxs.storage.provenance import write_json

if TYPE_CHECKING:
    from pxs.editing.editor import Editor

PROMPT = (
    "Rate the expression of the face in this picture. For each of the 12 expressions below give its intensity as a "
    "number from 0 to 1: 0 is absent, 0.25 a trace, 0.5 clearly there, 0.75 strong, 1 as strong as this face could "
    "show it. Several can be present together; for a neutral face all are near 0. Judge what the face shows, not what "
    "the scene suggests. Answer with one JSON object that has exactly these keys: " + ", ".join(EXPRESSIONS) + "."
)
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "number", "minimum": 0, "maximum": 1} for name in EXPRESSIONS},
    "required": list(EXPRESSIONS),
    "additionalProperties": False,
}
PROMPT_VERSION = hashlib.sha256(json.dumps([PROMPT, SCHEMA]).encode()).hexdigest()[:8]
"""Changes with every change of the prompt or of the schema: answers to another question are never reused."""


class _Unusable(Exception):
    """An answer that cannot be used; asking again may help."""


@dataclass(frozen=True)
class Usage:
    """What an `EndpointJudge` has used so far.

    `calls` counts answers of the endpoint, unusable ones too, `cached` pictures whose answer lay in the cache. `cost`
    is in the currency of the prices, None without prices. Answers that do not tell their tokens add none.
    """

    calls: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None


class EndpointJudge:
    """A vision-language model behind an OpenAI-compatible endpoint. Nothing is sent before `judge` is called.

    `base_url` is the address up to "/v1"; `key_variable` names the environment variable that holds the API key, None
    if the endpoint needs none: the key is read for each call of `judge`, and neither stored nor shown. `cache` is a
    folder for the answers, one small JSON file a picture, model and prompt. A request that fails in passing, and an
    answer that is malformed or out of range, is tried again up to `retries` times; `timeout` is that of a request, in
    seconds. `prices` are those of a million input and of a million output tokens.

    Raises JudgeError for a `base_url` that is no web address, and for `retries` below 0.
    """

    role = "score"

    def __init__(
        self,
        base_url: str,
        model: str,
        key_variable: str | None = "OPENAI_API_KEY",
        cache: str | Path | None = None,
        retries: int = 2,
        prices: tuple[float, float] | None = None,
        timeout: float = 120,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise JudgeError(f"base_url {base_url!r} is no web address: give one such as https://api.openai.com/v1")
        if retries < 0:
            raise JudgeError(f"retries {retries!r} is below 0: give 0 or more")
        self.name = f"{model} {PROMPT_VERSION}"
        self.base_url, self.model, self.key_variable = base_url, model, key_variable
        self.cache = None if cache is None else Path(cache)
        self.retries, self.prices, self.timeout = retries, prices, timeout
        self._usage = Usage(cost=None if prices is None else 0.0)

    @property
    def usage(self) -> Usage:
        """Calls, cached answers, tokens and cost since this judge was made."""
        return self._usage

    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix an image (RGB, any size), intensities in [0, 1]; one request for each that is not in the cache.

        Raises JudgeError if the package openai or the key is missing, if the endpoint refuses or fails, and if its
        answers stay unusable; OutputError, before anything is sent, if the cache folder cannot be written. Answers
        that came before an error stay in the cache.
        """
        if self.cache is not None:
            output_folder(self.cache)
        found = [self._look_up(image) for image in images]
        missing = [i for i, mix in enumerate(found) if mix is None]
        self._count(cached=len(images) - len(missing))
        if missing:
            key = self._key()
            with self._client(key) as client:
                for i in missing:
                    found[i] = self._ask(client, key, images[i], f"picture {i}")
        return [mix for mix in found if mix is not None]

    def _key(self) -> str:
        if self.key_variable is None:
            return "none"
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise JudgeError(f"no API key: set the environment variable {self.key_variable}")
        return key

    def _client(self, key: str) -> Any:
        openai = require("openai", "judges")
        try:
            return openai.OpenAI(base_url=self.base_url, api_key=key, max_retries=self.retries, timeout=self.timeout)
        except Exception as error:
            raise JudgeError(f"{self.base_url!r} cannot be used ({_without(key, error)}): check base_url") from None

    def _ask(self, client: Any, key: str, image: Image.Image, what: str) -> Mix:
        """One picture's mix from the endpoint, written to the cache."""
        reason = ""
        for _ in range(self.retries + 1):
            try:
                mix = _mix(self._request(client, key, image, what))
            except _Unusable as error:
                reason = _without(key, error)
            else:
                self._remember(image, mix)
                return mix
        tries = f"{self.retries + 1} tries" if self.retries else "1 try"
        raise JudgeError(f"{what}: no usable answer from {self.model!r} in {tries} ({reason}): try another model")

    def _request(self, client: Any, key: str, image: Image.Image, what: str) -> str:
        """The text of one answer; raises _Unusable if there is none, JudgeError if the request fails for good."""
        openai = require("openai", "judges")
        try:
            completion = client.chat.completions.create(
                model=self.model,
                temperature=0,
                messages=[{"role": "user", "content": _content(image)}],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "expressions", "strict": True, "schema": SCHEMA},
                },
            )
        except openai.OpenAIError as error:
            raise JudgeError(
                f"{what}: the endpoint {self.base_url} failed ({_without(key, error)}): check base_url, model and key"
            ) from None
        except ValueError:
            raise _Unusable("the response is not JSON") from None
        self._count_call(getattr(completion, "usage", None))
        try:
            return str(completion.choices[0].message.content or "")
        except (AttributeError, IndexError, TypeError):
            raise _Unusable("the answer has no message") from None

    def _count_call(self, tokens: Any) -> None:
        used = [int(getattr(tokens, name, None) or 0) for name in ("prompt_tokens", "completion_tokens")]
        self._count(calls=1, input_tokens=used[0], output_tokens=used[1])

    def _count(self, **more: int) -> None:
        counted = replace(self._usage, **{name: getattr(self._usage, name) + n for name, n in more.items()})
        if self.prices is not None:
            tokens = counted.input_tokens, counted.output_tokens
            counted = replace(counted, cost=sum(p * n for p, n in zip(self.prices, tokens, strict=True)) / 1e6)
        self._usage = counted

    def _cache_file(self, image: Image.Image) -> Path | None:
        if self.cache is None:
            return None
        picture = image.convert("RGB")
        digest = hashlib.sha256(f"{picture.size} {self.model} {PROMPT_VERSION} ".encode() + picture.tobytes())
        return self.cache / f"{digest.hexdigest()}.json"

    def _look_up(self, image: Image.Image) -> Mix | None:
        file = self._cache_file(image)
        if file is None:
            return None
        try:
            return _mix(json.dumps(json.loads(file.read_text())["intensities"]))
        except (OSError, ValueError, KeyError, TypeError, _Unusable):
            return None

    def _remember(self, image: Image.Image, mix: Mix) -> None:
        file = self._cache_file(image)
        if file is not None:
            intensities = dict(zip(EXPRESSIONS, mix.vector(), strict=True))
            write_json(file, {"model": self.model, "prompt": PROMPT_VERSION, "intensities": intensities})


def _content(image: Image.Image) -> list[dict[str, Any]]:
    """A user message: the picture as a PNG data URL, then the prompt."""
    png = io.BytesIO()
    image.convert("RGB").save(png, format="PNG")
    url = "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()
    return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": PROMPT}]


def _mix(text: str) -> Mix:
    """The mix in an answer; raises _Unusable unless it is JSON with the 12 expressions as numbers in [0, 1]."""
    if not text.strip():
        raise _Unusable("the answer is empty")
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        raise _Unusable(f"the answer {text[:60]!r} is not JSON") from None
    if not isinstance(answer, dict) or set(answer) != set(EXPRESSIONS):
        raise _Unusable(f"the answer {text[:60]!r} does not have the 12 expressions as keys")
    for name, value in answer.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise _Unusable(f"{name} is {str(value)[:40]!r}, not a number from 0 to 1")
    return Mix(answer)


def _without(key: str, error: BaseException) -> str:
    """What an error says, on one line, with the key blotted out should the endpoint have echoed it."""
    return one_line(ValueError(str(error).replace(key, "***") or type(error).__name__))


QUESTION = (
    "How strongly does the face in this picture show the expression {expression!r}? 0 is not at all, 9 is as strongly "
    "as this face could show it. Answer with one digit from 0 to 9."
)
CHAT = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n<|vision_start|>{picture}<|vision_end|>{question}<|im_end|>\n<|im_start|>assistant\n"
)
IMAGE_TOKEN = "<|image_pad|>"
AREA = 512 * 512  # pixels above which pictures are scaled down before the processor sees them


class LocalQwenJudge:
    """A local Qwen2.5-VL, such as the text encoder of Qwen-Image-Edit, which needs no further download.

    One closed question an expression, answered with a digit; the intensity is the expected digit under the
    probabilities of the ten digits as the next token, over 9. That is deterministic, and nothing is parsed.

    `model` is a Qwen2_5_VLForConditionalGeneration, `processor` anything with its `image_processor` and `tokenizer`;
    `batch` questions go through the model together. The text encoder of `mini` runs through this path too, but its
    weights are random and its answers mean nothing. The text encoder of an editor also conditions its edits: what both
    are blind to, this judge cannot see, so let another judge confirm what it finds.

    Raises JudgeError if the model has no language head, or a digit is not one token of its own.
    """

    role = "score"

    def __init__(self, model: Any, processor: Any, batch: int = len(EXPRESSIONS), name: str = "local-qwen") -> None:
        if getattr(model, "lm_head", None) is None:
            raise JudgeError(f"{type(model).__name__} has no language head: give a Qwen2_5_VLForConditionalGeneration")
        if batch < 1:
            raise JudgeError(f"a batch of {batch!r} questions is not possible: give 1 or more")
        self.model, self.processor, self.batch, self.name = model, processor, batch, name
        self.digits = torch.tensor(_digit_tokens(processor.tokenizer))

    @classmethod
    def from_editor(cls, editor: Editor, batch: int = len(EXPRESSIONS)) -> LocalQwenJudge:
        """The judge in a loaded editor: its pipeline's text encoder and processor. Raises JudgeError if it has none."""
        pipe, fingerprint = editor.pipe, editor.checkpoint.fingerprint
        if pipe.text_encoder is None or pipe.processor is None:
            raise JudgeError("the editor was loaded without its text encoder: load the whole model")
        return cls(pipe.text_encoder, pipe.processor, batch, f"local-qwen {fingerprint[:8]}")

    @torch.inference_mode()
    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix an image (RGB, any size), intensities in [0, 1]; raises JudgeError if the model's answer is NaN."""
        return [Mix.from_vector(self._intensities(image, f"picture {i}")) for i, image in enumerate(images)]

    def _intensities(self, image: Image.Image, what: str) -> list[float]:
        """The 12 intensities in one image, in the order of EXPRESSIONS."""
        patches = self.processor.image_processor(images=[_shrunk(image)], return_tensors="pt").to(self.model.device)
        grid = patches["image_grid_thw"]
        seen = self.model.get_image_features(patches["pixel_values"], grid)
        tokens = seen.pooler_output[0]
        chats = [CHAT.format(picture=IMAGE_TOKEN * len(tokens), question=_question(e)) for e in EXPRESSIONS]
        logits = []
        for start in range(0, len(chats), self.batch):
            part = chats[start : start + self.batch]
            seen.pooler_output = (tokens,) * len(part)
            logits.append(self._next_token(part, grid.repeat(len(part), 1), seen)[:, self.digits])
        chances = torch.cat(logits).float().softmax(dim=1).cpu()
        if not bool(chances.isfinite().all()):
            raise JudgeError(f"{what}: the model's answer is not finite: load it in bfloat16 or float32")
        return (chances @ torch.linspace(0, 1, 10)).clamp(0, 1).tolist()

    def _next_token(self, chats: list[str], grid: Tensor, seen: Any) -> Tensor:
        """Logits (B, V) of the token that follows each chat, given the features of the image that all are about."""
        tokens = self.processor.tokenizer(chats, padding=True, return_tensors="pt").to(self.model.device)
        ids, mask = tokens["input_ids"], tokens["attention_mask"]
        last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1, keepdim=True)
        answer = self.model(
            input_ids=ids,
            attention_mask=mask,
            image_grid_thw=grid,
            mm_token_type_ids=(ids == self.model.config.image_token_id).int(),
            mm_encoder_outputs={"image": seen},
            logits_to_keep=last,
            use_cache=False,
        )
        return answer.logits[:, 0]


def _question(expression: str) -> str:
    return QUESTION.format(expression=expression)


def _digit_tokens(tokenizer: Any) -> list[int]:
    """The token ids of "0" to "9"; raises JudgeError unless each digit is one token, different from the others."""
    ids = [tokenizer.encode(str(digit), add_special_tokens=False) for digit in range(10)]
    longer = [digit for digit, tokens in enumerate(ids) if len(tokens) != 1]
    if longer:
        raise JudgeError(f"the digit {longer[0]} is not one token of this tokenizer: give the tokenizer of Qwen2.5-VL")
    if len({tokens[0] for tokens in ids}) < 10:
        raise JudgeError("this tokenizer does not tell the ten digits apart: give the tokenizer of Qwen2.5-VL")
    return [tokens[0] for tokens in ids]


def _shrunk(image: Image.Image) -> Image.Image:
    """The image in RGB, scaled down to AREA pixels if it has more."""
    factor = math.sqrt(AREA / (image.width * image.height))
    if factor >= 1:
        return image.convert("RGB")
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
