"""What methods that run a model share: which model, how many steps, which seed; each model is loaded once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pxs.editing.editor import Editor


@dataclass
class Context:
    """Settings of a run; `editor(adapter)` loads on first use."""

    model: str = "mini"
    adapter: str | None = "default"
    steps: int = 12
    seed: int = 42
    dtype: str | None = None
    _editors: dict[str | None, Editor] = field(default_factory=dict)

    def editor(self, adapter: str | None) -> Editor:
        """The editor with this adapter."""
        if adapter not in self._editors:
            import torch

            from pxs.editing.editor import load

            self._editors[adapter] = load(self.model, adapter, dtype=self.dtype and getattr(torch, self.dtype))
        return self._editors[adapter]

    def provenance(self, editor: Editor) -> dict[str, str]:
        """What a result depends on."""
        return {**editor.provenance, "steps": str(self.steps), "seed": str(self.seed), "dtype": str(editor.pipe.dtype)}
