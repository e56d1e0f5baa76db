"""`pxs edit` of many pictures, presets and formats, with the embedded model and with a stand-in."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
from batch_stand_in import BAD, StandIn
from PIL import Image

from pxs.cli import main
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.images import read_text


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """The command edits by a stand-in for the model."""
    monkeypatch.setattr("pxs.batch.work.Settings", lambda *given: StandIn(*given, tmp_path / "log"))


def edit(*given, out):
    return main(["edit", *map(str, given), "--output-dir", str(out)])


def test_a_run_of_the_embedded_model_equals_edits_of_one(editor, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("pxs.editing.editor.load", lambda *_, **__: editor)
    (tmp_path / "faces").mkdir()
    for number in (1, 2):
        draw(Identity.sample(number)).save(tmp_path / "faces" / f"{number}.png")
    (tmp_path / "p.json").write_text('{"mix": {"happy": 0.5}, "seed": 3, "steps": 2}')
    flags = ("--preset", tmp_path / "p.json", "--format", "webp")
    assert edit(tmp_path / "faces", *flags, out=tmp_path / "out") == 0
    assert capsys.readouterr().out.startswith("2 edited, 0 done before, 0 failed\n")
    assert edit(tmp_path / "faces" / "1.png", *flags, out=tmp_path / "one") == 0
    many, one = (tmp_path / folder / "1_happy_0.5.webp" for folder in ("out", "one"))
    text = read_text(many)
    assert text.pop("key") and text == read_text(one) and (text["seed"], text["steps"]) == ("3", "2")
    with Image.open(many) as first, Image.open(one) as second:
        assert first.tobytes() == second.tobytes()


def test_flags_outrank_a_preset(stand_in, photos, tmp_path):
    assert edit(photos, "--preset", "sad", "--seed", 5, out=tmp_path / "out") == 0
    first = json.loads((tmp_path / "out" / "index.jsonl").read_text().splitlines()[0])
    assert (first["seed"], first["steps"], first["files"][0]["mix"]) == (5, 50, {"sad": 1.0})


def test_failures_are_named_at_the_end_and_give_status_1(stand_in, photos, tmp_path, capsys):
    for index in range(25):
        Image.new("RGB", (32, 32), BAD).save(photos / f"bad{index:02}.png")
    assert edit(photos, "--preset", "happy", out=tmp_path / "out") == 1
    said = capsys.readouterr()
    assert said.out.startswith("6 edited, 0 done before, 25 failed\n")
    lines = said.err.splitlines()
    assert lines[0] == "pxs: bad00.png: it cannot be edited" and lines[-1] == "pxs: and 5 more: see index.jsonl"
    assert len(lines) == 21


def test_warnings_are_said_once(stand_in, photos, tmp_path, capsys):
    for index in range(3):
        Image.new("I", (32, 32), 200 + index).save(photos / f"deep{index}.tif")
    assert edit(photos, "--preset", "happy", out=tmp_path / "out") == 0
    assert [line.partition(": ")[0] for line in capsys.readouterr().err.splitlines()] == ["pxs"] * 3


def test_the_page_needs_no_other_file_and_escapes_names(stand_in, photos, tmp_path):
    Image.new("RGB", (32, 32), "red").save(photos / "<b>&'\".png")
    os.link(photos / "face0.png", os.fsencode(photos) + b"/\xff.png")
    (photos / "<script>.png").write_text("no picture")
    assert edit(photos, "--preset", "happy", out=tmp_path / "out") == 1
    page = (tmp_path / "out" / "gallery.html").read_text()
    assert page.count("data:image/webp;base64,") == 2 * 8
    assert "<b>&'" not in page and "<script>.png" not in page and "&lt;script&gt;.png" in page
    assert not re.search(r"(src|href)=\"?(https?:|//)", page)
    links = re.findall(r'class="frame after" href="(.*?)"', page)
    assert "below/face4_happy_1.png" in links and "%FF_happy_1.png" in links


@pytest.mark.parametrize("workers", ["2"])
def test_on_ray_a_killed_actor_loses_nothing(tmp_path, workers):
    """Where Ray is installed: a local cluster of two actors with the embedded model, one of which is killed."""
    pytest.importorskip("ray")
    (tmp_path / "faces").mkdir()
    for number in range(10):
        draw(Identity.sample(number)).save(tmp_path / "faces" / f"{number}.png")
    flags = ["--output-dir", str(tmp_path / "out"), "--preset", "happy", "--steps", "2"]
    command = [sys.executable, "-m", "pxs", "edit", str(tmp_path / "faces"), *flags]
    run = subprocess.Popen([*command, "--engine", "ray", "--workers", workers], stdout=-3, stderr=-3)
    index, killed = tmp_path / "out" / "index.jsonl", False
    while run.poll() is None:
        actors = [p for p in psutil.Process(run.pid).children(recursive=True) if _is_actor(p)]
        if not killed and actors and index.exists() and index.read_bytes().count(b"\n") >= 2:
            os.kill(actors[0].pid, signal.SIGKILL)
            killed = True
        time.sleep(0.05)
    assert (run.returncode, killed) == (0, True)
    records = [json.loads(line) for line in index.read_text().splitlines()]
    assert sorted(r["source"] for r in records) == sorted(f"{n}.png" for n in range(10))
    assert not any(r["error"] for r in records) and len(list((tmp_path / "out").glob("*.png"))) == 10


def _is_actor(process: psutil.Process) -> bool:
    try:
        return "MapWorker" in " ".join(process.cmdline())
    except psutil.Error:
        return False
