"""The whole chain by its commands, and what comes out of it: rows, tables, the card, and the split by person."""

import json

import pyarrow.parquet as parquet
import pytest

from pxs.cli import main
from pxs.data.ffe import read
from pxs.data.people import number_of
from pxs.expressions import EXPRESSIONS
from pxs.ffe.build import build
from pxs.ffe.rows import split
from pxs.images import read_text


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A data set of three rendered people, scored by its truth, by nothing but commands; and what they printed."""
    place = tmp_path_factory.mktemp("chain")
    folder = str(place / "set")
    faces = ["faces", "--style", "person", "--count", "3", "--size", "128", "--out", str(place / "people")]
    terms = place / "terms.csv"
    terms.write_text("file,licence,origin\nperson_000_neutral.png,CC-BY-4.0,somewhere\n")
    collect = ["collect", str(place / "people"), "--out", folder, "--size", "40", "--identity-judge", "none"]
    steps = [
        ["ffe", *collect, "--licence", "CC0-1.0", "--origin", "rendered", "--terms", str(terms)],
        ["ffe", "compose", folder],
        ["ffe", "generate", folder, "--method", "truth", "--pairs", "1"],
        ["ffe", "annotate", folder, "--judges", "truth", "--identity-judge", "none"],
        ["ffe", "ask", folder],
        ["ffe", "build", folder, "--test", "0.3"],
    ]
    for words in (faces, *steps):
        assert main(words) == 0, words
    return place / "set"


def test_rows_are_what_was_rendered(built):
    rows = [row for name in ("train", "test") for row in read(built / f"{name}.jsonl")]
    assert len(rows) == 9
    for row in rows:
        assert len({number_of(row.source), *(number_of(target.image) for target in row.targets)}) == 1
        for target in row.targets:
            assert read_text(target.image)["mix"] == str(target.scores)
            assert set(target.scores) == {target.category}
        assert {target.category for target in row.targets} in ({"fear", "surprised"}, {"angry", "disgust"})
    images = [target.image for row in rows for target in row.targets]
    assert len(set(images)) == len(images)


def test_nobody_is_in_both_splits(built):
    people = {name: {number_of(row.source) for row in read(built / f"{name}.jsonl")} for name in ("train", "test")}
    assert people["train"] and people["test"] and people["train"].isdisjoint(people["test"])
    said = json.loads((built / "split.json").read_text())["people"]
    assert sorted(said.values()) == ["test", "train", "train"]


def test_the_tables_hold_the_rows_and_the_pictures(built):
    for name in ("train", "test"):
        rows = read(built / f"{name}.jsonl")
        table = parquet.read_table(next((built / "data").glob(f"{name}-*.parquet"))).to_pylist()
        assert len(table) == len(rows)
        for entry, row in zip(table, rows, strict=True):
            assert entry["source"]["bytes"] == row.source.read_bytes() and entry["domain"] == row.domain
            assert entry["source_box"] == pytest.approx(row.boxes[0])
            for place, target in zip(("first", "second"), row.targets, strict=True):
                assert entry[f"{place}_image"]["bytes"] == target.image.read_bytes()
                assert entry[f"{place}_category"] == target.category
                scores = [entry[f"{place}_scores"][expression] for expression in EXPRESSIONS]
                assert scores == pytest.approx(target.scores.vector())


def test_the_tables_are_read_by_datasets_as_a_hub_would(built, tmp_path):
    from datasets import load_dataset

    files = {name: str(built / "data" / f"{name}-*.parquet") for name in ("train", "test")}
    found = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path))
    assert found["train"].num_rows + found["test"].num_rows == 9
    assert found["test"][0]["first_image"].size == (128, 128)


def test_the_card_counts_and_names_the_terms(built):
    card = (built / "README.md").read_text()
    head = card.split("---\n")[1]
    assert "license: other" in head and "path: data/train-*.parquet" in head
    assert "| people | 2 | 1 |" in card and "18 pictures by generator truth" in card
    assert "| CC-BY-4.0 | somewhere | 1 |" in card and "| CC0-1.0 | rendered | 2 |" in card
    assert "By nobody." in card


def test_a_second_build_gives_the_same_files_and_another_share_moves_people(built):
    files = [built / "train.jsonl", built / "test.jsonl", *sorted((built / "data").iterdir()), built / "README.md"]
    before = {file.name: file.read_bytes() for file in files}
    build(built, share=0.3)
    assert {file.name: file.read_bytes() for file in files} == before
    alone = build(built, share=0.0)
    assert len(alone.rows["train"]) == 9 and not (built / "test.jsonl").exists()
    assert sorted(file.name for file in (built / "data").iterdir()) == ["train-00000-of-00001.parquet"]
    build(built, share=0.3)


def test_commands_say_what_was_left_out(built, capsys):
    folder = str(built)
    assert main(["ffe", "compose", folder, "--most", "1"]) == 0
    out = capsys.readouterr().out
    assert "36 kept" in out and "antagonists" in out and "enough of them" in out
    assert main(["ffe", "compose", folder]) == 0
    assert main(["ffe", "verify", folder]) == 2
    assert "nobody has answered yet" in capsys.readouterr().err
    assert main(["ffe", "ask", folder]) == 2
    assert "holds questions already" in capsys.readouterr().err


def test_a_person_stays_in_its_split_when_others_come_in():
    names = [f"p{i}" for i in range(400)]
    tested = split(names, 0.1, 0)
    assert 20 < len(tested) < 60
    assert split([*names, *(f"q{i}" for i in range(400))], 0.1, 0) & set(names) == tested
    assert len(split(names[:2], 0.1, 0)) == 1 and split(names[:1], 0.9, 0) == set() and split(names, 0, 0) == set()
