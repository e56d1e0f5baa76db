"""The constants of a row, computed once per training: latents, prompt embeddings, and encodings of the targets.

Each row is one safetensors file, named by the hash of everything that it depends on (pictures, prompts, model and
encoders). So a changed row, model or encoder gets a new file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from pxs.data.ffe import Row, Target
from pxs.editing.sliders.instructions import joint_prompt, shares
from pxs.encoders.alignment import TEMPLATE
from pxs.encoders.features import FeatureEncoder
from pxs.encoders.identity import IdentityEncoder
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, prompt
from pxs.images import open_image, to_array
from pxs.storage.files import replace_file
from pxs.training.public_pictures import crop, decode_latents, embed_prompts, sample_latents

if TYPE_CHECKING:
    from pxs.editing.editor import Editor

VERSION = "3"  # increase it when the computation changes

CONDITIONS: dict[str, Callable[[Target], Mix]] = {
    "category": lambda target: Mix({target.category: target.score}),
    "scores": lambda target: target.scores,
}
"""The mix that a target is conditioned on, for each `conditioning` of the settings."""


@dataclass(frozen=True)
class Batch:
    """Constants of B rows. The second axis is the branch: the two targets of a row.

    source (B, C, h, w) and targets (B, 2, C, h, w): normalised latents. text (B, 1 + K, L, D): prompt embeddings of
    the source, for the neutral prompt and for K expressions. scores (B, 2, K): intensities of the K expressions that
    each target is conditioned on. categories (B, 2): the number of each target's own expression.
    Encodings of the targets: features (B, 2, F) unit vectors; landmarks (B, 2, P, 2)
    (x, y) in pixels with identity (B, 2, D) unit vectors; None without the encoder. All but categories are floating.
    joint (B, M, D): embeddings of the prompt that gives the instructions of both targets, with shares (B, T, 12), those
    of each instruction in its last T tokens, see sliders/instructions.py; None where they are not asked for.
    """

    source: Tensor
    targets: Tensor
    text: Tensor
    scores: Tensor
    categories: Tensor
    features: Tensor | None = None
    landmarks: Tensor | None = None
    identity: Tensor | None = None
    joint: Tensor | None = None
    shares: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """A copy on a device."""
        tensors = {name: v.to(device) for name, v in vars(self).items() if v is not None}
        return Batch(**tensors)


class Cache:
    """The constants of rows in a folder, computed on first use by an editor and the encoders, if any.

    `conditioning` as in the settings: the expressions of a row that its targets are conditioned on. `published`:
    whether constants are computed as by the public trainer; recipes.py says what differs. `joint`: whether a row has
    the prompt of both instructions too.
    """

    def __init__(
        self,
        folder: Path,
        editor: Editor,
        features: FeatureEncoder | None,
        identity: IdentityEncoder | None,
        conditioning: str = "category",
        published: bool = False,
        joint: bool = False,
    ) -> None:
        self.published, self.joint = published, joint
        self.folder, self.editor, self.features, self.identity = folder, editor, features, identity
        self.conditions = CONDITIONS[conditioning]
        self._common = [VERSION, editor.checkpoint.fingerprint, str(editor.checkpoint.resolution)]
        pipe: Any = editor.pipe
        self._common += [str(pipe.dtype), *(encoder.name if encoder else "" for encoder in (features, identity))]
        self._common += ["pixelsmile"] if published else []

    def batch(self, rows: Sequence[Row]) -> Batch:
        """The constants of some rows, stacked; rows with fewer expressions than others get neutral ones at score 0."""
        parts = [{**self.constants(row), "scores": self._scores(row), "categories": _categories(row)} for row in rows]
        most = max(part["scores"].shape[1] for part in parts)
        for part in parts:
            missing = most - part["scores"].shape[1]
            part["text"] = torch.cat([part["text"], part["text"][:1].expand(missing, -1, -1)])
            part["scores"] = F.pad(part["scores"], (0, missing))
        return Batch(**{name: torch.stack([part[name] for part in parts]) for name in parts[0]})

    def _scores(self, row: Row) -> Tensor:
        """The score of each expression for each target (2, K) float32."""
        mixes = [self.conditions(target) for target in row.targets]
        return torch.tensor([[mix[expression] for expression in self._expressions(row)] for mix in mixes])

    def _expressions(self, row: Row) -> list[str]:
        """The K expressions that the targets are conditioned on: the categories, then any others."""
        return list(dict.fromkeys([*(t.category for t in row.targets), *chain(*map(self.conditions, row.targets))]))

    def constants(self, row: Row) -> dict[str, Tensor]:
        """The constants of one row, without scores; the names and shapes are those of `Batch`, without the axis B.

        Reads the file of the row, or computes and writes it. Raises JudgeError for a picture without a face.
        """
        from safetensors.torch import load_file

        return load_file(self.keep(row))

    def keep(self, row: Row) -> Path:
        """The file with the constants of a row, computed and written if it is missing. Raises as `constants`."""
        from safetensors.torch import save

        key = self.key(row)
        path = self.folder / key[:2] / f"{key[2:]}.safetensors"  # 256 folders, since large ones are slow
        if not path.exists():
            replace_file(path, save(self._computed(row)))
        return path

    def key(self, row: Row) -> str:
        """The hash of everything that the constants of a row depend on; they do not depend on the scores."""
        digest = hashlib.sha256("\n".join([*self._common, *self._prompts(row), *self._joint_prompts(row)]).encode())
        if self.published:
            digest.update(repr([row.boxes, *(t.boxes for t in row.targets)]).encode())
        for path in (row.source, *(t.image for t in row.targets)):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:32]

    def without_face(self, rows: Sequence[Row]) -> int:
        """How many targets of some rows show no face, so that their landmarks are those of the template."""
        from safetensors import safe_open

        count, template = 0, torch.tensor(TEMPLATE)
        for row in rows if self.identity else ():
            with safe_open(self.keep(row), "pt") as file:
                landmarks = file.get_tensor("landmarks")
            if landmarks.shape[1:] == template.shape:
                count += int((landmarks == template).all(dim=(1, 2)).sum())
        return count

    def _prompts(self, row: Row) -> list[str]:
        return [prompt(expression, row.domain) for expression in (NEUTRAL, *self._expressions(row))]

    def _joint_prompts(self, row: Row) -> list[str]:
        """The prompt that gives both instructions, if it is asked for."""
        return [joint_prompt(_both(row), row.domain)] if self.joint else []

    def _computed(self, row: Row) -> dict[str, Tensor]:
        return self._publicly_computed(row) if self.published else self._own_computed(row)

    @torch.no_grad()
    def _publicly_computed(self, row: Row) -> dict[str, Tensor]:
        side, boxes = self.editor.checkpoint.resolution, (row.boxes, *(t.boxes for t in row.targets))
        paths = (row.source, *(t.image for t in row.targets))
        images = [crop(open_image(path), side, around) for path, around in zip(paths, boxes, strict=True)]
        pixels = torch.stack([as_pixels(image) for image in images])
        latents = sample_latents(self.editor, pixels, int(self.key(row)[:15], 16))
        positives = decode_latents(self.editor, latents[1:])
        return {
            "source": latents[0].cpu().clone(),
            "targets": latents[1:].cpu().clone(),
            "text": embed_prompts(self.editor, images[0], self._prompts(row)).cpu().clone(),
            **self._encodings(row, positives),
        }

    @torch.no_grad()
    def _own_computed(self, row: Row) -> dict[str, Tensor]:
        side = self.editor.checkpoint.resolution
        source, *targets = (square(open_image(p), side) for p in (row.source, *(t.image for t in row.targets)))
        latents = [self.editor.encode(image).cpu()[0].clone() for image in (source, *targets)]
        return {
            "source": latents[0],
            "targets": torch.stack(latents[1:]),
            "text": self.editor.encode_prompts(self.editor.pipe, source, self._prompts(row)).cpu().clone(),
            **self._jointly(row, source),
            **self._encodings(row, torch.stack([as_pixels(t) for t in targets]).to(self.editor.vae_device)),
        }

    def _jointly(self, row: Row, source: Image.Image) -> dict[str, Tensor]:
        """The embeddings (M, D) of the prompt that gives both instructions, with its shares (T, 12), if asked for."""
        pipe, found = self.editor.pipe, {}
        for text in self._joint_prompts(row):
            found["joint"] = self.editor.encode_prompts(pipe, source, [text])[0].cpu().clone()
            found["shares"] = shares(pipe, _both(row), row.domain)
        return found

    def _encodings(self, row: Row, pixels: Tensor) -> dict[str, Tensor]:
        """Features, landmarks and identity of the targets of a row; pixels (2, 3, H, W) in [-1, 1]."""
        encodings = {}
        if self.features:
            encodings["features"] = self.features.embed_pixels(pixels)
        if self.identity:
            encodings["landmarks"] = self.identity.landmarks(pixels, [repr(str(t.image)) for t in row.targets])
            encodings["identity"] = self.identity.embed_pixels(pixels, encodings["landmarks"])
        return {name: value.cpu().clone() for name, value in encodings.items()}


def _categories(row: Row) -> Tensor:
    """The numbers (2,) of the categories of a row's targets in EXPRESSIONS."""
    return torch.tensor([EXPRESSIONS.index(target.category) for target in row.targets])


def _both(row: Row) -> list[str]:
    """The expressions of a row's two targets, in the order in which a mix names them."""
    return list(Mix({target.category: 1 for target in row.targets}))


def square(image: Image.Image, side: int) -> Image.Image:
    """The largest central square of an image, resized to `side` x `side` pixels, as in the training of PixelSmile."""
    return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)


def as_pixels(image: Image.Image) -> Tensor:
    """The pixels (3, H, W) float32 in [-1, 1] of an RGB image."""
    return torch.from_numpy(to_array(image)).permute(2, 0, 1) * 2 - 1
