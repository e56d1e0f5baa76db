"""Writing FFE rows: what is written is read back, to the last bit, and a file appears whole or not at all."""

import json
import os

import pytest
from ffe_rows import PICTURES, sample
from hypothesis import given
from hypothesis import strategies as st

from pxs.data import ffe
from pxs.data.ffe import Row, Target
from pxs.errors import DataError, OutputError
from pxs.expressions import EXPRESSIONS, Mix


def test_what_is_written_is_read_back(folder):
    rows = [
        sample(folder),
        sample(folder, "anime", ((1.0, 2.0, 3.5, 4.0),)),
        Row(folder / "images" / "source.png", tuple(reversed(sample(folder).targets))),
    ]
    path = ffe.write(folder / "train.jsonl", rows)
    assert ffe.read(path) == rows
    first = json.loads(path.read_text().splitlines()[0])
    assert tuple(first["dst"][0]["scores"]) == EXPRESSIONS
    assert first["src"] == {"image": "images/source.png"}


def test_one_box_is_written_flat_as_the_public_trainer_reads_it(folder):
    one, two = (1.0, 2.0, 3.5, 4.0), ((1.0, 2.0, 3.5, 4.0), (0.0, 0.0, 9.0, 9.0))
    rows = [sample(folder, boxes=(one,)), sample(folder, boxes=two)]
    path = ffe.write(folder / "train.jsonl", rows)
    first, second = (json.loads(line)["src"]["boxes"] for line in path.read_text().splitlines())
    assert first == list(one) and second == [list(box) for box in two]
    assert ffe.read(path) == rows


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12))
def test_every_score_comes_back_to_the_last_bit(tmp_path_factory, values):
    folder = tmp_path_factory.getbasetemp() / "bits"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        (folder / "images" / f"{name}.png").touch()
    row = sample(folder)
    row = Row(row.source, (Target(row.source, "fear", Mix.from_vector(values)), row.targets[1]))
    assert ffe.read(ffe.write(folder / "t.jsonl", [row], overwrite=True)) == [row]


def test_a_written_set_can_be_moved_unless_its_pictures_lie_elsewhere(folder, tmp_path):
    inside = folder / "set"
    inside.mkdir()
    (folder / "images").rename(inside / "images")
    ffe.write(inside / "a.jsonl", [sample(inside)])
    ffe.write(folder / "b.jsonl", [sample(inside)])
    other = inside.rename(folder / "moved")
    assert ffe.read(other / "a.jsonl") == [sample(other)]
    with pytest.raises(DataError, match="is not a file"):
        ffe.read(folder / "b.jsonl")


def test_pictures_outside_the_folder_are_named_by_absolute_paths(folder):
    with pytest.raises(DataError, match="lies outside of .*tables"):
        ffe.write(folder / "tables" / "train.jsonl", [sample(folder)])
    path = ffe.write(folder / "tables" / "train.jsonl", [sample(folder)], pictures=folder)
    assert ffe.read(path, pictures=folder) == [sample(folder)]
    with pytest.raises(DataError, match="row 1: .*lies outside of .*tables"):
        ffe.read(path)
    assert json.loads(path.read_text())["src"]["image"] == str(folder / "images" / "source.png")


def test_a_row_that_could_not_be_read_is_not_written(folder):
    good = sample(folder)
    strong = Target(good.targets[0].image, "fear", Mix(fear=1.5))
    with pytest.raises(DataError, match=r"row 2 cannot be written .*scores.fear 1.5 is too large"):
        ffe.write(folder / "train.jsonl", [good, Row(good.source, (strong, good.targets[1]))])
    with pytest.raises(DataError, match="no rows to write"):
        ffe.write(folder / "train.jsonl", [])
    assert [p.name for p in folder.iterdir()] == ["images"]


def test_a_file_is_replaced_whole_or_kept(folder, monkeypatch):
    path = ffe.write(folder / "train.jsonl", [sample(folder)])
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        ffe.write(path, [sample(folder, "anime")])

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            ffe.write(path, [sample(folder, "anime")], overwrite=True)
    assert path.read_bytes() == before
    assert sorted(p.name for p in folder.iterdir()) == ["images", "train.jsonl"]
    ffe.write(path, [sample(folder, "anime")], overwrite=True)
    assert ffe.read(path) == [sample(folder, "anime")]
