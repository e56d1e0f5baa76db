"""The book has a page for everything, and its links lead somewhere; building it takes too long for a test.

The build itself refuses what it cannot resolve (`make docs`). Here the same is held for the files as they lie, which
people read on the web page of the repository, too.
"""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

import pxs
from analysis import badges

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "docs" / "book"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "pxs/mini/weights/README.md")]
PAGES += [*(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^( *)(```+|~~~+).*?^\1\2`*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)


def text_of(page: Path) -> str:
    """The Markdown of a page, without code."""
    if page.suffix == ".ipynb":
        cells = nbformat.read(page, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = page.read_text()
    return CODE.sub("", FENCED.sub("", text))


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub and the book name them."""
    heads = re.findall(r"^#{1,6} (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def entries() -> list[str]:
    """All entries of the tables of contents in the root of the book, relative to the checkout."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", (BOOK / "index.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    lines = [re.sub(r".*<(.*)>", r"\1", line) for line in lines]
    return [line[1:] if line.startswith("/") else f"docs/book/{line}" for line in lines]


def listed() -> set[str]:
    """The files that the tables of contents name."""
    found = set()
    for entry in entries():
        files = [f for kind in (".md", ".ipynb") for f in ROOT.glob(entry + kind)]
        assert files, f"{entry} is in the table of contents, but no such page exists"
        found |= {file.relative_to(ROOT).as_posix() for file in files}
    return found


def test_every_page_is_in_the_table_of_contents_and_exists() -> None:
    assert listed() == {page.relative_to(ROOT).as_posix() for page in PAGES} - {"docs/book/index.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_or_a_heading_that_exists(page: Path) -> None:
    for target in LINK.findall(text_of(page)):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{target} leads nowhere"
        assert file.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(file), f"{target}: {file.name} has no such heading"


def test_every_public_name_has_an_entry_and_a_docstring() -> None:
    page = (BOOK / "api" / "pxs.md").read_text()
    shown = re.findall(r"\.\. auto(function|class|data):: pxs\.(\w+)", page)
    assert sorted(name for _, name in shown) == sorted(pxs.__all__)
    for kind, name in shown:
        found = getattr(pxs, name)
        assert {"class": inspect.isclass, "function": inspect.isfunction}.get(kind, lambda _: True)(found), name
        assert kind == "data" or (inspect.getdoc(found) or "").strip(), name


def test_every_room_has_a_page_and_every_module_a_docstring() -> None:
    rooms = {"analysis"} | {f"pxs.{file.parent.name}" for file in (ROOT / "pxs").glob("*/__init__.py")}
    rooms |= {f"pxs.{file.stem}" for file in (ROOT / "pxs").glob("*.py") if not file.stem.startswith("_")}
    pages = [page.read_text() for page in (BOOK / "api" / "rooms").glob("*.md")]
    assert {name for page in pages for name in re.findall(r"```\{room\} (\S+)", page)} == rooms
    for file in [*(ROOT / "pxs").rglob("*.py"), *(ROOT / "analysis").rglob("*.py")]:
        if file.stat().st_size:
            assert file.read_text().lstrip().startswith(('"""', 'r"""')), file


def test_docstrings_are_read_as_plain_text_with_code(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(BOOK)
    restructured = importlib.import_module("rooms").restructured
    lines = ["Two * three, see `a_b`s and file_.", "", "    python -m x | y", "", "- one `c`", "  more"]
    assert restructured(lines) == [
        "Two \\* three, see ``a_b``\\ s and file\\_.",
        "",
        "::",
        "",
        "    python -m x | y",
        "",
        "- one ``c``",
        "  more",
        "",
    ]


# Binder and Colab.


def test_binder_installs_the_python_and_the_versions_of_the_others() -> None:
    own = yaml.safe_load((ROOT / "environment.yml").read_text())
    binder = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text())
    assert binder["dependencies"] == own["dependencies"][:2] and binder["channels"] == own["channels"]
    script = ROOT / ".binder" / "postBuild"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], check=True)
    (line,) = [line for line in script.read_text().splitlines() if line.startswith("pip install")]
    assert "-c constraints.txt" in line
    extra = re.search(r'"\.\[(\w+)\]"', line)[1]  # type: ignore[index]
    assert extra in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert (ROOT / "constraints.txt").is_file()


def test_badges_open_every_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    assert badges.main(["some/where", "--branch", "v1/x"]) == 0
    table = capsys.readouterr().out
    names = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert re.findall(r"^\| `(.+?)`", table, re.MULTILINE) == names
    for name in names:
        assert f"(https://colab.research.google.com/github/some/where/blob/v1%2Fx/notebooks/{name})" in table
        assert f"(https://mybinder.org/v2/gh/some/where/v1%2Fx?labpath=notebooks%2F{name})" in table
    assert badges.main(["somewhere"]) == 2
    told = capsys.readouterr().err
    assert "is not OWNER/NAME" in told and told.count("\n") == 1


def test_the_configuration_of_the_book_runs_what_is_asked_for_alone() -> None:
    code = "import runpy; found = runpy.run_path('docs/book/conf.py'); print(*found['nb_execution_excludepatterns'])"
    names = [f"notebooks/{path.name}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    for asked, left_out in (("", names), ("all", []), ("1 02", names[2:])):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, env={"BOOK_RUN": asked}, capture_output=True, text=True, check=True)
        assert done.stdout.split() == left_out
