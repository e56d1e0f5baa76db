"""Bad input of `pxs edit` of a clip: files that are none, clips without a face, flags that are for pictures."""

from pathlib import Path

import av
import numpy as np
from bad_input import Case
from clip_files import SOUND_RATE, stripes, write_clip
from PIL import Image

HAPPY = ("--expression", "happy")


def _clip(folder: Path) -> None:
    """Four frames with no face in them."""
    write_clip(folder / "clip.mkv", stripes(4))


def _face_clip(folder: Path) -> None:
    write_clip(folder / "clip.mkv", [np.asarray(Image.open(folder / "face.png").convert("RGB"))] * 2)


def _small(folder: Path) -> None:
    """A face of some 45 pixels."""
    picture = Image.new("RGB", (200, 200), "grey")
    picture.paste(Image.open(folder / "face.png").convert("RGB").resize((64, 64)), (60, 60))
    write_clip(folder / "clip.mkv", [np.asarray(picture)] * 2)


def _sound_alone(folder: Path) -> None:
    with av.open(str(folder / "clip.mkv"), "w") as made:
        audio = made.add_stream("pcm_s16le", rate=SOUND_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, SOUND_RATE), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = SOUND_RATE, 0
        made.mux([*audio.encode(frame), *audio.encode(None)])


def _text(folder: Path) -> None:
    (folder / "clip.mkv").write_text("no clip " * 100)


def _playlist(folder: Path) -> None:
    _clip(folder)
    (folder / "clip.mkv").rename(folder / "other.mkv")
    (folder / "clip.mkv").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mkv\n#EXT-X-ENDLIST\n")


def _link_to_itself(folder: Path) -> None:
    (folder / "clip.mkv").symlink_to("clip.mkv")


def _huge(folder: Path) -> None:
    """Two frames of 5000 x 4000 pixels of one colour, in some kilobytes."""
    write_clip(folder / "clip.mkv", [np.zeros((4000, 5000, 3), np.uint8)] * 2, "ffv1", "bgr0")


def _taken(folder: Path) -> None:
    _clip(folder)
    (folder / "out").mkdir()
    (folder / "out" / "clip_happy_1.mp4").write_text("mine")


def _edit(*words: str) -> tuple[str, ...]:
    return ("edit", "clip.mkv", "--output-dir", "out", "--steps", "1", *words)


CASES: list[Case] = [
    Case("a clip that is not there", _edit(*HAPPY), "does not exist"),
    Case("a clip of words", _edit(*HAPPY), "is no clip, or damaged", _text),
    Case("a clip of sound", _edit(*HAPPY), "no moving pictures", _sound_alone),
    Case("a clip that is a playlist", _edit(*HAPPY), "is no clip, or damaged", _playlist),
    Case("a clip that links to itself", _edit(*HAPPY), "clip.mkv", _link_to_itself),
    Case("a clip without a face", _edit(*HAPPY), "none of the 4 frames has a face", _clip),
    Case("a clip with a small face", _edit(*HAPPY), "under 64 pixels", _small),
    Case("a clip of 5000 x 4000", _edit(*HAPPY), "9437184", _huge),
    Case("a clip without a second face", _edit("--face", "1", *HAPPY), "there is no face 1", _face_clip),
    Case("a clip and a box outside", _edit("--face", "0,0,9999,9999", *HAPPY), "outside of the picture", _face_clip),
    Case("a clip and a foreign result", _edit(*HAPPY), "exists", _taken),
    Case("a clip and two intensities", _edit(*HAPPY, "--scales", "0", "1"), "one mix", _clip),
    Case("a clip and two ranges", _edit(*HAPPY, "--scales", "0:1", "1:0"), "one mix", _clip),
    Case("a clip and a preset of six", _edit("--preset", "basic"), "one mix", _clip),
    Case("a clip and no expression", _edit(), "no expression", _clip),
    Case("a clip and three ends", _edit(*HAPPY, "--scales", "0:1:2"), "'1:2'", _clip),
    Case("a clip and half a range", _edit(*HAPPY, "--scales", "0:"), "''", _clip),
    Case("a clip and a range of nan", _edit(*HAPPY, "--scales", "0:nan"), "not finite", _clip),
    Case("a clip and a range without end", _edit(*HAPPY, "--scales", "0:1e9"), "too large", _clip),
    Case("a clip, neutral, with a range", _edit("--expression", "neutral", "--scales", "0:1"), "no intensity", _clip),
    Case("a clip and all faces", _edit("--face", "all", *HAPPY), "one face of a clip", _clip),
    Case("a clip and two faces", _edit("--face", "0", "--face", "1", *HAPPY), "one face of a clip", _clip),
    Case("a clip and a nose", _edit("--face", "0", "--only", "nose", *HAPPY), "unknown part of a face", _clip),
    Case("a clip and a face held still", _edit("--face", "0", "--still", *HAPPY), "are for pictures", _clip),
    Case("a clip and a face box", _edit("--face-box", "0", "0", "9", "9", *HAPPY), "are for pictures", _clip),
    Case("a clip as png", _edit("--format", "png", *HAPPY), "is for pictures", _clip),
    Case("a picture as mp4", ("edit", "face.png", "--output-dir", "out", "--format", "mp4", *HAPPY), "is for a clip"),
    Case("a range for a picture", ("edit", "face.png", "--output-dir", "out", *HAPPY, "--scales", "0:1"), "for a clip"),
    Case("a clip among pictures", ("edit", "face.png", "clip.mkv", "--output-dir", "out", *HAPPY), "alone", _clip),
    Case("two clips", ("edit", "clip.mkv", "clip.mkv", "--output-dir", "out", *HAPPY), "alone", _clip),
]
