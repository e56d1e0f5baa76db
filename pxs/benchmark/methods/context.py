"""What methods that run a model share: which model, how many steps, which seed; each model is loaded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pxs.editing.adapters import Choice
    from pxs.editing.editor import Editor


@dataclass
class Context:
    """Settings of a run; `editor(adapter)` loads on first use. `options` are further ones of `pxs.load`."""

    model: str = "mini"
    adapter: Choice = "default"
    steps: int = 12
    seed: int = 42
    dtype: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    _editors: dict[str, Editor] = field(default_factory=dict)

    def editor(self, adapter: Choice) -> Editor:
        """The editor with this adapter."""
        key = str(adapter)
        if key not in self._editors:
            import torch

            from pxs.editing.editor import load

            self._editors.clear()  # methods run one after the other, and two models may not fit
            dtype = self.dtype and getattr(torch, self.dtype)
            self._editors[key] = load(self.model, adapter, dtype=dtype, **self.options)
        return self._editors[key]

    def provenance(self, editor: Editor) -> dict[str, str]:
        """What a result depends on."""
        return {**editor.provenance, "steps": str(self.steps), "seed": str(self.seed), "dtype": str(editor.pipe.dtype)}
