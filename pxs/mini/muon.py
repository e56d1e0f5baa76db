"""Muon, the optimiser of the matrices of `mini`: all matrices of one shape are orthogonalised together.

`torch.optim.Muon` takes them one by one, in bfloat16. A CPU without bfloat16 units emulates it: one step of `mini` then
takes 11 s instead of 0.6 s (one core, AVX2). Here it is float32 there. With such units, on two cores, the matrices of
`mini` take 0.05 s in batches of bfloat16, and 0.19 to 0.34 s one by one in float32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.775, 2.0315)  # of the quintic Newton-Schulz iteration (Jordan et al. 2024)
ITERATIONS = 5


def has_bfloat16() -> bool:
    """Whether this CPU computes bfloat16; emulated, it takes three to fifteen times as long as float32."""
    units = torch.cpu.get_capabilities()
    return bool(units.get("avx512_bf16") or units.get("amx_bf16"))


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum (Jordan et al. 2024) with the rate scaled to the size of AdamW's updates.

    `params` are matrices, float32. An update is `lr * 0.2 * sqrt(max(rows, columns))` times the orthogonalised momentum
    (Liu et al. 2025, equation 4), so that its root mean square is about 0.2 `lr`. No weight decay.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.dtype = torch.bfloat16 if has_bfloat16() else torch.float32

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    alike[p.shape].append(p)
            for shape, matrices in alike.items():
                momenta = torch.stack([self._momentum(p, group["momentum"]) for p in matrices])
                updates = orthogonalised(momenta.to(self.dtype)).float()
                torch._foreach_add_(matrices, list(updates), alpha=-group["lr"] * 0.2 * max(shape) ** 0.5)

    def _momentum(self, p: Tensor, momentum: float) -> Tensor:
        """Nesterov's momentum of one matrix after this step's gradient."""
        assert p.grad is not None
        buffer = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
        buffer.lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(buffer, momentum)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices with the singular vectors of `matrices` (..., rows, columns) and singular values near 1 (0.7 to 1.2)."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
