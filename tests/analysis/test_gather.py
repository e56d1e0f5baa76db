"""Gathering results: one row a run or a record, and clear errors."""

import pytest

import pxs
from analysis.gather import gather, main
from pxs.errors import DataError


def write(folder, seed):
    verdicts = [{"pair": "a", "score": seed / 10}, {"pair": "b", "score": 0.5}]
    counts = {"base": {"coherent": seed}}
    pxs.write_json(folder / f"run{seed}" / "results.json", {"seed": seed, "counts": counts, "verdicts": verdicts})


def test_one_row_a_run(tmp_path):
    for seed in (2, 1):
        write(tmp_path, seed)
    table = gather(tmp_path)
    assert table.run.tolist() == ["run1", "run2"]
    assert table.seed.tolist() == [1, 2]
    assert table["counts.base.coherent"].tolist() == [1, 2]


def test_one_row_a_record(tmp_path):
    for seed in (1, 2):
        write(tmp_path, seed)
    table = gather(tmp_path, "verdicts")
    assert table.run.tolist() == ["run1", "run1", "run2", "run2"]
    assert table.score.tolist() == [0.1, 0.5, 0.2, 0.5]


def test_files_that_cannot_be_gathered_are_named(tmp_path):
    with pytest.raises(DataError, match="no results.json below"):
        gather(tmp_path)
    write(tmp_path, 1)
    with pytest.raises(DataError, match="no list of records 'seeds': choose from verdicts"):
        gather(tmp_path, "seeds")
    (tmp_path / "run1" / "results.json").write_text("[1]")
    with pytest.raises(DataError, match="holds a list"):
        gather(tmp_path)
    (tmp_path / "run1" / "results.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        gather(tmp_path)


def test_the_command_writes_a_table_or_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    write(tmp_path, 1)
    assert main([str(tmp_path), "--records", "verdicts", "--out", str(tmp_path / "t" / "all.csv")]) == 0
    assert (tmp_path / "t" / "all.csv").read_text().splitlines() == ["run,pair,score", "run1,a,0.1", "run1,b,0.5"]
    assert main([str(tmp_path)]) == 0
    assert "run1" in capsys.readouterr().out
