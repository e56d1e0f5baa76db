"""Where the memory of an idle editor goes: of a process that loaded a model and edited one face.

    python -m analysis.performance.idle --out out/idle

Resident memory is read after each step. `private` is the part that is not of files: processes of one machine share the
code of libraries, but each has its private memory alone. What `import` takes is told by package as well, each without
the packages that it imports in turn. `--without scipy` hides a package, to see what is left where nothing imports it.

DIR/results.json: {"steps": {step: {"resident", "private"}}, "packages": {package: bytes}}, in bytes, in the order of
the steps; of a step, what it added.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import psutil

from pxs.parsing import Parser, parsed
from pxs.storage.paths import check_path
from pxs.storage.provenance import write_json

MB = 2**20
SHOWN = 12  # packages, the largest
FACE = 400003  # the number of a drawn face


class Memory(NamedTuple):
    """Bytes. private: those that are not of files; all of them on systems that do not tell."""

    resident: int
    private: int

    @classmethod
    def now(cls) -> Memory:
        """Of this process."""
        found = psutil.Process().memory_info()
        return cls(found.rss, found.rss - getattr(found, "shared", 0))

    def since(self, before: Memory) -> Memory:
        """What came since."""
        return Memory(self.resident - before.resident, self.private - before.private)


def main() -> int:
    """The command line."""
    parser = Parser(prog="python -m analysis.performance.idle", description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mini", help="default mini")
    parser.add_argument("--without", nargs="+", default=[], metavar="PACKAGE", help="packages to hide")
    parser.add_argument("--out", type=parsed(check_path), default=Path("out/idle"), help="folder for results.json")
    return parser.run(run)


def run(args: argparse.Namespace) -> None:
    """Measure, write results.json and print the tables."""
    sys.modules.update(dict.fromkeys(args.without))  # None: whoever asks is told that there is none
    with weighed() as packages:
        steps = measured(editing(args.model))
    largest = dict(packages.most_common(SHOWN))
    of_steps = {name: memory._asdict() for name, memory in steps.items()}
    write_json(args.out / "results.json", {"steps": of_steps, "packages": largest})
    print(f"{'':42} {'resident':>9} {'private':>9}")
    for name, memory in (*steps.items(), ("together", Memory(*map(sum, zip(*steps.values(), strict=True))))):
        print(f"{name:42} {memory.resident / MB:6.0f} MB {memory.private / MB:6.0f} MB")
    for name, size in largest.items():
        print(f"  import {name:33} {size / MB:6.0f} MB")


def editing(model: str) -> Iterator[str]:
    """Load a model and edit a face; yields the name of each step once it is done."""
    import numpy  # noqa: F401
    import PIL.Image  # noqa: F401

    yield "Python, NumPy, Pillow"
    import torch  # noqa: F401

    yield "PyTorch"
    import pxs.editing.editor

    yield "the classes of diffusers and transformers"
    editor = pxs.load(model)
    yield "the model"
    edits = editor.open(pxs.draw(pxs.Identity.sample(FACE))).edit(pxs.Mix(happy=1), steps=4)
    yield "a picture and its edit"
    del editor, edits


def measured(steps: Iterable[str]) -> dict[str, Memory]:
    """What each step adds, by its name; the first also has what the process took before."""
    found, before = {}, Memory(0, 0)
    for name in steps:
        now = Memory.now()
        found[name], before = now.since(before), now
    return found


@contextlib.contextmanager
def weighed() -> Iterator[Counter[str]]:
    """Bytes of resident memory that modules take while they are imported in the block, by their package."""
    packages: Counter[str] = Counter()
    nested = [0]  # bytes of the modules that each module under way imports

    def weighing(load: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(load)
        def loaded(self: Any, what: Any) -> Any:
            name = what.__name__ if isinstance(what, ModuleType) else what.name
            before = Memory.now().resident
            nested.append(0)
            try:
                return load(self, what)
            finally:
                taken = Memory.now().resident - before
                packages[name.partition(".")[0]] += taken - nested.pop()
                nested[-1] += taken

        return loaded

    with contextlib.ExitStack() as patches:
        for loader, method in (
            (SourceFileLoader, "exec_module"),
            (ExtensionFileLoader, "create_module"),
            (ExtensionFileLoader, "exec_module"),
        ):
            patches.enter_context(patch.object(loader, method, weighing(getattr(loader, method))))
        yield packages


if __name__ == "__main__":
    sys.exit(main())
