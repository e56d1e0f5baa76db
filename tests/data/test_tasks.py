"""Tasks: the drawn bench is fixed and complete; a set in FFE-Bench's layout is read whatever its fields are called."""

import io
import json
from collections import Counter

import pytest
from PIL import Image

from pxs.data.synthetic_bench import SyntheticTruth, mini_bench
from pxs.data.tasks import Task, load_bench, write_bench
from pxs.errors import DataError, ImageError
from pxs.expressions import CONFUSABLE, EXPRESSIONS, Mix
from pxs.faces.draw import draw
from pxs.faces.identity import SEED_RANGES, Identity


@pytest.mark.parametrize("split", ["dev", "test"])
def test_mini_ffe_bench_is_rich_in_confusable_expressions_and_balanced(split):
    tasks = mini_bench(split)
    confusable = {name for pair in CONFUSABLE for name in pair}
    assert Counter(t.expression for t in tasks) == {e: 24 if e in confusable else 12 for e in EXPRESSIONS}
    each = Counter((t.expression, t.part, t.style) for t in tasks)
    assert len(each) == 72 and all(n == (4 if e in confusable else 2) for (e, _, _), n in each.items())
    assert {t.expression for t in tasks[:12]} == set(EXPRESSIONS)
    assert Counter(t.part for t in tasks[:48]) == {"plain": 16, "mixed": 16, "unusual": 16}
    assert len({t.identity for t in tasks}) == len({t.name for t in tasks}) == 192
    assert all(t.identity in SEED_RANGES[split] for t in tasks)


def test_a_mixed_source_shows_another_expression_half_of_the_time_the_other_of_the_pair():
    tasks = mini_bench("test")
    partner = {a: b for pair in CONFUSABLE for a, b in (pair, pair[::-1])}
    of_pair = 0
    for task in tasks:
        if task.part != "mixed":
            assert not task.before
            continue
        ((name, value),) = task.before.items()
        assert name != task.expression and 0.3 <= value <= 0.7
        of_pair += partner.get(task.expression) == name
    assert 10 <= of_pair <= 26  # of 32
    task = next(t for t in tasks if t.part == "mixed")
    assert task.open().tobytes() == draw(Identity.sample(task.identity), task.before, task.style).tobytes()
    assert task.truth(Mix()).tobytes() == draw(Identity.sample(task.identity), Mix(), task.style).tobytes()


def test_a_bench_has_one_of_two_splits():
    with pytest.raises(DataError, match="unknown split 'train': choose from dev, test"):
        mini_bench("train")


def test_a_written_bench_is_the_same_to_the_byte_and_reads_back_as_it_was(tmp_path):
    tasks = mini_bench()[:6]
    assert {t.part for t in tasks} == {"plain", "mixed", "unusual"}
    first, second = (write_bench(tasks, tmp_path / name).parent for name in "ab")
    files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert len(files) == 7
    assert all((first / f).read_bytes() == (second / f).read_bytes() for f in files)
    loaded = load_bench(first, truth_of=SyntheticTruth)
    for read, task in zip(loaded, tasks, strict=True):
        assert (read.name, read.domain, read.expression, read.prompt) == (
            task.name,
            task.domain,
            task.expression,
            task.prompt,
        )
        assert (read.box, read.identity) == (task.box, task.identity)
        assert (read.part, read.before, read.truth) == (task.part, task.before, task.truth)
        assert read.open().tobytes() == task.open().tobytes()


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (40, 60), "tan").save(tmp_path / "a.png")
    return tmp_path


@pytest.mark.parametrize(
    "row",
    [
        {"image": "a.png", "box": [5, 5, 35, 50], "expression": "happy", "prompt": "p"},
        {"image_path": "a.png", "bbox": [[5, 5, 35, 50]], "category": "Happy", "instruction": "p"},
        {"file_name": "a.png", "face_box": "[5, 5, 35, 50]", "emotion": " happy ", "text": "p"},
        {"img": {"path": "a.png"}, "boxes": {"x1": 5, "y1": 5, "x2": 35, "y2": 50}, "target": "happy", "caption": "p"},
    ],
)
def test_fields_are_found_under_the_names_that_people_use(folder, row):
    (folder / "tasks.jsonl").write_text(json.dumps(row) + "\n")
    (task,) = load_bench(folder)
    assert (task.fault, task.expression, task.prompt, task.box) == ("", "happy", "p", (5, 5, 35, 50))
    assert task.face(task.open(), (40, 60)).size == (30, 45)
    assert task.face(task.open().resize((80, 120)), (40, 60)).size == (60, 90)


