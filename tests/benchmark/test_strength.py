"""Figures of pixels and at equal strength, on pictures and sweeps whose values are known."""

import numpy as np
import pytest
from PIL import Image

from pxs.benchmark.judge import Record
from pxs.benchmark.outcome import Outcome
from pxs.benchmark.run import run
from pxs.benchmark.strength import at_strength, by_strength, crossings
from pxs.benchmark.table import by_part, summary, write_results
from pxs.data.levels import STANDARD, Levels
from pxs.data.tasks import Task
from pxs.expressions import EXPRESSIONS, Mix
from pxs.judging.nearest import nearest_intensity

SIDE = 32


def half(level, rest=0, size=SIDE):
    """A black picture whose left half has a grey level, and whose right half another."""
    pixels = np.zeros((size, size, 3), np.uint8)
    pixels[:, : size // 2], pixels[:, size // 2 :] = round(level), rest
    return Image.fromarray(pixels)


def truth(mix, size=None):
    return half(100 * min(mix["happy"], 2), size=size or SIDE)


def test_the_nearest_intensity_is_exact_between_rungs_and_ends_at_the_last():
    found = nearest_intensity([half(37), half(0), half(120, rest=9), half(255)], truth, "happy")
    np.testing.assert_allclose(found, [0.37, 0, 1.2, 2], atol=1e-9)


class Painter:
    """Edits half as strongly as asked, and lightens what should stay by 51 levels."""

    def edit(self, task, mixes):
        return [half(50 * mix["happy"], rest=51) for mix in mixes]


def test_pixels_that_change_and_that_stay_are_compared_apart(judges, tmp_path):
    task = Task("t", expression="happy", box=(0, 0, SIDE, SIDE), truth=truth, part="plain")
    records = run({"m": Painter()}, [task], judges, tmp_path, progress=False)
    (record,) = records["m"]
    row = summary([record])
    assert row["changed_psnr"] == pytest.approx(-20 * np.log10(50 / 255), abs=1e-2)
    assert row["kept_psnr"] == pytest.approx(-20 * np.log10(51 / 255), abs=1e-2)
    assert row["measured"] == pytest.approx(0.5, abs=1e-3)
    assert row["measured_error"] == pytest.approx(np.mean(STANDARD.linear) / 2, abs=1e-3)
    assert record.pixels[0][0] is None  # nothing changes at intensity 0
    assert row["parts"]["plain"]["changed_psnr"] == row["changed_psnr"]
    text = by_part(write_results(records, tmp_path))
    assert "| **m**, plain | 1 |" in text and text in (tmp_path / "table.md").read_text()


def test_a_mixed_source_counts_what_the_edit_must_take_away(judges, tmp_path):
    task = Task("t", expression="happy", box=(0, 0, SIDE, SIDE), truth=truth, before=Mix(happy=1))
    (record,) = run({"m": Painter()}, [task], judges, tmp_path, progress=False)["m"]
    assert record.pixels[0][0] == pytest.approx(60)  # black, as the truth at 0: the source was not
    assert record.pixels[STANDARD.full][0] is None


def test_a_level_is_crossed_where_the_line_between_two_judgements_meets_it():
    sweeps = np.array([[0, 0.2, 0.6, 0.4], [0.5, 0, 1, 1], [0, 0, 0, 0.1]])
    np.testing.assert_allclose(crossings(sweeps, 0.3), [1.25, 0, np.nan])
    np.testing.assert_allclose(crossings(sweeps, 0.6), [2, 1.6, np.nan])


def record(name, scores, similarity, pixels):
    rows = [[0.0] * len(EXPRESSIONS) for _ in scores]
    for row, score in zip(rows, scores, strict=True):
        row[0], row[1] = score, 0.1
    return Record(name, "human", "happy", rows, similarity, pixels, levels=Levels((0.0, 0.5, 1.0), (3.0,)))


def test_methods_are_compared_where_they_are_judged_equally_strong():
    o = Outcome(
        [
            record("a", [0, 0.6, 0.8, 1], [1, 0.8, 0.6, 0.4], [[None, 50, 0], [20, 50, 0], [30, 50, 0], [40, 50, 0]]),
            record("b", [0, 0.1, 0.2, 0.2], [1, 1, 1, 1], []),
        ]
    )
    found = at_strength(o)
    assert found["judged 0.3"] == {
        **{"reached": 0.5, "asked": 0.25, "score": 0.3, "id_sim": 0.9, "leakage": 0.1},
        "changed_psnr": None,
    }
    assert found["judged 1"]["asked"] == 3 and found["judged 1"]["changed_psnr"] == 40
    assert found["asked 3"]["reached"] == 1 and found["asked 3"]["score"] == pytest.approx(0.6)
    text = by_strength({"m": {"strength": found}})
    assert "| judged 0.5: **m** | 0.500 | 0.417 |" in text and by_strength({}) == ""
