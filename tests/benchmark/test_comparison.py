"""Methods are compared task by task, and figures have intervals that are never a point."""

import json

import pytest
from scipy import stats

from pxs.benchmark.comparison import compare, differences
from pxs.benchmark.run import run
from pxs.benchmark.table import summary, write_results


def test_methods_are_compared_task_by_task(tasks, judges, fakes, tmp_path):
    swap = {"fear": "surprised", "surprised": "fear"}
    methods = {"good": fakes.Painter(), "bad": fakes.Painter(confuse=lambda e: swap.get(e, e))}
    records = run(methods, tasks, judges, tmp_path, progress=False)
    (pair,) = compare(records)
    assert (pair["first"], pair["second"]) == ("good", "bad")
    accuracy = pair["acc_12"]
    assert (accuracy["difference"], accuracy["tasks"]) == (pytest.approx(4 / 24, abs=1e-5), 24)
    assert accuracy["p"] == pytest.approx(stats.binomtest(0, 4).pvalue)
    assert (pair["acc_6"]["tasks"], pair["mscr"]["tasks"], pair["mscr"]["difference"]) == (12, 8, -0.5)
    assert pair["id_sim"]["p"] == 1 and "separability" not in pair
    tests = [entry for entry in pair.values() if isinstance(entry, dict)]
    assert len(tests) == 9 and all(test["p"] <= test["holm"] <= 1 for test in tests)
    text = differences([pair])
    assert text.count("\n") == 3 and "**good** − **bad** | +0.333 (" in text and differences([]) == ""
    write_results(records, tmp_path)
    assert json.loads((tmp_path / "comparisons.json").read_text()) == {"pairs": [pair]}
    assert text in (tmp_path / "table.md").read_text()


def test_intervals_are_exact_for_shares_and_never_a_point(tasks, judges, fakes, tmp_path):
    ends = summary(run({"m": fakes.Painter()}, tasks, judges, tmp_path, progress=False)["m"])["intervals"]
    assert ends["acc_12"] == pytest.approx([0.025 ** (1 / 24), 1], abs=1e-5)
    assert ends["acc_6"] == pytest.approx([0.025 ** (1 / 12), 1], abs=1e-5)
    assert ends["mscr"] == pytest.approx([0, 1 - 0.025 ** (1 / 8)], abs=1e-5)
    assert ends["separability"] == pytest.approx([0.025 ** (1 / 2), 1], abs=1e-5)
    assert all(low < high for low, high in ends.values())
