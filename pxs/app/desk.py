"""`Desk`: what all requests of the page share: the model, the limits, and the sessions, each of which is a tab."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tornado.websocket import WebSocketHandler

from pxs.app.engine import Engine
from pxs.app.lines import Model
from pxs.app.session import Session
from pxs.errors import ImageError, OutputError
from pxs.images import upright_size

MOST_SESSIONS = 40
"""Sessions that are held at once. When one more comes, the session whose tab was closed longest ago is forgotten."""


@dataclass(frozen=True)
class Limits:
    """The largest picture that is taken: bytes of its file, and pixels (width times height)."""

    file: int = 20_000_000
    pixels: int = 16_000_000

    def check(self, content: bytes, name: str) -> None:
        """Raise ImageError for a file that holds no picture, or too large a one."""
        try:
            width, height = upright_size(content)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from None
        if width * height > self.pixels:
            raise ImageError(
                f"{name} is {width} x {height}, {width * height / 1e6:.0f} megapixels, and {self.pixels / 1e6:g} are "
                "the most here: make it smaller"
            )


@dataclass
class Desk:
    """The shared state. folder: for kept edits, a folder in it for each session."""

    engine: Engine
    model: Model
    folder: Path
    limits: Limits = Limits()
    sessions: dict[str, Session] = field(default_factory=dict)
    connections: set[WebSocketHandler] = field(default_factory=set)

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
            raise OutputError(
                f"{MOST_SESSIONS} tabs of this app are open, which is the most: close one, or try again later"
            )
        gone = self.sessions.pop(min(left, key=lambda key: self.sessions[key].left))
        self.engine.leave(gone)
        gone.stop()
