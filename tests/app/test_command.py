"""`pxs app` as a process that is killed and started again, its port, and the lines that say how an edit is made."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
import webbrowser
from contextlib import contextmanager

import pytest

from pxs.app.choice import PictureChoice
from pxs.app.lines import Model, command_line, python_line
from pxs.app.offers import Sample
from pxs.app.start import FIRST_PORT, PORTS, open_browser, own_folder, take_port
from pxs.cli import parser
from pxs.commands.app import _model
from pxs.editing.request import Request
from pxs.expressions import Mix

PATIENCE = 600


@contextmanager
def running(folder, *flags):
    """The process, and the address that it printed; killed at the end. folder: for temporary files."""
    command = [sys.executable, "-m", "pxs", "app", "--no-browser", *flags]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, env={**os.environ, "TMPDIR": str(folder)}) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def fetch(address, path="", **headers):
    with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers), timeout=PATIENCE) as answer:
        return answer.read()


def test_a_killed_app_leaves_nothing_behind_and_one_that_is_told_to_stop_ends(tmp_path):
    def folders():
        return [path for path in tmp_path.iterdir() if path.name.startswith("pxs-app-")]

    with running(tmp_path, "--port", "0") as (process, address):
        assert b"<title>PixelSmile" in fetch(address)
        [kept] = folders()
        process.kill()
        process.wait()
    assert folders() == [kept]
    port, token = address.split(":")[2].split("/")[:2]
    with running(tmp_path, "--port", port, "--token", token) as (process, again):
        assert again == address and len(token) >= 16 and address.startswith("http://127.0.0.1:")
        assert b"<title>PixelSmile" in fetch(address)
        assert len(folders()) == 1 and kept not in folders()
        process.send_signal(signal.SIGTERM)
        printed, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, printed, said) == (0, "", "")
    assert folders() == []


def test_the_folder_of_a_running_app_is_left_alone(tmp_path):
    (tmp_path / "pxs-app-elsewhere").symlink_to(tmp_path / "other")
    (tmp_path / "other").mkdir()
    with own_folder(tmp_path) as first, own_folder(tmp_path) as second:
        assert first != second and first.is_dir() and second.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {"other", "pxs-app-elsewhere"}


def test_what_a_killed_app_left_goes_where_users_have_no_numbers(tmp_path, monkeypatch):
    monkeypatch.delattr("os.getuid")  # as on Windows
    (tmp_path / "pxs-app-killed").mkdir()
    with own_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_without_a_port_the_first_free_one_is_taken():
    sockets = [take_port("127.0.0.1")[0], take_port("127.0.0.1")[0]]
    try:
        ports = [each.getsockname()[1] for each in sockets]
        assert FIRST_PORT <= ports[0] < ports[1] < FIRST_PORT + PORTS
        assert {each.getsockname()[0] for each in sockets} == {"127.0.0.1"}
        assert all(each.family == socket.AF_INET for each in sockets)
    finally:
        for each in sockets:
            each.close()


def test_no_browser_is_opened_in_a_terminal(monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    open_browser("http://127.0.0.1/")
    assert opened == []


def lines(choice, face, request, model=Model()):  # noqa: B008
    return python_line(model, choice, face, request), command_line(model, choice, face, request)


def test_the_lines_of_an_upload_quote_its_name_and_name_the_face():
    choice = PictureChoice(b"", "my 'best\" face.png", "anime")
    python, command = lines(choice, 1, Request(Mix(), 1, 20))
    given = eval(python, {"pxs": Recorder()})
    assert given == [("load", ("mini",), {}), ("open", ("my 'best\" face.png", "anime"), {"face": 1}), *given[2:]]
    args = parser().parse_args(shlex.split(command)[1:])
    assert (args.image_path, args.domain, args.expression, args.seed) == ([choice.name], "anime", "neutral", 1)
    assert [face for face, _ in args.faces] == [1]


def test_the_lines_of_another_model_load_it_the_same_way():
    flags = ["--model-path", "org/big", "--lora-path", "a.safetensors=0.5", "--memory", "offload"]
    model = _model(parser().parse_args(["app", *flags]))
    python, command = lines(
        PictureChoice(b"", "x.png", sample=Sample("person", 3)), None, Request(Mix(sad=1 / 3), 1, 20), model
    )
    start = "pxs.load(\"org/big\", adapter={'a.safetensors': 0.5}, memory='offload').open(pxs.render(pxs.Person."
    assert python.startswith(start)
    faces, edit = (parser().parse_args(shlex.split(each)[1:]) for each in command.split(" && "))
    assert (faces.style, faces.seed, faces.count) == (["person"], 3, 1)
    assert (edit.model_path, edit.lora_path, edit.memory) == ("org/big", ["a.safetensors=0.5"], "offload")
    assert Mix.parse(edit.mix)["sad"] == pytest.approx(1 / 3, rel=1e-14)


class Recorder:
    """Stands in for pxs: every call returns what was called so far."""

    def __init__(self, calls=()):
        self.calls = list(calls)

    def Mix(self, **named):
        return Mix(**named)

    def __getattr__(self, name):
        return lambda *given, **named: Recorder([*self.calls, (name, given, named)])

    def __eq__(self, other):
        return self.calls == other

    def __getitem__(self, index):
        return self.calls[index]

    __hash__ = None
