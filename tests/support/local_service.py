"""A local server in the place of a service that edits pictures: it answers in the format of each."""

import base64
import io
import json
from email import message_from_bytes
from email.policy import HTTP
from typing import NamedTuple

from local_server import KEY, Handler, LocalServer
from PIL import Image


class Asked(NamedTuple):
    """A request: its path, its headers by lower-case names, and its fields; files of a form are bytes."""

    path: str
    headers: dict
    fields: dict


class Service(LocalServer):
    """A service in place of a remote one. Each answer is a body, or (status, body).

    A body is an object for JSON, or raw bytes. HANG in place of one leaves the client waiting until the server ends.
    `listed` is the status of a request for the list of models.
    """

    HANG = object()

    def __init__(self):
        super().__init__(_Handler)
        self.listed, self.looked = 200, 0


class _Handler(Handler):
    def do_GET(self):
        service = self.local
        service.looked += 1
        if service.listed is Service.HANG:
            service.ended.wait()
        else:
            self.reply(service.listed, {"error": {"message": f"no {KEY}"}} if service.listed >= 400 else {})

    def do_POST(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.local.requests.append(Asked(self.path, headers, fields(self.headers, self.content())))
        answer = self.local.next_answer()
        if answer is Service.HANG:
            self.local.ended.wait()
        else:
            self.reply(*(answer if isinstance(answer, tuple) else (200, answer)))


def fields(headers, body):
    """The fields of a request, of JSON or of a form with files."""
    kind = headers["Content-Type"]
    if kind.startswith("application/json"):
        return json.loads(body)
    form = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=HTTP)
    found = {}
    for part in form.iter_parts():
        content = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        found[name] = content if part.get_filename() else content.decode()
    return found


def picture_file(colour="blue", size=(40, 40), kind="PNG"):
    """A picture as the content of a file."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, format=kind)
    return file.getvalue()


def coded(content):
    return base64.b64encode(content).decode()


def gemini(content=None, finish="STOP", text=None):
    """An answer of generateContent."""
    parts = [{"text": text}] if text else []
    parts += [{"inlineData": {"mimeType": "image/png", "data": coded(content)}}] if content is not None else []
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish}]}


def openai(content=None):
    """An answer of the images of OpenAI and of Ark."""
    return {"created": 1, "data": [] if content is None else [{"b64_json": coded(content)}]}


ANSWER = {"nano_banana_pro": gemini, "gpt_image": openai, "seedream": openai}
"""Name of a method -> from the content of a picture file to an answer in the format of its service."""
