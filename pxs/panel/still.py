"""The picture of a panel (`still`) for where its widgets do not live: exports, saved notebooks, a restarted kernel.

The style sheet of the living panel hides it.
"""

from __future__ import annotations

from pxs.images.showing import element

AGAIN = "A picture of the panel: to move its sliders, run the cell again."


def still(panel: str, source: bytes, edit: bytes, alt: str, line: str) -> str:
    """Two pictures (JPEG files) and the line of Python, as HTML that needs no other file. panel: its class."""
    pictures = element(source, "the source", "jpeg") + " " + element(edit, alt, "jpeg")
    return (
        f'<figure class="{panel}-still" style="margin: 0">{pictures}<figcaption>{line}<br>{AGAIN}</figcaption></figure>'
    )
