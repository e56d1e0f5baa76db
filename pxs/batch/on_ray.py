"""Work on a Ray cluster, each actor with a model of its own and a GPU where there are any (`work_on_ray`).

The cluster is that of RAY_ADDRESS, or one on this machine. All machines see the pictures and the folder of the results
under the same paths. An actor that is killed is replaced, and the jobs that it had in work are done again.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from pxs.batch.work import Job, Record, Settings, edit_job
from pxs.errors import ModelError, PxsError, one_line
from pxs.optional import require

Work = Callable[[str], str]
"""What is done with a job: from a text to the text of its result."""


class Actor:
    """One worker, with whatever `begin` loads for it."""

    def __init__(self, begin: Callable[[], Work]) -> None:
        self.work = begin()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """From {"number": numbers, "job": jobs} to {"number": the same, "result": their results}."""
        return {"number": list(batch["number"]), "result": [self.work(str(job)) for job in batch["job"]]}


def edit_on_ray(settings: Settings, jobs: Sequence[Job], workers: int) -> Iterator[Record]:
    """The records of all jobs, each once, in the order in which they are finished. Raises as `work_on_ray`."""
    for text in work_on_ray(partial(_editing, settings), [job.to_json() for job in jobs], workers):
        record: Record = json.loads(text)
        yield record


def _editing(settings: Settings) -> Work:
    editor = settings.load()
    return lambda text: json.dumps(edit_job(editor, settings, Job.from_json(text)))


def work_on_ray(begin: Callable[[], Work], jobs: Sequence[str], workers: int) -> Iterator[str]:
    """The results of all jobs, one or more, each once, in the order in which they are finished.

    begin: is called by each actor once, and gives what works on jobs. Raises what that raises of this package's errors,
    and ModelError without Ray, and for a cluster that cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    ray = require("ray", "ray", ModelError)
    data = require("ray.data", "ray", ModelError)
    _connect(ray, workers)
    try:
        gpus = 1 if ray.cluster_resources().get("GPU", 0) else 0
        items = [{"number": number, "job": job} for number, job in enumerate(jobs)]
        table = data.from_items(items, override_num_blocks=min(len(items), 10_000))  # lost with a block: little
        results = table.map_batches(
            Actor,
            fn_constructor_args=(begin,),
            batch_size=1,
            compute=data.ActorPoolStrategy(size=min(workers, len(jobs))),
            num_cpus=0 if gpus else 1,
            num_gpus=gpus,
        )
        known: set[int] = set()
        for row in results.iter_rows():
            if row["number"] not in known:
                known.add(row["number"])
                yield row["result"]
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, PxsError):
            raise cause from None
        raise ModelError(f"Ray ended the run ({one_line(error)}): run the command again to go on") from None
    finally:
        ray.shutdown()


def _connect(ray: Any, workers: int) -> None:
    address = os.environ.get("RAY_ADDRESS")
    local = {} if address else {"num_cpus": max(workers, os.cpu_count() or 1)}
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR", **local)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ModelError(f"the Ray cluster {address or 'here'!r} cannot be used ({one_line(error)})") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = require("ray.data", "ray", ModelError).DataContext.get_current()
    context.enable_progress_bars = False
