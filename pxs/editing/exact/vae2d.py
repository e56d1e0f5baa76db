"""The Qwen-Image VAE for single images, with 2-D convolutions.

`AutoencoderKLQwenImage` is a causal video VAE: every 3-D kernel sees the frame itself last, and before it frames that a
single image does not have (zeros). So on one image only the last temporal slice of each kernel counts, and a 2-D
convolution with that slice gives the same result for a third of the multiplications. The modules below carry the names
of the stock ones, so state dicts translate key by key:

    vae2d = Vae2d.from_stock(pipe.vae)            # or Vae2d(**config) to train one
    pipe.vae.load_state_dict(vae2d.stock_state_dict())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers import AutoencoderKLQwenImage


class RMSNorm(nn.Module):
    """Root-mean-square normalisation over channels, with a gain per channel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim, H, W) -> the same shape and dtype; computed in float32."""
        h = x.float()  # F.normalize gives the same, but over channels takes eight times as long
        per_length = h.square().sum(dim=1, keepdim=True).clamp_min(1e-24).rsqrt()
        return (h * (per_length * x.shape[1] ** 0.5)).to(x.dtype) * self.gamma


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3x3, norm, SiLU, 3x3, plus a shortcut."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(dim_in), RMSNorm(dim_out)
        self.conv1 = nn.Conv2d(dim_in, dim_out, 3, padding=1)
        self.conv2 = nn.Conv2d(dim_out, dim_out, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(dim_in, dim_out, 1) if dim_in != dim_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim_in, H, W) -> (B, dim_out, H, W) of the same dtype."""
        h = self.conv1(F.silu(self.norm1(x)))
        return self.conv2(F.silu(self.norm2(h))) + self.conv_shortcut(x)


class Attention(nn.Module):
    """Single-head self-attention over all positions, with a residual connection."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = RMSNorm(dim)
        self.to_qkv = nn.Conv2d(dim, 3 * dim, 1)
        self.proj = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim, H, W) -> the same shape and dtype."""
        q, k, v = self.to_qkv(self.norm(x)).flatten(2).transpose(1, 2)[:, None].chunk(3, dim=-1)
        h = F.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2).reshape(x.shape)
        return self.proj(h) + x


class Double(nn.Module):
    """Nearest-neighbour upsampling by 2.

    `nn.Upsample` is not used: the compiled backward of its bfloat16 form is zero on CPUs (torch 2.13).
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2 H, 2 W) of the same dtype."""
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


