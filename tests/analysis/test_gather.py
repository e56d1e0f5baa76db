"""Gathering results: one row a run or a record, and clear errors."""

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
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
    assert (tmp_path / "t" / "all.csv").read_text().splitlines() == [
        "run,state,pair,score",
        "run1,finished,a,0.1",
        "run1,finished,b,0.5",
    ]
    assert main([str(tmp_path)]) == 0
    assert "run1" in capsys.readouterr().out


def test_lists_of_numbers_are_columns_and_other_lists_stay(tmp_path):
    content = {"scales": [0, 1], "nested": {"p": [0.1, None]}, "matrix": [[1, 2]], "empty": []}
    pxs.write_json(tmp_path / "a" / "results.json", content)
    (row,) = gather(tmp_path).to_dict("records")
    assert (row["scales.0"], row["scales.1"], row["nested.p.0"]) == (0, 1, 0.1)
    assert row["matrix"] == [[1, 2]] and row["empty"] == [] and "scales" not in row


NOTEBOOK = """
import json, time
from pathlib import Path
if number == 2:
    raise ValueError("no twos")
if number > 2:
    (Path(out_dir) / "started").touch()
    time.sleep(600)
(Path(out_dir) / "results.json").write_text(json.dumps({"seen": number}))
"""


def test_runs_that_failed_were_killed_or_did_not_begin_are_told(tmp_path, capsys):
    parameters = nbformat.v4.new_code_cell("number: int = 1\nout_dir: str = 'out'", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(NOTEBOOK)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "some.ipynb")
    out = tmp_path / "runs"
    command = [sys.executable, "-m", "analysis.sweep", tmp_path / "some.ipynb", "-p", "number", "1:4", "--out", out]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as sweep:
        while not (out / "number=3" / "started").exists():
            assert sweep.poll() is None
            time.sleep(0.1)
        os.killpg(sweep.pid, signal.SIGKILL)
    states = {"number=1": "finished", "number=2": "failed", "number=3": "killed", "number=4": "missing"}
    table = gather(out)
    assert dict(zip(table.run, table.state, strict=True)) == states
    assert table.number.tolist() == [1, 2, 3, 4] and table.seen.tolist()[0] == 1

    (out / "plan.json").unlink()  # then the notebooks themselves tell, but for what did not begin
    del states["number=4"]
    assert dict(gather(out)[["run", "state"]].itertuples(index=False)) == states
    assert main([str(out), "--out", str(tmp_path / "all.csv")]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "python -m analysis.gather: number=2 is failed",
        "python -m analysis.gather: number=3 is killed",
    ]
    assert json.loads((out / "number=2" / "run.json").read_text())["error"]
