"""`pxs notebooks`: writes the notebooks and the code that they import to a folder of yours.

In a checkout they lie beside the package; an installed wheel holds them as data files, in share/pxs. The code, the
package `analysis`, is copied beside the notebooks, where a kernel of Jupyter finds it: nothing but `pxs` is installed.
"""

from __future__ import annotations

import argparse
import site
import sys
from collections.abc import Iterator
from pathlib import Path

from pxs.commands.arguments import Commands, path
from pxs.errors import OutputError
from pxs.storage.files import output_folder, replace_file
from pxs.storage.paths import exists

PARTS = {"notebooks": "", "analysis": "analysis"}
"""The folders of the checkout, and of share/pxs, and where each is copied to."""
SUFFIXES = {".ipynb", ".py", ".md"}


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("notebooks", help="write the notebooks to a folder, to run and to change")
    command.add_argument("--out", type=path, required=True, help="folder for the notebooks")
    command.add_argument("--overwrite", action="store_true", help="replace files that exist, with your changes")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """`pxs notebooks`: copy them; raises OutputError, before anything is written, for a file that exists."""
    target = Path(args.out)
    files = {target / name: source for name, source in _files()}
    there = [file for file in files if exists(file)]
    if there and not args.overwrite:
        raise OutputError(
            f"{str(there[0])!r} exists, and may hold changes of yours: choose another folder, or --overwrite"
        )
    for file, source in files.items():
        output_folder(file.parent)
        replace_file(file, source.read_bytes())
    count = sum(file.suffix == ".ipynb" for file in files)
    print(f"{count} notebooks in {target}: open them with jupyter lab {target}")


def _files() -> Iterator[tuple[str, Path]]:
    """Each file to copy: its name below the folder of the notebooks, and where it lies now."""
    above = Path(__file__).parents[2]  # the checkout, or the folder that packages are installed in
    shared = (above / "share", Path(sys.prefix, "share"), Path(site.getuserbase(), "share"))
    for root in (above, *(folder / "pxs" for folder in shared)):
        if all((root / part).is_dir() for part in PARTS):
            break
    else:
        raise OutputError("this installation of pxs has no notebooks: install its wheel anew")
    for part, place in PARTS.items():
        for file in sorted((root / part).rglob("*")):
            if file.suffix in SUFFIXES and ".ipynb_checkpoints" not in file.parts:
                yield str(Path(place, file.relative_to(root / part))), file
