"""The web server of the page: who may come in, the page's three files, uploads, downloads, and the live connection."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import re
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from tornado import web, websocket

from pxs.app import offers
from pxs.app.choice import Choice
from pxs.app.engine import Engine
from pxs.app.lines import Model
from pxs.app.offers import Sample
from pxs.app.session import Session
from pxs.app.shelf import ANIMATIONS
from pxs.batch.presets import read_preset
from pxs.editing.photographs import installed
from pxs.errors import OutputError, PxsError, UsageError, one_line
from pxs.expressions import BASIC, COLOURS, EXPRESSIONS, Mix, check_domain
from pxs.panel.worker import MAX_INTENSITY, MAX_SEED, Request
from pxs.quantities import STEPS
from pxs.storage.files import replace_file

PAGE = Path(__file__).parent / "page"
FILES = {
    "": "text/html",
    "app.css": "text/css",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(("app.js", "live.js", "pointing.js"), "text/javascript"),
}
MOST_SESSIONS = 64
"""Tabs that are open at once; beyond, those that were left longest ago are forgotten first."""
MOST_MESSAGE = 64 * 1024  # bytes of a message over the live connection
POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
CLOSED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>pxs app</title>
<h1>This page needs its token</h1><p>Open the whole address that <code>pxs app</code> printed, with
<code>?token=</code> in it. If the app was started again, it has printed a new one.</p></html>"""


@dataclass
class Desk:
    """What all requests share. cookie: the name of the cookie that holds the token. most_bytes: of an upload."""

    engine: Engine
    model: Model
    token: str
    cookie: str
    most_bytes: int
    folder: Path
    sessions: dict[str, Session] = field(default_factory=dict)
    connections: set[Live] = field(default_factory=set)

    def session(self, key: str) -> Session:
        """The session of this key, made where there is none. Raises OutputError if too many tabs are open."""
        if key not in self.sessions:
            if len(self.sessions) >= MOST_SESSIONS:
                self._forget_one()
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            self.sessions[key] = Session(self.engine, self.model, folder)
        return self.sessions[key]

    def _forget_one(self) -> None:
        left = [key for key, session in self.sessions.items() if not session.listeners]
        if not left:
            raise OutputError(f"{MOST_SESSIONS} people use this app, which is the most: try again later")
        gone = self.sessions.pop(min(left, key=lambda key: self.sessions[key].left))
        self.engine.leave(gone)
        gone.stop()
        gone.shelf.clear()


_FILES = r"edit\.png|kept\.zip|kept\.gif|kept\.webp|preset\.json"


def application(desk: Desk) -> web.Application:
    """The server's handlers."""
    shared = {"desk": desk}
    return web.Application(
        [
            (f"/({'|'.join(map(re.escape, FILES))})", PageFile, shared),
            (r"/alive", Alive, shared),
            (r"/live", Live, shared),
            (r"/picture", Upload, shared),
            (r"/sample/(human|anime)/(\d{1,4})\.png", SampleFile, shared),
            (rf"/({_FILES})", Download, shared),
            (r"/kept/([^/]+\.png)", KeptFile, shared),
            (r"/keep", Keep, shared),
        ],
        log_function=lambda handler: None,
        websocket_max_message_size=MOST_MESSAGE,
        websocket_ping_interval=20,
    )


def allowed(handler: web.RequestHandler, desk: Desk) -> bool:
    """Whether a request has the token, in its address or as a cookie."""
    given = handler.get_query_argument("token", None) or handler.get_cookie(desk.cookie) or ""
    return hmac.compare_digest(given.encode(), desk.token.encode())


def key_of(handler: web.RequestHandler) -> str:
    """The key of the session that a request belongs to: 32 hexadecimal digits, which only its tab knows."""
    key = handler.request.headers.get("X-Session") or handler.get_query_argument("session", "")
    if not re.fullmatch("[0-9a-f]{32}", key):
        raise web.HTTPError(400, "no session")
    return key


