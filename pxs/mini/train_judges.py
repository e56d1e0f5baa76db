"""Trains the embedded judges and encoders on drawn faces: expression, identity (two networks) and image features.

No picture made by an editor is used. The judges (`expression`, `identity`) are trained on the first half of the
identities. The encoders of the training losses (`identity_loss`, `features`) are trained on the second half. So an
adapter is never scored by a network that its training loss used. Every picture is augmented by small random shifts,
blur, brightness, contrast and noise. This makes the networks robust to generated pictures, which are less clean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from pxs.encoders.features import TextTower, caption
from pxs.encoders.networks import FaceNet
from pxs.expressions import DOMAINS
from pxs.faces.identity import Identity
from pxs.faces.render import Drawing
from pxs.mini.loop import TrainingPlan, autocast, run_training
from pxs.mini.train_vae import to_tensor

BATCH = 64
EMBEDDING = 64  # length of identity and feature vectors
MARGIN, SCALE = 0.3, 24.0  # ArcFace: additive angular margin (radians) and scale of the logits
TEMPERATURE = 0.07  # of the contrastive loss


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures (N, 128, 128, 3) uint8 and the N drawings that they show, in the same order."""

    pictures: NDArray[np.uint8]
    drawings: Sequence[Drawing]

    @property
    def mixes(self) -> NDArray[np.float32]:
        """The intensities, at most 1; (N, 12) float32."""
        return np.minimum([d.mix.vector() for d in self.drawings], 1).astype(np.float32)

    @property
    def people(self) -> NDArray[np.int64]:
        """The index of the person in each picture, from 0; (N,) int64. A person is an identity in one style."""
        return np.unique([f"{d.style}{d.seed}" for d in self.drawings], return_inverse=True)[1]

    def batch(self, seed: int, step: int, size: int = BATCH) -> tuple[NDArray[np.int64], Tensor]:
        """Indices (B,) int64 and the augmented pictures (B, 3, 128, 128) float32; they depend on (seed, step) alone."""
        rng = np.random.default_rng((seed, step))
        chosen = rng.integers(len(self.pictures), size=size)
        return chosen, augmented(self.pictures[chosen], rng)


def augmented(pictures: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """Random shifts (up to 4 pixels), blur, contrast, brightness and noise.

    Pictures (B, H, W, 3) uint8 -> (B, 3, H, W) float32, about in [-1, 1]: noise and brightness may exceed it a little.
    """
    count, height, width = pictures.shape[:3]
    padded = np.pad(pictures, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="edge")
    shifts = rng.integers(9, size=(count, 2))
    x = to_tensor(np.stack([p[y : y + height, z : z + width] for p, (y, z) in zip(padded, shifts, strict=True)]))
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)

    def uniform(low: float, high: float) -> Tensor:
        """One random value for each picture; (B, 1, 1, 1)."""
        return torch.from_numpy(rng.uniform(low, high, size=(count, 1, 1, 1)).astype(np.float32))

    x = x + uniform(0, 0.8) * (blurred - x)
    noise = torch.from_numpy(rng.standard_normal(x.shape, dtype=np.float32))
    return x * uniform(0.92, 1.08) + uniform(-0.05, 0.05) + uniform(0, 0.06) * noise


