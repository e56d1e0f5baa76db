"""Trains the embedded transformer: image editing from discrete, partly wrong labels, on cached latents.

An example is a source latent, the embeddings of the prompt of a label with that source image, and a target latent. The
target shows an expression at an intensity that the model is not told. Its label is sometimes wrong, as labels of
annotators are (data.CONFUSION). The loss is flow matching: the mean squared error of the velocity (noise - target) at
logit-normal times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pxs.editing.attention import set_attention
from pxs.editing.sampling import pack, predict_velocity
from pxs.mini.edit_set import EditSet
from pxs.mini.loop import TrainingPlan, autocast, run_training

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

CONFIG: dict[str, Any] = {
    "patch_size": 2,
    "in_channels": 64,
    "out_channels": 16,
    "num_layers": 6,
    "attention_head_dim": 32,
    "num_attention_heads": 6,
    "joint_attention_dim": 128,
    "axes_dims_rope": (8, 12, 12),
    "zero_cond_t": True,
}
BATCH = 32


@dataclass(frozen=True)
class Emphasis:
    """Which noise levels the loss sees, and which tokens it weighs most.

    `logit` is the mean of the logit of the noise levels, whose deviation is 1: the higher, the noisier. The weight of a
    token is 1 + `changed` d, where d is the distance of target and source there, as a share of the largest in the
    picture; weights are then divided by their mean.
    """

    logit: float = 0.25
    changed: float = 0.0


PLAIN = Emphasis()


def new_transformer(seed: int = 0) -> QwenImageTransformer2DModel:
    """An untrained transformer of the stock class; its residual branches and its output start at zero."""
    from diffusers import QwenImageTransformer2DModel

    torch.manual_seed(seed)
    model = QwenImageTransformer2DModel(**CONFIG)
    for name, p in model.named_parameters():
        if p.ndim == 2 and ("_mod." in name or name.startswith(("proj_out", "norm_out"))):
            nn.init.zeros_(p)
        elif p.ndim == 2 and "time_text_embed" not in name:
            nn.init.xavier_uniform_(p)
        elif p.ndim == 1 and name.endswith("bias"):
            nn.init.zeros_(p)
    return model


def velocity_loss(
    model: Callable[..., tuple[Tensor]],
    source: Tensor,
    target: Tensor,
    text: Tensor,
    seed: int,
    step: int,
    emphasis: Emphasis = PLAIN,
) -> Tensor:
    """Mean squared error of the predicted velocity, a scalar; times and noise depend on (seed, step) alone.

    `source` and `target` are latents (B, 16, h, w); `text` holds prompt embeddings (B, L, C). All are float32.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    noise = pack(torch.randn(target.shape, generator=generator))
    sigma = torch.sigmoid(torch.randn(len(target), generator=generator) + emphasis.logit)
    clean, control = pack(target), pack(source)
    s = sigma[:, None, None]
    grid = (target.shape[2], target.shape[3])
    velocity = predict_velocity(model, (1 - s) * clean + s * noise, control, text, sigma, grid)
    error = (velocity.float() - (noise - clean)).pow(2).mean(dim=2)
    return (error * token_weights(clean, control, emphasis.changed)).mean()


def token_weights(target: Tensor, source: Tensor, changed: float) -> Tensor:
    """Weights (B, tokens) of the loss, of mean 1, from packed latents (B, tokens, C); see `Emphasis`."""
    distance = (target - source).norm(dim=2)
    weights = 1 + changed * distance / distance.amax(dim=1, keepdim=True).clamp_min(1e-6)
    return weights / weights.mean()


def train_transformer(
    data: EditSet,
    held_out: EditSet,
    plan: TrainingPlan,
    folder: Path,
    model: QwenImageTransformer2DModel | None = None,
    batch: int = BATCH,
    emphasis: Emphasis = PLAIN,
) -> QwenImageTransformer2DModel:
    """Train from the newest state in `folder` to the end of the plan; return the model with averaged weights.

    Without states in `folder` it starts from `model`, by default an untrained one.
    """
    model = model or new_transformer(plan.seed)
    set_attention(model, "_native_math")  # on a CPU the fused kernel takes four times as long backwards, in bfloat16
    compiled = torch.compile(model)

    def loss_at(step: int) -> Tensor:
        with autocast():
            return velocity_loss(compiled, *data.batch(plan.seed, step, batch), plan.seed, step, emphasis)

    def check(module: nn.Module) -> dict[str, float]:
        with autocast():
            losses = [velocity_loss(module, *held_out.batch(1, i, batch), 1, i).item() for i in range(8)]
        return {"held_out_loss": sum(losses) / len(losses)}

    adam_only = ("img_in", "txt_in", "txt_norm", "proj_out", "norm_out", "time_text_embed")
    model.load_state_dict(run_training(model, loss_at, plan, folder, check, adam_only))
    return model.eval()
