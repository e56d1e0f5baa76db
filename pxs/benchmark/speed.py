"""Speed: what a user waits for, beside the public algorithm on stock diffusers, in one run.

    python -m pxs.benchmark.speed --out out/speed                 # the embedded model
    python -m pxs.benchmark.speed --size full --out out/speed     # the true size with random weights, on a GPU

A case is done by us and by the public algorithm in the order ours, public, public, ours, so that a machine that speeds
up or slows down favours neither; before that, each is done once with two steps. The cases named "without" leave out
one exact saving each; those named "bfloat16", "compiled" and "reuse" add what is not exact, or takes its time at first
use; "graphs" are CUDA graphs. Both sides have the adapter added to the weights, as `pxs.load` does it.

DIR/results.json: {"device", "cases": {name: {"ours_s", "public_s", "ratio", "peak_gb"}}}; ratio is public / ours,
peak_gb the most memory that was held while we were at work (by the process on a CPU, by tensors on a GPU).
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageEditPlusPipeline, QwenImageTransformer2DModel
from PIL import Image
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from pxs.editing.checkpoints import BUNDLED, Checkpoint, load_checkpoint, load_pipeline, quiet
from pxs.editing.conditioning import condition_image
from pxs.editing.editor import SEED, Editor, Portrait, load
from pxs.editing.exact import DEFAULT, Savings
from pxs.editing.processor import Processor
from pxs.errors import ModelError, ScaleError, exit_status
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix, prompt, sweep
from pxs.mini.faces import Identity, draw, seeds
from pxs.provenance import write_json

ALPHAS = (0.0, 0.5, 1.0, 1.5)
STEPS = {"mini": 20, "full": 50}
FEWEST = 2  # with a single step the stock schedule divides by zero
SWITCHES = tuple(f.name for f in fields(Savings) if f.default is True)
"""The savings that are made unless told otherwise."""

Action = Callable[[int], object]
"""Something to time, given the number of denoising steps."""


@dataclass(frozen=True)
class Case:
    """The same thing, done by us and by the public algorithm."""

    name: str
    ours: Action
    public: Action


@dataclass(frozen=True)
class Result:
    """Seconds, each the mean of two runs; ratio: public / ours; peak_gb: the most memory held during ours."""

    ours_s: float
    public_s: float
    ratio: float
    peak_gb: float


class Public:
    """The published algorithm on the stock pipeline: for each intensity two encodes, then one run of the pipeline."""

    def __init__(self, pipe: QwenImageEditPlusPipeline, image: Image.Image) -> None:
        self.pipe, self.image = pipe, image

    def edits(self, mixes: Sequence[Mix], steps: int) -> list[Image.Image]:
        """The picture with each mix of at most one expression, one after the other."""
        return [self._edit(*next(iter(mix.items()), (EXPRESSIONS[0], 0.0)), steps) for mix in mixes]

    def encode(self, word: str) -> torch.Tensor:
        """The embedding (1, L, C) of one prompt."""
        condition = condition_image(self.pipe, self.image)
        with torch.no_grad():
            return self.pipe.encode_prompt(prompt(word), image=[condition])[0]

    def open(self) -> None:
        """What a portrait holds: the embeddings of all prompts, and the latents."""
        for word in (NEUTRAL, *EXPRESSIONS):
            self.encode(word)
        pixels = self.pipe.image_processor.preprocess(self.image).unsqueeze(2).to(self.pipe.vae.device)
        with torch.no_grad():
            self.pipe.vae.encode(pixels.to(self.pipe.vae.dtype))

    def _edit(self, word: str, alpha: float, steps: int) -> Image.Image:
        neutral, target = self.encode(NEUTRAL), self.encode(word)
        text = neutral + alpha * (target - neutral)
        with _picture_area(self.image.width * self.image.height):
            return self.pipe(
                image=self.image,
                prompt_embeds=text,
                prompt_embeds_mask=torch.ones(text.shape[:2], dtype=torch.long, device=text.device),
                width=self.image.width,
                height=self.image.height,
                num_inference_steps=steps,
                true_cfg_scale=1.0,
                generator=torch.Generator().manual_seed(SEED),
            ).images[0]


@contextmanager
def _picture_area(pixels: int) -> Iterator[None]:
    """The stock pipeline encodes every picture at 1024 x 1024: here, at as many pixels as we do."""
    with patch("diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus.VAE_IMAGE_SIZE", pixels):
        yield


def sized_cases(checkpoint: Checkpoint, side: int) -> Iterator[Case]:
    """What is done with a square picture of `side` pixels: open, move a slider, sweep."""
    checkpoint = replace(checkpoint, resolution=side)
    portrait, public = _portrait(Editor(checkpoint)), Public(checkpoint.pipe, _face(side))
    one, four = [Mix(happy=0.7)], sweep("happy", ALPHAS)
    yield Case(f"open {side}", lambda _: _portrait(portrait.editor), lambda _: public.open())
    yield Case(f"slider {side}", _edit(portrait, one), lambda steps: public.edits(one, steps))
    yield sweep_case(f"sweep {side}", portrait.editor, public, four)


def detailed_cases(checkpoint: Checkpoint, side: int) -> Iterator[Case]:
    """The gallery, 12 expressions at 4 intensities; and the sweep with each saving left out, and compiled."""
    checkpoint = replace(checkpoint, resolution=side)
    public, four = Public(checkpoint.pipe, _face(side)), sweep("happy", ALPHAS)
    gallery = [Mix({e: a}) for e in EXPRESSIONS for a in ALPHAS]
    yield sweep_case(f"gallery {side}", Editor(checkpoint), public, gallery)
    for switch in SWITCHES:
        editor = Editor(checkpoint, replace(DEFAULT, **{switch: False}))
        yield sweep_case(f"sweep {side} without {switch}", editor, public, four)
    yield sweep_case(f"sweep {side} compiled", Editor(checkpoint, compile=True), public, four)
    yield sweep_case(f"sweep {side} reuse 0.1", Editor(checkpoint, reuse=0.1), public, four)


def mini_cases(device: str) -> Iterator[Case]:
    """All cases of the embedded model; those in bfloat16 stand beside the public algorithm in float32."""
    checkpoint = load_checkpoint("mini", device=device, dtype=torch.float32)
    side, four = checkpoint.resolution, sweep("happy", ALPHAS)
    yield Case("load", lambda _: load("mini", device=device), lambda _: _stock_pipeline(BUNDLED["mini"]).to(device))
    yield from sized_cases(checkpoint, side)
    yield from detailed_cases(checkpoint, side)
    half = load_checkpoint("mini", device=device, dtype=torch.bfloat16)
    public = Public(checkpoint.pipe, _face(side))
    yield sweep_case(f"sweep {side} bfloat16", Editor(half), public, four)
    yield sweep_case(f"sweep {side} bfloat16 compiled", Editor(half, compile=True), public, four)


def full_cases(device: str) -> Iterator[Case]:
    """All cases of the true size with random weights, in bfloat16; details at the smaller of the two sizes."""
    checkpoint = Checkpoint(random_pipeline(device), "random weights", "", 512, None)
    for side in (512, 1024):
        yield from sized_cases(checkpoint, side)
    yield from detailed_cases(checkpoint, 512)
    public, four = Public(checkpoint.pipe, _face(512)), sweep("happy", ALPHAS)
    yield sweep_case("sweep 512 graphs", Editor(checkpoint, Savings(graphs=True)), public, four)


def sweep_case(name: str, editor: Editor, public: Public, mixes: Sequence[Mix]) -> Case:
    """Some edits of a picture, from the picture on: opening it is part of what is timed."""
    return Case(name, lambda steps: _edit(_portrait(editor), mixes)(steps), lambda steps: public.edits(mixes, steps))


def _edit(portrait: Portrait, mixes: Sequence[Mix]) -> Action:
    return lambda steps: portrait.edit(mixes, steps=steps, progress=False)


def _portrait(editor: Editor) -> Portrait:
    """The face, opened and with its prompts encoded."""
    portrait = editor.open(_face(editor.checkpoint.resolution))
    _ = portrait.embeddings  # computed at first use, which is now
    return portrait


def _face(side: int) -> Image.Image:
    return draw(Identity.sample(seeds("gallery", 1)[0]), size=side)


def _stock_pipeline(folder: Path) -> QwenImageEditPlusPipeline:
    """As anybody loads it, but for the processor, which otherwise needs torchvision."""
    processor = Processor.from_pretrained(folder / "processor")
    with quiet():
        return QwenImageEditPlusPipeline.from_pretrained(folder, processor=processor, local_files_only=True)


FULL_TEXT = {
    "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
    "num_attention_heads": 28, "num_key_value_heads": 4, "max_position_embeddings": 32768,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
}  # fmt: skip
FULL_VISION = {"hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584}


def random_pipeline(
    device: str,
    transformer: Mapping[str, Any] | None = None,
    vae: Mapping[str, Any] | None = None,
    text: Mapping[str, Any] = FULL_TEXT,
    vision: Mapping[str, Any] = FULL_VISION,
) -> QwenImageEditPlusPipeline:
    """A pipeline of random bfloat16 weights, made on the device, with the tokenizer of the embedded model.

    The default shapes are those of Qwen-Image-Edit-2511: of the transformer and the VAE, those of their classes.
    """
    folder = BUNDLED["mini"]
    small = Qwen2_5_VLConfig.from_pretrained(folder / "text_encoder")
    ids = {name: getattr(small, name) for name in ("image_token_id", "video_token_id", "vision_start_token_id")}
    config = Qwen2_5_VLConfig(text_config=dict(text), vision_config=dict(vision), **ids)
    with torch.device(device), _default_dtype(torch.bfloat16):
        parts = {
            "transformer": QwenImageTransformer2DModel(zero_cond_t=True, **(transformer or {})),
            "vae": AutoencoderKLQwenImage(**(vae or {})),
            "text_encoder": Qwen2_5_VLForConditionalGeneration(config),
        }
    frozen = {name: part.eval().requires_grad_(False) for name, part in parts.items()}
    pipe = load_pipeline(folder, torch.bfloat16, **frozen)
    pipe.processor.image_processor = Qwen2VLImageProcessorPil()  # as many image tokens as the full model takes
    return pipe


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def measure(case: Case, steps: int, device: str) -> Result:
    """Time a case in the order ours, public, public, ours, after a short one of each."""
    case.ours(FEWEST), case.public(FEWEST)
    first, peak = timed(case.ours, steps, device)
    public = [timed(case.public, steps, device)[0] for _ in range(2)]
    last, later_peak = timed(case.ours, steps, device)
    ours_s, public_s = (first + last) / 2, sum(public) / 2
    return Result(ours_s, public_s, public_s / ours_s, max(peak, later_peak) / 1e9)


def timed(action: Action, steps: int, device: str) -> tuple[float, int]:
    """Seconds that an action takes, and the most bytes that were held meanwhile."""
    memory = GpuMemory() if device.startswith("cuda") else CpuMemory()
    start = time.perf_counter()
    action(steps)
    memory.wait()
    return time.perf_counter() - start, memory.peak()


class GpuMemory:
    """The peak of tensors on the GPU since this was made."""

    def __init__(self) -> None:
        self.wait()
        torch.cuda.reset_peak_memory_stats()

    def wait(self) -> None:
        """Until the device has finished."""
        torch.cuda.synchronize()

    def peak(self) -> int:
        """In bytes."""
        return torch.cuda.max_memory_allocated()


class CpuMemory:
    """The peak of the process since this was made; since its start, where the system cannot begin anew."""

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return

    def wait(self) -> None:
        """Nothing runs beside the process."""

    def peak(self) -> int:
        """In bytes."""
        try:
            line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith("VmHWM"))
            return int(line.split()[1]) * 1024
        except OSError:
            import resource

            unit = 1 if sys.platform == "darwin" else 1024
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def run(size: str, steps: int, words: Sequence[str] = ()) -> dict[str, Any]:
    """The content of results.json for the cases whose names hold one of the words (all without words).

    Raises ModelError for the full size without a GPU.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if size == "full" and device == "cpu":
        raise ModelError("--size full needs a GPU with 70 GB of memory, and there is none here: use --size mini")
    results = {}
    for case in (mini_cases if size == "mini" else full_cases)(device):
        if not words or any(word in case.name for word in words):
            results[case.name] = measure(case, steps, device)
            print(row(case.name, results[case.name]), flush=True)
    rounded = {name: {k: round(v, 4) for k, v in vars(r).items()} for name, r in results.items()}
    return {"device": describe(device), "cases": rounded}