def test_parquet_with_pictures_inside_and_csv_are_read_too(folder):
    from datasets import Dataset

    row = {"expression": "sad", "box": [0, 0, 40, 60], "data_type": "character"}
    png = (folder / "a.png").read_bytes()
    (folder / "p").mkdir()
    Dataset.from_list([{**row, "image": {"bytes": png, "path": None}}]).to_parquet(folder / "p" / "test.parquet")
    (folder / "c").mkdir()
    (folder / "c" / "t.csv").write_text('image,expression,box,domain\n../a.png,sad,"[0, 0, 40, 60]",anime\n')
    for kind in ("p", "c"):
        (task,) = load_bench(folder / kind, pictures=folder)
        assert (task.fault, task.expression, task.domain, task.open().size) == ("", "sad", "anime", (40, 60))


@pytest.mark.parametrize("name", ["../a.png", "b/../../a.png", "{folder}/a.png", "/etc/hostname"])
def test_a_picture_outside_of_the_set_needs_a_stated_folder(folder, name):
    (folder / "set").mkdir()
    row = {"image": name.format(folder=folder), "expression": "sad", "box": [0, 0, 9, 9]}
    (folder / "set" / "tasks.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match="lies outside of .*--pictures"):
        load_bench(folder / "set")
    if name == "/etc/hostname":
        with pytest.raises(DataError, match="lies outside of"):
            load_bench(folder / "set", pictures=folder)
    else:
        (task,) = load_bench(folder / "set", pictures=folder)
        assert task.picture == folder / "a.png"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"image": "a.png", "expression": "happy"}, "face box None"),
        ({"image": "a.png", "expression": "happy", "box": [9, 9, 9, 20]}, "is empty"),
        ({"image": "a.png", "expression": "happy", "box": [0, 0, 60, 40]}, "outside of the picture of 40 x 60 pixels"),
        ({"image": "b.png", "expression": "happy", "box": [0, 0, 9, 9]}, "b.png"),
        ({"image": "a.png", "expression": "hapy", "box": [0, 0, 9, 9]}, "did you mean 'happy'"),
        ({"expression": "happy", "box": [0, 0, 9, 9]}, "no image is named"),
        ({"image": "a.png", "expression": "happy", "box": [0, 0, 9, 9], "domain": "cat"}, "unknown domain 'cat'"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_task_with_a_fault_beside_others(folder, row, says):
    sound = {"image": "a.png", "expression": "shy", "box": [0, 0, 40, 60]}
    (folder / "tasks.jsonl").write_text("\n".join(map(json.dumps, (row, sound))))
    task, other = load_bench(folder)
    assert says in task.fault and other.fault == ""
    with pytest.raises(DataError):
        task.open()
    (folder / "tasks.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match="holds no task that can be used") as error:
        load_bench(folder)
    assert says in str(error.value)


def test_a_turned_photograph_has_its_box_in_the_picture_as_it_is_shown(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(folder / "t.jpg", exif=exif)
    (folder / "tasks.jsonl").write_text('{"image": "t.jpg", "expression": "shy", "box": [0, 20, 40, 60]}')
    (task,) = load_bench(folder)
    assert task.open().size == (40, 60)


def test_a_box_that_does_not_fit_is_found_when_a_task_is_opened():
    task = Task("t", picture=Image.new("RGB", (40, 60)), box=(0, 0, 41, 60))
    with pytest.raises(ImageError, match="outside of the picture"):
        task.open()


def test_a_picture_in_a_table_is_opened_as_a_file_is(folder, monkeypatch):
    """Formats beyond the list are never tried, so that PostScript runs no program."""
    from datasets import Dataset
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("PostScript was run"))
    stream = io.BytesIO()
    Image.new("RGB", (40, 60)).save(stream, "EPS")
    row = {"expression": "sad", "box": [0, 0, 40, 60], "image": {"bytes": stream.getvalue(), "path": None}}
    Dataset.from_list([row]).to_parquet(folder / "t.parquet")
    with pytest.raises(DataError, match="known format"):
        load_bench(folder)


@pytest.mark.parametrize(
    ("text", "says"), [("", "holds no tasks"), ("{", "row 1 is not JSON"), ("3\n", "not an object")]
)
def test_a_file_without_rows_is_refused_in_one_line(folder, text, says):
    (folder / "tasks.jsonl").write_text(text)
    with pytest.raises(DataError, match=says) as error:
        load_bench(folder)
    assert "\n" not in str(error.value)


def test_a_set_that_is_not_there_names_the_command_that_gets_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(DataError, match="hf download --repo-type dataset PixelSmile/FFE-Bench"):
        load_bench("PixelSmile/FFE-Bench")
