"""Judges score the expression and the identity of a face; each kind is a protocol with several implementations.

Scoring and training are separate. A judge (role "score") is never part of a loss. An encoder of pxs/encoders (role
"train") never scores. The benchmark and the trainer reject the wrong role. Where both use one architecture, the weights
differ: MiniIdentityEncoder was trained on other people than MiniIdentity, and ArcFaceEncoder uses another model pack
(antelopev2) than ArcFaceIdentity (buffalo_l).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxs.errors import JudgeError
from pxs.judging.cards import EXPRESSION, IDENTITY, names

if TYPE_CHECKING:
    from pxs.editing.editor import Editor
    from pxs.judging.expression import ExpressionJudge
    from pxs.judging.identity import IdentityJudge

OUTSIDE: dict[tuple[str, str], str] = {
    (EXPRESSION, "units"): "units.UnitsJudge",
    (EXPRESSION, "fer"): "fer.FerJudge",
    (EXPRESSION, "facex"): "facex.FacexJudge",
    (IDENTITY, "dlib"): "dlib.DlibIdentity",
    (IDENTITY, "facenet"): "facenet.FacenetIdentity",
}
"""The judges of pxs/judging/outside by kind and name: file and class."""

PACKS = {"arcface": "buffalo_l", "mobilefacenet": "buffalo_s"}
"""Packs of insightface by the name of the identity judge."""
RECOGNISERS = ("arcface", "facenet", "dlib")
"""Judges of identity of photographs for the article's protocol; AdaFace, its third, has no package."""

EXPRESSION_JUDGES, IDENTITY_JUDGES = names(EXPRESSION), names(IDENTITY)


def expression_judge(
    name: str = "mini",
    editor: Callable[[], Editor] | None = None,
    url: str | None = None,
    model: str | None = None,
    cache: Path | None = None,
    prices: tuple[float, float] | None = None,
    parallel: int = 1,
) -> ExpressionJudge:
    """The expression judge of this name.

    mini: for drawn faces. qwen: the Qwen2.5-VL of the model that `editor` loads. endpoint: `model` behind the
    OpenAI-compatible `url`, with its answers in `cache`, `parallel` requests at once, and `prices` per million tokens
    in and out. vlm: the model in the folder, or in the hub's cache, that `model` names. Others: see cards.py. Raises
    JudgeError for another name, and if something that the judge needs is missing.
    """
    if name != "endpoint" and (url or prices) or name not in ("endpoint", "vlm") and model:
        raise JudgeError(
            f"--judge-url, --judge-model and --judge-prices are for --expression-judge endpoint, not for {name!r}"
        )
    if name == "mini":
        from pxs.judging.expression import MiniExpression

        return MiniExpression()
    if name == "qwen" and editor:
        from pxs.judging.local_qwen import LocalQwenJudge

        return LocalQwenJudge.from_editor(editor())
    if name == "endpoint":
        from pxs.judging.endpoint import EndpointJudge

        if not (url and model):
            raise JudgeError("the endpoint judge needs an address and a model: give --judge-url and --judge-model")
        judge = EndpointJudge(url, model, cache=cache, prices=prices, parallel=parallel)
        judge.check()
        return judge
    if name == "vlm":
        from pxs.judging.local_vlm import LocalVlmJudge

        if not model:
            raise JudgeError("the judge vlm needs a model: give --judge-model FOLDER, or a hub id that is on disk")
        return LocalVlmJudge.from_folder(model)
    if name == "pyfeat":
        from pxs.judging.pyfeat import PyFeatJudge

        return PyFeatJudge()
    if (EXPRESSION, name) in OUTSIDE:
        return _outside(EXPRESSION, name)
    raise JudgeError(f"unknown expression judge {name!r}: choose from {', '.join(EXPRESSION_JUDGES)}")


def identity_judge(name: str = "mini") -> IdentityJudge:
    """The identity judge of this name: mini, for drawn faces; others are for photographs, see cards.py.

    Raises JudgeError for another name, and if something that the judge needs is missing.
    """
    if name == "mini":
        from pxs.judging.identity import MiniIdentity

        return MiniIdentity()
    if name in PACKS:
        from pxs.judging.arcface import ArcFaceIdentity

        return ArcFaceIdentity(PACKS[name])
    if (IDENTITY, name) in OUTSIDE:
        return _outside(IDENTITY, name)
    raise JudgeError(f"unknown identity judge {name!r}: choose from {', '.join(IDENTITY_JUDGES)}")


def recognisers(most: int = 3) -> list[IdentityJudge]:
    """The first `most` of RECOGNISERS that are installed. Raises JudgeError, with what each lacks, if none is."""
    found: list[IdentityJudge] = []
    lacking = []
    for name in RECOGNISERS:
        try:
            if len(found) < most:
                found.append(identity_judge(name))
        except JudgeError as error:
            lacking.append(f"{name}: {error}")
    if not found:
        raise JudgeError(f"no recogniser of photographs is installed ({'; '.join(lacking)})")
    return found


def _outside(kind: str, name: str) -> Any:
    file, _, judge = OUTSIDE[kind, name].partition(".")
    return getattr(import_module(f"pxs.judging.outside.{file}"), judge)()
