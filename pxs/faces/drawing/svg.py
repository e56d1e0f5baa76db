"""Writes SVG elements: colours, paths, strokes, fills, gradients. Coordinates and widths are in user units.

A colour is "#rrggbb"; opacities are 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

Stop = tuple[float, str, float]
"""One stop of a gradient: offset (0 to 1), colour, opacity."""


def rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue of a colour, each 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def blend(colour: str, other: str, share: float) -> str:
    """The linear interpolation between two colours: share 0 is `colour`, 1 is `other`."""
    mixed = (a + (b - a) * share for a, b in zip(rgb(colour), rgb(other), strict=True))
    return "#" + "".join(f"{round(255 * min(max(x, 0), 1)):02x}" for x in mixed)


def shade(colour: str, factor: float) -> str:
    """The colour darkened towards a warm black (factor < 1) or lightened towards white (factor > 1)."""
    return blend(colour, "#1c0f14", 1 - factor) if factor < 1 else blend(colour, "#ffffff", 0.8 * (factor - 1))


def num(x: float) -> str:
    """A number with two decimals."""
    return f"{x:.2f}"


def path(*parts: str | float) -> str:
    """Path data from letters and numbers: path("M", 0, 1, "L", 2, 3)."""
    return " ".join(p if isinstance(p, str) else num(p) for p in parts)


def fill(data: str, colour: str, opacity: float = 1.0, extra: str = "") -> str:
    """A filled path; empty if it is invisible. `extra` holds further attributes, here and below."""
    return f'<path d="{data}" fill="{colour}" fill-opacity="{num(opacity)}" {extra}/>' if opacity > 0.004 else ""


def stroke(data: str, colour: str, width: float, opacity: float = 1.0, extra: str = "") -> str:
    """A stroked path with round ends; empty if it is invisible."""
    if opacity <= 0.004 or width <= 0.004:
        return ""
    return (
        f'<path d="{data}" fill="none" stroke="{colour}" stroke-width="{num(width)}" stroke-linecap="round" '
        f'stroke-linejoin="round" stroke-opacity="{num(min(opacity, 1))}" {extra}/>'
    )


def ellipse(cx: float, cy: float, rx: float, ry: float, colour: str, opacity: float = 1.0, extra: str = "") -> str:
    """A filled ellipse; empty if it is invisible."""
    if opacity <= 0.004 or min(rx, ry) <= 0:
        return ""
    return (
        f'<ellipse cx="{num(cx)}" cy="{num(cy)}" rx="{num(rx)}" ry="{num(ry)}" fill="{colour}" '
        f'fill-opacity="{num(min(opacity, 1))}" {extra}/>'
    )


def group(content: str, transform: str = "", clip: str = "") -> str:
    """A group of elements with a transform and the id of a clip path, both optional."""
    attributes = (f'transform="{transform}" ' if transform else "") + (f'clip-path="url(#{clip})"' if clip else "")
    return f"<g {attributes}>{content}</g>"


def clip(identifier: str, data: str) -> str:
    """The definition of a clip path."""
    return f'<clipPath id="{identifier}"><path d="{data}"/></clipPath>'


def radial(identifier: str, cx: float, cy: float, r: float, stops: Sequence[Stop]) -> str:
    """The definition of a radial gradient around (cx, cy)."""
    body = "".join(f'<stop offset="{num(o)}" stop-color="{c}" stop-opacity="{num(a)}"/>' for o, c, a in stops)
    where = f'cx="{num(cx)}" cy="{num(cy)}" r="{num(r)}"'
    return f'<radialGradient id="{identifier}" gradientUnits="userSpaceOnUse" {where}>{body}</radialGradient>'


def linear(identifier: str, top: float, bottom: float, stops: Sequence[Stop]) -> str:
    """The definition of a vertical linear gradient from y = top to y = bottom."""
    body = "".join(f'<stop offset="{num(o)}" stop-color="{c}" stop-opacity="{num(a)}"/>' for o, c, a in stops)
    where = f'x1="0" y1="{num(top)}" x2="0" y2="{num(bottom)}"'
    return f'<linearGradient id="{identifier}" gradientUnits="userSpaceOnUse" {where}>{body}</linearGradient>'
