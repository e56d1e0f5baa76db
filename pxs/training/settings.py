"""The settings of a training: a frozen dataclass, checked when created, written next to every result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pxs.editing.sliders import NAMES, ST
from pxs.errors import ScaleError, TrainingError, one_line, shown
from pxs.quantities import SEED, Real, Whole
from pxs.storage.parsing import parse_json

TARGETS = (
    *("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"),
    *("img_mlp.net.0.proj", "img_mlp.net.2", "txt_mlp.net.0.proj", "txt_mlp.net.2"),
)
"""The linear layers that a PixelSmile adapter acts on, in every block."""

PIXELSMILE = "pixelsmile"

CHOICES = {
    "method": (PIXELSMILE, *NAMES),
    "contrast": ("symmetric", "one_sided", "none"),
    "form": ("infonce", "hinge", "log_ratio"),
    "conditioning": ("category", "scores"),
    "precision": ("no", "bf16"),
    "recipe": ("mini", "pixelsmile"),
}

STEPS = Whole("steps", 1, 10_000_000, "since the log of all steps is kept in memory")
OFTEN = Whole("every", 0, STEPS.most, "where 0 is never")
TERM = Real("weight of a loss", 0, 1e6, "where 0 leaves it out")

LIMITS: dict[str, Whole | Real] = {
    "steps": STEPS,
    "seed": SEED,
    "batch": Whole("batch", 1, 4096, "in rows, which are all in memory"),
    "rank": Whole("rank", 1, 3072, "the width of the full model"),
    "alpha": Real("alpha", 0, 1e6, "such as twice the rank"),
    "lr": Real("lr", 0, 10, "such as 1e-4"),
    "beta2": Real("beta2", 0, 0.999999, "such as 0.99"),
    "weight_decay": Real("weight_decay", 0, 1000, "such as 0.001"),
    "warmup": OFTEN.named("warmup"),
    "clip": Real("clip", 0, 1e6, "such as 1"),
    "contrast_weight": TERM.named("contrast_weight"),
    "identity_weight": TERM.named("identity_weight"),
    "gate": Real("gate", 0, 1000, "in thousandths of the noise level"),
    "shift": Real("shift", 0.001, 1000, "where 1 is uniform"),
    "validation": Real("validation", 0, 0.99, "as a share of the rows"),
    "save_every": OFTEN.named("save_every"),
    "validate_every": OFTEN.named("validate_every"),
    "sample_every": OFTEN.named("sample_every"),
    "keep_every": OFTEN.named("keep_every"),
}
"""What each number of the settings may be."""


@dataclass(frozen=True)
class Settings:
    """The settings of a training. Settings and data determine the result; the defaults suit `mini`.

    model: "mini", a hub id, or a folder. batch: rows per step, each with two targets. rank, alpha: of the LoRA, whose
    scaling is alpha / rank. lr, beta2, weight_decay: of AdamW. warmup: steps of rising learning rate; then it falls to
    0 along a cosine. clip: largest norm of the gradient. contrast, form, contrast_weight, identity_weight, gate: see
    losses.py; a weight of 0 turns a loss off. shift s: noise levels are s u / (1 + (s - 1) u) with u uniform; 1 is
    uniform, above 1 favours high levels, which determine the layout of the picture. conditioning: the scores that a
    target is conditioned on, "category" for that of its category alone, as published, or "scores" for all of them,
    which teaches blends. start: an adapter to start from, of the same rank and alpha; empty for an untrained one.
    validation: fraction of the rows that is held back. save_every, validate_every, sample_every: in steps; 0 is never.
    keep_every: after so many steps the adapter as it is then goes to adapters/, for learning curves; 0 is never.
    precision: "bf16" for mixed precision, or "no". checkpointing: recompute activations to save memory. recipe: "mini"
    for the steps of this workbench, "pixelsmile" for those of the public trainer; recipes.py says what differs. method:
    "pixelsmile", or another method of linear control, see rivals.py, for which rank, alpha and the losses say nothing.
    """

    model: str = "mini"
    steps: int = 1000
    seed: int = 0
    batch: int = 4
    rank: int = 16
    alpha: float = 32.0
    lr: float = 2e-3
    beta2: float = 0.99
    weight_decay: float = 0.001
    warmup: int = 30
    clip: float = 1.0
    contrast: str = "symmetric"
    form: str = "infonce"
    contrast_weight: float = 0.05
    identity_weight: float = 0.1
    gate: float = 600.0
    shift: float = 1.0
    conditioning: str = "category"
    start: str = ""
    validation: float = 0.05
    save_every: int = 200
    validate_every: int = 200
    sample_every: int = 0
    keep_every: int = 0
    precision: str = "bf16"
    checkpointing: bool = False
    compile: bool = False
    recipe: str = "mini"
    method: str = PIXELSMILE

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))
        if self.method != PIXELSMILE and (self.start or self.published):
            raise TrainingError(f"start and recipe 'pixelsmile' are not for method {self.method!r}: leave them out")
        if self.method != PIXELSMILE and self.sample_every:
            raise TrainingError(f"sample_every {self.sample_every} is for method {PIXELSMILE!r} alone: set 0")

    @property
    def contrasts(self) -> bool:
        """Whether the loss contains the contrast between branches."""
        return self.contrast != "none" and self.contrast_weight > 0

    @property
    def published(self) -> bool:
        """Whether the steps are those of the public trainer."""
        return self.recipe == "pixelsmile"

    @property
    def joint(self) -> bool:
        """Whether prompts that give the instructions of both targets of a row are trained too."""
        return self.method == ST

    @property
    def identifies(self) -> bool:
        """Whether the loss contains the identity loss."""
        return self.identity_weight > 0

    @classmethod
    def load(cls, path: str | Path) -> Settings:
        """Settings from a JSON file; missing ones have their defaults. Raises TrainingError for an unusable file."""
        return cls().updated(read_changes(path))

    def updated(self, changes: Mapping[str, Any]) -> Settings:
        """A copy with some settings changed; raises TrainingError for an unknown name or a value out of range."""
        known = asdict(self)
        if not isinstance(changes, Mapping):
            raise TrainingError(f'settings {shown(changes)} are not a JSON object: write for example {{"steps": 300}}')
        if unknown := [name for name in changes if name not in known]:
            raise TrainingError(f"unknown settings {shown(unknown)}: choose from {', '.join(known)}")
        return Settings(**{**known, **changes})

    def rate(self, step: int) -> float:
        """The learning rate of a step (counted from 0): linear warm-up times a cosine that falls to 0.

        The public trainer takes that of diffusers: it starts at 0, and the cosine begins after the warm-up.
        """
        if self.published:
            falling = (step - self.warmup) / max(1, self.steps - self.warmup)
            rising = step / max(1, self.warmup)
            return self.lr * (rising if step < self.warmup else 0.5 * (1 + math.cos(math.pi * falling)))
        warmup = min(1.0, (step + 1) / max(1, self.warmup))
        return self.lr * warmup * 0.5 * (1 + math.cos(math.pi * step / self.steps))


def read_changes(path: str | Path) -> dict[str, Any]:
    """The settings that a JSON file names. Raises TrainingError for a file that cannot be read or a wrong setting."""
    try:
        if not Path(path).is_file():
            raise FileNotFoundError("it is not a file")
        content = parse_json(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"settings {str(path)!r} cannot be read ({one_line(error)}): give a JSON file") from None
    Settings().updated(content)
    return dict(content)


def _checked(name: str, value: Any) -> Any:
    """The value of a setting, a number as one of Python; raises TrainingError for what it cannot be."""
    kind = type(getattr(Settings, name))
    if name in LIMITS:
        try:
            return LIMITS[name](value)
        except ScaleError as error:
            raise TrainingError(str(error)) from None
    if not isinstance(value, kind):
        raise TrainingError(f"{name} {shown(value)} is not of type {kind.__name__}: give {getattr(Settings, name)!r}")
    if name in CHOICES and value not in CHOICES[name]:
        raise TrainingError(f"{name} {shown(value)} is unknown: choose from {', '.join(CHOICES[name])}")
    return value
