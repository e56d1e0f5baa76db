"""Backdrop, neck, ears, skull and cheeks: the parts that move little or not at all with an expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pxs.faces.drawing.svg import blend, ellipse, fill, path, radial, shade, stroke

if TYPE_CHECKING:
    from pxs.faces.action_units import Action
    from pxs.faces.drawing.style import Style
    from pxs.faces.identity import Identity

CROWN = -43.0  # y of the top of the skull


def outline_colour(identity: Identity) -> str:
    """The colour of lines drawn on the skin."""
    return blend(shade(identity.skin, 0.45), "#3a1a14", 0.35)


def backdrop(identity: Identity, style: Style) -> str:
    """A plain backdrop; in the shaded style it is slightly lighter behind the head."""
    if not style.shaded:
        return f'<rect width="128" height="128" fill="{shade(identity.backdrop, 1.06)}"/>'
    glow = radial(
        "backdrop", 50, 44, 100, [(0, shade(identity.backdrop, 1.12), 1), (1, shade(identity.backdrop, 0.86), 1)]
    )
    return f'<defs>{glow}</defs><rect width="128" height="128" fill="url(#backdrop)"/>'


def neck(identity: Identity, style: Style) -> str:
    """Neck and shoulders; they do not move when the head turns."""
    dark = shade(identity.skin, 0.78)
    throat = path("M", -13, 20, "L", -13, 42, "C", -14, 60, 14, 60, 13, 42, "L", 13, 20, "Z")
    torso = path(
        "M", -60, 90, "C", -58, 56, -34, 52, -12, 46, "C", -11, 57, 11, 57, 12, 46, "C", 34, 52, 58, 56, 60, 90, "Z"
    )
    collar = path("M", -12, 46, "C", -11, 57, 11, 57, 12, 46)
    return (
        fill(throat, dark)
        + fill(torso, identity.clothes)
        + stroke(collar, shade(identity.clothes, 0.7), 1.6)
        + ("" if style.shaded else stroke(path("M", -13, 36, "L", -13, 46), shade(dark, 0.7), 0.8))
    )


def ears(identity: Identity, style: Style) -> str:
    """Both ears, behind the skull; long hair covers them."""
    if identity.hairstyle in ("bob", "long"):
        return ""
    w, size = identity.half_width, (5.0 if style.shaded else 4.2)
    return "".join(
        ellipse(side * (w - 0.5), 1.0, size, 8.0, shade(identity.skin, 0.93))
        + stroke(
            path("M", side * (w + 0.8), -3, "C", side * (w + 3.4), -3, side * (w + 3), 4, side * (w + 1), 5),
            shade(identity.skin, 0.7),
            0.9,
            0.7,
        )
        for side in (-1, 1)
    )


def skull_outline(identity: Identity, style: Style, chin: float) -> str:
    """The path of the face, from the crown around the jaw and back; `chin` is the y of its lowest point."""
    w, jaw = identity.half_width, 0.5 * (1 - style.chin_point) + identity.jaw * 0.5
    cheek = w * (0.74 + 0.17 * jaw) * style.cheek
    corner = w * (0.36 + 0.17 * jaw) * (1 - 0.25 * style.chin_point)
    tip = corner * (0.62 - 0.35 * style.chin_point)
    return path(
        *("M", 0, CROWN),
        *("C", w * 0.72, CROWN, w, -25, w, -4),
        *("C", w, 12, cheek, 23, corner, chin - 5),
        *("C", corner * 0.8, chin - 1.5, tip, chin, 0, chin),
        *("C", -tip, chin, -corner * 0.8, chin - 1.5, -corner, chin - 5),
        *("C", -cheek, 23, -w, 12, -w, -4),
        *("C", -w, -25, -w * 0.72, CROWN, 0, CROWN),
        "Z",
    )


def skull(identity: Identity, action: Action, style: Style) -> str:
    """The skin of the face; the chin moves down with the jaw (AU 26)."""
    chin = identity.chin + 3.4 * action.both("26")
    outline = skull_outline(identity, style, chin)
    skin = identity.skin
    if not style.shaded:
        return fill(outline, skin) + stroke(outline, outline_colour(identity), style.line, 0.75)
    stops = [(0, shade(skin, 1.09), 1), (0.5, skin, 1), (0.82, shade(skin, 0.88), 1), (1, shade(skin, 0.72), 1)]
    light = radial("skin", -9, -10, 62, stops)
    return f"<defs>{light}</defs>" + fill(outline, "url(#skin)") + stroke(outline, shade(skin, 0.6), 0.6, 0.5)


def cheeks(identity: Identity, action: Action, style: Style) -> str:
    """The natural colour of the cheeks, and the blush of shyness."""
    blush = max(0.0, action.both("blush"))
    red = blend(shade(identity.skin, 0.85), "#d8433f", 0.62)
    parts = []
    for side in (-1, 1):
        x, y = side * 21.5, style.eye_y + 15
        if style.shaded:
            name = f"cheek{side + 1}"
            gradient = radial(name, x, y, 10, [(0, red, 1), (0.45, red, 0.75), (1, red, 0)])
            parts.append(f"<defs>{gradient}</defs>" + ellipse(x, y, 10, 8, f"url(#{name})", 0.16 + 0.62 * blush))
        else:
            parts.append(ellipse(x, y + 1, 6.5, 3.2, red, 0.10 + 0.6 * blush))
            parts += [
                stroke(path("M", x + d + 1, y - 1, "L", x + d - 1, y + 3), shade(red, 0.75), 0.9, 0.9 * blush)
                for d in (-3, 0, 3)
            ]
    return "".join(parts)
