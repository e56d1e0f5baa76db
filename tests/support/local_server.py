"""A local HTTP server that gives the answers of a test in turn, and repeats the last."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-a-key-that-nobody-may-see"


class Cut(bytes):
    """A body of which the server sends the first half and hangs up."""


class LocalServer:
    """A server that runs while its block does, at `url`; `handler` is a class made from Handler."""

    def __init__(self, handler):
        self.answers, self.requests = [], []
        self.ended = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.local = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def next_answer(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request; `local` is the LocalServer."""

    @property
    def local(self):
        return self.server.local

    def content(self):
        """The body of the request."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def reply(self, status, body):
        """Answer with an object as JSON, or with bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After-Ms", "1")
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if isinstance(content, Cut) else content)

    def log_message(self, *_):
        pass
