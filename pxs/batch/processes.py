"""Editing with several processes of this machine, each with a model of its own (`edit_in_processes`).

The pictures are handed out one by one. A process that is killed, as by a system short of memory, takes no more with it
than the pictures in work; each of them is then edited by a process alone, and given up if that is killed twice.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import TYPE_CHECKING

from pxs.batch.work import Job, Record, Settings, edit_job, failed

if TYPE_CHECKING:
    from pxs.editing.editor import Editor


def edit_here(settings: Settings, jobs: Sequence[Job]) -> Iterator[Record]:
    """The records of all jobs, edited by this process."""
    editor = settings.load()
    for job in jobs:
        yield edit_job(editor, settings, job)


def edit_in_processes(settings: Settings, jobs: Sequence[Job], workers: int) -> Iterator[Record]:
    """The records of all jobs, in the order in which they are finished. Raises what loading the model raises."""
    waiting = deque(jobs)
    while waiting:
        running: dict[Future[Record], Job] = {}
        try:
            with _pool(settings, min(workers, len(waiting))) as pool:
                while waiting or running:
                    while waiting and len(running) < workers:
                        job = waiting[0]
                        running[pool.submit(_edit, job)] = job
                        waiting.popleft()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield future.result()
                        del running[future]
        except BrokenProcessPool:
            yield from (_edit_alone(settings, job) for job in running.values())


def _edit_alone(settings: Settings, job: Job) -> Record:
    """The record of a job that was in work when a process ended, from a process for it alone; two, if need be."""
    for _ in range(2):
        try:
            with _pool(settings, 1) as pool:
                return pool.submit(_edit, job).result()
        except BrokenProcessPool:
            continue
    return failed(job, "the process that edited it alone was killed, twice: is there enough memory?")


def _pool(settings: Settings, workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads of torch may hang
    numbers = context.SimpleQueue()
    for number in range(workers):
        numbers.put(number)
    return ProcessPoolExecutor(workers, context, _begin, (settings, workers, numbers))


class _Process:
    """What a process keeps from one picture to the next."""

    settings: Settings
    place: tuple[int, int]
    editor: Editor | None = None


def _begin(settings: Settings, workers: int, numbers: multiprocessing.SimpleQueue[int]) -> None:
    """Be one of `workers` processes; end with the parent, which alone answers Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Process.settings, _Process.place = settings, (numbers.get(), workers)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _edit(job: Job) -> Record:
    if _Process.editor is None:
        _Process.editor = _Process.settings.load(*_Process.place)
    return edit_job(_Process.editor, _Process.settings, job)