class Resample(nn.Module):
    """Halve the picture (pad right and below, stride 2) or double it (nearest), each with a 3x3 convolution."""

    def __init__(self, dim: int, up: bool) -> None:
        super().__init__()
        first = Double() if up else nn.ZeroPad2d((0, 1, 0, 1))
        conv = nn.Conv2d(dim, dim // 2, 3, padding=1) if up else nn.Conv2d(dim, dim, 3, stride=2)
        self.resample = nn.Sequential(first, conv)

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim, H, W) -> (B, dim / 2, 2 H, 2 W) for `up`, else (B, dim, H / 2, W / 2), of the same dtype."""
        return self.resample(x)


class MidBlock(nn.Module):
    """Residual block, attention, residual block."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([ResidualBlock(dim, dim), ResidualBlock(dim, dim)])
        self.attentions = nn.ModuleList([Attention(dim)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim, H, W) -> the same shape and dtype."""
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class UpBlock(nn.Module):
    """Residual blocks, then doubling unless it is the last level."""

    def __init__(self, dim_in: int, dim_out: int, blocks: int, up: bool) -> None:
        super().__init__()
        dims = [dim_in] + [dim_out] * blocks
        self.resnets = nn.ModuleList(ResidualBlock(a, b) for a, b in zip(dims[:-1], dims[1:], strict=True))
        self.upsamplers = nn.ModuleList([Resample(dim_out, up=True)] if up else [])

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim_in, H, W) -> (B, dim_out, H, W), or with `up` (B, dim_out / 2, 2 H, 2 W), of the same dtype."""
        for layer in (*self.resnets, *self.upsamplers):
            x = layer(x)
        return x


class Encoder(nn.Module):
    """Image (B, 3, H, W) -> moments before the last 1x1 convolution (B, 2 z, H / 8, W / 8)."""

    def __init__(self, base: int, z: int, mult: list[int], blocks: int) -> None:
        super().__init__()
        dims = [base * m for m in (1, *mult)]
        self.conv_in = nn.Conv2d(3, dims[0], 3, padding=1)
        layers: list[nn.Module] = []
        for level, (a, b) in enumerate(zip(dims[:-1], dims[1:], strict=True)):
            layers += [ResidualBlock(a if i == 0 else b, b) for i in range(blocks)]
            layers += [Resample(b, up=False)] if level < len(mult) - 1 else []
        self.down_blocks = nn.ModuleList(layers)
        self.mid_block = MidBlock(dims[-1])
        self.norm_out = RMSNorm(dims[-1])
        self.conv_out = nn.Conv2d(dims[-1], 2 * z, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1] -> (B, 2 z, H / 8, W / 8) for the default levels, of the same dtype."""
        x = self.conv_in(x)
        for layer in self.down_blocks:
            x = layer(x)
        return self.conv_out(F.silu(self.norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    """Latent (B, z, h, w) -> image (B, 3, 8 h, 8 w), not clamped."""

    def __init__(self, base: int, z: int, mult: list[int], blocks: int) -> None:
        super().__init__()
        dims = [base * m for m in (mult[-1], *mult[::-1])]
        self.conv_in = nn.Conv2d(z, dims[0], 3, padding=1)
        self.mid_block = MidBlock(dims[0])
        self.up_blocks = nn.ModuleList(
            UpBlock(a if level == 0 else a // 2, b, blocks + 1, up=level < len(mult) - 1)
            for level, (a, b) in enumerate(zip(dims[:-1], dims[1:], strict=True))
        )
        self.norm_out = RMSNorm(dims[-1])
        self.conv_out = nn.Conv2d(dims[-1], 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Latents (B, z, h, w) -> images (B, 3, 8 h, 8 w) of the same dtype, about [-1, 1], not clamped."""
        x = self.mid_block(self.conv_in(z))
        for block in self.up_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class Vae2d(nn.Module):
    """The single-image form of `AutoencoderKLQwenImage`; images are (B, 3, H, W) in [-1, 1], H and W multiples of 8."""

    def __init__(
        self, base_dim: int = 96, z_dim: int = 16, dim_mult: tuple[int, ...] = (1, 2, 4, 4), num_res_blocks: int = 2
    ) -> None:
        super().__init__()
        self.encoder = Encoder(base_dim, z_dim, list(dim_mult), num_res_blocks)
        self.quant_conv = nn.Conv2d(2 * z_dim, 2 * z_dim, 1)
        self.post_quant_conv = nn.Conv2d(z_dim, z_dim, 1)
        self.decoder = Decoder(base_dim, z_dim, list(dim_mult), num_res_blocks)

    @classmethod
    def from_stock(cls, vae: AutoencoderKLQwenImage) -> Vae2d:
        """A 2-D copy of a stock VAE, with its dtype and device; raises ValueError for one with attention scales."""
        c = vae.config
        if c.attn_scales:
            raise ValueError(f"attn_scales {c.attn_scales} are not supported: use the stock VAE for this checkpoint")
        flat = cls(c.base_dim, c.z_dim, tuple(c.dim_mult), c.num_res_blocks).to(vae.dtype)
        flat.load_state_dict({k: _flat(v) for k, v in vae.state_dict().items() if "time_conv" not in k})
        return flat.to(vae.device).eval().requires_grad_(False)

    def stock_state_dict(self, temporal: int = 3) -> dict[str, Tensor]:
        """The weights under stock names and shapes: each kernel becomes the last of `temporal` slices, others zero."""
        return {k: _deep(k, v, temporal) for k, v in self.state_dict().items()}

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latents, each (B, z, H / 8, W / 8), from images (B, 3, H, W) in [-1, 1].

        The images have the dtype of the weights; H and W are multiples of 8.
        """
        mean, logvar = self.quant_conv(self.encoder(images)).chunk(2, dim=1)
        return mean, logvar

    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, 8 h, 8 w) in [-1, 1] from latents (B, z, h, w), both in the dtype of the weights."""
        return self.decoder(self.post_quant_conv(latents)).clamp(-1, 1)


class StockVae:
    """A stock VAE with the two methods of `Vae2d`: single images, without the frame dimension. Weights are shared."""

    def __init__(self, vae: AutoencoderKLQwenImage) -> None:
        self.vae, self.quant_conv = vae, vae.quant_conv

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """As `Vae2d.encode`."""
        latents = self.vae.encode(images[:, :, None]).latent_dist
        return latents.mean[:, :, 0], latents.logvar[:, :, 0]

    def decode(self, latents: Tensor) -> Tensor:
        """As `Vae2d.decode`."""
        return self.vae.decode(latents[:, :, None]).sample[:, :, 0]


def _flat(weight: Tensor) -> Tensor:
    """A stock weight for the 2-D module: 5-D kernels keep their last temporal slice, 4-D gains lose a dimension."""
    if weight.ndim == 5:
        return weight[:, :, -1]
    return weight[..., 0] if weight.ndim == 4 and weight.shape[1:] == (1, 1, 1) else weight


def _deep(name: str, weight: Tensor, temporal: int) -> Tensor:
    """The reverse of `_flat`. Resampling and attention are 2-D in the stock model too, and stay as they are."""
    if name.endswith("gamma"):
        return weight if "attentions" in name else weight[..., None]
    if weight.ndim != 4 or "resample" in name or "attentions" in name:
        return weight
    depth = temporal if weight.shape[-1] == 3 else 1
    kernel = weight.new_zeros(*weight.shape[:2], depth, *weight.shape[2:])
    kernel[:, :, -1] = weight
    return kernel
