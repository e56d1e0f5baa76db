"""`pxs bench` writes what it prints, tells what failed, and refuses mistakes in one line before it writes."""

import json

import pytest
from local_endpoint import Endpoint
from PIL import Image

from pxs.benchmark.methods import METHODS
from pxs.cli import main
from pxs.commands import bench as command
from pxs.data.synthetic_bench import SPLITS, mini_bench
from pxs.data.tasks import write_bench
from pxs.errors import JudgeError
from pxs.expressions import EXPRESSIONS


def _files(folder):
    """Every picture and record with its time of writing."""
    return {f: f.stat().st_mtime_ns for f in folder.rglob("*") if f.suffix == ".png" or f.name == "edits.json"}


def bench(out, *more, methods=("truth", "source")):
    return main(["bench", "--methods", *methods, "--out", str(out), *map(str, more)])


def test_the_command_names_all_methods_and_splits_there_are():
    assert {*command.OWN, *command.GENERAL} == set(METHODS) and command.SPLITS == SPLITS


def test_it_writes_the_table_that_it_prints_and_goes_on_where_it_was(tmp_path, capsys):
    assert bench(tmp_path, "--tasks", 2) == 0
    said = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert said.splitlines()[-1] == str(tmp_path / "results.json")
    assert set(said.splitlines()[:-1]) <= set((tmp_path / "table.md").read_text().splitlines())
    assert results["truth"]["acc_12"] == 1 and results["source"]["cls_12"] == 0
    before = _files(tmp_path)
    assert bench(tmp_path, "--tasks", 2) == 0
    assert _files(tmp_path) == before


def test_the_two_splits_are_of_other_people_and_a_test_refuses_those_of_dev(tmp_path, capsys):
    for split in command.SPLITS:
        assert bench(tmp_path / split, "--tasks", 1, "--split", split, methods=["truth"]) == 0
        assert [f.name for f in (tmp_path / split / "edits" / "truth").glob(f"{split}_*")] == [f"{split}_human_000"]
    capsys.readouterr()
    written = write_bench(mini_bench("dev")[:2], tmp_path / "set").parent
    assert bench(tmp_path / "out", "--bench", written, "--split", "test", methods=["truth"]) == 2
    said = capsys.readouterr().err
    assert "person 300000 (2 in all) is one of 'dev'" in said and not (tmp_path / "out").exists()
    assert bench(tmp_path / "out", "--bench", written, methods=["truth"]) == 0


def test_a_set_of_which_nothing_can_be_used_is_refused(tmp_path, capsys):
    Image.new("RGB", (64, 64), "tan").save(tmp_path / "a.png")
    rows = [
        {"image": "a.png", "expression": "happy"},
        {"image": "a.png", "expression": "hapy", "box": [0, 0, 9, 9]},
        {"image": "gone.png", "expression": "sad", "box": [0, 0, 9, 9]},
    ]
    (tmp_path / "tasks.json").write_text(json.dumps(rows))
    assert bench(tmp_path / "out", "--bench", tmp_path / "tasks.json", methods=["source"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no task that can be used" in said and "face box None" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tasks", "0"], "tasks 0 is too small"),
        (["--tasks", "many"], "'many' is not a whole number"),
        (["--bench", "nowhere"], "neither a folder nor downloaded"),
        (["--expression-judge", "oracle"], "unknown expression judge 'oracle'"),
        (["--identity-judge", "mother"], "unknown identity judge 'mother'"),
        (["--expression-judge", "endpoint"], "--judge-url and --judge-model"),
        (["--methods", "trut"], "unknown method 'trut'"),
        (["--methods", "truth", "truth"], "named twice"),
    ],
)
def test_a_mistake_is_one_line_with_status_2_and_nothing_written(tmp_path, capsys, arguments, says):
    assert bench(tmp_path / "out", *arguments) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert bench(tmp_path / "file" / "out", "--tasks", 1) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--reuse", "2"], "reuse 2 is too large"),
        (["--memory", "tiny"], "unknown memory mode 'tiny'"),
        (["--attention", "flsh"], "unknown attention 'flsh'"),
        (["--lora-path", "none.safetensors"], "none.safetensors"),
    ],
)
def test_a_model_that_cannot_be_loaded_ends_the_run(tmp_path, capsys, flags, says):
    method = "pixelsmile" if "--lora-path" in flags else "base"
    assert bench(tmp_path, "--tasks", 1, *flags, methods=["source", method]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    done = {f.relative_to(tmp_path).parts[1] for f in tmp_path.rglob("*.png")}
    assert done == set() if flags[0] in ("--reuse", "--memory") else done == {"source"}  # what was done stays


def test_the_articles_protocol_writes_its_table_and_says_who_judged(tmp_path, capsys):
    flags = ("--tasks", 2, "--protocol", "paper", "--alpha-max", 1.5, "--identity-judge", "mini")
    assert bench(tmp_path, *flags) == 0
    said = capsys.readouterr().out
    paper = json.loads((tmp_path / "paper.json").read_text())
    assert said.splitlines()[-1] == str(tmp_path / "paper.json")
    assert paper["judges"]["identity"][0] in said and "Acc-12" in said
    assert [point[0] for point in paper["methods"]["truth"]["curve"]] == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 3]
    assert paper["methods"]["truth"]["cls_12"] > 0.9 > 0.1 > paper["methods"]["source"]["area"]


def test_recognisers_of_photographs_are_taken_as_far_as_they_are_installed(monkeypatch):
    from pxs import judging

    def known(name):
        if name in missing:
            raise JudgeError(f"{name} is not installed")
        return name

    monkeypatch.setattr(judging, "identity_judge", known)
    missing = {"arcface"}
    assert judging.recognisers() == ["facenet", "dlib"]
    missing = set(judging.RECOGNISERS)
    with pytest.raises(JudgeError, match="no recogniser .*arcface is not installed.*dlib is not installed"):
        judging.recognisers()


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    with Endpoint() as server:
        server.answers = [json.dumps(dict.fromkeys(EXPRESSIONS, 0.25))]
        yield server


def test_the_cost_of_an_endpoint_is_estimated_first_and_nothing_is_paid_twice(tmp_path, capsys, endpoint):
    asks = ("--expression-judge", "endpoint", "--judge-url", endpoint.url, "--judge-model", "seer")
    flags = ("--tasks", 1, "--protocol", "paper", "--identity-judge", "mini", *asks, "--judge-prices", 2, 10)
    out = tmp_path / "out"
    assert bench(out, *flags, "--estimate") == 0
    said = capsys.readouterr().out
    assert said.startswith("14 pictures, 14 requests at least; about ") and "in the currency" in said
    assert not out.exists() and not endpoint.requests
    assert bench(out, *flags) == 0
    told = capsys.readouterr().err
    assert "pxs: judging: 14 pictures, 14 requests at least" in told
    asked = len(endpoint.requests)
    assert f"pxs: {asked} answers of the endpoint" in told and "cost 0.0" in told
    assert 2 <= asked < 14  # all edits of the source are one picture
    assert bench(out, *flags, "--estimate") == 0
    assert capsys.readouterr().out.startswith("14 pictures, 0 requests")
    assert bench(out, *flags) == 0
    assert len(endpoint.requests) == asked
