"""Build the model of rendered people, stage by stage: python -m pxs.mini.build_portraits STAGE [--work DIR].

    edits_128        make and encode 128-pixel faces: rendered people and drawn anime
    transformer_128  train the transformer of `mini` further on them
    edits_256        the same faces of fewer people, 256 pixels
    transformer_256  train further on these
    faces            make the training pictures of the decoder, 128 pixels
    decoder          train the decoder of `mini` further; the latents do not change
    pack             write what differs from `mini` into the package, to pxs/mini/portrait
    all              every stage in order

It starts from the embedded `mini`: its latents, prompts and text encoder stay, so everything that `mini` learnt about
copying a source holds. After a kill, a stage resumes. WORK/checkpoint is the model, a folder that `pxs.load` takes.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pxs.faces import RENDERED
from pxs.faces.identity import seeds
from pxs.faces.render import render
from pxs.mini.build import CHUNK, WEIGHTS, save_array
from pxs.mini.data import assorted
from pxs.mini.loop import TrainingPlan
from pxs.mini.stages import run_stages
from pxs.storage.differences import write_difference

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

STYLES = (RENDERED, "anime")
PEOPLE = {128: {RENDERED: 2_000, "anime": 300}, 256: {RENDERED: 600, "anime": 100}}  # training people by size, style
HELD_OUT = 30  # people of each style
PLAN_128 = TrainingPlan(steps=9_000, lr=2e-3, adam_lr=7e-4, ema=0.998, warmup=100, check_every=200, seed=2)
PLAN_256 = replace(PLAN_128, steps=2_000, lr=1e-3, adam_lr=4e-4, seed=3)
BATCHES = {128: 32, 256: 8}
EMPHASIS = (0.9, 3.0)  # `Emphasis`: noisier levels, where an edit is decided, and the tokens that change
DECODER_PLAN = TrainingPlan(steps=1_500, lr=4e-3, adam_lr=5e-4, ema=0.998, seed=5)
DECODER_PEOPLE = 1_000  # of each style, two pictures each
PORTRAIT = WEIGHTS.parent / "portrait"
LEAST_PSNR = 26.0
KEPT = ("model_index.json", "scheduler", "text_encoder", "tokenizer", "processor")


def checkpoint(work: Path) -> Path:
    """The folder of the model; at first a copy of `mini`."""
    folder = work / "checkpoint"
    if not folder.exists():
        partial = work / "checkpoint.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        shutil.copy(WEIGHTS / "model_index.json", partial)
        for part in (*KEPT[1:], "vae", "transformer"):
            shutil.copytree(WEIGHTS / part, partial / part)
        partial.rename(folder)
    return folder


def edits(work: Path, size: int) -> None:
    """Make and encode the edit set of one size, training and held-out people of both styles."""
    from pxs.mini.edit_set import write_chunk

    plan = [("held_out", "held_out", s, HELD_OUT) for s in STYLES]
    plan += [("train", "editor", s, PEOPLE[size][s]) for s in reversed(STYLES)]
    for split, purpose, style, count in plan:
        for start in range(0, count, CHUNK):
            target = work / f"edits_{size}" / f"{split}_{style}_{start:05d}.npz"
            if not target.exists():
                write_chunk(target, seeds(purpose, min(CHUNK, count - start), start), style, checkpoint(work), size)
                print(f"wrote {target}", flush=True)


def transformer(work: Path, size: int, plan: TrainingPlan) -> None:
    """Train the transformer of the checkpoint further on the edit set of one size."""
    import torch
    from diffusers import QwenImageTransformer2DModel

    from pxs.mini.edit_set import EditSet
    from pxs.mini.train_transformer import Emphasis, train_transformer

    folder = checkpoint(work) / "transformer"
    model: QwenImageTransformer2DModel = QwenImageTransformer2DModel.from_pretrained(folder, dtype=torch.float32)
    files = [sorted((work / f"edits_{size}").glob(f"{split}_*[0-9].npz")) for split in ("train", "held_out")]
    data, held_out = map(EditSet.load, files)
    states = work / f"transformer_{size}"
    trained = train_transformer(data, held_out, plan, states, model, BATCHES[size], Emphasis(*EMPHASIS))
    trained.to(torch.float16).save_pretrained(folder)
    print(f"wrote {folder}")


def edits_128(work: Path) -> None:
    """Make and encode the edit set at 128 pixels."""
    edits(work, 128)


def transformer_128(work: Path) -> None:
    """Train the transformer of `mini` at 128 pixels."""
    transformer(work, 128, PLAN_128)


def edits_256(work: Path) -> None:
    """Make and encode the edit set at 256 pixels."""
    edits(work, 256)


def transformer_256(work: Path) -> None:
    """Train the transformer further at 256 pixels."""
    transformer(work, 256, PLAN_256)


def faces(work: Path) -> None:
    """Make the training and held-out pictures of the decoder, of the size that the model edits at."""
    for style in STYLES:
        for name, numbers, each in (
            ("held_out", seeds("held_out", 64), 1),
            ("pool", seeds("editor", DECODER_PEOPLE), 2),
        ):
            if not (target := work / f"{name}_{style}.npy").exists():
                save_array(target, render(assorted(numbers, style, each), 128))


def decoder(work: Path) -> None:
    """Train the decoder of `mini` further on pictures of both styles; the encoder does not change."""
    import torch
    from diffusers import AutoencoderKLQwenImage

    from pxs.editing.exact.vae2d import Vae2d
    from pxs.mini.train_vae import save_vae, train_decoder

    folder = checkpoint(work) / "vae"
    stock = AutoencoderKLQwenImage.from_pretrained(folder, dtype=torch.float32)
    pool = np.concatenate([np.load(work / f"pool_{s}.npy") for s in STYLES])
    held_out = {s: np.load(work / f"held_out_{s}.npy") for s in STYLES}
    trained = train_decoder(Vae2d.from_stock(stock), pool, held_out, DECODER_PLAN, work / "decoder", crop=128)
    save_vae(trained, folder, stock.config.latents_mean, stock.config.latents_std)
    print(f"wrote {folder}")


def pack(work: Path) -> None:
    """Write the difference from `mini` into the package, with workbench.json and the logs of the trainings."""
    folder = checkpoint(work)
    size = 256 if (work / "transformer_256" / "curve.jsonl").exists() else 128
    settings = {"resolution": size, "styles": list(STYLES), "least_psnr": LEAST_PSNR}
    (folder / "workbench.json").write_text(json.dumps(settings, indent=2) + "\n")
    for part in ("transformer", "vae"):
        shutil.copy(WEIGHTS / part / "config.json", folder / part)  # the saved one names the folder it was loaded from
        for old in (PORTRAIT / part).glob("*"):
            old.unlink()
    write_difference(WEIGHTS, folder, PORTRAIT)
    for stage in ("transformer_128", "transformer_256", "decoder"):
        if (log := work / stage / "curve.jsonl").exists():
            shutil.copy(log, PORTRAIT / f"{stage}_curve.jsonl")
    written = sum(f.stat().st_size for f in PORTRAIT.rglob("*") if f.is_file())
    print(f"wrote {PORTRAIT}: {written / 1e6:.1f} MB")


STAGES = {f.__name__: f for f in (edits_128, transformer_128, edits_256, transformer_256, faces, decoder, pack)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    return run_stages("pxs.mini.build_portraits", __doc__, STAGES, Path("build/portraits"), arguments)


if __name__ == "__main__":
    sys.exit(main())
