"""Which pictures are meant by files, folders and patterns (`find_pictures`)."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pxs.errors import ImageError
from pxs.images import SUFFIXES

_WILD = "*?["


class Found(NamedTuple):
    """One picture. path: where it lies. name: the same below the folder that all of them have in common."""

    path: Path
    name: str


def find_pictures(given: Sequence[str], skip: Path) -> list[Found]:
    """The pictures that are meant, each once, in order of their names.

    A folder stands for the pictures in it and in the folders below, by SUFFIXES; hidden ones and the folder `skip`,
    that of the results, are left out. A pattern may hold *, ?, [...] and ** for any folders. Links are followed, each
    folder once, so links in a circle end. Raises ImageError where something is missing or nothing is found.
    """
    hidden = os.path.realpath(skip)
    bases: list[str] = []
    paths: dict[str, None] = {}
    for text in given:
        base, found = _expand(text, hidden)
        bases.append(os.path.abspath(base))
        paths |= dict.fromkeys(os.path.abspath(path) for path in found)
    common = os.path.commonpath(bases)
    return [Found(Path(path), os.path.relpath(path, common)) for path in sorted(paths)]


def is_one_file(given: Sequence[str]) -> bool:
    """Whether one file is meant by its name, also one that does not exist."""
    if len(given) != 1 or os.path.isdir(given[0]):
        return False
    return os.path.lexists(given[0]) or not any(c in given[0] for c in _WILD)


def _expand(text: str, hidden: str) -> tuple[str, list[str]]:
    """The folder that names are counted from, and the pictures."""
    try:
        if os.path.isdir(text):
            _refuse_same(text, hidden)
            found = [path for folder in _folders(text, hidden) for path in _pictures_in(folder)]
            if not found:
                raise ImageError(f"{text!r} holds no pictures: give a folder with PNG, JPEG or other pictures")
            return text, found
        if os.path.lexists(text):
            return os.path.dirname(text), [text]
        if not any(c in text for c in _WILD):
            raise ImageError(f"{text!r} does not exist: check the spelling of the path")
        base = os.path.dirname(text[: min(text.index(c) for c in _WILD if c in text)])
        _refuse_same(base, hidden)
        taken = [path for path in _matching(text, hidden) if _is_taken(path, hidden)]
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{text!r} cannot be read ({error}): give pictures, folders or patterns") from None
    if not taken:
        raise ImageError(f"no picture matches {text!r}: check the pattern, and put it in quotes")
    return base, taken


def _refuse_same(folder: str, hidden: str) -> None:
    """Raise ImageError if the results would go among the pictures, where the next run would edit them again."""
    if os.path.realpath(folder) == hidden:
        raise ImageError(f"{folder or '.'!r} would hold pictures and results: choose another folder for these")


def _is_taken(path: str, hidden: str) -> bool:
    """Whether a path that matches a pattern is a picture by its suffix, and no result."""
    inside = (os.path.realpath(os.path.dirname(path)) + os.sep).startswith(hidden + os.sep)
    return not inside and not os.path.isdir(path) and path.lower().endswith(SUFFIXES)


def _folders(top: str, hidden: str) -> Iterator[str]:
    """A folder and all below it that are not hidden, each once, whatever links lead to it."""
    seen: set[tuple[int, int]] = set()
    waiting = [top]
    while waiting:
        folder = waiting.pop(0)
        known = os.stat(folder)
        if (known.st_dev, known.st_ino) in seen or os.path.realpath(folder) == hidden:
            continue
        seen.add((known.st_dev, known.st_ino))
        yield folder
        try:
            below = [entry for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith(".")]
        except OSError as error:
            raise ImageError(f"{folder!r} cannot be read ({error.strerror}): ask for permission") from None
        waiting += [entry.path for entry in sorted(below, key=lambda e: (e.is_symlink(), e.name))]


def _pictures_in(folder: str) -> list[str]:
    """The files that are pictures by their suffix; broken links too, which are named as failures later."""
    with os.scandir(folder) as entries:
        named = [e.path for e in entries if e.name.lower().endswith(SUFFIXES) and not e.name.startswith(".")]
    return [path for path in named if not os.path.isdir(path)]


def _matching(pattern: str, hidden: str) -> Iterator[str]:
    """What a pattern matches; glob itself would follow links in a circle for **."""
    head, deep, rest = pattern.partition("**")
    if not deep:
        yield from glob.glob(pattern)
        return
    if (head and not head.endswith("/")) or not rest.startswith("/"):
        raise ImageError(f"{pattern!r} has ** within a name: write it as a folder of its own, as in a/**/*.png")
    for top in glob.glob(head) if head else ["."]:
        for folder in _folders(top, hidden):
            yield from _matching(os.path.join(glob.escape(folder), rest.lstrip("/")), hidden)


def is_regular(path: Path) -> bool:
    """Whether a path is that of a file that can be read to its end."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False
