"""Serving pages that ask people (`Served`): one link for all raters, a page for each, their answers in one SQLite file.

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
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

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
TITLE = "Faces: a rating study"


@dataclass(frozen=True)
class Served:
    """What is served.

    study: a hash that tells its answers from those of others. raters: the codes of the places. page: the HTML of a
    rater's page; raises OSError where it is gone. check: of a rater and a JSON value, the item that it answers and what
    is stored; raises DataError for what is no answer. title, welcome: of the page for everybody, the second as HTML.
    """

    study: str
    raters: Collection[str]
    page: Callable[[str], str]
    check: Callable[[str, object], tuple[str, Mapping[str, Any]]]
    title: str
    welcome: str


class _Plain(Handler):
    """What all pages share, also those for strangers."""

    title = TITLE
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        "form-action 'self'"
    )

    def refusal(self, reason: str) -> str:
        """A small page."""
        return entry(self.title, f"<p>{html.escape(reason)}.</p>")


class _Stranger(Stranger, _Plain):
    """Answers what is not under the token."""


class _Handler(_Plain):
    """The base of what is served: what that is, and where answers are kept."""

    def initialize(self, served: Served, store: Store) -> None:
        self.served, self.store, self.title = served, store, served.title

    def known(self, rater: str) -> None:
        """Raise a 404 for a code that is nobody's."""
        if rater not in self.served.raters:
            raise HTTPError(404)

    def finish_entry(self, content: str) -> None:
        """End the response with a small page around HTML."""
        self.finish(entry(self.served.title, content))


class _Entry(_Handler):
    """The link for everybody. A place is given to who presses the button, not to programs that look at links."""

    def get(self) -> None:
        self.finish_entry(self.served.welcome)

    def post(self) -> None:
        rater = self.store.take_place()
        if rater is None:
            self.set_status(409)
            self.finish_entry(FULL)
        else:
            self.redirect(f"/{self.store.token}/{rater}/", status=303)


class _Page(_Handler):
    """The page of a rater."""

    def get(self, rater: str) -> None:
        self.known(rater)
        try:
            text = self.served.page(rater)
        except OSError:
            raise HTTPError(410, reason="The page of this place is gone") from None
        self.finish(text.replace('<meta name="answers" content="">', '<meta name="answers" content="answers">', 1))


class _Answers(_Handler):
    """The answers of a rater: GET all, POST one, DELETE all."""

    def get(self, rater: str) -> None:
        self.known(rater)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(self.store.of(rater)))

    def post(self, rater: str) -> None:
        self.known(rater)
        try:
            said = parse_json(self.request.body.decode())
            item, kept = self.served.check(rater, said)
        except (DataError, UnicodeDecodeError):
            raise HTTPError(400, reason="This is no answer to a question of this place") from None
        self.store.put(rater, item, kept)
        self.set_status(204)

    def delete(self, rater: str) -> None:
        self.known(rater)
        self.store.forget(rater)
        self.set_status(204)


def _application(served: Served, store: Store) -> Application:
    """The pages, under the token."""
    pages = {"": _Entry, "([0-9a-f-]+)/": _Page, "([0-9a-f-]+)/answers": _Answers}
    return application(store.token, pages, {"served": served, "store": store}, _Stranger)


def study_of(folder: PathName) -> Served:
    """The study in a folder. Raises DataError for a folder without one."""
    root = check_path(folder)
    key = read_key(root)

    def page(rater: str) -> str:
        return (root / PAGES / f"{rater}.html").read_text(encoding="utf-8")

    def check(rater: str, said: object) -> tuple[str, Mapping[str, Any]]:
        answer = check_answer(key, rater, said)
        assert isinstance(said, Mapping)
        return answer.item, {name: said[name] for name in STORED if name in said}

    return Served(key.study, key.raters, page, check, TITLE, WELCOME)


def serve(served: Served, folder: PathName, host: str, port: int, ready: Callable[[str, str], object]) -> None:
    """Serve until the process is told to end (Ctrl-C, SIGTERM), with answers in `folder`.

    ready: called with `host` and the link when all is set up. Raises OutputError for an address that cannot be listened
    on, or if the folder is being served already.
    """
    root = check_path(folder)
    with locked(root / LOCK) as own:
        if not own:
            raise OutputError(f"the study in {str(folder)!r} is being served already: stop that, or use it")
        with contextlib.ExitStack() as ends:
            ends.callback(remove_locked, root / LOCK)
            sockets = [ends.enter_context(one) for one in listen(host, port)]
            store = Store(root, served.study, served.raters)
            ends.callback(store.close)
            address = link(host, sockets, store.token)

            async def run() -> None:
                async with serving(_application(served, store), sockets, LONGEST):
                    await until_stopped(lambda: ready(host, address))

            asyncio.run(run())
