"""Tables in Markdown (`markdown_table`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; each row has one cell for each head, None for an empty one. Every line ends with a line break."""
    return "".join([_line(heads), "|" + "---|" * len(heads) + "\n", *map(_line, rows)])


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join('' if cell is None else str(cell) for cell in cells)} |\n"
