"""A local server in the place of an OpenAI-compatible endpoint."""

import json

from local_server import KEY, Handler, LocalServer


class Endpoint(LocalServer):
    """An endpoint. Each answer is a text, a status, raw bytes, (status, object), or a function of the request that
    gives one of these."""

    def __init__(self):
        super().__init__(_Handler)
        self.keys = []


class _Handler(Handler):
    def do_POST(self):
        self.local.keys.append(self.headers["Authorization"])
        request = json.loads(self.content())
        self.local.requests.append(request)
        answer = self.local.next_answer()
        self.reply(*_response(answer(request) if callable(answer) else answer))


def _response(answer):
    """Status and body."""
    if isinstance(answer, tuple):
        return answer
    return answer if isinstance(answer, int) else 200, answer if isinstance(answer, bytes) else body(answer)


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
