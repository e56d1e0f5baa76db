"""Training speed: python -m pxs.benchmark.training_speed [--steps N] [--batch B] [--out DIR].

Our step against the published one written out plainly on the same model, rows, noise and LoRA: a forward for each
branch, four decodes by the stock video VAE (both generated pictures and both truths), and the truths' features computed
anew. Each runs in processes of its own, in the order A-B-B-A, so that memory is its own and drift cancels.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from pxs.editing.sampling import unpack
from pxs.ffe import Row, read
from pxs.judging.features import MiniFeatures
from pxs.judging.identity import MiniIdentityLoss
from pxs.mini.ffe_set import write_drawn_set
from pxs.provenance import versions, write_json
from pxs.training import losses
from pxs.training.cache import Batch, Cache
from pxs.training.objective import Objective, draws, predict, text_of
from pxs.training.settings import Settings

ORDER = ("ours", "public", "public", "ours")
WARM_UP = 2  # steps before the clock starts


class PublicStep:
    """The published step: branch by branch, nothing kept, pictures through the stock VAE."""

    def __init__(self, settings: Settings, editor, features: MiniFeatures, identity: MiniIdentityLoss) -> None:
        self.settings, self.vae = settings, editor.pipe.vae
        self.mean, self.std = editor.mean, editor.std
        self.features, self.identity = features.embed_pixels, identity.embed_pixels

    def __call__(self, transformer, batch: Batch, noise: Tensor, sigma: Tensor) -> dict[str, Tensor]:
        """The same parts as `Objective`."""
        s, text = sigma[:, None, None, None], text_of(batch).unflatten(0, (len(sigma), 2))
        flows, shown, truths = [], [], []
        for branch in range(2):
            clean = batch.targets[:, branch]
            mixed = (1 - s) * clean + s * noise
            tokens = predict(transformer, mixed, batch.source, sigma, text[:, branch])
            velocity = unpack(tokens.float(), clean.shape[2:])
            flows.append(losses.flow_matching(velocity, noise, clean))
            shown.append(self._decode(losses.clean_estimate(mixed, velocity, sigma)))
            truths.append(self._decode(clean))
        seen, real = ([self.features(p) for p in pictures] for pictures in (shown, truths))
        who, person = (torch.cat([self.identity(p) for p in pictures]) for pictures in (shown, truths))
        flow = (flows[0] + flows[1]) / 2
        contrast = losses.symmetric_contrast(*seen, *real).mean()
        kept = losses.identity_loss(who, person, 1000 * sigma.repeat(2), self.settings.gate)
        total = flow + self.settings.contrast_weight * contrast + self.settings.identity_weight * kept
        return {"loss": total, "flow": flow, "contrast": contrast, "identity": kept}

    def _decode(self, latents: Tensor) -> Tensor:
        z = (latents * self.std + self.mean)[:, :, None]
        return self.vae.decoder(self.vae.post_quant_conv(z))[:, :, 0]


def run_one(which: str, rows: list[Row], settings: Settings, cache: Path) -> dict[str, float]:
    """Steps per second and peak memory of one kind of step, in this process."""
    from pxs.editing.editor import load
    from pxs.training.adapter import add_adapter

    editor = load(settings.model, adapter=None)
    features, identity = MiniFeatures(), MiniIdentityLoss()
    weights = add_adapter(editor.pipe.transformer, settings)
    optimiser = torch.optim.AdamW(weights.values(), lr=settings.lr)
    constants = Cache(cache, editor, features, identity)
    step = PublicStep(settings, editor, features, identity)
    if which == "ours":
        vae = editor.vae
        step = Objective(
            settings,
            lambda z: vae.decoder(vae.post_quant_conv(z * editor.std + editor.mean)),
            features.embed_pixels,
            identity.embed_pixels,
        )
    loss = 0.0
    for index in range(WARM_UP + settings.steps):
        if index == WARM_UP:
            began = time.perf_counter()
        batch = constants.batch(rows[: settings.batch])
        drawn = draws(settings, index, range(settings.batch), batch.source.shape[1:])
        with torch.autocast(editor.vae_device.type, torch.bfloat16):
            parts = step(editor.pipe.transformer, batch, *drawn)
        parts["loss"].backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        loss += float(parts["loss"].detach())
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"steps_per_s": settings.steps / seconds, "peak_gb": peak, "loss": loss / (WARM_UP + settings.steps)}


def measure(steps: int, batch: int) -> dict[str, object]:
    """Both kinds in fresh processes, A-B-B-A; the ratio is of mean speeds."""
    with tempfile.TemporaryDirectory(prefix="pxs-speed-") as folder:
        table = write_drawn_set(Path(folder, "ffe"), batch)
        runs: dict[str, list[dict[str, float]]] = {"ours": [], "public": []}
        for which in ("ours", *ORDER):  # the first fills the cache and is not counted
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


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m pxs.benchmark.training_speed", description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=8, help="steps a run (default 8)")
    parser.add_argument("--batch", type=int, default=4, help="rows a step (default 4)")
    parser.add_argument("--out", type=Path, help="folder for results.json")
    parser.add_argument("--one", choices=("ours", "public"), help=argparse.SUPPRESS)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
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
    main()
