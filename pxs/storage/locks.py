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
        with held(folder / LOCK, f"another process is writing in {str(path)!r}: wait for it, or give another folder"):
            remove_left_behind(folder)
            yield folder
            sync_folder(folder)
    finally:
        for parent in created:
            with contextlib.suppress(OSError):  # not empty
                parent.rmdir()


@contextmanager
def held(file: Path, refusal: str) -> Iterator[None]:
    """Hold the lock of this file, which is removed at the end.

    Raises OutputError with the text `refusal` if another process holds it, and if the file cannot be written.
    """
    lock = FileLock(file)
    acquire(lock, 0, refusal)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()  # before the release: who waits for the removed file starts over
        lock.release()


def acquire(lock: FileLock, timeout: float, refusal: str = "") -> bool:
    """Whether a lock could be taken within `timeout` seconds (-1: however long it takes).

    With a `refusal`, raises OutputError of this text instead of returning False. Raises OutputError if the file of the
    lock cannot be written.
    """
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        if refusal:
            raise OutputError(refusal) from None
        return False
    except OSError as error:
        raise OutputError(f"{lock.lock_file!r} cannot be written ({one_line(error)}): check the folder") from None
    return True
