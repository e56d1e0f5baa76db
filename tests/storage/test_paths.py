"""Paths from a user: what is refused, what lies there, and names and pictures that stay within their folder."""

import os
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from pxs.editing.edits import Edits
from pxs.errors import OutputError, PathError
from pxs.expressions import Mix
from pxs.storage.paths import check_name, check_path, exists, kind_of, picture_path


@pytest.mark.parametrize("path", ["", "a\nb", "a\0b", "a\u2028b", "n" * 256, "a/" + "é" * 128, "d/" * 2048, "\ud800"])
def test_an_impossible_path_is_refused_in_one_short_line(path):
    with pytest.raises(PathError) as error:
        check_path(path)
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) < 300


@pytest.mark.parametrize("path", ["n" * 255, "é" * 127, "a b/ü.png", "\udcff.png", ".", "/"])
def test_a_possible_path_is_given_back(path):
    assert str(check_path(path)) == path


def test_what_lies_at_a_path(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("gone")
    assert [kind_of(tmp_path / name) for name in ("file", ".", "no", "link", "file/a")] == [
        "file",
        "folder",
        "",
        "",
        "",
    ]
    assert kind_of(os.devnull) == "other"
    assert [exists(tmp_path / name) for name in ("file", "link", "no")] == [True, True, False]


def test_a_folder_that_may_not_be_entered_is_told(tmp_path):
    """By a process without the rights that root has over files."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    command = [sys.executable, "-m", "pxs.cli", "faces", "--count", "1", "--out", str(closed / "out")]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root without setpriv may enter every folder")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *command]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)
    assert "closed/out" in run.stderr and "Permission denied" in run.stderr


@pytest.mark.parametrize(
    "name", ["../evil.png", "/tmp/evil.png", "a/b.png", "..", ".", "", "a\nb.png", "n" * 252 + ".png"]
)
def test_a_name_that_leads_out_of_a_folder_is_none(name):
    with pytest.raises(PathError):
        check_name(name)


@pytest.mark.parametrize("stem", ["../../evil", "/tmp/evil", "below/evil", "a\nb", "n" * 252])
def test_edits_are_written_nowhere_but_in_their_folder(stem, tmp_path):
    picture = Image.new("RGB", (16, 16))
    edits = Edits(picture, (picture,), (Mix(happy=1),), 1, 1)
    with pytest.raises(PathError):
        edits.save(tmp_path / "a" / "b", stem=stem)
    with pytest.raises(PathError):
        edits.save(tmp_path / "a" / "b", names=[f"{stem}.png"])
    with pytest.raises(PathError, match="empty path"):
        edits.save("", stem="edit")
    assert list(tmp_path.iterdir()) == []


def test_edits_of_one_name_are_refused(tmp_path):
    picture = Image.new("RGB", (16, 16))
    edits = Edits(picture, (picture, picture), (Mix(happy=0.1234567), Mix(happy=0.1234568)), 1, 1)
    with pytest.raises(OutputError, match="happy_0.123457.png"):
        edits.save(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.png", "below/a.png", "x/../a.png", "{root}/a.png", "./a.png"])
def test_a_picture_in_its_folder_is_found(name, tmp_path):
    found = picture_path(name.format(root=tmp_path), tmp_path, tmp_path)
    assert found.is_relative_to(tmp_path) and ".." not in found.parts


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "/a.png", "{root}2/a.png", ".", "", "../{base}2/a.png"])
def test_a_picture_elsewhere_is_refused(name, tmp_path):
    with pytest.raises(PathError):
        picture_path(name.format(root=tmp_path, base=tmp_path.name), tmp_path, tmp_path)
