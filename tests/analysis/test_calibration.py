"""A calibration is the reverse of what an editor shows, and a file holds it."""

import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from analysis import calibration
from pxs.editing.calibration import Calibration
from pxs.errors import DataError, ExpressionError
from pxs.expressions import DOMAINS, Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity

ASKED = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)


def test_what_is_asked_for_is_then_shown():
    curve = np.sqrt(np.array(ASKED))  # an editor that shows the square root
    found = calibration.fit("hash", {"happy": curve[None].repeat(3, axis=0)}, ASKED)
    for wanted in (0.1, 0.4, 0.9, 1.0):
        asked = found(Mix(happy=wanted))["happy"]
        assert np.interp(asked, ASKED, curve) == pytest.approx(wanted, abs=1e-3)
    assert found(Mix(happy=9))["happy"] == 1.5
    assert found(Mix()) == Mix() and found(Mix(sad=0.3, happy=0.5))["sad"] == 0.3


def test_a_curve_that_falls_is_made_to_rise_as_scikit_learn_does():
    rows = np.array([[0.1, 0.3, 0.2, 0.5, 0.5, 0.9], [0.1, 0.5, 0.4, 0.7, 0.5, 1.1]])
    found = calibration.fit("hash", {"sad": rows}, ASKED)
    expected = IsotonicRegression().fit(ASKED, rows.mean(axis=0) - 0.1).predict(ASKED)
    assert found.asked["sad"][0] == found.shown["sad"][0] == 0
    for asked, shown in zip(found.asked["sad"], found.shown["sad"], strict=True):
        assert shown == pytest.approx(expected[ASKED.index(asked)], abs=1e-4)
    assert len(found.asked["sad"]) == len(np.unique(expected.round(6)))


def test_an_expression_that_never_rises_stays_as_it_is():
    found = calibration.fit("hash", {"shy": np.zeros((2, 6)), "happy": np.array([ASKED])}, ASKED)
    assert found.asked.keys() == {"happy"} and found(Mix(shy=0.5)) == Mix(shy=0.5)


def test_a_file_holds_it_all(tmp_path):
    found = Calibration(
        "hash",
        {"happy": [0, 1.0, 1.5]},
        {"happy": [0, 0.4, 0.8]},
    )
    (tmp_path / "c.json").write_bytes(found.content())
    assert Calibration.load(tmp_path / "c.json") == found


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        ({"happy": {"asked": [0, 1], "shown": [0, 0]}}, "does not rise"),
        ({"happy": {"asked": [0.1, 1], "shown": [0, 1]}}, "does not rise from 0"),
        ({"happy": {"asked": [0, 1], "shown": [0, 0.5, 1]}}, "differ in length"),
        ({"happy": {"asked": [0, 1]}}, "no calibration"),
        ({"happy": 3}, "no calibration"),
        ([], "no calibration"),
    ],
)
def test_a_wrong_file_is_refused(curves, said, tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"adapter": "hash", "curves": curves}))
    with pytest.raises(DataError, match=said):
        Calibration.load(tmp_path / "c.json")
    with pytest.raises(DataError, match="no calibration"):
        Calibration.load(tmp_path / "missing.json")


def test_an_unknown_expression_is_refused():
    with pytest.raises(ExpressionError, match="joy"):
        Calibration("hash", {"joy": [0, 1]}, {"joy": [0, 1]})


@pytest.fixture
def few(monkeypatch):
    """Two of the expressions are measured."""
    monkeypatch.setattr(calibration, "EXPRESSIONS", ("happy", "fear"))


def test_what_a_method_shows_is_measured_by_the_nearest_drawing(few):
    def edit(task, mixes):
        person = Identity.sample(int(task.name.split("_")[1]))
        return [draw(person, Mix({name: a / 2 for name, a in mix.items()}), task.domain) for mix in mixes]

    found = calibration.measure(edit, [200_001], (0.0, 0.5, 1.0))
    assert list(found) == ["happy", "fear"]
    for rows in found.values():
        assert rows.shape == (len(DOMAINS), 3) and rows == pytest.approx(np.array([[0, 0.25, 0.5]] * 2), abs=0.026)


def test_the_file_beside_an_adapter_is_not_replaced_unasked(capsys):
    assert calibration.main(["--people", "1"]) == 2
    assert "adapter.calibration.json" in capsys.readouterr().err
    assert calibration.main(["--method", "kslider"]) == 2
    assert "--out is missing" in capsys.readouterr().err


def test_the_command_measures_curves_that_rise(few, tmp_path, capsys):
    assert calibration.main(["--out", str(tmp_path / "c.json"), "--people", "1", "--steps", "2"]) == 0
    found = Calibration.load(tmp_path / "c.json")
    assert found.asked and all((np.diff(found.shown[name]) > 0).all() for name in found.asked)
    assert str(tmp_path / "c.json") in capsys.readouterr().out
