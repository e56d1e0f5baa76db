"""How near edits come to the ground truth: PSNR in dB, of the pixels that change and of those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm.auto import tqdm

from pxs.editing.editor import Editor
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces import domain
from pxs.faces.render import Drawing, render
from pxs.images import psnr, to_array

TOLERANCE = 2 / 255  # unchanged: no expression at intensity 1 changes the pixel by more than this
CHANGED = 8 / 255  # changed: the true edit differs from the source by more than this in a channel
MIXES = (Mix(), *(Mix({e: 1}) for e in EXPRESSIONS))


@dataclass(frozen=True)
class Face:
    """One person in one style: `truth` (13, H, W, 3) float32 in [0, 1], neutral and then EXPRESSIONS at 1."""

    style: str
    truth: NDArray[np.float32]

    @classmethod
    def sample(cls, number: int, style: str, size: int) -> Face:
        """The person with this number, `size` pixels a side."""
        made = render([Drawing(number, mix, style) for mix in MIXES], size, workers=1)
        return cls(style, np.divide(made, 255, dtype=np.float32))

    @property
    def source(self) -> Image.Image:
        """The neutral picture."""
        return Image.fromarray(np.rint(self.truth[0] * 255).astype(np.uint8))

    def unchanged(self) -> NDArray[np.bool_]:
        """Mask (H, W) of the pixels that no expression at intensity 1 changes by more than TOLERANCE."""
        mask: NDArray[np.bool_] = np.abs(self.truth[1:] - self.truth[0]).max(axis=(0, 3)) <= TOLERANCE
        return mask

    def changed(self, index: int) -> NDArray[np.bool_]:
        """Mask (H, W) of the pixels in which `truth[index]` differs from the source by more than CHANGED."""
        mask: NDArray[np.bool_] = np.abs(self.truth[index] - self.truth[0]).max(axis=2) > CHANGED
        return mask


def measure_style(editor: Editor, style: str, numbers: Sequence[int], steps: int) -> dict[str, object]:
    """Figures of one style, means over the people with these numbers; edits are at intensity 1.

    vae_psnr: reconstruction of the source. neutral_psnr: neutral edit against the source. edit_psnr: edit against
    truth. gain: the same in changed pixels, less that of the unedited source. background_psnr: in unchanged pixels.
    edit_psnr_by_expression and gain_by_expression: the means of each expression.
    """
    values: dict[str, list[float]] = {"vae_psnr": [], "neutral_psnr": [], "background_psnr": []}
    edit: dict[str, list[float]] = {e: [] for e in EXPRESSIONS}
    gain: dict[str, list[float]] = {e: [] for e in EXPRESSIONS}
    for number in tqdm(numbers, desc=style, mininterval=10):
        face = Face.sample(number, style, editor.checkpoint.resolution)
        portrait, still = editor.open(face.source, domain(style)), face.unchanged()
        values["vae_psnr"].append(psnr(to_array(editor.decode(portrait.latents)[0]), face.truth[0]))
        images = [to_array(i) for i in portrait.edit(MIXES, seed=number, steps=steps, progress=False)]
        values["neutral_psnr"].append(psnr(images[0], face.truth[0]))
        for index, expression in enumerate(EXPRESSIONS, start=1):
            truth, changed = face.truth[index], face.changed(index)
            edit[expression].append(psnr(images[index], truth))
            gain[expression].append(psnr(images[index], truth, changed) - psnr(face.truth[0], truth, changed))
            values["background_psnr"].append(psnr(images[index], truth, still))
    figures: dict[str, object] = {key: float(np.mean(v)) for key, v in values.items()}
    for name, by_expression in (("edit_psnr", edit), ("gain", gain)):
        figures[name] = float(np.mean([v for numbers in by_expression.values() for v in numbers]))
        figures[f"{name}_by_expression"] = {e: float(np.mean(v)) for e, v in by_expression.items()}
    return figures
