"""What methods that run a model share: which model, how many steps, which seed; one model is in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxs.editing.options import DEFAULT_OPTIONS, LoadOptions
from pxs.editing.recipes import AUTO, FITTED
from pxs.errors import DataError
from pxs.quantities import PRICE, SEED, STEPS, TIMEOUT

if TYPE_CHECKING:
    from pxs.editing.adapters import Choice
    from pxs.editing.editor import Editor


BUNDLED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class GeneralSettings:
    """Settings of general editors; those of one method by its name. ScaleError for an impossible number.

    models: in place of the default ones: a hub id or folder of a local editor, the model's id at a service. urls: in
    place of the services' own addresses. prices: of one picture, in any currency. steps: of local editors, by default
    their published ones. timeout: of a request, in seconds. cache: a folder for the pictures that services gave; by
    default none are kept.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    steps: int | None = None
    timeout: float = 300.0
    cache: Path | None = None

    def __post_init__(self) -> None:
        TIMEOUT(self.timeout)
        for price in self.prices.values():
            PRICE(price)
        if self.steps is not None:
            STEPS(self.steps)


@dataclass
class Context:
    """Settings of a run; `editor(adapter)` loads on first use with `options`.

    Raises ScaleError for an impossible number, and DataError for options with another zero than "neutral".

    `weights` are files of trained methods by their names, in place of those that come with the package; `general` are
    settings of the general ones.
    """

    model: str = "mini"
    adapter: Choice = "default"
    steps: int = 12
    seed: int = 42
    options: LoadOptions = DEFAULT_OPTIONS
    weights: Mapping[str, str | Path] = field(default_factory=dict)
    general: GeneralSettings = field(default_factory=GeneralSettings)
    _editors: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.steps, self.seed = STEPS(self.steps), SEED(self.seed)
        if self.options.zero != "neutral":
            raise DataError(f"methods are compared with intensity 0 as the neutral edit, not as {self.options.zero!r}")

    def editor(self, adapter: Choice) -> Editor:
        """The editor with this adapter."""

        def loaded() -> Editor:
            from pxs.editing.editor import load

            options = self.options
            if options.recipe == AUTO:  # tasks compare an edit with its whole source, and by its face box
                options = replace(options, recipe=FITTED)
            return load(self.model, adapter, options)

        return self.loaded(str(adapter), loaded)

    def loaded(self, key: str, load: Callable[[], Any]) -> Any:
        """What `load` loads, once; what was loaded under another key goes, since two models may not fit."""
        if key not in self._editors:
            self._editors.clear()
            self._editors[key] = load()
        return self._editors[key]

    def provenance(self, editor: Editor) -> dict[str, str]:
        """What a result depends on."""
        return {**editor.provenance, "steps": str(self.steps), "seed": str(self.seed), "dtype": str(editor.pipe.dtype)}
