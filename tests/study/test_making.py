"""What raters are given: every method on their faces, checks, nothing that tells methods apart, and who sees what."""

import base64
import json
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pxs.cli import main
from pxs.errors import DataError
from pxs.images import open_image
from pxs.study.bench import ALPHAS, SHOWN, read_bench
from pxs.study.key import BEST, PAIR, RATING, WORST, read_key
from pxs.study.plan import Size, plan_study

METHODS = {"even", "jumpy", "stranger"}


def plan(folder, raters=6, seed=42, methods=(), **size):
    return plan_study(read_bench(folder, methods), Size(raters, **size), seed)


def asked(key, rater, kind):
    return [key.items[name] for name in key.raters[rater] if key.items[name].kind == kind]


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="study">(.*?)</script>', page, re.DOTALL)[1])


def test_each_rater_sees_all_methods_on_some_faces(bench_folder):
    key = plan(bench_folder, questions=12).key
    for rater in key.raters:
        seen = Counter(item.task for item in asked(key, rater, RATING))
        assert len(seen) == 4 and set(seen.values()) == {3}
        assert {item.methods[0] for item in asked(key, rater, RATING)} == METHODS


def test_all_sweeps_are_seen_equally_often_and_every_two_raters_in_a_row_share_faces(bench_folder):
    key = plan(bench_folder, raters=10, questions=15).key
    counts = Counter((i.methods, i.task) for rater in key.raters for i in asked(key, rater, RATING))
    assert len(counts) == 3 * 8 and max(counts.values()) - min(counts.values()) <= 1


def test_checks_show_the_truth_and_other_people(bench_folder):
    made = plan(bench_folder)
    for rater in made.key.raters:
        best, worst = asked(made.key, rater, BEST), asked(made.key, rater, WORST)
        assert len(best) == len(worst) == 3
    for name, item in made.key.items.items():
        (row, *_), task = made.shown[name].rows, item.task
        if item.kind == BEST:
            assert {path.parent.parts[-2:] for path in row} == {("truth", task)}
            assert item.expects == {"continuity": (4, 5), "identity": (4, 5)}
        if item.kind == WORST:
            assert task not in {path.parent.name for path in row} and len({path.parent.name for path in row}) == 6
            assert item.expects == {"continuity": (1, 2), "identity": (1, 2)}


def test_without_a_truth_the_person_alone_is_best(make_bench):
    made = plan(make_bench("source", "even"))
    best = next(name for name, item in made.key.items.items() if item.kind == BEST)
    assert set(made.shown[best].rows[0]) == {made.shown[best].portrait}
    assert made.key.items[best].expects == {"identity": (4, 5)}


def test_choices_come_last_in_both_orders(bench_folder):
    key = plan(bench_folder, raters=30, pairs=6).key
    orders = Counter()
    for rater, names in key.raters.items():
        kinds = [key.items[name].kind for name in names]
        assert kinds[-6:] == [PAIR] * 6 and PAIR not in kinds[:-6]
        chosen = [(i.task, frozenset(i.methods)) for i in asked(key, rater, PAIR)]
        assert len(set(chosen)) == 6
        orders.update(item.methods for item in asked(key, rater, PAIR))
    assert len(orders) == 6 and min(orders.values()) > 10


def test_order_differs_between_raters_and_is_that_of_the_seed(bench_folder):
    def kinds(made):
        key = made.key
        return [[(i.kind, i.task, i.methods) for i in map(key.items.get, names)] for names in key.raters.values()]

    one, same, other = (plan(bench_folder, seed=seed) for seed in (1, 1, 2))
    assert kinds(one) == kinds(same) != kinds(other)
    assert one.key.study != same.key.study and not set(one.key.items) & set(same.key.items)
    assert len({tuple(order) for order in kinds(one)}) == len(one.key.raters)


def test_faces_are_as_many_as_asked_and_spaced(bench_folder):
    tasks = {item.task for item in plan(bench_folder, faces=4).key.items.values() if item.kind == RATING}
    assert tasks == {"task_0", "task_2", "task_4", "task_6"}


def test_a_task_that_a_method_lacks_is_left_out(make_bench):
    folder = make_bench("source", "even", "jumpy")
    (folder / "edits" / "even" / "task_1" / "edits.json").write_text('{"key": "even-1", "fil')  # cut in the middle
    next((folder / "edits" / "jumpy" / "task_2").glob("*_1.png")).unlink()
    found = read_bench(folder)
    assert set(found.expressions) == {f"task_{n}" for n in (0, 3, 4, 5, 6, 7)} and found.left_out == 2


