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
from collections.abc import Callable
from pathlib import Path

from tornado.web import Application, HTTPError

from pxs.errors import DataError, OutputError
from pxs.serving import Handler, Stranger, application, link, listen, serving, until_stopped
from pxs.storage.locks import locked, remove_locked
from pxs.storage.parsing import parse_json
from pxs.storage.paths import PathName, check_path
from pxs.study.answers import check_answer
from pxs.study.key import SCALES, read_key
from pxs.study.page import PAGES, entry
from pxs.study.store import Store

LONGEST = 10_000  # bytes of a request
LOCK = ".serving.lock"
STORED = ("item", *SCALES, "seconds")  # of what is sent
WELCOME = (
    "<p>You are asked to rate faces. The next page says what is stored and how to delete it, before you decide.</p>"
    '<form method="post"><button>Take part</button></form>'
)
FULL = "<p>All places in this study are taken. Thank you for coming.</p>"


class _Plain(Handler):
    """What all pages share, also those for strangers."""

    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        "form-action 'self'"
    )

    def refusal(self, reason: str) -> str:
        """A small page."""
        return entry(f"<p>{html.escape(reason)}.</p>")


class _Handler(_Plain):
    """The base of what is served; `study` is that."""

    def initialize(self, study: _Study) -> None:
        self.study = study


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
        pages = {"": _Entry, "([0-9a-f-]+)/": _Page, "([0-9a-f-]+)/answers": _Answers}
        return application(self.store.token, pages, {"study": self}, _Stranger)


class _Stranger(Stranger, _Plain):
    """Answers what is not under the token."""


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
            sockets = [ends.enter_context(one) for one in listen(host, port)]
            study = _Study(root)
            ends.callback(study.store.close)
            address = link(host, sockets, study.store.token)

            async def run() -> None:
                async with serving(study.application(), sockets, LONGEST):
                    await until_stopped(lambda: ready(address))

            asyncio.run(run())
