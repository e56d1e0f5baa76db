"""Scores: simulated raters whose taste is known, who is set apart, bad files, and what judges are worth."""

import copy
import json

import numpy as np
import pytest

from pxs.cli import main
from pxs.errors import DataError
from pxs.expressions import BASIC, EXPRESSIONS
from pxs.study.answers import read_answers
from pxs.study.bench import ALPHAS, LINEAR, judged, read_bench
from pxs.study.figure import scatter
from pxs.study.key import BEST, PAIR, RATING, WORST, read_key
from pxs.study.plan import Size, plan_study
from pxs.study.report import markdown
from pxs.study.results import results_of
from pxs.study.simulated import People, simulate

TASTE = {
    "even": {"continuity": 4.2, "identity": 3.6},
    "jumpy": {"continuity": 2.0, "identity": 4.2},
    "stranger": {"continuity": 3.1, "identity": 1.8},
}
QUIET = People(severity=0, faces=0, noise=0)


def key_of(folder, raters=12, **size):
    return plan_study(read_bench(folder), Size(raters, **size), seed=1).key


def given(key, files, folder):
    """The answers of files, read as those of raters are."""
    paths = []
    for number, one in enumerate(files):
        paths.append(folder / f"{number}.json")
        paths[-1].write_text(json.dumps(one))
    return read_answers(key, paths, folder)


@pytest.fixture(scope="module")
def study(bench_folder, tmp_path_factory):
    """A written study of 12 raters."""
    out = tmp_path_factory.mktemp("score") / "study"
    flags = ["--out", str(out), "--raters", "12", "--pairs", "8"]
    assert main(["study", "make", str(bench_folder), *flags]) == 0
    return out


def test_the_taste_of_simulated_raters_is_recovered(bench_folder, tmp_path):
    key = key_of(bench_folder, raters=24, pairs=10)
    results = results_of(key, given(key, simulate(key, TASTE, People(careless=3), seed=4), tmp_path), {})
    assert len(results["raters"]["set_apart"]) == 3 and results["raters"]["counted"] == 21
    for method, taste in TASTE.items():
        for scale, value in taste.items():
            found = results["methods"][method][scale]
            assert found["mean"] == pytest.approx(value, abs=0.35)
            assert found["interval"][0] <= value + 0.1 and found["interval"][1] >= value - 0.1
    for scale in ("continuity", "identity"):
        ranked = sorted(TASTE, key=lambda method, scale=scale: TASTE[method][scale])
        strengths = {m: s["value"] for m, s in results["choices"][scale]["strengths"].items()}
        assert sorted(TASTE, key=strengths.get) == ranked
        assert results["agreement"][scale]["alpha"] > 0.5
        assert results["agreement"][scale]["icc_1"] > 0.5
        first = next(d for d in results["differences"] if (d["first"], d["second"]) == ("even", "jumpy"))
        assert (first["continuity"]["interval"][0] > 0) and (first["identity"]["interval"][1] < 0)


def test_without_differences_between_people_the_figures_are_exact(bench_folder, tmp_path):
    key = key_of(bench_folder, questions=300, pairs=24)
    found = results_of(key, given(key, simulate(key, TASTE, QUIET), tmp_path), {})
    even = found["methods"]["even"]
    assert even["continuity"] == {"mean": 4, "interval": [4, 4]} and even["identity"]["mean"] == 4
    assert even["hes"] == {"mean": 4, "interval": [4, 4]} and even["ratings"] == 12 * 8
    assert found["methods"]["jumpy"]["hes"]["mean"] == pytest.approx(2 * 2 * 4 / (2 + 4), abs=1e-4)
    assert found["agreement"]["continuity"] == {"alpha": 1, "icc_1": 1, "icc_2": 1, "icc_2_k": 1, "sweeps": 24}
    names, wins = (found["choices"]["continuity"][part] for part in ("methods", "wins"))
    wins = np.array(wins)
    assert names == ["even", "jumpy", "stranger"] and (wins[[1, 1, 2], [0, 2, 0]] == 0).all()
    assert wins.sum() == sum(key.items[name].kind == PAIR for asked in key.raters.values() for name in asked)


def test_the_paper_size_of_a_point_is_the_harmonic_mean(bench_folder, tmp_path):
    key = key_of(bench_folder, raters=2)
    results = results_of(key, given(key, simulate(key, TASTE), tmp_path), {})
    for row in results["methods"].values():
        x, y = row["continuity"]["mean"], row["identity"]["mean"]
        assert row["hes"]["mean"] == pytest.approx(2 / (1 / x + 1 / y), abs=1e-3)


@pytest.mark.parametrize("habit", [1, 3, 5])
def test_who_always_says_the_same_is_set_apart(bench_folder, tmp_path, habit):
    key = key_of(bench_folder, raters=3)
    files = simulate(key, TASTE, QUIET)
    for answer in files[1]["answers"]:
        answer["continuity"] = answer["identity"] = habit
    results = results_of(key, given(key, files, tmp_path), {})
    assert list(results["raters"]["set_apart"]) == [files[1]["rater"]]
    assert results["methods"]["even"]["continuity"]["mean"] == 4


