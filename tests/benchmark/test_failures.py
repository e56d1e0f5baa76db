"""What fails counts as 0, a picture at a time; what fails for all ends the run, and what was done stays."""

import dataclasses

import pytest
from PIL import Image

from pxs.benchmark.judge import Judges
from pxs.benchmark.run import run
from pxs.benchmark.table import summary
from pxs.data.levels import STANDARD
from pxs.errors import JudgeError, JudgeSetupError, ScaleError
from pxs.judging.each import judge_each


def one(method, tasks, judges, folder):
    return run({"m": method}, tasks, judges, folder, progress=False)["m"]


class Blind:
    """Judges that find no face in pictures of some intensities, and judge the others by another judge."""

    role = "score"

    def __init__(self, judge, unseen, batched):
        self.name, self.judge_, self.unseen, self.batched = "blind", judge, unseen, batched

    def sees(self, image):
        return image.getpixel((0, 0))[1] not in self.unseen

    def judge(self, images):
        if self.batched and not all(map(self.sees, images)):
            raise JudgeError("no face")  # says nothing of the others
        return judge_each(lambda i, image: self._one(i, image), images)

    def _one(self, number, image):
        if not self.sees(image):
            raise JudgeError(f"picture {number}: no face")
        return self.judge_.judge([image])[0]

    def embed(self, images):
        return judge_each(lambda i, image: self._vector(i, image), images)

    def _vector(self, number, image):
        if not self.sees(image):
            raise JudgeError(f"picture {number}: no face")
        return self.judge_.embed([image])[0]


@pytest.mark.parametrize("batched", [False, True])
def test_a_picture_without_a_face_counts_as_0_and_costs_no_other_its_values(batched, tasks, judges, fakes, tmp_path):
    at = [20, 200]  # the green of intensity 0.1, and of 1 and more
    (record,) = one(
        fakes.Painter(), tasks[:1], Judges(Blind(judges.expression, at, batched), judges.identity), tmp_path
    )
    row = [scores[0] for scores in record.scores]
    assert row == pytest.approx([0 if a == 0.1 or a >= 1 else a for a in STANDARD.alphas], abs=1e-4)
    assert record.similarity == pytest.approx([0.8] * len(STANDARD.alphas), abs=1e-3)
    assert record.error == f"{record.expression}_0.1.png: no face (and 3 more of {len(STANDARD.alphas)} pictures)"
    figures = summary([record])
    assert (figures["failed"], figures["failed_pictures"], figures["acc_12"], figures["hes"]) == (1, 4, 0, 0)


def test_an_edit_without_a_recognisable_face_has_no_identity(tasks, judges, fakes, tmp_path):
    destroyed = Blind(judges.identity, [200], False)
    (record,) = one(fakes.Painter(), tasks[:1], Judges(judges.expression, destroyed), tmp_path)
    assert record.similarity == pytest.approx([0 if a >= 1 else 0.8 for a in STANDARD.alphas], abs=1e-3)
    assert summary([record])["id_sim"] == 0 and not record.fault


def test_a_task_that_no_method_can_do_is_left_out_for_all(tasks, judges, fakes, tmp_path):
    boxless = dataclasses.replace(tasks[0], box=None)
    faceless = dataclasses.replace(tasks[1], picture=Image.new("RGB", (128, 128), (0, 77, 0)))
    judges = Judges(judges.expression, Blind(judges.identity, [77], False))
    records = one(fakes.Painter(), [boxless, faceless, *tasks[2:6]], judges, tmp_path)
    assert ["box" in records[0].fault, records[1].fault] == [True, "the source: no face"]
    row = summary(records)
    assert (row["tasks"], row["failed"], row["left_out"], row["acc_12"]) == (6, 2, 2, None)
    assert set(row["failures"]) == {boxless.name, faceless.name}


def test_a_judge_that_can_judge_nothing_ends_the_run_and_what_was_judged_stays(tasks, judges, fakes, tmp_path):
    class Locked(fakes.Brightness):
        def judge(self, images):
            if images[-1].getpixel((0, 0))[0] == 2:
                raise JudgeSetupError("the key was refused: check the key")
            return super().judge(images)

    with pytest.raises(JudgeSetupError, match="refused"):
        one(fakes.Painter(), tasks[:4], Judges(Locked(), judges.identity), tmp_path)
    method = fakes.Painter()
    assert not any(r.error for r in one(method, tasks[:4], judges, tmp_path)) and method.calls == 0


def test_an_impossible_seed_ends_the_run(tasks, judges, tmp_path):
    class Seeded:
        def edit(self, task, mixes):
            raise ScaleError("seed -1 is too small: give 0 or more")

    with pytest.raises(ScaleError, match="seed -1"):
        one(Seeded(), tasks[:2], judges, tmp_path)
