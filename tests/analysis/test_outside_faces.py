"""Tests of the command that asks outside judges; the judges themselves are optional and not needed here."""

import pytest

from analysis import outside_faces
from analysis.outside_faces import GROUPS, main, model_file, rank_correlation
from pxs.errors import JudgeError
from pxs.faces.identity import SEED_RANGES


def test_rank_correlation_is_that_of_spearman():
    assert rank_correlation([0.1, 0.2, 0.4, 0.9]) == pytest.approx(1)
    assert rank_correlation([3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([0.1, 0.3, 0.2]) == pytest.approx(0.5)
    assert rank_correlation([1, 1, 1]) == 0


def test_a_missing_package_ends_in_one_line_that_says_what_to_install(monkeypatch, capsys):
    def nothing(name):
        raise ImportError(name=name)

    monkeypatch.setattr(outside_faces.importlib, "import_module", nothing)
    assert main(["--people", "1"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and "ai_edge_litert" in lines[0] and "pip install" in lines[0]


def test_a_missing_model_file_is_named():
    with pytest.raises(JudgeError, match="no_such_package.*pip install"):
        model_file("no_such_package/model.tflite")


def test_people_for_setting_strengths_and_for_reporting_are_different_and_no_training_uses_them():
    start, other = GROUPS["calibrate"], GROUPS["report"]
    assert abs(start - other) >= 1000
    assert start in SEED_RANGES["gallery"] and other in SEED_RANGES["gallery"]
