"""`Engine`: one thread that edits for all sessions, one at a time, and tells those who wait their place."""

from __future__ import annotations

import atexit
import threading
import time
from typing import TYPE_CHECKING

from pxs.app.turns import Turns
from pxs.editing.editor import Editor

if TYPE_CHECKING:
    from pxs.app.session import Session

DRAFT_STEPS = 4
"""Denoising steps of the picture that follows a slider while it is dragged."""
DRAFT_SECONDS = 0.6
"""What such a picture may take; where it takes longer there are none."""
TURN_SECONDS = 60.0
"""After which an edit is put aside while others wait; it goes on when its turn comes again."""


class Engine:
    """The model and the thread that uses it. `close` ends the thread after its current denoising step."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.step_seconds: float | None = None  # of the last edit
        self.serving: Session | None = None
        self.turns: Turns[Session] = Turns()
        self._telling = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="pxs-app", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # a thread inside torch would abort the process

    def has_time_for(self, session: Session) -> bool:
        """Whether a draft for this session would come quickly, and hold up no other."""
        fast = self.step_seconds is not None and DRAFT_STEPS * self.step_seconds < DRAFT_SECONDS
        return fast and all(one in (None, session) for one in (self.serving, *self.turns.waiting))

    def ask(self, session: Session) -> None:
        """Serve the session when its turn comes."""
        self.turns.ask(session)
        self._tell_places()

    def leave(self, session: Session) -> None:
        """Serve the session no more, unless it asks again."""
        self.turns.leave(session)
        self._tell_places()

    def took(self, seconds: float, steps: int) -> None:
        """Note how long the steps of an edit took."""
        self.step_seconds = seconds / steps

    def close(self, patience: float = 5.0) -> None:
        """End the thread, and wait for it at most `patience` seconds."""
        self._closed = True
        self.turns.close()
        self._thread.join(patience)
        if not self._thread.is_alive():
            atexit.unregister(self.close)

    def _tell_places(self) -> None:
        """Tell each who waits the place in the queue, counted from 1."""
        with self._telling:
            for index, session in enumerate(self.turns.waiting):
                session.tell("queue", place=index + 1)

    def _run(self) -> None:
        while (session := self.turns.next()) is not None:
            self.serving = session
            self._tell_places()
            self._serve(session)
            self.serving = None

    def _serve(self, session: Session) -> None:
        """Serve until all is done or the turn is over."""
        begun, work = time.monotonic(), session.work()
        for _ in work:
            if self._closed:
                return
            if self.turns.waiting and time.monotonic() - begun > TURN_SECONDS:
                session.put_aside(work)
                self.ask(session)
                return
