"""Build the embedded model, stage by stage: python -m pxs.mini.build STAGE [--work DIR].

    faces         draw the training pictures of the VAE, and held-out ones
    vae           train the VAE
    text          make the tokenizer and the text encoder
    edits         draw source and target faces; store their latents and prompt embeddings
    transformer   train the transformer on the results of `edits`
    decoder       train the decoder further; the latents do not change any more
    portraits     draw the training pictures of the judges and encoders, and held-out ones
    judges        train the judges of expression and identity, and the encoders of the training losses
    pack          copy the checkpoint into the package, to pxs/mini/weights
    all           every stage in order

The stages write to the work folder and print what they wrote. After a kill, a stage resumes. WORK/checkpoint collects
the parts of the checkpoint.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pxs.faces.identity import seeds
from pxs.faces.render import render
from pxs.mini.data import assorted
from pxs.mini.loop import TrainingPlan
from pxs.mini.stages import run_stages
from pxs.storage.files import replacing
from pxs.storage.hashes import write_hashes

if TYPE_CHECKING:
    from pxs.mini.train_judges import LabelledPictures

STYLES = ("human", "anime")
VAE_PLAN = TrainingPlan(steps=8_000, lr=1e-2, adam_lr=3e-3, ema=0.998)
TRANSFORMER_PLAN = TrainingPlan(steps=2_600, lr=3e-3, adam_lr=1e-3, ema=0.998, warmup=150, check_every=200)
DECODER_PLAN = TrainingPlan(steps=5_000, lr=1e-2, adam_lr=1e-3, ema=0.998)
JUDGE_PLAN = TrainingPlan(steps=1_500, lr=5e-3, adam_lr=1e-3, ema=0.998)
ENCODER_PLAN = replace(JUDGE_PLAN, steps=1_000)  # of the encoders of the training losses
JUDGE_IDENTITIES = 1_500  # in each half
IDENTITIES = 800  # of each style, for the transformer
CHUNK = 100  # identities in each file of the edit set
WEIGHTS = Path(__file__).parent / "weights"
JUDGES = Path(__file__).parents[1] / "judging" / "weights"
ENCODERS = Path(__file__).parents[1] / "encoders" / "weights"
SETTINGS = {"resolution": 128, "styles": list(STYLES), "least_psnr": 30.0}  # workbench.json
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
    """Draw 8,000 training pictures of each style for the VAE, and 64 held-out ones of each."""
    for style in STYLES:
        save_array(work / f"pool_{style}.npy", render(assorted(seeds("editor", 4000), style, 2)))
        save_array(work / f"held_out_{style}.npy", render(assorted(seeds("held_out", 64), style, 1)))


def vae(work: Path) -> None:
    """Train the VAE on crops of both styles; write it with the statistics of its latents."""
    from pxs.mini.train_vae import latent_statistics, save_vae, train_vae

    trained = train_vae(_pool(work), _held_out(work), VAE_PLAN, work / "vae")
    save_vae(trained, work / "checkpoint" / "vae", *latent_statistics(trained, _pool(work)[::16]))
    print(f"wrote {work / 'checkpoint' / 'vae'}")


def text(work: Path) -> None:
    """Write the tokenizer, the processor, the text encoder, and the configuration of the scheduler."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    from pxs.mini.text import save_text

    save_text(work / "checkpoint")
    (work / "checkpoint" / "model_index.json").write_text(json.dumps(model_index(), indent=2) + "\n")
    FlowMatchEulerDiscreteScheduler(**SCHEDULER).save_pretrained(work / "checkpoint" / "scheduler")
    print(f"wrote {work / 'checkpoint'}: tokenizer, processor, text_encoder, scheduler")


def edits(work: Path) -> None:
    """Draw and encode the edit set: IDENTITIES of each style for training, and 64 held-out ones of each."""
    from pxs.mini.edit_set import write_chunk

    for split, purpose, count in (("train", "editor", IDENTITIES), ("held_out", "held_out", 64)):
        for style in STYLES:
            for start in range(0, count, CHUNK):
                target = work / "edits" / f"{split}_{style}_{start:05d}.npz"
                if not target.exists():
                    identities = seeds(purpose, min(CHUNK, count - start), start)
                    write_chunk(target, identities, style, work / "checkpoint")
                    print(f"wrote {target}", flush=True)


def transformer(work: Path) -> None:
    """Train the transformer on the edit set."""
    import torch

    from pxs.mini.edit_set import EditSet
    from pxs.mini.train_transformer import train_transformer

    files = [sorted((work / "edits").glob(f"{split}_*[0-9].npz")) for split in ("train", "held_out")]
    data, held_out = map(EditSet.load, files)
    trained = train_transformer(data, held_out, TRANSFORMER_PLAN, work / "transformer")
    trained.to(torch.float16).save_pretrained(work / "checkpoint" / "transformer")
    print(f"wrote {work / 'checkpoint' / 'transformer'}")