def test_random_answers_pass_as_seldom_as_said(bench_folder, tmp_path):
    key = key_of(bench_folder, raters=400, questions=1)
    files = simulate(key, TASTE, People(careless=400), seed=2)
    counted = 400 - len(results_of(key, given(key, files, tmp_path), {})["raters"]["set_apart"])
    assert counted / 400 < 0.04


def test_missing_answers_are_counted_and_who_answers_no_check_does_not_count(bench_folder, tmp_path):
    key = key_of(bench_folder, raters=3)
    files = simulate(key, TASTE, QUIET)
    checks = {name for name, item in key.items.items() if item.kind in (BEST, WORST)}
    files[0]["answers"] = [a for a in files[0]["answers"] if a["item"] not in checks]
    del files[1]["answers"][:5], files[2]["answers"][:]
    raters = results_of(key, given(key, files, tmp_path), {})["raters"]
    assert raters["unanswered"] == {files[0]["rater"]: 6, files[1]["rater"]: 5}
    assert raters["set_apart"] == {files[0]["rater"]: "0 of 0 checks right"}
    assert (raters["asked"], raters["answered"], raters["counted"]) == (3, 2, 1)


def test_without_overlap_there_is_no_agreement_and_a_reason(bench_folder, tmp_path):
    key = key_of(bench_folder, raters=2, questions=6)
    results = results_of(key, given(key, simulate(key, TASTE), tmp_path), {})
    assert results["agreement"]["identity"]["alpha"] is None
    assert results["agreement"]["identity"]["reason"] == "no sweep was rated by two raters"


def test_one_rater_gives_means_without_intervals(bench_folder, tmp_path):
    key = key_of(bench_folder, raters=1, pairs=2)
    results = results_of(key, given(key, simulate(key, TASTE), tmp_path), {})
    assert results["methods"]["even"]["continuity"]["interval"] is None
    assert results["choices"]["identity"]["strengths"]["even"]["interval"] is None


def test_methods_that_nobody_rated_have_no_figures(bench_folder, tmp_path):
    key = key_of(bench_folder, raters=2, pairs=2)
    files = simulate(key, TASTE, QUIET)
    for one in files:
        one["answers"] = [a for a in one["answers"] if key.items[a["item"]].kind in (BEST, WORST)]
    results = results_of(key, given(key, files, tmp_path), {})
    assert results["raters"]["counted"] == 2 and results["choices"] is None
    assert all(row["continuity"] == {"mean": None, "interval": None} for row in results["methods"].values())
    assert results["agreement"]["identity"]["reason"] == "no sweep was rated by two raters"
    assert "| **even** | – | – | – | 0 |" in markdown(results)
    assert scatter(results["methods"], tmp_path)[0].stat().st_size > 200


def test_the_same_file_twice_and_an_earlier_one_count_once(bench_folder, tmp_path):
    key = key_of(bench_folder, raters=2)
    files = simulate(key, TASTE)
    early = copy.deepcopy(files[0])
    del early["answers"][4:]
    assert given(key, [early, files[0], *files], tmp_path) == given(key, files, tmp_path)


def broken(change):
    """Files of a study of which the first was changed."""

    def make(key):
        files = simulate(key, TASTE, seed=1)
        change(files, key)
        return files

    return make


def _foreign(files, key):
    files[0]["answers"][0]["item"] = "0123456789"


def _of_others(files, key):
    other = next(name for name in key.raters[files[1]["rater"]] if name not in key.raters[files[0]["rater"]])
    files[0]["answers"][0] = {**files[0]["answers"][0], "item": other}


def _twice(files, key):
    files[0]["answers"].append(files[0]["answers"][0])


def _contradiction(files, key):
    other = copy.deepcopy(files[0])
    other["answers"][0]["identity"] = 6 - other["answers"][0]["identity"] or 1
    other["answers"][0]["identity"] += other["answers"][0]["identity"] == files[0]["answers"][0]["identity"]
    files.append(other)


def _value(scale, value):
    def change(files, key):
        rating = next(a for a in files[0]["answers"] if key.items[a["item"]].kind == RATING)
        rating[scale] = value

    return change


