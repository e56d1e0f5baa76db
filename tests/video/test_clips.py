"""Tests of reading and writing clips: what comes back is what was there, and nothing is half written."""

import json
import subprocess
import sys

import av
import numpy as np
import pytest
from clip_files import read_clip, sound_of, stripes, write_clip
from PIL import Image

from pxs.errors import ImageError, OutputError
from pxs.video import clips
from pxs.video.clips import KINDS, Clip


def same(first, second):
    return np.array_equal(np.asarray(first), np.asarray(second))


def as_it_was(number, picture):
    return picture


def inverted_third(number, picture):
    return Image.fromarray(255 - np.asarray(picture)) if number == 2 else picture


def test_the_pictures_of_a_lossless_clip_are_those_that_were_written(tmp_path):
    write_clip(tmp_path / "a.mkv", stripes())
    clip = Clip(tmp_path / "a.mkv")
    assert (clip.frames, clip.size) == (6, (64, 48))
    assert all(map(same, clip.pictures(), stripes()))


def test_lossless_frames_sound_and_times_are_kept_and_one_frame_is_changed(tmp_path):
    times = [0, 40, 90, 100, 160, 220]
    write_clip(tmp_path / "a.mkv", stripes(), times=times, sound="pcm_s16le")
    Clip(tmp_path / "a.mkv").rewrite(tmp_path / "b.mkv", KINDS["mkv"], inverted_third, "a note")
    pictures, found = read_clip(tmp_path / "b.mkv")
    assert found == [time / 1000 for time in times]
    wanted = stripes()
    wanted[2] = 255 - wanted[2]
    assert all(map(same, pictures, wanted))
    assert sound_of(tmp_path / "b.mkv") == sound_of(tmp_path / "a.mkv") != []
    with av.open(str(tmp_path / "b.mkv")) as made:
        assert {key.lower(): value for key, value in made.metadata.items()}["comment"] == "a note"


@pytest.mark.parametrize("size", [(64, 48), (65, 49)])
@pytest.mark.parametrize("colours", [1, 2], ids=["BT.709", "unspecified"])
def test_mp4_keeps_size_colours_times_and_sound(tmp_path, size, colours):
    source = [np.full((size[1], size[0], 3), colour, np.uint8) for colour in ([200, 30, 40], [20, 160, 60])]
    pixels = "yuv420p" if size == (64, 48) else "yuv444p"
    with av.open(str(tmp_path / "a.mp4"), "w") as made:
        video = made.add_stream("libx264", rate=25, options={"crf": "1"})
        video.width, video.height, video.pix_fmt = *size, pixels
        video.codec_context.colorspace = colours
        for number in range(8):
            frame = av.VideoFrame.from_ndarray(source[number // 4], format="rgb24")
            frame.pts = number
            made.mux(video.encode(frame.reformat(format=pixels, dst_colorspace=1 if colours == 1 else 5)))
        made.mux(video.encode(None))
    clip = Clip(tmp_path / "a.mp4")
    assert np.abs(np.asarray(next(clip.pictures())).astype(int) - source[0]).max() <= 4
    clip.rewrite(tmp_path / "b.mp4", KINDS["mp4"], as_it_was, "")
    pictures, times = read_clip(tmp_path / "b.mp4")
    assert times == read_clip(tmp_path / "a.mp4")[1]
    for number, picture in enumerate(pictures):
        assert np.abs(picture.astype(int) - source[number // 4]).max() <= 6


def test_the_sound_of_an_mp4_is_copied(tmp_path):
    write_clip(tmp_path / "a.mp4", stripes(12), "libx264", "yuv420p", sound="aac")
    Clip(tmp_path / "a.mp4").rewrite(tmp_path / "b.mp4", KINDS["mp4"], as_it_was, "")
    assert sound_of(tmp_path / "b.mp4") == sound_of(tmp_path / "a.mp4") != []


def test_sound_that_mp4_cannot_hold_is_refused_and_nothing_is_left(tmp_path):
    write_clip(tmp_path / "a.mkv", stripes(), sound="wavpack")
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="--format mkv"):
        Clip(tmp_path / "a.mkv").rewrite(tmp_path / "out" / "b.mp4", KINDS["mp4"], as_it_was, "")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, -1), (180, 2)])
def test_a_clip_of_a_phone_is_upright_and_stays_so(tmp_path, rotation, turns):
    corner = np.zeros((48, 64, 3), np.uint8)
    corner[:20, :30] = 250
    write_clip(tmp_path / "a.mp4", [corner] * 4, "libx264", "yuv420p", rotation=rotation)
    clip = Clip(tmp_path / "a.mp4")
    clip.rewrite(tmp_path / "b.mkv", KINDS["mkv"], as_it_was, "")
    upright = np.rot90(corner, turns).astype(int)
    for pictures in (clip.pictures(), read_clip(tmp_path / "b.mkv")[0]):
        assert all(np.abs(np.asarray(picture) - upright).mean() < 3 for picture in pictures)
    assert clip.size == (48, 64) if rotation != 180 else (64, 48)


def sound_alone(path):
    with av.open(str(path), "w") as made:
        audio = made.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        made.mux(audio.encode(frame))
        made.mux(audio.encode(None))


def cut_short(path):
    write_clip(path, list(np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3)).astype(np.uint8)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])


