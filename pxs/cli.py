"""The command `pxs`: a thin front over the package. Mistakes end in one line on standard error and exit status 2.

pxs app
pxs edit --image-path face.png --expression happy --scales 0 0.5 1 1.5 --output-dir out
pxs edit --image-path face.png --mix happy=0.7 surprised=0.5 --output-dir out
pxs edit photos 'more/**/*.jpg' --preset happy --output-dir out --workers 2
pxs edit clip.mp4 --expression happy --scales 0:1 --output-dir out
pxs blend --image-path face.png --out out/blend
pxs faces --out faces
pxs faces --ffe 200 --out ffe
pxs train --data ffe/train.jsonl --steps 300 --out adapter
pxs bench --methods truth source base pixelsmile --out out/bench
pxs judges
pxs study make out/bench --out out/study --raters 10
pxs notebooks --out notebooks
pxs ffe collect photos --out out/ffe
pxs download --dry-run
pxs info
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence

from pxs import __version__
from pxs.commands import app, bench, blend, download, edit, faces, ffe, info, judges, notebooks, study, train
from pxs.errors import OutputError, PxsError, one_line
from pxs.parsing import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0; 2 after a mistake, printed as one line; 1 if some pictures failed."""
    warnings.showwarning = _one_line_warning
    _open_streams()
    try:
        with _printed():
            args = parser().parse_args(arguments)
            command: Callable[[argparse.Namespace], int | None] = args.run
            status = command(args)
    except PxsError as error:
        return _mistake(str(error))
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # of torch, which may not have been imported
            raise
        return _mistake("the GPU has no memory left: free some, or add --memory offload, fp8, int8 or nf4")
    except BrokenPipeError:  # the reader of the output has closed it, as in `pxs faces --out f | head -1`
        _drop_output()
        return 141
    except OSError as error:  # of the disk or the system, where no sentence of its own was found for it
        _drop_output()
        where = repr(error.filename) if error.filename else "the output"
        return _mistake(f"{where} cannot be used ({one_line(error)}): check the place, its permissions and its space")
    except KeyboardInterrupt:
        print("pxs: stopped", file=sys.stderr)
        return 130
    return status or 0


def _mistake(line: str) -> int:
    print(f"pxs: {line}", file=sys.stderr)
    return 2


def _open_streams() -> None:
    """Make standard output and error able to take any text: closed ones go nowhere, unknown characters are escaped.

    File names that are not text are written as the bytes that they are.
    """
    codecs.register_error("pxs.bytes", _bytes_or_escaped)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="pxs.bytes")


def _bytes_or_escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler of codecs: the bytes that a name in no encoding stands for, or an escaped character."""
    assert isinstance(error, UnicodeEncodeError)
    error.end = error.start + 1
    for handler in ("surrogateescape", "backslashreplace"):
        with contextlib.suppress(UnicodeEncodeError):
            return codecs.lookup_error(handler)(error)
    raise error


@contextlib.contextmanager
def _printed() -> Iterator[None]:
    """Flush what was printed when the block ends, if by an exit. Raises OutputError where it cannot be written."""
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            _drop_output()
            raise OutputError(f"standard output cannot be written ({one_line(error)}): give it another place") from None


def _drop_output() -> None:
    """Send what is still to be printed nowhere, so that the end of the process does not trip over it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> argparse.ArgumentParser:
    """The command line, with the flags of the public PixelSmile script for `edit`."""
    top = Parser(prog="pxs", description="Edit a face to any intensity of 12 expressions.")
    top.add_argument("--version", action="version", version=f"pxs {__version__}")
    commands = top.add_subparsers(dest="command", required=True)

    for command in (app, edit, blend, faces, bench, judges, study, ffe, train, notebooks, download, info):
        command.add(commands)
    return top


def _one_line_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"pxs: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
