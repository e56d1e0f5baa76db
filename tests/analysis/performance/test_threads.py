"""The measure of threads: each way is measured alone and beside busy processes, which are there then and gone after."""

import json

import psutil
import pytest

from analysis.performance import threads

SECONDS = {"1": 4.0, "300000": 1.0, "passive": 2.0, None: 3.0}


def children():
    return [p for p in psutil.Process().children() if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_each_way_is_measured_alone_and_beside_others(tmp_path, monkeypatch, capsys):
    calls = []

    def measure(variables):
        calls.append((dict(variables), len(children()) - before))
        return SECONDS[next(iter(variables.values()), None)] * (1 + calls[-1][1])

    before = len(children())
    monkeypatch.setattr(threads, "sweep_seconds", measure)
    monkeypatch.setattr(threads, "SETTLE", 0)
    monkeypatch.setattr(threads.time, "sleep", lambda _: None)
    monkeypatch.setattr("sys.argv", ["threads", "--beside", "2", "--out", str(tmp_path)])
    assert threads.main() == 0 and len(children()) == before
    assert [others for _, others in calls] == [0, 0, 0, 0, 2, 2, 2, 2] * 2
    assert [way for way, _ in calls[8:12]] == [way for way, _ in calls[:4]][::-1]
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["ways"]["spinning"] == {"alone_s": 1.0, "beside_s": 3.0, "ratio": 3.0}
    assert found["ways"]["as chosen"]["alone_s"] == 3.0
    assert "sleeping       2.00 s     6.00 s   3.00" in capsys.readouterr().out


@pytest.mark.parametrize("count", ["0", "x"])
def test_an_impossible_number_of_processes_is_one_line(count, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["threads", "--beside", count])
    assert threads.main() == 2 and capsys.readouterr().err.count("\n") == 1
