"""Draws faces: an `Identity` and a `Mix` of expressions give a picture, in two styles.

    identity = Identity.sample(7)
    draw(identity, Mix(happy=0.8), style="human", size=128)        # a PIL image; every call gives the same pixels

Every picture is exact ground truth. A mix becomes facial action units (action_units.py). The units move the geometry
(drawing/), which is written as SVG and rasterised by resvg.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from pxs.expressions import Mix, check_domain
from pxs.faces.action_units import actions
from pxs.faces.drawing.compose import compose
from pxs.faces.identity import Identity
from pxs.quantities import SIZE


def draw(identity: Identity, mix: Mix = Mix(), style: str = "human", size: int = 128) -> Image.Image:  # noqa: B008
    """The picture of an identity with an expression: an RGB image of `size` x `size` pixels.

    Equal arguments give equal pixels. `style` is "human" (shaded) or "anime" (flat colours, large eyes). Raises
    ExpressionError for another style, and ScaleError for another size than a SIZE.
    """
    size = SIZE(size)
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=svg(identity, mix, style), width=size, height=size)
    with Image.open(BytesIO(bytes(png))) as image:
        return image.convert("RGB")


def svg(identity: Identity, mix: Mix = Mix(), style: str = "human") -> str:  # noqa: B008
    """The same picture as an SVG document with a 128 x 128 view box; raises ExpressionError for another style."""
    return compose(identity, actions(mix), check_domain(style))