CHANGES = {
    "a foreign item": (_foreign, "none of this study"),
    "an item of others": (_of_others, "was not asked of rater"),
    "an item twice": (_twice, "answered twice"),
    "two different answers": (_contradiction, "differently"),
    "a foreign rater": (lambda files, key: files[0].update(rater="999-0"), "rater '999-0' is none"),
    "another study": (lambda files, key: files[0].update(study="0"), "another study"),
    "no list": (lambda files, key: files[0].update(answers={}), "no file of answers"),
    "a text for an answer": (lambda files, key: files[0]["answers"].insert(0, "x"), "is no answer"),
    "a 6": (_value("identity", 6), "identity 6"),
    "a 4.5": (_value("continuity", 4.5), "continuity 4.5"),
    "true": (_value("continuity", True), "continuity True"),
    "a choice for a rating": (_value("identity", "first"), "identity 'first'"),
    "nothing": (_value("identity", None), "identity None"),
    "endless seconds": (_value("seconds", float("inf")), "seconds inf"),
    "no answers": (lambda files, key: [one["answers"].clear() for one in files], "there are no answers"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_bad_files_are_refused(bench_folder, tmp_path, name):
    change, says = CHANGES[name]
    key = key_of(bench_folder, raters=3, questions=6)
    with pytest.raises(DataError, match=says):
        given(key, broken(change)(key), tmp_path)


def test_no_rater_who_counts_is_an_error_with_counts(bench_folder, tmp_path):
    key = key_of(bench_folder, raters=2)
    files = simulate(key, TASTE, People(careless=2), seed=3)
    with pytest.raises(DataError, match="no rater has 75% of the checks right"):
        results_of(key, given(key, files, tmp_path), {})


# Judges.


def write_records(folder, taste):
    """Records of an expression judge that follows the sweeps of some methods better, and of an identity judge."""
    (folder / "records").mkdir(exist_ok=True)
    lines = {"judge-a": [], "judge-b": [], "psnr-against-truth": []}
    for method, of in taste.items():
        for number in range(8):
            target = EXPRESSIONS.index(BASIC[number % 6])
            noise = np.random.default_rng(number).permutation(len(ALPHAS)) / len(ALPHAS)
            follow = (of["continuity"] - 1) / 4
            scores = np.zeros((len(ALPHAS), len(EXPRESSIONS)))
            scores[:, target] = np.clip(follow * np.array(ALPHAS) / 1.5 + (1 - follow) * noise, 0, 1)
            cosines = [(of["identity"] - 1) / 4] * len(ALPHAS)
            parts = (scores.tolist(), cosines, [60.0] * len(ALPHAS))
            for name, values in zip(lines, parts, strict=True):
                line = {"key": f"{name}{method}{number}", "method": method, "task": f"task_{number}", "values": values}
                lines[name].append(json.dumps({**line, "error": "", "fault": False}))
    for name, of_judge in lines.items():
        (folder / "records" / f"{name}.jsonl").write_text("\n".join(of_judge) + '\n{"key": "cut in the mid')


def test_judges_that_share_the_taste_of_people_predict_them(make_bench, tmp_path):
    folder = make_bench("truth", "source", *TASTE)
    write_records(folder, TASTE)
    key = key_of(folder, questions=300)
    items = [item for item in key.items.values() if item.kind == RATING]
    edits = {(item.methods[0], item.task): item.edits[0] for item in items}
    verdicts = judged(folder, edits, {item.task: item.expression for item in items})
    assert {name: one.scale for name, one in verdicts.items()} == {"judge-a": "continuity", "judge-b": "identity"}
    scores = json.loads((folder / "records" / "judge-a.jsonl").read_text().splitlines()[3])
    column = [row[EXPRESSIONS.index(BASIC[3])] for row in scores["values"][: len(LINEAR)]]
    expected = np.corrcoef(LINEAR, column)[0, 1]
    assert verdicts["judge-a"].values[scores["method"], "task_3"] == pytest.approx(expected)
    results = results_of(key, given(key, simulate(key, TASTE, QUIET), tmp_path), verdicts)["judges"]
    assert results["judge-b"]["spearman"] == pytest.approx(0.8660, abs=1e-3)  # people say 4, 4 and 2
    assert results["judge-a"]["spearman"] > 0.8 and results["judge-a"]["sweeps"] == 24
    low, high = results["judge-a"]["interval"]
    assert low <= results["judge-a"]["spearman"] <= high


def test_sweeps_that_were_edited_anew_are_not_compared(make_bench):
    folder = make_bench("source", "even", "jumpy")
    write_records(folder, {name: TASTE[name] for name in ("even", "jumpy")})
    edits = {("even", "task_0"): "even-0", ("jumpy", "task_0"): "older"}
    assert set(judged(folder, edits, {"task_0": "happy"})["judge-a"].values) == {("even", "task_0")}


# The command.


def test_the_command_writes_what_it_prints(study, tmp_path, capsys):
    files = []
    for one in simulate(read_key(study), TASTE, People(careless=1), seed=7):
        files.append(tmp_path / f"answers-{one['rater']}.json")
        files[-1].write_text(json.dumps(one))
    capsys.readouterr()
    assert main(["study", "score", str(study), *map(str, files), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    names = ["results.json", "table.md", "scatter.svg", "scatter.png"]
    assert said.splitlines()[-4:] == [str(tmp_path / "out" / name) for name in names]
    assert said.startswith("11 raters of 12 who answered (12 asked)\nset apart: 012-")
    table = (tmp_path / "out" / "table.md").read_text()
    assert said.startswith(table) and "| **even** |" in table and "| strength by choices |" in table
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["methods"].keys() == TASTE.keys()
    for name in names:
        assert (tmp_path / "out" / name).stat().st_size > 200
    assert "even" in (tmp_path / "out" / "scatter.svg").read_text()
    before = (tmp_path / "out" / "scatter.svg").read_bytes()
    assert main(["study", "score", str(study), *map(str, files), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "scatter.svg").read_bytes() == before
