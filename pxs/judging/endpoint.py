"""`EndpointJudge`: a vision-language model behind any OpenAI-compatible endpoint, as an expression judge.

One request per picture asks for all 12 intensities as JSON; a schema fixes its form.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from pxs.errors import JudgeError, one_line
from pxs.expressions import EXPRESSIONS, Mix
from pxs.optional import require
from pxs.storage.files import output_folder
from pxs.storage.provenance import write_json

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
"""A hash of prompt and schema, so that answers to another prompt are not reused."""


class _Unusable(Exception):
    """Raised for an answer that cannot be used; the request is repeated."""


@dataclass(frozen=True)
class Usage:
    """The requests, tokens and cost of an `EndpointJudge` so far.

    `calls` counts answers of the endpoint, including unusable ones; `cached` counts pictures with an answer in the
    cache. `cost` is in the currency of the prices, None without prices. An answer that does not report its tokens
    counts as 0 tokens.
    """

    calls: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None


class EndpointJudge:
    """A vision-language model behind an OpenAI-compatible endpoint. Nothing is sent before `judge` is called.

    `base_url` is the address up to and including "/v1". `key_variable` names the environment variable with the API
    key, None for an endpoint without keys; the key is read in each call of `judge`, and never stored or shown. `cache`
    is a folder for the answers: one small JSON file per picture, model and prompt. A request with a temporary error and
    an answer that is malformed or out of range are repeated up to `retries` times. `timeout` is in seconds per request.
    `prices` are per million input tokens and per million output tokens.

    Raises JudgeError for a `base_url` that is not a web address, and for `retries` below 0.
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
            raise JudgeError(f"base_url {base_url!r} is not a web address: give one such as https://api.openai.com/v1")
        if retries < 0:
            raise JudgeError(f"retries {retries!r} is below 0: give 0 or more")
        self.name = f"{model} {PROMPT_VERSION}"
        self.base_url, self.model, self.key_variable = base_url, model, key_variable
        self.cache = None if cache is None else Path(cache)
        self.retries, self.prices, self.timeout = retries, prices, timeout
        self._usage = Usage(cost=None if prices is None else 0.0)

    @property
    def usage(self) -> Usage:
        """Calls, cached answers, tokens and cost since this judge was created."""
        return self._usage

    def judge(self, images: Sequence[Image.Image]) -> list[Mix]:
        """One mix per image (any mode and size), intensities in [0, 1]; one request per image not in the cache.

        Raises JudgeError if the package openai or the key is missing, if the endpoint refuses or fails, and if its
        answers stay unusable. Raises OutputError, before any request, if the cache folder cannot be written. Answers
        received before an error stay in the cache.
        """
        if self.cache is not None:
            output_folder(self.cache)
        mixes = [self._cached(image) for image in images]
        missing = [i for i, mix in enumerate(mixes) if mix is None]
        self._count(cached=len(images) - len(missing))
        if missing:
            key = self._key()
            with self._client(key) as client:
                for i in missing:
                    mixes[i] = self._ask(client, key, images[i], f"picture {i}")
        return [mix for mix in mixes if mix is not None]

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

    def _ask(self, client: Any, key: str, image: Image.Image, name: str) -> Mix:
        """The mix of one picture from the endpoint, written to the cache."""
        reason = ""
        for _ in range(self.retries + 1):
            try:
                mix = _mix(self._request(client, key, image, name))
            except _Unusable as error:
                reason = _without(key, error)
            else:
                self._store(image, mix)
                return mix
        tries = f"{self.retries + 1} tries" if self.retries else "1 try"
        raise JudgeError(f"{name}: no usable answer from {self.model!r} in {tries} ({reason}): try another model")

    def _request(self, client: Any, key: str, image: Image.Image, name: str) -> str:
        """The text of one answer. Raises _Unusable if there is no text, JudgeError if the request fails."""
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
                f"{name}: the endpoint {self.base_url} failed ({_without(key, error)}): check base_url, model and key"
            ) from None
        except ValueError:
            raise _Unusable("the response is not JSON") from None
        self._count_answer(getattr(completion, "usage", None))
        try:
            return str(completion.choices[0].message.content or "")
        except (AttributeError, IndexError, TypeError):
            raise _Unusable("the answer has no message") from None

    def _count_answer(self, tokens: Any) -> None:
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

    def _cached(self, image: Image.Image) -> Mix | None:
        file = self._cache_file(image)
        if file is None:
            return None
        try:
            return _mix(json.dumps(json.loads(file.read_text())["intensities"]))
        except (OSError, ValueError, KeyError, TypeError, _Unusable):
            return None

    def _store(self, image: Image.Image, mix: Mix) -> None:
        file = self._cache_file(image)
        if file is not None:
            intensities = dict(zip(EXPRESSIONS, mix.vector(), strict=True))
            write_json(file, {"model": self.model, "prompt": PROMPT_VERSION, "intensities": intensities})


def _content(image: Image.Image) -> list[dict[str, Any]]:
    """The content of the user message: the picture as a PNG data URL, then the prompt."""
    png = io.BytesIO()
    image.convert("RGB").save(png, format="PNG")
    url = "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()
    return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": PROMPT}]


def _mix(text: str) -> Mix:
    """The mix in an answer. Raises _Unusable unless it is JSON with the 12 expressions as numbers in [0, 1]."""
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
    """The message of an error on one line; the key, which an endpoint may repeat, is replaced by asterisks."""
    return one_line(ValueError(str(error).replace(key, "***") or type(error).__name__))
