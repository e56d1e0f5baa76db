"""A local server that answers as a vision-language model would, from the truth and with known faults.

It speaks the format of an OpenAI-compatible endpoint, so the judge `endpoint` asks it as it would ask a real model. The
faults are those that annotators and models show: noise, scores that bleed into the confusable expression, swapped
pairs, a leaning towards the expressions that are named first, and refusals. Equal questions get equal answers.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

from pxs.expressions import CONFUSABLE, EXPRESSIONS, Mix
from pxs.images import picture_hash

PARTNER = {a: b for pair in CONFUSABLE for a, b in (pair, pair[::-1])}


@dataclass(frozen=True)
class Faults:
    """What is wrong with the answers. noise: standard deviation of each score. bleed: the share of an expression's
    score that is added to its confusable partner's. swapped: share of pictures whose confusable scores are exchanged.
    leaning: is added to the expression that is named first and taken off the last one, linearly between. refused: share
    of pictures without an answer."""

    noise: float = 0.08
    bleed: float = 0.3
    swapped: float = 0.06
    leaning: float = 0.08
    refused: float = 0.02


def answer(truth: Mix, picture: str, order: list[str], faults: Faults) -> dict[str, float] | None:
    """The 12 scores of a picture (by its hash) in the order that was asked for; None for a refusal."""
    of_picture = np.random.default_rng(_seed(picture))
    of_question = np.random.default_rng(_seed(picture, *order))
    if of_picture.random() < faults.refused:
        return None
    values = {name: truth[name] for name in EXPRESSIONS}
    if of_picture.random() < faults.swapped:
        values |= {name: values[other] for name, other in PARTNER.items()}
    seen = {name: value + faults.bleed * values.get(PARTNER.get(name, ""), 0.0) for name, value in values.items()}
    scores = {}
    for place, name in enumerate(order):
        tilt = faults.leaning * (1 - 2 * place / (len(order) - 1))
        shown = seen[name] + of_question.normal(0, faults.noise) + tilt
        scores[name] = round(float(np.clip(shown if seen[name] > 0 else shown / 2, 0, 1)), 2)
    return scores


def _seed(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256(" ".join(parts).encode()).digest()[:8], "big")


class SimulatedVlm:
    """The server, as a context: `with SimulatedVlm(truths) as vlm: EndpointJudge(vlm.url, "simulated", None)`.

    truths: the mix of each picture, by its `picture_hash`; a picture that is not among them is refused.
    """

    def __init__(self, truths: Mapping[str, Mix], faults: Faults = Faults()) -> None:
        self.truths, self.faults = dict(truths), faults
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                content = json.dumps(owner.respond(request)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def respond(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The body of the response to a request."""
        picture, _ = request["messages"][0]["content"]
        data = picture["image_url"]["url"].partition("base64,")[2]
        name = picture_hash(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        order = request["response_format"]["json_schema"]["schema"]["required"]
        scores = answer(self.truths[name], name, order, self.faults) if name in self.truths else None
        said = "I'm sorry, I cannot judge this face." if scores is None else json.dumps(scores)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        return {"id": "1", "object": "chat.completion", "created": 0, "model": "simulated", "choices": [choice]}

    def __enter__(self) -> SimulatedVlm:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
