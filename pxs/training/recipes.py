"""The two recipes of a training, and the choice between them.

    mini        the steps of this workbench, with settings for `mini`
    pixelsmile  the published settings of PixelSmile (arXiv 2603.25728) and the steps of its public trainer

`choose_settings` takes the recipe that is asked for, else the one that suits the model: "mini" for a model of drawn
faces, "pixelsmile" for every other. What the public trainer does otherwise than "mini":

- a picture is cut around its face box, by the vertical rule of `crop_square`; the text encoder sees this crop itself;
- latents are sampled from the VAE's posterior; the positives of the losses are the pictures decoded from them;
- CLIP features are pooled and not projected, of the whole picture resized bilinearly to 224 x 224;
- the face of a generated picture is detected in it, not taken from its target; a picture without a face is aligned by
  the template's own landmarks, which lie in its upper left corner (counted, and told at the start);
- the identity loss of a whole batch is gated by the noise level of its first row;
- noise levels are k / 1000, k = 1, ..., 1000; the learning rate is the cosine of diffusers.

Ours stay: float32 for encoders and interpolation (bfloat16 and float16 there), the similarity fit of landmarks (an
affine fit there), the largest face (the most certain there), and noise that depends on (seed, step, place) alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pxs.data.ffe import Row
from pxs.editing.checkpoints import find_model, styles_of
from pxs.errors import TrainingError
from pxs.training.rivals import CHANGES, RATES
from pxs.training.settings import PIXELSMILE, Settings

EPOCHS = 100

PUBLISHED: dict[str, Any] = {
    "recipe": "pixelsmile",
    "model": "Qwen/Qwen-Image-Edit-2511",
    "seed": 42,
    "batch": 4,
    "rank": 64,
    "alpha": 128.0,
    "lr": 1e-4,
    "beta2": 0.999,
    "weight_decay": 0.001,
    "warmup": 500,
    "clip": 1.0,
    "contrast_weight": 1.0,
    "identity_weight": 0.1,
    "validation": 0.0,
    "save_every": 1000,
    "checkpointing": True,
}
"""The published settings; `batch` is that of one GPU. The number of steps follows from EPOCHS and the rows."""

ANIME: dict[str, Any] = {"contrast_weight": 0.05, "identity_weight": 0.0}
"""What the published settings change for rows of the domain "anime"."""


def choose_settings(
    changes: Mapping[str, Any], rows: Sequence[Row], recipe: str | None = None, processes: int = 1
) -> Settings:
    """The settings of the recipe with `changes`; `processes` is the number of GPUs.

    The recipe is `recipe`, else changes["recipe"], else that of the model. Raises TrainingError for unknown or wrong
    settings, two different recipes, and rows of two domains, for which the published settings differ. Raises
    ModelError if the model must be looked at and is not there.
    """
    Settings().updated(changes)
    if changes.get("method", PIXELSMILE) != PIXELSMILE:
        own = {"lr": RATES[changes["method"]], **({"recipe": recipe} if recipe else {})}
        return Settings().updated({**CHANGES, **own, **changes})
    asked = changes.get("recipe", recipe)
    if recipe and asked != recipe:
        raise TrainingError(f"the recipes {recipe!r} and {asked!r} are both asked for: give one")
    if (asked or _suitable(changes.get("model", Settings.model))) != "pixelsmile":
        return Settings().updated({**changes, "recipe": "mini"})
    domain = ANIME if domain_of(rows) == "anime" else {}
    whole = {"batch": PUBLISHED["batch"] * processes}
    settings = Settings().updated({**PUBLISHED, **domain, **whole, **changes})
    return settings if "steps" in changes else replace(settings, steps=_steps(len(rows), settings))


def domain_of(rows: Sequence[Row]) -> str:
    """The domain of all rows; raises TrainingError if they have several."""
    domains = sorted({row.domain for row in rows})
    if len(domains) > 1:
        raise TrainingError(
            f"the rows are of the domains {' and '.join(domains)}, which need different CLIPs and settings: "
            "train on the rows of one domain"
        )
    return domains[0]


def summary(settings: Settings) -> str:
    """One line about the recipe and its most important settings."""
    s = settings
    contrast = f"{s.contrast_weight:g}" if s.contrasts else "none"
    identity = f"{s.identity_weight:g}" if s.identifies else "none"
    if s.method != PIXELSMILE:
        return f"method {s.method} for {s.model}: {s.steps} steps of {s.batch} rows, rate {s.lr:g}"
    return (
        f"recipe {s.recipe} for {s.model}: {s.steps} steps of {s.batch} rows, rank {s.rank}, alpha {s.alpha:g}, "
        f"rate {s.lr:g} after {s.warmup} warm-up steps, contrast {contrast}, identity {identity}"
    )


def _suitable(model: str) -> str:
    """The recipe that suits a model."""
    return "mini" if styles_of(find_model(model)) else "pixelsmile"


def _steps(count: int, settings: Settings) -> int:
    """The steps of EPOCHS epochs over the rows, of `count`, that are not held back."""
    used = count - round(settings.validation * count)  # people are held back whole, so a few more may be
    return max(1, EPOCHS * math.ceil(used / settings.batch))
