"""The ablation trains and measures every variant and seed once, and reports mean and standard deviation."""

import json

import pytest

from analysis import ablation
from pxs.data.ffe import read
from pxs.data.synthetic_ffe import write_synthetic_set
from pxs.training.settings import Settings


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return read(write_synthetic_set(tmp_path_factory.mktemp("ffe"), 3))


def test_discrete_labels_keep_the_category_and_drop_the_scores(rows):
    for before, after in zip(rows, ablation.discrete(rows), strict=True):
        assert after.source == before.source
        for old, new in zip(before.targets, after.targets, strict=True):
            assert dict(new.scores) == {old.category: 1.0} and new.image == old.image


def test_the_table_has_mean_and_deviation_over_seeds():
    empty = dict.fromkeys(ablation.COLUMNS)
    rows = {("a", s): {**empty, "acc_12": v} for s, v in enumerate((0.5, 0.7))} | {("b", 0): {**empty, "acc_12": 1.0}}
    table = ablation.spread(rows)
    assert table["a"] == {"acc_12": [pytest.approx(0.6), pytest.approx(0.02**0.5)]}
    assert table["b"]["acc_12"] == [1.0, 0.0]
    assert "| a | – | 0.600 ± 0.141 |" in ablation.markdown(table, 2, 10)
    assert (
        "| *one-sided* | 0.784 | 0.470 | 0.135 | – | – | 0.794 | 0.649 | 0.640 | 0.425 | – | – |"
        in ablation.markdown(table, 2, 10)
    )


def test_a_second_run_trains_nothing(rows, tmp_path, monkeypatch):
    settings = Settings(steps=1, batch=2, rank=2, precision="no", validation=0)
    arguments = (rows, settings, ["flow only", "discrete labels"], [0], 1, tmp_path)
    first = ablation.ablate(*arguments)
    assert first.keys() == {"flow only", "discrete labels"}
    assert json.loads((tmp_path / "results.json").read_text())["table"].keys() == first.keys()
    contents = {p: p.read_bytes() for p in tmp_path.rglob("records/*.jsonl")}

    def never(*_):
        raise AssertionError("this was finished before")

    monkeypatch.setattr("pxs.training.trainer._Training._step", never)
    monkeypatch.setattr("pxs.benchmark.methods.interpolation.Interpolation.edit", never)
    assert len(contents) == 3  # expression, identity, PSNR
    assert ablation.ablate(*arguments) == first
    assert {p: p.read_bytes() for p in contents} == contents
