"""The article's protocol, its costs, outside judges and what they looked at: each ends before anything is edited."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bad_input import Case

from pxs.judging.weights import WEIGHTS

BENCH = ("bench", "--methods", "source", "--tasks", "1", "--out", "out")
PAPER = (*BENCH, "--protocol", "paper", "--identity-judge", "mini")
ENDPOINT = ("--expression-judge", "endpoint", "--judge-url", "http://127.0.0.1:9/v1", "--judge-model", "seer")
ADAPTER = ("bench", "--methods", "pixelsmile", "--tasks", "1", "--out", "out", "--lora-path", "adapter")
OWN = hashlib.sha256((WEIGHTS / "identity.safetensors").read_bytes()).hexdigest()[:8]


def looked_at(note: str):
    """Makes an adapter with this note on the encoders of its training."""

    def make(folder: Path) -> None:
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter.safetensors").write_bytes(b"")
        (folder / "adapter" / "encoders.json").write_text(note)

    return make


def no_model(folder: Path) -> None:
    """Makes a folder that is no checkpoint."""
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text('{"model_type": "a-new-one"}')


CASES: list[Case] = [
    Case("unknown protocol", (*BENCH, "--protocol", "articles"), "invalid choice: 'articles'"),
    Case("alpha-max without its protocol", (*BENCH, "--alpha-max", "3"), "--alpha-max is for --protocol paper"),
    Case("alpha-max 0", (*PAPER, "--alpha-max", "0"), "alpha_max 0 is too small"),
    Case("alpha-max nan", (*PAPER, "--alpha-max", "nan"), "alpha_max"),
    Case("alpha-max without an end", (*PAPER, "--alpha-max", "inf"), "alpha_max"),
    Case("alpha-max a word", (*PAPER, "--alpha-max", "most"), "'most' is not a number"),
    Case("prices of one", (*BENCH, *ENDPOINT, "--judge-prices", "3"), "expected 2 arguments"),
    Case("price below 0", (*BENCH, *ENDPOINT, "--judge-prices", "-1", "2"), "judge-prices -1 is too small"),
    Case("price a word", (*BENCH, *ENDPOINT, "--judge-prices", "1", "free"), "'free' is not a number"),
    Case("prices of a judge that is free", (*BENCH, "--judge-prices", "1", "2"), "are for --expression-judge endpoint"),
    Case("no request at once", (*BENCH, *ENDPOINT, "--judge-parallel", "0"), "judge-parallel 0 is too small"),
    Case("half a request at once", (*BENCH, *ENDPOINT, "--judge-parallel", "1.5"), "'1.5' is not a whole number"),
    Case("estimate of a judge that is free", (*BENCH, "--estimate"), "--estimate is for --expression-judge endpoint"),
    Case("estimate without a key", (*BENCH, *ENDPOINT, "--estimate"), "set the environment variable OPENAI_API_KEY"),
    Case("a recogniser twice", (*BENCH, "--identity-judge", "mini", "mini"), "names 'mini' twice"),
    Case("an unknown recogniser beside a known one", (*BENCH, "--identity-judge", "mini", "me"), "judge 'me'"),
    Case("arcface without its package", (*BENCH, "--identity-judge", "arcface"), 'pip install "pxs[faces]"'),
    Case("facenet without its package or weights", (*BENCH, "--identity-judge", "facenet"), "facenet"),
    Case("vlm without a model", (*BENCH, "--expression-judge", "vlm"), "give --judge-model"),
    Case(
        "vlm of no model",
        (*BENCH, "--expression-judge", "vlm", "--judge-model", "model"),
        "is no vision-language model that is on disk",
        no_model,
    ),
    Case(
        "vlm of nowhere",
        (*BENCH, "--expression-judge", "vlm", "--judge-model", "nowhere"),
        "is no vision-language model that is on disk",
    ),
    Case("card of an unknown judge", ("judges", "fer", "nobody"), "unknown judge 'nobody'"),
    Case("a judge that the training looked at", ADAPTER, "choose another", looked_at(json.dumps({"encoders": [OWN]}))),
    Case("a broken note on encoders", ADAPTER, "encoders.json' cannot be read", looked_at("{")),
    Case("a note on encoders that is a list", ADAPTER, "encoders.json' cannot be read", looked_at("[1]")),
]
