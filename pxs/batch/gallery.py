"""The page of the results: gallery.html, each picture before and after, in one file that needs no other."""

from __future__ import annotations

import html
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from tqdm.auto import tqdm

from pxs.batch.index import NAME as INDEX
from pxs.batch.index import Index
from pxs.batch.work import Record
from pxs.errors import ImageError, OutputError
from pxs.expressions import Mix
from pxs.images import open_image
from pxs.images.embedding import data_address
from pxs.storage.files import replacing

NAME = "gallery.html"
MOST = 2000  # pictures on the page: some 30 MB
FEW, LARGE, SMALL = 100, 352, 176  # up to FEW pictures have thumbnails of LARGE pixels, more of SMALL
MARK = '<meta name="generator" content="pxs">'

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #666; --line: #dcdcdc; --page: #f6f6f6; --card: #fff;
  --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #eaeaea; --soft: #a3a3a3; --line: #3a3a3a; --page: #161616;
  --card: #202020; --bad: #f2b8b5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1500px; padding: 24px; background: var(--page); color: var(--ink);
  font: 14px/20px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
header { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: baseline; margin-bottom: 16px; }
h1 { font-size: 20px; line-height: 28px; margin: 0; }
header p { margin: 0; color: var(--soft); }
header label { margin-left: auto; }
input { font: inherit; padding: 4px 8px; border: 1px solid var(--line); border-radius: 4px; background: var(--card);
  color: inherit; width: 220px; }
details { border: 1px solid var(--line); border-radius: 6px; background: var(--card); padding: 8px 12px;
  margin-bottom: 16px; }
summary { color: var(--bad); cursor: pointer; }
details li { overflow-wrap: anywhere; }
main { display: flex; flex-wrap: wrap; gap: 16px; align-items: stretch; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 12px;
  max-width: 100%; }
article[hidden] { display: none; }
h2 { font-size: 14px; line-height: 20px; font-weight: 600; margin: 0 0 8px; overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: 8px; }
figure { margin: 0; width: 176px; }
.frame { position: relative; display: block; width: 176px; height: 176px; border-radius: 4px; overflow: hidden;
  background: var(--page); color: var(--soft); touch-action: pan-y; }
