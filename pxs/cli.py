"""The command `pxs`: a thin front over the package. Mistakes end in one line on standard error and exit status 2.

pxs edit --image-path face.png --expression happy --scales 0 0.5 1 1.5 --output-dir out
pxs edit --image-path face.png --mix happy=0.7 surprised=0.5 --output-dir out
pxs blend --image-path face.png --out out/blend
pxs faces --out faces
pxs faces --ffe 200 --out ffe
pxs train --data ffe/train.jsonl --steps 300 --out adapter
pxs bench --methods truth source base pixelsmile --out out/bench
pxs download --dry-run
pxs info
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import NoReturn

from pxs import __version__
from pxs.commands import bench, blend, download, edit, faces, info, train
from pxs.errors import PxsError, UsageError, without_passwords


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 after a mistake, which is printed as one line."""
    warnings.showwarning = _one_line_warning
    try:
        args = parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], None] = args.run
        command(args)
        sys.stdout.flush()
    except PxsError as error:
        print(f"pxs: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # of torch, which may not have been imported
            raise
        print("pxs: the GPU has no memory left: free some, or add --memory offload, fp8, int8 or nf4", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output has closed it, as in `pxs faces --out f | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("pxs: stopped", file=sys.stderr)
        return 130
    return 0


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError, which is printed as one line, instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the message of argparse."""
        raise UsageError(f"{without_passwords(message)} (see '{self.prog} --help')")


def parser() -> argparse.ArgumentParser:
    """The command line, with the flags of the public PixelSmile script for `edit`."""
    top = Parser(prog="pxs", description="Edit a face to any intensity of 12 expressions.")
    top.add_argument("--version", action="version", version=f"pxs {__version__}")
    commands = top.add_subparsers(dest="command", required=True)

    for command in (edit, blend, faces, bench, train, download, info):
        command.add(commands)
    return top


def _one_line_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"pxs: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