@pytest.fixture(scope="module")
def made(bench_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "study"
    more = ["--pairs", "3", "--contact", 'Ada <b>& "Co"</b> </script>']
    assert main(["study", "make", str(bench_folder), "--out", str(out), "--raters", "3", *more]) == 0
    return out


def test_the_command_says_what_to_give_away_and_what_to_keep(bench_folder, tmp_path, capsys):
    out = tmp_path / "study"
    assert main(["study", "make", str(bench_folder), "--out", str(out), "--raters", "2", "--faces", "4"]) == 0
    said = capsys.readouterr()
    assert said.err == "" and said.out.splitlines() == [
        "3 methods on 4 faces, 0 left out",
        "2 raters, 18 to 18 questions each; every sweep is rated by 2",
        f"give away: {out / 'pages'}",
        f"keep: {out / 'key.json'}",
    ]
    assert sorted(p.name for p in out.iterdir()) == ["key.json", "pages"]


def test_a_study_whose_sweeps_are_rated_once_is_warned_of(bench_folder, tmp_path, capsys):
    out = ["--out", str(tmp_path / "study"), "--raters", "1"]
    assert main(["study", "make", str(bench_folder), *out]) == 0
    assert "some sweeps have one rater" in capsys.readouterr().err


def test_pages_tell_nothing_of_methods_tasks_and_checks(made, bench_folder):
    key = read_key(made)
    for rater in key.raters:
        data = data_of((made / "pages" / f"{rater}.html").read_text())
        said = json.dumps({**data, "pictures": []})
        for secret in (*METHODS, "truth", "task_", "best", "worst", str(bench_folder)):
            assert secret not in said
        assert [item["id"] for item in data["items"]] == list(key.raters[rater])
        assert all(item.keys() == {"id", "expression", "source", "rows"} for item in data["items"])


def test_pages_need_nothing_else_and_texts_cannot_leave_their_place(made):
    for path in (made / "pages").iterdir():
        page = path.read_text()
        assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(http|//|[\w./-]+\.(js|css|png|webp))""", page)
        assert page.count("</script>") == 2
        assert data_of(page)["contact"] == 'Ada <b>& "Co"</b> </script>'


def test_pages_show_the_pictures_of_the_sweep_without_their_text(made, bench_folder):
    key = read_key(made)
    rater = next(iter(key.raters))
    data = data_of((made / "pages" / f"{rater}.html").read_text())
    pictures = [base64.b64decode(address.partition(",")[2]) for address in data["pictures"]]
    assert not any(b"method" in content for content in pictures)
    assert len(set(pictures)) == len(pictures)
    question = next(q for q in data["items"] if key.items[q["id"]].kind == RATING)
    item = key.items[question["id"]]
    for number, alpha in zip(question["rows"][0], SHOWN, strict=True):
        name = "neutral" if alpha == 0 else f"{item.expression}_{alpha:g}"
        file = bench_folder / "edits" / item.methods[0] / item.task / f"{name}.png"
        shown, saved = (np.asarray(open_image(one), float) for one in (pictures[number], file))
        assert np.abs(shown - saved).max() < 12


def test_large_pictures_are_made_small(make_bench, tmp_path):
    folder = make_bench("source", "even", tasks=2)
    for path in folder.rglob("*.png"):
        Image.new("RGB", (600, 300), "tan").save(path)
    assert main(["study", "make", str(folder), "--out", str(tmp_path / "s"), "--raters", "1"]) == 0
    page = next((tmp_path / "s" / "pages").iterdir()).read_text()
    (address,) = data_of(page)["pictures"]  # all pictures are equal, so there is one
    assert open_image(base64.b64decode(address.partition(",")[2])).size == (288, 144)


def test_a_study_is_never_replaced(made, bench_folder, capsys):
    before = (made / "key.json").read_bytes()
    assert main(["study", "make", str(bench_folder), "--out", str(made), "--raters", "9"]) == 2
    assert "holds a study already" in capsys.readouterr().err
    assert (made / "key.json").read_bytes() == before


def test_a_picture_that_is_gone_leaves_no_key(make_bench, tmp_path, capsys):
    folder = make_bench("source", "even")
    for path in (folder / "edits" / "even").glob("*/*_0.6.png"):
        path.write_bytes(b"")
    assert main(["study", "make", str(folder), "--out", str(tmp_path / "s"), "--raters", "2"]) == 2
    assert "a picture of the bench" in capsys.readouterr().err
    assert not (tmp_path / "s" / "key.json").exists()


@pytest.mark.parametrize("change", ["cut", "item", "rater", "kind", "list"])
def test_a_key_that_was_cut_or_changed_is_refused(made, tmp_path, change):
    text = (made / "key.json").read_text()
    said = json.loads(text)
    if change == "item":
        said["items"].pop(next(iter(said["items"])))
    if change == "rater":
        said["raters"]["004-00"] = []
    if change == "kind":
        next(iter(said["items"].values()))["kind"] = "other"
    texts = {"cut": text[: len(text) // 2], "list": "[1]"}
    (tmp_path / "key.json").write_text(texts.get(change, json.dumps(said)))
    with pytest.raises(DataError, match="key.json"):
        read_key(tmp_path)


def test_what_raters_see_is_part_of_what_is_edited():
    assert set(SHOWN) <= set(ALPHAS)
