"""Strategies of hypothesis: any JSON value, and sound documents in which one value is replaced by any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

NUMBERS = st.integers() | st.integers(-(10**400), 10**400) | st.floats()
TEXTS = st.text() | st.sampled_from(["", "fear", "human", "face.png", "\ud800", "\0", "a\nb", "(" * 300, "../face.png"])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5))


def places(document: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values inside a document."""
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in entries if isinstance(document, (dict, list)) else ():
        yield (*way, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*way, key))


@st.composite
def altered(draw: Any, document: Any) -> Any:
    """The document with another value, or none, in one or two places, or with an entry more."""
    changed = deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(list(places(changed))))
        inner = changed
        for key in way:
            inner = inner[key]
        if isinstance(inner, dict) and draw(st.booleans()):
            last = draw(TEXTS)
        inner[last] = draw(VALUES)
    return changed


def texts(document: Any) -> st.SearchStrategy[bytes]:
    """Any bytes, any JSON, and altered forms of a document, as the content of a file."""
    sound = json.dumps(document).encode()
    cut = st.builds(lambda a, b, more: sound[:a] + more + sound[b:], *[st.integers(0, len(sound))] * 2, st.binary())
    return st.binary() | cut | (VALUES | altered(document)).map(lambda value: json.dumps(value).encode())
