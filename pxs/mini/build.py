"""Build the embedded model, stage by stage: python -m pxs.mini.build STAGE [--work DIR].

    faces         draw the pictures that the VAE learns from, and held-out ones
    vae           train the VAE
    text          make the tokenizer and the text encoder
    edits         draw source and target faces; keep their latents and prompt embeddings
    transformer   train the transformer on them
    decoder       train the decoder further, on the now fixed latents
    portraits     draw the pictures that the judges learn from, and held-out ones
    judges        train the judges of expression and identity, and the networks that training losses look through
    pack          write the checkpoint folder that ships, pxs/mini/weights
    all           every stage in order

Stages keep their results in the work folder, resume after a kill, and say what they wrote. The parts of the checkpoint
gather in WORK/checkpoint.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pxs.faces.identity import seeds
from pxs.faces.render import render
from pxs.mini.data import assorted
from pxs.mini.loop import TrainingPlan

if TYPE_CHECKING:
    from pxs.mini.train_judges import Portraits

STYLES = ("human", "anime")
VAE_PLAN = TrainingPlan(steps=8_000, lr=1e-2, adam_lr=3e-3, ema=0.998)
TRANSFORMER_PLAN = TrainingPlan(steps=2_600, lr=3e-3, adam_lr=1e-3, ema=0.998, warmup=150, check_every=200)
DECODER_PLAN = TrainingPlan(steps=5_000, lr=1e-2, adam_lr=1e-3, ema=0.998)
JUDGE_PLAN = TrainingPlan(steps=1_500, lr=5e-3, adam_lr=1e-3, ema=0.998)
LOSS_PLAN = replace(JUDGE_PLAN, steps=1_000)  # of the networks that losses look through
JUDGE_IDENTITIES = 1_500  # per half
IDENTITIES = 800  # per style, for the transformer
CHUNK = 100  # identities per file of the edit set
WEIGHTS = Path(__file__).parent / "weights"
JUDGES = Path(__file__).parents[1] / "judging" / "weights"
SCHEDULER = {
    "num_train_timesteps": 1000,
    "shift": 1.0,
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 0.9,
    "base_image_seq_len": 256,
    "max_image_seq_len": 8192,
    "shift_terminal": 0.02,
    "time_shift_type": "exponential",
}


def faces(work: Path) -> None:
    """Draw 8,000 pictures of each style for the VAE, and 64 held-out ones of each."""
    for style in STYLES:
        _save_array(work / f"pool_{style}.npy", render(assorted(seeds("editor", 4000), style, 2)))
        _save_array(work / f"held_out_{style}.npy", render(assorted(seeds("held_out", 64), style, 1)))


def vae(work: Path) -> None:
    """Train the VAE on crops of both styles; keep it with the statistics of its latents."""
    from pxs.mini.train_vae import latent_statistics, save_vae, train_vae

    trained = train_vae(_pool(work), _held_out(work), VAE_PLAN, work / "vae")
    save_vae(trained, work / "checkpoint" / "vae", *latent_statistics(trained, _pool(work)[::16]))
    print(f"wrote {work / 'checkpoint' / 'vae'}")


def text(work: Path) -> None:
    """Make the tokenizer, the processor and the text encoder, and the scheduler's configuration."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    from pxs.mini.text import save_text

    save_text(work / "checkpoint")
    (work / "checkpoint" / "model_index.json").write_text(json.dumps(model_index(), indent=2) + "\n")
    FlowMatchEulerDiscreteScheduler(**SCHEDULER).save_pretrained(work / "checkpoint" / "scheduler")
    print(f"wrote {work / 'checkpoint'}: tokenizer, processor, text_encoder, scheduler")


def edits(work: Path) -> None:
    """Draw and encode the edit set: IDENTITIES of each style for training, 64 of each held out."""
    from pxs.mini.edit_set import write_chunk

    for split, purpose, count in (("train", "editor", IDENTITIES), ("held_out", "held_out", 64)):
        for style in STYLES:
            for start in range(0, count, CHUNK):
                target = work / "edits" / f"{split}_{style}_{start:05d}.npz"
                if not target.exists():
                    numbers = seeds(purpose, min(CHUNK, count - start), start)
                    write_chunk(target, numbers, style, work / "checkpoint")
                    print(f"wrote {target}", flush=True)


def transformer(work: Path) -> None:
    """Train the transformer on the edit set."""
    import torch

    from pxs.mini.edit_set import EditSet
    from pxs.mini.train_transformer import train_transformer

    train, held_out = (EditSet.load(sorted((work / "edits").glob(f"{s}_*[0-9].npz"))) for s in ("train", "held_out"))
    trained = train_transformer(train, held_out, TRANSFORMER_PLAN, work / "transformer")
    trained.to(torch.float16).save_pretrained(work / "checkpoint" / "transformer")
    print(f"wrote {work / 'checkpoint' / 'transformer'}")


