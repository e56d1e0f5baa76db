"""Where memory goes: steps and imports are told what they took, and importing works as before."""

import importlib
import json
import sys
from importlib.machinery import SourceFileLoader

import numpy as np
import pytest

from analysis.performance import idle

BLOCK = 64 * idle.MB


def test_each_step_is_told_what_it_added():
    def steps():
        yield "start"
        kept = np.ones(BLOCK, np.uint8)
        yield "a block"
        yield "nothing"
        del kept

    found = idle.measured(steps())
    assert found["start"].resident >= found["start"].private > 0
    for part in found["a block"]:
        assert abs(part - BLOCK) < BLOCK / 4
    assert max(map(abs, found["nothing"])) < BLOCK / 4


def test_a_package_is_told_what_it_took_without_what_it_imports(tmp_path, monkeypatch):
    for name, more in {"outer_of_test": "import inner_of_test", "inner_of_test": ""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"from . import part\n{more}\n")
        (tmp_path / name / "part.py").write_text(f"import numpy\nkept = numpy.ones({BLOCK}, numpy.uint8)\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = SourceFileLoader.exec_module
    with idle.weighed() as packages:
        module = importlib.import_module("outer_of_test")
    try:
        assert module.inner_of_test.part.kept.all()
        assert all(abs(packages[name] - BLOCK) < BLOCK / 4 for name in ("outer_of_test", "inner_of_test"))
        assert SourceFileLoader.exec_module is before
    finally:
        for name in [n for n in sys.modules if n.startswith(("outer_of_test", "inner_of_test"))]:
            del sys.modules[name]


def test_the_command_writes_what_it_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(idle, "editing", lambda model: iter([f"the model {model}"]))
    monkeypatch.setattr("sys.argv", ["idle", "--model", "small", "--out", str(tmp_path)])
    assert idle.main() == 0
    found = json.loads((tmp_path / "results.json").read_text())
    taken = found["steps"]["the model small"]["resident"]
    printed = capsys.readouterr().out
    assert f"the model small {taken / idle.MB:.0f} MB".split() == printed.splitlines()[1].split()[:5]
    assert printed.splitlines()[2].startswith("together")


def test_a_hidden_package_cannot_be_imported(tmp_path, monkeypatch):
    def steps(model):
        with pytest.raises(ImportError):
            import colorsys  # noqa: F401
        yield model

    monkeypatch.setitem(sys.modules, "colorsys", None)  # what is there is put back at the end
    monkeypatch.delitem(sys.modules, "colorsys")
    monkeypatch.setattr(idle, "editing", steps)
    monkeypatch.setattr("sys.argv", ["idle", "--without", "colorsys", "--out", str(tmp_path)])
    assert idle.main() == 0
