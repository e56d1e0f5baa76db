"""Where Ray is installed: generating and annotating by a local cluster of two actors, one of which is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import psutil
import pytest
from local_endpoint import Endpoint

from pxs.cli import main
from pxs.expressions import EXPRESSIONS
from pxs.ffe import manifest

pytest.importorskip("ray")


def with_a_kill(folder, stage, words, killed):
    """Run a step of `pxs ffe` on Ray and kill an actor once the first records are there."""
    command = [sys.executable, "-m", "pxs", "ffe", *words, "--engine", "ray", "--workers", "2"]
    run = subprocess.Popen(command, stdout=-3, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    file = manifest.file_of(folder, stage)
    while run.poll() is None:
        actors = [p for p in psutil.Process(run.pid).children(recursive=True) if _is_actor(p)]
        if not killed.is_set() and actors and file.exists() and file.read_bytes().count(b"\n") >= 2:
            os.kill(actors[0].pid, signal.SIGKILL)
            killed.set()
        time.sleep(0.05)
    assert (run.returncode, killed.is_set()) == (0, True), run.stderr.read()
    run.stderr.close()


def _is_actor(process):
    try:
        return "MapWorker" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_generating_loses_nothing_and_makes_nothing_twice(tmp_path):
    people, alone, spread = (tmp_path / name for name in ("people", "alone", "spread"))
    collect = ["collect", str(people), "--out", str(alone), "--size", "40", "--identity-judge", "none"]
    assert main(["faces", "--style", "person", "--count", "4", "--size", "256", "--out", str(people)]) == 0
    assert main(["ffe", *collect]) == 0 and main(["ffe", "compose", str(alone)]) == 0
    shutil.copytree(alone, spread)
    flags = ("--method", "truth", "--pairs", "4", "--any-face")
    with_a_kill(spread, "pictures", ("generate", str(spread), *flags), Event())
    assert main(["ffe", "generate", str(alone), *flags]) == 0
    expected = {p.relative_to(alone): p.read_bytes() for p in alone.rglob("*.png")}
    assert {p.relative_to(spread): p.read_bytes() for p in spread.rglob("*.png")} == expected
    assert (spread / "pictures.jsonl").read_bytes() == (alone / "pictures.jsonl").read_bytes()


def test_annotating_loses_nothing_and_scores_nothing_twice(pictures_set, tmp_path, monkeypatch):
    alone, spread = pictures_set, shutil.copytree(pictures_set, tmp_path / "spread")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    killed, asked = Event(), []

    def answer(request):
        picture = request["messages"][0]["content"][0]["image_url"]["url"]
        asked.append(picture)
        if len(asked) > 50:  # of 72: the last batch waits for the kill
            killed.wait(300)
        return json.dumps({**dict.fromkeys(EXPRESSIONS, 0.0), "happy": sum(picture.encode()) % 100 / 100})

    with Endpoint() as endpoint:
        endpoint.answers = [answer]
        judge = ("--judge-url", endpoint.url, "--judge-model", "seer", "--judge-parallel", "1")
        flags = ("--judges", "endpoint", *judge, "--identity-judge", "none")
        with_a_kill(spread, "labels", ("annotate", str(spread), *flags), killed)
        assert main(["ffe", "annotate", str(alone), *flags]) == 0
    assert (spread / "labels.jsonl").read_bytes() == (alone / "labels.jsonl").read_bytes()
