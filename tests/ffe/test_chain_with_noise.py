"""The whole chain by its commands on 40 rendered people, annotated by a simulated model that is noisy, biased and
sometimes refuses, then checked by simulated people: what each stage does to the labels' errors."""

import pytest

from analysis.ffe import check_as_people, error_table, label_errors, truths
from analysis.simulated_vlm import Faults, SimulatedVlm
from pxs.cli import main
from pxs.data.ffe import read
from pxs.ffe import manifest
from pxs.ffe.annotate import Label
from pxs.ffe.asking import read_asked
from pxs.ffe.generate import made_pictures

PEOPLE = 40


def run(*words, status=0):
    assert main([str(word) for word in words]) == status, words


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The data set, built by commands alone but for the people's answers."""
    place = tmp_path_factory.mktemp("noisy")
    people, folder = place / "people", place / "set"
    run("faces", "--style", "person", "--count", PEOPLE, "--size", 96, "--out", people)
    limits = ("--size", 40, "--identity-judge", "none", "--licence", "CC0-1.0", "--origin", "rendered")
    run("ffe", "collect", people, "--out", folder, *limits)
    run("ffe", "compose", folder)
    run("ffe", "generate", folder, "--method", "truth", "--pairs", 1)
    with SimulatedVlm(truths(folder), Faults(refused=0.05)) as vlm, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        judge = ("--judges", "endpoint", "--judge-url", vlm.url, "--judge-model", "simulated")
        run("ffe", "annotate", folder, *judge, "--identity-judge", "none", status=1)  # some are refused
    run("ffe", "ask", folder, "--share", 0.2)
    check_as_people(folder, read_asked(folder))
    run("ffe", "verify", folder)
    run("ffe", "build", folder, "--test", 0.2)
    return folder


def test_each_stage_brings_the_labels_nearer_to_the_truth(checked):
    errors = label_errors(checked)
    print(f"\n{PEOPLE} people\n{error_table(errors)}")
    assert errors["all"]["own"] < errors["first"]["own"]  # the noise and leanings of two passes are averaged
    assert errors["sure"]["own"] < errors["all"]["own"]
    assert errors["sure"]["wrong"] < errors["all"]["wrong"]  # most swapped pairs are in doubt
    for name in ("own", "others", "partner", "wrong"):  # the same pictures, of which people saw a part
        assert errors["verified"][name] < errors["all"][name], name
    assert errors["sure"]["pictures"] < errors["verified"]["pictures"] == errors["all"]["pictures"]


def test_what_the_model_refused_has_no_label_and_is_in_no_row(checked):
    made = made_pictures(checked)
    refused = {label.name for label in manifest.read(checked, "labels", Label) if label.error}
    assert len(made) == PEOPLE * 6 and 0 < len(refused) < 0.15 * len(made)
    files = {checked / one.picture for one in made if one.name in refused}
    rows = {name: read(checked / f"{name}.jsonl") for name in ("train", "test")}
    assert rows["train"] and rows["test"]
    assert not files & {target.image for row in rows["train"] + rows["test"] for target in row.targets}
    assert {row.source for row in rows["train"]}.isdisjoint(row.source for row in rows["test"])
