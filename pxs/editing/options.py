"""How a model is loaded and run, beyond which model and which adapter: one record for commands, API and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pxs.editing.exact import DEFAULT, Savings
from pxs.editing.memory import AUTO, check_mode
from pxs.editing.recipes import AUTO as AUTO_RECIPE
from pxs.editing.recipes import Recipe, check_recipe
from pxs.editing.sampling import check_schedule
from pxs.editing.zero import check_zero
from pxs.quantities import REUSE


@dataclass(frozen=True)
class LoadOptions:
    """Options of `pxs.load`; all have defaults, and all are checked when the record is made.

    device: "cuda", "cpu" or another device of PyTorch; by default the GPU where there is one, else the CPU.
    dtype: of the weights; by default bfloat16 on a GPU, float32 on a CPU.
    memory: "full", "offload", "fp8", "int8" or "nf4", see memory.py; "auto" is the first of these that fits.
    schedule: "own", or "few" for an adapter that is distilled to few steps, see sampling.SCHEDULES.
    attention: an attention kernel of diffusers that is installed, such as "flash" or "sage", see attention.py.
    savings: exact ways to the same pictures with less work, see `Savings`.
    compile: compile the transformer's blocks. It takes half a minute at the first edit of each new size or number of
    edits, and pays in long sessions.
    reuse: approximate when above 0: steps that change by less than this share reuse an earlier one, see reuse.py.
    recipe: "published", the steps of the public PixelSmile script; "fitted", those of this workbench; or a `Recipe`.
    "auto" is "published" for the full model with an adapter whose notes do not say otherwise, else "fitted": see
    recipes.py, also for the reason.
    zero: what intensity 0 gives: "neutral", a neutral face as the model draws it, or "source", the picture itself; see
    zero.py.

    Raises ModelError for an unknown memory mode, schedule, recipe or zero, and for a recipe that does not fit the
    schedule; ScaleError for an impossible `reuse`.
    """

    device: str | None = None
    dtype: torch.dtype | None = None
    memory: str = AUTO
    schedule: str = "own"
    attention: str = "native"
    savings: Savings = DEFAULT
    compile: bool = False
    reuse: float = 0.0
    recipe: str | Recipe = AUTO_RECIPE
    zero: str = "neutral"

    def __post_init__(self) -> None:
        check_mode(self.memory)
        check_schedule(self.schedule)
        object.__setattr__(self, "reuse", REUSE(self.reuse))
        check_recipe(self.recipe, self.schedule)
        check_zero(self.zero)


DEFAULT_OPTIONS = LoadOptions()
