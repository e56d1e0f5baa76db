"""Paths from a user: what a path may be, what lies there, and names and pictures that stay within their folder.

Every path that is written by hand passes here before it is used, so that a name no file system takes, a folder that may
not be entered, and a path that leads out of its folder are each one `PathError`.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from pathlib import Path

from pxs.errors import PathError, one_line

PathName = str | os.PathLike[str]

NAME_BYTES, PATH_BYTES = 255, 4095  # limits of the common file systems and of Linux


def check_path(path: PathName) -> Path:
    """The path as a `Path`. Raises PathError if it is empty, too long, or holds a line break or its kin."""
    text = os.fspath(path)
    if not text:
        raise PathError("an empty path was given: give '.' for the current folder, or a name")
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise PathError(f"the path {_short(text)} holds a line break or another control character: rename it")
    found = Path(text)
    longest = max((len(os.fsencode(part)) for part in found.parts), default=0)
    if longest > NAME_BYTES or len(os.fsencode(text)) > PATH_BYTES:
        raise PathError(
            f"the path {_short(text)} is too long: names have up to {NAME_BYTES} bytes, paths up to {PATH_BYTES}"
        )
    return found


def kind_of(path: PathName) -> str:
    """What lies at a path: "file", "folder", "other" (a device, for example), or "" for nothing.

    Raises PathError for a path that cannot be looked at, such as one in a folder without permission.
    """
    try:
        mode = os.stat(check_path(path)).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise PathError(f"{_short(path)} cannot be looked at ({one_line(error)}): check the path") from None
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"


def exists(path: PathName) -> bool:
    """Whether anything lies at a path, if only a link to nothing. Raises PathError as `kind_of` does."""
    return kind_of(path) != "" or os.path.islink(path)


def check_name(name: str) -> str:
    """The name of a file in a folder. Raises PathError for one that is itself a path, or that no folder can hold."""
    if name in ("", ".", "..") or "/" in name or os.sep in name:
        raise PathError(f"{_short(name)} is not the name of a file in a folder: leave out '/' and '..'")
    check_path(name)
    return name


def picture_path(name: str, folder: PathName, root: PathName) -> Path:
    """The absolute path of a picture that a row names relative to `folder`; it must lie in `root`.

    Links are not followed to decide this: what a link leads to is up to who made it. Raises PathError.
    """
    check_path(name)
    top, found = (Path(os.path.normpath(Path(p).absolute())) for p in (root, Path(folder) / name))
    if not found.is_relative_to(top):
        raise PathError(
            f"the picture {_short(name)} lies outside of {str(top)!r}: state a folder that holds all pictures "
            "(--pictures FOLDER)"
        )
    return found


def _short(path: PathName) -> str:
    """A path in quotes for a message, of at most 120 characters."""
    text = repr(os.fspath(path))
    return text if len(text) <= 120 else f"{text[:60]}...{text[-40:]}"
