"""Blends compared: every rule, editor and judge; counts and tests in closed form; a sheet for a person, and back."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import pxs
from analysis.blend_comparison import compare, differences, main, named_adapters, summary
from analysis.blends import DRAWN, BlendPlan
from analysis.faces import drawn_faces
from analysis.verdict_sheet import agreement, read_verdicts, write_sheet
from pxs.errors import DataError
from pxs.expressions import Mix
from pxs.judging.blends import KINDS

PLAN = BlendPlan([("happy", "sad"), ("sad", "fear")], seeds=(1,), steps=1)


class Blind:
    """An expression judge that sees no expression."""

    name, role = "blind", "score"

    def judge(self, images):
        return [Mix()] * len(images)


@pytest.fixture(scope="module")
def compared(editor, brightness, alike):
    return compare({"base": editor}, drawn_faces([7]), PLAN, [brightness, Blind()], alike)


def test_every_judge_sees_every_picture_of_every_rule(compared):
    rows = compared.rows
    assert len(rows) == 2 * 2 * 2 * 2
    assert set(zip(rows.judge, rows.method, rows.rule, strict=True)) == {
        (judge, method, rule)
        for judge in ("brightness", "blind")
        for method in (DRAWN, "base")
        for rule in ("sum", "convex")
    }
    assert (rows[rows.judge == "blind"].verdict == "conflicting").all()
    identity = pxs.Identity.sample(7)
    drawn = {rule: next(b for b in made if b.method == DRAWN).images[0] for rule, made in compared.batches.items()}
    assert drawn["sum"].tobytes() == pxs.draw(identity, Mix(happy=1, sad=1)).tobytes()
    assert drawn["convex"].tobytes() == pxs.draw(identity, Mix(happy=0.5, sad=0.5)).tobytes()


def verdicts(method, rule, *pairs):
    """Rows of one judge; each pair is given by the verdicts of its pictures."""
    names = [("happy", "sad"), ("happy", "fear"), ("sad", "fear")]
    return [
        ("j", method, rule, "1", seed, *names[i], 0.5, 0.25, 0.9, kind, "")
        for i, kinds in enumerate(pairs)
        for seed, kind in enumerate(kinds)
    ]


def frame(*parts):
    columns = ["judge", "method", "rule", "face", "seed", "first", "second", "a", "b", "similarity", "verdict"]
    return pd.DataFrame([row for part in parts for row in part], columns=[*columns, "dominant"])


def test_counts_shares_and_differences_in_closed_form():
    good, bad = "coherent", "conflicting"
    rows = frame(
        verdicts("base", "sum", [good, good], [good, good], [bad, bad]),
        verdicts("base", "convex", [bad, bad], [good, bad], [bad, bad]),
    )
    found = summary(rows)
    assert found[["rule", "coherent", "conflicting"]].to_numpy().tolist() == [["sum", 2, 1], ["convex", 0, 3]]
    assert found.pictures.tolist() == pytest.approx([4 / 6, 1 / 6])
    assert found.weaker.tolist() == [0.25, 0.25]
    assert found.high[1] == pytest.approx(1 - 0.025 ** (1 / 3))  # none of three, Clopper and Pearson
    [row] = differences(rows).itertuples()
    assert (row.what, row.pairs) == ("base, sum - base, convex", 3)
    assert row.rise == pytest.approx((1 + 0.5 + 0) / 3)
    assert row.p == pytest.approx(0.5)  # two differences that are not 0: two of four flips are as far from 0


def test_editors_are_compared_under_each_rule():
    good, bad = [["coherent"]] * 3, [["collapsed"]] * 3
    rows = frame(
        *(verdicts("base", rule, *bad) for rule in ("sum", "convex")),
        *(verdicts("taught", rule, *good) for rule in ("sum", "convex")),
    )
    found = differences(rows).set_index("what")
    assert found.rise["taught, sum - base, sum"] == found.rise["taught, convex - base, convex"] == 1
    assert found.rise["taught, sum - taught, convex"] == 0
    assert len(found) == 4


@pytest.fixture
def written(compared, tmp_path):
    return write_sheet(compared.batches, compared.rows, 6, tmp_path / "sheet")


def test_a_sheet_does_not_tell_what_made_a_picture(written, compared):
    blank, key = (pd.read_csv(file, keep_default_na=False) for file in written)
    assert blank.columns.tolist() == ["picture", "first", "second", "verdict"]
    assert (blank.verdict == "").all() and blank.picture.tolist() == key.picture.tolist()
    assert key.groupby(["method", "rule"]).size().between(1, 2).all() and len(key) == 6
    for row in key.itertuples():
        with Image.open(written[0].parent / row.picture) as picture:
            assert not set(picture.info) & {"mix", "model", "method"}
            batch = next(b for b in compared.batches[row.rule] if b.method == row.method)
            after = batch.images[PLAN.pairs.index((row.first, row.second))].resize((256, 256))
            right, bottom = picture.width - 4, picture.height - 4
            shown = np.asarray(picture.convert("RGB").crop((right - 256, bottom - 256, right, bottom)), int)
            assert abs(shown - np.asarray(after, int)).mean() < 3


def fill(written, *answers):
    rows = list(csv.DictReader(written[0].read_text().splitlines()))
    for row, answer in zip(rows, answers, strict=False):
        row["verdict"] = answer
    pd.DataFrame(rows).to_csv(written[0], index=False, encoding="utf-8-sig")
    return written


def test_a_filled_sheet_is_read_back(written):
    found = read_verdicts(*fill(written, " Coherent", "conflicting", "conflicting"))
    assert found.person.tolist() == ["coherent", "conflicting", "conflicting"]
    table = agreement(found).set_index("judge")
    assert table.same["blind"] == pytest.approx(2 / 3)
    assert table.kappa["blind"] == pytest.approx(0)
    assert table.person["blind"] == pytest.approx(1 / 3)


def test_kappa_in_closed_form():
    person = ["coherent", "coherent", "collapsed", "collapsed"]
    found = pd.DataFrame({"picture": range(4), "person": person, "j": person, "k": [*person[:3], "coherent"]})
    table = agreement(found).set_index("judge")
    assert table.kappa["j"] == 1
    assert table.kappa["k"] == pytest.approx((0.75 - 0.5) / 0.5)


@pytest.mark.parametrize(
    ("answers", "says"),
    [((), "has no verdict"), (("yes",), "the verdict 'yes' of 001.png is not coherent, collapsed, conflicting")],
)
def test_a_sheet_that_is_not_filled_in_is_refused(written, answers, says):
    with pytest.raises(DataError, match=says):
        read_verdicts(*fill(written, *answers))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"picture,verdict\n999.png,coherent\n", "no picture '999.png' is on the sheet"),
        (b"picture\n001.png\n", "has no column 'verdict'"),
        (b"", "has no lines"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_sheet_is_one_line(written, content, says, capsys):
    written[0].write_bytes(content)
    out = written[0].parents[1]
    assert main(["--out", str(out), "--filled", str(written[0])]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_adapters_are_named():
    assert named_adapters(["a=x=y", "b=default"]) == {"base": "none", "a": "x=y", "b": "default"}
    for wrong in (["file"], ["=x"], ["a="], ["base=x"], ["a=x", "a=y"]):
        with pytest.raises(DataError, match="is not a new NAME=FILE"):
            named_adapters(wrong)


def test_the_command_compares_and_writes_a_sheet(tmp_path, capsys):
    words = ["--adapters", "--faces", "7", "--seeds", "1", "--steps", "1", "--sheet", "4", "--out", str(tmp_path)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(row["method"], row["rule"]) for row in results["summary"]] == [
        (method, rule) for rule in ("sum", "convex") for method in (DRAWN, "base")
    ]
    assert all(sum(row[kind] for kind in KINDS) == 15 for row in results["summary"])
    assert "base, sum - base, convex" in printed and len(results["pictures"]) == 2 * 2 * 15
    assert len(pd.read_csv(tmp_path / "sheet" / "verdicts.csv")) == 4


def test_an_adapter_without_a_name_is_one_line(tmp_path, capsys):
    assert main(["--adapters", "my.safetensors", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()
