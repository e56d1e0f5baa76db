"""The measure of many pictures sums up its samples, and writes what it prints. No test checks a time."""

import json

import pytest

from analysis.performance import many
from analysis.performance.many import Result, Sample
from pxs.errors import PxsError


def test_loading_is_left_out_and_the_halves_of_memory_are_apart():
    samples = [Sample(0, 0, 9), Sample(10, 1, 10**9), Sample(11, 3, 2 * 10**9), Sample(14, 9, 3 * 10**9)]
    found = many.summed(samples, 9, 20.0)
    assert found == Result(8 / 4, 20.0, 2.0, 3.0)
    with pytest.raises(PxsError, match="too fast"):
        many.summed(samples[:1] + samples[-1:], 9, 1.0)


def test_the_command_prints_and_writes_every_number_of_workers(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(many, "draw_faces", lambda count, folder: None)
    monkeypatch.setattr(many, "measure", lambda folder, out, workers, steps: Result(2.0 * workers, 5.0, 1.0, 1.0))
    assert many.main(["--pictures", "5", "--out", str(tmp_path)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1:4] for line in table[2:4]] == [[" 1 ", " 2.00 ", " 1.00 "], [" 2 ", " 4.00 ", " 2.00 "]]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["workers"]["2"]["pictures_a_second"] == 4.0


@pytest.mark.parametrize("flags", [["--pictures", "1"], ["--workers", "0"], ["--steps", "0"]])
def test_numbers_that_cannot_be_measured_are_refused(flags, capsys):
    assert many.main(flags) == 2
    assert capsys.readouterr().err.count("\n") == 1
