"""What methods that run a model share: which model, how many steps, which seed; each model is loaded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.editing.options import DEFAULT_OPTIONS, LoadOptions
from pxs.editing.recipes import AUTO, FITTED
from pxs.errors import DataError
from pxs.quantities import SEED, STEPS

if TYPE_CHECKING:
    from pxs.editing.adapters import Choice
    from pxs.editing.editor import Editor


BUNDLED = Path(__file__).parent / "weights"


@dataclass
class Context:
    """Settings of a run; `editor(adapter)` loads on first use with `options`.

    Raises ScaleError for an impossible number, and DataError for options with another zero than "neutral".

    `weights` are files of trained methods by their names, in place of those that come with the package.
    """

    model: str = "mini"
    adapter: Choice = "default"
    steps: int = 12
    seed: int = 42
    options: LoadOptions = DEFAULT_OPTIONS
    weights: Mapping[str, str | Path] = field(default_factory=dict)
    _editors: dict[str, Editor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.steps, self.seed = STEPS(self.steps), SEED(self.seed)
        if self.options.zero != "neutral":
            raise DataError(f"methods are compared with intensity 0 as the neutral edit, not as {self.options.zero!r}")

    def editor(self, adapter: Choice) -> Editor:
        """The editor with this adapter."""
        key = str(adapter)
        if key not in self._editors:
            from pxs.editing.editor import load

            self._editors.clear()  # methods run one after the other, and two models may not fit
            options = self.options
            if options.recipe == AUTO:  # tasks compare an edit with its whole source, and by its face box
                options = replace(options, recipe=FITTED)
            self._editors[key] = load(self.model, adapter, options)
        return self._editors[key]

    def provenance(self, editor: Editor) -> dict[str, str]:
        """What a result depends on."""
        return {**editor.provenance, "steps": str(self.steps), "seed": str(self.seed), "dtype": str(editor.pipe.dtype)}
