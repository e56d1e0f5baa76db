"""The storage benchmark prepares every row, and writes what it prints. No test checks a time."""

import json

from analysis.performance import storage
from pxs.data.ffe import read
from pxs.images import open_image


def test_every_row_gets_its_pictures_and_constants(tmp_path):
    found = storage.measure(3, tmp_path)
    assert min(vars(found).values()) > 0
    assert len(read(tmp_path / "train.jsonl")) == 3
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 3
    pictures = sorted((tmp_path / "images").iterdir())
    assert [p.name for p in pictures[:3]] == ["000000_fear.png", "000000_source.png", "000000_surprised.png"]
    assert len({open_image(p).tobytes() for p in pictures}) == 9  # the cache is keyed by the pictures' bytes


def test_no_two_pictures_have_one_colour():
    numbers = [0, 1, 255, 256, 65_535, 65_536, 4_999_999]
    colours = {storage.make_picture(n, place).getpixel((0, 0)) for n in numbers for place in range(3)}
    assert len(colours) == 3 * len(numbers)


def test_the_command_prints_and_writes_every_size(tmp_path, capsys):
    assert storage.main(["--rows", "1", "2", "--out", str(tmp_path / "new")]) == 0
    results = json.loads((tmp_path / "new" / "results.json").read_text())
    assert list(results["sizes"]) == ["1", "2"]
    assert all(list(found) == ["pictures_s", "read_s", "constants_s"] for found in results["sizes"].values())
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].count("|") == printed[2].count("|") == 8
    assert [line.split("|")[1].strip() for line in printed[2:4]] == ["1", "2"]


def test_a_size_without_rows_is_refused(capsys):
    assert storage.main(["--rows", "10", "0"]) == 2
    assert "rows 0 is too small: give 1 to 5000000" in capsys.readouterr().err
