"""Reading the answers of an OpenAI-compatible endpoint: from the body of a response to a `Mix`, or why there is none.

A sound answer is one JSON object with the 12 expressions, each a number in [0, 1]. It is found in a code fence, after
prose, after thoughts (`<think>` or `reasoning_content`), behind a byte order mark, in content parts, and in an object
around it. What has no such object is told apart: refused, filtered, cut short, empty, an error body, or nonsense.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pxs.errors import JudgeError, one_line
from pxs.expressions import EXPRESSIONS, Mix

LONGEST = 20_000  # characters of an answer that are searched, from its end
ROUNDING = 1e-6  # how far outside [0, 1] a number may lie

THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
APOLOGY = re.compile(
    r"\W*(i['’]?m sorry|sorry|i apologi[sz]e|unfortunately|as an ai|"
    r"i (can['’]?t|cannot|can not|won['’]?t|will not|must decline|am (not able|unable|sorry)))\b",
    re.IGNORECASE,
)
FILTERS = (
    "content_filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "content management policy",
    "moderation_blocked",
    "safety system",
    "sensitivecontentdetected",
)
"""Words in the errors of content filters: of OpenAI, Azure and Ark."""


class UnusableError(Exception):
    """Raised for an answer that cannot be used, but another try may give one that can."""


class EndpointError(UnusableError):
    """Raised for a response that is an error in place of an answer."""


class RefusedError(JudgeError):
    """Raised when the model refuses to judge a picture, or a filter withholds the picture or the answer."""


def body_of(text: str) -> dict[str, Any]:
    """The body of a response as an object.

    Raises EndpointError for one that is no JSON object or an error, RefusedError for an error of a content filter.
    """
    try:
        body = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        raise EndpointError(f"the response {_quoted(text)} is not JSON") from None
    if not isinstance(body, dict):
        raise EndpointError(f"the response {_quoted(text)} is not an object")
    if body.get("error"):
        refuse_filtered(body["error"])
        raise EndpointError(f"the response is an error: {error_text(body['error'])}")
    return body


def text_of(body: Mapping[str, Any]) -> str:
    """The text of the answer in a body.

    Raises RefusedError for a refusal or a filter, UnusableError for an answer without a message or one that was cut.
    """
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise UnusableError("the answer has no message")
    return _content(message, str(choice.get("finish_reason")))


def _content(message: Mapping[str, Any], finish: str) -> str:
    """The text of a message."""
    if message.get("refusal"):
        raise RefusedError(f"the model refused: {_quoted(str(message['refusal']))}")
    text = _text(message.get("content"))
    if finish == "content_filter":
        raise RefusedError("a content filter withheld the answer")
    if not text.strip():
        text = _text(message.get("reasoning_content") or message.get("reasoning"))
    if finish == "length" and not list(_objects(text)):
        raise UnusableError(f"the answer {_quoted(text)} was cut short at the model's limit of tokens")
    return text


def _text(content: Any) -> str:
    """The text of a content that is a text, a list of parts, or nothing."""
    if isinstance(content, list):
        parts = [p for p in content if isinstance(p, dict) and p.get("type") in ("text", "output_text", None)]
        return "".join(_text(part.get("text")) for part in parts)
    return content if isinstance(content, str) else ""


def mix_of(text: str) -> Mix:
    """The mix in the text of an answer. Raises UnusableError unless its numbers are in [0, 1], and as `object_of`."""
    return Mix({name: _unit(name, value) for name, value in object_of(text, EXPRESSIONS, "12 expressions").items()})


def object_of(text: str, keys: Collection[str], what: str) -> dict[str, Any]:
    """The JSON object in the text of an answer that has exactly these keys; of several, the last one.

    what: the keys, for messages. Raises UnusableError if there is none, RefusedError for an apology.
    """
    spoken = THOUGHTS.sub("", text).strip("\ufeff \n\r\t") or text
    if not spoken.strip():
        raise UnusableError("the answer is empty")
    found = list(_objects(spoken))
    whole = [one for one in found if set(one) == set(keys)]
    if not whole and found:
        raise UnusableError(f"the answer {_quoted(text)} does not have the {what} as keys")
    if not whole and APOLOGY.match(spoken):
        raise RefusedError(f"the model refused: {_quoted(spoken)}")
    if not whole:
        raise UnusableError(f"the answer {_quoted(text)} has no JSON object")
    return whole[-1]


def _unit(name: str, value: Any) -> float:
    sound = isinstance(value, int | float) and not isinstance(value, bool)
    if not sound or not -ROUNDING <= value <= 1 + ROUNDING:
        raise UnusableError(f"{name} is {str(value)[:40]!r}, not a number from 0 to 1")
    return min(1.0, max(0.0, float(value)))


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, also those inside others, in the order of their first brackets."""
    text = text[-LONGEST:]
    decoder = json.JSONDecoder()
    for place in re.finditer(r"\{", text):
        try:
            yield decoder.raw_decode(text, place.start())[0]
        except (ValueError, RecursionError):
            continue


def refuse_filtered(error: Any) -> None:
    """Raise RefusedError if the error of a response says that a content filter withheld picture or answer."""
    said = json.dumps(error, default=str).lower()
    if any(word in said for word in FILTERS):
        raise RefusedError(f"a content filter withheld the answer ({error_text(error)})")


def error_text(error: Any) -> str:
    """The message of an error body with its code, on one line."""
    if not isinstance(error, Mapping):
        return one_line(ValueError(str(error)))
    message, code = error.get("message") or "no message", error.get("code") or error.get("type")
    return one_line(ValueError(f"{message} ({code})" if code else str(message)))


def tokens_of(usage: Any, name: str) -> int:
    """A count of tokens in a reported usage; 0 for what is no sensible count."""
    value = usage.get(name) if isinstance(usage, Mapping) else None
    sound = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 10**12
    return int(value) if sound and value is not None else 0


def _quoted(text: str) -> str:
    return repr(text[:60])
