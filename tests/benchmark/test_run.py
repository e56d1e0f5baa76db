"""A comparison: any object with `edit` is a method, nothing is done twice, and what fails is told and counts as 0."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import ImageOps

from pxs.benchmark.judge import Judges
from pxs.benchmark.methods import choose
from pxs.benchmark.methods.reference import Source, Truth
from pxs.benchmark.methods.words import instruction
from pxs.benchmark.run import run
from pxs.benchmark.table import comma_separated, markdown, summary, write_results
from pxs.data.levels import STANDARD
from pxs.data.synthetic_bench import mini_bench
from pxs.errors import DataError, JudgeError, OutputError
from pxs.expressions import Mix


def one(method, tasks, judges, folder):
    return run({"m": method}, tasks, judges, folder, progress=False)["m"]


def test_a_perfect_method_gets_perfect_figures(tasks, judges, fakes, tmp_path):
    row = summary(one(fakes.Painter(), tasks, judges, tmp_path))
    assert row["acc_6"] == row["acc_12"] == 1
    assert row["mscr"] == row["leakage"] == 0
    assert row["cls_6"] == row["cls_12"] == pytest.approx(1, abs=1e-3)
    assert row["id_sim"] == pytest.approx(0.8, abs=1e-3)
    assert row["hes"] == pytest.approx(2 * 0.8 / 1.8, abs=1e-3)
    assert row["intensity_error"] == pytest.approx(0, abs=1e-3)
    assert (row["tasks"], row["failed"], row["changed_psnr"], row["measured"]) == (24, 0, None, None)
    assert row["beyond"]["1.5"] == {"score": 1.0, "id_sim": pytest.approx(0.8, abs=1e-3)}


def test_a_method_that_swaps_a_pair_is_confused_in_that_pair_alone(tasks, judges, fakes, tmp_path):
    swap = {"fear": "surprised", "surprised": "fear"}
    row = summary(one(fakes.Painter(confuse=lambda e: swap.get(e, e)), tasks, judges, tmp_path))
    assert row["scr"] == {"fear/surprised": 1, "angry/disgust": 0}
    assert row["mscr"] == 0.5
    assert row["acc_12"] == pytest.approx(10 / 12, abs=1e-5)
    assert row["confusion"][3][4] == row["confusion"][4][3] == 2
    assert row["leakage"] > 0


def test_an_unchanged_picture_shows_nothing_and_keeps_identity(tasks, judges, tmp_path):
    row = summary(one(Source(), tasks, judges, tmp_path))
    assert (row["id_sim"], row["cls_12"], row["hes"]) == (1, 0, 0)


def test_a_second_run_computes_nothing_and_another_setting_everything(tasks, judges, fakes, tmp_path):
    method = fakes.Painter()
    first = one(method, tasks, judges, tmp_path)
    assert one(method, tasks, judges, tmp_path) == first
    assert method.calls == 24
    method.provenance = {"steps": "7"}
    one(method, tasks, judges, tmp_path)
    assert method.calls == 48


def test_a_changed_picture_or_judge_is_run_again(tasks, judges, fakes, tmp_path):
    method = fakes.Painter()
    one(method, tasks[:2], judges, tmp_path)
    one(method, [dataclasses.replace(tasks[0], picture=ImageOps.invert(tasks[0].open())), tasks[1]], judges, tmp_path)
    assert method.calls == 3


def test_a_new_judge_edits_nothing_and_asks_no_old_judge(tasks, judges, fakes, tmp_path):
    method = fakes.Painter()
    first = one(method, tasks[:2], judges, tmp_path)
    asked = []

    class Second(fakes.Brightness):
        name = "brightness 2"

        def judge(self, images):
            asked.append(len(images))
            return super().judge(images)

    class Silent(fakes.Blue):
        def embed(self, images):
            raise AssertionError("its values are there")

    assert one(method, tasks[:2], Judges(Second(), Silent()), tmp_path) == first
    assert method.calls == 2 and asked == [len(STANDARD.alphas)] * 2
    assert {f.name for f in (tmp_path / "records").glob("*.jsonl")} == {
        *("blue.jsonl", "brightness.jsonl", "brightness-2.jsonl", "pixels-against-truth.jsonl")
    }


def test_the_pictures_stay_and_a_folder_of_them_is_a_method(tasks, judges, fakes, tmp_path):
    records = one(fakes.Painter(), tasks[:3], judges, tmp_path / "first")
    folder = tmp_path / "first" / "edits" / "m"
    name = tasks[0].expression
    assert {f.name for f in (folder / tasks[0].name).glob("*.png")} == {
        "neutral.png",
        *(f"{name}_{a:g}.png" for a in STANDARD.alphas[1:]),
    }
    (method,) = choose([f"other={folder}"]).values()
    assert one(method, tasks[:3], judges, tmp_path / "second") == records
    (folder / tasks[1].name / f"{name}_1.png").unlink(missing_ok=True)
    (folder / tasks[1].name / "neutral.png").unlink()
    (_, second, _) = one(method, tasks[:3], judges, tmp_path / "second")
    assert "neutral.png" in second.error


def test_a_picture_that_was_lost_fails_its_task_alone(tasks, judges, fakes, tmp_path):
    one(fakes.Painter(), tasks[:2], judges, tmp_path)
    (tmp_path / "edits" / "m" / tasks[1].name / "neutral.png").unlink()
    other = fakes.Brightness()
    other.name = "brightness 2"
    records = one(fakes.Painter(), tasks[:2], Judges(other, judges.identity), tmp_path)
    assert [bool(r.error) for r in records] == [False, True] and "neutral.png" in records[1].error


def test_records_of_an_earlier_version_are_refused_in_one_line(tasks, judges, fakes, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "m.jsonl").write_text('{"key": "k", "task": "t", "scores": [], "similarity": []}\n')
    with pytest.raises(OutputError, match="earlier version") as error:
        one(fakes.Painter(), tasks[:1], judges, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden"])
def test_a_task_whose_name_is_no_folder_is_refused(name, tasks, judges, fakes, tmp_path):
    with pytest.raises(DataError, match="task name"):
        one(fakes.Painter(), [dataclasses.replace(tasks[0], name=name)], judges, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_two_tasks_of_one_name_are_refused(tasks, judges, fakes, tmp_path):
    with pytest.raises(DataError, match="twice"):
        one(fakes.Painter(), [tasks[0], tasks[0]], judges, tmp_path)


def test_a_failing_task_is_told_counts_as_0_and_is_tried_again(tasks, judges, fakes, tmp_path):
    class Moody(fakes.Painter):
        def edit(self, task, mixes):
            if self.calls == 1 and "sad" in mixes[-1]:
                raise ValueError("not\ntoday")
            return super().edit(task, mixes)

    method = Moody()
    records = one(method, tasks[:3], judges, tmp_path)
    assert [r.error for r in records] == ["", "ValueError: not today", ""]
    row = summary(records)
    assert (row["tasks"], row["failed"], row["failed_pictures"], row["left_out"]) == (3, 1, len(STANDARD.alphas), 0)
    good = 2 / 3
    assert [row[m] for m in ("acc_6", "acc_12", "cls_12", "id_sim")] == pytest.approx(
        [good, good, good, good * 0.8], abs=1e-3
    )
    assert row["hes"] == pytest.approx(good * 2 * 0.8 / 1.8, abs=1e-3)
    assert (row["confusion"][1], row["requested"][1]) == ([0] * 12, 1)
    assert row["failures"] == {"human_sad": "ValueError: not today"}
    assert [r.error for r in one(method, tasks[:3], judges, tmp_path)] == [""] * 3


def broken(fakes, kind):
    class Bad(fakes.Brightness):
        def judge(self, images):
            mixes = super().judge(images)
            return mixes[:-1] if kind == "few" else [Mix(happy=1.2)] * len(images)

    return Bad()


@pytest.mark.parametrize("kind", ["few", "large"])
def test_a_judge_that_answers_nonsense_fails_the_task(kind, tasks, judges, fakes, tmp_path):
    (record,) = one(fakes.Painter(), tasks[:1], Judges(broken(fakes, kind), judges.identity), tmp_path)
    assert "brightness gave" in record.error
    row = summary([record])
    assert (row["failed"], row["acc_12"]) == (1, 0)


def test_a_method_that_gives_too_few_images_fails(tasks, judges, fakes, tmp_path):
    class Lazy(fakes.Painter):
        def edit(self, task, mixes):
            return super().edit(task, mixes)[:2]

    (record,) = one(Lazy(), tasks[:1], judges, tmp_path)
    assert record.error == f"the method gave 2 images for {len(STANDARD.alphas)} mixes: it must give one each"


def test_a_judge_of_training_losses_must_not_score(judges, fakes):
    loss = fakes.Blue()
    loss.role = "train"
    with pytest.raises(JudgeError, match="serves training losses"):
        Judges(judges.expression, loss)


def test_the_truth_is_the_drawing_and_photographs_have_none(judges, tasks, tmp_path):
    drawn, photo = mini_bench()[0], tasks[0]
    assert Truth().edit(drawn, [Mix()])[0].tobytes() == drawn.open().tobytes()
    (record,) = one(Truth(), [photo], judges, tmp_path)
    assert "no ground truth" in record.error


def test_words_say_how_strong():
    said = [instruction(Mix(happy=a), "human") for a in (0, 0.3, 1, 1.5)]
    assert [s.removeprefix("Edit the person to show a ").removesuffix(" expression") for s in said] == [
        "neutral",
        "slightly happy",
        "happy",
        "very happy",
    ]
    assert "slightly happy and very shy" in instruction(Mix(happy=0.2, shy=2), "anime")


def test_results_are_written_as_json_markdown_and_csv(tasks, judges, fakes, tmp_path):
    records = {"painter": one(fakes.Painter(), tasks, judges, tmp_path)}
    rows = write_results(records, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == rows
    text = (tmp_path / "table.md").read_text()
    assert "**painter**" in text and "other judges" in text and "*PixelSmile*" in text
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert len({line.count(",") for line in lines}) == 1
    assert lines[1].startswith("measured,painter,1.0,") and lines[2].startswith("published,")
    assert markdown(rows, published=False).count("\n") == 3
    assert comma_separated(rows) == (tmp_path / "table.csv").read_text()


@pytest.mark.parametrize(("names", "says"), [(["trut"], "unknown method 'trut'"), (["truth", "truth"], "named twice")])
def test_methods_are_chosen_by_name(names, says):
    with pytest.raises(DataError, match=says):
        choose(names)


SLOW = """
import sys, time
sys.path.insert(0, sys.argv[1])
from conftest import Blue, Brightness, Painter
from pxs.benchmark.judge import Judges
from pxs.benchmark.run import run
from pxs.data.synthetic_bench import mini_bench
class Slow(Painter):
    def edit(self, task, mixes):
        time.sleep(0.02)
        return super().edit(task, mixes)
