"""Badges that open the notebooks of a repository on GitHub: `python -m analysis.badges OWNER/NAME [--branch main]`.

Prints a Markdown table with a row a notebook: Binder reads the folder .binder of the repository; for Colab see
docs/book/elsewhere.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from pxs.errors import UsageError, shown
from pxs.parsing import Parser

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
COLAB = "https://colab.research.google.com/github/{repository}/blob/{branch}/notebooks/{name}"
BINDER = "https://mybinder.org/v2/gh/{repository}/{branch}?labpath=notebooks%2F{name}"
PICTURES = {
    COLAB: "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]",
    BINDER: "[![Open in Binder](https://mybinder.org/badge_logo.svg)]",
}


def badges(repository: str, branch: str, names: Sequence[str]) -> str:
    """The table for notebooks with these file names. Raises UsageError for a repository that is not OWNER/NAME."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise UsageError(f"repository {shown(repository)} is not OWNER/NAME: give that of GitHub")
    lines = ["| notebook | Colab | Binder |", "|---|---|---|"]
    for name in names:
        cells = [
            f"{picture}({address.format(repository=repository, branch=quote(branch, safe=''), name=quote(name))})"
            for address, picture in PICTURES.items()
        ]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module; the exit status is 2 after a mistake, which is printed as one line."""
    parser = Parser(prog="python -m analysis.badges", description="Print badges of Colab and Binder.")
    parser.add_argument("repository", metavar="OWNER/NAME", help="of the repository on GitHub")
    parser.add_argument("--branch", default="main", help="branch, tag or commit (default main)")
    names = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
    return parser.run(lambda args: print(badges(args.repository, args.branch, names)), arguments)


if __name__ == "__main__":
    sys.exit(main())
