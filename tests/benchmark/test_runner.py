"""The runner: any object with `edit` is a method, nothing is computed twice, and what fails is told and not counted."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pxs.benchmark.methods import choose
from pxs.benchmark.methods.reference import Source, Truth
from pxs.benchmark.methods.words import instruction
from pxs.benchmark.runner import ALPHAS, Judges, run
from pxs.benchmark.table import comma_separated, markdown, summary, write_results
from pxs.benchmark.tasks import mini_bench
from pxs.errors import DataError, JudgeError
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
    assert (row["tasks"], row["failed"], row["psnr"]) == (24, 0, None)
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
    one(method, [dataclasses.replace(tasks[0], picture=tasks[0].open().resize((64, 64))), tasks[1]], judges, tmp_path)
    assert method.calls == 3
    other = fakes.Brightness()
    other.name = "brightness 2"
    one(method, tasks[:2], Judges(other, judges.identity), tmp_path)
    assert method.calls == 5


def test_a_failing_task_is_told_not_counted_and_tried_again(tasks, judges, fakes, tmp_path):
    class Moody(fakes.Painter):
        def edit(self, image, mixes):
            if self.calls == 1 and "sad" in mixes[-1]:
                raise ValueError("not\ntoday")
            return super().edit(image, mixes)

    method = Moody()
    records = one(method, tasks[:3], judges, tmp_path)
    assert [r.error for r in records] == ["", "ValueError: not today", ""]
    row = summary(records)
    assert (row["tasks"], row["failed"], row["acc_12"]) == (3, 1, 1)
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
    assert (row["failed"], row["acc_12"]) == (1, None)


def test_a_method_that_gives_too_few_images_fails(tasks, judges, fakes, tmp_path):
    class Lazy(fakes.Painter):
        def edit(self, image, mixes):
            return super().edit(image, mixes)[:2]

    (record,) = one(Lazy(), tasks[:1], judges, tmp_path)
    assert record.error == f"the method gave 2 images for {len(ALPHAS)} mixes: it must give one each"


def test_a_judge_of_training_losses_must_not_score(judges, fakes):
    loss = fakes.Blue()
    loss.role = "train"
    with pytest.raises(JudgeError, match="must not score"):
        Judges(judges.expression, loss)


def test_the_truth_is_the_drawing_and_photographs_have_none(judges, tasks, tmp_path):
    drawn, photo = mini_bench()[1], tasks[0]
    assert Truth(drawn).edit(drawn.open(), [Mix()])[0].tobytes() == drawn.open().tobytes()
    (record,) = one(Truth, [photo], judges, tmp_path)
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
sys.path.insert(0, {tests!r})
from conftest import Blue, Brightness, Painter
from pxs.benchmark.runner import Judges, run
from pxs.benchmark.tasks import mini_bench
class Slow(Painter):
    def edit(self, image, mixes):
        time.sleep(0.02)
        return super().edit(image, mixes)
run({{"m": Slow()}}, mini_bench()[:60], Judges(Brightness(), Blue()), sys.argv[1], progress=False)
"""


def test_a_killed_run_keeps_what_it_had_and_continues(judges, fakes, tmp_path):
    log = tmp_path / "records" / "m.jsonl"
    code = SLOW.format(tests=os.path.dirname(__file__))
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    while not (log.exists() and log.read_text().count("\n") >= 5):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = log.read_text().count("\n")
    with open(log, "a") as file:
        file.write('{"key": "cut off')

    class Slow(fakes.Painter):  # the same name, so the same method
        pass

    method = Slow()
    method.provenance = {"method": "Slow"}
    records = one(method, mini_bench()[:60], judges, tmp_path)
    assert len(records) == 60 and not any(r.error for r in records)
    assert method.calls == 60 - kept
