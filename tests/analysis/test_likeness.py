"""Likeness of rendered people: distances whose values are known from angles, and the command with a stand-in."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from analysis import likeness
from analysis.likeness import Recogniser, distances, figures, in_its_scale, main
from pxs.errors import JudgeError
from pxs.expressions import EXPRESSIONS
from pxs.judging.outside.dlib import DlibIdentity


def at(*degrees):
    """Unit vectors at these angles."""
    return [(math.cos(math.radians(d)), math.sin(math.radians(d))) for d in degrees]


def chord(degrees):
    return 2 * math.sin(math.radians(degrees) / 2)


PEOPLE = np.array([at(0, 10, -25), at(90, 91, 92), at(70, 70, 71)])
"""Three people, neutral and in two expressions; the second and the third look alike."""
BY = Recogniser("angles", None, 0.45, 0.4)


def test_distances_are_chords_and_every_pair_is_there_once():
    others, own = distances(PEOPLE)
    assert others[np.triu_indices(3, 1)] == pytest.approx([chord(90), chord(70), chord(20)])
    assert np.isnan(others).sum() == 6
    assert own == pytest.approx(np.array([[chord(10), chord(25)], [chord(1), chord(2)], [0, chord(1)]]))


def test_figures_name_the_nearest_people_and_the_farthest_expression():
    found = figures([7, 8, 9], PEOPLE, BY)
    assert (found["smallest"], found["nearest"]) == (round(chord(20), 3), [8, 9])
    assert (found["pairs"], found["share_too_near"]) == (3, pytest.approx(1 / 3, abs=1e-4))
    assert (found["largest"], found["farthest"]) == (round(chord(25), 3), [7, EXPRESSIONS[1]])
    assert (found["same"], found["share_too_far"]) == (6, pytest.approx(1 / 6, abs=1e-4))
    assert found["too_far"] == {EXPRESSIONS[1]: 1}
    assert (found["apart"], found["together"], found["without_a_face"]) == (0.45, 0.4, 0)


def test_pictures_without_a_face_are_left_out_and_counted():
    blind = PEOPLE.copy()
    blind[2, 0] = blind[0, 2] = 0
    found = figures([7, 8, 9], blind, BY)
    assert (found["smallest"], found["nearest"], found["pairs"]) == (round(chord(90), 3), [7, 8], 1)
    assert (found["largest"], found["same"], found["without_a_face"]) == (round(chord(10), 3), 3, 2)
    blind[1:, 0] = 0
    with pytest.raises(JudgeError, match="too few pictures"):
        figures([7, 8, 9], blind, BY)


def test_dlib_is_taken_by_its_descriptors_and_others_by_unit_vectors_with_goals_from_their_own_thresholds():
    dlib = object.__new__(DlibIdentity)
    dlib.name = "dlib 1f2e"
    found = in_its_scale(dlib)
    assert (found.name, found.embed) == ("dlib 1f2e descriptors", dlib.describe)
    assert (found.apart, found.together) == pytest.approx((0.45, 0.40))
    arcface = SimpleNamespace(name="arcface buffalo_l 5c1d", embed=len)  # one person from a cosine of 0.4
    found = in_its_scale(arcface)
    assert (found.name, found.embed) == (arcface.name, len)
    threshold = chord(math.degrees(math.acos(0.4)))
    assert (found.apart, found.together) == pytest.approx((0.75 * threshold, threshold / 1.5))


def test_the_command_writes_figures_and_a_figure_and_a_second_run_asks_nobody(tmp_path, monkeypatch, features, capsys):
    monkeypatch.setattr(likeness, "recognisers", lambda: [features])
    assert main(["--people", "2", "--out", str(tmp_path)]) == 0
    written = (tmp_path / "results.json").read_text()
    found = json.loads(written)["recognisers"]["pixels"]
    assert (found["pairs"], found["same"], found["nearest"]) == (1, 24, [431_000, 431_001])
    said = capsys.readouterr().out
    assert f"| pixels | {found['smallest']:.2f} (431000, 431001) | " in said and "26 pictures" in said
    assert (tmp_path / "likeness.svg").exists()
    with Image.open(tmp_path / "likeness.png") as figure:
        assert figure.width > 1000
    monkeypatch.setattr(type(features), "embed", None)
    assert main(["--people", "2", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "results.json").read_text() == written


@pytest.mark.parametrize(
    "wrong", [["--people", "1"], ["--people", "x"], ["--first", "-1"], ["--first", str(2**64 - 3)], ["--out", ""]]
)
def test_a_mistake_is_one_line_and_nothing_is_written(wrong, tmp_path, monkeypatch, features, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(likeness, "recognisers", lambda: [features])
    assert main(["--out", "new", *wrong]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_without_any_recogniser_nothing_is_rendered(tmp_path, monkeypatch, capsys):
    def none():
        raise JudgeError("no recogniser of photographs is installed (dlib: pip install ...)")

    monkeypatch.setattr(likeness, "recognisers", none)
    assert main(["--out", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "new").exists()
