"""All trained methods by name, and their hooks for the time of an edit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pxs.editing.sliders.attributecontrol import AttributeControl
from pxs.editing.sliders.conceptslider import ConceptSlider, VisualConceptSlider
from pxs.editing.sliders.kslider import KSlider
from pxs.editing.sliders.saedit import SAEdit
from pxs.editing.sliders.slider import Slider
from pxs.editing.sliders.slideredit import SliderEdit
from pxs.editing.sliders.slideredit_st import SelectiveSliderEdit

if TYPE_CHECKING:
    from diffusers import QwenImageTransformer2DModel

SLIDERS: dict[str, type[Slider]] = {
    "slideredit": SliderEdit,
    "slideredit_st": SelectiveSliderEdit,
    "kslider": KSlider,
    "conceptslider": ConceptSlider,
    "conceptslider_visual": VisualConceptSlider,
    "attributecontrol": AttributeControl,
    "saedit": SAEdit,
}
"""The classes by the names of their methods, `NAMES`."""


@contextmanager
def hooked(transformer: QwenImageTransformer2DModel, slider: Slider) -> Iterator[None]:
    """The transformer with the hooks of a slider; they end with the context, and the slider rests."""
    handles = slider.hook(transformer)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        slider.rest()
