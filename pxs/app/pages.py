"""The handlers of the page's files, of uploads and of downloads."""

from __future__ import annotations

import asyncio
import re
import urllib.parse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from tornado.web import HTTPError

from pxs.app import offers
from pxs.app.choice import PictureChoice
from pxs.app.desk import Desk
from pxs.app.offers import Sample
from pxs.app.session import Session
from pxs.app.shelf import ANIMATIONS
from pxs.batch.presets import read_preset
from pxs.editing.request import Request
from pxs.errors import OutputError, PxsError, UsageError, one_line
from pxs.expressions import NEUTRAL, check_domain
from pxs.serving import Handler, Stranger
from pxs.storage.files import replace_file

P = ParamSpec("P")
T = TypeVar("T")
PAGE = Path(__file__).parent / "page"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "form-action 'none'"
)
CLOSED = (PAGE / "closed.html").read_text("utf-8")


class Closed(Stranger):
    """Answers what is not under the token."""

    def refusal(self, reason: str) -> str:
        """What to do."""
        return CLOSED


class Answer(Handler):
    """A handler of the page; errors are one line of JSON. `desk` is what it shares with the others."""

    policy = POLICY

    def initialize(self, desk: Desk) -> None:
        """Called by tornado."""
        self.desk = desk

    def refusal(self, reason: str) -> dict[str, str]:
        """The line."""
        return {"message": reason}

    def write_error(self, status_code: int, **more: Any) -> None:
        """Called by tornado."""
        error = more.get("exc_info", (None, None))[1]
        if isinstance(error, PxsError):
            self.set_status(400)
            self.finish(self.refusal(one_line(error)))
        else:
            super().write_error(status_code)

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Mistakes of users are not logged; called by tornado."""
        if not isinstance(value, PxsError):
            super().log_exception(typ, value, tb)

    @property
    def session(self) -> Session:
        """The session that the request belongs to."""
        return self.desk.session(key_of(self))

    def send(self, content: bytes, kind: str, name: str) -> None:
        """Answer with a file to be saved under this name."""
        self.set_header("Content-Type", kind)
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{urllib.parse.quote(name)}")
        self.finish(content)


def key_of(handler: Handler) -> str:
    """The key of the session that a request belongs to: 32 hexadecimal digits, which only its tab knows."""
    key = handler.request.headers.get("X-Session") or handler.get_query_argument("session", "")
    if not re.fullmatch("[0-9a-f]{32}", key):
        raise HTTPError(400, reason="The request names no session: reload the page")
    return key


async def elsewhere(make: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """What a slow function returns; other requests are answered meanwhile."""
    return await asyncio.get_running_loop().run_in_executor(None, partial(make, *given, **named))


class PageFile(Answer):
    """The files of the page."""

    def get(self, name: str) -> None:
        """Answer with a file."""
        file = PAGE / (name or "index.html")
        self.set_header("Content-Type", f"{KINDS[file.suffix]}; charset=utf-8")
        self.finish(file.read_bytes())


class Alive(Answer):
    """Tells a page that has lost its connection whether it may come back."""

    def get(self) -> None:
        """Answer with nothing."""
        self.set_status(204)


class SampleFile(Answer):
    """A sample face."""

    async def get(self, style: str, number: str) -> None:
        """Answer with the picture."""
        content = await elsewhere(offers.png, Sample(style, int(number)).check())
        self.set_header("Content-Type", "image/png")
        self.set_header("Cache-Control", "private, max-age=86400")
        self.finish(content)


class Upload(Answer):
    """Takes a picture, or a preset, which sets the sliders."""

    async def post(self) -> None:
        """Open the body of the request in its session."""
        session = self.session
        name = _short(urllib.parse.unquote(self.request.headers.get("X-Name", "")))
        content = self.request.body
        if not content:
            raise OutputError(f"{name} is empty: choose another file")
        if name.lower().endswith(".json"):
            session.ask(_preset(session.shelf.folder, content, name))
            session.tell(**session.state()[0])
        else:
            domain = check_domain(self.request.headers.get("X-Domain", "human"))
            await elsewhere(self.desk.limits.check, content, name)
            session.choose(PictureChoice(content, name, domain))
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
    if len(preset.mixes) > 1:
        raise UsageError(f"{name} holds {len(preset.mixes)} mixes, and the page edits one at a time: give one of them")
    if preset.calibrated or preset.zero != NEUTRAL:
        raise UsageError(f"{name} is calibrated or begins at the source, which the page cannot: give it to pxs edit")
    return Request(preset.mixes[0], preset.seed, preset.steps).check()


class Download(Answer):
    """Files to save: the last edit, all kept ones, an animation of them, and a preset."""

    async def get(self, name: str) -> None:
        """Answer with a file."""
        session, kind = self.session, name.rpartition(".")[2]
        if name == "kept.zip":
            self.send(await elsewhere(session.shelf.archive), "application/zip", name)
        elif name == "preset.json":
            content, file = session.preset()
            self.send(content, "application/json", file)
        elif name == "edit.png":
            content, file = await elsewhere(session.file)
            self.send(content, "image/png", file)
        else:
            self.send(await elsewhere(session.shelf.animation, kind), ANIMATIONS[kind], name)


class Keep(Answer):
    """Keeps the last edit."""

    async def post(self) -> None:
        """Write its file."""
        await elsewhere(self.session.keep)
        self.finish({})


class KeptFile(Answer):
    """One kept edit."""

    async def get(self, name: str) -> None:
        """Answer with its PNG file."""
        content = await elsewhere(self.session.shelf.content, name)
        if content is None:
            raise HTTPError(404, reason=f"No edit of this name is kept: {name[:80]}")
        self.send(content, "image/png", name)


FILES = "|".join(re.escape(name) for name in ("", *sorted(f.name for f in PAGE.iterdir() if f.name != "index.html")))
HANDLERS: dict[str, type[Answer]] = {
    f"({FILES})": PageFile,
    "alive": Alive,
    "picture": Upload,
    r"sample/([a-z]{1,20})/(\d{1,4})\.png": SampleFile,
    r"(edit\.png|kept\.zip|kept\.gif|kept\.webp|preset\.json)": Download,
    "keep": Keep,
    r"kept/([^/]+\.png)": KeptFile,
}
"""The handlers by the pattern of their path under the token."""
