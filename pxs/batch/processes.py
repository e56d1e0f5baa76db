"""Editing with several processes of this machine, each with a model of its own (`edit_in_processes`).

The pictures are handed out one by one. A process that is killed, as by a system short of memory, takes no more with it
than the pictures in work; they are handed out again, and given up when that happened ATTEMPTS times.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import TYPE_CHECKING

from pxs.batch.work import Job, Record, Settings, edit_job, failed

if TYPE_CHECKING:
    from pxs.editing.editor import Editor

ATTEMPTS = 3


def edit_here(settings: Settings, jobs: Sequence[Job]) -> Iterator[Record]:
    """The records of all jobs, edited by this process."""
    editor = settings.load()
    for job in jobs:
        yield edit_job(editor, settings, job)


def edit_in_processes(settings: Settings, jobs: Sequence[Job], workers: int) -> Iterator[Record]:
    """The records of all jobs, in the order in which they are finished. Raises what loading the model raises."""
    waiting, strikes = deque(jobs), Counter[Job]()
    while waiting:
        running: dict[Future[Record], Job] = {}
        try:
            with _pool(settings, min(workers, len(waiting))) as pool:
                while waiting or running:
                    while waiting and len(running) < workers:
                        job = waiting.popleft()
                        running[pool.submit(_edit, job)] = job
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield future.result()
                        del running[future]
        except BrokenProcessPool:
            waiting.extendleft(running.values())
            strikes.update(running.values())
            for job in [job for job in waiting if strikes[job] >= ATTEMPTS]:
                waiting.remove(job)
                yield failed(job, f"the process ended {ATTEMPTS} times while editing it: is there enough memory?")


def _pool(settings: Settings, workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads of torch may hang
    numbers = context.SimpleQueue()
    for number in range(workers):
        numbers.put(number)
    return ProcessPoolExecutor(workers, context, _begin, (settings, workers, numbers))


class _Process:
    """What a process keeps from one picture to the next."""

    settings: Settings
    device: str | None = None
    editor: Editor | None = None


def _begin(settings: Settings, workers: int, numbers: multiprocessing.SimpleQueue[int]) -> None:
    """Share processors and GPUs between the processes; end with the parent, which alone answers Ctrl-C."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    _Process.settings = settings
    if torch.cuda.device_count() > 1 and not numbers.empty():
        _Process.device = f"cuda:{numbers.get() % torch.cuda.device_count()}"


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _edit(job: Job) -> Record:
    if _Process.editor is None:
        _Process.editor = _Process.settings.load(_Process.device)
    return edit_job(_Process.editor, _Process.settings, job)
