"""The page: ports that cannot be had, hosts that are not here, models that are not there, and what is not a token."""

import socket

from bad_input import Case

TAKEN = 47_813
_held = []


def take_port(folder):
    """Listen on the port TAKEN until the case ends, unless somebody does already."""
    try:
        _held.append(socket.create_server(("127.0.0.1", TAKEN)))
    except OSError:
        return


def app(*more):
    return "app", "--no-browser", *more


CASES = [
    Case("a port that is taken", app("--port", str(TAKEN)), f"port {TAKEN} of '127.0.0.1' cannot be used", take_port),
    Case("port 0", app("--port", "0"), "port 0 is too small: give 1 to 65535"),
    Case("a port beyond all", app("--port", "65536"), "port 65536 is too large"),
    Case("a negative port", app("--port=-1"), "port -1 is too small"),
    Case("a port in words", app("--port", "http"), "port 'http' is not a whole number"),
    Case("a port with a line end", app("--port", "80\n80"), "is not a whole number"),
    Case("a host of another machine", app("--port", "47814", "--host", "192.0.2.1"), "'192.0.2.1' cannot be used"),
    Case("a host that is none", app("--port", "47814", "--host", "no host"), "'no host' is not a host"),
    Case("a host with a line end", app("--host", "a\nb"), "is not a host"),
    Case("a host that is very long", app("--host", "x" * 5000), "is not a host"),
    Case("an empty host", app("--host", ""), "'' is not a host"),
    Case("a short token", app("--token", "secret"), "'secret' is not a token: give 16 to 128"),
    Case("an empty token", app("--token", ""), "'' is not a token"),
    Case("a token with a blank", app("--token", "a token of many words"), "is not a token"),
    Case("a token with a mark of addresses", app("--token", "0123456789abcdef&x=1"), "is not a token"),
    Case("a token with a line end", app("--token", "0123456789abcdef\n"), "is not a token"),
    Case("a very long token", app("--token", "x" * 129), "is not a token"),
    Case("an upload limit of nothing", app("--upload-limit", "0"), "upload limit 0 is too small"),
    Case("an upload limit beyond all", app("--upload-limit", "1e9"), "upload limit 1000000000 is too large"),
    Case("an upload limit in words", app("--upload-limit", "20MB"), "'20MB' is not a number"),
    Case("a model that is not there", app("--model", "no/such/model"), "no/such/model"),
    Case("a model folder without a model", app("--model-path", "."), "model_index.json is missing"),
    Case("an adapter that is not there", app("--lora-path", "no.safetensors"), "no adapter"),
    Case("a word too many for app", app("face.png"), "unrecognized arguments: face.png"),
]
