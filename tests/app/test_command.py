"""`pxs app` as a process, its port and address, and the lines that say how an edit is made."""

import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
import webbrowser

import pytest

from pxs.app.choice import Choice
from pxs.app.lines import Model, command_line, python_line
from pxs.app.offers import Sample
from pxs.app.start import FIRST_PORT, PORTS, open_browser, take_place
from pxs.cli import parser
from pxs.commands.app import _model
from pxs.expressions import Mix
from pxs.panel.worker import Request

PATIENCE = 300


def test_the_command_serves_until_it_is_told_to_stop():
    command = [sys.executable, "-m", "pxs", "app", "--no-browser"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            address = process.stdout.readline().strip()
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with opener.open(address, timeout=PATIENCE) as answer:
                page = answer.read().decode()
            process.send_signal(signal.SIGTERM)
            printed, said = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, said) == (0, "") and "Ctrl-C" in printed
    assert address.startswith("http://127.0.0.1:") and len(address.partition("?token=")[2]) >= 32
    assert "<title>PixelSmile" in page


def test_without_a_port_the_first_free_one_is_taken():
    first = take_place()
    second = take_place()
    try:
        ports = first.port, second.port
        assert FIRST_PORT <= ports[0] < ports[1] < FIRST_PORT + PORTS
        assert first.token != second.token
        assert {each.getsockname()[0] for each in first.sockets} == {"127.0.0.1"}
    finally:
        for each in (*first.sockets, *second.sockets):
            each.close()


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")]
)
def test_the_address_can_be_opened_on_this_machine(host, shown):
    place = take_place(host, token="x" * 16)
    try:
        assert place.address == f"http://{shown}:{place.port}/?token={'x' * 16}"
        assert all(each.family in (socket.AF_INET, socket.AF_INET6) for each in place.sockets)
    finally:
        for each in place.sockets:
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
    choice = Choice(b"", "my 'best\" face.png", "anime")
    python, command = lines(choice, 1, Request(Mix(), 1, 20))
    given = eval(python, {"pxs": Recorder()})
    assert given == [("load", ("mini",), {}), ("open", ("my 'best\" face.png", "anime"), {"face": 1}), *given[2:]]
    args = parser().parse_args(shlex.split(command)[1:])
    assert (args.image_path, args.data_type, args.expression, args.seed) == (choice.name, "anime", "neutral", 1)
    assert [face for face, _ in args.faces] == [1]


def test_the_lines_of_another_model_load_it_the_same_way():
    flags = ["--model-path", "org/big", "--lora-path", "a.safetensors=0.5", "--memory", "offload"]
    model = _model(parser().parse_args(["app", *flags]))
    python, command = lines(Choice.of_sample(Sample("human", 0)), None, Request(Mix(sad=0.25), 1, 20), model)
    assert python.startswith("pxs.load(\"org/big\", adapter={'a.safetensors': 0.5}, memory='offload').open(pxs.draw(")
    edit = parser().parse_args(shlex.split(command.partition(" && ")[2])[1:])
    assert (edit.model_path, edit.lora_path, edit.memory) == ("org/big", ["a.safetensors=0.5"], "offload")
    assert edit.mix == ["sad=0.25"] and edit.image_path == "faces/human_000_neutral.png"


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