def decoder(work: Path) -> None:
    """Deepen the decoder and train it further while the encoder, and so every latent, stays as it is."""
    import torch
    from diffusers import AutoencoderKLQwenImage

    from pxs.editing.exact.vae2d import Vae2d
    from pxs.mini.train_vae import save_vae, train_decoder

    folder = work / "checkpoint" / "vae"
    stock = AutoencoderKLQwenImage.from_pretrained(folder, dtype=torch.float32)
    trained = train_decoder(Vae2d.from_stock(stock), _pool(work), _held_out(work), DECODER_PLAN, work / "decoder")
    save_vae(trained, folder, stock.config.latents_mean, stock.config.latents_std)
    print(f"wrote {folder}")


def pack(work: Path) -> None:
    """Copy the finished checkpoint into the package, with model_index.json and workbench.json beside its parts."""
    parts = ("scheduler", "text_encoder", "tokenizer", "processor", "transformer", "vae")
    for part in parts:
        shutil.rmtree(WEIGHTS / part, ignore_errors=True)
        shutil.copytree(work / "checkpoint" / part, WEIGHTS / part)
    shutil.copy(work / "checkpoint" / "model_index.json", WEIGHTS)
    (WEIGHTS / "workbench.json").write_text(json.dumps({"resolution": 128, "drawn_psnr": 30.0}, indent=2) + "\n")
    for stage in ("vae", "transformer", "decoder"):
        if (work / stage / "curve.jsonl").exists():
            shutil.copy(work / stage / "curve.jsonl", WEIGHTS / f"{stage}_curve.jsonl")
    size = sum(f.stat().st_size for f in WEIGHTS.rglob("*") if f.is_file())
    print(f"wrote {WEIGHTS}: {size / 1e6:.1f} MB")


def portraits(work: Path) -> None:
    """Draw 15,000 pictures of each style for each half of the judges' identities, and 600 of held-out ones."""
    for half, style in product((0, 1), STYLES):
        numbers = seeds("judge", JUDGE_IDENTITIES, half * 50_000)
        _save_array(work / "judges" / f"pool{half}_{style}.npy", render(assorted(numbers, style, 10, seed=1)))
    for style in STYLES:
        drawings = assorted(seeds("held_out", 100, 10_000), style, 6, seed=1)
        _save_array(work / "judges" / f"held_out_{style}.npy", render(drawings))


def judges(work: Path) -> None:
    """Train the four networks of pxs/judging and write them where they ship."""
    from pxs.mini import train_judges as t

    held_out = _portraits(work, "held_out", seeds("held_out", 100, 10_000), 6)
    for name, half, trainer, plan in (
        ("expression", 0, t.train_expression, JUDGE_PLAN),
        ("identity", 0, t.train_identity, JUDGE_PLAN),
        ("identity_loss", 1, t.train_identity, LOSS_PLAN),
        ("features", 1, t.train_features, LOSS_PLAN),
    ):
        data = _portraits(work, f"pool{half}", seeds("judge", JUDGE_IDENTITIES, half * 50_000), 10)
        folder = work / "judges" / name
        t.save(trainer(data, held_out, plan, folder), JUDGES / f"{name}.safetensors")
        shutil.copy(folder / "curve.jsonl", JUDGES / f"{name}_curve.jsonl")
        print(f"wrote {JUDGES / name}.safetensors", flush=True)


def _portraits(work: Path, name: str, numbers: list[int], each: int) -> Portraits:
    """One set of the stage `portraits` with its drawings."""
    from pxs.mini.train_judges import Portraits

    pixels = np.concatenate([np.load(work / "judges" / f"{name}_{style}.npy") for style in STYLES])
    return Portraits(pixels, [d for style in STYLES for d in assorted(numbers, style, each, seed=1)])


STAGES = {f.__name__: f for f in (faces, vae, text, edits, transformer, decoder, portraits, judges, pack)}


def model_index() -> dict[str, object]:
    """What model_index.json says: the stock class of every part."""
    import diffusers

    return {
        "_class_name": "QwenImageEditPlusPipeline",
        "_diffusers_version": diffusers.__version__,
        "processor": ["transformers", "Qwen2VLProcessor"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "transformer": ["diffusers", "QwenImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKLQwenImage"],
    }


def _pool(work: Path) -> np.ndarray:
    return np.concatenate([np.load(work / f"pool_{s}.npy") for s in STYLES])


def _held_out(work: Path) -> dict[str, np.ndarray]:
    return {s: np.load(work / f"held_out_{s}.npy") for s in STYLES}


def _save_array(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial.npy")
    np.save(beside, array)
    beside.replace(path)
    print(f"wrote {path} {array.shape} {array.dtype}", flush=True)


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m pxs.mini.build", description=__doc__.split("\n")[0])
    parser.add_argument("stage", choices=[*STAGES, "all"])
    parser.add_argument("--work", type=Path, default=Path("build/mini"), help="folder for intermediate results")
    args = parser.parse_args()
    for name in STAGES if args.stage == "all" else [args.stage]:
        STAGES[name](args.work)


if __name__ == "__main__":
    main()
