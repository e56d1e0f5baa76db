"""Whether judges read the truth: figures of stand-ins that are known beforehand, on a few drawn people."""

import json

import numpy as np
import pytest

from analysis.judges import (
    GROUPS,
    SCALES,
    Sheet,
    agreement,
    is_judge,
    likeness,
    main,
    rank_correlation,
    reading,
    report,
    shown,
)
from pxs.errors import JudgeError
from pxs.expressions import BASIC, EXPRESSIONS, Mix
from pxs.faces.identity import SEED_RANGES


def test_rank_correlation_is_that_of_spearman():
    assert rank_correlation([0.1, 0.2, 0.4, 0.9]) == pytest.approx(1)
    assert rank_correlation([3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([0.1, 0.3, 0.2]) == pytest.approx(0.5)
    assert rank_correlation([1, 1, 1]) == 0


def test_people_for_setting_strengths_and_for_reporting_are_different_and_no_training_uses_them():
    start, other = GROUPS["calibrate"], GROUPS["report"]
    assert abs(start - other) >= 1000
    assert start in SEED_RANGES["gallery"] and other in SEED_RANGES["gallery"]


def test_a_judge_that_takes_disgust_for_anger_is_no_judge_of_disgust():
    mixes = [Mix(), *(Mix({e: s}) for e in ("angry", "disgust") for s in SCALES)]
    scores = np.zeros((3, len(mixes), 12))
    for place, mix in enumerate(mixes):
        scores[:, place, EXPRESSIONS.index("angry")] = sum(mix.values()) / 2
        scores[:, place, EXPRESSIONS.index("disgust")] = mix["disgust"] / 4
    found = reading(mixes, scores, BASIC)
    assert set(found) == {"angry", "disgust"}
    assert (found["angry"]["top1"], found["angry"]["rank"], found["angry"]["else"]) == (1, 1, {})
    assert (found["disgust"]["top1"], found["disgust"]["rank"]) == (0, 1)
    assert found["disgust"]["else"] == {"angry": 3} and found["disgust"]["scores"][-1] == pytest.approx(
        1.25 / 4, abs=1e-3
    )
    assert is_judge(found["angry"]) and not is_judge(found["disgust"])


def test_a_judge_that_finds_no_face_has_no_first_choice():
    mixes = [Mix(), *(Mix(happy=s) for s in SCALES)]
    found = reading(mixes, np.zeros((2, len(mixes), 12)), BASIC)
    assert found["happy"]["else"] == {"nothing": 2} and found["happy"]["top1"] == found["happy"]["rank"] == 0


def test_agreement_is_a_correlation_over_pictures_and_expressions():
    rng = np.random.default_rng(0)
    truth, other = rng.uniform(size=(5, 12)), rng.uniform(size=(2, 5, 12))
    found = agreement(
        {"same": np.stack([truth, truth]), "against": 1 - np.stack([truth, truth]), "other": other}, truth
    )
    assert found["same"]["truth"] == found["truth"]["truth"] == 1 and found["against"]["truth"] == -1
    x, y = np.stack([truth, truth])[..., :6].ravel(), other[..., :6].ravel()
    assert found["other"]["truth"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-3)
    assert agreement({"silent": np.zeros((1, 5, 12))}, truth)["silent"]["truth"] is None


def test_likeness_compares_a_person_with_herself_and_with_others():
    vectors = np.array([[[1.0, 0], [0.6, 0.8]], [[0, 1.0], [0.6, 0.8]]])
    assert likeness(vectors) == {"same": 0.7, "same_lowest": 0.6, "other": 0, "auc": 1}


class Perfect:
    """Reads the mix out of the order of the pictures; fails on the picture whose number is `blind`."""

    name, role = "perfect 1", "score"

    def __init__(self, mixes, blind=None):
        self.mixes, self.blind, self.calls = mixes, blind, 0

    def judge(self, images):
        self.calls += 1
        if len(images) == 1:
            raise JudgeError("picture 0: no face")
        return [Mix({k: min(v, 1) for k, v in mix.items()}) for mix in self.mixes]

    def embed(self, images):
        return np.tile([0.6, 0.8], (len(images), 1))


def test_pictures_and_answers_stay_and_a_second_run_asks_nobody(tmp_path):
    sheet = Sheet(tmp_path, [400_003, 400_004], "human", shown(["happy", "fear"]))
    judge = Perfect(sheet.mixes)
    found = report(sheet, {"perfect": judge}, {"perfect": judge})
    assert found["people"] == 2 and found["pictures"] == 2 * (1 + 2 * len(SCALES))
    assert found["reading"]["perfect"]["fear"]["top1"] == 1 and found["agreement"]["perfect"]["truth"] == 1
    assert found["likeness"]["perfect"]["auc"] == 0.5
    written = json.loads((tmp_path / "judges.json").read_text())
    assert written == found and "| fear | 1.00 / " in (tmp_path / "judges.md").read_text()
    times = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*.png")}
    assert report(Sheet(tmp_path, sheet.numbers, "human", sheet.mixes), {"perfect": judge}, {}) and judge.calls == 2
    assert times == {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*.png")}


def test_the_command_leaves_out_a_judge_that_is_missing_in_one_line(tmp_path, capsys):
    flags = ["--out", str(tmp_path), "--people", "2", "--style", "human", "--expressions", "happy"]
    assert main([*flags, "--expression-judges", "mini", "--identity-judges", "mini", "facenet"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("without facenet: ") and said.err.count("\n") == 1
    assert "| happy | 1.00 / 1.00 |" in said.out and "2 people, 12 pictures" in said.out
    assert main(["--out", str(tmp_path), "--people", "0"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
