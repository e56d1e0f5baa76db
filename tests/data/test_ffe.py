"""The FFE file format: what is written is read back, and every bad row is one error that names it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ffe_rows import document, sample, save

from pxs.data import ffe
from pxs.errors import DataError, ExpressionError, PathError, ScaleError
from pxs.expressions import Mix

# Reading what is sound.


def test_a_row_is_read_with_its_pictures_categories_and_scores(folder):
    (row,) = ffe.read(save(folder, document()))
    assert row == sample(folder)
    assert [t.score for t in row.targets] == [0.5, 0.5]
    assert all(t.image.is_absolute() and t.image.is_file() for t in row.targets)


def test_domain_is_that_of_the_row_or_else_the_one_asked_for(folder):
    path = save(folder, document(), {**document(), "domain": "anime"}, {**document(), "domain": None})
    assert [row.domain for row in ffe.read(path)] == ["human", "anime", "human"]
    assert [row.domain for row in ffe.read(path, domain="anime")] == ["anime"] * 3
    with pytest.raises(ExpressionError, match="unknown domain 'cat'"):
        ffe.read(path, domain="cat")


def test_missing_and_null_scores_are_zero_and_whole_numbers_are_scores(folder):
    row = document()
    row["dst"][0]["scores"] = {"fear": 1, "happy": None, "sad": 0}
    (read,) = ffe.read(save(folder, row))
    assert read.targets[0].scores == Mix(fear=1)


def test_boxes_may_be_missing_null_one_or_many(folder):
    kinds = [None, [], [1, 2, 30, 40], [[1, 2, 30, 40]], [[1, 2, 30, 40], [5.5, 6, 7, 8]]]
    rows = [{**document(), "src": {"image": "images/source.png", "boxes": kind}} for kind in kinds]
    rows[0]["dst"][1]["boxes"] = [[0, 0, 16, 16]]
    read = ffe.read(save(folder, *rows))
    one = (1.0, 2.0, 30.0, 40.0)
    assert [row.boxes for row in read] == [(), (), (one,), (one,), (one, (5.5, 6.0, 7.0, 8.0))]
    assert read[0].targets[1].boxes == ((0.0, 0.0, 16.0, 16.0),)


def test_a_box_may_be_called_box(folder):
    row = document()
    row["src"]["box"], row["dst"][1]["box"] = [1, 2, 30, 40], [[0, 0, 16, 16]]
    (read,) = ffe.read(save(folder, row))
    assert read.boxes == ((1.0, 2.0, 30.0, 40.0),) and read.targets[1].boxes == ((0.0, 0.0, 16.0, 16.0),)


def test_other_entries_of_a_row_are_let_be(folder):
    assert ffe.read(save(folder, {**document(), "id": 7, "when": "2026-01-01"})) == [sample(folder)]


def test_pictures_are_found_from_the_folder_of_the_file_and_by_absolute_paths(folder, tmp_path, monkeypatch):
    row = document()
    row["src"]["image"] = str(folder / "images" / "source.png")
    save(folder, row)
    monkeypatch.chdir(folder / "images")
    assert ffe.read("../train.jsonl")[0].source == folder / "images" / "source.png"


def test_byte_order_mark_windows_line_ends_and_odd_names_are_read(folder):
    path = folder / "train[1]*.jsonl"
    row = document()
    row["note"] = "two\u2028lines"
    text = "\r\n".join(["\ufeff" + json.dumps(row, ensure_ascii=False), "", json.dumps(document())])
    path.write_bytes(text.encode())
    assert ffe.read(path) == [sample(folder)] * 2


def test_many_rows_keep_their_order(folder):
    rows = []
    for i in range(3_000):
        rows.append(document())
        rows[-1]["dst"][0]["scores"]["fear"] = i / 3_000
    assert [row.targets[0].score for row in ffe.read(save(folder, *rows))] == [i / 3_000 for i in range(3_000)]


def test_reading_opens_no_connection_and_leaves_nothing_behind(folder):
    path = save(folder, document())
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir()
    temporary.mkdir()
    program = (
        "import socket, sys\n"
        "def refuse(*_): raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
        "from pxs.data import ffe\n"
        "print(len(ffe.read(sys.argv[1])))"
    )
    online = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment = {**online, "HOME": str(home), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(home)}
    run = subprocess.run([sys.executable, "-c", program, path], env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "1\n", "")
    assert not [*home.rglob("*"), *temporary.rglob("*")]


# Reading what is not.


def target(**entries):
    """A change to a row: other entries of its first target."""
    return lambda row: row["dst"][0].update(entries)


def scores(value):
    return target(scores={"fear": value})


def source(**entries):
    return lambda row: row["src"].update(entries)


BAD = {
    "no source": (lambda row: row.pop("src"), "src is missing"),
    "source is a text": (lambda row: row.update(src="a.png"), "src is 'a.png'"),
    "source without picture": (lambda row: row.update(src={}), "src.image is missing"),
    "no targets": (lambda row: row.pop("dst"), "dst is missing or null: give a list of exactly two"),
    "one target": (lambda row: row["dst"].pop(), "dst has 1 targets"),
    "three targets": (lambda row: row["dst"].append(row["dst"][0]), "dst has 3 targets"),
    "targets are an object": (lambda row: row.update(dst={"image": "a"}), "give a list of exactly two targets"),
    "target is a text": (lambda row: row["dst"].__setitem__(1, "b.png"), "dst[1] is 'b.png'"),
    "no category": (target(category=None), "dst[0].category is missing"),
    "unknown category": (target(category="suprised"), "did you mean 'surprised'"),
    "neutral category": (target(category="neutral"), "unknown expression 'neutral'"),
    "same categories": (target(category="surprised", scores={"surprised": 1}), "both targets have the category"),
    "no scores": (target(scores=None), "dst[0].scores is missing"),
    "scores are a list": (target(scores=[0.5] * 12), "dst[0].scores is [0.5"),
    "own score missing": (target(scores={"happy": 0.5}), "dst[0].scores lacks 'fear'"),
    "unknown score": (target(scores={"fear": 1, "joy": 0.5}), "unknown expression 'joy'"),
    "score above 1": (scores(1.01), "dst[0].scores.fear 1.01 is too large: give 0 to 1"),
    "score below 0": (scores(-0.1), "dst[0].scores.fear -0.1 is "),
    "score not finite": (scores(float("nan")), "dst[0].scores.fear nan is "),
    "score infinite": (scores(float("inf")), "dst[0].scores.fear inf is "),
    "score is a text": (scores("0.5"), "dst[0].scores.fear '0.5' is "),
    "score is true": (scores(True), "dst[0].scores.fear True is "),
    "score is huge": (scores(10**400), "dst[0].scores.fear 1000"),
    "picture missing": (target(image="images/no.png"), "dst[0].image 'images/no.png' is not a file"),
    "picture is a folder": (source(image="images"), "src.image 'images' is not a file"),
    "picture is a number": (source(image=3), "src.image is 3: give a text"),
    "picture without name": (source(image=""), "src.image is ''"),
    "name of too many letters": (source(image="a" * 5_000), "is too long"),
    "name that no file can have": (source(image="a\0b"), "src.image: the path 'a\\x00b' holds"),
    "half a character": (source(image="a\ud800.png"), "src.image: the path 'a\\ud800.png' holds half a character"),
    "picture above the folder": (source(image="../a.png"), "src.image: the picture '../a.png' lies outside of"),
    "picture by an absolute path": (target(image="/a.png"), "dst[0].image: the picture '/a.png' lies outside of"),
    "unknown domain": (lambda row: row.update(domain="cat"), "unknown domain 'cat'"),
    "domain is a list": (lambda row: row.update(domain=["human"]), "domain is ['human']"),
    "box of three": (source(boxes=[[1, 2, 3]]), "src.boxes has [1, 2, 3]: give [left, top, right, bottom]"),
    "box without area": (target(boxes=[[5, 5, 5, 9]]), "dst[0].boxes has [5, 5, 5, 9]"),
    "box with infinity": (source(boxes=[0, 0, float("inf"), 1]), "src.boxes has [0, 0, inf, 1]"),
    "boxes are an object": (source(boxes={"x": 1}), "src.boxes is {'x': 1}: give a list"),
    "box and boxes": (source(box=[0, 0, 1, 1], boxes=[0, 0, 1, 1]), "src has box and boxes: give one of the two"),
    "box of two": (target(box=[5, 6]), "dst[0].box has [5, 6]"),
    "box among numbers": (source(boxes=[1, [1, 2, 3, 4]]), "src.boxes has 1"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_is_one_line_with_file_row_value_and_advice(kind, folder):
    change, message = BAD[kind]
    row = document()
    change(row)
    path = save(folder, document(), "", row, document())
    with pytest.raises(DataError) as error:
        ffe.read(path)
    text = str(error.value)
    assert text.startswith(f"{str(path)!r}, row 3: ")
    assert message in text
    assert len(text.splitlines()) == 1 and len(text) < 400 + len(str(path))


BAD_LINES = {
    "cut short": ('{"src": {"image": "a', "not JSON (Unterminated string starting at at column 19)"),
    "no JSON": ("hello", "not JSON (Expecting value at column 1)"),
    "a list": ("[1, 2]", "the row is [1, 2]: give a JSON object"),
    "null": ("null", "the row is missing"),
    "brackets without end": ("[" * 100_000, "not JSON (maximum recursion depth"),
    "a number without end": ("9" * 10_000, "not JSON (Exceeds the limit"),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_line_that_is_no_row_is_named(kind, folder):
    line, message = BAD_LINES[kind]
    with pytest.raises(DataError) as error:
        ffe.read(save(folder, document(), line))
    assert ", row 2: " + message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("before", [0, 1, 20_000])
def test_a_line_that_is_not_utf_8_is_named(before, folder):
    path = folder / "train.jsonl"
    path.write_bytes((json.dumps(document()) + "\n").encode() * before + b'{"src": "\xff"}\n')
    with pytest.raises(DataError, match=f"row {before + 1}: not UTF-8"):
        ffe.read(path)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_rows_is_an_error(content, tmp_path):
    (tmp_path / "train.jsonl").write_text(content)
    with pytest.raises(DataError, match="has no rows"):
        ffe.read(tmp_path / "train.jsonl")


@pytest.mark.parametrize("name", ["no.jsonl", "."])
def test_what_is_not_a_file_is_an_error(name, tmp_path):
    with pytest.raises(DataError, match="is not a file"):
        ffe.read(str(tmp_path) + os.sep + name)


def test_what_cannot_be_a_file_is_an_error(tmp_path):
    with pytest.raises(PathError, match="control character"):
        ffe.read(tmp_path / "a\0b")


def test_what_must_not_be_read_is_an_error(folder, monkeypatch):
    path = save(folder, document())

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:  # root may read everything, whatever the mode of a file
        patch.setattr(os, "access", lambda file, mode: Path(file).name != "fear.png")
        with pytest.raises(DataError, match=r"row 1: dst\[0\].image .* cannot be read by you"):
            ffe.read(path)
        patch.setattr("builtins.open", refuse)
        with pytest.raises(DataError, match="cannot be read .Permission denied"):
            ffe.read(path)


# Rescaling.


@pytest.mark.parametrize(
    ("score", "rescaled"),
    [(0, 0), (0.3, 0.15), (0.6, 0.3), (0.7, 0.4), (0.8, 0.5), (0.85, 0.65), (0.9, 0.8), (0.95, 0.9), (1, 1)],
)
def test_rescale_by_hand(score, rescaled):
    assert ffe.rescale_score(score) == pytest.approx(rescaled, abs=1e-12)


def test_rescale_is_continuous_increasing_and_each_piece_has_its_formula():
    x = np.linspace(0, 1, 100_001)
    y = np.array([ffe.rescale_score(v) for v in x])
    steps = np.diff(y)
    assert steps.min() > 0 and steps.max() < 3.001e-5
    pieces = [0.5 * x, x - 0.3, 3 * x - 1.9, 2 * x - 1]
    assert np.allclose(y, np.select([x <= 0.6, x <= 0.8, x <= 0.9], pieces[:3], pieces[3]), atol=1e-12)


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf"), "0.5"])
def test_rescale_refuses_what_is_no_score(score):
    with pytest.raises(ScaleError, match="give 0 to 1"):
        ffe.rescale_score(score)


def test_rescale_on_reading_changes_scores_and_nothing_else(folder):
    row = document()
    row["dst"][0]["scores"] = {"fear": 0.9, "anxious": 0.2}
    path = save(folder, {**row, "src": {**row["src"], "boxes": [1, 2, 3, 4]}})
    (plain,), (scaled,) = ffe.read(path), ffe.read(path, rescale=True)
    assert scaled.targets[0].scores == ffe.rescale_scores(plain.targets[0].scores)
    assert scaled.targets[0].scores.vector() == pytest.approx(Mix(fear=0.8, anxious=0.1).vector())
    assert (scaled.source, scaled.domain, scaled.boxes) == (plain.source, plain.domain, plain.boxes)
    assert [(t.image, t.category, t.boxes) for t in scaled.targets] == [
        (t.image, t.category, t.boxes) for t in plain.targets
    ]


def test_importing_the_format_does_not_import_the_reader():
    program = "import sys, pxs.data.ffe; print('datasets' in sys.modules, 'torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert run.stdout == "False False\n"
