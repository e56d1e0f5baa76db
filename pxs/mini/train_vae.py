"""Trains the embedded VAE: first encoder and decoder together, then the decoder alone on fixed latents.

First stage: the inputs are crops of drawn faces of both styles. The latent is the mean plus noise of a fixed standard
deviation. A learnt one would need a KL weight to tune; the fixed one also keeps the latent space smooth. The loss is
L1 + 5 MSE, plus a small penalty on the squared latents. Second stage: encoder and decoder get one more residual block
at every level. The decoder is trained on full pictures with L1 + 30 MSE. The new blocks of the encoder stay the
identity function, so the latents do not change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pxs.editing.exact.vae2d import ResidualBlock, UpBlock, Vae2d
from pxs.mini.loop import TrainingPlan, autocast, run_training

CONFIG: dict[str, Any] = {"base_dim": 16, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 1}
LATENT_NOISE = 0.05  # standard deviation of the noise on latents in the first stage
DECODER_NOISE = 0.02  # the same in the second stage
CROP, BATCH = 64, 16  # side of the crops in pixels, and their number in a batch

Module = TypeVar("Module", bound=nn.Module)


def new_vae(seed: int = 0) -> Vae2d:
    """An untrained VAE; its residual branches start at zero, so it starts as a stack of linear convolutions."""
    torch.manual_seed(seed)
    return _initialised(Vae2d(CONFIG["base_dim"], CONFIG["z_dim"], tuple(CONFIG["dim_mult"]), CONFIG["num_res_blocks"]))


def deepened(vae: Vae2d, seed: int = 0) -> Vae2d:
    """Add a residual block to every level of `vae`, in place; their branches start at zero, so outputs stay equal."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for layer, following in pairwise([*vae.encoder.down_blocks, None]):
        layers.append(layer)
        if isinstance(layer, ResidualBlock) and not isinstance(following, ResidualBlock):
            layers.append(_like(layer))
    vae.encoder.down_blocks = nn.ModuleList(layers)
    for block in _up_blocks(vae):
        last = block.resnets[-1]
        assert isinstance(last, ResidualBlock)
        block.resnets.append(_like(last))
    return vae


def _up_blocks(vae: Vae2d) -> list[UpBlock]:
    """The levels of the decoder."""
    return [block for block in vae.decoder.up_blocks if isinstance(block, UpBlock)]


def _like(block: ResidualBlock) -> ResidualBlock:
    """An untrained block whose input and output have the channels of the output of `block`."""
    dim = block.conv2.out_channels
    return _initialised(ResidualBlock(dim, dim))


def _initialised(module: Module) -> Module:
    """Initialise in place: kernels at unit gain; biases and the last layers of residual branches are zero."""
    for name, p in module.named_parameters():
        if p.ndim == 4:
            nn.init.kaiming_normal_(p, nonlinearity="linear")
        if p.ndim == 1 or name.endswith(("conv2.weight", "proj.weight")):
            nn.init.zeros_(p)
    return module


def fix_posterior(vae: Vae2d) -> None:
    """Set the log variance that `vae.encode` returns to that of the noise in training, LATENT_NOISE."""
    z = vae.post_quant_conv.weight.shape[0]
    with torch.no_grad():
        assert vae.quant_conv.bias is not None
        vae.quant_conv.weight[z:] = 0
        vae.quant_conv.bias[z:] = 2 * math.log(LATENT_NOISE)


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().contiguous() / 127.5 - 1


def crops(pool: NDArray[np.uint8], seed: int, step: int, size: int, batch: int) -> Tensor:
    """Random square crops (batch, 3, size, size) float32 in [-1, 1] of pictures (N, S, S, 3) uint8.

    Their corners are at multiples of 8 pixels. They depend on (seed, step) alone.
    """
    rng = np.random.default_rng((seed, step))
    positions = (pool.shape[1] - size) // 8 + 1
    chosen = [
        pool[i, y * 8 : y * 8 + size, x * 8 : x * 8 + size]
        for i, y, x in zip(rng.integers(len(pool), size=batch), *rng.integers(positions, size=(2, batch)), strict=True)
    ]
    return to_tensor(np.stack(chosen))


def psnr_check(held_out: dict[str, NDArray[np.uint8]]) -> Callable[[nn.Module], dict[str, float]]:
    """A check for `run_training`: the reconstruction PSNR (dB) of each style, from pictures (N, H, W, 3) uint8."""

    def check(vae: nn.Module) -> dict[str, float]:
        assert isinstance(vae, Vae2d)
        return {f"psnr_{style}": reconstruction_psnr(vae, pictures) for style, pictures in held_out.items()}

    return check


