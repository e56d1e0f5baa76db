"""The training loop behind every stage that builds `mini`: resumable, logged, and the same after a kill as without one.

`train` calls `loss_at(step)`, which must derive its batch and noise from the step number alone; so nothing of a random
stream has to be saved. Matrices and convolution kernels are stepped by Muon (Jordan et al. 2024, orthogonalised
momentum), everything else by AdamW; an exponential moving average of the weights is what the stage keeps.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from pxs.errors import ModelError
from pxs.storage.states import TrainingStates


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast: `lr` is Muon's and `adam_lr` AdamW's peak rate; warm-up, then cosine to a hundredth."""

    steps: int
    lr: float
    adam_lr: float
    warmup: int = 100
    ema: float = 0.999
    weight_decay: float = 0.0
    check_every: int = 500
    seed: int = 0

    def factor(self, step: int) -> float:
        """The share of the peak rates at a step (0-based)."""
        decay = 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))
        return min(1.0, (step + 1) / max(1, self.warmup)) * (0.01 + 0.99 * decay)


class Optimiser:
    """Muon on matrices and kernels (as matrices of one row per output), AdamW on the rest.

    Names in `adam_only` are stepped by AdamW whatever their shape: first and last layers, embeddings.
    """

    def __init__(self, module: nn.Module, plan: TrainingPlan, adam_only: tuple[str, ...] = ()) -> None:
        named = [(k, p) for k, p in module.named_parameters() if p.requires_grad]
        self.plan = plan
        self.kernels = [p for k, p in named if p.ndim >= 2 and p[0].numel() > 1 and not k.startswith(adam_only)]
        chosen = {id(p) for p in self.kernels}
        rest = [p for _, p in named if id(p) not in chosen]
        self.matrices = [nn.Parameter(p.data.view(p.shape[0], -1)) for p in self.kernels]  # share their storage
        muon = torch.optim.Muon(
            self.matrices, lr=plan.lr, momentum=0.95, weight_decay=plan.weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        adam = torch.optim.AdamW(rest, lr=plan.adam_lr, betas=(0.9, 0.95), weight_decay=0.0)
        self.parts = {"muon": (muon, plan.lr), "adam": (adam, plan.adam_lr)}

    def step(self, step: int) -> None:
        """Apply the gradients at the rates of this step, then clear them."""
        for matrix, kernel in zip(self.matrices, self.kernels, strict=True):
            matrix.grad = None if kernel.grad is None else kernel.grad.reshape(matrix.shape)
            kernel.grad = None
        for optimiser, rate in self.parts.values():
            for group in optimiser.param_groups:
                group["lr"] = rate * self.plan.factor(step)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """The state of both optimisers as named tensors."""
        return {
            f"{part}.{index}.{key}": value
            for part, (optimiser, _) in self.parts.items()
            for index, entries in optimiser.state_dict()["state"].items()
            for key, value in entries.items()
        }

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """The reverse of `tensors`."""
        for part, (optimiser, _) in self.parts.items():
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                owner, index, key = name.split(".", 2)
                if owner == part:
                    state.setdefault(int(index), {})[key] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def train(
    module: nn.Module,
    loss_at: Callable[[int], Tensor],
    plan: TrainingPlan,
    folder: Path,
    check: Callable[[nn.Module], dict[str, float]],
    adam_only: tuple[str, ...] = (),
    save_every: int = 500,
) -> dict[str, Tensor]:
    """Train `module` in place from the newest checkpoint in `folder` to the end of the plan; return averaged weights.

    `loss_at(step)` gives the scalar loss of a step; `check(module)` gives figures for the log, called with the averaged
    weights loaded. The curve is appended to `folder`/curve.jsonl, one JSON object a check.
    """
    checkpoints = TrainingStates(folder)
    optimiser = Optimiser(module, plan, adam_only)
    weights = dict(module.named_parameters())
    average = {k: p.detach().clone() for k, p in weights.items()}
    start, saved = 0, checkpoints.newest()
    if saved:
        start, groups, _ = saved
        _restore(weights, groups["weights"], folder)
        average = {k: groups["average"][k].clone() for k in weights}  # in the order of the weights
        optimiser.load_tensors(groups["optimiser"])
        print(f"resuming {folder} at step {start}", flush=True)
    began, recent = time.monotonic(), []
    for step in tqdm(range(start, plan.steps), initial=start, total=plan.steps, mininterval=30, desc=folder.name):
        loss = loss_at(step)
        if not bool(torch.isfinite(loss)):
            raise ModelError(f"the loss is {loss.item()} at step {step}: {folder} keeps the last good checkpoint")
        loss.backward()
        optimiser.step(step)
        decay = min(plan.ema, (step + 1) / (step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(weights.values()), 1 - decay)
        recent.append(loss.item())
        if (step + 1) % save_every == 0 or step + 1 == plan.steps:
            groups = {"weights": weights, "average": average, "optimiser": optimiser.tensors()}
            checkpoints.save(step + 1, groups, {"plan": asdict(plan)})
        if (step + 1) % plan.check_every == 0 or step + 1 == plan.steps:
            figures = _checked(module, average, check)
            row = {"step": step + 1, "loss": sum(recent) / len(recent), "seconds": time.monotonic() - began, **figures}
            _log(folder / "curve.jsonl", row)
            recent = []
    return average


def _restore(weights: dict[str, nn.Parameter], saved: dict[str, Tensor], folder: Path) -> None:
    """Copy saved weights into the module's own; raises ModelError if they are those of another module."""
    if weights.keys() != saved.keys() or any(weights[k].shape != saved[k].shape for k in weights):
        raise ModelError(f"{folder} holds checkpoints of another model: give another work folder, or delete it")
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(saved[name])


def _checked(
    module: nn.Module, average: dict[str, Tensor], check: Callable[[nn.Module], dict[str, float]]
) -> dict[str, float]:
    """Figures with the averaged weights in place; the trained ones are put back."""
    weights = dict(module.named_parameters())
    kept = {k: p.detach().clone() for k, p in weights.items()}
    with torch.no_grad():
        for k, p in weights.items():
            p.copy_(average[k])
        figures = check(module)
        for k, p in weights.items():
            p.copy_(kept[k])
    return figures


def _log(path: Path, row: dict[str, float]) -> None:
    with open(path, "a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps({k: round(v, 4) for k, v in row.items()}), flush=True)
