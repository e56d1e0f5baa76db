"""Writing files: each appears whole or not at all, and the folders they go to.

`replacing` is the one writer of the package. It writes to a temporary file beside the target, flushes it to the disk
and moves it into place. A process that is killed leaves its temporary file behind; the first write of a later process
into the same folder removes it. `append_line` adds to a log.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import psutil

from pxs.errors import OutputError, PxsError, one_line
from pxs.storage.paths import PathName, check_path, exists

PARTIAL = re.compile(r"\.(?P<machine>.+)-(?P<process>\d+)-[0-9a-f]+\.partial")
DAY = 24 * 3600.0


@contextmanager
def replacing(target: PathName) -> Iterator[BinaryIO]:
    """A binary file to write to, which becomes `target` when the block ends without an error.

    The folder is created where missing. An existing target is replaced. Several writers of one target are safe: one of
    them wins. On failure the target stays as it was and nothing is left behind. Raises OutputError if the file cannot
    be written, for example because the disk is full, PathError for a path that no file can have.
    """
    path = check_path(target)
    beside = path.with_name(f".{platform.node()}-{os.getpid()}-{secrets.token_hex(8)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_once(path.parent)
        with open(beside, "xb") as file:  # not tempfile, whose files only their owner may read
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except PxsError:
        raise
    except (OSError, ValueError) as error:
        raise _unwritten(path, error) from None
    finally:
        with contextlib.suppress(OSError, ValueError):  # it was moved, or never made
            beside.unlink(missing_ok=True)


def replace_file(target: PathName, content: bytes) -> None:
    """Write `content` to `target`, whole or not at all, see `replacing`; once this returns it survives a power cut."""
    with replacing(target) as file:
        file.write(content)
    sync_folder(Path(target).parent)


def append_line(target: PathName, line: str) -> None:
    """Add a line to the text file `target`, in UTF-8 and flushed to the disk.

    Raises OutputError if it cannot be written; the file then ends as it did before.
    """
    path, content = check_path(target), f"{line}\n".encode()
    try:
        with open(path, "ab", buffering=0) as file:
            before = file.tell()
            try:
                written = file.write(content)
                if written != len(content):  # the disk filled up on the way: the next byte tells why
                    file.write(content[written:])
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):  # a device, for example
                    file.truncate(before)
                raise
    except OSError as error:
        raise _unwritten(path, error) from None


def _unwritten(path: Path, error: BaseException) -> OutputError:
    return OutputError(f"{str(path)!r} cannot be written ({one_line(error)}): check the folder and its space")


def sync_folder(folder: PathName) -> None:
    """Flush the names of the files in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):  # not every file system has this, and the files themselves are flushed
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_left_behind(folder: Path) -> None:
    """Remove temporary files of writers that have ended: killed ones of this machine, and of others after a day."""
    with contextlib.suppress(OSError):  # a folder that may not be listed; another process may remove them too
        for file in folder.glob(".*.partial"):
            if _left_behind(file):
                file.unlink(missing_ok=True)


_remove_once = lru_cache(maxsize=4096)(remove_left_behind)


def _left_behind(file: Path) -> bool:
    name = PARTIAL.fullmatch(file.name)
    if not name:
        return False
    written = file.stat().st_mtime
    if name["machine"] != platform.node():
        return time.time() - written > DAY
    try:
        writer = psutil.Process(int(name["process"]))
        return writer.status() == psutil.STATUS_ZOMBIE or writer.create_time() > written + 60  # another, of its number
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def check_output_folder(path: PathName) -> Path:
    """Return the folder `path` if it could be made and written; nothing is made. Raises as `output_folder` does."""
    folder = check_path(path)
    output_folder(next(place for place in (folder, *folder.parents) if exists(place)))
    return folder


def output_folder(path: PathName) -> Path:
    """Create the folder `path` and its parents where missing; return it once a file could be written in it.

    Raises OutputError when it is not a folder, or cannot be created or written, PathError for an impossible path.
    """
    folder = check_path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except FileExistsError:
        raise OutputError(f"{str(path)!r} is a file, not a folder: choose another folder for the results") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{str(path)!r} cannot be used ({one_line(error)}): choose another folder") from None
