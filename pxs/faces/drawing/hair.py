"""Hair, behind the head and in front of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pxs.faces.drawing.svg import ellipse, fill, linear, path, shade, stroke

if TYPE_CHECKING:
    from pxs.faces.drawing.style import Style
    from pxs.faces.identity import Identity


def hair_colour(identity: Identity, style: Style) -> str:
    """A natural colour in the shaded style, any colour in the flat style."""
    return identity.hair if style.shaded else identity.fantasy_hair


def back_hair(identity: Identity, style: Style) -> str:
    """The hair behind neck and face."""
    w, colour = identity.half_width, shade(hair_colour(identity, style), 0.82)
    if identity.hairstyle == "long":
        return fill(
            path(
                *("M", -w - 5, -10, "C", -w - 9, 20, -w - 8, 45, -w - 6, 66),
                *("L", w + 6, 66, "C", w + 8, 45, w + 9, 20, w + 5, -10, "Z"),
            ),
            colour,
        )
    if identity.hairstyle == "bob":
        return fill(
            path(
                *("M", -w - 4, -10, "C", -w - 8, 12, -w - 7, 28, -w - 3, 37),
                *("L", w + 3, 37, "C", w + 7, 28, w + 8, 12, w + 4, -10, "Z"),
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
    """The hair over the skull: a cap with a parting, or bangs; with curls, or with strands beside the face."""
    w = identity.half_width
    hairline = -26 + 3.0 * identity.fringe
    parting = (-0.35 if identity.hairstyle in ("side", "bob", "long") else 0.0) * w
    has_bangs = not style.shaded or identity.fringe > 0.8
    shapes = [_bangs(w, hairline) if has_bangs else _cap(w, hairline, parting)]
    if identity.hairstyle == "curly":
        curls = ((-0.78, -34), (-0.42, -45), (0, -48.5), (0.42, -45), (0.78, -34))
        shapes += [
            path("M", x * w - 10.5, y, "a", 10.5, 10.5, 0, 1, 0, 21, 0, "a", 10.5, 10.5, 0, 1, 0, -21, 0, "Z")
            for x, y in curls
        ]
    if identity.hairstyle in ("bob", "long"):
        shapes += [_strand(w, 30 if identity.hairstyle == "bob" else 44, side) for side in (-1, 1)]
    colour = hair_colour(identity, style)
    return _shaded(shapes, colour) if style.shaded else _flat(shapes, colour, w, style.line)


def _shaded(shapes: list[str], colour: str) -> str:
    """The shapes filled with a vertical gradient."""
    stops = [
        (0, shade(colour, 0.88), 1),
        (0.22, shade(colour, 1.18), 1),
        (0.45, colour, 1),
        (1, shade(colour, 0.75), 1),
    ]
    gradient = linear("gloss", -52, 8, stops)
    return f"<defs>{gradient}</defs>" + "".join(fill(shape, "url(#gloss)") for shape in shapes)


def _flat(shapes: list[str], colour: str, w: float, line: float) -> str:
    """The shapes in one colour with outlines `line` wide, and a highlight on the skull."""
    edge = shade(colour, 0.55)
    outlined = "".join(fill(shape, colour) + stroke(shape, edge, line, 0.8) for shape in reversed(shapes))
    highlight = path("M", -w * 0.55, -36, "C", -w * 0.3, -42, w * 0.3, -42, w * 0.55, -36)
    return outlined + stroke(highlight, shade(colour, 1.35), 2.4, 0.75)


def _cap(w: float, hairline: float, parting: float) -> str:
    """Hair on the skull from temple to temple; its lower edge lies near y = `hairline`, highest at x = `parting`."""
    return path(
        *("M", -w - 1.5, 2),
        *("C", -w - 5, -30, -w * 0.72, -51, 0, -51),
        *("C", w * 0.72, -51, w + 5, -30, w + 1.5, 2),
        *("C", w - 1, -8, w - 3, -15, w * 0.72, hairline),
        *("C", w * 0.4, hairline - 3, parting + 8, hairline - 5, parting, hairline - 7),
        *("C", parting - 8, hairline - 5, -w * 0.55, hairline - 2, -w * 0.78, hairline + 2),
        *("C", -w + 3, -15, -w + 1, -8, -w - 1.5, 2),
        "Z",
    )


def _bangs(w: float, hairline: float) -> str:
    """Pointed strands over the forehead."""
    data: list[str | float] = ["M", -w - 2, 6]
    data += ["C", -w - 5, -30, -w * 0.72, -52, 0, -52]
    data += ["C", w * 0.72, -52, w + 5, -30, w + 2, 6]
    tips = [-0.86, -0.52, -0.16, 0.2, 0.55, 0.88]
    for i, tip in reversed(list(enumerate(tips))):
        low = hairline + (4.5 if i in (0, len(tips) - 1) else 1.0 + 2.0 * (i % 2))
        data += ["L", w * tip, low]
        if i:
            data += ["L", w * (tip - 0.17), hairline - 7.5]
    return path(*data, "Z")


def _strand(w: float, end: float, side: int) -> str:
    """A strand that hangs beside the face down to `end`; side -1 is the left of the picture, 1 the right."""
    return path(
        *("M", side * (w + 4.5), -14),
        *("C", side * (w + 8), 8, side * (w + 6), end - 8, side * (w + 2), end),
        *("C", side * (w - 4), end - 6, side * (w - 3), 8, side * (w - 5.5), -16),
        "Z",
    )
