"""Judges, their endpoints, and people who must not be in two places: each ends before anything is edited or sent."""

from __future__ import annotations

import json
from pathlib import Path

from bad_input import Case
from PIL import Image
from PIL.PngImagePlugin import PngInfo

BENCH = ("bench", "--methods", "source", "--tasks", "1", "--out", "out")
BLEND = ("blend", "--image-path", "face.png", "--out", "out")
ENDPOINT = ("--expression-judge", "endpoint")
URL = "http://127.0.0.1:9/v1"
NO_SECRET = "has a name, a password or a query in it"
NO_ADDRESS = "is not a web address"


def person(number: int, name: str = "source.png") -> PngInfo:
    """The text chunks of a picture of this person."""
    text = PngInfo()
    text.add_text("identity", str(number))
    return text


def training(number: int, target: bool = False):
    """Makes a training set of one row, whose source (or first target) shows this person."""

    def make(folder: Path) -> None:
        for i, name in enumerate(("source", "fear", "surprised")):
            shown = number if (i == 1) == target and i < 2 else 50_000
            Image.new("RGB", (32, 32), (i, 0, 0)).save(folder / f"{name}.png", pnginfo=person(shown))
        dst = [{"image": f"{e}.png", "category": e, "scores": {e: 0.5}} for e in ("fear", "surprised")]
        (folder / "train.jsonl").write_text(json.dumps({"src": {"image": "source.png"}, "dst": dst}) + "\n")

    return make


def adapter_of(people: str):
    """Makes a task of person 7, and an adapter with this note on the people of its training."""

    def make(folder: Path) -> None:
        task = {"image": "face.png", "expression": "happy", "box": [0, 0, 9, 9], "identity": 7}
        (folder / "tasks.jsonl").write_text(json.dumps(task) + "\n")
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter.safetensors").write_bytes(b"")
        (folder / "adapter" / "people.json").write_text(people)

    return make


TRAIN = ("train", "--data", "train.jsonl", "--out", "out", "--steps", "1")
TRAINED = ("bench", "--methods", "pixelsmile", "--bench", "tasks.jsonl", "--out", "out", "--lora-path")


def at(url: str, says: str, name: str, command: tuple[str, ...] = BENCH) -> Case:
    return Case(name, (*command, *ENDPOINT, "--judge-model", "seer", f"--judge-url={url}"), says)


CASES: list[Case] = [
    at("http://me:secret@127.0.0.1:9/v1", NO_SECRET, "password in the address"),
    at("https://secret@127.0.0.1:9/v1", NO_SECRET, "name in the address"),
    at("http://127.0.0.1:9/v1?api-key=secret", NO_SECRET, "key in the query"),
    at("http://127.0.0.1:9/v1#secret", NO_SECRET, "fragment"),
    at("http://me:secret%40127.0.0.1:9/v1", NO_SECRET, "escaped password"),
    at("http://me:secret@[::1/v1", NO_SECRET, "password in a broken address"),
    at("http://me:secret@127.0.0.1:9/v1", NO_SECRET, "blend, password in the address", BLEND),
    at("http://127.0.0.1:9/v1?api-key=secret", NO_SECRET, "blend, key in the query", BLEND),
    at("127.0.0.1:9/v1", NO_ADDRESS, "no scheme"),
    at("ftp://127.0.0.1/v1", NO_ADDRESS, "another scheme"),
    at("http:///v1", NO_ADDRESS, "no host"),
    at("http://127.0.0.1:port/v1", NO_ADDRESS, "a word for a port"),
    at("http://127.0.0.1:99999/v1", NO_ADDRESS, "a port that is too large"),
    at("http://exa mple/v1", NO_ADDRESS, "a space in the address"),
    at("http://127.0.0.1:9/v1\nx", NO_ADDRESS, "a new line in the address"),
    at("http://[::1/v1", NO_ADDRESS, "an open bracket"),
    at("x" * 5000, NO_ADDRESS, "a very long address"),
    at("file:///etc/passwd", NO_ADDRESS, "blend, a file for an address", BLEND),
    at("", "--judge-url and --judge-model", "an empty address"),
    at(URL, "set the environment variable OPENAI_API_KEY", "no key"),
    at(URL, "set the environment variable OPENAI_API_KEY", "blend, no key", BLEND),
    Case("no model", (*BENCH, *ENDPOINT, "--judge-url", URL), "--judge-url and --judge-model"),
    Case("no address", (*BENCH, *ENDPOINT, "--judge-model", "seer"), "--judge-url and --judge-model"),
    Case("neither, blend", (*BLEND, *ENDPOINT), "--judge-url and --judge-model"),
    Case("blank model", (*BENCH, *ENDPOINT, "--judge-url", URL, "--judge-model", "  "), "is no name"),
    Case("model of two lines", (*BENCH, *ENDPOINT, "--judge-url", URL, "--judge-model", "a\nb"), "is no name"),
    Case("address for another judge", (*BENCH, "--judge-url", URL), "are for --expression-judge endpoint"),
    Case("model for another judge", (*BENCH, "--judge-model", "seer"), "are for --expression-judge endpoint"),
    Case("blend, address for another judge", (*BLEND, "--judge-url", URL), "are for --expression-judge endpoint"),
    Case("mistyped flag with a password", (*BENCH, "--judge-uri", "http://me:secret@h/v1"), "http://***@h/v1"),
    Case("unknown expression judge", (*BENCH, "--expression-judge", "oracle"), "unknown expression judge 'oracle'"),
    Case("empty expression judge", (*BENCH, "--expression-judge", ""), "unknown expression judge ''"),
    Case("unknown identity judge", (*BENCH, "--identity-judge", "mother"), "unknown identity judge 'mother'"),
    Case("blend, unknown judge", (*BLEND, "--expression-judge", "oracle"), "unknown expression judge 'oracle'"),
    Case("blend, unknown identity judge", (*BLEND, "--identity-judge", ""), "unknown identity judge ''"),
    Case("training on a person of the benchmark", TRAIN, "person 300004 (1 in all) is kept", training(300_004)),
    Case("training on a held-out person", TRAIN, "is kept for testing (held_out)", training(200_000)),
    Case("target of a person of the benchmark", TRAIN, "person 399999", training(399_999, target=True)),
    Case("bench of trained people", (*TRAINED, "adapter"), "is in the training set", adapter_of('{"people": [7]}')),
    Case("the same by file", (*TRAINED, "adapter/adapter.safetensors=1"), "person 7", adapter_of('{"people": [7]}')),
    Case("a broken note on people", (*TRAINED, "adapter"), "people.json' cannot be read", adapter_of("{")),
    Case("a note on people that is a list", (*TRAINED, "adapter"), "cannot be read", adapter_of("[7]")),
    Case("a note on people that is a number", (*TRAINED, "adapter"), "cannot be read", adapter_of('{"people": 7}')),
]
