"""Bad input of `pxs edit --face`: pictures without a usable face, faces that are not there, flags that do not fit."""

from pathlib import Path

from bad_input import Case
from PIL import Image

from pxs.faces.draw import draw
from pxs.faces.identity import Identity


def _two(folder: Path) -> None:
    """Two drawn faces side by side, of 256 pixels each."""
    picture = Image.new("RGB", (512, 256))
    for column in (0, 1):
        picture.paste(draw(Identity.sample(400_003 + column), size=256), (256 * column, 0))
    picture.save(folder / "two.png")


def _plain(folder: Path) -> None:
    Image.new("RGB", (256, 256), "blue").save(folder / "plain.png")


def _turned(folder: Path) -> None:
    draw(Identity.sample(400_003), size=256).rotate(90).save(folder / "turned.png")


def _upside_down(folder: Path) -> None:
    draw(Identity.sample(400_003), size=256).rotate(180).save(folder / "upside.png")


def _small(folder: Path) -> None:
    picture = Image.new("RGB", (400, 400), "grey")
    picture.paste(draw(Identity.sample(400_003), size=96), (150, 150))
    picture.save(folder / "small.png")


def _cut(folder: Path) -> None:
    draw(Identity.sample(400_003), size=256).crop((0, 0, 160, 256)).save(folder / "cut.png")


def _edit(picture: str, *words: str) -> tuple[str, ...]:
    return ("edit", "--image-path", picture, "--output-dir", "out", *words)


HAPPY = ("--expression", "happy")
CASES: list[Case] = [
    Case("face in a plain picture", _edit("plain.png", "--face", "largest", *HAPPY), "no face was found", _plain),
    Case("all faces of a plain picture", _edit("plain.png", "--face", "all", *HAPPY), "no face was found", _plain),
    Case("a face turned by 90", _edit("turned.png", "--face", "0", *HAPPY), "turned by 9", _turned),
    Case("a face upside down", _edit("upside.png", "--face", "0", *HAPPY), "turned by 17", _upside_down),
    Case("a small face", _edit("small.png", "--face", "0", *HAPPY), "under 64 pixels", _small),
    Case("half a face", _edit("cut.png", "--face", "0", *HAPPY), "outside of the picture", _cut),
    Case("a third face", _edit("two.png", "--face", "2", *HAPPY), "there is no face 2", _two),
    Case("a face twice", _edit("two.png", "--face", "0", "--face", "0", *HAPPY), "named twice", _two),
    Case("a box outside", _edit("face.png", "--face", "0,0,13000,13000", *HAPPY), "outside of the picture"),
    Case("an empty box", _edit("face.png", "--face", "9,9,0,5", *HAPPY), "is empty"),
    Case("a box of three", _edit("face.png", "--face", "1,2,3", *HAPPY), "names no face"),
    Case("a face by a word", _edit("face.png", "--face", "left", *HAPPY), "names no face"),
    Case("a face of nan", _edit("face.png", "--face", "nan,1,2,3", *HAPPY), "names no face"),
    Case("all and one", _edit("two.png", "--face", "all", "--face", "0", *HAPPY), "--face all stands alone", _two),
    Case("one mix of two", _edit("two.png", "--face", "0", "--mix", "happy=1", "--face", "1"), "own", _two),
    Case("two mixes of one", _edit("face.png", "--face", "0", "--mix", "happy=1", "--mix", "sad=1"), "twice"),
    Case("mix and expression", _edit("face.png", "--face", "0", "--mix", "sad=1", *HAPPY), "no other expression"),
    Case("face and box", _edit("face.png", "--face", "0", "--face-box", "1", "1", "9", "9", *HAPPY), "exclude"),
    Case("a nose", _edit("face.png", "--face", "0", "--only", "nose", *HAPPY), "unknown part of a face 'nose'"),
    Case("a part of no face", _edit("face.png", "--only", "mouth", *HAPPY), "add --face largest"),
    Case("still without a face", _edit("face.png", "--still", *HAPPY), "add --face largest"),
    Case("force without a face", _edit("face.png", "--force", *HAPPY), "add --face largest"),
    Case("neutral by scales", _edit("face.png", "--expression", "neutral", "--scales", "1"), "has no intensity"),
    Case("like a plain picture", _edit("face.png", "--like", "plain.png"), "no face was found", _plain),
    Case("like nothing", _edit("face.png", "--like", "none.png"), "does not exist"),
    Case("like and an expression", _edit("face.png", "--like", "face.png", *HAPPY), "exclude each other"),
]
