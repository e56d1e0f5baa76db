"""A local server in the place of a service that edits pictures: it answers in the format of each."""

import base64
import io
import json
import threading
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from PIL import Image

KEY = "sk-a-key-that-nobody-may-see"


class Asked(NamedTuple):
    """A request: its path, its headers by lower-case names, and its fields; files of a form are bytes."""

    path: str
    headers: dict
    fields: dict


class Cut(bytes):
    """A body of which the server sends the first half and hangs up."""


class Service:
    """A local server. It gives `answers` in turn and repeats the last; each is a body, or (status, body).

    A body is an object for JSON, or raw bytes. HANG in place of one leaves the client waiting until the server ends.
    `listed` is the status of a request for the list of models.
    """

    HANG = object()

    def __init__(self):
        self.answers, self.requests, self.listed, self.looked = [], [], 200, 0
        self.ended = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                service.looked += 1
                if service.listed is Service.HANG:
                    service.ended.wait()
                else:
                    self.reply(service.listed, {"error": {"message": f"no {KEY}"}} if service.listed >= 400 else {})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.requests.append(Asked(self.path, headers, fields(self.headers, body)))
                answer = service.answers.pop(0) if len(service.answers) > 1 else service.answers[0]
                if answer is Service.HANG:
                    service.ended.wait()
                    return
                self.reply(*(answer if isinstance(answer, tuple) else (200, answer)))

            def reply(self, status, body):
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Retry-After-Ms", "1")
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if isinstance(content, Cut) else content)
                if isinstance(content, Cut):
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


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
