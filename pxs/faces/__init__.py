"""Faces with exact ground truth: people by number, expressions by action units, drawn or rendered. No torch."""

from collections.abc import Sequence

from pxs.expressions import DOMAINS
from pxs.quantities import PORTRAIT_SIZE, SIZE, Whole

RENDERED = "person"
"""The style of rendered people, beside the drawn styles "human" and "anime"; their domain is "human"."""
STYLES = (*DOMAINS, RENDERED)
KINDS = {"human": "drawn people", "anime": "drawn characters", RENDERED: "rendered people"}
"""Style -> its faces, in words."""


def domain(style: str) -> str:
    """The domain of a style: the word by which prompts name it."""
    return "human" if style == RENDERED else style


def kinds(styles: Sequence[str]) -> str:
    """The faces of some styles, in words: "drawn people and drawn characters"; "made faces" without any."""
    return " and ".join(KINDS[style] for style in styles) or "made faces"


def side(style: str) -> int:
    """The usual side of a picture of this style, in pixels."""
    return 256 if style == RENDERED else 128


def size_of(style: str) -> Whole:
    """What the side of a picture of this style may be, in pixels."""
    return PORTRAIT_SIZE if style == RENDERED else SIZE
