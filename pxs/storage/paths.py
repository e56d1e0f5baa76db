"""Paths from a user: what a path may be, what lies there, and names and pictures that stay within their folder.

Every path that is written by hand passes here before it is used, so that a name no file system takes, a folder that may
not be entered, and a path that leads out of its folder are each one `PathError`.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from pxs.errors import PathError, one_line

PathName = str | os.PathLike[str]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
NAME_BYTES, PATH_BYTES = 255, 4095  # limits of the common file systems and of Linux


def check_path(path: PathName) -> Path:
    """The path as a `Path`; "~" at its start is the home folder.

    Raises PathError if it is empty, too long, or holds a line break or its kin.
    """
    text = os.path.expanduser(os.fspath(path))
    if not text:
        raise PathError("an empty path was given: give '.' for the current folder, or a name")
    if CONTROL.search(text):
        raise PathError(f"the path {_short(text)} holds a line break or another control character: rename it")
    content = _bytes(text)
    if len(content) > PATH_BYTES or max(map(len, content.split(os.sep.encode()))) > NAME_BYTES:
        raise PathError(
            f"the path {_short(text)} is too long: names have up to {NAME_BYTES} bytes, paths up to {PATH_BYTES}"
        )
    return Path(text)


def _bytes(text: str) -> bytes:
    """What the system is given for a path. Raises PathError for a text that is none in any encoding."""
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        raise PathError(f"the path {_short(text)} holds half a character: rename it") from None


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
    top, found = os.path.abspath(root), os.path.abspath(os.path.join(folder, check_path(name)))
    if not found.startswith(os.path.join(top, "")):
        raise PathError(
            f"the picture {_short(name)} lies outside of {top!r}: state a folder that holds all pictures "
            "(--pictures FOLDER)"
        )
    return Path(found)


def _short(path: PathName) -> str:
    """A path in quotes for a message, of at most 120 characters."""
    text = repr(os.fspath(path))
    return text if len(text) <= 120 else f"{text[:60]}...{text[-40:]}"
