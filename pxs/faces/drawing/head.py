"""Backdrop, neck, skull, ears, cheeks and hair: what hardly moves with an expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pxs.faces.drawing.svg import blend, ellipse, fill, linear, path, radial, shade, stroke

if TYPE_CHECKING:
    from pxs.faces.action_units import Action
    from pxs.faces.drawing.style import Style
    from pxs.faces.identity import Identity

CROWN = -43.0  # top of the skull


def hair_colour(identity: Identity, style: Style) -> str:
    """Natural hair for the shaded style, any colour for the flat one."""
    return identity.hair if style.shaded else identity.fantasy_hair


def outline_colour(identity: Identity) -> str:
    """The colour of lines drawn on the skin."""
    return blend(shade(identity.skin, 0.45), "#3a1a14", 0.35)


def backdrop(identity: Identity, style: Style) -> str:
    """A plain backdrop, slightly lighter behind the head in the shaded style."""
    if not style.shaded:
        return f'<rect width="128" height="128" fill="{shade(identity.backdrop, 1.06)}"/>'
    glow = radial(
        "backdrop", 50, 44, 100, [(0, shade(identity.backdrop, 1.12), 1), (1, shade(identity.backdrop, 0.86), 1)]
    )
    return f'<defs>{glow}</defs><rect width="128" height="128" fill="url(#backdrop)"/>'


def neck(identity: Identity, style: Style) -> str:
    """Neck and shoulders; they stay when the head turns."""
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
    """Path of the face, from the crown round the jaw and back; `chin` is the y of its lowest point."""
    w, jaw = identity.half_width, 0.5 * (1 - style.chin_point) + identity.jaw * 0.5
    cheek = w * (0.74 + 0.17 * jaw) * style.cheek
    corner = w * (0.36 + 0.17 * jaw) * (1 - 0.25 * style.chin_point)
    tip = corner * (0.62 - 0.35 * style.chin_point)

    def half(s: int) -> tuple[list[float], list[float], list[float]]:
        return (
            [s * w * 0.72, CROWN, s * w, -25, s * w, -4],
            [s * w, 12, s * cheek, 23, s * corner, chin - 5],
            [s * (corner * 0.8), chin - 1.5, s * tip, chin, 0, chin],
        )

    a, b, c = half(1)
    d = half(-1)
    back = ["C", -d[2][2] * -1, chin, d[2][0], d[2][1], d[1][4], d[1][5]]
    return path(
        "M",
        0,
        CROWN,
        "C",
        *a,
        "C",
        *b,
        "C",
        *c,
        *back,
        "C",
        d[1][2],
        d[1][3],
        d[1][0],
        d[1][1],
        d[0][4],
        d[0][5],
        "C",
        d[0][2],
        d[0][3],
        d[0][0],
        d[0][1],
        0,
        CROWN,
        "Z",
    )


def skull(identity: Identity, action: Action, style: Style) -> str:
    """The face itself; the chin goes down with the jaw (AU 26)."""
    chin = identity.chin + 3.4 * action.both("26")
    outline = skull_outline(identity, style, chin)
    skin = identity.skin
    if not style.shaded:
        return fill(outline, skin) + stroke(outline, outline_colour(identity), style.line, 0.75)
    light = radial(
        "skin",
        -9,
        -10,
        62,
        [
            (0, shade(skin, 1.09), 1),
            (0.5, skin, 1),
            (0.82, shade(skin, 0.88), 1),
            (1, shade(skin, 0.72), 1),
        ],
    )
    return f"<defs>{light}</defs>" + fill(outline, "url(#skin)") + stroke(outline, shade(skin, 0.6), 0.6, 0.5)


def cheeks(identity: Identity, action: Action, style: Style) -> str:
    """Natural colour of the cheeks, and the blush of shyness."""
    blush = max(0.0, action.both("blush"))
    red = blend(shade(identity.skin, 0.85), "#d8433f", 0.62)
    parts = []
    for side in (-1, 1):
        x, y = side * 21.5, style.eye_y + 15
        if style.shaded:
            name = f"cheek{side + 1}"
            soft = radial(name, x, y, 10, [(0, red, 1), (0.45, red, 0.75), (1, red, 0)])
            parts.append(f"<defs>{soft}</defs>" + ellipse(x, y, 10, 8, f"url(#{name})", 0.16 + 0.62 * blush))
        else:
            parts.append(ellipse(x, y + 1, 6.5, 3.2, red, 0.10 + 0.6 * blush))
            parts += [
                stroke(path("M", x + d + 1, y - 1, "L", x + d - 1, y + 3), shade(red, 0.75), 0.9, 0.9 * blush)
                for d in (-3, 0, 3)
            ]
    return "".join(parts)


def _cap(w: float, brow: float, part: float) -> str:
    """Hair on the skull from temple to temple; the hairline runs through `brow`, highest at x = `part`."""
    return path(
        "M",
        -w - 1.5,
        2,
        "C",
        -w - 5,
        -30,
        -w * 0.72,
        -51,
        0,
        -51,
        "C",
        w * 0.72,
        -51,
        w + 5,
        -30,
        w + 1.5,
        2,
        "C",
        w - 1,
        -8,
        w - 3,
        -15,
        w * 0.72,
        brow,
        "C",
        w * 0.4,
        brow - 3,
        part + 8,
        brow - 5,
        part,
        brow - 7,
        "C",
        part - 8,
        brow - 5,
        -w * 0.55,
        brow - 2,
        -w * 0.78,
        brow + 2,
        "C",
        -w + 3,
        -15,
        -w + 1,
        -8,
        -w - 1.5,
        2,
        "Z",
    )


def _bangs(w: float, brow: float) -> str:
    """Pointed strands over the forehead."""
    tips = [-0.86, -0.52, -0.16, 0.2, 0.55, 0.88]
    data: list[str | float] = [
        "M",
        -w - 2,
        6,
        "C",
        -w - 5,
        -30,
        -w * 0.72,
        -52,
        0,
        -52,
        "C",
        w * 0.72,
        -52,
        w + 5,
        -30,
        w + 2,
        6,
    ]
    for i, tip in reversed(list(enumerate(tips))):
        low = brow + (4.5 if i in (0, len(tips) - 1) else 1.0 + 2.0 * (i % 2))
        data += ["L", w * tip, low] + (["L", w * (tip - 0.17), brow - 7.5] if i else [])
    return path(*data, "Z")


def back_hair(identity: Identity, style: Style) -> str:
    """The hair behind neck and face."""
    w, colour = identity.half_width, shade(hair_colour(identity, style), 0.82)
    if identity.hairstyle == "long":
        return fill(
            path(
                "M",
                -w - 5,
                -10,
                "C",
                -w - 9,
                20,
                -w - 8,
                45,
                -w - 6,
                66,
                "L",
                w + 6,
                66,
                "C",
                w + 8,
                45,
                w + 9,
                20,
                w + 5,
                -10,
                "Z",
            ),
            colour,
        )
    if identity.hairstyle == "bob":
        return fill(
            path(
                "M",
                -w - 4,
                -10,
                "C",
                -w - 8,
                12,
                -w - 7,
                28,
                -w - 3,
                37,
                "L",
                w + 3,
                37,
                "C",
                w + 7,
                28,
                w + 8,
                12,
                w + 4,
                -10,
                "Z",
            ),
            colour,
        )
    if identity.hairstyle == "bun":
        return ellipse(0, -53, 13, 10.5, colour)
    if identity.hairstyle == "curly":
        return "".join(
            ellipse(x * (w + 2), y, 10.5, 10.5, colour)
            for x, y in ((-0.93, -22), (-1, -6), (-0.97, 8), (0.93, -22), (1, -6), (0.97, 8))
        )
    return ""


def front_hair(identity: Identity, style: Style) -> str:
    """The hair over the skull: a cap with a parting, curls, or bangs, and strands beside the face."""
    w, colour = identity.half_width, hair_colour(identity, style)
    brow = -26 + 3.0 * identity.fringe
    part = (-0.35 if identity.hairstyle in ("side", "bob", "long") else 0.0) * w
    shapes = [_bangs(w, brow) if not style.shaded or identity.fringe > 0.8 else _cap(w, brow, part)]
    if identity.hairstyle == "curly":
        curls = ((-0.78, -34), (-0.42, -45), (0, -48.5), (0.42, -45), (0.78, -34))
        shapes += [
            path("M", x * w - 10.5, y, "a", 10.5, 10.5, 0, 1, 0, 21, 0, "a", 10.5, 10.5, 0, 1, 0, -21, 0, "Z")
            for x, y in curls
        ]
    if identity.hairstyle in ("bob", "long"):
        shapes += [_lock(w, 30 if identity.hairstyle == "bob" else 44, side) for side in (-1, 1)]
    if style.shaded:
        gloss = linear(
            "gloss",
            -52,
            8,
            [
                (0, shade(colour, 0.88), 1),
                (0.22, shade(colour, 1.18), 1),
                (0.45, colour, 1),
                (1, shade(colour, 0.75), 1),
            ],
        )
        return f"<defs>{gloss}</defs>" + "".join(fill(shape, "url(#gloss)") for shape in shapes)
    shine = path("M", -w * 0.55, -36, "C", -w * 0.3, -42, w * 0.3, -42, w * 0.55, -36)
    edge = shade(colour, 0.55)
    outlined = "".join(fill(shape, colour) + stroke(shape, edge, style.line, 0.8) for shape in reversed(shapes))
    return outlined + stroke(shine, shade(colour, 1.35), 2.4, 0.75)


def _lock(w: float, end: float, side: int) -> str:
    """A strand that hangs beside the face down to `end`; side -1 is the left of the picture, 1 the right."""
    return path(
        "M",
        side * (w + 4.5),
        -14,
        "C",
        side * (w + 8),
        8,
        side * (w + 6),
        end - 8,
        side * (w + 2),
        end,
        "C",
        side * (w - 4),
        end - 6,
        side * (w - 3),
        8,
        side * (w - 5.5),
        -16,
        "Z",
    )
