"""Serving a study: one link for all raters, a page for each, and their answers into one SQLite file.

    http://127.0.0.1:8765/TOKEN/            "Take part": gives the next free place
    http://127.0.0.1:8765/TOKEN/RATER/      the page of a rater; answers are sent to TOKEN/RATER/answers, one at a time

The codes of raters cannot be guessed, so nobody writes into the answers of another. No address and no header of a
request is stored or printed. One thread does everything: an answer takes a millisecond or a few.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from pxs.errors import DataError, OutputError, one_line
from pxs.storage.locks import locked, remove_locked
from pxs.storage.parsing import parse_json
from pxs.storage.paths import PathName, check_path
from pxs.study.answers import check_answer
from pxs.study.key import SCALES, read_key
from pxs.study.page import PAGES, entry
from pxs.study.store import Store

LONGEST = 10_000  # bytes of a request
OURS = ("127.0.0.1", "localhost", "::1")
LOCK = ".serving.lock"
STORED = ("item", *SCALES, "seconds")  # of what is sent
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
WELCOME = (
    "<p>You are asked to rate faces. The next page says what is stored and how to delete it, before you decide.</p>"
    '<form method="post"><button>Take part</button></form>'
)
FULL = "<p>All places in this study are taken. Thank you for coming.</p>"


class _Handler(RequestHandler):
    """What all pages share; `study` is what they serve."""

    def initialize(self, study: _Study) -> None:
        self.study = study

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish(entry(f"<p>{html.escape(self._reason)}.</p>"))


class _Entry(_Handler):
    """The link for everybody. A place is given to who presses the button, not to programs that look at links."""

    def get(self) -> None:
        self.finish(entry(WELCOME))

    def post(self) -> None:
        rater = self.study.store.take_place()
        if rater is None:
            self.set_status(409)
            self.finish(entry(FULL))
        else:
            self.redirect(f"/{self.study.store.token}/{rater}/", status=303)


class _Page(_Handler):
    """The page of a rater."""

    def get(self, rater: str) -> None:
        if rater not in self.study.key.raters:
            raise HTTPError(404)
        try:
            text = (self.study.folder / PAGES / f"{rater}.html").read_text(encoding="utf-8")
        except OSError:
            raise HTTPError(410, reason="The page of this place is gone") from None
        self.finish(text.replace('<meta name="answers" content="">', '<meta name="answers" content="answers">', 1))


class _Answers(_Handler):
    """The answers of a rater: GET all, POST one, DELETE all."""

    def get(self, rater: str) -> None:
        self._known(rater)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(self.study.store.of(rater)))

    def post(self, rater: str) -> None:
        self._known(rater)
        try:
            said = parse_json(self.request.body.decode())
            answer = check_answer(self.study.key, rater, said)
        except (DataError, UnicodeDecodeError):
            raise HTTPError(400, reason="This is no answer to a question of this place") from None
        self.study.store.put(rater, answer.item, {name: said[name] for name in STORED if name in said})
        self.set_status(204)

    def delete(self, rater: str) -> None:
        self._known(rater)
        self.study.store.forget(rater)
        self.set_status(204)

    def _known(self, rater: str) -> None:
        if rater not in self.study.key.raters:
            raise HTTPError(404)


class _Study:
    """What is served."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key = folder, read_key(folder)
        self.store = Store(folder, self.key)

    def application(self) -> Application:
        """The pages, under the token."""
        start, mine = f"/{self.store.token}/", {"study": self}
        pages = [(start, _Entry), (f"{start}([0-9a-f-]+)/", _Page), (f"{start}([0-9a-f-]+)/answers", _Answers)]
        return Application([(path, handler, mine) for path, handler in pages], log_function=lambda _: None)


def serve(folder: PathName, host: str, port: int, ready: Callable[[str], object] = print) -> None:
    """Serve the study in `folder` until the process is told to end (Ctrl-C, SIGTERM); `ready` is given the link.

    Raises DataError for a folder without a study, OutputError for an address that cannot be listened on, or if the
    study is being served already.
    """
    root = check_path(folder)
    read_key(root)
    with locked(root / LOCK) as own:
        if not own:
            raise OutputError(f"the study in {str(folder)!r} is being served already: stop that, or use it")
        with contextlib.ExitStack() as ends:
            ends.callback(remove_locked, root / LOCK)
            sockets = [ends.enter_context(one) for one in _listen(host, port)]
            study = _Study(root)
            ends.callback(study.store.close)
            shown = f"[{host}]" if ":" in host else host
            link = f"http://{shown}:{sockets[0].getsockname()[1]}/{study.store.token}/"
            asyncio.run(_run(study.application(), sockets, lambda: ready(link)))


def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        return bind_sockets(port, host)
    except (OSError, UnicodeError) as error:
        raise OutputError(f"{host}, port {port} cannot be listened on ({one_line(error)}): choose another") from None


async def _run(application: Application, sockets: list[socket.socket], ready: Callable[[], object]) -> None:
    server = HTTPServer(application, max_buffer_size=LONGEST, max_body_size=LONGEST, max_header_size=LONGEST)
    server.add_sockets(sockets)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):  # not on every system, nor outside the main thread
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
    ready()
    await ended.wait()
    server.stop()
    await server.close_all_connections()


def is_open(host: str) -> bool:
    """Whether an address can be reached from other machines."""
    return host not in OURS
