"""Training the embedded judges on drawn faces: expression, identity (twice) and image features.

None of them ever sees a picture of the editor. The judges that score (`expression`, `identity`) learn from the first
half of the judges' identities; the networks that losses of a training look through (`identity_loss`, `features`) from
the second half, so that what an adapter is trained against is not what it is measured by. Every picture is shifted,
blurred, lit and made noisy a little, so that a judge of clean drawings stays sober before a generated one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from pxs.encoders.features import TextTower, caption
from pxs.encoders.networks import FaceNet
from pxs.expressions import DOMAINS
from pxs.faces.identity import Identity
from pxs.faces.render import Drawing
from pxs.mini.loop import TrainingPlan, train
from pxs.mini.train_vae import to_tensor

BATCH = 64
EMBEDDING = 64  # length of identity and feature vectors
MARGIN, SCALE = 0.3, 24.0  # ArcFace: additive angular margin in radians, and the logits' scale
TEMPERATURE = 0.07


@dataclass(frozen=True)
class Portraits:
    """Drawn pictures with what they show: pixels (N, 128, 128, 3) uint8, N drawings in the same order."""

    pixels: np.ndarray
    drawings: Sequence[Drawing]

    @property
    def mixes(self) -> np.ndarray:
        """The intensities shown, cut at 1; (N, 12) float32."""
        return np.minimum([d.mix.vector() for d in self.drawings], 1).astype(np.float32)

    @property
    def people(self) -> np.ndarray:
        """A number per person (an identity in a style), counted from 0; (N,) int64."""
        return np.unique([f"{d.style}{d.seed}" for d in self.drawings], return_inverse=True)[1]

    def batch(self, seed: int, step: int, size: int = BATCH) -> tuple[np.ndarray, Tensor]:
        """Which pictures, and the pictures disturbed: (B,) indices and (B, 3, 128, 128); by (seed, step) alone."""
        rng = np.random.default_rng((seed, step))
        chosen = rng.integers(len(self.pixels), size=size)
        return chosen, disturbed(self.pixels[chosen], rng)


def disturbed(pixels: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Pictures (B, H, W, 3) uint8, shifted by up to 4 pixels, blurred, lit, made noisy: (B, 3, H, W) around [-1, 1]."""
    count, height, width = pixels.shape[:3]
    padded = np.pad(pixels, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="edge")
    shifts = rng.integers(9, size=(count, 2))
    x = to_tensor(np.stack([p[y : y + height, z : z + width] for p, (y, z) in zip(padded, shifts, strict=True)]))
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)

    def each(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, size=(count, 1, 1, 1)).astype(np.float32))

    x = x + each(0, 0.8) * (blurred - x)
    noise = torch.from_numpy(rng.standard_normal(x.shape, dtype=np.float32))
    return x * each(0.92, 1.08) + each(-0.05, 0.05) + each(0, 0.06) * noise


