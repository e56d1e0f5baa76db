"""The trainer: a generator of step records, resumable to the bit.

    for step in train(rows, Settings(steps=300), "out/adapter"):
        print(step.index, step.losses)

Order, noise and noise levels derive from (seed, step, place in the batch), so what is saved is enough to go on: LoRA
weights, optimiser state, and the loss log up to there. OUT holds adapter.safetensors, results.json, settings.json,
log.jsonl (one line a step), checkpoints/, cache/ and, when asked for, samples/.
"""

from __future__ import annotations

import hashlib
import json
import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor
from tqdm.auto import tqdm

from pxs.editing.editor import Editor, load
from pxs.errors import TrainingError
from pxs.expressions import sweep
from pxs.ffe import Row
from pxs.hub import file_hash
from pxs.images import open_image, output_folder
from pxs.judging.features import FeatureJudge
from pxs.judging.identity import IdentityLoss
from pxs.provenance import versions, write_json
from pxs.saving import Checkpoints, replace_file
from pxs.training.adapter import adapter_bytes, add_adapter, find_start, read_start, take_up, trained
from pxs.training.cache import Cache, square
from pxs.training.eyes import check_roles, choose_eyes
from pxs.training.objective import Objective, draws
from pxs.training.order import coming, data_hash, order, split
from pxs.training.settings import Settings
from pxs.training.sharding import shared_like, whole

VALIDATION = 2**31 - 1  # the step whose noise validation takes: one that no training reaches
PATIENCE = 3  # steps in a row without a finite loss before the training stops
VALIDATION_ROWS = 32
SAMPLE_ALPHAS, SAMPLE_STEPS = (0.0, 0.5, 1.0, 1.5), 10


@dataclass(frozen=True)
class Step:
    """One finished step, 0-based `index` of `total`.

    losses: "loss" and its parts by name. seconds: wall-clock of the step. validation: flow loss on held-back rows,
    after some steps, else None. sample: the picture of a sweep that was just written, else None. stopped: the training
    was asked to end (SIGTERM) and has saved its state.
    """

    index: int
    total: int
    losses: dict[str, float]
    rate: float
    seconds: float
    validation: float | None = None
    sample: Path | None = None
    stopped: bool = False


def train(
    rows: Sequence[Row],
    settings: Settings,
    folder: str | Path,
    features: FeatureJudge | None = None,
    identity: IdentityLoss | None = None,
    cache: str | Path | None = None,
) -> Iterator[Step]:
    """Train an adapter on FFE rows, from the newest state in `folder` to the end; yields every step.

    `features` and `identity` are what losses look through, by default what suits the model and the rows: see eyes.py.
    `cache` is where the constants of rows are kept, by default folder/cache; trainings on the same rows may share it.
    Raises TrainingError for too few rows, a judge that scores, a state of other settings or data, or a loss that stays
    not finite; JudgeError for a judge that cannot be had, and for a target in which it finds no face.
    """
    return _Training(rows, settings, Path(folder), features, identity, Path(cache or Path(folder) / "cache")).run()