def damaged(path):
    write_clip(path, stripes(20), "libx264", "yuv420p")
    content = bytearray(path.read_bytes())
    content[200 : len(content) // 2] = bytes(len(content) // 2 - 200)
    path.write_bytes(content)


def growing(path):
    """Two clips of different sizes, one after the other."""
    write_clip(path, stripes(8), "libx264", "yuv420p")
    write_clip(path.with_name("large.ts"), stripes(8, (96, 64)), "libx264", "yuv420p")
    path.write_bytes(path.read_bytes() + path.with_name("large.ts").read_bytes())


def of_high_range(path):
    with av.open(str(path), "w") as made:
        video = made.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.color_trc = 16
        frame = av.VideoFrame.from_ndarray(stripes(1)[0], format="rgb24").reformat(format="yuv420p")
        frame.pts = 0
        made.mux([*video.encode(frame), *video.encode(None)])


def playlist(path):
    write_clip(path.with_name("other.ts"), stripes(), "libx264", "yuv420p")
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{path.with_name('other.ts')}\n#EXT-X-ENDLIST\n")


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("none.mp4", lambda path: None, "does not exist"),
        ("folder.mp4", lambda path: path.mkdir(), "is a folder"),
        ("empty.mp4", lambda path: path.touch(), "is no clip, or damaged"),
        ("text.mp4", lambda path: path.write_text("no clip " * 200), "is no clip, or damaged"),
        ("zeros.mov", lambda path: path.write_bytes(bytes(5000)), "is no clip, or damaged"),
        ("playlist.mp4", playlist, "is no clip, or damaged"),
        ("sound.mkv", sound_alone, "no moving pictures"),
        ("cut.mkv", cut_short, "cut short"),
        ("damaged.mp4", damaged, "damaged"),
        ("growing.ts", growing, "changes its size to 96 x 64"),
        ("range.mp4", of_high_range, r"high dynamic range \(PQ\)"),
        ("tiny.mkv", lambda path: write_clip(path, stripes(2, (8, 8))), "at least 16"),
    ],
)
def test_a_bad_file_is_one_error(tmp_path, name, make, words):
    make(tmp_path / name)
    with pytest.raises(ImageError, match=words) as caught:
        list(Clip(tmp_path / name).pictures())
    assert len(str(caught.value).splitlines()) == 1 and name in str(caught.value)


def test_bounds_of_length_and_size(tmp_path, monkeypatch):
    write_clip(tmp_path / "a.mkv", stripes(6))
    monkeypatch.setattr(clips, "MOST_FRAMES", 5)
    with pytest.raises(ImageError, match="more than 5 frames, each of which is edited alone"):
        Clip(tmp_path / "a.mkv")
    monkeypatch.setattr(clips, "MOST_FRAMES", 6)
    assert Clip(tmp_path / "a.mkv").frames == 6
    write_clip(tmp_path / "b.mp4", stripes(2), "libx264", "yuv420p")
    monkeypatch.setattr(clips, "MOST_PIXELS", 64 * 48 - 1)
    for name in ("a.mkv", "b.mp4"):
        with pytest.raises(ImageError, match="more than 3071"):
            Clip(tmp_path / name)


def test_without_pyav_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImageError, match=r'pip install "pxs\[video\]"'):
        Clip("a.mp4")


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_on_the_way_leaves_nothing(tmp_path, kind):
    write_clip(tmp_path / "a.mkv", stripes())

    def fail(number, picture):
        if number == 3:
            raise ImageError("no more")
        return picture

    with pytest.raises(ImageError, match="no more"):
        Clip(tmp_path / "a.mkv").rewrite(tmp_path / "out" / "b", KINDS[kind], fail, "")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_that_is_full_is_one_error_and_the_old_clip_stays(tmp_path, monkeypatch):
    write_clip(tmp_path / "a.mkv", list(np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3)).astype(np.uint8)))
    (tmp_path / "b.mkv").write_text("old")
    real = clips.replacing

    class Full:
        def __init__(self, file):
            self.file, self.left = file, 100_000

        def write(self, data):
            self.left -= len(data)
            if self.left < 0:
                raise OSError(28, "No space left on device")
            return self.file.write(data)

        def __getattr__(self, name):
            return getattr(self.file, name)

    class Replacing:
        def __init__(self, target):
            self.inner = real(target)

        def __enter__(self):
            return Full(self.inner.__enter__())

        def __exit__(self, *what):
            return self.inner.__exit__(*what)

    monkeypatch.setattr(clips, "replacing", Replacing)
    with pytest.raises(OutputError, match="No space left"):
        Clip(tmp_path / "a.mkv").rewrite(tmp_path / "b.mkv", KINDS["mkv"], as_it_was, "")
    assert (tmp_path / "b.mkv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "b.mkv"]


KILLED = """
import os, signal, sys
from pxs.video.clips import KINDS, Clip

def kill(number, picture):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return picture

Clip(sys.argv[1]).rewrite(sys.argv[2], KINDS["mkv"], kill, "")
"""


def test_a_kill_leaves_nothing_under_the_name_and_the_next_run_clears_up(tmp_path):
    write_clip(tmp_path / "a.mkv", stripes())
    target = tmp_path / "out" / "b.mkv"
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.mkv"), str(target)], capture_output=True)
    assert done.returncode == -9, done.stderr
    assert not target.exists() and len(list(target.parent.iterdir())) == 1
    Clip(tmp_path / "a.mkv").rewrite(target, KINDS["mkv"], as_it_was, json.dumps({}))
    assert list(target.parent.iterdir()) == [target]


def test_opacity_is_left_out_with_a_warning(tmp_path):
    write_clip(tmp_path / "a.mkv", stripes(2), pixels="bgra")
    with pytest.warns(UserWarning, match="has opacity"):
        clip = Clip(tmp_path / "a.mkv")
    assert all(map(same, clip.pictures(), stripes(2)))
