"""Who gives the 12 scores (`Pass`): judges of expression, each asked once, and the truth of pictures that have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from PIL import Image

from pxs.errors import DataError, JudgeError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.ffe.generate import Made
from pxs.images import open_image
from pxs.judging import expression_judge
from pxs.judging.each import values_or_reasons
from pxs.judging.expression import ExpressionJudge


class Pass(Protocol):
    """One look at all pictures: a name that tells it from others, and the scores of some pictures.

    What it cannot score is None, with the reason by the number of the picture.
    """

    @property
    def name(self) -> str: ...

    def scores(self, made: Sequence[Made], files: Sequence[str]) -> tuple[list[Mix | None], dict[int, str]]:
        """The mixes of these pictures, whose files are given as paths."""
        ...


class ByJudge(NamedTuple):
    """A pass by a judge, under a name that says also how it was asked."""

    judge: ExpressionJudge
    name: str

    def scores(self, made: Sequence[Made], files: Sequence[str]) -> tuple[list[Mix | None], dict[int, str]]:
        """What the judge says of each picture. Raises JudgeSetupError if it can judge none at all."""
        images: list[Image.Image] = [open_image(file) for file in files]
        return values_or_reasons(self.judge.judge, images)


class ByTruth:
    """The mixes that pictures were rendered with, for those of the generator "truth" alone."""

    name = "truth"

    def scores(self, made: Sequence[Made], files: Sequence[str]) -> tuple[list[Mix | None], dict[int, str]]:
        """The mix that was asked for. Raises DataError for a picture that was edited: what it shows is not known."""
        for one in made:
            if one.method.get("generator") != "truth":
                raise DataError(
                    f"{one.name} is by {one.method.get('generator')!r}, so its truth is not known: name a judge that "
                    "looks at pictures"
                )
        return [Mix({one.expression: one.asked}) for one in made], {}


def passes_of(names: Sequence[str], **settings: Any) -> list[Pass]:
    """The passes of judges by name; "truth" is that of the generator.

    A judge that is asked in words is asked twice, the second time with the expressions in reverse order. `settings` are
    those of `expression_judge`. Raises JudgeError for a name that is there twice, and as `expression_judge` does.
    """
    passes: list[Pass] = []
    for name in names:
        if names.count(name) > 1:
            raise JudgeError(f"judge {name!r} is named twice: name each once, since it would say the same again")
        if name == "truth":
            passes.append(ByTruth())
            continue
        own = settings if name in ("endpoint", "vlm") else {**settings, "url": None, "model": None}
        judge = expression_judge(name, **own)
        passes.append(ByJudge(judge, judge.name))
        if hasattr(judge, "in_order"):
            other = judge.in_order(EXPRESSIONS[::-1])
            passes.append(ByJudge(other, other.name))
    return passes
