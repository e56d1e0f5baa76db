"""The cost of approximate ways: the comparison and the results file. No test checks a time."""

import json

import numpy as np
import pytest

from analysis.performance import approximate
from analysis.performance.approximate import AGAIN, ALPHAS, EXACT, SAME, Edited, cost
from pxs.benchmark.judge import Judges
from pxs.data.synthetic_bench import mini_bench


def made(seconds, level, scores):
    shape = (len(ALPHAS), 4, 4, 3)
    return Edited(seconds, [np.full(shape, level)], np.array([scores]), np.full((1, len(ALPHAS)), 0.9))


def test_the_cost_compares_a_way_with_the_exact_one():
    exact = made(6.0, 0.5, [0.0, 0.25, 0.5, 0.75, 1.0])
    same = cost(exact, exact)
    assert (same.ratio, same.psnr_median, same.psnr_worst, same.intensity_at_1) == (1, SAME, SAME, 1)
    assert same.cls_12 == pytest.approx(1) and same.id_sim == pytest.approx(0.9)
    other = made(2.0, 0.5, [1.0, 0.75, 0.5, 0.25, 0.0])
    other.pixels[0][-1] += 0.01  # one of five edits, by 40 dB
    found = cost(other, exact)
    assert found.ratio == 3 and found.psnr_median == SAME and found.psnr_worst == pytest.approx(40, abs=0.01)
    assert found.cls_12 == pytest.approx(-1) and found.intensity_at_1 == 0


def test_a_way_with_fewer_steps_takes_fewer(monkeypatch):
    taken = []
    edit = approximate.Editor.open

    def opened(editor, *given):
        portrait = edit(editor, *given)
        own = portrait.edit
        portrait.edit = lambda mixes, steps, progress: taken.append(steps) or own(mixes, steps=1, progress=progress)
        return portrait

    monkeypatch.setattr(approximate.Editor, "open", opened)
    both = Judges(approximate.expression_judge(), approximate.identity_judge())
    result = approximate.edited(approximate.WAYS["half the steps"], mini_bench()[:1], both, 8)
    assert taken == [2, 4]  # the first is the warm-up
    assert result.scores.shape == result.similarity.shape == (1, len(ALPHAS))
    assert result.pixels[0].shape == (len(ALPHAS), 128, 128, 3)


def test_ways_whose_package_is_missing_are_left_out(monkeypatch):
    monkeypatch.setattr(approximate, "find_spec", lambda name: None)
    assert {"int8", "nf4"}.isdisjoint(approximate.ways()) and "fp8" in approximate.ways()
    assert list(approximate.ways())[0] == EXACT and list(approximate.ways())[-1] == AGAIN


def test_the_command_prints_and_writes_every_way(monkeypatch, tmp_path, capsys):
    names = (EXACT, "reuse 0.2", AGAIN)
    monkeypatch.setattr(approximate, "WAYS", {name: approximate.WAYS[name] for name in names})
    assert approximate.main(["--tasks", "1", "--steps", "8", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["ways"]) == set(names) and all(f"| {name} |" in printed for name in names)
    again, reused = results["ways"][AGAIN], results["ways"]["reuse 0.2"]
    assert again["psnr_worst"] == SAME and 30 < reused["psnr_worst"] < SAME


def test_too_few_tasks_are_refused(capsys):
    assert approximate.main(["--tasks", "0"]) == 2
    assert "tasks 0 is too small" in capsys.readouterr().err
