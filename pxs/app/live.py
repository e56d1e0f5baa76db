"""The live connection of a tab: what it asks for, and what happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tornado.websocket import WebSocketHandler

from pxs.app import offers
from pxs.app.choice import PictureChoice
from pxs.app.desk import Desk
from pxs.app.offers import Sample
from pxs.app.pages import key_of
from pxs.app.session import Session
from pxs.editing.photographs import installed
from pxs.editing.request import MAX_INTENSITY, MAX_SEED, Request
from pxs.errors import OutputError, PxsError, one_line
from pxs.expressions import BASIC, COLOURS, EXPRESSIONS, Mix, check_domain
from pxs.faces import STYLES
from pxs.quantities import STEPS
from pxs.serving import Handler

UNKNOWN = "the page sent what this app does not know: reload the page"


class Live(WebSocketHandler, Handler):
    """The connection. Tornado refuses pages of other sites."""

    def initialize(self, desk: Desk) -> None:
        """Called by tornado."""
        self.desk = desk
        self.loop = asyncio.get_running_loop()
        self.session: Session | None = None

    def prepare(self) -> None:
        """Called by tornado before the connection."""
        self.key = key_of(self)

    def open(self, *_: str, **__: str) -> None:
        """Bring the page up to date."""
        known = self.key in self.desk.sessions
        try:
            self.session = self.desk.session(self.key)
        except OutputError as error:
            self._write({"kind": "full", "message": str(error)})
            self.close()
            return
        self._write({"kind": "hello", "known": known, **_offers(self.desk)})
        for event in self.session.state():
            self._write(event)
        self.session.listeners.add(self._listen)
        self.desk.connections.add(self)
        if not known:
            self.desk.engine.ask(self.session)

    def on_close(self) -> None:
        """Called by tornado when the tab has gone."""
        self.desk.connections.discard(self)
        if self.session:
            self.session.listeners.discard(self._listen)
            self.session.left = time.monotonic()

    def on_message(self, message: str | bytes) -> None:
        """Do what the page asks for."""
        try:
            asked = json.loads(message)
            if self.session:
                WISHES[asked["do"]](self.session, asked)
        except PxsError as error:
            self._write({"kind": "failed", "message": one_line(error)})
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            self._write({"kind": "failed", "message": UNKNOWN})

    def _listen(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the app stops
            self.loop.call_soon_threadsafe(self._write, event)

    def _write(self, event: dict[str, Any]) -> None:
        if self.ws_connection and not self.ws_connection.is_closing():
            self.write_message(json.dumps(event)).add_done_callback(lambda sent: sent.cancelled() or sent.exception())


def _offers(desk: Desk) -> dict[str, Any]:
    """What the page shows and allows."""
    most = {"intensity": MAX_INTENSITY, "seed": MAX_SEED, "steps": STEPS.most, "bytes": desk.limits.file}
    return {
        "model": desk.model.name,
        "expressions": [{"name": n, "colour": COLOURS[n], "basic": n in BASIC} for n in EXPRESSIONS],
        "samples": {"styles": list(STYLES), "count": offers.COUNT},
        "mixes": [{"name": name, "mix": dict(mix)} for name, mix in offers.MIXES.items()],
        "photos": installed(),
        "most": most,
    }


def _edit(session: Session, asked: dict[str, Any]) -> None:
    request = Request(Mix(asked["mix"]), asked["seed"], asked["steps"]).check()
    session.ask(request, asked.get("draft") is True)


def _sample(session: Session, asked: dict[str, Any]) -> None:
    session.choose(PictureChoice.of_sample(Sample(asked["style"], asked["number"]).check()))


def _face(session: Session, asked: dict[str, Any]) -> None:
    face = asked["face"]
    if session.opened and (face is None or face in range(len(session.opened.faces))):
        session.choose(replace(session.opened.choice, face=face))


def _domain(session: Session, asked: dict[str, Any]) -> None:
    domain = check_domain(asked["domain"])
    if session.opened:
        session.choose(replace(session.opened.choice, domain=domain))


WISHES: dict[str, Callable[[Session, dict[str, Any]], object]] = {
    "edit": _edit,
    "sample": _sample,
    "face": _face,
    "domain": _domain,
    "cancel": lambda session, _: session.cancel(),
    "remove": lambda session, asked: session.remove(str(asked["name"])),
}
"""What a page may ask for, by the word "do"."""
