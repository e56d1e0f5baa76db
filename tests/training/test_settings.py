"""Settings are checked when they are created; the learning rate follows warm-up and cosine."""

import json

import pytest

from pxs.errors import TrainingError
from pxs.training.settings import Settings


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"steps": 0}, "steps 0 is too small"),
        ({"lr": float("nan")}, "lr nan"),
        ({"lr": "fast"}, "lr 'fast'"),
        ({"batch": 2.5}, "batch 2.5"),
        ({"batch": True}, "batch True"),
        ({"contrast": "both"}, "choose from symmetric, one_sided, none"),
        ({"validation": 1.0}, "validation 1 is too large"),
        ({"compile": "yes"}, "not of type bool"),
        ({"shift": 0}, "shift 0"),
        ({"conditioning": "all"}, "choose from category, scores"),
        ({"stepz": 3}, "unknown settings ['stepz']"),
    ],
)
def test_an_invalid_setting_is_named(changes, expected):
    with pytest.raises(TrainingError) as error:
        Settings().updated(changes)
    assert expected in str(error.value) and "\n" not in str(error.value)


def test_settings_come_from_json(tmp_path):
    (tmp_path / "s.json").write_text(json.dumps({"rank": 8, "lr": 1}))
    assert Settings.load(tmp_path / "s.json") == Settings(rank=8, lr=1)
    for content in ("{", "[1]"):
        (tmp_path / "s.json").write_text(content)
        with pytest.raises(TrainingError):
            Settings.load(tmp_path / "s.json")
    with pytest.raises(TrainingError, match="cannot be read"):
        Settings.load(tmp_path / "none.json")


def test_the_rate_rises_linearly_and_falls_to_0():
    s = Settings(steps=100, warmup=10, lr=1.0)
    assert s.rate(0) == pytest.approx(0.1, abs=1e-3)
    assert max(s.rate(i) for i in range(100)) == pytest.approx(s.rate(9), abs=1e-9)
    assert s.rate(50) == pytest.approx(0.5)
    assert 0 < s.rate(99) < 1e-3