.frame img { width: 100%; height: 100%; object-fit: contain; display: block; }
.wipe { position: absolute; inset: 0; clip-path: inset(0 calc(100% - var(--at)) 0 0); pointer-events: none; }
.edge { position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px; background: #fff;
  box-shadow: 0 0 2px #000; pointer-events: none; }
figcaption { font-size: 12px; line-height: 16px; margin-top: 4px; color: var(--soft); overflow-wrap: anywhere; }
.none { color: var(--soft); margin: 24px 0; }
"""

SCRIPT = """
const cards = [...document.querySelectorAll('article')], none = document.querySelector('.none');
document.querySelector('input').addEventListener('input', event => {
  const word = event.target.value.toLowerCase();
  for (const card of cards) card.hidden = !card.textContent.toLowerCase().includes(word);
  none.hidden = cards.some(card => !card.hidden);
});
for (const frame of document.querySelectorAll('.after')) {
  const before = frame.closest('.row').querySelector('.before img');
  if (!before) continue;
  const leave = () => frame.querySelectorAll('.wipe, .edge').forEach(part => part.remove());
  frame.addEventListener('pointerenter', () => {
    leave();
    const wipe = before.cloneNode(), edge = document.createElement('span');
    wipe.className = 'wipe'; edge.className = 'edge'; wipe.alt = '';
    frame.append(wipe, edge);
  });
  frame.addEventListener('pointermove', event => {
    const x = event.clientX - frame.getBoundingClientRect().left;
    for (const part of frame.querySelectorAll('.wipe, .edge')) part.style.setProperty('--at', x + 'px');
  });
  frame.addEventListener('pointerleave', leave);
}
"""


def check_page(folder: Path, overwrite: bool) -> None:
    """Raise OutputError if a page that is not of this module is in the place of it (unless `overwrite`)."""
    path = folder / NAME
    if not os.path.lexists(path) or overwrite:
        return
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            ours = MARK in file.read(2000)
    except OSError:
        ours = False
    if not ours:
        raise OutputError(f"{path} exists and is no page of results: choose another folder or add --overwrite")


def write_page(index: Index, progress: bool = False) -> Path:
    """Write the page of all records of an index; return its path. Only one picture is in memory at a time."""
    path = index.folder / NAME
    made = [record for record in index.records.values() if not record["error"]]
    bad = [record for record in index.records.values() if record["error"]]
    side = LARGE if len(made) <= FEW else SMALL
    with replacing(path) as file:
        file.write(_head(made, bad).encode())
        for record in tqdm(made[:MOST], "page", leave=False, disable=not progress):
            file.write(_card(record, index.folder, side).encode())
        tail = "<p class='none' hidden>No picture has this in its name or expression.</p>" if made else ""
        file.write(f"</main>{tail}<script>{SCRIPT if made else ''}</script></body></html>\n".encode())
    return path


def _head(made: Sequence[Record], bad: Sequence[Record]) -> str:
    """All before the cards."""
    facts = [f"{len(made)} edited"] + ([f"{len(bad)} failed"] if bad else [])
    for name in ("seed", "steps"):
        values = sorted({record[name] for record in made})
        facts += [f"{name} {values[0]}"] if len(values) == 1 else []
    if len(made) > MOST:
        facts.append(f"the first {MOST} are shown; {INDEX} has all")
    hint = "<p>Move over an edit to see the source. Click for the file.</p>" if made else ""
    search = '<label>Find <input type="search" placeholder="name or expression"></label>' if made else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{MARK}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Edits, before and after</title><style>{STYLE}</style></head><body>"
        f"<header><h1>Before and after</h1><p>{' · '.join(facts)}</p>{hint}{search}</header>{_failures(bad)}<main>\n"
    )


def _failures(bad: Sequence[Record]) -> str:
    if not bad:
        return ""
    lines = "".join(f"<li><b>{_shown(r['source'])}</b>: {_shown(r['error'])}</li>" for r in bad[:MOST])
    count = "1 picture" if len(bad) == 1 else f"{len(bad)} pictures"
    return f"<details open><summary>{count} could not be edited</summary><ul>{lines}</ul></details>"


def _card(record: Record, folder: Path, side: int) -> str:
    """One picture and its edits."""
    name = _shown(record["source"])
    source = _thumbnail(Path(record["path"]), side)
    before = f'<img src="{source}" alt="{name}">' if source else "the source is gone"
    figures = [f'<figure><div class="frame before">{before}</div><figcaption>source</figcaption></figure>']
    figures += _afters(record, folder, side)
    return f'<article><h2>{name}</h2><div class="row">{"".join(figures)}</div></article>\n'


def _afters(record: Record, folder: Path, side: int) -> Iterator[str]:
    for one in record["files"]:
        label = html.escape(str(Mix(one["mix"])))
        thumbnail = _thumbnail(folder / one["file"], side)
        link = html.escape(quote(os.fsencode(Path(one["file"]).as_posix())))
        image = f'<img src="{thumbnail}" alt="{label}">' if thumbnail else "the file is gone"
        yield (
            f'<figure><a class="frame after" href="{link}">{image}</a>'
            f"<figcaption>{label.replace(' + ', ', ')}</figcaption></figure>"
        )


def _thumbnail(path: Path, side: int) -> str:
    """A picture of at most `side` pixels as a data address; empty if it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were given when it was edited
            image = open_image(path)
    except ImageError:
        return ""
    return data_address(image, side)


def _shown(text: str) -> str:
    """A name for the page; bytes of a file name that are not UTF-8 become a replacement character."""
    return html.escape(text.encode("utf-8", "replace").decode())
