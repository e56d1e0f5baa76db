"""What a training needs of a row and no step changes, computed once: latents, prompt embeddings, what judges see.

Each row is one safetensors file named by the hash of everything it depends on (pictures, prompts, model, judges), so a
changed row, model or judge is computed anew and nothing stale is ever used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from pxs.expressions import NEUTRAL, Mix, prompt
from pxs.ffe import Row, Target
from pxs.images import open_image, to_array
from pxs.judging.features import FeatureJudge
from pxs.judging.identity import IdentityLoss
from pxs.saving import replace_file

if TYPE_CHECKING:
    from pxs.editing.editor import Editor

VERSION = "3"  # raise when what is computed changes

ASKED: dict[str, Callable[[Target], Mix]] = {
    "category": lambda target: Mix({target.category: target.score}),
    "scores": lambda target: target.scores,
}
"""What a target is asked for by, for each conditioning of the settings."""


@dataclass(frozen=True)
class Batch:
    """Constants of B rows. Branches are the second axis: the two targets of a row.

    source (B, C, h, w) and targets (B, 2, C, h, w): normalised latents. text (B, 1 + K, L, D): embeddings of the
    neutral prompt and of K others, about the source. scores (B, 2, K): how much a target is asked for each. Of the
    targets: features (B, 2, F), and landmarks (B, 2, P, 2) with identity (B, 2, D), each None without its judge.
    """

    source: Tensor
    targets: Tensor
    text: Tensor
    scores: Tensor
    features: Tensor | None = None
    landmarks: Tensor | None = None
    identity: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(**{name: v if v is None else v.to(device) for name, v in vars(self).items()})


class Cache:
    """The constants of rows, made on first use by an editor and the judges that losses look through, if any.

    `conditioning` as in the settings: which expressions of a row are asked for.
    """

    def __init__(
        self,
        folder: Path,
        editor: Editor,
        features: FeatureJudge | None,
        identity: IdentityLoss | None,
        conditioning: str = "category",
    ) -> None:
        self.folder, self.editor, self.features, self.identity = folder, editor, features, identity
        self.asked = ASKED[conditioning]
        self._common = [VERSION, editor.checkpoint.fingerprint, str(editor.checkpoint.resolution)]
        self._common += [str(editor.pipe.dtype), *(judge.name if judge else "" for judge in (features, identity))]

    def batch(self, rows: Sequence[Row]) -> Batch:
        """The constants of some rows, stacked; rows that ask for fewer expressions ask for others at 0."""
        parts = [{**self.row(row), "scores": self._scores(row)} for row in rows]
        most = max(part["scores"].shape[1] for part in parts)
        for part in parts:
            missing = most - part["scores"].shape[1]
            part["text"] = torch.cat([part["text"], part["text"][:1].expand(missing, -1, -1)])
            part["scores"] = F.pad(part["scores"], (0, missing))
        return Batch(**{name: torch.stack([part[name] for part in parts]) for name in parts[0]})

    def _scores(self, row: Row) -> Tensor:
        """How much its targets are asked for each expression (2, K)."""
        asked = [self.asked(target) for target in row.targets]
        return torch.tensor([[scores[word] for word in self._words(row)] for scores in asked])

    def _words(self, row: Row) -> list[str]:
        """The expressions that are asked for: the categories, then any others."""
        return list(dict.fromkeys([*(t.category for t in row.targets), *chain(*map(self.asked, row.targets))]))

    def row(self, row: Row) -> dict[str, Tensor]:
        """The constants of one row, from its file or computed and then kept; JudgeError names a file without a face."""
        from safetensors.torch import load_file

        return load_file(self.keep(row))

    def keep(self, row: Row) -> Path:
        """The file of a row's constants, made if it is not there yet."""
        from safetensors.torch import save

        path = self.folder / f"{self.key(row)}.safetensors"
        if not path.exists():
            replace_file(path, save(self._computed(row)))
        return path

    def key(self, row: Row) -> str:
        """The hash of what a row's constants depend on; scores are not among them."""
        digest = hashlib.sha256("\n".join([*self._common, *self._prompts(row)]).encode())
        for path in (row.source, *(t.image for t in row.targets)):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:32]

    def _prompts(self, row: Row) -> list[str]:
        return [prompt(word, row.domain) for word in (NEUTRAL, *self._words(row))]

    @torch.no_grad()
    def _computed(self, row: Row) -> dict[str, Tensor]:
        side = self.editor.checkpoint.resolution
        source, *targets = (square(open_image(p), side) for p in (row.source, *(t.image for t in row.targets)))
        latents = [self.editor.encode(image).cpu()[0].clone() for image in (source, *targets)]
        return {
            "source": latents[0],
            "targets": torch.stack(latents[1:]),
            "text": self.editor.encode_prompts(self.editor.pipe, source, self._prompts(row)).cpu().clone(),
            **self._seen(row, torch.stack([as_pixels(t) for t in targets]).to(self.editor.vae_device)),
        }

    def _seen(self, row: Row, pixels: Tensor) -> dict[str, Tensor]:
        """What the judges see in a row's targets (2, 3, H, W)."""
        seen = {}
        if self.features:
            seen["features"] = self.features.embed_pixels(pixels)
        if self.identity:
            seen["landmarks"] = self.identity.landmarks(pixels, [repr(str(t.image)) for t in row.targets])
            seen["identity"] = self.identity.embed_pixels(pixels, seen["landmarks"])
        return {name: value.cpu().clone() for name, value in seen.items()}


def square(image: Image.Image, side: int) -> Image.Image:
    """The largest central square of an image, scaled to `side` x `side`, as PixelSmile was trained."""
    return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)


def as_pixels(image: Image.Image) -> Tensor:
    """(3, H, W) in [-1, 1] of an RGB image."""
    return torch.from_numpy(to_array(image)).permute(2, 0, 1) * 2 - 1
