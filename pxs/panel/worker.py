"""Live edits of a portrait, without widgets: `Worker` makes what was asked for last, on a thread of its own.

    worker = Worker(portrait, events)
    worker.submit(Request(Mix(happy=0.7), seed=42, steps=20))
    worker.wait()

widgets.py shows what it does.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, NamedTuple, Protocol

from PIL import Image

from pxs.editing.editor import Portrait
from pxs.editing.edits import Edits
from pxs.errors import PxsError, ScaleError
from pxs.expressions import Mix

STRONGEST = 1.5  # what an expression goes up to
MAX_SEED, MAX_STEPS = 2**31 - 1, 1000
PREVIEWS = 4  # that many parts an edit is cut into; a preview stands between two


class Request(NamedTuple):
    """What one picture is made from."""

    mix: Mix
    seed: int
    steps: int

    @property
    def line(self) -> str:
        """The line of Python that makes it."""
        return f"portrait.edit(pxs.{self.mix!r}, seed={self.seed}, steps={self.steps})"

    def check(self) -> Request:
        """Itself; raises ScaleError for what the sliders and fields cannot be set to."""
        for name, value in self.mix.items():
            if not 0 <= value <= STRONGEST:
                raise ScaleError(f"{name} {value:g} is not on its slider: give 0 to {STRONGEST}")
        for name, value, low, high in (("seed", self.seed, 0, MAX_SEED), ("steps", self.steps, 1, MAX_STEPS)):
            if not low <= value <= high:
                raise ScaleError(f"{name} {value} is out of range: give {low} to {high}")
        return self


def previewed(index: int, total: int) -> bool:
    """Whether a preview is shown after step `index` (0-based) of `total`: never the last, at most every second."""
    return (index + 1) % max(2, total // PREVIEWS) == 0 and index + 1 < total


class Events(Protocol):
    """What a worker tells: in order, one at a time, and nothing of an edit that has been cancelled."""

    def started(self, request: Request) -> None: ...

    def stepped(self, count: int, preview: Image.Image | None) -> None: ...

    def finished(self, edits: Edits) -> None: ...

    def failed(self, error: Exception, last: Edits | None) -> None: ...

    def cancelled(self, last: Edits | None) -> None: ...


class Worker:
    """Edits a portrait on a thread of its own, one edit at a time; a newer request cancels all older ones.

    `edits` is what was finished last, or None. At exit the interpreter waits for the step that runs: a thread inside
    torch would abort the process.
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
        """Edit this next; what is running ends at its next denoising step. Raises PxsError once closed."""
        if not self._thread.is_alive():
            raise PxsError("this panel is closed: make another with pxs.Panel(portrait)")
        with self._lock:
            self._job.cancel()
            self._job = Future()
            self.events.started(request)
            self._queue.put((request, self._job))

    def cancel(self) -> None:
        """End the running edit at its next denoising step; without one, do nothing."""
        with self._lock:
            if self._job.cancel():
                self.events.cancelled(self.edits)

    def wait(self, timeout: float | None = None) -> Edits:
        """The last request's edits, or after a cancel the last finished; see `Panel.wait`."""
        try:
            return self._job.result(timeout)
        except CancelledError:
            if self.edits is None:
                raise PxsError("no edit was finished: move a slider, then wait") from None
            return self.edits

    def close(self, patience: float = 5.0) -> None:
        """Cancel, and end the thread: it is waited for at most `patience` seconds, until its denoising step ends."""
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
                self._tell(job, self._fail, error, job)

    def _edit(self, request: Request, job: Future[Edits]) -> None:
        mixes = [request.mix]
        if job.cancelled():
            return
        for step in self.portrait.steps(mixes, request.seed, request.steps):
            if job.cancelled():
                return
            preview = self.portrait.preview(step.clean)[0] if previewed(step.index, step.total) else None
            self._tell(job, self.events.stepped, step.index + 1, preview)
        self._tell(job, self._finish, self.portrait.finish(step, mixes, request.seed), job)

    def _finish(self, edits: Edits, job: Future[Edits]) -> None:
        self.edits = edits
        self.events.finished(edits)
        job.set_result(edits)

    def _fail(self, error: Exception, job: Future[Edits]) -> None:
        self.events.failed(error, self.edits)
        job.set_exception(error)

    def _tell(self, job: Future[Edits], event: Callable[..., None], *about: Any) -> None:
        """Call `event`, unless the job is cancelled; no cancel and no newer request comes in between."""
        with self._lock:
            if not job.cancelled():
                event(*about)
