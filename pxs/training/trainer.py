"""The trainer: a generator of step records, resumable to the bit.

    for step in train(rows, Settings(steps=300), "out/adapter"):
        print(step.index, step.losses)

Order, noise and noise levels derive from (seed, step, place in the batch). A saved state therefore needs only the LoRA
weights, the optimiser state and the log. The output folder holds adapter.safetensors, results.json, settings.json,
people.json (the numbers of synthetic people in the rows), encoders.json (the networks of the losses), log.jsonl (one
line per step), checkpoints/, cache/ and, if they are set, samples/ (`sample_every`) and adapters/ (`keep_every`).

Several processes: `accelerate launch -m pxs train`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from pxs.data.ffe import Row
from pxs.data.people import PEOPLE, people_of, refuse_test_people
from pxs.editing.attention import set_attention
from pxs.editing.editor import Editor, load
from pxs.encoders.features import FeatureEncoder
from pxs.encoders.identity import IdentityEncoder
from pxs.encoders.noted import ENCODERS
from pxs.errors import TrainingError
from pxs.expressions import sweep
from pxs.images import open_image, save_png
from pxs.storage.files import replace_file
from pxs.storage.hashes import file_hash
from pxs.storage.locks import writing
from pxs.storage.provenance import versions, write_json
from pxs.storage.states import TrainingStates
from pxs.training.adapter import find_start, read_start, trainable_weights
from pxs.training.cache import Cache, square
from pxs.training.encoders import check_roles, choose_encoders
from pxs.training.interruption import sigterm_event
from pxs.training.log import TrainingLog
from pxs.training.objective import draws
from pxs.training.order import data_hash, order, remaining_rows, split
from pxs.training.processes import all_finite, any_holds, join
from pxs.training.public_pictures import check_boxes
from pxs.training.recipes import summary
from pxs.training.resuming import find_state, gather, restore
from pxs.training.settings import Settings
from pxs.training.sharding import full_tensor
from pxs.training.trainees import trainee

VALIDATION = 2**31 - 1  # the step number that seeds the noise of validation; no training reaches it
PATIENCE = 3  # the training fails after so many steps in a row that are not finite
VALIDATION_ROWS = 32
SAMPLE_ALPHAS, SAMPLE_STEPS = (0.0, 0.5, 1.0, 1.5), 10


@dataclass(frozen=True)
class TrainingStep:
    """One finished step, `index` (counted from 0) of `total`.

    losses: "loss" and its parts by name. rate: learning rate. seconds: wall-clock time of the step. validation: flow
    loss on held-back rows, None if this step did not compute it. sample: the picture that this step wrote, or None.
    stopped: SIGTERM arrived, the state is saved, and this step is the last.
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
    features: FeatureEncoder | None = None,
    identity: IdentityEncoder | None = None,
    cache: str | Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Iterator[TrainingStep]:
    """Train an adapter on FFE rows, from the newest state in `folder` to the end; yields every step.

    `features` and `identity` are the encoders of the contrastive and the identity loss; by default `choose_encoders`
    (pxs/training/encoders.py) selects them. `cache` is the folder of the row constants, by default folder/cache;
    trainings on the same rows may share it. `tell` gets one line on the recipe once all is checked, and one on targets
    without a face.
    Raises TrainingError for too few rows, an encoder whose role is not "train", a state of other settings or data, and
    a loss that stays not finite; DataError for synthetic people who are kept for testing; JudgeError for a missing
    encoder and for a target without a face.
    """
    constants = Path(cache or Path(folder) / "cache")
    return _Training(rows, settings, Path(folder), features, identity, constants, tell).run()


