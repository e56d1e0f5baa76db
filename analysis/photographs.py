"""What is lost when a face of a photograph is edited and put back: `python -m analysis.photographs --out FOLDER`.

People are rendered in front of photographs of scikit-image, so the picture after the edit is known to the pixel. First
the edit is perfect: the true picture, cut and shrunk to the model's side as any edit would be. All that is lost is then
lost on the way. After that `mini` edits the same pictures, five people at once with a mix each, and the astronaut at
two sizes. Prints for each row

    found      faces that the finder finds
    changed    PSNR (dB) against the truth, over the pixels that the truth changes
    source     the same for the source, so the difference is what the edit gains
    outside    pixels outside of all masks whose bytes differ
    seam       gradient energy in the rim of the mask, by that of the source there; 1 is as smooth as the source

and for the astronaut what networks read from the face before and after. Pictures before and after are written to --out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pxs.editing.checkpoints import Checkpoint
from pxs.editing.editor import Editor, load
from pxs.editing.group import Group, merge
from pxs.editing.photographs import Cut, cut_faces
from pxs.editing.photographs.reading import read
from pxs.errors import ImageError, JudgeError, PxsError
from pxs.expressions import Mix
from pxs.faces.portraits import Person, Sitter
from pxs.faces.portraits.picture import SAMPLES, develop
from pxs.images import Fit, psnr, to_array
from pxs.judging.outside.emotions import Emotions
from pxs.judging.outside.facex import FacexJudge
from pxs.judging.outside.fer import FerJudge
from pxs.optional import require
from pxs.parsing import Parser, argument
from pxs.quantities import STEPS
from pxs.storage.files import output_folder

PEOPLE = 431_100  # first number; nobody is fitted on them
SIDES = (128, 256, 512)  # of the model's picture
HEAD = 300  # side in pixels of a rendered head
MIXES = (Mix(happy=1), Mix(surprised=1), Mix(angry=1), Mix(sad=1), Mix(disgust=1))
BACKGROUNDS = ("coffee", "rocket", "chelsea")

Bits = NDArray[np.bool_]


class Outdoors(Sitter):
    """A person in front of a photograph, an RGB picture that has the size of the render."""

    def __init__(self, person: Person, behind: Image.Image) -> None:
        super().__init__(person)
        self.behind = behind

    def background(self, side: int) -> NDArray[np.float32]:
        """The photograph in linear light, each pixel as often as the renderer samples it."""
        linear = _linear()[np.asarray(self.behind)]
        return np.repeat(np.repeat(linear, SAMPLES, axis=0), SAMPLES, axis=1)


@cache
def _linear() -> NDArray[np.float32]:
    """The linear light (256,) that `develop` turns into each level."""
    light = (np.linspace(0, 1, 200_001) ** 2.2 * 6).astype(np.float32)  # dense where levels are
    levels = np.asarray(develop(np.repeat(light[None, :, None], 3, axis=2)))[0, :, 0]
    return np.array([light[levels == level].mean() for level in range(256)], np.float32)


def photograph(name: str, size: tuple[int, int]) -> Image.Image:
    """A photograph of scikit-image, enlarged or shrunk to `size` (width, height); ImageError without that package."""
    data = require("skimage.data", "dev", ImageError)
    return Image.fromarray(getattr(data, name)()).resize(size, Image.Resampling.LANCZOS)


def people(
    background: Image.Image, numbers: Sequence[int], mixes: Sequence[Mix], head: int = HEAD
) -> tuple[Image.Image, Image.Image]:
    """People side by side at the lower border of a photograph, neutral and with a mix each."""
    before, after = background.copy(), background.copy()
    step = background.width / len(numbers)
    for i, (number, mix) in enumerate(zip(numbers, mixes, strict=True)):
        left, top = round(step * (i + 0.5) - head / 2), background.height - head
        sitter = Outdoors(Person.sample(number), background.crop((left, top, left + head, top + head)))
        for picture, shown in ((before, Mix()), (after, mix)):
            picture.paste(develop(sitter.picture(shown, head)), (left, top))
    return before, after


def perfect(cuts: Sequence[Cut], truth: Image.Image, side: int) -> Image.Image:
    """The truth, cut out around each face, shrunk to the side of a model, and put back into the source."""
    parts = []
    for cut in cuts:
        small, wanted = (
            square.resize((side, side), Image.Resampling.LANCZOS)
            for square in (cut.square, Cut(truth, cut.face).square)
        )
        parts.append(cut.put_back(Fit(cut.square, small).restore(wanted)))
    return merge(cuts[0].picture, parts)


def touched(cuts: Sequence[Cut]) -> tuple[Bits, Bits]:
    """Pixels of the picture inside of any mask, and in the rim of any, both (height, width)."""
    inside = np.zeros(cuts[0].picture.size[::-1], bool)
    rim = inside.copy()
    for cut in cuts:
        y, x = np.mgrid[: inside.shape[0], : inside.shape[1]] + 0.5
        cells = len(cut.mask)
        places = cut.level(np.stack([x.ravel(), y.ravel()], axis=1)) * cells / cut.side - 0.5
        column, row = np.clip(np.rint(places), 0, cells - 1).astype(int).T
        within = ((places > -0.5) & (places < cells - 0.5)).all(axis=1)
        share = np.where(within, cut.mask[row, column], 0).reshape(inside.shape)
        wide = np.pad(cut.mask, 2)  # a pixel may see cells beside its own
        near = np.max([np.roll(wide, (a, b), (0, 1)) for a in (-1, 0, 1) for b in (-1, 0, 1)], axis=0)[2:-2, 2:-2]
        inside |= np.where(within, near[row, column], 0).reshape(inside.shape) > 0
        rim |= (share > 0.02) & (share < 0.98)
    return inside, rim


def energy(image: Image.Image, where: Bits) -> float:
    """Mean squared difference of neighbours over some pixels."""
    values = to_array(image).mean(axis=2)
    rows, columns = np.gradient(values)
    return float((rows**2 + columns**2)[where].mean())


def row(name: str, cuts: Sequence[Cut], result: Image.Image, truth: Image.Image | None) -> None:
    """Print one row of the table."""
    source = cuts[0].picture
    inside, rim = touched(cuts)
    outside = int(((np.asarray(result) != np.asarray(source)).any(axis=2) & ~inside).sum())
    gain = ""
    if truth is not None:
        changed = (np.abs(to_array(truth) - to_array(source)) > 2 / 255).any(axis=2)
        values = [psnr(to_array(image), to_array(truth), changed) for image in (result, source)]
        gain = f"{values[0]:8.2f}{values[1]:8.2f}"
    seam = energy(result, rim) / energy(source, rim)
    print(f"{name:<34}{len(cuts):6}{gain or 16 * ' '}{outside:9}{seam:8.3f}", flush=True)


def save(folder: Path, name: str, *images: Image.Image) -> None:
    """Write pictures side by side."""
    sheet = Image.new("RGB", (sum(image.width for image in images), images[0].height))
    for i, image in enumerate(images):
        sheet.paste(image, (i * image.width, 0))
    sheet.save(folder / f"{name}.png")


def measure(editor: Editor, folder: Path, steps: int) -> None:
    """All rows with rendered people."""
    print(f"{'':34}{'found':>6}{'changed':>8}{'source':>8}{'outside':>9}{'seam':>8}")
    scenes = [(name, [PEOPLE + i], [MIXES[i]], (640, 480)) for i, name in enumerate(BACKGROUNDS)]
    scenes.append(("coffee", list(range(PEOPLE + 5, PEOPLE + 10)), list(MIXES), (1500, 600)))
    for name, numbers, mixes, size in scenes:
        before, truth = people(photograph(name, size), numbers, mixes)
        cuts = sorted(cut_faces(before, None, force=True), key=lambda cut: cut.face.box[0])
        title = f"{name}, {len(numbers)} of {HEAD} px"
        for side in SIDES:
            result = perfect(cuts, truth, side)
            row(f"{title}, perfect at {side}", cuts, result, truth)
        edited = Group(editor, cuts).edit_each(mixes[: len(cuts)], steps=steps, progress=False)[0]
        row(f"{title}, mini", cuts, edited, truth)
        save(folder, f"{name}_{len(numbers)}", before, truth, result, edited)


def astronaut(editor: Editor, folder: Path, steps: int, side: int, outsiders: Sequence[Emotions]) -> None:
    """The astronaut at a size, happy and neutral by mini, and what networks read before and after."""
    source = photograph("astronaut", (side, side))
    cuts = cut_faces(source, ["largest"])
    edits = Group(editor, cuts).edit([Mix(), Mix(happy=1), Mix(surprised=1)], steps=steps, progress=False)
    save(folder, f"astronaut_{side}", source, *edits)
    left, top, right, bottom = cuts[0].face.box
    around = (left - 0.4 * (right - left), top - 0.4 * (bottom - top), right + 0.4 * (right - left), bottom)
    save(folder, f"astronaut_{side}_face", *(image.crop(tuple(map(round, around))) for image in (source, *edits)))
    for name, image in zip(("source", *map(str, edits.mixes)), (source, *edits), strict=True):
        row(f"astronaut {side}, {name}", cuts, image, None)
        print(f"    face units: {_read(image)}")
        for judge in outsiders:
            seen = judge.probabilities(image)
            print(f"    {judge.name}: " + ", ".join(f"{k} {v:.2f}" for k, v in seen.items() if v >= 0.05))


def _read(image: Image.Image) -> str:
    try:
        return str(read(image, force=True))
    except PxsError as error:
        return str(error)


def report(folder: Path, steps: int) -> None:
    """Everything."""
    output_folder(folder)
    editor = load("mini")
    editor.checkpoint = _quiet(editor.checkpoint)
    measure(editor, folder, steps)
    try:
        outsiders: list[Emotions] = [FerJudge(), FacexJudge()]
    except JudgeError as error:
        outsiders = []
        print(f"without outside judges: {error}")
    for side in (512, 1024):
        astronaut(editor, folder, steps, side, outsiders)


def _quiet(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint that does not warn of photographs: that mini draws is what is shown here."""
    return replace(checkpoint, least_psnr=None)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 2 when a package is missing."""
    parser = Parser(prog="python -m analysis.photographs", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--steps", type=argument(STEPS), default=20, help="denoising steps of mini (default 20)")
    return parser.run(lambda options: report(options.out, options.steps), arguments)


if __name__ == "__main__":
    raise SystemExit(main())