def describe(device: str) -> str:
    """The device in words."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.processor() or platform.machine()} CPU, {torch.get_num_threads()} threads"


HEADER = "| case | ours, s | public, s | ratio | peak, GB |\n|---|---|---|---|---|"


def row(name: str, result: Result) -> str:
    """One line of the table."""
    return f"| {name} | {result.ours_s:.3f} | {result.public_s:.3f} | {result.ratio:.2f} | {result.peak_gb:.2f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table as it grows, write results.json; 2 after a mistake, which is printed as one line."""
    parser = argparse.ArgumentParser(prog="python -m pxs.benchmark.speed", description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=tuple(STEPS), default="mini", help="the embedded model, or the true size")
    parser.add_argument("--steps", type=int, help="denoising steps (default 20 for mini, 50 for full)")
    parser.add_argument("--only", nargs="+", default=(), metavar="WORD", help="cases whose names hold one of these")
    parser.add_argument("--out", help="folder for results.json")
    args = parser.parse_args(arguments)
    return exit_status("pxs.benchmark.speed", lambda: _report(args))


def _report(args: argparse.Namespace) -> None:
    steps = STEPS[args.size] if args.steps is None else args.steps
    if steps < FEWEST:
        raise ScaleError(f"steps {steps} is too few: give {FEWEST} or more")
    print(HEADER)
    results = run(args.size, steps, args.only)
    if args.out:
        print(write_json(Path(args.out) / "results.json", results))


if __name__ == "__main__":
    sys.exit(main())
