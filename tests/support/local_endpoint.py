"""A local server in the place of an OpenAI-compatible endpoint."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-a-key-that-nobody-may-see"


class Endpoint:
    """A local server. It gives `answers` in turn and repeats the last.

    Each is a text, a status, raw bytes, (status, object), or a function of the request that gives one of these.
    """

    def __init__(self):
        self.answers, self.requests, self.keys = [], [], []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                endpoint.keys.append(self.headers["Authorization"])
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.requests.append(request)
                answers = endpoint.answers
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                self.reply(answer(request) if callable(answer) else answer)

            def reply(self, answer):
                status, content = answer if isinstance(answer, tuple) else (200, body(answer))
                if isinstance(answer, int):
                    status = answer
                content = answer if isinstance(answer, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def body(answer):
    """The response of an OpenAI-compatible endpoint: a text as the answer, or for a status an error with the key."""
    if isinstance(answer, int):
        return {"error": {"message": f"refused for {KEY}", "type": "test"}}
    message = {"role": "assistant", "content": answer}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "seer",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
    }
