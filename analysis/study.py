"""A study tried before people are asked: methods with known faults (drawn faces that jump, or become somebody else),
raters who are simulated, and how wide the intervals are with few or many of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from analysis.figures import bare
from pxs.data.synthetic_bench import SyntheticTruth
from pxs.data.tasks import Task
from pxs.errors import DataError
from pxs.expressions import Mix
from pxs.storage.files import output_folder, replace_file
from pxs.study.answers import Given, check_answer
from pxs.study.bench import Bench
from pxs.study.key import Key
from pxs.study.plan import Size, plan_study
from pxs.study.results import results_of
from pxs.study.simulated import People, Taste, simulate

TASTE: Taste = {
    "even": {"continuity": 4.3, "identity": 4.5},
    "jumpy": {"continuity": 2.0, "identity": 4.3},
    "stranger": {"continuity": 3.5, "identity": 1.7},
}
"""What people would say of these methods, by assumption: their mean answers, 1 to 5."""


def checked(key: Key, files: Sequence[Mapping[str, Any]]) -> Given:
    """The answers in the values of files, as `pxs study score` reads them."""
    by_rater = {one["rater"]: [check_answer(key, one["rater"], said) for said in one["answers"]] for one in files}
    return {rater: {answer.item: answer for answer in answers} for rater, answers in by_rater.items()}


def taste_of(methods: Sequence[str]) -> Taste:
    """What simulated raters say of these methods: TASTE, and 3 on both scales of any other."""
    return {method: TASTE.get(method, {"continuity": 3, "identity": 3}) for method in methods}


def simulated_answers(key: Key, folder: Path, careless: int, seed: int) -> list[Path]:
    """Write the file of each simulated rater of a study, as the page saves it; the last `careless` click at random."""
    files = []
    for said in simulate(key, taste_of(key.methods), People(careless=careless), seed):
        files.append(output_folder(folder) / f"{said['rater']}.json")
        replace_file(files[-1], json.dumps(said).encode())
    return files


def interval_widths(bench: Bench, counts: Sequence[int], questions: int, seed: int) -> dict[int, float]:
    """For each number of simulated raters, the mean width over methods of the 95% interval of continuity, in points."""
    widths = {}
    for count in counts:
        key = plan_study(bench, Size(count, questions=questions), seed).key
        found = results_of(key, checked(key, simulate(key, taste_of(key.methods), seed=seed)), {})
        ends = [row["continuity"]["interval"] for row in found["methods"].values()]
        widths[count] = sum(high - low for low, high in ends) / len(ends)
    return widths


def width_figure(widths: Mapping[int, float]) -> Figure:
    """The widths of `interval_widths` over the number of raters."""
    figure = Figure(figsize=(5.6, 3.2), layout="constrained")
    axes = bare(figure.subplots())
    axes.plot(list(widths), list(widths.values()), marker="o", color="#0072B2")
    axes.set(xlabel="raters", ylabel="mean width of 95% interval (points)", ylim=(0, None))
    axes.set_title("continuity")
    return figure


def _person(task: Task) -> SyntheticTruth:
    if not isinstance(task.truth, SyntheticTruth):
        raise DataError(f"{task.name} is no drawn face: these methods draw")
    return task.truth


class Even:
    """The requested mix, drawn: no fault."""

    provenance = {"method": "even"}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One picture a mix."""
        return [_person(task)(mix) for mix in mixes]


class Jumpy:
    """Each intensity rounded to a whole number: the expression comes at once, in the middle of the sweep."""

    provenance = {"method": "jumpy"}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One picture a mix."""
        return [_person(task)(Mix({name: float(round(value)) for name, value in mix.items()})) for mix in mixes]


class Stranger:
    """The requested mix, but the person fades into another as it grows."""

    provenance = {"method": "stranger"}

    def edit(self, task: Task, mixes: Sequence[Mix]) -> list[Image.Image]:
        """One picture a mix."""
        person = _person(task)
        other = replace(person, number=person.number + 1)
        return [Image.blend(person(mix), other(mix), min(1.0, max(mix.values(), default=0))) for mix in mixes]
