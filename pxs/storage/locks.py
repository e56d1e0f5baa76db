"""One writer at a time: locks by `filelock`, which the system releases when their process ends, however it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pxs.errors import OutputError, one_line
from pxs.storage.files import output_folder, remove_left_behind, sync_folder
from pxs.storage.paths import PathName, check_path, exists

LOCK = ".writing.lock"


@contextmanager
def writing(path: PathName) -> Iterator[Path]:
    """The output folder `path`, created where missing, for this process alone until the block ends.

    Temporary files of killed writers are removed from it first. What was written is flushed to the disk at the end; a
    folder that was created and stayed empty is removed again. Raises OutputError if another process writes there, and
    as `output_folder` does.
    """
    folder = check_path(path)
    created = [parent for parent in (folder, *folder.parents) if not exists(parent)]
    try:
        output_folder(folder)
        with locked(folder / LOCK) as own:
            if not own:
                raise OutputError(f"another process is writing in {str(path)!r}: wait for it, or give another folder")
            remove_left_behind(folder)
            try:
                yield folder
                sync_folder(folder)
            finally:
                remove_locked(folder / LOCK)
    finally:
        for parent in created:
            with contextlib.suppress(OSError):  # not empty
                parent.rmdir()


@contextmanager
def locked(file: Path, timeout: float = 0.0) -> Iterator[bool]:
    """Whether the lock of this file is held while the block runs; waits up to `timeout` seconds for it, -1 for ever.

    Raises OutputError if the file cannot be written.
    """
    lock = FileLock(file)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        pass
    except OSError as error:
        raise OutputError(f"{str(file)!r} cannot be written ({one_line(error)}): check the folder") from None
    try:
        yield lock.is_locked
    finally:
        lock.release()


def remove_locked(file: Path) -> None:
    """Remove the file of a lock that is held; who waits for it then starts over with a new file."""
    with contextlib.suppress(OSError):
        file.unlink()
