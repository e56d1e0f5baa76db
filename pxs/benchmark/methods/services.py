"""Remote services that edit a picture by an instruction: what is sent to each, and where its picture is.

All three are asked through the client of openai. That is the official client of GPT-Image, and Ark, which has Seedream,
documents it for its own images. Google's client brings eight further packages, a compiled one among them, for one
request; so its documented REST format is spoken here instead.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pxs.benchmark.methods.general import Size
from pxs.errors import ServiceSetupError
from pxs.judging.answers import RefusedError, UnusableError, error_text, refuse_filtered
from pxs.optional import require

PNG = "image/png"
GEMINI_RATIOS = ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (4, 5), (5, 4), (9, 16), (16, 9), (21, 9))
GPT_SIZES = ((1024, 1024), (1024, 1536), (1536, 1024))
SEEDREAM_AREA = 2048 * 2048  # pixels; it takes 3.7 to 16.8 million
WIDEST = 16  # of Seedream: the longer side to the shorter
FINISHED = ("STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED", "None", "OTHER")
"""Reasons by which Gemini ends an answer that are no refusal."""


@dataclass(frozen=True)
class Request:
    """One picture to ask for: the model's id, the instruction, a PNG file, the aspect or size that was chosen, and
    `Service.headers`."""

    model: str
    text: str
    png: bytes
    size: Size
    headers: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Service:
    """A service: the name that people know, the default id of its model, its address, and the variable of its key.

    send: from a client, a request and the settings to the response's body. picture: from that body, as an object, to a
    picture file; raises RefusedError or UnusableError. frame: from a picture's size to the aspect or size to ask for.
    settings: from the model's id to what is asked for beside; a picture depends on it. headers: from the key to the
    headers of a request that the client does not know of.
    """

    title: str
    model: str
    url: str
    key: str
    send: Callable[[Any, Request, Mapping[str, Any]], str]
    picture: Callable[[Mapping[str, Any]], bytes]
    frame: Callable[[Size], Size]
    settings: Callable[[str], dict[str, Any]]
    headers: Callable[[str], dict[str, Any]] = field(default=lambda key: {})


def _send_gemini(client: Any, request: Request, settings: Mapping[str, Any]) -> str:
    """generateContent, by REST."""
    image = {"inlineData": {"mimeType": PNG, "data": base64.b64encode(request.png).decode()}}
    config = {"aspectRatio": "{}:{}".format(*request.size), **settings}
    body = {
        "contents": [{"role": "user", "parts": [{"text": request.text}, image]}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": config},
    }
    path, options = f"/models/{request.model}:generateContent", {"headers": request.headers}
    return str(client.post(path, body=body, cast_to=str, options=options))


def _send_gpt(client: Any, request: Request, settings: Mapping[str, Any]) -> str:
    response = client.images.with_raw_response.edit(
        model=request.model,
        image=("picture.png", request.png, PNG),
        prompt=request.text,
        size="{}x{}".format(*request.size),
        **settings,
    )
    return str(response.http_response.text)


def _send_seedream(client: Any, request: Request, settings: Mapping[str, Any]) -> str:
    """Ark edits by the address that generates; the picture travels in the body."""
    image = f"data:{PNG};base64,{base64.b64encode(request.png).decode()}"
    response = client.images.with_raw_response.generate(
        model=request.model,
        prompt=request.text,
        size="{}x{}".format(*request.size),
        response_format="b64_json",
        extra_body={"image": image, **settings},
    )
    return str(response.http_response.text)


def _gemini_picture(body: Mapping[str, Any]) -> bytes:
    """The first picture of the first candidate; an answer in words alone is a refusal."""
    blocked = _entry(body, "promptFeedback", "blockReason")
    if blocked:
        raise RefusedError(f"a content filter withheld the picture ({blocked})")
    candidate = _entry(body, "candidates", 0)
    reason, parts = str(_entry(candidate, "finishReason")), _entry(candidate, "content", "parts")
    parts = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    for part in parts:
        data = _entry(part, "inlineData", "data")
        if data and not part.get("thought"):
            return _decoded(data)
    if reason not in FINISHED:
        raise RefusedError(f"a content filter withheld the picture ({reason})")
    said = " ".join(str(part.get("text") or "") for part in parts).strip()
    if said:
        raise RefusedError(f"the model answered in words ({said[:60]!r})")
    raise UnusableError("the answer has no picture")


def _openai_picture(body: Mapping[str, Any]) -> bytes:
    """The one picture in "data"; an entry of Ark may hold an error instead."""
    entry = _entry(body, "data", 0)
    problem = _entry(entry, "error")
    if problem:
        refuse_filtered(problem)
        raise UnusableError(f"the answer is an error: {error_text(problem)}")
    data = _entry(entry, "b64_json")
    if not data:
        raise UnusableError("the answer has no picture")
    return _decoded(data)


def _entry(value: Any, *path: str | int) -> Any:
    """What lies at a path of keys and indices; None where it ends before."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _decoded(data: Any) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise UnusableError("the picture in the answer is no base64") from None


def _nearest(size: Size, among: tuple[Size, ...]) -> Size:
    """The one of several sizes or ratios whose aspect is nearest."""
    return min(among, key=lambda one: abs(math.log(size[0] / size[1] * one[1] / one[0])))


def _seedream_size(size: Size) -> Size:
    """The aspect of a picture at SEEDREAM_AREA, in even sides."""
    aspect = min(WIDEST, max(1 / WIDEST, size[0] / size[1]))
    height = math.sqrt(SEEDREAM_AREA / aspect)
    return 2 * round(height * aspect / 2), 2 * round(height / 2)


def _gpt_settings(model: str) -> dict[str, Any]:
    """GPT-Image-1.5 keeps faces only where it is asked to; later models always do, and reject the question."""
    fidelity = {"input_fidelity": "high"} if model.startswith("gpt-image-1.5") else {}
    return {"quality": "high", "output_format": "png", "n": 1, **fidelity}


def _google_headers(key: str) -> dict[str, Any]:
    """Google's own header, instead of the one that the client sends."""
    openai = require("openai", "remote", ServiceSetupError)
    return {"x-goog-api-key": key, "Authorization": openai.omit}


SERVICES = {
    "nano_banana_pro": Service(
        "Nano Banana Pro",
        "gemini-3-pro-image",
        "https://generativelanguage.googleapis.com/v1beta",
        "GEMINI_API_KEY",
        _send_gemini,
        _gemini_picture,
        lambda size: _nearest(size, GEMINI_RATIOS),
        lambda model: {"imageSize": "1K"},
        _google_headers,
    ),
    "gpt_image": Service(
        "GPT-Image",
        "gpt-image-1.5",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        _send_gpt,
        _openai_picture,
        lambda size: _nearest(size, GPT_SIZES),
        _gpt_settings,
    ),
    "seedream": Service(
        "Seedream",
        "doubao-seedream-4-5-251128",
        "https://ark.cn-beijing.volces.com/api/v3",
        "ARK_API_KEY",
        _send_seedream,
        _openai_picture,
        _seedream_size,
        lambda model: {"watermark": False, "sequential_image_generation": "disabled"},
    ),
}
"""Name of a method -> its service. The models are those of the article, by the ids that they have now; a run can name
others."""
