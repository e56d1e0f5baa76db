"""Edits of a portrait in the background, without widgets: `Worker` edits the newest request in its own thread.

    worker = Worker(portrait, events)
    worker.submit(Request(Mix(happy=0.7), seed=42, steps=20))
    worker.wait()

`View` in view.py displays its events.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Protocol

from PIL import Image

from pxs.editing.edits import Edits
from pxs.editing.portrait import Portrait
from pxs.editing.request import Request, previewed
from pxs.errors import PxsError


class Events(Protocol):
    """The functions that a worker calls, in order and one at a time; no other follows `cancelled` for the same edit."""

    def started(self, request: Request) -> None:
        """A request was submitted."""

    def stepped(self, count: int, preview: Image.Image | None) -> None:
        """`count` denoising steps are finished."""

    def finished(self, edits: Edits) -> None:
        """The edit is finished."""

    def failed(self, error: Exception, last: Edits | None) -> None:
        """The edit raised an error; `last` is the last finished edit."""

    def cancelled(self, last: Edits | None) -> None:
        """The edit was cancelled; `last` is the last finished edit."""


class Worker:
    """Edits a portrait in its own thread, one edit at a time; a newer request cancels all older ones.

    `edits` is the last finished edit, or None. At exit the interpreter waits for the current denoising step, because a
    thread inside torch would abort the process.
    """

    def __init__(self, portrait: Portrait, events: Events) -> None:
        self.portrait, self.events = portrait, events
        self.edits: Edits | None = None
        self._job: Future[Edits] = Future()
        self._job.cancel()
        self._lock = threading.RLock()
        self._queue: queue.SimpleQueue[tuple[Request, Future[Edits]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="pxs-panel", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, request: Request) -> None:
        """Edit this request; a running edit ends after its current denoising step. Raises PxsError after `close`."""
        if not self._thread.is_alive():
            raise PxsError("this panel is closed: create another with pxs.Panel(portrait)")
        with self._lock:
            self._job.cancel()
            self._job = Future()
            self.events.started(request)
            self._queue.put((request, self._job))

    def cancel(self) -> None:
        """End the running edit after its current denoising step; without one, do nothing."""
        with self._lock:
            if self._job.cancel():
                self.events.cancelled(self.edits)

    def wait(self, timeout: float | None = None) -> Edits:
        """The edit of the newest request, or after `cancel` the last finished edit; see `Panel.wait`."""
        try:
            return self._job.result(timeout)
        except CancelledError:
            if self.edits is None:
                raise PxsError("no edit is finished: move a slider, then wait") from None
            return self.edits

    def close(self, patience: float = 5.0) -> None:
        """Cancel, end the thread after its current denoising step, and wait for it at most `patience` seconds."""
        with self._lock:
            self._job.cancel()
        self._queue.put(None)
        self._thread.join(patience)
        if not self._thread.is_alive():
            atexit.unregister(self.close)

    def _run(self) -> None:
        for request, job in iter(self._queue.get, None):
            try:
                self._edit(request, job)
            except Exception as error:
                self._notify(job, self._fail, error, job)

    def _edit(self, request: Request, job: Future[Edits]) -> None:
        mixes = [request.mix]
        if job.cancelled():
            return
        for step in self.portrait.steps(mixes, request.seed, request.steps, request.calibrated):
            if job.cancelled():
                return
            preview = self.portrait.preview(step.clean)[0] if previewed(step.index, step.total) else None
            self._notify(job, self.events.stepped, step.index + 1, preview)
        self._notify(job, self._finish, self.portrait.finish(step, mixes, request.seed, request.calibrated), job)

    def _finish(self, edits: Edits, job: Future[Edits]) -> None:
        self.edits = edits
        self.events.finished(edits)
        job.set_result(edits)

    def _fail(self, error: Exception, job: Future[Edits]) -> None:
        self.events.failed(error, self.edits)
        job.set_exception(error)

    def _notify(self, job: Future[Edits], event: Callable[..., None], *arguments: Any) -> None:
        """Call `event` unless the job is cancelled; the lock excludes a cancel or a newer request during the call."""
        with self._lock:
            if not job.cancelled():
                event(*arguments)
