"""The measure of rendering: processes of one thread, all columns, mistakes in one line. No test checks a time."""

import json
import os

import pytest

from analysis.performance import people


def test_the_command_prints_and_writes_its_columns(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(people, "first_pictures", lambda: (3.0, 1.0))
    assert people.main(["--people", "1", "--out", str(tmp_path / "new")]) == 0
    found = json.loads((tmp_path / "new" / "results.json").read_text())
    assert (found["people"], found["pictures"], found["side"], found["samples"]) == (1, 13, 256, 4)
    assert found["pictures_a_second"] > found["with_opening_a_second"] > 0
    assert found["open_slowest_ms"] == found["open_median_ms"] > 0 and found["core"] > 0
    assert (found["first_picture_s"], found["first_picture_compiled_s"]) == (3, 1)
    header, _, row, file = capsys.readouterr().out.splitlines()
    assert header.count("|") == row.count("|") == 9 and row.endswith("| 3.00 | 1.00 |")
    assert file == str(tmp_path / "new" / "results.json")


def test_the_first_pictures_share_a_folder_of_compiled_code_that_was_empty(monkeypatch):
    seen = []

    def in_process(call, variables):
        folder = variables["NUMBA_CACHE_DIR"]
        seen.append((call, folder, os.listdir(folder)))
        (people.tempfile.NamedTemporaryFile(dir=folder, delete=False)).close()
        return {"picture_s": 5 - len(seen)}

    monkeypatch.setattr(people, "_in_process", in_process)
    assert people.first_pictures() == (4, 3)
    (call, folder, before), (again, same, between) = seen
    assert call == again == "render_first()" and folder == same and before == [] and len(between) == 1
    assert not os.path.exists(folder)


def test_a_process_says_how_long_its_first_picture_took():
    assert people._in_process("render_first()", {})["picture_s"] > 0


@pytest.mark.parametrize("count", ["0", "x", "10001"])
def test_an_impossible_number_of_people_is_one_line_and_nothing_is_written(count, tmp_path, capsys):
    assert people.main(["--people", count, "--out", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "new").exists()
