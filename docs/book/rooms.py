"""Two things that the book needs of Sphinx: a page for every room of the package, and docstrings that are plain text.

    ```{room} pxs.editing
    ```

stands for all public modules of a package, with their public classes and functions. The docstrings of this project are
plain text with `code` in single backticks; `restructured` makes reStructuredText of them, which autodoc reads.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
MEANINGFUL = re.compile(r"([*|\\]|_\b|:(?=\w))")


def modules(package: str) -> Iterator[str]:
    """The names of a package and of all public modules below it, in the order of their names."""
    yield package
    found = import_module(package)
    for below in sorted(pkgutil.iter_modules(getattr(found, "__path__", [])), key=lambda m: m.name):
        if not below.name.startswith("_"):
            yield from modules(f"{package}.{below.name}")


class Room(SphinxDirective):
    """The directive: `automodule` for each of the `modules` of its argument, under a heading each."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes of all modules; the package itself comes first, under the heading of its page."""
        made: list[nodes.Node] = []
        for name in modules(self.arguments[0]):
            section = nodes.section(ids=[nodes.make_id(name)], names=[name])
            section += nodes.title(name, "", nodes.literal(name, name))
            lines = [f".. automodule:: {name}", "   :members:", "   :ignore-module-all:", ""]
            self.state.nested_parse(self._rst(lines), 0, section, match_titles=True)
            if name == self.arguments[0]:
                made += section.children[1:]
                continue
            self.state.document.note_explicit_target(section)
            made.append(section)
        return made

    def _rst(self, lines: list[str]) -> StringList:
        """Lines as a block that any parser hands to reStructuredText."""
        return StringList(["```{eval-rst}", *lines, "```"], source=self.env.docname)


def restructured(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText: indented blocks as literal ones, code in double backticks, the rest as text."""
    made: list[str] = []
    for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        rows = block.split("\n")
        if all(row.startswith("    ") for row in rows):
            made += ["::", "", *rows, ""]
        elif rows[0].lstrip().startswith("- "):
            made += [*_inline(block).split("\n"), ""]
        else:
            made += [*_inline("\n".join(row.strip() for row in rows)).split("\n"), ""]
    return made


def _inline(text: str) -> str:
    """Text in which only code is marked up."""
    parts, end = [], 0
    for found in CODE.finditer(text):
        parts += [MEANINGFUL.sub(r"\\\1", text[end : found.start()]), f"``{' '.join(found[2].split())}``"]
        end = found.end()
        if text[end : end + 1].isalnum():
            parts.append("\\ ")  # ends the code without a space
    return "".join([*parts, MEANINGFUL.sub(r"\\\1", text[end:])])


def _docstring(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    lines[:] = restructured(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add both to Sphinx."""
    app.add_directive("room", Room)
    app.connect("autodoc-process-docstring", _docstring)
    return {"parallel_read_safe": True}
