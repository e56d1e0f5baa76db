"""The page of `verify` in a notebook (`Verifier`): the same script, and answers into the same file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pxs.errors import PxsError, shown
from pxs.ffe.asking import FOLDER, check_verdict, read_asked
from pxs.ffe.pages import data_of, part
from pxs.optional import require
from pxs.study.store import Store


class Verifier:
    """Checks the labels of a data set in a notebook, as one of the people who are asked; shows itself.

    folder: of the data set. rater: the number of the person, from 1, or the code. problem: why the last answer was not
    taken, or empty. Raises DataError where nobody is asked, PxsError for a person who is not there and without
    anywidget.
    """

    def __init__(self, folder: str | Path, rater: int | str = 1) -> None:
        self.folder = Path(folder)
        self.asked = read_asked(self.folder)
        self.rater = self._code(rater)
        self.problem = ""
        self._store = Store(self.folder / FOLDER, self.asked.study, self.asked.raters)
        self.view = _kind()(data=data_of(self.asked, self.rater, self.folder), answers=self._store.of(self.rater))
        self.view.on_msg(lambda _, said, __: self.take(said))

    def take(self, said: object) -> None:
        """Keep an answer, as the page sends it."""
        try:
            item, kept = check_verdict(self.asked, self.rater, said)
        except PxsError as error:
            self.problem = str(error)
            return
        self.problem = ""
        self._store.put(self.rater, item, kept)

    @property
    def answers(self) -> list[Mapping[str, Any]]:
        """What this person has answered so far."""
        return list(self._store.of(self.rater))

    def close(self) -> None:
        """Remove the page from the notebook and close the file of answers."""
        self.view.close()
        self._store.close()

    def _code(self, rater: int | str) -> str:
        codes = list(self.asked.raters)
        if isinstance(rater, int) and 1 <= rater <= len(codes):
            return codes[rater - 1]
        if rater in codes:
            return str(rater)
        raise PxsError(f"person {shown(rater)} is not asked here: give a number from 1 to {len(codes)}, or a code")

    def _repr_mimebundle_(self, **kinds: Any) -> Any:
        return self.view._repr_mimebundle_(**kinds)


@lru_cache(maxsize=1)
def _kind() -> Any:
    anywidget, traitlets = (require(module, "notebooks", PxsError) for module in ("anywidget", "traitlets"))
    fields = {name: kind().tag(sync=True) for name, kind in (("data", traitlets.Dict), ("answers", traitlets.List))}
    return type(
        "VerifierView", (anywidget.AnyWidget,), {"_esm": part("verify.js"), "_css": part("style.css"), **fields}
    )
