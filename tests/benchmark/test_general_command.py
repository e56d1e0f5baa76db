"""`pxs bench` with general editors: what cannot run is a row, what costs money is told first, nothing is paid twice."""

import csv
import json
import shutil

import pytest
from local_server import KEY
from local_service import Service, openai, picture_file

from pxs.benchmark.methods.local import EDITORS
from pxs.benchmark.methods.services import SERVICES
from pxs.cli import main
from pxs.commands import bench as command
from pxs.commands.editor_flags import LOCAL, REMOTE


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for one in SERVICES.values():
        monkeypatch.delenv(one.key, raising=False)
    with Service() as server:
        server.answers = [openai(picture_file())]
        yield server


def bench(out, service, *more, methods=("source", "gpt_image")):
    urls = [f"{name}={service.url}" for name in REMOTE]
    flags = ["--tasks", 2, "--editor-urls", *urls, *more]
    return main(["bench", "--methods", *methods, "--out", str(out), *map(str, flags)])


def test_flags_name_the_editors_there_are_and_all_means_none_of_them():
    assert set(LOCAL) == set(EDITORS) and set(REMOTE) == set(SERVICES)
    assert not {*LOCAL, *REMOTE} & set(command.ALL)


def test_a_missing_key_is_a_row_and_the_bench_goes_on(tmp_path, service, capsys):
    assert bench(tmp_path, service) == 0
    said = capsys.readouterr()
    reason = "no key: set OPENAI_API_KEY"
    assert f"pxs: gpt_image was not run: {reason}" in said.err
    (row,) = [line for line in said.out.splitlines() if line.startswith("| **gpt_image**")]
    assert row.endswith(f"| – | not run: {reason} |")
    assert json.loads((tmp_path / "results.json").read_text())["gpt_image"]["not_run"] == reason
    rows = {row["method"]: row for row in csv.DictReader((tmp_path / "table.csv").read_text().splitlines())}
    assert rows["gpt_image"]["not_run"] == reason and rows["source"]["id_sim"] == "1.0"
    assert service.requests == [] and service.looked == 0


def test_a_class_that_diffusers_lacks_is_a_row_of_the_articles_table_too(tmp_path, service, capsys, monkeypatch):
    monkeypatch.setattr("pxs.benchmark.methods.local.lacking", lambda kind: f"diffusers has no {kind}")
    flags = ("--protocol", "paper", "--identity-judge", "mini")
    assert bench(tmp_path, service, *flags, methods=["source", "joyimage_edit"]) == 0
    said = capsys.readouterr()
    assert "| **joyimage_edit** | not run: diffusers has no JoyImageEditPipeline | – |" in said.out
    assert "pxs: joyimage_edit was not run: diffusers has no JoyImageEditPipeline\n" in said.err


def test_the_cost_is_told_first_and_nothing_is_paid_twice(tmp_path, service, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    out, prices = tmp_path / "out", ("--editor-prices", "gpt_image=0.25")
    assert bench(out, service, *prices, "--estimate") == 0
    expected = "gpt_image: 2 tasks, 2 requests at least, about 0.50 in the currency of the prices\n"
    assert capsys.readouterr().out == expected
    assert not out.exists() and service.requests == [] and service.looked == 0
    assert bench(out, service, *prices) == 0
    told = capsys.readouterr()
    assert f"pxs: editing: {expected}" in told.err and service.looked == 1
    assert "pxs: gpt_image: 2 answers of the service, 0 from the cache, cost at most 0.5000" in told.err
    assert len(service.requests) == 2
    monkeypatch.delenv("OPENAI_API_KEY")
    shutil.rmtree(out / "edits" / "gpt_image")  # the answers are kept apart
    for cached in (2, 0):
        assert bench(out, service) == 0
        told = capsys.readouterr()
        assert "gpt_image: 2 tasks, 0 requests" in told.err and "was not run" not in told.err
        assert f"0 answers of the service, {cached} from the cache" in told.err
    assert len(service.requests) == 2 and service.looked == 1


def test_a_general_editor_stands_in_general_editing_and_its_row_says_what_alpha_means(
    tmp_path, service, capsys, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert bench(tmp_path, service) == 0
    editing, control = capsys.readouterr().out.split("| linear control")
    assert "| **gpt_image** |" in editing and "| **gpt_image** |" not in control and "| **source** |" in control
    assert "gpt_image: general editors have no intensity" in editing and "Acc-12" in editing and "CLS-12" in control
    row = json.loads((tmp_path / "results.json").read_text())["gpt_image"]
    assert row["general"] and row["cls_12"] is None and row["beyond"] == {} and row["acc_12"] is not None
    (pair,) = json.loads((tmp_path / "comparisons.json").read_text())["pairs"]
    assert "id_sim" in pair and not {"cls_12", "leakage", "intensity_error"} & set(pair)
    table = (tmp_path / "table.md").read_text()
    editing, control = table.split("| linear control")
    assert "*GPT-Image-1.5*" in editing and "*GPT-Image-1.5*" not in control and "*SliderEdit*" in control


def test_a_refusal_is_a_failed_task_and_another_prompt_is_another_edit(tmp_path, service, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    blocked = (400, {"error": {"message": "rejected by the safety system", "code": "moderation_blocked"}})
    service.answers = [openai(picture_file()), blocked]
    assert bench(tmp_path / "out", service) == 0
    said = capsys.readouterr()
    assert "pxs: gpt_image failed on dev_anime_001: GPT-Image refused: " in said.err
    row = json.loads((tmp_path / "out" / "results.json").read_text())["gpt_image"]
    assert (row["failed"], row["failed_pictures"]) == (1, 13)
    service.answers = [blocked]
    assert bench(tmp_path / "all", service) == 0  # that a service refuses all is a result
    assert json.loads((tmp_path / "all" / "results.json").read_text())["gpt_image"]["failed"] == 2
    asked = len(service.requests)
    picture = tmp_path / "face.png"
    picture.write_bytes(picture_file("tan", (64, 64)))
    for prompt in ("Make the person smile", "Make the person laugh"):
        rows = [{"image": "face.png", "expression": "happy", "box": [0, 0, 64, 64], "prompt": prompt}]
        (tmp_path / "tasks.json").write_text(json.dumps(rows))
        service.answers = [openai(picture_file())]
        assert bench(tmp_path / "own", service, "--bench", tmp_path / "tasks.json") == 0
    prompts = [request.fields["prompt"] for request in service.requests[asked:]]
    assert prompts == ["Make the person smile", "Make the person laugh"]
