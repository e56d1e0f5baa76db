"""Who does the work of a stage: this process (`here`), or the actors of a Ray cluster (`OnRay`).

A stage plans its jobs and keeps its manifest itself; an engine does the jobs and gives their records, in any order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from pxs.batch.on_ray import Work, work_on_ray
from pxs.ffe import manifest

T = TypeVar("T")
J = TypeVar("J")
R = TypeVar("R", bound=manifest.Record)


class Engine(Protocol):
    """Does jobs: `work` gets the tools and a job, and gives its records, which are of type `kind`."""

    def __call__(
        self, work: Callable[[T, J], Iterable[R]], tools: T, jobs: Sequence[J], kind: type[R]
    ) -> Iterator[R]: ...


def here(work: Callable[[T, J], Iterable[R]], tools: T, jobs: Sequence[J], kind: type[R]) -> Iterator[R]:
    """The records of all jobs, made by this process one after the other."""
    for job in jobs:
        yield from work(tools, job)


@dataclass(frozen=True)
class OnRay:
    """Actors of a Ray cluster, see batch/on_ray.py. load: gives an actor tools of its own, such as a model."""

    load: Callable[[], Any]
    workers: int

    def __call__(self, work: Callable[[T, J], Iterable[R]], tools: T, jobs: Sequence[J], kind: type[R]) -> Iterator[R]:
        """The records of all jobs, each once. Raises as `work_on_ray`."""
        if not jobs:
            return
        numbers = [str(number) for number in range(len(jobs))]
        for text in work_on_ray(partial(_begin, self.load, work, list(jobs)), numbers, self.workers):
            for entry in json.loads(text):
                yield manifest.decoded(kind, entry)


def _begin(load: Callable[[], T], work: Callable[[T, J], Iterable[manifest.Record]], jobs: Sequence[J]) -> Work:
    tools = load()
    return lambda number: json.dumps([asdict(record) for record in work(tools, jobs[int(number)])])
