"""The log of a training: one row per step, one JSON line per row in log.jsonl, and the figures computed from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pxs.storage.files import append_line, replace_file

RECENT = 50  # steps that the mean losses of the results are taken over
LOSSES = ("loss", "flow", "contrast", "identity")

LogRow = dict[str, Any]
"""One step: "step" (counted from 1), the losses by name (None if not finite), "moved" (whether the weights were
updated), "rate" (learning rate), "seconds", and "validation" (flow loss) after steps that computed it."""


class TrainingLog:
    """The rows of a training, oldest first. `file` is log.jsonl, None in a process that does not write."""

    def __init__(self, file: Path | None, rows: Sequence[LogRow] = ()) -> None:
        self.file = file
        self.rows = list(rows)

    def write(self) -> None:
        """Replace the file by the rows."""
        if self.file:
            replace_file(self.file, "".join(json.dumps(row) + "\n" for row in self.rows).encode())

    def add(
        self,
        losses: Mapping[str, float],
        moved: bool,
        rate: float,
        seconds: float,
        validation: float | None = None,
    ) -> None:
        """Append the row of the next step, here and in the file. Losses that are not finite become None.

        Raises OutputError if the file cannot be written, for example because the disk is full.
        """
        finite = {name: value if math.isfinite(value) else None for name, value in losses.items()}
        row = {"step": len(self.rows) + 1, **finite, "moved": moved, "rate": rate, "seconds": seconds}
        self.rows.append(row if validation is None else {**row, "validation": validation})
        if self.file:
            append_line(self.file, json.dumps(self.rows[-1]))

    def skipped(self, count: int) -> bool:
        """Whether none of the last `count` steps updated the weights; False while there are fewer steps."""
        return len(self.rows) >= count and not any(row["moved"] for row in self.rows[-count:])

    def figures(self) -> dict[str, Any]:
        """Figures for results.json. Losses and steps per second: means over the last RECENT steps."""
        recent = self.rows[-RECENT:]
        validation = [row["validation"] for row in self.rows if "validation" in row]
        return {
            **{name: _mean([row[name] for row in recent]) for name in LOSSES if name in recent[-1]},
            "steps_left_out": sum(not row["moved"] for row in self.rows),
            "validation": validation[-1] if validation else None,
            "seconds": sum(row["seconds"] for row in self.rows),
            "steps_per_second": len(recent) / sum(row["seconds"] for row in recent),
        }


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are not None; None if all are."""
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None
