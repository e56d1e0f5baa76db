"""Sweeps of a notebook: what is varied, what is done once, what fails, and what a kill leaves."""

import json
import subprocess
import sys
import time

import nbformat
import pandas as pd
import psutil
import pytest

from analysis.sweep import Run, finished, main, plan, table, values_of
from pxs.errors import DataError, UsageError
from pxs.expressions import EXPRESSIONS

CODE = """
import json, os, time
from pathlib import Path
time.sleep(pause)
if word == "bad":
    raise ValueError("a bad word")
with open(Path(out_dir).parent / "log.txt", "a") as log:
    log.write(f"{word} {number}\\n")
Path(out_dir, "results.json").write_text(json.dumps({"twice": 2 * number, "inner": {"word": word}}))
"""


@pytest.fixture
def notebook(tmp_path):
    """A notebook that takes a second."""
    made = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[
            nbformat.v4.new_code_cell(
                'word = "a"\nnumber = 1\npause = 0.0\nout_dir = "out"', metadata={"tags": ["parameters"]}
            ),
            nbformat.v4.new_code_cell(CODE),
        ],
    )
    nbformat.write(made, tmp_path / "small.ipynb")
    return tmp_path / "small.ipynb"


def call(notebook, *words):
    return main([str(notebook), *words, "--out", str(notebook.parent / "runs")])


def log(notebook):
    return sorted((notebook.parent / "runs" / "log.txt").read_text().split("\n")[:-1])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("happy", ["happy"]),
        ("happy,sad", ["happy", "sad"]),
        ("3:6", [3, 4, 5, 6]),
        ("-1:1", [-1, 0, 1]),
        ("0.5,1", [0.5, 1]),
        ("[0, 1]", [[0, 1]]),
        ("true", [True]),
        ("all", list(EXPRESSIONS)),
    ],
)
def test_the_values_that_a_text_names(text, values):
    assert values_of(text) == values


@pytest.mark.parametrize("text", ["", "a,,b", "a,a", "5:1", "0:99999999", "[0", "1,1"])
def test_texts_that_name_no_values_are_refused(text):
    with pytest.raises(UsageError):
        values_of(text)


def test_there_is_a_run_for_each_combination(notebook, tmp_path):
    runs = plan(notebook, {"word": ["a", "b"], "number": [1, 2, 3]}, tmp_path)
    assert [tuple(run.parameters.values()) for run in runs] == [(w, n) for w in "ab" for n in (1, 2, 3)]
    assert len({run.folder for run in runs}) == 6
    odd = plan(notebook, {"word": ["../evil", "x" * 300, "a/b", "a_b"]}, tmp_path)
    assert len({run.folder for run in odd}) == 4
    assert all(run.folder.parent == tmp_path and len(run.folder.name) < 200 for run in odd)


def test_what_cannot_be_varied_is_refused(notebook, tmp_path):
    with pytest.raises(DataError, match="no parameter 'words' to vary: choose from word, number, pause"):
        plan(notebook, {"words": [1]}, tmp_path)
    with pytest.raises(DataError, match="no parameter 'out_dir'"):
        plan(notebook, {"out_dir": ["a"]}, tmp_path)
    with pytest.raises(DataError, match="more than"):
        plan(notebook, {"number": range(200), "pause": range(200)}, tmp_path)
    (tmp_path / "no.ipynb").write_text("{")
    with pytest.raises(DataError, match="no notebook that can be read"):
        plan(tmp_path / "no.ipynb", {"a": [1]}, tmp_path)


def test_runs_are_executed_once_and_failures_are_named(notebook, capsys):
    assert call(notebook, "-p", "word", "a,bad", "-p", "number", "1:2", "--workers", "2") == 1
    told = capsys.readouterr()
    assert [line.split(" failed: ")[0][-17:] for line in told.err.splitlines()] == [
        "word=bad,number=1", "word=bad,number=2",
    ]  # fmt: skip
    assert "a bad word" in told.err and told.out.strip().endswith("sweep.csv")
    assert log(notebook) == ["a 1", "a 2"]
    rows = pd.read_csv(notebook.parent / "runs" / "sweep.csv")
    assert rows.twice.tolist()[:2] == [2, 4] and rows.twice.isna().tolist() == [False, False, True, True]
    assert rows.columns.tolist()[:4] == ["run", "word", "number", "error"]
    assert call(notebook, "-p", "word", "a", "-p", "number", "1:3") == 0
    assert log(notebook) == ["a 1", "a 2", "a 3"]


def test_a_changed_notebook_is_run_again(notebook):
    assert call(notebook, "-p", "number", "1") == 0
    notebook.write_text(notebook.read_text().replace("2 * number", "3 * number"))
    assert call(notebook, "-p", "number", "1") == 0
    assert log(notebook) == ["a 1", "a 1"]
    assert json.loads((notebook.parent / "runs" / "number=1" / "results.json").read_text())["twice"] == 3


def test_a_killed_sweep_goes_on(notebook):
    out = notebook.parent / "runs"
    command = [sys.executable, "-m", "analysis.sweep", str(notebook), "-p", "number", "1:2", "-p", "pause", "1.5"]
    process = subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (out / "number=1,pause=1.5" / "run.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    below = psutil.Process(process.pid).children(recursive=True)
    for killed in (process, *below):
        killed.kill()
    process.wait()
    psutil.wait_procs(below)
    assert call(notebook, "-p", "number", "1:2", "-p", "pause", "1.5") == 0
    assert log(notebook).count("a 1") == 1


def test_a_manifest_counts_only_for_its_parameters(tmp_path):
    run = Run(tmp_path, {"number": 1})
    assert not finished(run, "key")
    (tmp_path / "run.json").write_text(json.dumps({"parameters": {"number": 1}, "notebook": "key", "error": ""}))
    assert finished(run, "key") and not finished(run, "other") and not finished(Run(tmp_path, {"number": 2}), "key")
    assert table([run]).to_dict("records") == [{"run": tmp_path.name, "number": 1, "error": ""}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-p", "word", "a", "-p", "word", "b"], "given twice"),
        (["-p", "word", ""], "are empty"),
        (["-p", "word", "a", "--workers", "0"], "workers"),
        (["-p", "word"], "expected 2 arguments"),
        ([], "required"),
    ],
)
def test_wrong_arguments_give_one_line(words, said, notebook, capsys):
    assert call(notebook, *words) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and said in told
    assert not (notebook.parent / "runs").exists()
