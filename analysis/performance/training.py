"""Training speed: python -m analysis.performance.training [--steps N] [--batch B] [--out DIR].

It compares our training step with a direct implementation of the published one, on the same model, rows, noise and
LoRA. The published step runs one forward pass for each branch, decodes four pictures with the stock video VAE (both
generated pictures and both true ones), and computes the features of the true pictures at every step. Each side runs in
processes of its own, so that its memory is measured alone, in the order A-B-B-A, so that drift cancels.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pxs.data.ffe import Row, read
from pxs.data.synthetic_ffe import write_synthetic_set
from pxs.editing.sampling import pack, predict_velocity, unpack
from pxs.encoders.features import MiniFeatures
from pxs.encoders.identity import MiniIdentityEncoder
from pxs.parsing import Parser, argument
from pxs.storage.provenance import versions, write_json
from pxs.training import losses
from pxs.training.cache import Batch, Cache
from pxs.training.objective import Objective, conditioned, draws
from pxs.training.settings import LIMITS, Settings

if TYPE_CHECKING:
    from pxs.editing.editor import Editor

ORDER = ("ours", "public", "public", "ours")
WARM_UP = 2  # steps before the clock starts


class PublicStep:
    """The published step: one branch after the other, without cached constants, with the stock VAE."""

    def __init__(
        self, settings: Settings, editor: Editor, features: MiniFeatures, identity: MiniIdentityEncoder
    ) -> None:
        pipe: Any = editor.pipe  # diffusers sets the pipeline's parts at run time, without types
        self.settings, self.vae = settings, pipe.vae
        self.mean, self.std = editor.mean, editor.std
        self.features, self.identity = features.embed_pixels, identity.embed_pixels

    def __call__(self, transformer: Any, batch: Batch, noise: Tensor, sigma: Tensor) -> dict[str, Tensor]:
        """The losses of a batch of B rows, with the keys of `Objective`. noise (B, C, h, w); sigma (B,), 0 to 1."""
        s, text = sigma[:, None, None, None], conditioned(batch)
        text = text.reshape(len(sigma), 2, *text.shape[1:])
        flows, shown, truths = [], [], []
        for branch in range(2):
            clean = batch.targets[:, branch]
            mixed = (1 - s) * clean + s * noise
            grid = clean.shape[2], clean.shape[3]
            tokens = predict_velocity(transformer, pack(mixed), pack(batch.source), text[:, branch], sigma, grid)
            velocity = unpack(tokens.float(), grid)
            flows.append(losses.flow_matching(velocity, noise, clean))
            shown.append(self._decode(losses.clean_estimate(mixed, velocity, sigma)))
            truths.append(self._decode(clean))
        (first, second), (true_first, true_second) = ([self.features(p) for p in part] for part in (shown, truths))
        edited, true = (torch.cat([self.identity(p) for p in part]) for part in (shown, truths))
        flow = (flows[0] + flows[1]) / 2
        contrast = losses.symmetric_contrast(first, second, true_first, true_second).mean()
        identity = losses.identity_loss(edited, true, 1000 * sigma.repeat(2), self.settings.gate)
        total = flow + self.settings.contrast_weight * contrast + self.settings.identity_weight * identity
        return {"loss": total, "flow": flow, "contrast": contrast, "identity": identity}

    def _decode(self, latents: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), about -1 to 1, from normalised latents (B, C, h, w)."""
        z = (latents * self.std + self.mean)[:, :, None]
        pictures: Tensor = self.vae.decoder(self.vae.post_quant_conv(z))[:, :, 0]
        return pictures


Step = Callable[[Any, Batch, Tensor, Tensor], dict[str, Tensor]]


def our_step(settings: Settings, editor: Editor, features: MiniFeatures, identity: MiniIdentityEncoder) -> Step:
    """The step of `pxs train`."""

    vae: Any = editor.vae  # a Vae2d, whose decoder is without the clamp of `Vae2d.decode`

    def decode(latents: Tensor) -> Tensor:
        pixels: Tensor = vae.decoder(vae.post_quant_conv(latents * editor.std + editor.mean))
        return pixels

    return Objective(settings, decode, features.embed_pixels, identity.embed_pixels)


