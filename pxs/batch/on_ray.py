"""Editing on a Ray cluster, each actor with a model of its own and a GPU where there are any (`edit_on_ray`).

The cluster is that of RAY_ADDRESS, or one on this machine. All machines see the pictures and the folder of the results
under the same paths. An actor that is killed is replaced, and its pictures are edited again.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from pxs.batch.work import Job, Record, Settings, edit_job
from pxs.errors import ModelError, PxsError, one_line
from pxs.optional import require


class Actor:
    """One model, which edits the jobs of the batches that it is given."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.editor = settings, settings.load()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """From {"job": jobs} to {"record": their records}, all as JSON."""
        jobs = [Job.from_json(str(text)) for text in batch["job"]]
        return {"record": [json.dumps(edit_job(self.editor, self.settings, job)) for job in jobs]}


def edit_on_ray(settings: Settings, jobs: Sequence[Job], workers: int) -> Iterator[Record]:
    """The records of all jobs, each once, in the order in which they are finished.

    Raises ModelError without Ray, and for a cluster that cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    ray = require("ray", "ray", ModelError)
    data = require("ray.data", "ray", ModelError)
    _connect(ray, workers)
    try:
        gpus = 1 if ray.cluster_resources().get("GPU", 0) else 0
        items = [{"job": job.to_json()} for job in jobs]
        table = data.from_items(items, override_num_blocks=min(len(items), 10_000))  # lost with a block: little
        records = table.map_batches(
            Actor,
            fn_constructor_args=(settings,),
            batch_size=1,
            compute=data.ActorPoolStrategy(size=min(workers, len(jobs))),
            num_cpus=0 if gpus else 1,
            num_gpus=gpus,
        )
        known: set[str] = set()
        for row in records.iter_rows():
            record: Record = json.loads(row["record"])
            if record["source"] not in known:
                known.add(record["source"])
                yield record
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