class Guarded(web.RequestHandler):
    """A handler that needs the token."""

    def initialize(self, desk: Desk) -> None:
        """Called by tornado."""
        self.desk = desk

    def set_default_headers(self) -> None:
        """Called by tornado."""
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def prepare(self) -> None:
        """Called by tornado before the method of the request."""
        if not allowed(self, self.desk):
            self.set_status(403)
            self.finish(CLOSED)

    def write_error(self, status_code: int, **more: Any) -> None:
        """An error as one line of JSON; called by tornado."""
        error = more.get("exc_info", (None, None))[1]
        said = one_line(error) if isinstance(error, PxsError) else self._reason
        self.set_status(400 if isinstance(error, PxsError) else status_code)
        self.finish({"message": said})

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Mistakes of users are not logged; called by tornado."""
        if not isinstance(value, PxsError):
            super().log_exception(typ, value, tb)

    def send(self, content: bytes, kind: str, name: str) -> None:
        """Answer with a file to be saved under this name."""
        self.set_header("Content-Type", kind)
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{urllib.parse.quote(name)}")
        self.finish(content)


class PageFile(Guarded):
    """The files of the page; the address with the token leads to the one without."""

    def get(self, name: str) -> None:
        """Answer with a file."""
        if self.get_query_argument("token", None):
            self.set_cookie(self.desk.cookie, self.desk.token, httponly=True, samesite="Lax")
            self.redirect("/")
            return
        self.set_header("Content-Type", f"{FILES[name]}; charset=utf-8")
        self.finish((PAGE / (name or "index.html")).read_bytes())


class Alive(Guarded):
    """Tells a page that has lost its connection whether it may come back."""

    def get(self) -> None:
        """Answer with nothing."""
        self.set_status(204)


class SampleFile(Guarded):
    """A sample face."""

    def get(self, style: str, number: str) -> None:
        """Answer with the picture."""
        try:
            content = offers.png(Sample(style, int(number)).check())
        except ValueError:
            raise web.HTTPError(404) from None
        self.set_header("Content-Type", "image/png")
        self.finish(content)


class Upload(Guarded):
    """Takes a picture, or a preset, which sets the sliders."""

    async def post(self) -> None:
        """Open the body of the request in its session."""
        session = self.desk.session(key_of(self))
        name = urllib.parse.unquote(self.request.headers.get("X-Name", "")) or "picture.png"
        content = self.request.body
        if not content:
            raise OutputError(f"{name} is empty: choose another file")
        if name.lower().endswith(".json"):
            session.ask(_preset(session.shelf.folder, content, name))
            session.tell(**session.state()[0])
        else:
            domain = check_domain(self.request.headers.get("X-Domain", "human"))
            session.choose(Choice(content, _short(name), domain))
        self.finish({})


def _short(name: str) -> str:
    """The name of a file, on one line of at most 120 characters, without folders."""
    plain = "".join(letter for letter in re.split(r"[/\\]", name)[-1] if letter.isprintable())
    return plain[-120:] or "picture.png"


def _preset(folder: Path, content: bytes, name: str) -> Request:
    """The request in a preset file. Raises UsageError or ScaleError if there is none that the page can show."""
    file = folder / "preset.json"
    replace_file(file, content)
    try:
        preset = read_preset(file)
    except UsageError as error:
        raise UsageError(str(error).replace(str(file), name)) from None
    return Request(preset.mixes[0], preset.seed, preset.steps).check()


class Download(Guarded):
    """Files to save: the last edit, all kept ones, an animation of them, and a preset."""

    async def get(self, name: str) -> None:
        """Answer with a file."""
        session = self.desk.session(key_of(self))
        loop, shelf = asyncio.get_running_loop(), session.shelf
        if name == "kept.zip":
            self.send(await loop.run_in_executor(None, shelf.archive), "application/zip", name)
        elif name == "preset.json":
            content, file = session.preset()
            self.send(content, "application/json", file)
        elif name == "edit.png":
            content, file = await loop.run_in_executor(None, session.file)
            self.send(content, "image/png", file)
        else:
            kind = name.partition(".")[2]
            self.send(await loop.run_in_executor(None, shelf.animation, kind), ANIMATIONS[kind], name)


class Keep(Guarded):
    """Keeps the last edit."""

    async def post(self) -> None:
        """Write its file."""
        session = self.desk.session(key_of(self))
        await asyncio.get_running_loop().run_in_executor(None, session.keep)
        self.finish({})


class KeptFile(Guarded):
    """One kept edit."""

    def get(self, name: str) -> None:
        """Answer with its PNG file."""
        content = self.desk.session(key_of(self)).shelf.content(name)
        if content is None:
            raise web.HTTPError(404)
        self.send(content, "image/png", name)


class Live(websocket.WebSocketHandler):
    """The live connection of a tab: what it asks for, and what happens. Browsers of other sites are refused."""

    def initialize(self, desk: Desk) -> None:
        """Called by tornado."""
        self.desk = desk
        self.loop = asyncio.get_running_loop()
        self.session: Session | None = None

    def prepare(self) -> None:
        """Called by tornado before the connection."""
        if not allowed(self, self.desk):
            raise web.HTTPError(403)
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
        self._write({"kind": "hello", "known": known, **self._offers()})
        for event in self.session.state():
            self._write(event)
        self.session.listeners.add(self._listen)
        self.desk.connections.add(self)
        if not known:
            self.desk.engine.ask(self.session)

    def on_close(self) -> None:
        """Called by tornado when the tab has gone."""
        if self.session:
            self.desk.connections.discard(self)
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
            self._write({"kind": "failed", "message": "the page sent what this app does not know: reload the page"})

    def _listen(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the app stops
            self.loop.call_soon_threadsafe(self._write, event)

    def _write(self, event: dict[str, Any]) -> None:
        if self.ws_connection and not self.ws_connection.is_closing():
            self.write_message(json.dumps(event)).add_done_callback(lambda sent: sent.cancelled() or sent.exception())

    def _offers(self) -> dict[str, Any]:
        return {
            "model": self.desk.model.name,
            "expressions": [{"name": n, "colour": COLOURS[n], "basic": n in BASIC} for n in EXPRESSIONS],
            "samples": offers.COUNT,
            "presets": [{"name": name, "mix": dict(mix)} for name, mix in offers.PRESETS.items()],
            "photos": installed(),
            "most": {"intensity": MAX_INTENSITY, "seed": MAX_SEED, "steps": STEPS.most, "bytes": self.desk.most_bytes},
        }


def _request(asked: dict[str, Any]) -> Request:
    return Request(Mix(asked["mix"]), asked["seed"], asked["steps"]).check()


def _edit(session: Session, asked: dict[str, Any]) -> None:
    session.ask(_request(asked), asked.get("draft") is True)


def _sample(session: Session, asked: dict[str, Any]) -> None:
    session.choose(Choice.of_sample(Sample(asked["style"], asked["number"]).check()))


def _face(session: Session, asked: dict[str, Any]) -> None:
    face = asked["face"]
    if session.opened and (face is None or face in range(len(session.opened.faces))):
        session.choose(replace(session.opened.choice, face=face))


def _domain(session: Session, asked: dict[str, Any]) -> None:
    if session.opened:
        session.choose(replace(session.opened.choice, domain=check_domain(asked["domain"])))


WISHES: dict[str, Callable[[Session, dict[str, Any]], object]] = {
    "edit": _edit,
    "sample": _sample,
    "face": _face,
    "domain": _domain,
    "cancel": lambda session, _: session.cancel(),
    "remove": lambda session, asked: session.remove(str(asked["name"])),
}
"""What a page may ask for over the live connection, by the word "do"."""