method = Slow()
run({"m": method}, mini_bench()[:60], Judges(Brightness(), Blue()), sys.argv[2], progress=False)
print(method.calls)
"""


def test_a_killed_run_keeps_what_it_had_and_continues(judges, fakes, tmp_path):
    edits = tmp_path / "edits" / "m"
    process = subprocess.Popen([sys.executable, "-c", SLOW, os.path.dirname(__file__), str(tmp_path)])
    while len(list(edits.glob("*/edits.json"))) < 5:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(list(edits.glob("*/edits.json")))
    method = fakes.Painter()
    method.provenance = {"method": "Slow"}  # the same name, so the same method
    records = one(method, mini_bench()[:60], judges, tmp_path)
    assert len(records) == 60 and not any(r.error for r in records)
    assert method.calls == 60 - kept
    log = tmp_path / "records" / "brightness.jsonl"
    lines = log.read_text().splitlines()
    log.write_text("\n".join(lines[:30]) + '\n{"key": "cut off')  # as a kill leaves it
    assert one(method, mini_bench()[:60], judges, tmp_path) == records
    assert sorted(log.read_text().splitlines()) == sorted(lines)


def test_processes_share_a_folder_and_no_task_is_edited_twice(judges, fakes, tmp_path):
    command = [sys.executable, "-c", SLOW, os.path.dirname(__file__), str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(map(int, outputs)) == 60
    method = fakes.Painter()
    method.provenance = {"method": "Slow"}
    assert not any(r.error for r in one(method, mini_bench()[:60], judges, tmp_path)) and method.calls == 0
