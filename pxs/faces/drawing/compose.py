"""Combines all parts of a face into one SVG document.

The parts use head coordinates: x right, y down, origin in the middle of the face. `compose` places the head in the
128 x 128 picture. Raising or lowering the head (AU 53, 54) shifts the features over the skull; tilting it (AU 55)
rotates the head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pxs.faces.drawing import eyes, hair, head, mouth
from pxs.faces.drawing.style import STYLES
from pxs.faces.drawing.svg import group, num

if TYPE_CHECKING:
    from pxs.faces.action_units import Action
    from pxs.faces.identity import Identity


def compose(identity: Identity, action: Action, style_name: str) -> str:
    """The picture as an SVG document; `style_name` is a key of STYLES."""
    style = STYLES[style_name]
    shift_x, shift_y, roll, scale = identity.pose
    pitch = action.both("54") - action.both("53")  # positive: the face looks down
    features = "".join(
        (
            head.cheeks(identity, action, style),
            mouth.nose(identity, action, style),
            mouth.folds(identity, action, style),
            mouth.mouth(identity, action, style),
            eyes.eyes(identity, action, style),
            eyes.brows(identity, action, style),
            eyes.glasses(identity, style),
        )
    )
    front = "".join(
        (
            head.ears(identity, style),
            head.skull(identity, action, style),
            group(features, f"translate(0 {num(3.6 * pitch)})"),
            hair.front_hair(identity, style),
        )
    )
    tilt = roll + 7.0 * action.both("55")
    place = f"translate({num(64 + shift_x)} {num(67 + shift_y)}) scale({num(scale)})"
    move = f"rotate({num(tilt)} 0 48) translate(0 {num(1.2 * pitch)})"
    body = "".join(
        (
            group(group(hair.back_hair(identity, style), move), place),
            group(head.neck(identity, style), place),
            group(group(front, move), place),
        )
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128">{head.backdrop(identity, style)}{body}</svg>'
