"""Which pictures are meant by files, folders and patterns."""

import os
from pathlib import Path

import pytest

from pxs.batch.finding import find_pictures, is_one_file
from pxs.errors import ImageError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of empty files, which is the current one; `around` leads back to its top."""
    for name in ("a.png", "b.JPG", "notes.txt", ".hidden.png", "x/c.heic", "x/y/d.tif", ".git/e.png", "out/f.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "x" / "around").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "x" / "y" / "self").symlink_to(".", target_is_directory=True)
    (tmp_path / "z").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*given: str) -> list[str]:
    return [found.name for found in find_pictures(given, Path("out"))]


def test_a_folder_is_walked_without_hidden_files_results_and_circles(tree):
    assert names(str(tree)) == names(".") == ["a.png", "b.JPG", "x/c.heic", "x/y/d.tif"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["a.png"]),
        ("*", ["a.png", "b.JPG"]),
        ("x/*/*", ["around/a.png", "around/b.JPG", "y/d.tif"]),
        ("**/*.[ht]*", ["x/c.heic", "x/y/d.tif"]),
        ("x/**/d.tif", ["y/d.tif"]),
        ("?.png", ["a.png"]),
    ],
)
def test_patterns(tree, pattern, found):
    assert names(pattern) == found


def test_several_have_the_names_below_their_common_folder_and_are_taken_once(tree):
    assert names("a.png", "x/y", "./a.png", "x/*.heic") == ["a.png", "x/c.heic", "x/y/d.tif"]
    assert names("x/y", "x/c.heic") == ["c.heic", "y/d.tif"]


def test_a_file_is_taken_by_its_name_whatever_its_suffix(tree):
    (tree / "odd[1].txt").touch()
    assert names("odd[1].txt", "notes.txt") == ["notes.txt", "odd[1].txt"]
    assert is_one_file(["odd[1].txt"]) and is_one_file(["missing.png"])
    assert not is_one_file(["*.png"]) and not is_one_file(["x"]) and not is_one_file(["a.png", "b.JPG"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["z"], "holds no pictures"),
        (["a.png", "missing.png"], "does not exist"),
        (["*.gif"], "no picture matches"),
        (["out"], "choose another folder"),
        (["out/*.png"], "choose another folder"),
        (["a**/*.png"], "folder of its own"),
        (["x\0", "a.png"], "does not exist"),
    ],
)
def test_mistakes(tree, given, says):
    with pytest.raises(ImageError, match=says) as caught:
        names(*given)
    assert "\n" not in str(caught.value)


def test_many_links_in_circles_end(tmp_path):
    for name in "abcdefgh":
        (tmp_path / name).mkdir()
        for other in "abcdefgh":
            os.symlink(tmp_path / other, tmp_path / name / f"to_{other}")
    (tmp_path / "h" / "face.png").touch()
    assert [f.name for f in find_pictures([str(tmp_path)], tmp_path / "out")] == ["h/face.png"]
    assert [f.name for f in find_pictures([f"{tmp_path}/**/*.png"], tmp_path / "out")] == ["h/face.png"]
