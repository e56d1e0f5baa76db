"""Tests of writing files: animations, PNG files with text, and output folders; no partial file ever remains."""

import io
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pxs.errors import ImageError, OutputError, PathError
from pxs.images import animate, read_text, save_png
from pxs.storage.files import output_folder


def smooth(width: int, height: int, blue: int = 90) -> Image.Image:
    """An RGB picture of two smooth gradients, which lossy compression and resizing hardly change."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [40 + 160 * x / width, 30 + 180 * y / height, np.full(x.shape, blue)]
    return Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8))


FRAMES = [smooth(64, 48, blue) for blue in (60, 90, 120, 150)]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "apng"])
@pytest.mark.parametrize(("ping_pong", "count"), [(True, 6), (False, 4)])
def test_animation_plays_the_frames(
    tmp_path: Path, pixels_of: Callable, suffix: str, ping_pong: bool, count: int
) -> None:
    path = animate(FRAMES, tmp_path / f"moving.{suffix}", seconds=1.0, ping_pong=ping_pong)
    order = [0, 1, 2, 3, 2, 1][:count]
    with Image.open(path) as opened:
        assert opened.n_frames == count
        assert opened.info.get("loop", 0) == 0
        for index, frame in enumerate(order):
            opened.seek(index)
            shown = pixels_of(opened.convert("RGB"))
            assert opened.info["duration"] == pytest.approx(250, abs=1)
            errors = [np.abs(shown - pixels_of(candidate)).mean() for candidate in FRAMES]
            assert int(np.argmin(errors)) == frame
            assert errors[frame] < 7
    assert os.listdir(tmp_path) == [path.name]


def test_parts_of_a_gif_that_do_not_move_do_not_flicker(tmp_path: Path, pixels_of: Callable) -> None:
    frames = [smooth(64, 64) for _ in range(3)]
    for index, frame in enumerate(frames):
        frame.paste((255, 80 * index, 0), (20, 4, 40, 20))
    path = animate(frames, tmp_path / "still.gif")
    shown = []
    with Image.open(path) as opened:
        for index in range(opened.n_frames):
            opened.seek(index)
            shown.append(pixels_of(opened.convert("RGB")))
    assert len(shown) == 4
    still = np.ones((64, 64), bool)
    still[4:20, 20:40] = False
    assert all(np.array_equal(one[still], shown[0][still]) for one in shown)
    assert not np.array_equal(shown[0], shown[1])


def test_animation_of_one_frame_and_of_two_frames(tmp_path: Path) -> None:
    with Image.open(animate(FRAMES[:1], tmp_path / "one.gif")) as opened:
        assert opened.n_frames == 1
    with Image.open(animate(FRAMES[:2], tmp_path / "two.gif")) as opened:
        assert opened.n_frames == 2


def test_invalid_animations_are_refused(tmp_path: Path, noise: Callable) -> None:
    for name in ["moving.mp4", "moving", "moving.jpg"]:
        with pytest.raises(OutputError, match=name):
            animate(FRAMES, tmp_path / name)
    with pytest.raises(OutputError, match="0 frames"):
        animate([], tmp_path / "a.gif")
    with pytest.raises(OutputError, match="different sizes"):
        animate([noise(32, 32), noise(32, 33)], tmp_path / "a.gif")
    for seconds in [0, -1.0, math.inf]:
        with pytest.raises(OutputError, match="seconds"):
            animate(FRAMES, tmp_path / "a.gif", seconds=seconds)
    assert os.listdir(tmp_path) == []


def test_failed_animation_keeps_the_old_file(
    tmp_path: Path, written: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "old.webp", b"the old file")

    def fail(self: Image.Image, file: io.BufferedWriter, **_: object) -> None:
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OutputError, match="No space left"):
        animate(FRAMES, path)
    assert os.listdir(tmp_path) == ["old.webp"]
    assert path.read_bytes() == b"the old file"


TEXT = {
    "prompt": "a smiling face",
    "name": "Zo\u00eb \u2212 \u7b11\u9854 \U0001f600",
    "lines": "one\ntwo",
    "empty": "",
}


def test_text_round_trip(tmp_path: Path, noise: Callable) -> None:
    path = save_png(noise(20, 20), tmp_path / "result.png", TEXT)
    assert read_text(path) == TEXT
    assert all(type(value) is str for value in read_text(path).values())
    with Image.open(path) as opened:
        assert opened.convert("RGB").tobytes() == noise(20, 20).tobytes()


@given(
    st.dictionaries(
        st.text("abcxyz_-", min_size=1, max_size=79),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200),
        max_size=4,
    )
)
@settings(max_examples=40, deadline=None)
def test_any_text_round_trip(tmp_path_factory: pytest.TempPathFactory, text: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("text") / "result.png"
    assert read_text(save_png(Image.new("RGB", (4, 4)), path, text)) == text


def test_reading_text_from_other_files_is_refused(
    tmp_path: Path, saved: Callable, written: Callable, noise: Callable
) -> None:
    for suffix in ("png", "jpg", "webp"):
        assert read_text(saved(noise(20, 20), tmp_path / f"bare.{suffix}")) == {}
    assert read_text(saved(noise(20, 20), tmp_path / "said.jpg", comment=b"a camera's own words")) == {}
    for path in [saved(noise(20, 20), tmp_path / "a.bmp"), tmp_path / "missing.png", tmp_path]:
        with pytest.raises(ImageError, match=path.name):
            read_text(path)
    data = save_png(noise(64, 64), tmp_path / "whole.png", TEXT).read_bytes()
    with pytest.raises(ImageError, match="damaged"):
        read_text(written(tmp_path / "cut.png", data[: len(data) // 2]))


@pytest.mark.parametrize(
    ("key", "value"),
    [("", "x"), ("k" * 80, "x"), ("\u7b11", "x"), ("a\nb", "x"), ("k", "a\0b"), ("k", "\ud800")],
)
def test_text_that_a_png_cannot_store_is_refused(tmp_path: Path, noise: Callable, key: str, value: str) -> None:
    with pytest.raises(OutputError, match="cannot be stored") as caught:
        save_png(noise(20, 20), tmp_path / "result.png", {key: value})
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_existing_file_is_kept(tmp_path: Path, noise: Callable) -> None:
    path = save_png(noise(20, 20), tmp_path / "result.png", {"n": "1"})
    with pytest.raises(OutputError, match=r"result\.png.*exists"):
        save_png(noise(20, 20), path, {"n": "2"})
    assert read_text(path) == {"n": "1"}


def test_overwriting_replaces_the_file_and_does_not_change_the_old_content(tmp_path: Path, noise: Callable) -> None:
    """A second hard link still has the old content."""
    path = save_png(noise(20, 20), tmp_path / "result.png", {"n": "1"})
    os.link(path, tmp_path / "held.png")
    save_png(noise(20, 20), path, {"n": "2"}, overwrite=True)
    assert read_text(path) == {"n": "2"}
    assert read_text(tmp_path / "held.png") == {"n": "1"}
    assert sorted(os.listdir(tmp_path)) == ["held.png", "result.png"]


def test_broken_symbolic_link_counts_as_an_existing_file(tmp_path: Path, noise: Callable) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "nothing.png")
    with pytest.raises(OutputError, match="exists"):
        save_png(noise(20, 20), tmp_path / "link.png", {})


def test_paths_that_cannot_be_written_are_refused(tmp_path: Path, written: Callable, noise: Callable) -> None:
    file = written(tmp_path / "file", b"x")
    (tmp_path / "folder.png").mkdir()
    for path in [file / "a.png", tmp_path / "folder.png"]:
        with pytest.raises(OutputError) as caught:
            save_png(noise(20, 20), path, {}, overwrite=True)
        assert repr(str(path)) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(OutputError, match=r"\.png"):
        save_png(noise(20, 20), tmp_path / "a.jpg", {})
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_failed_save_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: Callable, error: BaseException
) -> None:
    def fail(self: Image.Image, file: io.BufferedWriter, **_: object) -> None:
        file.write(b"half a file")
        raise error

    monkeypatch.setattr(Image.Image, "save", fail)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        save_png(noise(20, 20), tmp_path / "result.png", {})
    assert os.listdir(tmp_path) == []


def test_file_has_the_default_permissions(tmp_path: Path, written: Callable, noise: Callable) -> None:
    plain = written(tmp_path / "plain", b"x")
    path = save_png(noise(20, 20), tmp_path / "result.png", {})
    assert path.stat().st_mode == plain.stat().st_mode


def test_output_folder_is_created_and_keeps_its_files(tmp_path: Path, written: Callable) -> None:
    folder = output_folder(tmp_path / "a" / "b")
    assert folder == tmp_path / "a" / "b"
    assert folder.is_dir()
    written(folder / "kept.txt", b"x")
    assert output_folder(str(folder)) == folder
    assert os.listdir(folder) == ["kept.txt"]


def test_output_folder_that_cannot_be_used_is_refused(tmp_path: Path, written: Callable) -> None:
    file = written(tmp_path / "file", b"x")
    with pytest.raises(OutputError, match="is a file"):
        output_folder(file)
    with pytest.raises(OutputError, match="cannot be used"):
        output_folder(file / "below")
    with pytest.raises(PathError, match="control character"):
        output_folder(tmp_path / "nul\0byte")