def run_one(which: str, rows: list[Row], settings: Settings, cache: Path) -> dict[str, float]:
    """Steps per second, peak memory (GB) and mean loss of one kind of step, "ours" or "public", in this process."""
    from pxs.editing.editor import load
    from pxs.training.adapter import add_adapter

    editor = load(settings.model, adapter=None)
    pipe: Any = editor.pipe  # diffusers sets the pipeline's parts at run time, without types
    features, identity = MiniFeatures(), MiniIdentityEncoder()
    weights = add_adapter(pipe.transformer, settings)
    optimiser = torch.optim.AdamW(weights.values(), lr=settings.lr)
    constants = Cache(cache, editor, features, identity)
    make: Callable[..., Step] = our_step if which == "ours" else PublicStep
    step = make(settings, editor, features, identity)
    loss = 0.0
    for index in range(WARM_UP + settings.steps):
        if index == WARM_UP:
            began = time.perf_counter()
        batch = constants.batch(rows[: settings.batch])
        drawn = draws(settings, index, range(settings.batch), batch.source.shape[1:])
        with torch.autocast(editor.vae_device.type, torch.bfloat16):
            parts = step(pipe.transformer, batch, *drawn)
        parts["loss"].backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        loss += float(parts["loss"].detach())
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"steps_per_s": settings.steps / seconds, "peak_gb": peak, "loss": loss / (WARM_UP + settings.steps)}


def measure(steps: int, batch: int) -> dict[str, Any]:
    """Both kinds of step in new processes, in the order A-B-B-A; the ratios are of means over the runs of a kind."""
    with tempfile.TemporaryDirectory(prefix="pxs-speed-") as folder:
        table = write_synthetic_set(Path(folder, "ffe"), batch)
        runs: dict[str, list[dict[str, float]]] = {"ours": [], "public": []}
        for which in ("ours", *ORDER):  # the first run fills the cache and does not count
            command = [sys.executable, "-m", __spec__.name, "--one", which, "--table", str(table)]
            command += ["--steps", str(steps), "--batch", str(batch)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[which].append(json.loads(done.stdout.splitlines()[-1]))
        del runs["ours"][0]
    mean = {w: {k: sum(r[k] for r in rs) / len(rs) for k in rs[0]} for w, rs in runs.items()}
    return {
        **mean,
        "ratio": mean["ours"]["steps_per_s"] / mean["public"]["steps_per_s"],
        "memory_ratio": mean["ours"]["peak_gb"] / mean["public"]["peak_gb"],
        "steps": steps,
        "batch": batch,
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    parser = Parser(prog="python -m analysis.performance.training", description="Measure training speed.")
    parser.add_argument("--steps", type=argument(LIMITS["steps"]), default=8, help="steps a run (default 8)")
    parser.add_argument("--batch", type=argument(LIMITS["batch"]), default=4, help="rows a step (default 4)")
    parser.add_argument("--out", type=Path, help="folder for results.json")
    parser.add_argument("--one", choices=("ours", "public"), help=argparse.SUPPRESS)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    return parser.run(_report, arguments)


def _report(args: argparse.Namespace) -> None:
    if args.one:
        settings = Settings(steps=args.steps, batch=args.batch)
        print(json.dumps(run_one(args.one, read(args.table), settings, args.table.parent / "cache")))
        return
    results = measure(args.steps, args.batch)
    for which in ("ours", "public"):
        print(f"{which:7} {results[which]['steps_per_s']:.2f} steps/s, {results[which]['peak_gb']:.2f} GB")
    print(f"ratio   {results['ratio']:.2f} in speed, {results['memory_ratio']:.2f} in memory")
    if args.out:
        print(f"wrote {write_json(args.out / 'results.json', results)}")


if __name__ == "__main__":
    sys.exit(main())
