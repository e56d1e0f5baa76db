"""The training loop that builds `mini`. It can be resumed after a kill, and then gives the same weights.

`run_training` calls `loss_at(step)`, which must derive its batch and its noise from the step number alone. So no state
of a random generator has to be saved. Muon (Jordan et al. 2024, orthogonalised momentum) updates matrices and
convolution kernels; AdamW updates all other weights. The result is an exponential moving average of the weights.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from pxs.errors import ModelError
from pxs.mini.muon import Muon, has_bfloat16
from pxs.storage.states import TrainingStates


@dataclass(frozen=True)
class TrainingPlan:
    """Number of steps and learning rates of one training.

    `lr` and `adam_lr` are the peak rates of Muon and AdamW. The rates rise linearly for `warmup` steps, then follow a
    cosine down to a hundredth of the peak. `ema` is the decay of the averaged weights.
    """

    steps: int
    lr: float
    adam_lr: float
    warmup: int = 100
    ema: float = 0.999
    check_every: int = 500
    seed: int = 0

    def factor(self, step: int) -> float:
        """The factor on the peak rates at a step (counted from 0); above 0, at most 1."""
        decay = 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))
        return min(1.0, (step + 1) / max(1, self.warmup)) * (0.01 + 0.99 * decay)


def autocast() -> AbstractContextManager[object]:
    """bfloat16 autocast if this CPU computes it."""
    return torch.autocast("cpu", torch.bfloat16) if has_bfloat16() else nullcontext()


class Optimiser:
    """Muon for matrices and kernels (as matrices with one row for each output), AdamW for all other weights.

    AdamW also updates the weights whose names start with an entry of `adam_only`: first and last layers, embeddings.
    """

    def __init__(self, module: nn.Module, plan: TrainingPlan, adam_only: tuple[str, ...] = ()) -> None:
        named = [(k, p) for k, p in module.named_parameters() if p.requires_grad]
        self.plan = plan
        self.kernels = [p for k, p in named if p.ndim >= 2 and p[0].numel() > 1 and not k.startswith(adam_only)]
        chosen = {id(p) for p in self.kernels}
        rest = [p for _, p in named if id(p) not in chosen]
        self.matrices = [nn.Parameter(p.data.view(p.shape[0], -1)) for p in self.kernels]  # views of the same memory
        muon = Muon(self.matrices, plan.lr)
        adam = torch.optim.AdamW(rest, lr=plan.adam_lr, betas=(0.9, 0.95), weight_decay=0.0)
        self.parts = {"muon": (muon, plan.lr), "adam": (adam, plan.adam_lr)}

    def step(self, step: int) -> None:
        """Apply the gradients with the learning rates of this step, then clear them."""
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
        """Restore the state that `tensors` returned."""
        for part, (optimiser, _) in self.parts.items():
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                owner, index, key = name.split(".", 2)
                if owner == part:
                    state.setdefault(int(index), {})[key] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def run_training(
    module: nn.Module,
    loss_at: Callable[[int], Tensor],
    plan: TrainingPlan,
    folder: Path,
    check: Callable[[nn.Module], dict[str, float]],
    adam_only: tuple[str, ...] = (),
    save_every: int = 500,
) -> dict[str, Tensor]:
    """Train `module` in place, from the newest state in `folder` to the end of the plan; return averaged weights.

    `loss_at(step)` returns the scalar loss of a step (counted from 0). `check(module)` returns figures for the log. It
    is called with the averaged weights loaded. Every check appends one JSON object to `folder`/curve.jsonl. A state is
    saved every `save_every` steps and at the end. Raises ModelError for a loss that is not finite, and for a folder
    with states of another model.
    """
    states = TrainingStates(folder)
    optimiser = Optimiser(module, plan, adam_only)
    weights = dict(module.named_parameters())
    average = {k: p.detach().clone() for k, p in weights.items()}
    start, newest = 0, states.newest()
    if newest:
        start, saved, _ = newest
        _restore(weights, saved["weights"], folder)
        average = {k: saved["average"][k].clone() for k in weights}  # in the order of the weights
        optimiser.load_tensors(saved["optimiser"])
        print(f"resuming {folder} at step {start}", flush=True)
    began = time.monotonic()
    recent: list[float] = []
    for step in tqdm(range(start, plan.steps), initial=start, total=plan.steps, mininterval=30, desc=folder.name):
        loss = loss_at(step)
        if not bool(torch.isfinite(loss)):
            raise ModelError(f"the loss is {loss.item()} at step {step}: {folder} keeps the last good state")
        loss.backward()
        optimiser.step(step)
        decay = min(plan.ema, (step + 1) / (step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(weights.values()), 1 - decay)
        recent.append(loss.item())
        if (step + 1) % save_every == 0 or step + 1 == plan.steps:
            groups: dict[str, Mapping[str, Tensor]]
            groups = {"weights": weights, "average": average, "optimiser": optimiser.tensors()}
            states.save(step + 1, groups, {"plan": asdict(plan)})
        if (step + 1) % plan.check_every == 0 or step + 1 == plan.steps:
            figures = _check_average(module, average, check)
            row = {"step": step + 1, "loss": sum(recent) / len(recent), "seconds": time.monotonic() - began, **figures}
            _log(folder / "curve.jsonl", row)
            recent = []
    return average


def _restore(weights: dict[str, nn.Parameter], saved: dict[str, Tensor], folder: Path) -> None:
    """Copy saved weights into those of the module; raises ModelError if they belong to another model."""
    if weights.keys() != saved.keys() or any(weights[k].shape != saved[k].shape for k in weights):
        raise ModelError(f"{folder} holds training states of another model: give another work folder, or delete it")
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(saved[name])


def _check_average(
    module: nn.Module, average: dict[str, Tensor], check: Callable[[nn.Module], dict[str, float]]
) -> dict[str, float]:
    """The figures of `check` with the averaged weights; the module then gets its trained weights back."""
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
    """Append the row to the file as one line of JSON, and print it rounded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps({k: round(v, 4) for k, v in row.items()}), flush=True)
