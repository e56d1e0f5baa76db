"""Nose, mouth and the folds around them: the lower face. AU 9, 10, 12, 14, 15, 20, 23, 24 and 26 move it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pxs.faces.drawing.head import outline_colour
from pxs.faces.drawing.svg import blend, clip, ellipse, fill, group, path, shade, stroke

if TYPE_CHECKING:
    from pxs.faces.action_units import Action
    from pxs.faces.drawing.style import Style
    from pxs.faces.identity import Identity


@dataclass(frozen=True)
class Lips:
    """The geometry of the mouth, in head coordinates.

    `left` and `right` are the corners (x, y). The inner edges of the lips pass through (`middle`, `top`) and
    (`middle`, `bottom`). `upper` and `lower` are the thickness of the two lips.
    """

    left: tuple[float, float]
    right: tuple[float, float]
    middle: float
    top: float
    bottom: float
    upper: float
    lower: float


def lips(identity: Identity, action: Action, style: Style) -> Lips:
    """The geometry of the mouth for one identity and its action units."""
    y = identity.mouth_height + (1.5 if not style.shaded else 0.0)
    press, tight = max(0.0, action.both("24")), max(0.0, action.both("23"))
    skew = action.both("skew")
    corners = []
    for au, sign in ((action.left, -1), (action.right, 1)):
        reach = (
            1
            + 0.20 * au["12"]
            + 0.26 * au["20"]
            + 0.05 * au["14"]
            - 0.24 * tight
            - 0.16 * press
            - 0.24 * au["26"] * (1 - 0.7 * min(1.0, max(0.0, au["12"])))
        )
        cx = sign * identity.mouth_width * style.mouth_width * reach
        cy = y - 6.4 * au["12"] - 1.2 * au["14"] + 4.6 * au["15"] + 1.4 * au["20"] + sign * -2.6 * skew
        corners.append((cx + 3.4 * skew, cy + 0.8 * action.both("26")))
    smile, frown = max(0.0, action.both("12")), max(0.0, action.both("15"))
    opening = 13.0 * max(0.0, action.both("26")) + 6.0 * max(0.0, smile - 0.3) + 2.4 * max(0.0, action.both("20"))
    opening *= 1 - 0.85 * min(1.0, press)
    sneer = 3.6 * max(0.0, action.both("10")) + 0.6 * max(0.0, action.both("9"))
    middle = 2.0 * skew
    top = y + 1.5 * smile - 2.4 * frown - sneer
    bottom = y + 1.5 * smile - 2.4 * frown + opening + (0.25 * sneer if sneer else 0.0)
    thin = max(0.25, 1 - 0.55 * tight - 0.6 * press - 0.2 * smile - 0.15 * max(0.0, action.both("20")))
    full = (1.5 + 1.3 * identity.lips) * style.lip_weight * thin
    return Lips(corners[0], corners[1], middle, top, bottom, full * 0.9, full * 1.25)


def mouth(identity: Identity, action: Action, style: Style) -> str:
    """Lips, teeth, tongue and the dark inside of the mouth."""
    m = lips(identity, action, style)
    (lx, ly), (rx, ry) = m.left, m.right

    def edge(y: float, to_left: bool) -> list[str | float]:
        """A curve from the left corner to the right one, or with `to_left` back, whose middle lies at y."""
        c = y + (y - (ly + ry) / 2) / 3
        a, b = (m.middle + 0.45 * (lx - m.middle), c), (m.middle + 0.45 * (rx - m.middle), c)
        return ["C", *b, *a, lx, ly] if to_left else ["C", *a, *b, rx, ry]

    inner = path("M", lx, ly, *edge(m.top, False), *edge(m.bottom, True), "Z")
    outer = path("M", lx, ly, *edge(m.top - m.upper, False), *edge(m.bottom + m.lower, True), "Z")
    line = blend(outline_colour(identity), "#40100f", 0.5)
    lip = blend(shade(identity.skin, 0.8), "#b5474c", 0.52)
    gap = m.bottom - m.top
    parts = []
    if style.lip_weight:
        parts += [
            fill(outer, lip),
            stroke(path("M", lx, ly, *edge(m.bottom + m.lower, False)), shade(lip, 0.72), 0.6, 0.6),
        ]
    if gap > 0.3:
        teeth = path(
            *("M", lx, ly - 12, "L", lx, m.top),
            *("Q", m.middle, m.top + 2 * min(0.42 * gap + 0.6, 4.2), rx, m.top),
            *("L", rx, ry - 12, "Z"),
        )
        tongue = ellipse(m.middle, m.bottom + 0.5, 0.45 * (rx - lx) / 2 + 1, 0.42 * gap, "#c4595c")
        inside = fill(inner, "#4a1416") + (tongue if gap > 4 else "") + fill(teeth, "#f5f1ea")
        parts.append(f"<defs>{clip('mouth', inner)}</defs>" + group(inside, clip="mouth"))
        parts.append(stroke(inner, line, 0.9, 0.9))
    else:
        parts.append(
            stroke(path("M", lx, ly, *edge((m.top + m.bottom) / 2, False)), line, 1.3 if style.shaded else 1.5)
        )
    return "".join(parts) + _corners(m, action, line)


def _corners(m: Lips, action: Action, colour: str) -> str:
    """Dimples (AU 14), and short lines at the corners of a tense mouth (AU 12, 15, 23, 24)."""
    parts = []
    for (x, y), au, sign in ((m.left, action.left, -1), (m.right, action.right, 1)):
        dimple = max(0.0, au["14"])
        tension = max(0.0, 0.55 * au["12"], 0.6 * au["15"], 0.5 * au["24"], 0.5 * au["23"])
        arc = path("M", x + sign * 1.2, y - 3.4, "Q", x + sign * 4.2, y - 0.4, x + sign * 1.4, y + 2.8)
        line = path("M", x + sign * 0.3, y - 1.3, "Q", x + sign * 1.5, y, x + sign * 0.5, y + 1.3)
        parts += [stroke(arc, colour, 1.0, 0.9 * dimple), stroke(line, colour, 0.8, tension)]
    return "".join(parts)


def nose(identity: Identity, action: Action, style: Style) -> str:
    """The nose, wrinkled and raised by AU 9; the flat style shows its tip only."""
    wrinkle = max(0.0, action.both("9"))
    lift = 1.6 * wrinkle + 0.4 * max(0.0, action.both("10"))
    colour = outline_colour(identity)
    w, y = identity.nose_width * (1 + 0.14 * wrinkle), style.eye_y + identity.nose_length + 2 - lift
    creases = _nose_creases(style.eye_y, colour, wrinkle)
    if not style.shaded:
        y = style.eye_y + 12.5 - lift
        wings = stroke(
            path("M", -w * 0.5, y + 1, "Q", -w * 0.5 - 1, y - 2, -w * 0.3, y - 3), colour, 0.9, 0.8 * wrinkle
        )
        return creases + wings + stroke(path("M", -1.3, y, "L", 0.9, y + 0.9, "L", 0.4, y - 1.4), colour, 1.0, 0.85)
    base = path(
        *("M", -w, y - 1.4),
        *("C", -w - 1, y + 2, -w * 0.4, y + 1.4, 0, y + 2.2),
        *("C", w * 0.4, y + 1.4, w + 1, y + 2, w, y - 1.4),
    )
    ridge = path("M", w * 0.34, style.eye_y - 2, "C", w * 0.3, y - 8, w * 0.62, y - 4, w * 0.7, y - 1)
    holes = "".join(ellipse(s * w * 0.45, y + 0.6, 1.25, 0.7, shade(colour, 0.7), 0.75) for s in (-1, 1))
    light = ellipse(-0.6, y - 2.6, 1.7, 2.0, shade(identity.skin, 1.25), 0.35)
    return (
        stroke(ridge, shade(identity.skin, 0.72), 1.3, 0.45) + light + holes + stroke(base, colour, 0.9, 0.7) + creases
    )


def _nose_creases(eye_y: float, colour: str, wrinkle: float) -> str:
    """Three short lines across the bridge of the nose; `wrinkle` is their strength."""
    return "".join(
        stroke(
            path(
                *("M", -2.6 + d * 0.3, eye_y + 1.2 + 2.6 * d),
                *("Q", 0, eye_y + 0.2 + 2.6 * d, 2.6 - d * 0.3, eye_y + 1.2 + 2.6 * d),
            ),
            colour,
            0.8,
            0.85 * wrinkle,
        )
        for d in (0, 1, 2)
    )


def folds(identity: Identity, action: Action, style: Style) -> str:
    """The nasolabial folds; AU 9, 10 and 12 deepen each side, age deepens both."""
    colour, parts = outline_colour(identity), []
    m = lips(identity, action, style)
    for (x, y), au, sign in ((m.left, action.left, -1), (m.right, action.right, 1)):
        depth = max(0.0, 0.5 * au["12"] + 0.45 * au["10"] + 0.3 * au["9"]) + (0.3 * identity.age if style.shaded else 0)
        x0, y0 = sign * (identity.nose_width + 1.6), style.eye_y + identity.nose_length - 1.5 * max(0.0, au["9"])
        curve = path("M", x0, y0, "C", x0 + sign * 3.5, y0 + 2.5, x + sign * 4.6, y - 6, x + sign * 3.8, y - 1.5)
        parts.append(stroke(curve, colour, 0.9, 0.75 * depth))
    return "".join(parts)
