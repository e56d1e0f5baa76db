"""Starts the app: checks what was asked for, takes the port, prints the address, and serves until it is stopped."""

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
import tempfile
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from pxs.app.engine import Engine
from pxs.app.lines import Model
from pxs.app.server import Desk, application
from pxs.editing.editor import Editor
from pxs.errors import UsageError, one_line, shown

FIRST_PORT, PORTS = 8860, 40
"""The ports that are tried, in this order, where none was asked for."""
HERE, ALL = "127.0.0.1", ("0.0.0.0", "::")


def check_token(text: str) -> str:
    """The token. Raises UsageError for one that is short, or that an address cannot hold."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,128}", text):
        raise UsageError(
            f"{shown(text)} is not a token: give 16 to 128 letters, digits, '-' or '_', or leave --token out for a "
            "random one"
        )
    return text


@dataclass(frozen=True)
class Place:
    """Where the page is served: sockets that listen, the host that was asked for, and the token that lets people in."""

    sockets: list[socket.socket]
    host: str
    token: str

    @property
    def port(self) -> int:
        """The port of the sockets."""
        return int(self.sockets[0].getsockname()[1])

    @property
    def address(self) -> str:
        """The address to open; where all interfaces are served, that of this machine."""
        return self._at(HERE if self.host in ALL else self.host)

    @property
    def notice(self) -> str:
        """What else a user should know about the address."""
        if self.host in (HERE, "::1", "localhost"):
            return "Open this address in a browser on this machine; Ctrl-C stops the app."
        other = f" ({self._at(socket.gethostname())})" if self.host in ALL else ""
        return f"All who have the token can come in{other}, and what they send is not encrypted; Ctrl-C stops the app."

    def _at(self, name: str) -> str:
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/?token={self.token}"


def check_host(text: str) -> str:
    """The host. Raises UsageError for what cannot be the name or the address of a machine."""
    if not re.fullmatch(r"[A-Za-z0-9._:%-]{1,253}", text):
        raise UsageError(f"{shown(text)} is not a host: give an address of this machine, or leave --host out")
    return text


def take_place(host: str = HERE, port: int | None = None, token: str | None = None) -> Place:
    """Take a port of `host`, the first free one for None; without a token, a random one.

    Raises UsageError if the port is taken, and for a host that is not this machine.
    """
    name = check_host(host)
    for candidate in range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else (port,):
        try:
            return Place(bind_sockets(candidate, name), name, token or secrets.token_urlsafe(24))
        except (OSError, UnicodeError) as error:
            if port is None and isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                continue
            raise UsageError(
                f"port {candidate} of {shown(host)} cannot be used ({one_line(error)}): give another --port or --host, "
                "or leave both out"
            ) from None
    raise UsageError(f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are all taken: give another with --port")


def serve(place: Place, editor: Editor, model: Model, most_bytes: int, ready: Callable[[], None]) -> None:
    """Serve the page until the process is told to stop; `ready` is called once it can be opened.

    most_bytes: of an upload.
    """
    with tempfile.TemporaryDirectory(prefix="pxs-app-") as folder:
        engine = Engine(editor)
        try:
            desk = Desk(engine, model, place.token, f"pxs-{place.port}", most_bytes, Path(folder))
            asyncio.run(_serve(place, desk, ready))
        finally:
            engine.close()


async def _serve(place: Place, desk: Desk, ready: Callable[[], None]) -> None:
    stopped = asyncio.Event()
    with contextlib.suppress(NotImplementedError, ValueError):  # Windows; a thread that is not the main one
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with serving(place, desk):
        ready()
        await stopped.wait()


@contextlib.asynccontextmanager
async def serving(place: Place, desk: Desk) -> AsyncIterator[None]:
    """Serve while the block runs; then close the place and all connections."""
    server = HTTPServer(application(desk), max_body_size=desk.most_bytes, max_buffer_size=desk.most_bytes + 2**20)
    server.add_sockets(place.sockets)
    try:
        yield
    finally:
        server.stop()
        for connection in tuple(desk.connections):
            connection.close(1001, "the app stops")
        for _ in range(20):  # until their browsers have answered, two seconds at most
            if desk.connections:
                await asyncio.sleep(0.1)
        await server.close_all_connections()


def open_browser(address: str) -> None:
    """Open the address in a browser with a window, if there is one; a browser of the terminal would hide the app."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
