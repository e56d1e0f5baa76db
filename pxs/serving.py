"""What the web servers of this package share: `pxs app` and `pxs study serve`.

    http://127.0.0.1:8860/TOKEN/...

Each listens on this machine alone unless asked, and answers under a token, which cannot be guessed, and nowhere else.
No address and no header of a request is stored or printed. No page may load anything from another host, nor be a frame
of another page.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from pxs.errors import OutputError, UsageError, one_line, shown

HERE = "127.0.0.1"
OURS = (HERE, "localhost", "::1")
ALL = {"0.0.0.0": HERE, "::": "::1"}
"""What stands for all addresses of a machine, and the one of them that the machine itself uses."""
LONGEST_HEADER = 10_000  # bytes of the header of a request
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
NOT_ENCRYPTED = "the connection is not encrypted: serve only where all may read along"
"""What the owner of a server must know who lets other machines in."""


class Handler(RequestHandler):
    """The base of all handlers of requests: its headers, and errors as a page that `refusal` writes.

    policy: what the page may load, as a Content-Security-Policy; frames around it are forbidden to all.
    """

    policy = "default-src 'none'"

    def set_default_headers(self) -> None:
        """Called by tornado."""
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.set_header("Content-Security-Policy", f"{self.policy}; frame-ancestors 'none'; base-uri 'none'")
        self.clear_header("Server")

    def write_error(self, status_code: int, **_: Any) -> None:
        """Called by tornado."""
        self.finish(self.refusal(self._reason))

    def refusal(self, reason: str) -> str | dict[str, str]:
        """The page, or the JSON object, that says why a request is refused."""
        return f"{reason}\n"


class Stranger(Handler):
    """Answers what is not under the token."""

    def prepare(self) -> None:
        """Called by tornado."""
        raise HTTPError(404)


def check_token(text: str) -> str:
    """The token. Raises UsageError for one that is short, or that an address cannot hold."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,128}", text):
        raise UsageError(
            f"{shown(text)} is not a token: give 16 to 128 letters, digits, '-' or '_', or none for a random one"
        )
    return text


def new_token() -> str:
    """A token of 96 random bits."""
    return secrets.token_urlsafe(12)


def application(
    token: str,
    handlers: Mapping[str, type[RequestHandler]],
    shared: dict[str, Any],
    stranger: type[Handler] = Stranger,
    **settings: Any,
) -> Application:
    """The handlers by the pattern of their path under the token; `shared` goes to `initialize` of each."""
    under = [(f"/{re.escape(token)}/{path}", handler, shared) for path, handler in handlers.items()]
    return Application(under, default_handler_class=stranger, log_function=lambda _: None, **settings)


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on all addresses of a host that this machine has, on one port. Raises OutputError if on none.

    A port that is taken on one of the addresses is taken.
    """
    try:
        if not host:
            raise ValueError("it is empty")  # which would stand for all addresses
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return _opened(list(dict.fromkeys((family, place) for family, *_, place in found)))
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{shown(host)}, port {port} cannot be listened on ({one_line(error)}): choose another"
        ) from None


def _opened(places: Sequence[tuple[int, tuple[Any, ...]]]) -> list[socket.socket]:
    """Listening sockets at these places; those that this machine lacks are left out, unless it lacks all."""
    missing: OSError | None = None
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, (address, port, *more) in places:
            port = sockets[0].getsockname()[1] if sockets else port
            try:
                one = socket.create_server((address, port, *more), family=family, backlog=128)
            except OSError as error:
                missing = OSError(error.errno, os.strerror(error.errno or 0))  # its own text is longer
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise missing from None
                continue
            sockets.append(opened.enter_context(one))
            one.setblocking(False)
        if missing and not sockets:
            raise missing
        opened.pop_all()
        return sockets


def link(host: str, sockets: Sequence[socket.socket], token: str) -> str:
    """The address to open on this machine."""
    name = ALL.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{sockets[0].getsockname()[1]}/{token}/"


def is_open(host: str) -> bool:
    """Whether an address can be reached from other machines."""
    return host not in OURS


@contextlib.asynccontextmanager
async def serving(served: Application, sockets: Sequence[socket.socket], most_bytes: int) -> AsyncIterator[None]:
    """Serve while the block runs, then close the sockets and all connections. most_bytes: of what a request sends."""
    server = HTTPServer(
        served,
        max_body_size=most_bytes,
        max_buffer_size=most_bytes + LONGEST_HEADER,
        max_header_size=LONGEST_HEADER,
    )
    server.add_sockets(sockets)
    try:
        yield
    finally:
        server.stop()
        await server.close_all_connections()


async def until_stopped(ready: Callable[[], object]) -> None:
    """Call `ready`, then wait until the process is told to end (Ctrl-C, SIGTERM)."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):  # not on every system, nor outside the main thread
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
    ready()
    await ended.wait()


def announce(host: str, address: str) -> None:
    """Print the link, and on standard error a warning to who lets other machines in."""
    if is_open(host):
        print(f"pxs: warning: {NOT_ENCRYPTED}", file=sys.stderr)
    print(address, flush=True)