def decoder(work: Path) -> None:
    """Deepen the decoder and train it further; the encoder, and so every latent, does not change."""
    import torch
    from diffusers import AutoencoderKLQwenImage

    from pxs.editing.exact.vae2d import Vae2d
    from pxs.mini.train_vae import deepened, save_vae, train_decoder

    folder = work / "checkpoint" / "vae"
    stock = AutoencoderKLQwenImage.from_pretrained(folder, dtype=torch.float32)
    trained = train_decoder(
        deepened(Vae2d.from_stock(stock)), _pool(work), _held_out(work), DECODER_PLAN, work / "decoder"
    )
    save_vae(trained, folder, stock.config.latents_mean, stock.config.latents_std)
    print(f"wrote {folder}")


def pack(work: Path) -> None:
    """Copy the finished checkpoint into the package, and write model_index.json, workbench.json and hashes.json."""
    parts = ("scheduler", "text_encoder", "tokenizer", "processor", "transformer", "vae")
    for part in parts:
        shutil.rmtree(WEIGHTS / part, ignore_errors=True)
        shutil.copytree(work / "checkpoint" / part, WEIGHTS / part)
    shutil.copy(work / "checkpoint" / "model_index.json", WEIGHTS)
    (WEIGHTS / "workbench.json").write_text(json.dumps(SETTINGS, indent=2) + "\n")
    for stage in ("vae", "transformer", "decoder"):
        if (work / stage / "curve.jsonl").exists():
            shutil.copy(work / stage / "curve.jsonl", WEIGHTS / f"{stage}_curve.jsonl")
    write_hashes(WEIGHTS)
    size = sum(f.stat().st_size for f in WEIGHTS.rglob("*") if f.is_file())
    print(f"wrote {WEIGHTS}: {size / 1e6:.1f} MB")


def portraits(work: Path) -> None:
    """Draw 15,000 pictures of each style for each half of the identities, and 600 of held-out identities."""
    for half, style in product((0, 1), STYLES):
        identities = seeds("judge", JUDGE_IDENTITIES, half * 50_000)
        save_array(work / "judges" / f"pool{half}_{style}.npy", render(assorted(identities, style, 10, seed=1)))
    for style in STYLES:
        drawings = assorted(seeds("held_out", 100, 10_000), style, 6, seed=1)
        save_array(work / "judges" / f"held_out_{style}.npy", render(drawings))


def judges(work: Path) -> None:
    """Train the two judges of pxs/judging and the two encoders of pxs/encoders, and write their weights there."""
    from pxs.mini import train_judges as t

    held_out = _labelled_pictures(work, "held_out", seeds("held_out", 100, 10_000), 6)
    for name, half, trainer, plan, target in (
        ("expression", 0, t.train_expression, JUDGE_PLAN, JUDGES / "expression"),
        ("identity", 0, t.train_identity, JUDGE_PLAN, JUDGES / "identity"),
        ("identity_loss", 1, t.train_identity, ENCODER_PLAN, ENCODERS / "identity"),
        ("features", 1, t.train_features, ENCODER_PLAN, ENCODERS / "features"),
    ):
        data = _labelled_pictures(work, f"pool{half}", seeds("judge", JUDGE_IDENTITIES, half * 50_000), 10)
        folder = work / "judges" / name
        t.save(trainer(data, held_out, plan, folder), target.with_suffix(".safetensors"))
        shutil.copy(folder / "curve.jsonl", target.with_name(f"{target.name}_curve.jsonl"))
        print(f"wrote {target}.safetensors", flush=True)


def _labelled_pictures(work: Path, name: str, identities: list[int], per_identity: int) -> LabelledPictures:
    """The pictures of one set of the stage `portraits`, with their drawings."""
    from pxs.mini.train_judges import LabelledPictures

    pictures = np.concatenate([np.load(work / "judges" / f"{name}_{style}.npy") for style in STYLES])
    return LabelledPictures(pictures, [d for s in STYLES for d in assorted(identities, s, per_identity, seed=1)])


STAGES = {f.__name__: f for f in (faces, vae, text, edits, transformer, decoder, portraits, judges, pack)}


def model_index() -> dict[str, object]:
    """The content of model_index.json: the stock class of every part."""
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


def _pool(work: Path) -> NDArray[np.uint8]:
    """The training pictures of the VAE, (N, 128, 128, 3) uint8."""
    return np.concatenate([np.load(work / f"pool_{s}.npy") for s in STYLES])


def _held_out(work: Path) -> dict[str, NDArray[np.uint8]]:
    """The held-out pictures of the VAE by style, each (N, 128, 128, 3) uint8."""
    return {s: np.load(work / f"held_out_{s}.npy") for s in STYLES}


def save_array(path: Path, array: NDArray[np.uint8]) -> None:
    """Write the array as a .npy file; the file is complete or missing."""
    with replacing(path) as file:
        np.save(file, array)
    print(f"wrote {path} {array.shape} {array.dtype}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; returns the exit status."""
    return run_stages("pxs.mini.build", __doc__, STAGES, Path("build/mini"), arguments)


if __name__ == "__main__":
    sys.exit(main())
