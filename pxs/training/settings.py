"""The settings of a training: a frozen dataclass, checked when created, written next to every result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pxs.errors import TrainingError, one_line
from pxs.storage.parsing import parse_json

TARGETS = (
    *("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"),
    *("img_mlp.net.0.proj", "img_mlp.net.2", "txt_mlp.net.0.proj", "txt_mlp.net.2"),
)
"""The linear layers that a PixelSmile adapter acts on, in every block."""

CHOICES = {
    "contrast": ("symmetric", "one_sided", "none"),
    "form": ("infonce", "hinge", "log_ratio"),
    "conditioning": ("category", "scores"),
    "precision": ("no", "bf16"),
    "recipe": ("mini", "pixelsmile"),
}


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
    precision: "bf16" for mixed precision, or "no". checkpointing: recompute activations to save memory. recipe: "mini"
    for the steps of this workbench, "pixelsmile" for those of the public trainer; recipes.py says what differs.
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
    precision: str = "bf16"
    checkpointing: bool = False
    compile: bool = False
    recipe: str = "mini"

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name), type(field.default))
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise TrainingError(f"{name} {getattr(self, name)!r} is unknown: choose from {', '.join(choices)}")
        for name in ("steps", "batch", "rank"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} {getattr(self, name)} is too small: give 1 or more")
        if self.shift == 0:
            raise TrainingError(f"shift {self.shift} makes all noise levels 0: give 1 for uniform levels")
        if not 0 <= self.validation < 1:
            raise TrainingError(f"validation {self.validation} is not a fraction of the rows: give 0 or more, below 1")

    @property
    def contrasts(self) -> bool:
        """Whether the loss contains the contrast between branches."""
        return self.contrast != "none" and self.contrast_weight > 0

    @property
    def published(self) -> bool:
        """Whether the steps are those of the public trainer."""
        return self.recipe == "pixelsmile"

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
        if not isinstance(changes, Mapping) or not changes.keys() <= known.keys():
            unknown = sorted(set(changes) - known.keys()) if isinstance(changes, Mapping) else changes
            raise TrainingError(f"unknown settings {unknown}: choose from {', '.join(known)}")
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


def _check(name: str, value: Any, kind: type) -> None:
    """Raise TrainingError unless a setting has the type of its default (for float also int) and is not negative."""
    number = kind in (int, float) and isinstance(value, (int, kind)) and not isinstance(value, bool)
    if kind in (int, float) and not (number and math.isfinite(value) and value >= 0):
        raise TrainingError(
            f"{name} {value!r} is not a number of 0 or more: give one, such as {getattr(Settings, name)}"
        )
    if kind in (bool, str) and not isinstance(value, kind):
        raise TrainingError(f"{name} {value!r} is not of type {kind.__name__}: give {getattr(Settings, name)!r}")