@dataclass
class _Training:
    """A training in progress, started by `run`."""

    rows: Sequence[Row]
    settings: Settings
    folder: Path
    features: FeatureEncoder | None
    identity: IdentityEncoder | None
    constants: Path
    tell: Callable[[str], None]
    without_face = 0  # targets that are aligned by the template

    def run(self) -> Iterator[TrainingStep]:
        """Train and yield every step; write adapter and results at the end."""
        self._start()
        lock = writing(self.folder) if self.accelerator.is_main_process else nullcontext()
        with lock, sigterm_event() as sigterm:
            self._prepare()
            for index in range(len(self.log.rows), self.settings.steps):
                step = self._step(index)
                done, stop = index + 1, any_holds(self.accelerator, sigterm.is_set())
                if _due(done, self.settings.keep_every):
                    self._write_adapter(self.folder / "adapters" / f"step-{done:07d}.safetensors")
                if stop or done == self.settings.steps or _due(done, self.settings.save_every):
                    self._save(done)
                yield replace(step, sample=self._sample(done), stopped=stop)
                if stop:
                    return
            self._finish()

    def _start(self) -> None:
        """Check the input, and join the other processes."""
        s = self.settings
        check_roles(self.features, self.identity)
        self.people = people_of(self.rows)
        refuse_test_people(self.people)
        self.training, self.held_back = split(self.rows, s)
        self.accelerator = join(s)
        device = str(self.accelerator.device)
        self.features, self.identity = choose_encoders(self.features, self.identity, self.rows, s, device)
        self.start = find_start(s)
        if s.published:
            check_boxes(self.rows)

    def _prepare(self) -> None:
        """Load the model, add the LoRA, and restore the newest state."""
        s = self.settings
        device = str(self.accelerator.device)
        self.checkpoints = TrainingStates(self.folder / "checkpoints")
        self.notes: dict[str, Any] = {"settings": asdict(s), "data": data_hash(self.rows, s.published)}
        if self.start:
            self.notes["start"] = file_hash(self.start)
        state = find_state(self.checkpoints, self.folder, self.notes)
        self.tell(summary(s))
        self.editor: Editor = load(s.model, adapter=None, device=device, memory="full")
        self.pipe: Any = self.editor.pipe
        encoders = self.features, self.identity
        self.cache = Cache(self.constants, self.editor, *encoders, s.conditioning, s.published, s.joint)
        self._encode(state[0] if state else 0)
        self._build()
        writes = self.accelerator.is_main_process
        self.log = TrainingLog(self.folder / "log.jsonl" if writes else None, state[2]["log"] if state else ())
        if state:
            restore(state[1], self.weights, self.optimiser)
        self.log.write()
        if writes:
            write_json(self.folder / "settings.json", {**self.notes, "versions": versions()})
            write_json(self.folder / PEOPLE, {"people": sorted(self.people)})
            write_json(self.folder / ENCODERS, {"encoders": [e.name for e in (self.features, self.identity) if e]})

    def _encode(self, first: int) -> None:
        """Compute the constants of the rows that the steps from `first` on use, each process a part of them.

        The text encoder then moves from the GPU to the CPU.
        """
        held_back = self.held_back[:VALIDATION_ROWS]
        rows = [self.training[i] for i in remaining_rows(len(self.training), self.settings, first)] + held_back
        own = rows[self.accelerator.process_index :: self.accelerator.num_processes]
        for row in tqdm(own, desc="encode", leave=False, disable=None):
            self.cache.keep(row)
        self.accelerator.wait_for_everyone()
        if self.settings.published and self.accelerator.is_main_process:
            self.without_face = self.cache.without_face(rows)
            if self.without_face:
                self.tell(f"{self.without_face} of {2 * len(rows)} targets show no face: aligned by the template")
        if self.settings.sample_every:
            row = (held_back or self.training)[0]
            image = square(open_image(row.source), self.editor.checkpoint.resolution)
            self.portrait, self.sampled = self.editor.open(image, row.domain), row.targets[0].category
            _ = self.portrait.embeddings  # computed on first use, so before the text encoder moves
        if self.accelerator.device.type != "cpu":
            self.pipe.text_encoder.to("cpu")

    def _build(self) -> None:
        """Create what is trained, the optimiser and the objective."""
        s, transformer = self.settings, self.pipe.transformer
        factors = read_start(self.start, transformer, s) if self.start else {}
        if self.accelerator.device.type == "cpu":  # the fused kernel takes four times as long backwards in bfloat16
            set_attention(transformer, "_native_math")
        self.trainee = trainee(transformer, s, factors)
        self.weights = trainable_weights(transformer)
        if s.checkpointing:
            transformer.enable_gradient_checkpointing()
        transformer.train()
        optimiser = torch.optim.AdamW(
            self.weights.values(), lr=s.lr, betas=(0.9, s.beta2), weight_decay=s.weight_decay, foreach=True
        )
        model = torch.compile(transformer) if s.compile else transformer
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser)
        self.weights = trainable_weights(transformer)  # sharding replaces them by new parameters
        decode = torch.compile(self._decode) if s.compile else self._decode
        self.objective, self.flow_only = self.trainee.losses(decode, self.features, self.identity)

    def _decode(self, latents: Tensor) -> Tensor:
        """Normalised latents (B, C, h, w) -> pixels (B, 3, H, W) in [-1, 1], with gradients, by the 2-D VAE."""
        editor = self.editor
        vae: Any = editor.vae
        pixels: Tensor = vae.decoder(vae.post_quant_conv(latents * editor.std + editor.mean))
        return pixels

    def _step(self, index: int) -> TrainingStep:
        """Compute the loss of one batch and update the weights, unless loss or gradient are not finite."""
        start = time.perf_counter()
        rate = self.settings.rate(index)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        chosen = order(len(self.training), self.settings, index)
        places = range(self.accelerator.process_index, len(chosen), self.accelerator.num_processes)
        rows = [self.training[chosen[p]] for p in places]
        parts = self._losses(rows, index, places)
        moved = self._update(parts["loss"])
        losses = {name: float(self.accelerator.reduce(v.detach(), "mean")) for name, v in parts.items()}
        seconds = time.perf_counter() - start
        step = TrainingStep(index, self.settings.steps, losses, rate, seconds, self._validation(index + 1))
        self.log.add(losses, moved, rate, seconds, step.validation)
        if not moved:
            self._check_patience(rows)
        return step

    def _update(self, loss: Tensor) -> bool:
        """Update the weights and return True, or return False if loss or gradient are not finite."""
        finite = all_finite(self.accelerator, loss)
        if finite:
            self.accelerator.backward(loss)
            norm = self.accelerator.clip_grad_norm_(self.weights.values(), self.settings.clip)
            finite = all_finite(self.accelerator, full_tensor(norm))
        if finite:
            self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return finite

    def _losses(self, rows: Sequence[Row], index: int, places: Sequence[int]) -> dict[str, Tensor]:
        batch = self.cache.batch(rows).to(self.accelerator.device)
        drawn = draws(self.settings, index, places, batch.source.shape[1:])
        noise, sigma = (v.to(self.accelerator.device) for v in drawn)
        with self.accelerator.autocast():
            return self.objective(self.model, batch, noise, sigma)

    def _check_patience(self, rows: Sequence[Row]) -> None:
        """Raise TrainingError if none of the last PATIENCE steps updated the weights."""
        if self.log.skipped(PATIENCE):
            names = ", ".join(sorted({row.source.name for row in rows}))
            raise TrainingError(
                f"loss or gradient are not finite for {PATIENCE} steps up to {len(self.log.rows)} "
                f"(last samples: {names}): the last good state is kept; lower the learning rate, or check these samples"
            )

    @torch.no_grad()
    def _validation(self, done: int) -> float | None:
        """The flow loss on held-back rows, always with the same noise; None after steps without validation.

        Every process computes all of it.
        """
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
        """Write a sweep of the first held-back face with the current adapter; None after steps without a sample."""
        if not _due(done, self.settings.sample_every):
            return None
        transformer = self.pipe.transformer.eval()
        edits = self.portrait.edit(sweep(self.sampled, SAMPLE_ALPHAS), steps=SAMPLE_STEPS, progress=False)
        transformer.train()
        path = self.folder / "samples" / f"step-{done:07d}.png"
        if self.accelerator.is_main_process:
            save_png(edits.sheet(), path, edits.provenance, overwrite=True)
        return path

    def _save(self, done: int) -> None:
        """Save the state after `done` steps: all processes gather it, the main process writes it."""
        groups = gather(self.weights, self.optimiser)
        if self.accelerator.is_main_process:
            self.checkpoints.save(done, groups, {**self.notes, "log": self.log.rows})

    def _finish(self) -> None:
        """Write adapter.safetensors and results.json."""
        path = self.folder / "adapter.safetensors"
        self._write_adapter(path)
        if self.accelerator.is_main_process:
            write_json(self.folder / "results.json", self._results(path))

    def _write_adapter(self, path: Path) -> None:
        """Write the adapter as it is now: all processes gather the weights, the main process writes."""
        expressions = sorted({target.category for row in self.training for target in row.targets})
        content = self.trainee.file(self.editor.checkpoint.fingerprint, expressions, self.log.figures())
        if self.accelerator.is_main_process:
            replace_file(path, content)

    def _results(self, adapter: Path) -> dict[str, Any]:
        return {
            "steps": self.settings.steps,
            **self.log.figures(),
            "rows": len(self.training),
            "held_back": len(self.held_back),
            **({"targets_without_face": self.without_face} if self.settings.published else {}),
            "adapter_sha256": file_hash(adapter),
            "settings": asdict(self.settings),
            "versions": versions(),
        }


def _due(done: int, every: int) -> bool:
    """Whether something that happens every `every` steps, 0 for never, happens after `done` steps."""
    return every > 0 and done % every == 0
