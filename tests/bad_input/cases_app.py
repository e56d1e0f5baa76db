"""The page: addresses that cannot be had, what is not a token, limits, and models that are not there."""

import socket

from bad_input import Case

TAKEN = socket.socket()  # each process that reads this file has its own
TAKEN.bind(("127.0.0.1", 0))
TAKEN.listen()
PORT = str(TAKEN.getsockname()[1])


def taken(folder):
    """The port is taken for as long as this function is there, which keeps the socket."""
    assert TAKEN.fileno() >= 0


def app(*more):
    return "app", "--no-browser", "--port", "0", *more


CASES = [
    Case(
        "an app at a port that is taken", app("--port", PORT), "cannot be listened on (Address already in use)", taken
    ),
    Case("an app at a port beyond all", app("--port", "65536"), "port 65536 is too large"),
    Case("an app at a negative port", app("--port=-1"), "port -1 is too small"),
    Case("an app at a port in words", app("--port", "http"), "port 'http' is not a whole number"),
    Case("an app at a port with a line end", app("--port", "80\n80"), "is not a whole number"),
    Case("an app at another machine", app("--host", "192.0.2.1"), "'192.0.2.1', port 0 cannot be listened on"),
    Case("an app at a host that is none", app("--host", "no.such.host.invalid"), "cannot be listened on"),
    Case("an app at a host with a line end", app("--host", "a\nb"), "cannot be listened on"),
    Case("an app at a host that is very long", app("--host", "x" * 5000), "cannot be listened on"),
    Case("an app at an empty host", app("--host", ""), "it is empty"),
    Case("a short token", app("--token", "secret"), "'secret' is not a token: give 16 to 128"),
    Case("an empty token", app("--token", ""), "'' is not a token"),
    Case("a token with a blank", app("--token", "a token of many words"), "is not a token"),
    Case("a token with a mark of addresses", app("--token", "0123456789abcdef/../x"), "is not a token"),
    Case("a token with a line end", app("--token", "0123456789abcdef\n"), "is not a token"),
    Case("a very long token", app("--token", "x" * 129), "is not a token"),
    Case("an upload limit of nothing", app("--upload-limit", "0"), "upload limit 0 is too small"),
    Case("an upload limit beyond all", app("--upload-limit", "1e9"), "upload limit 1000000000 is too large"),
    Case("an upload limit in words", app("--upload-limit", "20MB"), "'20MB' is not a number"),
    Case("a pixel limit beyond all", app("--pixel-limit", "51"), "pixel limit 51 is too large"),
    Case("an app with a model that is not there", app("--model-path", "no/such/model"), "no/such/model"),
    Case("an app with a folder without a model", app("--model-path", "."), "model_index.json is missing"),
    Case("an app with an adapter that is not there", app("--lora-path", "no.safetensors"), "no adapter"),
    Case("an app with an unknown memory mode", app("--memory", "int4"), "'int4'"),
    Case("a word too many for app", app("face.png"), "unrecognized arguments: face.png"),
]
