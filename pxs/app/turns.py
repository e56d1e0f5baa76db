"""`Turns`: whose turn it is, when many wait for one model."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """A queue in which each of those who ask stands at most once, so that nobody can hold up the others.

    Who asks again while waiting keeps the place; who was served goes to the end. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._waiting: list[T] = []
        self._closed = False
        self._changed = threading.Condition()

    def ask(self, who: T) -> None:
        """Stand in the queue, unless `who` does already."""
        with self._changed:
            if who not in self._waiting:
                self._waiting.append(who)
                self._changed.notify()

    def leave(self, who: T) -> None:
        """Leave the queue; nothing happens to one who does not wait."""
        with self._changed:
            if who in self._waiting:
                self._waiting.remove(who)

    def next(self) -> T | None:
        """Take the first out of the queue, and wait for one to come; None once `close` was called."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            return None if self._closed else self._waiting.pop(0)

    def close(self) -> None:
        """Let `next` return None from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def waiting(self) -> tuple[T, ...]:
        """Those who wait, the first of them first."""
        with self._changed:
            return tuple(self._waiting)
