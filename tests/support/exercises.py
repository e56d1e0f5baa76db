"""The solutions of a notebook's exercises: the fenced blocks of its folded cells, to be checked and run."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

import nbformat

FENCE = re.compile(r"^( *)```(python|sh)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Solutions(NamedTuple):
    """Values for the cell of parameters, one mapping a block; code for new cells; and lines for a shell."""

    parameters: list[dict[str, Any]]
    cells: list[str]
    commands: list[str]


def solutions(notebook: nbformat.NotebookNode, known: Mapping[str, Any]) -> Solutions:
    """The solutions of a notebook with these parameters."""
    found = Solutions([], [], [])
    for cell in notebook.cells:
        folded = cell.source.partition("<details>")[2].partition("</details>")[0]
        for _, language, inner in FENCE.findall(folded):
            text = textwrap.dedent(inner)
            if language == "sh":
                found.commands.extend(text.splitlines())
            elif (values := _assigned(text)) is not None and values.keys() <= known.keys():
                found.parameters.append(values)
            else:
                found.cells.append(text)
    return found


def _assigned(text: str) -> dict[str, Any] | None:
    """The values of code that only sets names to constants."""
    try:
        return {
            node.targets[0].id: ast.literal_eval(node.value)  # type: ignore[attr-defined]
            for node in ast.parse(text).body
        }
    except (AttributeError, ValueError):
        return None
