"""`EndpointJudge`: a vision-language model behind any OpenAI-compatible endpoint, as an expression judge.

One request per picture asks for all 12 intensities as JSON; a schema fixes its form.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from pxs import endpoints
from pxs.endpoints import OF_A_PICTURE, checked_name, key_in, open_client, without_key
from pxs.errors import JudgeError, JudgeSetupError
from pxs.judging.answers import (
    EndpointError,
    RefusedError,
    UnusableError,
    body_of,
    refuse_filtered,
    text_of,
    tokens_of,
)
from pxs.judging.each import judge_each
from pxs.judging.rubric import RUBRIC, Asked, Rubric, rubric
from pxs.optional import require
from pxs.quantities import WORKERS
from pxs.storage.files import check_output_folder
from pxs.storage.provenance import write_json

COMPLAINTS = {
    "temperature": ("temperature",),
    "response_format": ("response_format", "json_schema", "json schema", "structured output", "grammar"),
}
"""Words by which endpoints say that they do not take an option."""
REPEATS = 2  # how often an unusable answer is requested again
PATIENCE = 20  # pictures in a row without an answer, after which the judge gives up; a task has 13


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

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", cost {self.cost:.4f}"
        tokens = f"{self.input_tokens:,} tokens in, {self.output_tokens:,} out"
        return f"{self.calls} answers of the endpoint, {self.cached} from the cache, {tokens}{cost}"


class EndpointJudge:
    """A vision-language model behind an OpenAI-compatible endpoint. Nothing is sent before `judge` is called.

    `base_url` is the address up to and including "/v1", without password and query: a key belongs into the environment
    variable `key_variable`, None for an endpoint without keys. It is read in each call of `judge`, and never stored or
    shown. `cache` is a folder for the answers: one small JSON file per picture, model and prompt; without it, answers
    are kept in memory. Requests with a temporary error or a rate limit are repeated up to `retries` times, unusable
    answers up to REPEATS times, refusals never. An endpoint that rejects the temperature 0 or the schema is asked
    without it from then on. `timeout` is in seconds per request. `prices` are per million input tokens and per million
    output tokens. `parallel` requests are under way at once.

    Raises JudgeSetupError for an address, a model's name or a number that cannot be used.
    """

    role = "score"

    def __init__(
        self,
        base_url: str,
        model: str,
        key_variable: str | None = "OPENAI_API_KEY",
        cache: str | Path | None = None,
        retries: int = 4,
        prices: tuple[float, float] | None = None,
        timeout: float = 120,
        parallel: int = 1,
        rubric: Rubric = RUBRIC,
    ) -> None:
        self.base_url = checked_address(base_url)
        checked_name(model, JudgeSetupError)
        if retries < 0:
            raise JudgeSetupError(f"retries {retries!r} is below 0: give 0 or more")
        self.name, self.rubric = f"{model} {rubric.version}", rubric
        self.model, self.key_variable = model, key_variable
        self.cache = None if cache is None else Path(cache)
        self.retries, self.prices, self.timeout, self.parallel = retries, prices, timeout, WORKERS(parallel)
        self.rejected: set[str] = set()  # the parts of a request that the endpoint does not take
        self._known: dict[str, Any] = {}
        self._lock = Lock()
        self._failed_in_a_row = 0
        self._usage = Usage(cost=None if prices is None else 0.0)

    def in_order(self, order: Sequence[str]) -> EndpointJudge:
        """The same model, asked with the expressions in another order."""
        return self.asked(rubric(order))

    def asked(self, rubric: Rubric) -> EndpointJudge:
        """The same model, asked another question, whose answers `judge` then gives."""
        more = (self.key_variable, self.cache, self.retries, self.prices, self.timeout, self.parallel)
        return EndpointJudge(self.base_url, self.model, *more, rubric=rubric)

    @property
    def usage(self) -> Usage:
        """Calls, cached answers, tokens and cost since this judge was created."""
        return self._usage

    def check(self) -> None:
        """Raise JudgeSetupError if the package openai or the key is missing; nothing is sent."""
        with self._client(self._key()):
            pass

    def judge(self, images: Sequence[Asked]) -> list[Any]:
        """One mix per image (any mode and size), intensities in [0, 1]; one request per picture without an answer.

        With another rubric: one answer each to its question, which may also be about words, one text each.

        Raises JudgeSetupError if the package openai or the key is missing, if the endpoint fails, and if it answers for
        none of PATIENCE pictures in a row; UnjudgedError, once all are tried, if it refuses some pictures or gives them
        no usable answer. Raises OutputError, before any request, if the cache folder cannot be written. Answers
        received before an error stay in the cache.
        """
        if self.cache is not None:
            check_output_folder(self.cache)
        names = [self._digest(image) for image in images]
        self._count(cached=sum(self._recall(name) is not None for name in names))
        if all(name in self._known for name in names):
            return [self._known[name] for name in names]
        key = self._key()
        with self._client(key) as client:
            failed = self._together(client, key, images, names) if self.parallel > 1 else {}
            return judge_each(
                lambda i, image: self._answer(client, key, image, names[i], _label(i, image), failed), images
            )

    def lacking(self, images: Sequence[Asked]) -> int:
        """How many requests `judge` would send for these images, if each is answered at once; sends nothing."""
        names = {self._digest(image) for image in images}
        return sum(self._recall(name) is None for name in names)

    def _together(self, client: Any, key: str, images: Sequence[Asked], names: Sequence[str]) -> dict[str, JudgeError]:
        """Ask for pictures without an answer in parallel, each once; why some have none, by name.

        The first one alone, as long as the endpoint has not answered at all: what is wrong with it is wrong with all.
        So that an endpoint that refuses all is given up as early as by `judge`, none is asked beyond PATIENCE failures.
        """
        waiting = [(n, i) for i, n in enumerate(names) if names.index(n) == i and self._recall(n) is None]
        failed: dict[str, JudgeError] = {}

        def ask(name: str, i: int) -> None:
            try:
                self._keep(name, self._ask(client, key, images[i], _label(i, images[i])))
            except JudgeSetupError:
                raise
            except JudgeError as error:
                failed[name] = error

        while waiting and len(failed) < PATIENCE:
            several = self.parallel if self._known else 1
            with ThreadPoolExecutor(several) as pool:
                list(pool.map(lambda one: ask(*one), waiting[:several]))
            del waiting[:several]
        return failed

    def _key(self) -> str:
        return "no-key-is-needed" if self.key_variable is None else key_in(self.key_variable, JudgeSetupError)

    def _client(self, key: str) -> Any:
        return open_client(self.base_url, key, self.retries, self.timeout, "judges", JudgeSetupError)

    def _answer(
        self, client: Any, key: str, image: Asked, name: str, label: str, failed: Mapping[str, JudgeError]
    ) -> Any:
        """The answer about one picture, known or from the endpoint, and then kept; `failed`: those asked in vain."""
        known = self._recall(name)
        if known is not None:
            return known
        try:
            if name in failed:
                raise failed[name]
            said = self._ask(client, key, image, label)
        except JudgeSetupError:
            raise
        except JudgeError as error:
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= PATIENCE:
                raise JudgeSetupError(f"{error}; as did {PATIENCE - 1} pictures before it: try another model") from None
            raise
        self._failed_in_a_row = 0
        self._keep(name, said)
        return said

    def _ask(self, client: Any, key: str, image: Asked, label: str) -> Any:
        """The answer about one picture from the endpoint."""
        reason: Exception = UnusableError()
        tries = 1 + min(self.retries, REPEATS)
        for _ in range(tries):
            try:
                body = body_of(self._request(client, key, image, label))
                self._count_answer(body.get("usage"))
                return self.rubric.read(text_of(body))
            except UnusableError as error:
                reason = error
            except RefusedError as error:
                raise RefusedError(f"{label}: {without_key(key, error)}: judge it by another model") from None
        many = f"{tries} tries" if tries > 1 else "1 try"
        said = f"{label}: no usable answer from {self.model!r} in {many} ({without_key(key, reason)})"
        if isinstance(reason, EndpointError) and not self._known:
            raise JudgeSetupError(f"{said}: check base_url and model")
        raise JudgeError(f"{said}: try another model")

    def _request(self, client: Any, key: str, image: Asked, label: str) -> str:
        """The body of one response; what the endpoint rejects is left out of the request, now and later."""
        openai = require("openai", "judges", JudgeSetupError)
        content = _content(image, self.rubric.prompt)
        while True:
            options = {name: value for name, value in _options(self.rubric).items() if name not in self.rejected}
            try:
                response = client.chat.completions.with_raw_response.create(
                    model=self.model, messages=[{"role": "user", "content": content}], **options
                )
                return str(response.http_response.text)
            except openai.APIStatusError as error:
                rejected = _rejected(error) & set(options)
                if not rejected:
                    refuse_filtered(error.body or str(error))
                    raise self._failure(error, key, label) from None
                self.rejected = self.rejected | rejected  # another thread may be reading it
            except Exception as error:  # of the connection, of its encodings
                raise self._failure(error, key, label) from None

    def _failure(self, error: Any, key: str, label: str) -> JudgeError:
        """What a failed request means: a fault of this picture, or an endpoint that fails."""
        said = f"{label}: the endpoint {self.base_url} failed ({without_key(key, error)})"
        if getattr(error, "status_code", None) in OF_A_PICTURE and self._known:
            return JudgeError(f"{said}: check the picture")
        return JudgeSetupError(f"{said}: check base_url, model and key")

    def _count_answer(self, usage: Any) -> None:
        used = [tokens_of(usage, name) for name in ("prompt_tokens", "completion_tokens")]
        self._count(calls=1, input_tokens=used[0], output_tokens=used[1])

    def _count(self, **more: int) -> None:
        with self._lock:
            counted = replace(self._usage, **{name: getattr(self._usage, name) + n for name, n in more.items()})
            if self.prices is not None:
                tokens = counted.input_tokens, counted.output_tokens
                counted = replace(counted, cost=sum(p * n for p, n in zip(self.prices, tokens, strict=True)) / 1e6)
            self._usage = counted

    def _digest(self, image: Asked) -> str:
        """What an answer depends on, as a hash."""
        if isinstance(image, str):
            size, content = "words", image.encode()
        else:
            size, content = f"{image.size}", image.convert("RGB").tobytes()
        return hashlib.sha256(f"{size} {self.model} {self.rubric.version} ".encode() + content).hexdigest()

    def _recall(self, name: str) -> Any:
        """The answer of this name in memory or in the cache."""
        if name not in self._known and self.cache is not None:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, JudgeError, UnusableError):
                content = json.loads((self.cache / f"{name}.json").read_text())
                self._known[name] = self.rubric.read(json.dumps(content["intensities"]))
        return self._known.get(name)

    def _keep(self, name: str, said: Any) -> None:
        self._known[name] = said
        if self.cache is not None:
            intensities = self.rubric.written(said)
            content = {"model": self.model, "prompt": self.rubric.version, "without": sorted(self.rejected)}
            write_json(self.cache / f"{name}.json", {**content, "intensities": intensities})


def _label(number: int, image: Asked) -> str:
    """What messages call the thing that is asked about."""
    return f"{'text' if isinstance(image, str) else 'picture'} {number}"


def checked_address(url: str) -> str:
    """The address of an endpoint, without a final "/chat/completions". Raises JudgeSetupError, see endpoints.py."""
    sound = endpoints.checked_address(url, "the judge's", "https://api.openai.com/v1", JudgeSetupError)
    return sound.removesuffix("/chat/completions")


def _options(rubric: Rubric) -> dict[str, Any]:
    """What a request asks for beside its content."""
    form = {"name": "expressions", "strict": True, "schema": rubric.schema}
    return {"temperature": 0, "response_format": {"type": "json_schema", "json_schema": form}}


def _content(image: Asked, prompt: str) -> list[dict[str, Any]]:
    """The content of the user message: the picture as a PNG data URL, then the prompt; or prompt and words."""
    if isinstance(image, str):
        return [{"type": "text", "text": f"{prompt}\n{image}"}]
    png = io.BytesIO()
    image.convert("RGB").save(png, format="PNG")
    url = "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()
    return [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]


def _rejected(error: Any) -> set[str]:
    """The options of a request that an error status complains of."""
    said = f"{error} {error.body}".lower()
    return {name for name, words in COMPLAINTS.items() if error.status_code < 500 and any(w in said for w in words)}
