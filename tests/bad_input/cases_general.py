"""General editors: models that are not there, keys that are missing or refused, services that fail or hang."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from bad_input import Case

URL = "http://127.0.0.1:9/v1"
HERE = "127.83.71.3"  # of this machine alone, as all of 127.x
HANGS, REFUSES = 47101, 47102


def bench(method: str, *more: str) -> tuple[str, ...]:
    return ("bench", "--methods", method, "--tasks", "1", "--out", "out", *more)


def key(folder: Path) -> None:
    """Puts a key into the environment."""
    os.environ["OPENAI_API_KEY"] = "sk-secret"


def no_key(folder: Path) -> None:
    os.environ.pop("OPENAI_API_KEY", None)


def odd_key(folder: Path) -> None:
    os.environ["OPENAI_API_KEY"] = "sk-\u00e9\u00e8"


def listening(port: int) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HERE, port))
    server.listen()
    return server


OPEN: list[socket.socket] = []  # servers, for as long as the process that runs a case


def hanging(folder: Path) -> None:
    """A service that takes connections and never answers."""
    key(folder)
    OPEN.append(listening(HANGS))


def refusing(folder: Path) -> None:
    """A service that refuses the key, and repeats it."""
    key(folder)
    server = listening(REFUSES)
    OPEN.append(server)

    def answer() -> None:
        body = json.dumps({"error": {"message": "Incorrect API key provided: sk-secret"}})
        while True:
            client, _ = server.accept()
            with client:
                client.recv(2**16)
                head = f"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
                client.sendall(f"{head}\r\nConnection: close\r\n\r\n{body}".encode())

    threading.Thread(target=answer, daemon=True).start()


def index(**entries: object) -> Callable[[Path], None]:
    """Makes a folder `model` with this model_index.json."""

    def make(folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "model_index.json").write_text(json.dumps(entries))

    return make


def broken(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "model_index.json").write_text("{")


KLEIN = ("flux2_klein", "--editors", "flux2_klein=model")
SOUND = index(_class_name="Flux2KleinPipeline", is_distilled=True)

CASES = [
    Case("an unknown general editor", bench("nano_banana"), "unknown method 'nano_banana'"),
    *(
        Case(f"{name}, which is not downloaded", bench(name), f"run 'pxs download --model {model}' first")
        for name, model in {
            "qwen_edit": "Qwen/Qwen-Image-Edit-2511",
            "flux2_klein": "black-forest-labs/FLUX.2-klein-4B",
            "longcat_edit": "meituan-longcat/LongCat-Image-Edit",
            "joyimage_edit": "jdopensource/JoyAI-Image-Edit-Diffusers",
            "qwen_image_21": "Qwen/Qwen-Image-2.1",
        }.items()
    ),
    Case("an editor of a folder that is missing", bench(*KLEIN), "no model 'model': give a folder"),
    Case("an editor of a broken folder", bench(*KLEIN), "model_index.json is", broken),
    Case(
        "an editor of another kind",
        bench(*KLEIN),
        "has _class_name 'StableDiffusionPipeline'",
        index(_class_name="StableDiffusionPipeline"),
    ),
    Case(
        "an editor that is not distilled",
        bench(*KLEIN),
        "has is_distilled False",
        index(_class_name="Flux2KleinPipeline"),
    ),
    Case("an editor of a file", bench("qwen_edit", "--editors", "qwen_edit=face.png"), "no model 'face.png'"),
    Case(
        "no key for the only editor",
        bench("gpt_image"),
        "no method can run: gpt_image: no key: set OPENAI_API_KEY",
        no_key,
    ),
    Case(
        "a key with letters that no key has",
        bench("gpt_image", "--editor-urls", f"gpt_image={URL}"),
        "has signs that no key has",
        odd_key,
    ),
    Case(
        "a key that is refused",
        bench("gpt_image", "--editor-urls", f"gpt_image=http://{HERE}:{REFUSES}/v1"),
        "provided: ***",
        refusing,
    ),
    Case(
        "a service that hangs",
        bench("gpt_image", "--editor-urls", f"gpt_image=http://{HERE}:{HANGS}/v1", "--editor-timeout", "0.2"),
        "failed (Request timed out.)",
        hanging,
    ),
    Case(
        "a service that is not there",
        bench("gpt_image", "--editor-urls", f"gpt_image={URL}"),
        "failed (Connection error.)",
        key,
    ),
    Case(
        "a password in a service's address",
        bench("gpt_image", "--editor-urls", "gpt_image=http://me:secret@h/v1"),
        "has a name, a password or a query in it",
        key,
    ),
    Case(
        "a service's address without a scheme",
        bench("gpt_image", "--editor-urls", "gpt_image=h:1/v1"),
        "is not a web address",
        key,
    ),
    Case("an address for a local editor", bench("qwen_edit", "--editor-urls", f"qwen_edit={URL}"), "is not NAME=URL"),
    Case("an editor's model without a name", bench("gpt_image", "--editors", "gpt-image-2"), "is not NAME=MODEL"),
    Case("a blank model of a service", bench("gpt_image", "--editors", "gpt_image= "), "is no name", key),
    Case("a price without a name", bench("gpt_image", "--editor-prices", "0.1"), "is not NAME=PRICE"),
    Case("a price below 0", bench("gpt_image", "--editor-prices", "gpt_image=-1"), "editor-prices -1 is too small"),
    Case(
        "a price in words",
        bench("gpt_image", "--editor-prices", "gpt_image=cheap"),
        "editor-prices 'cheap' is not a number",
    ),
    Case("no time for a service", bench("gpt_image", "--editor-timeout", "0"), "editor-timeout 0 is too small"),
    Case("no steps of an editor", bench("qwen_edit", "--editor-steps", "0"), "editor-steps 0 is too small"),
    Case("an estimate of what costs nothing", bench("qwen_edit", "--estimate"), "costs nothing"),
]
