"""One bad input of the command line: what is made, what is run, and what the one line of the answer must say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


def nothing(folder: Path) -> None:
    """Makes no file."""


class Case(NamedTuple):
    """A command that must end with exit status 2, one line on standard error, and nothing written.

    argv: the arguments of `pxs`; it runs in an empty folder of its own, in which `face.png` lies. make: makes further
    inputs in that folder, before the command. says: words that the line must hold.
    """

    name: str
    argv: tuple[str, ...]
    says: str = ""
    make: Callable[[Path], None] = nothing
