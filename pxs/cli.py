"""The command `pxs`: a thin front over the package. Mistakes end in one line on standard error and exit status 2.

pxs edit --image-path face.png --expression happy --scales 0 0.5 1 1.5 --output-dir out
pxs edit --image-path face.png --mix happy=0.7 surprised=0.5 --output-dir out
pxs edit photos 'more/**/*.jpg' --preset happy --output-dir out --workers 2
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

from pxs import __version__
from pxs.commands import bench, blend, download, edit, faces, info, train
from pxs.errors import PxsError
from pxs.parsing import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0; 2 after a mistake, printed as one line; 1 if some pictures failed."""
    warnings.showwarning = _one_line_warning
    try:
        args = parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], int | None] = args.run
        status = command(args)
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
    return status or 0


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
