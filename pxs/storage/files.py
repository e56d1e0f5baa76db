"""Writing files: each appears whole or not at all, and the folders they go to.

`replacing` is the one writer of the package. It writes to a temporary file beside the target, flushes it to the disk
and moves it into place. A process that is killed leaves its temporary file behind; the first write of a later process
into the same folder removes it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import psutil

from pxs.errors import OutputError, PxsError, one_line

PathName = str | os.PathLike[str]


@contextmanager
def replacing(target: PathName) -> Iterator[BinaryIO]:
    """A binary file to write to, which becomes `target` when the block ends without an error.

    The folder is created where missing. An existing target is replaced. Several writers of one target are safe: one of
    them wins. On failure the target stays as it was and nothing is left behind. Raises OutputError if the file cannot
    be written, for example because the disk is full.
    """
    path = Path(target)
    beside = path.with_name(f".{platform.node()}-{os.getpid()}-{secrets.token_hex(8)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_behind(path.parent)
        with open(beside, "xb") as file:  # not tempfile, whose files only their owner may read
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except PxsError:
        raise
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{str(path)!r} cannot be written ({one_line(error)}): check the folder and its space"
        ) from None
    finally:
        with contextlib.suppress(OSError, ValueError):  # it was moved, or never made
            beside.unlink(missing_ok=True)


def replace_file(target: PathName, content: bytes) -> None:
    """Write `content` to `target`, whole or not at all; see `replacing`."""
    with replacing(target) as file:
        file.write(content)


@lru_cache(maxsize=4096)
def _remove_left_behind(folder: Path) -> None:
    """Remove temporary files of processes of this machine that have ended; once a folder and process."""
    for file in folder.glob(f".{platform.node()}-*.partial"):
        writer = re.search(r"-(\d+)-[0-9a-f]+\.partial$", file.name)
        if writer and not psutil.pid_exists(int(writer[1])):
            file.unlink(missing_ok=True)


def output_folder(path: PathName) -> Path:
    """Create the folder `path` and its parents where missing; return it once a file could be written in it.

    Raises OutputError when it is not a folder, or cannot be created or written.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except FileExistsError:
        raise OutputError(f"{str(path)!r} is a file, not a folder: choose another folder for the results") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{str(path)!r} cannot be used ({one_line(error)}): choose another folder") from None
