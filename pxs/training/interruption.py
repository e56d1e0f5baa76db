"""SIGTERM asks a training to stop: it finishes its step, saves its state and ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sigterm_event() -> Iterator[threading.Event]:
    """An event that SIGTERM sets; on exit the previous handler is restored.

    Python handles signals in the main thread only. In another thread the event is never set.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGTERM, previous)
