"""The drawn FFE set: balanced, exact, the same every time, and never half written."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

import pxs.data.synthetic_ffe as ffe_set
from pxs.cli import main
from pxs.data import ffe
from pxs.data.synthetic_ffe import FIRST_IDENTITY, triples, write_synthetic_set
from pxs.errors import OutputError, ScaleError
from pxs.expressions import BASIC, CONFUSABLE, EXPRESSIONS, Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.images import read_text


@pytest.fixture(scope="module")
def many():
    return triples(4_000, seed=3)


def kind(index):
    """Which row of each 8 it is, without the style."""
    return index % 8 // 2


# What is drawn.


def test_styles_and_confusable_pairs_are_balanced(many):
    assert Counter(t.style for t in many) == {"human": 2_000, "anime": 2_000}
    for pair, place in zip(CONFUSABLE, (0, 2), strict=True):
        rows = [t for i, t in enumerate(many) if kind(i) == place]
        assert len(rows) == 1_000 and {frozenset(t.categories) for t in rows} == {frozenset(pair)}
        assert Counter(t.style for t in rows) == {"human": 500, "anime": 500}
        assert 400 < sum(t.categories == pair for t in rows) < 600  # either may be first


def test_the_other_rows_show_any_two_different_expressions(many):
    rows = [t for i, t in enumerate(many) if kind(i) in (1, 3)]
    pairs = Counter(frozenset(t.categories) for t in rows)
    assert all(len(pair) == 2 for pair in pairs)
    assert len(pairs) == 66 and min(pairs.values()) > 10


def test_every_target_shows_its_category_most_and_some_a_second_expression(many):
    targets = [(c, m) for t in many for c, m in zip(t.categories, t.mixes, strict=True)]
    own = np.array([mix[category] for category, mix in targets])
    assert own.min() >= 0.1 and own.max() <= 1 and abs(own.mean() - 0.55) < 0.01
    assert np.histogram(own, bins=9, range=(0.1, 1))[0].min() > 750
    second = [(mix[c], max(v for e, v in mix.items() if e != c)) for c, mix in targets if len(mix) == 2]
    assert abs(len(second) / len(targets) - 0.15) < 0.02 and max(len(m) for _, m in targets) == 2
    assert all(0.1 * a - 1e-4 <= b <= 0.4 * a + 1e-4 for a, b in second)
    assert {name for _, mix in targets for name in mix} == set(EXPRESSIONS)


def test_each_row_has_an_identity_of_its_own_that_the_base_never_saw(many):
    assert [t.seed for t in many] == list(range(FIRST_IDENTITY, FIRST_IDENTITY + 4_000))
    assert [t.seed for t in triples(2, start=7)] == [7, 8]


def test_rows_depend_on_seed_and_place_alone(many):
    assert triples(9, seed=3) == many[:9]
    assert [t.mixes for t in triples(9, seed=4)] != [t.mixes for t in many[:9]]


@pytest.mark.parametrize(("count", "start"), [(0, 0), (-1, 0), (50_001, 50_000), (1, -1)])
def test_impossible_numbers_of_rows_are_refused(count, start, tmp_path):
    with pytest.raises(ScaleError):
        write_synthetic_set(tmp_path / "set", count, start=start)
    assert not list(tmp_path.iterdir())


def test_blends_show_the_same_two_expressions_strongly_each_its_own_most(many):
    blended = triples(4_000, seed=3, blends=0.5)
    changed = [(i, t) for i, t in enumerate(blended) if t != many[i]]
    assert 1_900 < len(changed) < 2_100 and triples(4_000, seed=3, blends=0.0) == many
    for index, row in changed:
        assert (row.seed, row.style) == (many[index].seed, many[index].style)
        for category, mix in zip(row.categories, row.mixes, strict=True):
            assert set(mix) == set(row.categories) and min(mix.values()) >= 0.3 and mix[category] == max(mix.values())
    basic = sum(set(row.categories) <= set(BASIC) for _, row in changed) / len(changed)
    assert 0.5 < basic < 0.7  # half, and some of the others
    assert all(t != m for t, m in zip(triples(50, seed=3, blends=1.0), many[:50], strict=True))


def test_a_share_of_blends_that_is_none_is_refused(tmp_path, capsys):
    assert main(["faces", "--ffe", "2", "--blends", "1.5", "--out", str(tmp_path / "set")]) == 2
    assert "blends 1.5 is too large: give 0 to 1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# What is written.


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_scores_are_exactly_what_the_pictures_show(tmp_path):
    path = write_synthetic_set(tmp_path / "set", 12, seed=5, size=32)
    rows = ffe.read(path)
    assert len(rows) == 12
    for number, row in enumerate(rows, FIRST_IDENTITY):
        shown = [(row.source, Mix()), *((t.image, t.scores) for t in row.targets)]
        for image, mix in shown:
            again = draw(Identity.sample(number), mix, row.domain, 32)
            with Image.open(image) as picture:
                assert np.array_equal(np.asarray(picture), np.asarray(again))
            assert read_text(image)["identity"] == str(number)
        assert len({image.read_bytes() for image, _ in shown}) == 3
    assert [tuple(t.category for t in row.targets) for row in rows] == [t.categories for t in triples(12, seed=5)]


def test_the_same_seed_gives_the_same_bytes(tmp_path, monkeypatch):
    write_synthetic_set(tmp_path / "a", 5, seed=1, size=16)
    monkeypatch.setattr(ffe_set, "CHUNK", 2)
    write_synthetic_set(tmp_path / "b", 5, seed=1, size=16)
    write_synthetic_set(tmp_path / "c", 5, seed=2, size=16)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert len(first) == 16 and first == again
    assert first["train.jsonl"] != other["train.jsonl"]


def test_drawn_in_several_processes_it_is_the_same(tmp_path, monkeypatch):
    write_synthetic_set(tmp_path / "a", 22, size=16)  # 66 pictures
    monkeypatch.setattr(ffe_set, "CHUNK", 11)
    write_synthetic_set(tmp_path / "b", 22, size=16)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_set_is_not_replaced_unless_told_so(tmp_path):
    write_synthetic_set(tmp_path / "set", 2, size=16)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="train.jsonl' exists"):
        write_synthetic_set(tmp_path / "set", 1, size=16)
    with pytest.raises(OutputError, match="exists, with mix"):
        write_synthetic_set(tmp_path / "set", 2, size=16, seed=1)
    assert contents(tmp_path) == before
    write_synthetic_set(tmp_path / "set", 2, size=16, overwrite=True)
    assert contents(tmp_path) == before


def test_an_interrupted_set_goes_on_with_what_it_has(tmp_path):
    path = write_synthetic_set(tmp_path / "set", 2, size=16)
    before = contents(tmp_path)
    kept, gone = path.parent / "images" / "00000_source.png", path.parent / "images" / "00001_source.png"
    stamp = kept.stat().st_mtime_ns
    path.unlink()
    gone.unlink()
    assert write_synthetic_set(tmp_path / "set", 2, size=16) == path
    assert contents(tmp_path) == before and kept.stat().st_mtime_ns == stamp
    assert write_synthetic_set(tmp_path / "set", 2, size=16) == path


def test_a_set_that_is_not_finished_has_no_table(tmp_path, monkeypatch):
    write_synthetic_set(tmp_path / "set", 2, size=16)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ffe_set, "render", stop)
    with pytest.raises(KeyboardInterrupt):
        write_synthetic_set(tmp_path / "set", 2, seed=1, size=16, overwrite=True)
    assert not (tmp_path / "set" / "train.jsonl").exists()


@pytest.mark.parametrize("name", ["file/set", "set"])
def test_a_place_that_cannot_be_used_is_an_error(name, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "set" / "train.jsonl").mkdir(parents=True)
    with pytest.raises(OutputError):
        write_synthetic_set(tmp_path / name, 1, size=16, overwrite=True)


# The command.


def faces(folder, *more):
    return main(["faces", "--out", str(folder), *more])


def test_the_command_writes_a_set_and_prints_its_table(tmp_path, capsys):
    assert faces(tmp_path / "set", "--ffe", "3", "--seed", "4", "--size", "16") == 0
    path = tmp_path / "set" / "train.jsonl"
    assert capsys.readouterr() == (f"{path}\n", "")
    write_synthetic_set(tmp_path / "again", 3, seed=4, size=16)
    assert contents(tmp_path / "set") == contents(tmp_path / "again")
    assert faces(tmp_path / "set", "--ffe", "3") == 2
    assert "exists" in capsys.readouterr().err
    assert faces(tmp_path / "set", "--ffe", "1", "--size", "16", "--overwrite") == 0
    assert len(ffe.read(path)) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--ffe", "0"], "number of rows 0 is too small: give 1 to"),
        (["--ffe", "-3"], "number of rows -3 is too small"),
        (["--ffe", "many"], "'many' is not a whole number"),
        (["--ffe", "1", "--seed", "-1"], "seed -1 is too small"),
        (["--ffe", "99999999"], "number of rows 99999999 is too large"),
        (["--ffe", "60000"], "are too many"),
        (["--ffe", "1", "--mix", "happy=1"], "leave out --mix and --count"),
        (["--ffe", "1", "--count", "2"], "leave out --mix and --count"),
    ],
)
def test_a_mistake_ends_in_one_line_and_nothing_written(flags, message, tmp_path, capsys):
    assert faces(tmp_path / "set", *flags) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and message in printed.err and len(printed.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())