@dataclass
class _Training:
    """A training in progress; `run` is its only verb."""

    rows: Sequence[Row]
    settings: Settings
    folder: Path
    features: FeatureJudge | None
    identity: IdentityLoss | None
    constants: Path
    log: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> Iterator[Step]:
        self._prepare()
        with _asked_to_stop() as stopping:
            for index in range(len(self.log), self.settings.steps):
                step = self._step(index)
                done, stop = index + 1, self._any(stopping.is_set())
                if stop or done == self.settings.steps or _due(done, self.settings.save_every):
                    self._save(done)
                yield replace(step, sample=self._sample(done), stopped=stop)
                if stop:
                    return
        self._finish()

    def _prepare(self) -> None:
        """Check, load, put the LoRA on, and take up the newest state."""
        s = self.settings
        check_roles(self.features, self.identity)
        self.training, self.held_back = split(self.rows, s)
        AcceleratorState._reset_state()  # it is shared by a process and refuses another precision
        # The last block drops its text tokens, so some LoRA weights get no gradient.
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(mixed_precision=s.precision, kwargs_handlers=[unused])
        processes, device = self.accelerator.num_processes, str(self.accelerator.device)
        if s.batch % processes:
            raise TrainingError(
                f"a batch of {s.batch} rows cannot be shared by {processes} processes: give a multiple of their number"
            )
        self.features, self.identity = choose_eyes(self.features, self.identity, self.rows, s, device)
        self.start = find_start(s)
        output_folder(self.folder)
        self.checkpoints = Checkpoints(self.folder / "checkpoints")
        self.notes = {"settings": asdict(s), "data": data_hash(self.rows)}
        if self.start:
            self.notes["start"] = file_hash(self.start)
        saved = self._saved()
        self.editor: Editor = load(s.model, adapter=None, device=device, memory="full")
        self.cache = Cache(self.constants, self.editor, self.features, self.identity, s.conditioning)
        self._encode(saved[0] if saved else 0)
        self._build()
        if saved:
            self._restore(*saved)
        if self.accelerator.is_main_process:
            replace_file(self.folder / "log.jsonl", "".join(map(_line, self.log)).encode())
            write_json(self.folder / "settings.json", {**self.notes, "versions": versions()})

    def _saved(self) -> tuple | None:
        """The newest state in the folder; raises TrainingError if it belongs to another training."""
        saved = self.checkpoints.newest()
        if saved is None:
            return None
        was = saved[2]
        for name, value in self.notes["settings"].items():
            before = was["settings"].get(name, getattr(Settings, name))  # what came later had its default
            if before != value:
                raise TrainingError(
                    f"{self.folder} holds a training with {name} {before!r}, not {value!r}: "
                    "repeat its settings to go on, or give another folder"
                )
        if was.get("start") != self.notes.get("start"):
            raise TrainingError(f"{self.folder} holds a training that started from another file: give another folder")
        if was["data"] != self.notes["data"]:
            raise TrainingError(
                f"{self.folder} holds a training on other data: repeat its data, or give another folder"
            )
        return saved

    def _encode(self, first: int) -> None:
        """Make what the steps from `first` on need of their rows, shared out; a GPU then gives up the text encoder."""
        held_back = self.held_back[:VALIDATION_ROWS]
        rows = [self.training[i] for i in coming(len(self.training), self.settings, first)] + held_back
        own = rows[self.accelerator.process_index :: self.accelerator.num_processes]
        for row in tqdm(own, desc="encode", leave=False, disable=None):
            self.cache.keep(row)
        self.accelerator.wait_for_everyone()
        if self.settings.sample_every:
            row = (held_back or self.training)[0]
            image = square(open_image(row.source), self.editor.checkpoint.resolution)
            self.portrait, self.shown = self.editor.open(image, row.domain), row.targets[0].category
            _ = self.portrait.embeddings  # computed at first use, for which the text encoder must still be there
        if self.accelerator.device.type != "cpu":
            self.editor.pipe.text_encoder.to("cpu")

    def _build(self) -> None:
        """The model with its LoRA, the optimiser and the objective."""
        s, transformer = self.settings, self.editor.pipe.transformer
        begun = read_start(self.start, transformer, s) if self.start else {}
        self.weights = add_adapter(transformer, s)
        take_up(transformer, begun)
        if s.checkpointing:
            transformer.enable_gradient_checkpointing()
        transformer.train()
        optimiser = torch.optim.AdamW(
            self.weights.values(), lr=s.lr, betas=(0.9, s.beta2), weight_decay=s.weight_decay, foreach=True
        )
        model = torch.compile(transformer) if s.compile else transformer
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser)
        self.weights = trained(transformer)  # others than before, if they are shared out now
        decode = torch.compile(self._decode) if s.compile else self._decode
        eyes = (judge and judge.embed_pixels for judge in (self.features, self.identity))
        self.objective = Objective(s, decode, *eyes)
        self.flow_only = replace(self.objective, settings=s.updated({"contrast": "none", "identity_weight": 0.0}))

    def _decode(self, latents: Tensor) -> Tensor:
        """Normalised latents -> pixels in [-1, 1], with gradients, through the 2-D VAE."""
        editor = self.editor
        vae = editor.vae
        return vae.decoder(vae.post_quant_conv(latents * editor.std + editor.mean))

    def _step(self, index: int) -> Step:
        """One update, or none if the loss is not finite."""
        began = time.perf_counter()
        rate = self.settings.rate(index)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        chosen = order(len(self.training), self.settings, index)
        places = range(self.accelerator.process_index, len(chosen), self.accelerator.num_processes)
        rows = [self.training[chosen[p]] for p in places]
        parts = self._losses(rows, index, places)
        moved = self._update(parts["loss"])
        losses = {name: float(self.accelerator.reduce(v.detach(), "mean")) for name, v in parts.items()}
        seconds = time.perf_counter() - began
        step = Step(index, self.settings.steps, losses, rate, seconds, self._validation(index + 1))
        self._note(step, moved)
        if not moved:
            self._check_patience(rows)
        return step

    def _update(self, loss: Tensor) -> bool:
        """Step the weights; whether that was done, which it is not if loss or gradient are not finite."""
        done = self._finite(loss)
        if done:
            self.accelerator.backward(loss)
            done = self._finite(whole(self.accelerator.clip_grad_norm_(self.weights.values(), self.settings.clip)))
        if done:
            self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return done

    def _losses(self, rows: Sequence[Row], index: int, places: Sequence[int]) -> dict[str, Tensor]:
        batch = self.cache.batch(rows).to(self.accelerator.device)
        drawn = draws(self.settings, index, places, batch.source.shape[1:])
        noise, sigma = (v.to(self.accelerator.device) for v in drawn)
        with self.accelerator.autocast():
            return self.objective(self.model, batch, noise, sigma)

    def _finite(self, value: Tensor) -> bool:
        """Whether a number is finite in every process, so that all take the same path."""
        return bool(self.accelerator.reduce(value.detach().isfinite().float(), reduction="mean") == 1)

    def _any(self, asked: bool) -> bool:
        """Whether any process was asked, so that all stop together."""
        flag = torch.tensor(float(asked), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, reduction="sum") > 0)

    def _check_patience(self, rows: Sequence[Row]) -> None:
        """Raise TrainingError if the last PATIENCE steps were all left out."""
        if len(self.log) >= PATIENCE and not any(row["moved"] for row in self.log[-PATIENCE:]):
            names = ", ".join(sorted({row.source.name for row in rows}))
            raise TrainingError(
                f"loss or gradient are not finite for {PATIENCE} steps up to {len(self.log)} (last samples: {names}): "
                "the last good state is kept; lower the learning rate, or look at these samples"
            )

    @torch.no_grad()
    def _validation(self, done: int) -> float | None:
        """Flow loss on held-back rows, always with the same noise, when it is due; every process computes it."""
        due = _due(done, self.settings.validate_every) or done == self.settings.steps
        if not (self.held_back and due):
            return None
        rows, model = self.held_back[:VALIDATION_ROWS], self.accelerator.unwrap_model(self.model)
        values = []
        for first in range(0, len(rows), self.settings.batch):
            part = rows[first : first + self.settings.batch]
            batch = self.cache.batch(part).to(self.accelerator.device)
            drawn = draws(self.settings, VALIDATION, range(first, first + len(part)), batch.source.shape[1:])
            with self.accelerator.autocast():
                parts = self.flow_only(model, batch, *(v.to(batch.source) for v in drawn))
            values += [float(parts["flow"])] * len(part)
        return sum(values) / len(values)

    def _sample(self, done: int) -> Path | None:
        """A sweep of the first held-back face with the adapter as it is, when it is due."""
        if not _due(done, self.settings.sample_every):
            return None
        transformer = self.editor.pipe.transformer.eval()
        edits = self.portrait.edit(sweep(self.shown, SAMPLE_ALPHAS), steps=SAMPLE_STEPS, progress=False)
        transformer.train()
        path = output_folder(self.folder / "samples") / f"step-{done:07d}.png"
        if self.accelerator.is_main_process:
            edits.sheet().save(path)
        return path

    def _note(self, step: Step, moved: bool) -> None:
        """Put a step into the log and, by the main process, on disk; what is not finite is null there."""
        losses = {name: value if math.isfinite(value) else None for name, value in step.losses.items()}
        row = {"step": step.index + 1, **losses, "moved": moved, "rate": step.rate, "seconds": step.seconds}
        self.log.append(row if step.validation is None else {**row, "validation": step.validation})
        if self.accelerator.is_main_process:
            with open(self.folder / "log.jsonl", "a") as file:
                file.write(_line(self.log[-1]))

    def _save(self, done: int) -> None:
        """Keep the state after `done` steps: gathered by all processes, written by the main one."""
        states = self.optimiser.state_dict()["state"]
        entries = {f"{i}.{key}": value for i, entry in states.items() for key, value in entry.items()}
        groups = {
            name: {key: whole(group[key]) for key in sorted(group)}  # in the same order in every process
            for name, group in (("weights", self.weights), ("optimiser", entries))
        }
        if self.accelerator.is_main_process:
            self.checkpoints.save(done, groups, {**self.notes, "log": self.log})

    def _restore(self, step: int, groups: dict[str, dict[str, Tensor]], notes: dict[str, Any]) -> None:
        """Take up a state: weights, optimiser, and the log up to there, which is written anew."""
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(shared_like(groups["weights"][name], weight))
        states: dict[int, dict[str, Tensor]] = {}
        trained = list(self.weights.values())
        for name, value in groups["optimiser"].items():
            index, key = name.split(".", 1)
            own = trained[int(index)]
            states.setdefault(int(index), {})[key] = shared_like(value, own) if value.shape == own.shape else value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": states})
        self.log = notes["log"]

    def _finish(self) -> None:
        """Write adapter and results: gathered by all processes, written by the main one."""
        content = adapter_bytes(self.editor.pipe.transformer, self.editor.checkpoint.fingerprint)
        if self.accelerator.is_main_process:
            path = self.folder / "adapter.safetensors"
            replace_file(path, content)
            write_json(self.folder / "results.json", self._results(path))

    def _results(self, adapter: Path) -> dict[str, Any]:
        last = self.log[-min(50, len(self.log)) :]
        names = [n for n in ("loss", "flow", "contrast", "identity") if n in last[-1]]
        validation = [row["validation"] for row in self.log if "validation" in row]
        return {
            "steps": self.settings.steps,
            **{name: _mean([row[name] for row in last]) for name in names},
            "steps_left_out": sum(not row["moved"] for row in self.log),
            "validation": validation[-1] if validation else None,
            "seconds": sum(row["seconds"] for row in self.log),
            "steps_per_second": len(last) / sum(row["seconds"] for row in last),
            "rows": len(self.training),
            "held_back": len(self.held_back),
            "adapter_sha256": hashlib.sha256(adapter.read_bytes()).hexdigest(),
            "settings": asdict(self.settings),
            "versions": versions(),
        }


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of the finite ones."""
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"


def _due(done: int, every: int) -> bool:
    return every > 0 and done % every == 0


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM sets, where signals can be had (the main thread); the old handler comes back."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGTERM, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGTERM, before)
