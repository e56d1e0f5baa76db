"""What a training trains: the PixelSmile adapter, or another method of linear control.

A `Trainee` adds its weights to the transformer, gives the loss of a batch, and the file of what was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from pxs.editing.adapters import Factors
from pxs.editing.sliders.files import Cost, content
from pxs.training.adapter import adapter_bytes, add_adapter, load_factors
from pxs.training.cache import Batch
from pxs.training.objective import Decode, Objective, Transformer
from pxs.training.rivals import Rival
from pxs.training.settings import PIXELSMILE, Settings

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

    from pxs.encoders.features import FeatureEncoder
    from pxs.encoders.identity import IdentityEncoder

Loss = Callable[[Transformer, Batch, Tensor, Tensor], dict[str, Tensor]]
"""From the transformer, a batch, noise and noise levels to the parts of the loss and their sum "loss"."""


class Trainee(Protocol):
    """What is trained; creating it freezes the transformer and adds the weights."""

    def losses(
        self, decode: Decode, features: FeatureEncoder | None, identity: IdentityEncoder | None
    ) -> tuple[Loss, Loss]:
        """The loss of a step, and that of a validation, whose part "flow" counts."""
        ...

    def file(self, base: str, expressions: Sequence[str], figures: Mapping[str, Any]) -> bytes:
        """The result as safetensors.

        `base` is the fingerprint of its model, `expressions` those of the rows, `figures` those of the log.
        """
        ...


class AdapterTrainee:
    """The PixelSmile adapter, from `factors` if there are any."""

    def __init__(
        self, transformer: QwenImageTransformer2DModel, settings: Settings, factors: Mapping[str, Factors]
    ) -> None:
        self.transformer, self.settings = transformer, settings
        add_adapter(transformer, settings)
        load_factors(transformer, factors)

    def losses(
        self, decode: Decode, features: FeatureEncoder | None, identity: IdentityEncoder | None
    ) -> tuple[Loss, Loss]:
        """The objective of the settings, and its flow loss alone."""
        s = self.settings
        objective = Objective(
            s,
            decode,
            features.embed_pixels if features else None,
            identity.embed_pixels if identity else None,
            identity.landmarks if identity and s.published else None,
        )
        return objective, replace(objective, settings=s.updated({"contrast": "none", "identity_weight": 0.0}))

    def file(self, base: str, expressions: Sequence[str], figures: Mapping[str, Any]) -> bytes:
        """The LoRA in the layout of diffusers."""
        return adapter_bytes(self.transformer, base, "published" if self.settings.published else "")


class RivalTrainee:
    """Another method, see rivals.py."""

    def __init__(self, transformer: QwenImageTransformer2DModel, settings: Settings) -> None:
        self.settings, self.rival = settings, Rival(transformer, settings.method, settings.seed)

    def losses(
        self, decode: Decode, features: FeatureEncoder | None, identity: IdentityEncoder | None
    ) -> tuple[Loss, Loss]:
        """The loss of the method, twice."""
        return self.rival, self.rival

    def file(self, base: str, expressions: Sequence[str], figures: Mapping[str, Any]) -> bytes:
        """The weights of the method, with what they cost."""
        slider, s = self.rival.slider, self.settings
        cost = Cost(s.steps, round(float(figures["seconds"]), 1), sum(p.numel() for p in slider.parameters()))
        return content(slider, s.method, base, expressions, cost)


def trainee(transformer: QwenImageTransformer2DModel, settings: Settings, factors: Mapping[str, Factors]) -> Trainee:
    """What the settings ask for; `factors` are those of an adapter to start from."""
    if settings.method == PIXELSMILE:
        return AdapterTrainee(transformer, settings, factors)
    return RivalTrainee(transformer, settings)
