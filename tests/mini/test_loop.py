"""Tests of the training loop: a kill, a damaged file or a second start does not change the result.

As a script (`test_loop.py FOLDER KILL`) this file trains the toy model and kills itself at the point given by KILL.
"""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pxs.mini.loop import Optimiser, TrainingPlan, run_training
from pxs.mini.muon import orthogonalised
from pxs.storage.states import TrainingStates

PLAN = TrainingPlan(steps=24, lr=0.02, adam_lr=0.03, warmup=4, ema=0.8, check_every=8)
SAVE_EVERY = 5


class Interrupted(Exception):
    """Ends a training in the middle."""


def toy(seed: int = 0) -> nn.Module:
    """A small regression model with matrices, a convolution and vectors."""
    torch.manual_seed(seed)
    convolution, hidden, out = nn.Conv1d(2, 3, 3), nn.Linear(12, 4), nn.Linear(4, 2)
    return nn.Sequential(convolution, nn.Tanh(), nn.Flatten(), hidden, nn.LayerNorm(4), out)


def batch(step: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets of one step."""
    x = torch.randn(8, 2, 6, generator=torch.Generator().manual_seed(step))
    return x, torch.stack([x.sum(dim=(1, 2)), x[:, 0].prod(dim=1)], dim=1)


def run(folder: Path, at: Callable[[int, nn.Module], None] | None = None) -> dict[str, Tensor]:
    """Train the toy model in a folder; `at(step, module)` is called before every step."""
    module = toy()

    def loss_at(step: int) -> Tensor:
        if at:
            at(step, module)
        x, y = batch(step)
        return (module(x) - y).square().mean()

    return run_training(module, loss_at, PLAN, folder, error, save_every=SAVE_EVERY)


def error(module: nn.Module) -> dict[str, float]:
    """The figure for the log: the error on a separate batch."""
    x, y = batch(10**6)
    return {"error": (module(x) - y).square().mean().item()}


def interrupt(folder: Path, step: int) -> None:
    """Train up to a step and stop there."""

    def at(now: int, _: nn.Module) -> None:
        if now == step:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(folder, at=at)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two sets of weights agree in every bit."""
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def rows(folder: Path) -> list[dict]:
    """The lines of the curve; a value that is not JSON raises."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in (folder / "curve.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple[Path, dict[str, Tensor]]:
    """Folder and result of a training without interruption."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, run(folder)


@pytest.mark.parametrize("kill, resumed", [("step 13", 10), ("save 15", 10), ("step 3", 0)])
def test_a_training_killed_in_the_middle_ends_with_the_same_weights(tmp_path, uninterrupted, capsys, kill, resumed):
    command = [sys.executable, "-W", "error", __file__, str(tmp_path), kill]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert not (tmp_path / "step-0000015.safetensors").exists()
    average = run(tmp_path)
    assert same(average, uninterrupted[1])
    assert (f"resuming {tmp_path} at step {resumed}\n" in capsys.readouterr().out) == (resumed > 0)


def test_a_training_interrupted_several_times_ends_with_the_same_weights(tmp_path, uninterrupted):
    for step in (2, 6, 7, 13, 21):
        interrupt(tmp_path, step)
    assert same(run(tmp_path), uninterrupted[1])


def cut(file: Path) -> None:
    """Keep the first half of a file."""
    os.truncate(file, file.stat().st_size // 2)


@pytest.mark.parametrize("damage", [
    cut, lambda file: os.truncate(file, 0), lambda file: os.truncate(file, file.stat().st_size - 1),
    lambda file: file.write_bytes(b"\xff" * 400),
], ids=["half", "empty", "last byte missing", "garbage"])  # fmt: skip
def test_a_damaged_newest_state_falls_back_to_the_previous_one(tmp_path, uninterrupted, capsys, damage):
    interrupt(tmp_path, 17)
    damage(tmp_path / "step-0000015.safetensors")
    average = run(tmp_path)
    output = capsys.readouterr().out
    assert "step-0000015.safetensors cannot be used" in output and "at step 10\n" in output
    assert same(average, uninterrupted[1])


def test_with_all_states_damaged_the_training_starts_from_the_beginning(tmp_path, uninterrupted, capsys):
    interrupt(tmp_path, 17)
    for file in TrainingStates(tmp_path).files():
        cut(file)
    average = run(tmp_path)
    assert "resuming" not in capsys.readouterr().out and same(average, uninterrupted[1])


def test_a_finished_training_is_returned_without_a_further_step(tmp_path, uninterrupted):
    run(tmp_path)
    before = rows(tmp_path)

    def at(step: int, _: nn.Module) -> None:
        raise AssertionError(f"step {step} was run again")

    assert same(run(tmp_path, at=at), uninterrupted[1]) and rows(tmp_path) == before


def test_only_the_two_newest_states_are_kept_and_no_partial_file(uninterrupted):
    assert sorted(p.name for p in uninterrupted[0].iterdir()) == [
        "curve.jsonl", "step-0000020.json", "step-0000020.safetensors", "step-0000024.json", "step-0000024.safetensors",
    ]  # fmt: skip


def test_a_state_contains_its_step_and_plan(uninterrupted):
    step, _, notes = TrainingStates(uninterrupted[0]).newest()
    assert step == 24 and TrainingPlan(**notes["plan"]) == PLAN


def test_the_curve_has_one_row_of_json_per_check(uninterrupted):
    curve = rows(uninterrupted[0])
    assert [row["step"] for row in curve] == [8, 16, 24]
    assert all(set(row) == {"step", "loss", "seconds", "error"} for row in curve)
    assert all(math.isfinite(value) for row in curve for value in row.values())


def test_the_curve_of_an_interrupted_training_has_the_same_figures(tmp_path, uninterrupted):
    for step in (13, 21):
        interrupt(tmp_path, step)
    run(tmp_path)
    figures = {row["step"]: row["error"] for row in rows(tmp_path)}
    assert figures == {row["step"]: row["error"] for row in rows(uninterrupted[0])}


def test_checks_use_the_averaged_weights_and_then_the_trained_ones_are_restored(tmp_path):
    module, checked_weights = toy(), []

    def check(checked: nn.Module) -> dict[str, float]:
        checked_weights.append({k: p.detach().clone() for k, p in checked.named_parameters()})
        return {}

    def loss_at(step: int) -> Tensor:
        return (module(batch(step)[0]) - batch(step)[1]).square().mean()

    average = run_training(module, loss_at, replace(PLAN, check_every=100), tmp_path, check)
    trained = TrainingStates(tmp_path).newest()[1]["weights"]
    assert len(checked_weights) == 1 and same(checked_weights[0], average)
    assert same(dict(module.named_parameters()), trained) and not same(trained, average)


def test_the_average_is_the_documented_exponential_one(tmp_path):
    history = []

    def at(_: int, module: nn.Module) -> None:
        history.append({k: p.detach().clone() for k, p in module.named_parameters()})

    average = run(tmp_path, at=at)
    history.append(TrainingStates(tmp_path).newest()[1]["weights"])
    expected = {k: v.double() for k, v in history[0].items()}
    for step, weights in enumerate(history[1:]):
        decay = min(PLAN.ema, (step + 1) / (step + 20))
        expected = {k: decay * v + (1 - decay) * weights[k] for k, v in expected.items()}
    for k, v in expected.items():
        torch.testing.assert_close(average[k].double(), v, rtol=1e-5, atol=1e-6)


def test_training_lowers_the_loss(uninterrupted):
    curve = rows(uninterrupted[0])
    assert curve[-1]["loss"] < curve[0]["loss"]


def test_the_last_rate_is_a_hundredth_of_the_peak_and_stays_constant():
    plan = TrainingPlan(steps=1000, lr=1, adam_lr=1, warmup=10)
    assert plan.factor(1000) == plan.factor(5000) == pytest.approx(0.01)
    assert plan.factor(999) == pytest.approx(0.01, rel=1e-3)


def test_warm_up_is_linear_until_the_cosine():
    plan = TrainingPlan(steps=10**6, lr=1, adam_lr=1, warmup=10)
    assert [plan.factor(step) for step in range(12)] == pytest.approx([*(k / 10 for k in range(1, 11)), 1, 1])


@pytest.mark.parametrize("steps, warmup", [(50, 1), (400, 40), (1000, 100)])
def test_rates_rise_during_warm_up_then_fall_and_are_never_zero(steps, warmup):
    plan = TrainingPlan(steps=steps, lr=1, adam_lr=1, warmup=warmup)
    factors = [plan.factor(step) for step in range(steps)]
    assert factors[:warmup] == sorted(factors[:warmup])
    assert factors[warmup - 1 :] == sorted(factors[warmup - 1 :], reverse=True)
    assert min(factors) > 0 and max(factors) <= 1


def test_half_way_the_cosine_is_at_its_middle():
    assert TrainingPlan(steps=200, lr=1, adam_lr=1, warmup=1).factor(100) == pytest.approx((1 + 0.01) / 2)


def stepped(module: nn.Module, optimiser: Optimiser, steps: range) -> dict[str, Tensor]:
    """The weights after some steps on the toy task."""
    for step in steps:
        (module(batch(step)[0]) - batch(step)[1]).square().mean().backward()
        optimiser.step(step)
    return {k: p.detach().clone() for k, p in module.named_parameters()}


@pytest.mark.parametrize("adam_only", [(), ("0.",), ("0.", "3.")])
def test_every_weight_moves_and_every_gradient_is_cleared(adam_only):
    module = toy()
    before = {k: p.detach().clone() for k, p in module.named_parameters()}
    after = stepped(module, Optimiser(module, PLAN, adam_only), range(1))
    assert all(not torch.equal(before[k], after[k]) for k in before)
    assert all(p.grad is None for p in module.parameters())


def test_frozen_weights_do_not_change():
    module = toy()
    module[0].requires_grad_(False)
    before = {k: p.detach().clone() for k, p in module[0].named_parameters()}
    stepped(module, Optimiser(module, PLAN), range(2))
    assert same(before, dict(module[0].named_parameters()))


def test_muon_updates_matrices_and_adamw_all_other_weights():
    module, reference = toy(), toy()
    named = dict(reference.named_parameters())
    flat = {k: nn.Parameter(named[k].detach().flatten(1).clone()) for k in ("0.weight", "3.weight")}
    rest = {k: p for k, p in named.items() if k not in flat}
    muon = torch.optim.Muon(flat.values(), lr=1, momentum=0.95, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(rest.values(), lr=1, betas=(0.9, 0.95), weight_decay=0.0)
    optimiser = Optimiser(module, PLAN, adam_only=("5.",))
    for step in range(4):
        (reference(batch(step)[0]) - batch(step)[1]).square().mean().backward()
        muon.param_groups[0]["lr"] = PLAN.lr * PLAN.factor(step)
        adam.param_groups[0]["lr"] = PLAN.adam_lr * PLAN.factor(step)
        for k, matrix in flat.items():
            matrix.grad = named[k].grad.flatten(1)
        muon.step(), adam.step()
        with torch.no_grad():
            for k, matrix in flat.items():
                named[k].copy_(matrix.view_as(named[k]))
        reference.zero_grad()
        after = stepped(module, optimiser, range(step, step + 1))
        for k, p in named.items():  # the reference orthogonalises in bfloat16
            torch.testing.assert_close(after[k], p.detach(), rtol=0, atol=0.2 * PLAN.lr if k in flat else 1e-6)
            p.data.copy_(after[k])


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6)])
def test_orthogonalisation_applies_its_polynomial_to_the_singular_values(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, s, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    s = s / s.square().sum().sqrt()
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    torch.testing.assert_close(orthogonalised(matrix).double(), u @ torch.diag(s) @ v, rtol=0, atol=1e-4)


def test_the_state_of_the_optimiser_is_restored_from_its_tensors():
    first, second = toy(), toy(seed=1)
    one, two = Optimiser(first, PLAN), Optimiser(second, PLAN)
    stepped(first, one, range(3))
    second.load_state_dict(first.state_dict())
    two.load_tensors({k: v.clone() for k, v in one.tensors().items()})
    assert same(stepped(first, one, range(3, 6)), stepped(second, two, range(3, 6)))


def _kill_where(spec: str) -> Callable[[int, nn.Module], None]:
    """A hook for `run` that kills its own process before a step, or while a state is being saved."""
    event, number = spec.split()

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if event == "save":
        move = os.replace
        os.replace = lambda a, b: die() if f"{int(number):07d}" in str(b) else move(a, b)
    return lambda step, _: die() if event == "step" and step == int(number) else None


if __name__ == "__main__":
    run(Path(sys.argv[1]), at=_kill_where(sys.argv[2]))
