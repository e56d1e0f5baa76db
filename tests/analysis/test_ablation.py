"""The ablation: its plan, its labels, cells that processes share and that survive a kill, and a cell for real."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from analysis import ablation
from analysis.ablation_report import SHOWN, contrasts_of, levels_of, write_report
from pxs.data.ffe import read
from pxs.data.synthetic_ffe import write_synthetic_set
from pxs.errors import DataError
from pxs.expressions import CONFUSABLE
from pxs.training.settings import Settings

PARTNER = {a: b for pair in CONFUSABLE for a, b in (pair, pair[::-1])}
SETTINGS = Settings(steps=2, batch=2, rank=2, precision="no", validation=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_synthetic_set(tmp_path_factory.mktemp("ffe"), 4)


def test_the_plan_crosses_all_factors_and_has_the_rows_of_the_article():
    cells = ablation.cells_of(ablation.PLANS, range(5))
    assert Counter(cell.seed for cell in cells) == dict.fromkeys(range(5), 18)
    work = ablation.Work(None, SETTINGS, 8, ablation.Path("out"))
    assert len({ablation.place(work, cell) for cell in cells}) == 85  # both plans have the one without identity loss
    crossed = {(c.labels, c.kind, *c.changes.items()) for c in cells if c.name.count(",") == 2}
    assert len(crossed) == 12
    curved = {c.name for c in cells if c.curved}
    assert curved == {"clean, scores, one-sided", "clean, scores, symmetric", "no identity loss"}
    full = SETTINGS.updated({})
    for cell in cells[12:18]:
        assert (cell.labels, cell.kind) == ("clean", "scores")
        assert (full.updated(cell.changes) == full) == (cell.name == "full")


def test_confused_labels_exchange_both_names_of_a_pair_in_some_rows(data):
    rows = read(data) * 100
    swapped = ablation.confused(rows, 1)
    changed = 0
    for before, after in zip(rows, swapped, strict=True):
        pairs = list(zip(before.targets, after.targets, strict=True))
        assert all(old.image == new.image and old.score == new.score for old, new in pairs)
        names = [[(t.category, dict(t.scores)) for t in row.targets] for row in (before, after)]
        partners = [(PARTNER.get(n, n), {PARTNER.get(k, k): v for k, v in s.items()}) for n, s in names[0]]
        assert names[1] in (names[0], partners)
        changed += names[1] == partners != names[0]
    confusable = sum(any(k in PARTNER for t in row.targets for k in t.scores) for row in rows)
    assert 0.2 < changed / confusable < 0.4
    assert ablation.confused(rows, 1) == swapped != ablation.confused(rows, 2)


def test_one_hot_labels_keep_the_category_and_drop_the_scores(data):
    rows = read(data)
    for before, after in zip(rows, ablation.one_hot(rows), strict=True):
        for old, new in zip(before.targets, after.targets, strict=True):
            assert dict(new.scores) == {old.category: 1.0} and (new.image, new.category) == (old.image, old.category)


def test_tasks_are_those_of_dev_and_rich_in_confusable_expressions():
    tasks = ablation.dev_tasks(16, ablation.SWEEP)
    assert len(tasks) == 16 and sum(t.expression in PARTNER for t in tasks) == 12
    assert all(t.name.startswith("dev_") for t in tasks)


def content(cell, figures):
    return {"cell": {"name": cell.name, "seed": cell.seed}, "figures": figures, "curve": {}, "seconds": 1.0}


def test_the_report_finds_the_effects_that_were_put_in(tmp_path):
    rng = np.random.default_rng(0)
    cells = []
    for cell in ablation.cells_of(ablation.PLANS, range(5)):
        value = 0.4 - 0.3 * (cell.labels == "clean") + (0.2 if cell.name == "hinge" else 0)
        figures = {m: value + rng.normal(0, 0.02) for m in SHOWN} | {"tasks": 48}
        cells.append(content(cell, figures))
    found = write_report(cells, tmp_path)
    for measure in SHOWN:
        clean = found["effects"][measure]["clean − confused"]
        assert clean["value"] == pytest.approx(-0.3, abs=0.02) and clean["high"] < -0.25 and clean["p"] < 1e-6
        assert found["against full"][measure]["hinge − full"]["low"] > 0.1
    assert set(found["effects"]["mscr"]) == set(contrasts_of(levels_of(cells)))
    text = (tmp_path / "table.md").read_text()
    assert "clean − confused" in text and "*one-sided*" in text and not (tmp_path / "curve.png").exists()
    assert json.loads((tmp_path / "results.json").read_text())["means"] == found["means"]


STUB = """
import json, os, sys, time
from pathlib import Path
from analysis import ablation
from pxs.training.settings import Settings
def slow(work, cell):
    with open(work.folder / "log", "a") as log:
        log.write(f"{cell.name} {cell.seed}\\n")
    time.sleep(0.3)
    file = ablation.place(work, cell) / "cell.json"
    file.write_text("{}")
