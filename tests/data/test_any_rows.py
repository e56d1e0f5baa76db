"""Whatever a file holds, reading it gives checked rows or one line of error, and no other exception."""

import math

import pytest
from hypothesis import example, given
from json_values import texts
from PIL import Image

from pxs.data.ffe import Row, read, write
from pxs.data.tasks import Task, load_bench
from pxs.errors import DataError
from pxs.expressions import DOMAINS, EXPRESSIONS

ROW = {
    "src": {"image": "face.png", "boxes": [[1, 2, 30, 40], [0, 0, 5, 5]]},
    "dst": [
        {"image": "face.png", "category": "fear", "scores": {"fear": 0.8, "happy": None}, "box": [1, 2, 3, 4]},
        {"image": "face.png", "category": "sad", "scores": {"sad": 1}},
    ],
    "domain": "human",
}
TASK = {
    "image": "face.png",
    "box": [[1, 2, 30, 40]],
    "expression": "happy",
    "prompt": "x",
    "domain": "anime",
    "identity": 7,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("rows")
    Image.new("RGB", (16, 16)).save(made / "face.png")
    return made


@given(content=texts(ROW))
@example(content=b"[" * 100_000)
@example(content=b'{"src": ' + b"9" * 5000 + b"}")
@example(content=b'\xef\xbb\xbf{"src": {"image": "face.png", "box": [0, 0, 1e400, 1]}}')
def test_any_file_is_rows_that_can_be_written_again_or_one_line(folder, content):
    file = folder / "train.jsonl"
    file.write_bytes(content)
    try:
        rows = read(file, rescale=True)
    except DataError as error:
        assert len(str(error).splitlines()) == 1 and "train.jsonl" in str(error)
        return
    for row in rows:
        assert isinstance(row, Row) and row.domain in DOMAINS and len(row.targets) == 2
        assert row.targets[0].category != row.targets[1].category
        assert all(0 <= t.scores[e] <= 1 for t in row.targets for e in EXPRESSIONS)
        boxes = [*row.boxes, *row.targets[0].boxes, *row.targets[1].boxes]
        assert all(math.isfinite(side) for box in boxes for side in box)
    assert read(write(folder / "again.jsonl", rows, overwrite=True)) == rows


@given(content=texts(TASK))
@example(content=b"[" * 100_000)
@example(content=b'{"image": "face.png", "expression": "happy", "box": [0, 0, 1' + b"0" * 400 + b", 1]}")
@example(content=b'{"image": "face.png", "expression": "happy", "box": "' + b"(" * 1000 + b'"}')
@example(content=b'{"image": "face.png", "expression": "happy", "box": "\\u0000"}')
def test_any_table_is_tasks_or_one_line(folder, content):
    file = folder / "tasks.jsonl"
    file.write_bytes(content)
    try:
        tasks = load_bench(file)
    except DataError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert tasks and len({task.name for task in tasks}) == len(tasks)
    for task in tasks:
        assert isinstance(task, Task) and len(task.fault.splitlines()) <= 1
        if not task.fault:
            assert task.expression in EXPRESSIONS and task.domain in DOMAINS
            assert all(math.isfinite(side) for side in task.box)