@torch.inference_mode()
def reconstruction_psnr(vae: Vae2d, pictures: NDArray[np.uint8]) -> float:
    """The PSNR (dB) between pictures (N, H, W, 3) uint8 and their reconstructions, mean over pictures."""
    values = []
    for part in torch.split(to_tensor(pictures), 16):
        error = (vae.decode(vae.encode(part)[0]) - part) / 2
        values.append(-10 * torch.log10(error.pow(2).mean(dim=(1, 2, 3))))
    return torch.cat(values).mean().item()


def train_vae(
    pool: NDArray[np.uint8], held_out: dict[str, NDArray[np.uint8]], plan: TrainingPlan, folder: Path
) -> Vae2d:
    """Train encoder and decoder together; return the VAE with averaged weights.

    `pool` and the values of `held_out`, by style, are pictures (N, H, W, 3) uint8; states and log go to `folder`.
    """
    vae = new_vae(plan.seed)

    def reconstruct(x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mean, _ = vae.encode(x)
        return vae.decoder(vae.post_quant_conv(mean + noise)), mean

    compiled = torch.compile(reconstruct)

    def loss_at(step: int) -> Tensor:
        x = crops(pool, plan.seed, step, CROP, BATCH)
        noise = LATENT_NOISE * torch.randn(
            BATCH, CONFIG["z_dim"], CROP // 8, CROP // 8, generator=torch.Generator().manual_seed(step)
        )
        with autocast():
            y, mean = compiled(x, noise)
        return pixel_loss(y.float(), x, mse=5) + 1e-3 * mean.float().pow(2).mean()

    adam_only = ("encoder.conv_in", "decoder.conv_out")
    vae.load_state_dict(run_training(vae, loss_at, plan, folder, psnr_check(held_out), adam_only))
    fix_posterior(vae)
    return vae.eval()


def train_decoder(
    vae: Vae2d,
    pool: NDArray[np.uint8],
    held_out: dict[str, NDArray[np.uint8]],
    plan: TrainingPlan,
    folder: Path,
    crop: int = 128,
) -> Vae2d:
    """Train the decoder of `vae` on crops of side `crop`; `pool`, `held_out` and `folder` as in `train_vae`.

    Latents do not change, so a transformer that was trained on them stays valid.
    """
    vae.requires_grad_(False)
    vae.decoder.requires_grad_(True)
    vae.post_quant_conv.requires_grad_(True)
    encode = torch.compile(vae.encode)
    compiled = torch.compile(lambda z: vae.decoder(vae.post_quant_conv(z)))

    def loss_at(step: int) -> Tensor:
        x = crops(pool, plan.seed + 1, step, crop, BATCH // 4)
        with torch.no_grad(), autocast():
            z = encode(x)[0].float()
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(step))
        with autocast():
            y = compiled(z + DECODER_NOISE * noise)
        return pixel_loss(y.float(), x, mse=30)

    average = run_training(vae, loss_at, plan, folder, psnr_check(held_out), adam_only=("decoder.conv_out",))
    vae.load_state_dict(average)
    return vae.eval()


@torch.inference_mode()
def latent_statistics(vae: Vae2d, pictures: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each latent channel (z values each) over pictures (N, H, W, 3) uint8."""
    latents = torch.cat([vae.encode(part)[0] for part in torch.split(to_tensor(pictures), 32)])
    return latents.mean(dim=(0, 2, 3)).tolist(), latents.std(dim=(0, 2, 3)).tolist()


def save_vae(vae: Vae2d, folder: Path, mean: list[float], std: list[float]) -> None:
    """Write a 2-D VAE as a stock checkpoint in float16, with mean and standard deviation of its latent channels."""
    from diffusers import AutoencoderKLQwenImage

    config = {**CONFIG, "num_res_blocks": len(_up_blocks(vae)[0].resnets) - 1}
    stock = AutoencoderKLQwenImage(**config, temperal_downsample=[False] * 3, latents_mean=mean, latents_std=std)
    stock.load_state_dict(vae.stock_state_dict())
    stock.to(torch.float16).save_pretrained(folder)


def pixel_loss(y: Tensor, x: Tensor, mse: float) -> Tensor:
    """L1 + `mse` times the mean squared error, a scalar; both pictures (B, 3, H, W) in [-1, 1]."""
    error = y - x
    return error.abs().mean() + mse * error.pow(2).mean()
