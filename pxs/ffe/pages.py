"""Stage 5, second part: what people see: a page for each, served or as a file, and the same in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from pxs.errors import DataError, ImageError
from pxs.expressions import COLOURS, EXPRESSIONS
from pxs.ffe.asking import FOLDER, PAGES, Asked, check_verdict, labels_asked, write_asked
from pxs.ffe.collect import kept
from pxs.images import open_image
from pxs.images.embedding import data_address
from pxs.judging.rubric import CUES
from pxs.storage.files import output_folder, replace_file
from pxs.study.page import filled

if TYPE_CHECKING:
    from pxs.study.serve import Served

SIDE, QUALITY = 384, 88  # of pictures on the page
TITLE = "Faces: check the scores"
WELCOME = (
    "<p>You are asked to check scores of pictures of faces. The next page says what is stored, before you begin.</p>"
    '<form method="post"><button>Begin</button></form>'
)


def write_pages(asked: Asked, folder: Path, progress: bool = False) -> list[Path]:
    """Write the page of each person, and the key last; the paths of the pages. Raises DataError for a picture that is
    gone, or for labels that have changed."""
    labels_asked(folder, asked)
    pages = output_folder(folder / FOLDER / PAGES)
    written = []
    for code in tqdm(asked.raters, "pages", leave=False, disable=not progress):
        text = filled(
            part("page.html"), part("style.css"), part("verify.js") + part("page.js"), data_of(asked, code, folder)
        )
        written.append(pages / f"{code}.html")
        replace_file(written[-1], text.encode())
    write_asked(asked, folder)
    return written


def data_of(asked: Asked, rater: str, folder: Path) -> dict[str, Any]:
    """What verify.js shows to a person: items with pictures, sources and scores, and the cues of the rubric."""
    labels = labels_asked(folder, asked)
    sources = {subject.name: subject.picture for subject in kept(folder)}
    embedded: dict[Path, int] = {}
    addresses: list[str] = []

    def number(path: Path) -> int:
        if path not in embedded:
            embedded[path] = len(addresses)
            addresses.append(_address(path))
        return embedded[path]

    items = []
    for name in asked.raters[rater]:
        item = asked.items[name]
        label = labels[item.picture]
        shown = {
            "picture": number(folder / "pictures" / f"{item.picture}.png"),
            "source": number(folder / sources[label.subject]),
        }
        items.append({"id": name, "expression": label.expression, "scores": item.scores, **shown})
    common = {"study": asked.study, "rater": rater, "expressions": list(EXPRESSIONS), "cues": CUES}
    return {**common, "colours": {name: COLOURS[name] for name in EXPRESSIONS}, "items": items, "pictures": addresses}


def served(asked: Asked, folder: Path) -> Served:
    """The pages as the server of `pxs study` serves them."""
    from pxs.study.serve import Served

    def page(rater: str) -> str:
        return (folder / FOLDER / PAGES / f"{rater}.html").read_text(encoding="utf-8")

    def check(rater: str, said: object) -> tuple[str, Mapping[str, Any]]:
        return check_verdict(asked, rater, said)

    return Served(asked.study, asked.raters, page, check, TITLE, WELCOME)


@lru_cache
def part(name: str) -> str:
    """A file of pxs/ffe/assets."""
    return (files("pxs.ffe") / "assets" / name).read_text(encoding="utf-8")


def _address(path: Path) -> str:
    try:
        return data_address(open_image(path), SIDE, QUALITY)
    except ImageError as error:
        raise DataError(f"a picture cannot be shown: {error}") from None
