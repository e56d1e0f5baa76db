"""Methods at equal strength: what an edit costs where its expression is judged equally strong, not asked equally.

Along the sweep of a task, the first place at which the judged intensity of the target reaches a level; between two
intensities of the sweep everything is interpolated. Tasks that never reach the level are left out, and their share is
told. The article edits at intensity 3, too: there the number that is asked for counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pxs.benchmark.outcome import Outcome

JUDGED = (0.3, 0.5, 1.0)
"""Levels of the judged intensity."""
ASKED = 3.0
"""The highest intensity that the article asks for."""
HEADS = {
    "reached": "reached ↑",
    "asked": "asked",
    "score": "judged",
    "id_sim": "ID Sim ↑",
    "leakage": "leakage ↓",
    "changed_psnr": "PSNR changed ↑",
}
"""reached: the share of the tasks that count; the others are means over these."""


def crossings(scores: np.ndarray, level: float) -> np.ndarray:
    """Where sweeps (T, A) first reach a level, as a place 0..A-1 with a fraction; NaN where they do not, (T,)."""
    found = np.full(len(scores), np.nan)
    for i, row in enumerate(scores):
        reached = np.flatnonzero(row >= level)
        if len(reached):
            j = int(reached[0])
            found[i] = j if j == 0 else j - 1 + (level - row[j - 1]) / (row[j] - row[j - 1])
    return found


def at_strength(outcome: Outcome) -> dict[str, dict[str, float | None]]:
    """The values of HEADS by level: "judged 0.3", ..., and "asked 3" where the sweep has it."""
    o = outcome
    places = {f"judged {level:g}": crossings(o.target_scores, level) for level in JUDGED}
    if ASKED in o.alphas:
        places[f"asked {ASKED:g}"] = np.full(len(o.names), float(o.alphas.index(ASKED)))
    tracks = {
        "asked": np.tile(o.alphas, (len(o.names), 1)),
        "score": o.target_scores,
        "id_sim": o.similarity,
        "leakage": o.leaks,
        "changed_psnr": o.pixels[..., 0],
    }
    return {level: _means(tracks, place) for level, place in places.items()}


def _means(tracks: Mapping[str, np.ndarray], place: np.ndarray) -> dict[str, float | None]:
    """The mean of each track (T, A) over the tasks that have a place (T,)."""
    sound = ~np.isnan(place)
    low = np.floor(place[sound]).astype(int)
    share = place[sound] - low
    found: dict[str, float | None] = {"reached": round(float(sound.mean()), 5)}
    rows = np.arange(len(low))
    for name, track in tracks.items():
        first, second = track[sound][rows, low], track[sound][rows, np.minimum(low + 1, track.shape[1] - 1)]
        values = np.where(share > 0, (1 - share) * first + share * second, first)
        values = values[~np.isnan(values)]
        found[name] = round(float(values.mean()), 5) if len(values) else None
    return found


def by_strength(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures at equal strength as a Markdown table; empty where no method has any."""
    lines = [f"| at equal strength | {' | '.join(HEADS.values())} |", "|---|" + "---|" * len(HEADS)]
    levels = dict.fromkeys(level for row in rows.values() for level in row.get("strength", {}))
    for level in levels:
        for name, row in rows.items():
            found = row.get("strength", {}).get(level)
            if found and found["reached"]:
                lines.append(f"| {level}: **{name}** | {' | '.join(_cell(found[c]) for c in HEADS)} |")
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def _cell(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"