ablation.do_cell = slow
work = ablation.Work(Path(sys.argv[1]), Settings(), 8, Path(sys.argv[2]))
ablation.share(work, ablation.cells_of(["factorial"], [0, 1]))
"""


def test_processes_share_the_cells_and_what_a_killed_one_left_is_done_again(tmp_path):
    def start():
        return subprocess.Popen([sys.executable, "-c", STUB, "data", str(tmp_path)])

    first, second = start(), start()
    log = tmp_path / "log"
    while not log.exists() or log.read_text().count("\n") < 6:
        assert first.poll() is None or second.poll() is None
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.wait() == 0
    begun = Counter(log.read_text().splitlines())
    assert len(begun) == 24 and sum(begun.values()) <= 25  # the killed one may have been in the middle of a cell
    assert len(list(tmp_path.rglob("cell.json"))) == 24


def test_a_cell_is_trained_measured_along_its_training_and_not_done_twice(data, tmp_path, monkeypatch):
    work = ablation.Work(data, SETTINGS, 4, tmp_path)
    (cell,) = [c for c in ablation.cells_of(["factorial"], [0]) if c.name == "clean, scores, symmetric"]
    monkeypatch.setattr(ablation, "STEPS_OF_EDITS", 2)
    first = ablation.ablate(work, [cell], 1)
    assert list(first["curve"]) == [] or set(first["curve"][cell.name]) == {1, 2}
    figures = first["means"][cell.name]
    assert figures["changed_psnr"][0] > 5 and figures["measured"][2] == 1
    written = json.loads((ablation.place(work, cell) / "cell.json").read_text())
    folder = ablation.place(work, cell) / "training"
    early, last = (file.read_bytes() for file in sorted((folder / "adapters").iterdir()))
    assert early != last == (folder / "adapter.safetensors").read_bytes()
    assert set(written["curve"]) == {"1", "2"} and written["figures"]["tasks"] == 4

    def never(*_):
        raise AssertionError("this was finished before")

    monkeypatch.setattr(ablation, "do_cell", never)
    assert ablation.ablate(work, [cell], 1) == json.loads(json.dumps(first))
    with pytest.raises(DataError, match="other data, settings or tasks"):
        ablation.ablate(ablation.Work(data, SETTINGS.updated({"lr": 0.1}), 4, tmp_path), [cell], 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "none.jsonl"], "'none.jsonl' is not a file"),
        (["--tasks", "3"], "tasks 3 hold no confusable pairs"),
        (["--plan", "all"], "invalid choice: 'all'"),
        (["--seeds", "-1"], "seed -1 is too small"),
        (["--workers", "0"], "workers 0 is too small"),
    ],
)
def test_a_mistake_is_one_line_with_status_2_and_nothing_written(data, tmp_path, capsys, arguments, says):
    out = tmp_path / "out"
    assert ablation.main(["--data", str(data), "--out", str(out), *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1 and not out.exists()
