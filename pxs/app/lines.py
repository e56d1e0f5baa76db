"""The line of Python and the command that make an edit of the page again."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from pxs.app.choice import PictureChoice
from pxs.editing.request import Request
from pxs.expressions import NEUTRAL


@dataclass(frozen=True)
class Model:
    """How the model of the page is loaded: by a call of Python, and by flags of the command line."""

    name: str = "mini"
    call: str = 'pxs.load("mini")'
    flags: tuple[str, ...] = ()


def python_line(model: Model, choice: PictureChoice, face: int | None, request: Request) -> str:
    """The call that makes the edit; `face` is the number of the face that is edited alone."""
    source = json.dumps(choice.name, ensure_ascii=False)
    if choice.sample:
        source = choice.sample.line
    domain = "" if choice.domain == "human" else f', "{choice.domain}"'
    alone = "" if face is None else f", face={face}"
    return f"{model.call}.open({source}{domain}{alone}).{request.line.removeprefix('portrait.')}"


def command_line(model: Model, choice: PictureChoice, face: int | None, request: Request) -> str:
    """The command that makes the edit and writes it into the folder `edits`."""
    made, path = "", choice.name
    if choice.sample:
        own = f"--style {choice.sample.style} --seed {choice.sample.number} --count 1"
        made, path = f"pxs faces --out faces {own} && ", f"faces/{choice.name}"
    mix = [f"{name}={value:.15g}" for name, value in request.mix.items()]
    words = ["pxs", "edit", "--image-path", path, *(("--mix", *mix) if mix else ("--expression", NEUTRAL))]
    words += [] if face is None else ["--face", str(face)]
    words += ["--seed", str(request.seed), "--steps", str(request.steps)]
    words += [] if choice.domain == "human" else ["--domain", choice.domain]
    return made + shlex.join([*words, *model.flags, "--output-dir", "edits"])
