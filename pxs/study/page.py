"""The page of a rater: one HTML file with all pictures in it, which needs no network and tells nothing of methods.

Pictures are drawn anew, so that what their files say about model and mix is not on the page. Each is there once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from pxs.errors import DataError, ImageError
from pxs.images import open_image
from pxs.images.embedding import data_address
from pxs.storage.files import output_folder, replace_file
from pxs.study.key import write_key
from pxs.study.plan import Plan, Shown

PAGES = "pages"
SIDE, QUALITY = 288, 88  # of pictures on the page
KEPT = 20_000  # pictures that are kept from page to page


def write_study(plan: Plan, folder: Path, contact: str, progress: bool = False) -> list[Path]:
    """Write the page of each rater, and the key last; return the paths of the pages.

    contact: who answers questions, for people. Raises DataError for a picture that is gone or damaged, OutputError
    where nothing can be written.
    """
    embedded = lru_cache(maxsize=KEPT)(_embedded)
    for one in tqdm(plan.shown.values(), "pictures", leave=False, disable=not progress):
        for path in _paths(one):
            embedded(path)
    pages = output_folder(folder / PAGES)
    written = []
    for code, asked in tqdm(plan.key.raters.items(), "pages", leave=False, disable=not progress):
        pictures: dict[str, int] = {}
        items = []
        for name in asked:
            one = plan.shown[name]
            numbers = {path: pictures.setdefault(embedded(path), len(pictures)) for path in _paths(one)}
            rows = [[numbers[path] for path in row] for row in one.rows]
            expression = plan.key.items[name].expression
            items.append({"id": name, "expression": expression, "source": numbers[one.portrait], "rows": rows})
        data = {"study": plan.key.study, "rater": code, "contact": contact, "items": items, "pictures": list(pictures)}
        written.append(pages / f"{code}.html")
        replace_file(written[-1], page(data).encode())
    write_key(plan.key, folder)
    return written


def _paths(shown: Shown) -> list[Path]:
    return [shown.portrait, *(path for row in shown.rows for path in row)]


def _embedded(path: Path) -> str:
    try:
        return data_address(open_image(path), SIDE, QUALITY)
    except ImageError as error:
        raise DataError(f"a picture of the bench cannot be used: {error}") from None


def page(data: Mapping[str, Any]) -> str:
    """The HTML of one rater's page; `data` as script.js reads it."""
    return filled(_part("page.html"), _part("style.css"), _part("script.js"), data)


def filled(template: str, style: str, script: str, data: Mapping[str, Any]) -> str:
    """The HTML of a page with its style, script and data in the places {style}, {script} and {data}."""
    said = json.dumps(data).replace("<", "\\u003c")  # so that no text can end the script element
    parts = {"{style}": style, "{script}": script, "{data}": said}
    text = template
    for place, content in parts.items():
        before, _, after = text.partition(place)
        text = before + content + after
    return text


def entry(title: str, content: str) -> str:
    """A small page of `serve` around HTML."""
    return _part("entry.html").replace("{title}", title).replace("{content}", content)


@lru_cache
def _part(name: str) -> str:
    return (files("pxs.study") / "assets" / name).read_text(encoding="utf-8")
