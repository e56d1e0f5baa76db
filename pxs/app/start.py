"""Starts the app: takes a port, loads the model, and serves the page until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from pxs.app.desk import Desk
from pxs.app.live import Live
from pxs.app.pages import HANDLERS, Closed
from pxs.errors import OutputError
from pxs.serving import application, listen, serving, until_stopped
from pxs.storage.locks import locked

FIRST_PORT, PORTS = 8860, 40
"""The ports that are tried, in this order, where none was asked for."""
MOST_MESSAGE = 64 * 1024
"""Bytes of a message over the live connection."""
FOLDERS, LOCK = "pxs-app-", ".lock"


def take_port(host: str, port: int | None = None) -> list[socket.socket]:
    """Sockets that listen on a port of `host`, for None on the first free one of ours.

    Raises OutputError where that cannot be.
    """
    if port is not None:
        return listen(host, port)
    for one in listen(host, 0):  # raises for what is no address of this machine
        one.close()
    for candidate in range(FIRST_PORT, FIRST_PORT + PORTS):
        with contextlib.suppress(OutputError):
            return listen(host, candidate)
    return listen(host, FIRST_PORT)  # raises


@contextlib.contextmanager
def own_folder(base: Path | None = None) -> Iterator[Path]:
    """A folder for what sessions keep, removed at the end. What a killed app left behind is removed as well.

    base: where, by default the folder for temporary files.
    """
    root = Path(tempfile.gettempdir()) if base is None else base
    for left in root.glob(f"{FOLDERS}*"):
        if left.is_symlink() or not left.is_dir() or not _own(left):
            continue
        with contextlib.suppress(OutputError), locked(left / LOCK) as dead:
            if dead:
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=FOLDERS, dir=root))
    try:
        with locked(folder / LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own(folder: Path) -> bool:
    """Whether a folder is of this user. Windows has no numbers of users, and gives each a temporary folder."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def serve(desk: Desk, token: str, sockets: Sequence[socket.socket], ready: Callable[[], object]) -> None:
    """Serve the page until the process is told to stop; `ready` is called once it can be opened."""

    async def run() -> None:
        async with serving_page(desk, token, sockets):
            await until_stopped(ready)

    try:
        asyncio.run(run())
    finally:
        desk.engine.close()


@contextlib.asynccontextmanager
async def serving_page(desk: Desk, token: str, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Serve the page while the block runs; then close all connections."""
    made = application(
        token,
        {**HANDLERS, "live": Live},
        {"desk": desk},
        Closed,
        websocket_max_message_size=MOST_MESSAGE,
        websocket_ping_interval=20,
    )
    async with serving(made, sockets, desk.limits.file):
        try:
            yield
        finally:
            for connection in tuple(desk.connections):
                connection.close(1001, "the app stops")
            for _ in range(20):  # until their browsers have answered, two seconds at most
                if desk.connections:
                    await asyncio.sleep(0.1)


def open_browser(address: str) -> None:
    """Open the address in a browser with a window, if there is one; a browser of the terminal would hide the app."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
