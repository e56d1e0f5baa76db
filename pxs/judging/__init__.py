"""Judges score expression and identity of a face; each kind is a protocol with several implementations.

Scoring and training are kept apart. A judge (role "score") is never part of a loss; an encoder of pxs/encoders (role
"train") never scores; the benchmark and the trainer refuse the wrong role. Where one architecture does both, the
weights differ: MiniIdentityEncoder was trained on other people than MiniIdentity, and ArcFaceEncoder uses another
model pack (antelopev2) than ArcFaceIdentity (buffalo_l).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pxs.errors import JudgeError

if TYPE_CHECKING:
    from pxs.editing.editor import Editor
    from pxs.judging.expression import ExpressionJudge
    from pxs.judging.identity import IdentityJudge

EXPRESSION_JUDGES = ("mini", "qwen", "endpoint", "pyfeat")
IDENTITY_JUDGES = ("mini", "arcface")


def expression_judge(
    name: str = "mini",
    editor: Callable[[], Editor] | None = None,
    url: str | None = None,
    model: str | None = None,
    cache: Path | None = None,
) -> ExpressionJudge:
    """The expression judge of this name.

    mini: for drawn faces. qwen: the Qwen2.5-VL of the model that `editor` loads. endpoint: `model` behind the
    OpenAI-compatible `url`, answers kept in `cache`. pyfeat: py-feat's detector. Raises JudgeError for another name,
    and when something it needs is missing.
    """
    if name == "mini":
        from pxs.judging.expression import MiniExpression

        return MiniExpression()
    if name == "qwen" and editor:
        from pxs.judging.vision_language import LocalQwenJudge

        return LocalQwenJudge.from_editor(editor())
    if name == "endpoint":
        from pxs.judging.vision_language import EndpointJudge

        if not (url and model):
            raise JudgeError("the endpoint judge needs an address and a model: give --judge-url and --judge-model")
        return EndpointJudge(url, model, cache=cache)
    if name == "pyfeat":
        from pxs.judging.pyfeat import PyFeatJudge

        return PyFeatJudge()
    raise JudgeError(f"unknown expression judge {name!r}: choose from {', '.join(EXPRESSION_JUDGES)}")


def identity_judge(name: str = "mini") -> IdentityJudge:
    """The identity judge of this name: mini, for drawn faces, or arcface (the pack buffalo_l); raises JudgeError."""
    from pxs.judging.arcface import ArcFaceIdentity
    from pxs.judging.identity import MiniIdentity

    judges = dict(zip(IDENTITY_JUDGES, (MiniIdentity, ArcFaceIdentity), strict=True))
    if name not in judges:
        raise JudgeError(f"unknown identity judge {name!r}: choose from {', '.join(judges)}")
    return judges[name]()
