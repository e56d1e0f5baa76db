"""Eyes, brows and glasses: the upper face. AU 1, 2, 4, 5, 6, 7, 9, 43, 61 and 64 move it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pxs.faces.drawing.hair import hair_colour
from pxs.faces.drawing.head import outline_colour
from pxs.faces.drawing.svg import blend, clip, ellipse, fill, group, num, path, shade, stroke

if TYPE_CHECKING:
    from pxs.faces.action_units import Action
    from pxs.faces.drawing.style import Style
    from pxs.faces.identity import Identity

SIDES = (("left", -1), ("right", 1))


def eyes(identity: Identity, action: Action, style: Style) -> str:
    """Both eyes with lids, iris, lashes and the lines around them."""
    return "".join(_eye(identity, action, style, name, sign) for name, sign in SIDES)


def _eye(identity: Identity, action: Action, style: Style, name: str, sign: int) -> str:
    """One eye; `name` is the side of the picture, and `sign` is -1 on the left and 1 on the right."""
    au = action.side(name)
    half = style.eye_half_width * identity.eye_size
    openness = max(0.0, 1 - 0.95 * min(au["43"], 1.05))
    wide, squint = max(0.0, au["5"]), max(0.0, au["7"])
    smile = max(0.0, au["6"])
    up = style.lid_up * identity.eye_size * (1 + 0.38 * wide - 0.34 * squint - 0.16 * smile) * openness
    up = max(up, -0.5 * style.lid_down) - 0.32 * style.lid_down * (1 - openness)
    down = style.lid_down * identity.eye_size * (1 + 0.22 * wide - 0.30 * squint - 0.72 * smile)
    lower = max(down, -0.75 * style.lid_down)
    upper = max(up, -lower + 0.15)  # the lids never cross
    tilt = -identity.eye_tilt * 0.5  # the outer corner is higher
    inner, outer = (-half, -tilt), (half, tilt)
    under_brow = 1 - 0.4 * max(0.0, au["4"] - 0.6 * au["1"])  # a lowered brow pushes the inner lid down
    lid = ("M", *inner, "C", -half * 0.55, -upper * 1.32 * under_brow, half * 0.5, -upper * 1.38, *outer)
    rim = ("C", half * 0.5, lower * 1.36, -half * 0.55, lower * 1.3, *inner)
    shape, upper_line = path(*lid, *rim, "Z"), path(*lid)
    lower_line = path("M", *outer, *rim)
    lash = blend(shade(hair_colour(identity, style), 0.4), "#17100e", 0.6)
    skin_line = outline_colour(identity)
    clip_id = f"eye{name}"
    parts = (
        f"<defs>{clip(clip_id, shape)}</defs>",
        fill(shape, "#f7f4f1" if style.shaded else "#ffffff"),
        group(_iris(identity, action, style, sign) + _lid_shadow(upper_line, style), clip=clip_id),
        stroke(lower_line, skin_line, 0.7 if style.shaded else 0.9, 0.75),
        stroke(upper_line, lash, 1.5 if style.shaded else 2.4),
        _crease(half, upper, wide, skin_line, style),
        _cheek_lines(half, lower, smile, squint, skin_line, identity.age),
    )
    place = f"translate({num(sign * identity.eye_gap)} {num(style.eye_y)}) scale({sign} 1)"
    return group("".join(parts), place)


def _iris(identity: Identity, action: Action, style: Style, sign: int) -> str:
    """Iris, pupil and highlight, moved by the gaze; both highlights lie on the same side of the picture."""
    r = style.iris * identity.eye_size
    x = sign * 3.1 * action.both("61") * (1.0 if style.shaded else 0.9)
    y = -0.5 + 2.4 * max(0.0, action.both("64"))
    tall = r * style.iris_tall
    spark = 0.3 * r
    parts = [ellipse(x, y, r, tall, identity.iris)]
    if style.shaded:
        parts.append(ellipse(x, y, r * 0.78, tall * 0.78, shade(identity.iris, 1.3), 0.5))
    else:
        parts.append(ellipse(x, y - tall * 0.35, r, tall * 0.65, shade(identity.iris, 0.5), 0.8))
        parts.append(ellipse(x, y + tall * 0.55, r * 0.6, tall * 0.3, shade(identity.iris, 1.6), 0.7))
    parts.append(ellipse(x, y, r * 0.46, tall * 0.46, "#120d0c"))
    parts.append(ellipse(x - sign * 0.38 * r, y - 0.4 * tall, spark, spark, "#ffffff", 0.95))
    if not style.shaded:
        parts.append(ellipse(x + sign * 0.35 * r, y + 0.4 * tall, spark * 0.6, spark * 0.6, "#ffffff", 0.8))
    return "".join(parts)


def _lid_shadow(upper_line: str, style: Style) -> str:
    """The shadow of the upper lid on the eye."""
    return stroke(upper_line, "#2a1a18", 3.4 if style.shaded else 4.5, 0.22)


def _crease(half: float, upper: float, wide: float, colour: str, style: Style) -> str:
    """The fold above the upper lid; it moves with the lid and fades as the eye opens wide."""
    y = upper * 1.0 + 2.6
    line = path("M", -half * 0.8, -y * 0.55, "C", -half * 0.4, -y * 1.1, half * 0.45, -y * 1.12, half * 0.95, -y * 0.5)
    return stroke(line, colour, style.line, 0.45 * max(0.25, 1 - 0.6 * wide))


def _cheek_lines(half: float, lower: float, smile: float, squint: float, colour: str, age: float) -> str:
    """The raised cheek and crow's feet (AU 6), the tightened lower lid (AU 7), and bags under the eye (age)."""
    bag = path(
        "M", -half * 0.7, lower + 3.2, "C", -half * 0.2, lower + 5.4, half * 0.5, lower + 5.0, half * 0.95, lower + 2.4
    )
    feet = "".join(
        stroke(path("M", half + 1.6, dy, "L", half + 5.0, dy * 1.9 - 0.4), colour, 0.7, 0.75 * smile)
        for dy in (-1.6, 0.6, 2.6)
    )
    return stroke(bag, colour, 0.8, 0.28 * age + 0.6 * smile + 0.3 * squint) + feet


