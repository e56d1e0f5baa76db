"""Training the embedded VAE: first encoder and decoder together, later the decoder alone on fixed latents.

Pictures are crops of drawn faces of both styles. The latent is the mean plus a little noise (a fixed posterior width
instead of a learnt one, which keeps the latent space smooth without a balance to tune); the loss is L1 + 5 MSE, plus a
small penalty that keeps latents near unit size. Then the decoder gets one residual block more at every level and is
trained on whole pictures, weighing MSE by 30; the encoder's new blocks stay the identity, so latents stay the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pxs.editing.exact.vae2d import ResidualBlock, Vae2d
from pxs.mini.loop import TrainingPlan, train

CONFIG = {"base_dim": 16, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 1}
LATENT_NOISE = 0.05
DECODER_NOISE = 0.02
CROP, BATCH = 64, 16


def new_vae(seed: int = 0) -> Vae2d:
    """An untrained VAE whose residual branches start at zero: a stack of linear convolutions, which trains at once."""
    torch.manual_seed(seed)
    return _initialised(Vae2d(CONFIG["base_dim"], CONFIG["z_dim"], tuple(CONFIG["dim_mult"]), CONFIG["num_res_blocks"]))


def deepened(vae: Vae2d, seed: int = 0) -> Vae2d:
    """The same function with one residual block more at every level, whose branches start at zero; changes `vae`."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for layer, following in pairwise([*vae.encoder.down_blocks, None]):
        layers.append(layer)
        if isinstance(layer, ResidualBlock) and not isinstance(following, ResidualBlock):
            layers.append(_like(layer))
    vae.encoder.down_blocks = nn.ModuleList(layers)
    for block in vae.decoder.up_blocks:
        block.resnets.append(_like(block.resnets[-1]))
    return vae


def _like(block: ResidualBlock) -> ResidualBlock:
    """An untrained block that takes and gives what `block` gives."""
    dim = block.conv2.out_channels
    return _initialised(ResidualBlock(dim, dim))


def _initialised(module: nn.Module) -> nn.Module:
    """Kernels at unit gain, and nothing out of residual branches; gains stay one."""
    for name, p in module.named_parameters():
        if p.ndim == 4:
            nn.init.kaiming_normal_(p, nonlinearity="linear")
        if p.ndim == 1 or name.endswith(("conv2.weight", "proj.weight")):
            nn.init.zeros_(p)
    return module


def fix_posterior(vae: Vae2d) -> None:
    """Make the log variance that stock code reads the one that the training used."""
    z = vae.post_quant_conv.weight.shape[0]
    with torch.no_grad():
        vae.quant_conv.weight[z:] = 0
        vae.quant_conv.bias[z:] = 2 * math.log(LATENT_NOISE)


def to_tensor(pictures: np.ndarray) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().contiguous() / 127.5 - 1


def crops(pool: np.ndarray, seed: int, step: int, size: int, batch: int) -> Tensor:
    """A batch of square crops at multiples of 8, chosen by (seed, step) alone; (batch, 3, size, size)."""
    rng = np.random.default_rng((seed, step))
    places = (pool.shape[1] - size) // 8 + 1
    rows = [
        pool[i, y * 8 : y * 8 + size, x * 8 : x * 8 + size]
        for i, y, x in zip(rng.integers(len(pool), size=batch), *rng.integers(places, size=(2, batch)), strict=True)
    ]
    return to_tensor(np.stack(rows))


def psnr_check(held_out: dict[str, np.ndarray]) -> Callable[[nn.Module], dict[str, float]]:
    """A check for `train`: PSNR of whole reconstructed faces in dB, one figure a style."""

    def check(vae: nn.Module) -> dict[str, float]:
        return {f"psnr_{style}": reconstruction_psnr(vae, pictures) for style, pictures in held_out.items()}

    return check


@torch.inference_mode()
def reconstruction_psnr(vae: Vae2d, pictures: np.ndarray) -> float:
    """Mean over pictures of the PSNR between (N, H, W, 3) uint8 and their reconstruction, in dB, in float32."""
    values = []
    for part in torch.split(to_tensor(pictures), 16):
        error = (vae.decode(vae.encode(part)[0]) - part) / 2
        values.append(-10 * torch.log10(error.pow(2).mean(dim=(1, 2, 3))))
    return torch.cat(values).mean().item()


def train_vae(pool: np.ndarray, held_out: dict[str, np.ndarray], plan: TrainingPlan, folder: Path) -> Vae2d:
    """Train encoder and decoder together; returns the VAE with averaged weights."""
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
        with torch.autocast("cpu", torch.bfloat16):
            y, mean = compiled(x, noise)
        return pixel_loss(y.float(), x, mse=5) + 1e-3 * mean.float().pow(2).mean()

    ends = ("encoder.conv_in", "decoder.conv_out")
    vae.load_state_dict(train(vae, loss_at, plan, folder, psnr_check(held_out), adam_only=ends))
    fix_posterior(vae)
    return vae.eval()


def train_decoder(
    vae: Vae2d, pool: np.ndarray, held_out: dict[str, np.ndarray], plan: TrainingPlan, folder: Path
) -> Vae2d:
    """Deepen the VAE and train its decoder on whole pictures; latents, and what was trained on them, stay valid."""
    vae = deepened(vae)
    vae.requires_grad_(False)
    vae.decoder.requires_grad_(True)
    vae.post_quant_conv.requires_grad_(True)
    encode = torch.compile(vae.encode)
    compiled = torch.compile(lambda z: vae.decoder(vae.post_quant_conv(z)))

    def loss_at(step: int) -> Tensor:
        x = crops(pool, plan.seed + 1, step, pool.shape[1], BATCH // 4)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            z = encode(x)[0].float()
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(step))
        with torch.autocast("cpu", torch.bfloat16):
            y = compiled(z + DECODER_NOISE * noise)
        return pixel_loss(y.float(), x, mse=30)

    average = train(vae, loss_at, plan, folder, psnr_check(held_out), adam_only=("decoder.conv_out",))
    vae.load_state_dict(average)
    return vae.eval()


@torch.inference_mode()
def latent_statistics(vae: Vae2d, pictures: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each latent channel over pictures (N, H, W, 3) uint8."""
    latents = torch.cat([vae.encode(part)[0] for part in torch.split(to_tensor(pictures), 32)])
    return latents.mean(dim=(0, 2, 3)).tolist(), latents.std(dim=(0, 2, 3)).tolist()


def save_vae(vae: Vae2d, folder: Path, mean: list[float], std: list[float]) -> None:
    """Write a 2-D VAE as a stock checkpoint in float16, with the statistics of its latents."""
    from diffusers import AutoencoderKLQwenImage

    config = {**CONFIG, "num_res_blocks": len(vae.decoder.up_blocks[0].resnets) - 1}
    stock = AutoencoderKLQwenImage(**config, temperal_downsample=[False] * 3, latents_mean=mean, latents_std=std)
    stock.load_state_dict(vae.stock_state_dict())
    stock.to(torch.float16).save_pretrained(folder)


def pixel_loss(y: Tensor, x: Tensor, mse: float) -> Tensor:
    """L1 + `mse` times the mean squared error, of pictures in [-1, 1]."""
    error = y - x
    return error.abs().mean() + mse * error.pow(2).mean()
