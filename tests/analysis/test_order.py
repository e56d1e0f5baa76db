"""Tests of the comparison of orders: tau counted by hand, what is missing, a broken folder."""

import itertools
import json

import pytest

from analysis.order import main, markdown, order
from pxs.benchmark.published import PUBLISHED
from pxs.errors import DataError

FIVE = {"saedit": -0.0183, "kslider": -0.0459, "slideredit": 0.5599, "base": 0.6892, "pixelsmile": 0.8078}


def rows(**values):
    return {name: {"cls_6": value} for name, value in values.items()}


def test_the_published_figures_are_in_the_published_order():
    found = order(rows(**FIVE), "cls_6")
    assert (found.tau, found.p) == pytest.approx((1, 2 / 120))
    assert [name for name, *_ in found.methods][0] == "PixelSmile" and len(found.methods) == 5
    assert all(published == here for _, published, here in found.methods)


def test_tau_counts_the_pairs_in_the_same_order():
    here = {**FIVE, "pixelsmile": 0.1, "saedit": 0.3}
    pairs = list(itertools.combinations(FIVE, 2))
    same = sum((FIVE[a] - FIVE[b]) * (here[a] - here[b]) > 0 for a, b in pairs)
    assert order(rows(**here), "cls_6").tau == pytest.approx((2 * same - len(pairs)) / len(pairs))


def test_methods_that_were_not_measured_are_left_out():
    assert order(rows(base=0.5, pixelsmile=0.9, words=1.0), "cls_6") is None
    assert order({**rows(**FIVE), "saedit": {"cls_6": None}}, "cls_6").methods[-1][0] == "K-Slider"
    with pytest.raises(DataError, match="fewer than 3"):
        markdown(rows(base=0.5))


def test_the_command_prints_the_table_of_a_bench(tmp_path, capsys):
    (tmp_path / "results.json").write_text(json.dumps(rows(**FIVE)))
    assert main([str(tmp_path)]) == 0
    assert "| CLS-6 ↑ | PixelSmile 0.81, 0.81; " in capsys.readouterr().out
    (tmp_path / "results.json").write_text("{")
    assert main([str(tmp_path)]) == 2
    assert "results.json cannot be read" in capsys.readouterr().err


def test_the_names_are_those_of_the_article():
    from analysis.order import SAME

    assert set(SAME) <= set(PUBLISHED)