class ArcFace(nn.Module):
    """An identity network with the class centres of its training loss (Deng et al. 2019, equation 3)."""

    def __init__(self, people: int) -> None:
        super().__init__()
        self.network = FaceNet(EMBEDDING)
        self.centres = nn.Parameter(torch.randn(people, EMBEDDING))

    def forward(self, x: Tensor, who: Tensor) -> Tensor:
        """Cross-entropy over the people, a scalar; MARGIN is added to the angle of the true person.

        x: pictures (B, 3, 128, 128) in [-1, 1]. who: indices of the people (B,) int64.
        """
        cosine = F.normalize(self.network(x).float(), dim=1) @ F.normalize(self.centres, dim=1).T
        true = cosine.gather(1, who[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
        harder = torch.cos(torch.acos(true) + MARGIN)
        return F.cross_entropy(SCALE * cosine.scatter(1, who[:, None], harder), who)


class Clip(nn.Module):
    """An image encoder and a text encoder with one embedding space (Radford et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = FaceNet(EMBEDDING)
        self.text = TextTower(EMBEDDING)

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        """Symmetric cross-entropy of matching pictures with their captions, a scalar.

        x: pictures (B, 3, 128, 128) in [-1, 1]. counts: word counts of the captions (B, V) float32.
        """
        logits = F.normalize(self.network(x).float(), dim=1) @ self.text(counts).T / TEMPERATURE
        matching = torch.arange(len(x))
        return (F.cross_entropy(logits, matching) + F.cross_entropy(logits.T, matching)) / 2


def train_expression(data: LabelledPictures, held_out: LabelledPictures, plan: TrainingPlan, folder: Path) -> FaceNet:
    """Train by the mean squared error of the 12 scores against the intensities; a score is an expected intensity."""
    torch.manual_seed(plan.seed)
    network, mixes = FaceNet(12), torch.from_numpy(data.mixes)
    truth = held_out.mixes

    def loss(compiled: Callable[..., Tensor], x: Tensor, chosen: NDArray[np.int64]) -> Tensor:
        return (compiled(x).float() - mixes[chosen]).pow(2).mean() * 100

    def check(module: nn.Module) -> dict[str, float]:
        scores = predict(module, held_out.pictures).clip(0, 1)
        single = np.array([len(d.mix) == 1 and max(d.mix.values()) > 0.5 for d in held_out.drawings])
        hits = scores[single].argmax(axis=1) == truth[single].argmax(axis=1)
        return {"error": float(np.abs(scores - truth).mean()), "accuracy": float(hits.mean())}

    return _train(network, network, loss, check, data, plan, folder)


def train_identity(data: LabelledPictures, held_out: LabelledPictures, plan: TrainingPlan, folder: Path) -> FaceNet:
    """Train by margin softmax (ArcFace) over the people in `data`, each of whom has several expressions."""
    people = torch.from_numpy(data.people)
    torch.manual_seed(plan.seed)
    module = ArcFace(int(people.max()) + 1)

    def loss(compiled: Callable[..., Tensor], x: Tensor, chosen: NDArray[np.int64]) -> Tensor:
        return compiled(x, people[chosen])

    def check(_: nn.Module) -> dict[str, float]:
        same, other = similarities(predict(module.network, held_out.pictures), held_out.people)
        return {"same": float(same.mean()), "other": float(other.mean()), "auc": auc(same, other)}

    return _train(module, module.network, loss, check, data, plan, folder)


def train_features(data: LabelledPictures, held_out: LabelledPictures, plan: TrainingPlan, folder: Path) -> FaceNet:
    """Train by contrastive image-text learning; captions state the subject, hair, glasses and expression."""
    torch.manual_seed(plan.seed)
    module = Clip()
    counts, held_out_counts = (torch.stack([caption_counts(d) for d in p.drawings]) for p in (data, held_out))

    def loss(compiled: Callable[..., Tensor], x: Tensor, chosen: NDArray[np.int64]) -> Tensor:
        return compiled(x, counts[chosen])

    def check(_: nn.Module) -> dict[str, float]:
        vectors = F.normalize(torch.from_numpy(predict(module.network, held_out.pictures)), dim=1)
        nearest = (vectors @ module.text(held_out_counts).T).argmax(dim=1)
        right = (held_out_counts[nearest] == held_out_counts).all(dim=1)
        return {"retrieval": right.float().mean().item()}

    return _train(module, module.network, loss, check, data, plan, folder)


def save(network: FaceNet, path: Path) -> None:
    """Write the weights of a network in float16 as a safetensors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.half().contiguous() for k, v in network.state_dict().items()}, path)


def caption_counts(drawing: Drawing) -> Tensor:
    """Word counts (V,) float32 of the caption of a drawing."""
    identity = Identity.sample(drawing.seed)
    return TextTower.count(caption(DOMAINS[drawing.style], identity.hairstyle, identity.glasses, drawing.mix))


@torch.inference_mode()
def predict(network: nn.Module, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The outputs of a network, (N, outputs) float32, for pictures (N, 128, 128, 3) uint8."""
    outputs: NDArray[np.float32]
    outputs = torch.cat([network(part).float() for part in torch.split(to_tensor(pictures), 64)]).numpy()
    return outputs


def similarities(
    vectors: NDArray[np.float32], people: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines, in [-1, 1], of all pairs of different pictures: of the same person, and of different people.

    `vectors` (N, D) are the embeddings of the pictures, not zero; `people` (N,) are the indices of the people. The two
    results are one-dimensional.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), k=1)
    cosine, same = (unit @ unit.T)[first, second], people[first] == people[second]
    return cosine[same], cosine[~same]


def auc(high: NDArray[np.float32], low: NDArray[np.float32]) -> float:
    """Area under the ROC curve, 0 to 1: how often a value of `high` (N,) exceeds one of `low` (M,), without ties."""
    ranks = np.concatenate([high, low]).argsort().argsort()[: len(high)] + 1
    return float((ranks.sum() - len(high) * (len(high) + 1) / 2) / (len(high) * len(low)))


def _train(
    module: nn.Module,
    network: FaceNet,
    loss: Callable[[Callable[..., Tensor], Tensor, NDArray[np.int64]], Tensor],
    check: Callable[[nn.Module], dict[str, float]],
    data: LabelledPictures,
    plan: TrainingPlan,
    folder: Path,
) -> FaceNet:
    """Train `module` and return `network`, a part of it, with averaged weights.

    `loss(compiled, x, chosen)` gets the compiled module, pictures (B, 3, 128, 128) and their indices (B,) in `data`.
    """
    with torch.no_grad():
        network.head.weight.mul_(0.1)
    compiled = torch.compile(module)

    def loss_at(step: int) -> Tensor:
        chosen, x = data.batch(plan.seed, step)
        with autocast():
            return loss(compiled, x, chosen)

    muon = {n for n, p in network.trunk.named_parameters() if p.ndim == 4}
    kernels = tuple(n for n, _ in module.named_parameters() if n.partition("trunk.")[2] in muon - {"1.weight"})
    adam_only = tuple(n for n, _ in module.named_parameters() if n not in kernels)
    module.load_state_dict(run_training(module, loss_at, plan, folder, check, adam_only))
    return network.eval()
