"""LoRAs with gates: a linear layer gives W x + sum_k g_k B_k A_k x, with gates g_k for every row, or for every token.

The linear layers of a block are named here by the end of their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel
    from torch.utils.hooks import RemovableHandle

IMAGE_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TEXT = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "txt_mlp.net.0.proj", "txt_mlp.net.2")
EVERY = (*IMAGE_ATTENTION, *TEXT, "img_mlp.net.0.proj", "img_mlp.net.2")


class GatedLora(nn.Module):
    """`count` LoRAs of one rank on the same layers of a transformer, with scaling 1.

    `targets` are ends of names of linear layers. down (count * rank, inputs) is Gaussian with deviation 1 / rank, drawn
    from `seed`; up (outputs, count * rank) is zero. `gates` (B, 1 or tokens, count) hold for the rows of the batches to
    come; None switches all off.
    """

    def __init__(
        self,
        transformer: QwenImageTransformer2DModel,
        targets: Sequence[str],
        count: int,
        rank: int,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.rank = rank
        self.gates: Tensor | None = None
        module: Any = transformer
        ends = tuple(f".{t}" for t in targets)
        layers = {name: layer for name, layer in module.named_modules() if name.endswith(ends)}
        generator = torch.Generator().manual_seed(seed)
        self.down, self.up = nn.ParameterDict(), nn.ParameterDict()
        for name, layer in layers.items():
            down = torch.randn(count * rank, layer.in_features, generator=generator) / rank
            self.down[_key(name)] = nn.Parameter(down)
            self.up[_key(name)] = nn.Parameter(torch.zeros(layer.out_features, count * rank))
        self.names = list(layers)

    def hook(self, transformer: QwenImageTransformer2DModel) -> list[RemovableHandle]:
        """Add the LoRAs to the layers of the transformer; returns the handles that remove them."""
        module: Any = transformer
        return [module.get_submodule(name).register_forward_hook(self._added(_key(name))) for name in self.names]

    def _added(self, key: str) -> Any:
        def hook(layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            if self.gates is None:
                return None
            down, up = self.down[key], self.up[key]
            gates = self.gates.to(down).repeat_interleave(self.rank, dim=-1)
            return output + F.linear(F.linear(args[0].to(down.dtype), down) * gates, up).to(output.dtype)

        return hook


def _key(name: str) -> str:
    """The name of a layer as a key of a ParameterDict, which allows no dots."""
    return name.replace(".", "/")
