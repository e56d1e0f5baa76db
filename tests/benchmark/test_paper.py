"""The protocol of the article: its intensities, its measures, the mean of recognisers, and its table."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from pxs.benchmark.judge import Judges
from pxs.benchmark.paper import comma_separated, measured, write_paper
from pxs.benchmark.run import run
from pxs.data.levels import STANDARD, paper_levels
from pxs.errors import JudgeError, ScaleError
from pxs.expressions import BASIC, EXPRESSIONS


class Half:
    """A recogniser for which every edit is at a cosine of 0.5 to its source, and the same picture at 1."""

    name, role = "half", "score"

    def embed(self, images):
        first = images[0].tobytes()
        return np.array([[1, 0] if i.tobytes() == first else [0.5, np.sqrt(0.75)] for i in images])


@pytest.fixture
def papers(tasks):
    """The tasks at the intensities of the article."""
    return [replace(task, levels=paper_levels()) for task in tasks]


def one(method, tasks, judges, folder):
    return run({"m": method}, tasks, judges, folder, progress=False)["m"]


@pytest.mark.parametrize("most", [3, 1, 1.5, 2.0, 0.7, 6])
def test_intensities_are_uniform_up_to_the_largest_and_hold_1_and_3(most):
    levels = paper_levels(most)
    assert levels.linear == pytest.approx(np.linspace(0, most, len(levels.linear)), abs=1e-4)
    assert list(levels.alphas) == sorted(set(levels.alphas)) and {1.0, 3.0} <= set(levels.alphas)
    assert levels.alphas[levels.full] == 1
    assert [levels.alphas[i] for i in levels.sweep] == list(levels.linear)


def test_levels_of_this_project_stay_as_they_were():
    assert STANDARD.alphas == (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.5, 3)
    with pytest.raises(ScaleError, match="alpha_max"):
        paper_levels(float("nan"))


def test_a_painter_that_saturates_at_1_gets_figures_known_in_closed_form(papers, judges, fakes, tmp_path):
    records = one(fakes.Painter(), papers, judges, tmp_path)
    row = measured(records)
    alphas = np.linspace(0, 3, 7)
    r = stats.pearsonr(alphas, alphas.clip(max=1)).statistic
    assert (row["cls_6"], row["cls_12"], row["cls_2"]) == pytest.approx((r, r, r), abs=1e-3)
    assert row["curve"] == [pytest.approx([a, min(a, 1), 0.8], abs=1e-3) for a in alphas]
    assert row["area"] == pytest.approx(0.8, abs=1e-3)
    assert set(row["at"]) == {"1", "3"}
    for general in row["at"].values():
        assert (general["acc_6"], general["acc_12"], general["mscr"]) == (1, 1, 0)
        assert general["hes"] == general["hes_of_means"] == pytest.approx(2 * 0.8 / 1.8, abs=1e-3)


def test_hes_of_edits_and_of_means_differ_where_edits_do(papers, judges, fakes, tmp_path):
    class Uneven(fakes.Painter):
        """Full expression without likeness on some tasks, likeness without expression on the others."""

        def edit(self, task, mixes):
            full = EXPRESSIONS.index(task.expression) % 2
            red = EXPRESSIONS.index(task.expression)
            return [Image.new("RGB", (128, 128), (red, 200 * full, 255 * full)) for _ in mixes]

    general = measured(one(Uneven(), papers, judges, tmp_path))["at"]["1"]
    assert general["hes"] == 0 and general["hes_of_means"] == pytest.approx(0.5)


def test_cls_2_is_of_happy_and_surprised_alone(papers, judges, fakes, tmp_path):
    class Backwards(fakes.Painter):
        """Follows the request for happy and surprised, and goes backwards for all others."""

        def edit(self, task, mixes):
            red = EXPRESSIONS.index(task.expression)
            rising = [round(60 * next(iter(mix.values()), 0)) for mix in mixes]
            values = rising if task.expression in ("happy", "surprised") else rising[::-1]
            return [Image.new("RGB", (128, 128), (red, value, 0)) for value in values]

    row = measured(one(Backwards(), papers, judges, tmp_path))
    assert row["cls_2"] == pytest.approx(1, abs=1e-3)
    assert row["cls_6"] == pytest.approx((2 - 4) / len(BASIC), abs=1e-3)
    assert row["cls_12"] == pytest.approx((2 - 10) / 12, abs=1e-3)
    others = [task for task in papers if task.expression not in ("happy", "surprised")]
    assert measured(one(Backwards(), others, judges, tmp_path / "others"))["cls_2"] is None


def test_identity_is_the_mean_of_the_recognisers_and_a_new_one_asks_no_other_again(papers, judges, fakes, tmp_path):
    few = papers[:2]
    (first, _) = one(fakes.Painter(), few, judges, tmp_path)
    asked = len((tmp_path / "records" / "blue.jsonl").read_text().splitlines())
    (both, _) = one(fakes.Painter(), few, Judges(judges.expression, judges.identity, (Half(),)), tmp_path)
    assert both.similarity == pytest.approx([(s + 0.5) / 2 for s in first.similarity], abs=1e-4)
    assert len((tmp_path / "records" / "blue.jsonl").read_text().splitlines()) == asked


def test_a_recogniser_that_serves_a_loss_is_refused(judges):
    trained = Half()
    trained.role = "train"
    with pytest.raises(JudgeError, match="half serves training losses"):
        Judges(judges.expression, judges.identity, (trained,))


def test_a_face_that_one_recogniser_does_not_find_counts_as_0_there(papers, judges, fakes, tmp_path):
    class Picky(Half):
        """Finds no face in pictures at full green."""

        name = "picky"

        def embed(self, images):
            if any(np.asarray(image)[0, 0, 1] == 200 for image in images):
                raise JudgeError("picture 0: no face")
            return super().embed(images)

    (record,) = one(fakes.Painter(), papers[:1], Judges(judges.expression, judges.identity, (Picky(),)), tmp_path)
    assert record.failed == 5 and "no face" in record.error and not record.fault
    assert record.similarity[2:] == pytest.approx([0.4] * 5, abs=1e-3)


def test_the_table_names_the_judges_and_holds_the_published_rows(papers, judges, fakes, tmp_path):
    records = {"m": one(fakes.Painter(), papers, judges, tmp_path)}
    table = write_paper(records, tmp_path, {"expression": "brightness", "identity": ["blue", "half"]})
    assert "| **m** | 1 | 1.000 |" in table and "| **m** | 3 | 1.000 |" in table and "*PixelSmile*" in table
    text = (tmp_path / "paper.md").read_text()
    assert text.startswith(table) and "the mean of 2 recognisers, blue, half" in text
    content = json.loads((tmp_path / "paper.json").read_text())
    assert content["judges"]["identity"] == ["blue", "half"]
    rows = list(csv.DictReader((tmp_path / "paper.csv").read_text().splitlines()))
    assert [r["at"] for r in rows if r["method"] == "m"] == ["1", "3"]
    assert float(next(r for r in rows if r["method"] == "ConceptSlider")["cls_2"]) == 0.3161


def test_nothing_judged_is_a_row_without_figures(tmp_path):
    row = measured([])
    assert row["cls_12"] is None and row["at"] == {} and row["tasks"] == 0
    assert "source,method,at" in comma_separated({"m": row})