class ArcFace(nn.Module):
    """A network of identities with the class centres it is trained against (Deng et al. 2019, equation 3)."""

    def __init__(self, people: int) -> None:
        super().__init__()
        self.network = FaceNet(EMBEDDING)
        self.centres = nn.Parameter(torch.randn(people, EMBEDDING))

    def forward(self, x: Tensor, who: Tensor) -> Tensor:
        """Cross-entropy over people, the true one's angle made larger by MARGIN."""
        cosine = F.normalize(self.network(x).float(), dim=1) @ F.normalize(self.centres, dim=1).T
        true = cosine.gather(1, who[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
        harder = torch.cos(torch.acos(true) + MARGIN)
        return F.cross_entropy(SCALE * cosine.scatter(1, who[:, None], harder), who)


class Clip(nn.Module):
    """An image tower and a text tower that meet in one space (Radford et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = FaceNet(EMBEDDING)
        self.text = TextTower(EMBEDDING)

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """Symmetric cross-entropy of matching each picture with its caption; words (B, V) are word counts."""
        logits = F.normalize(self.network(x).float(), dim=1) @ self.text(words).T / TEMPERATURE
        truth = torch.arange(len(x))
        return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2


def train_expression(data: Portraits, held_out: Portraits, plan: TrainingPlan, folder: Path) -> FaceNet:
    """Mean squared error of the 12 scores against the intensities shown, so scores are expected intensities."""
    torch.manual_seed(plan.seed)
    network, mixes = FaceNet(12), torch.from_numpy(data.mixes)
    truth = held_out.mixes

    def loss(module: nn.Module, x: Tensor, chosen: np.ndarray) -> Tensor:
        return (module(x).float() - mixes[chosen]).pow(2).mean() * 100

    def check(module: nn.Module) -> dict[str, float]:
        scores = predict(module, held_out.pixels).clip(0, 1)
        single = np.array([len(d.mix) == 1 and max(d.mix.values()) > 0.5 for d in held_out.drawings])
        hits = scores[single].argmax(axis=1) == truth[single].argmax(axis=1)
        return {"error": float(np.abs(scores - truth).mean()), "accuracy": float(hits.mean())}

    return _train(network, network, loss, check, data, plan, folder)


def train_identity(data: Portraits, held_out: Portraits, plan: TrainingPlan, folder: Path) -> FaceNet:
    """Margin softmax over the people of `data`; expressions vary within each."""
    people = torch.from_numpy(data.people)
    torch.manual_seed(plan.seed)
    module = ArcFace(int(people.max()) + 1)

    def loss(compiled: nn.Module, x: Tensor, chosen: np.ndarray) -> Tensor:
        return compiled(x, people[chosen])

    def check(trained: nn.Module) -> dict[str, float]:
        same, other = similarities(predict(trained.network, held_out.pixels), held_out.people)
        return {"same": float(same.mean()), "other": float(other.mean()), "auc": auc(same, other)}

    return _train(module, module.network, loss, check, data, plan, folder)


def train_features(data: Portraits, held_out: Portraits, plan: TrainingPlan, folder: Path) -> FaceNet:
    """Contrastive image-text training on captions of who is shown with which expression."""
    torch.manual_seed(plan.seed)
    module = Clip()
    counts, held_out_counts = (torch.stack([words_of(d) for d in p.drawings]) for p in (data, held_out))

    def loss(compiled: nn.Module, x: Tensor, chosen: np.ndarray) -> Tensor:
        return compiled(x, counts[chosen])

    def check(trained: nn.Module) -> dict[str, float]:
        vectors = F.normalize(torch.from_numpy(predict(trained.network, held_out.pixels)), dim=1)
        nearest = (vectors @ trained.text(held_out_counts).T).argmax(dim=1)
        right = (held_out_counts[nearest] == held_out_counts).all(dim=1)
        return {"retrieval": right.float().mean().item()}

    return _train(module, module.network, loss, check, data, plan, folder)


def save(network: FaceNet, path: Path) -> None:
    """Write a network in float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.half().contiguous() for k, v in network.state_dict().items()}, path)


def words_of(drawing: Drawing) -> Tensor:
    """Word counts of the caption of a drawing."""
    identity = Identity.sample(drawing.seed)
    return TextTower.count(caption(DOMAINS[drawing.style], identity.hairstyle, identity.glasses, drawing.mix))


@torch.inference_mode()
def predict(network: nn.Module, pixels: np.ndarray) -> np.ndarray:
    """The network's raw outputs (N, outputs) float32 for pictures (N, 128, 128, 3) uint8."""
    return torch.cat([network(part).float() for part in torch.split(to_tensor(pixels), 64)]).numpy()


def similarities(vectors: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of all pairs of different pictures: of the same person, and of different people."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), k=1)
    cosine, same = (unit @ unit.T)[first, second], people[first] == people[second]
    return cosine[same], cosine[~same]


def auc(high: np.ndarray, low: np.ndarray) -> float:
    """Area under the ROC curve: how often a value of `high` exceeds one of `low` (no ties expected)."""
    ranks = np.concatenate([high, low]).argsort().argsort()[: len(high)] + 1
    return float((ranks.sum() - len(high) * (len(high) + 1) / 2) / (len(high) * len(low)))


def _train(
    module: nn.Module,
    network: FaceNet,
    loss: Callable[[nn.Module, Tensor, np.ndarray], Tensor],
    check: Callable[[nn.Module], dict[str, float]],
    data: Portraits,
    plan: TrainingPlan,
    folder: Path,
) -> FaceNet:
    """Train `module` and return the network in it, with averaged weights."""
    with torch.no_grad():
        network.head.weight.mul_(0.1)
    compiled = torch.compile(module)

    def loss_at(step: int) -> Tensor:
        chosen, x = data.batch(plan.seed, step)
        with torch.autocast("cpu", torch.bfloat16):
            return loss(compiled, x, chosen)

    muon = {n for n, p in network.trunk.named_parameters() if p.ndim == 4}
    kernels = tuple(n for n, _ in module.named_parameters() if n.partition("trunk.")[2] in muon - {"1.weight"})
    adam = tuple(n for n, _ in module.named_parameters() if n not in kernels)
    module.load_state_dict(train(module, loss_at, plan, folder, check, adam_only=adam))
    return network.eval()