def brows(identity: Identity, action: Action, style: Style) -> str:
    """Both brows, and the lines on the forehead and between the brows."""
    drawn = "".join(_brow(identity, action, style, name, sign) for name, sign in SIDES)
    return _forehead(identity, action, style) + drawn


def _brow(identity: Identity, action: Action, style: Style, name: str, sign: int) -> str:
    """One brow; `name` and `sign` as in `_eye`. Point 0 is its inner end, 1 its arch, 2 its outer end."""
    au = action.side(name)
    inner_up, outer_up, frown = au["1"], au["2"], au["4"] + 0.55 * max(0.0, au["9"])
    squeeze = 0.4 * max(0.0, au["7"]) + 0.15 * max(0.0, action.both("12") - 1)
    base = style.brow_y - identity.brow_height
    length = style.brow_length
    x0 = identity.eye_gap - length * 0.52 - 1.7 * max(0.0, frown)
    x2 = x0 + length + 0.8 * outer_up
    y0 = base + 1.2 - 5.6 * inner_up + 6.2 * frown + squeeze
    y1 = base - 1.6 - 1.8 * identity.brow_arch - 2.2 * inner_up - 4.2 * outer_up + 2.8 * frown + squeeze
    y2 = base + 1.6 - 4.8 * outer_up + 1.2 * inner_up - 0.6 * frown + squeeze
    x1 = x0 + length * 0.52
    t = identity.brow_weight * style.brow_weight
    data = path(
        *("M", sign * x0, y0 - t * 0.5),
        *("Q", sign * x1, y1 - t * 1.3, sign * x2, y2),
        *("Q", sign * x1, y1 + t * 0.7, sign * (x0 + 0.3), y0 + t * 0.9),
        "Z",
    )
    colour = shade(hair_colour(identity, style), 0.62)
    return fill(data, colour) + stroke(data, colour, 0.5)


def _forehead(identity: Identity, action: Action, style: Style) -> str:
    """Vertical furrows of the frown (AU 4); horizontal lines of raised brows (AU 1, 2) and of age."""
    colour, y = outline_colour(identity), style.brow_y + 1.5
    frown = max(0.0, min(action.left["4"], 1.3) + min(action.right["4"], 1.3)) / 2 + 0.3 * max(0.0, action.both("9"))
    raised = max(0.0, (action.both("1") + action.both("2")) / 2)
    furrows = "".join(
        stroke(path("M", s * 2.2, y - 2, "C", s * 1.5, y, s * 1.5, y + 2, s * 2.1, y + 4.5), colour, 0.8, 0.75 * frown)
        for s in (-1, 1)
    )
    if not style.shaded:
        return furrows
    lines = "".join(
        stroke(
            path("M", -13 + d, y - 8.2 - 3 * d, "C", -5, y - 9.6 - 3 * d, 5, y - 9.6 - 3 * d, 13 - d, y - 8.2 - 3 * d),
            colour,
            0.7,
            (0.22 * identity.age + 0.38 * raised) * (1 - 0.3 * d),
        )
        for d in (0, 1)
    )
    return furrows + lines


GLASSES = {
    "round": (10, "#2b2522", "#ffffff", 0.05),
    "square": (3.5, "#4a3b52", "#ffffff", 0.05),
    "tinted": (7, "#a3182a", "#c9722b", 0.3),
}
"""Kinds of glasses: radius of the corners, colour of the frame, colour and opacity of the lenses."""


def glasses(identity: Identity, style: Style) -> str:
    """The glasses of a face, or none."""
    if identity.glasses == "none":
        return ""
    gap, y = identity.eye_gap, style.eye_y + 0.5
    rx, ry = (11.8, 10.4) if style.shaded else (12.8, 12.4)
    corner, frame, lens, opacity = GLASSES[identity.glasses]
    rims = "".join(
        f'<rect x="{num(s * gap - rx)}" y="{num(y - ry)}" width="{num(2 * rx)}" height="{num(2 * ry)}" rx="{corner}" '
        f'fill="{lens}" fill-opacity="{opacity}" stroke="{frame}" stroke-width="1.3"/>'
        for s in (-1, 1)
    )
    bridge = path("M", -gap + rx, y - 2, "Q", 0, y - 5, gap - rx, y - 2)
    arms = "".join(
        stroke(path("M", s * (gap + rx), y - 3, "L", s * (identity.half_width + 0.5), y - 3.5), frame, 1.2)
        for s in (-1, 1)
    )
    return rims + stroke(bridge, frame, 1.3) + arms
