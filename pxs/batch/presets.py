"""Presets: the settings of an edit as a small JSON file, or by name (`read_preset`).

    {"mix": {"happy": 0.7, "surprised": 0.3}, "seed": 42, "steps": 50, "domain": "human"}

"mixes", a list of such objects, stands for several edits of each picture. All but the mix may be left out; "calibrated"
(true) and "zero" ("source") may be added. The panel writes these files. Presets are also: a picture that the workbench
edited, for the settings of its edit; the name of an expression, for it at full intensity; "basic" for the basic six.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxs.editing.zero import check_zero
from pxs.errors import ExpressionError, OutputError, ScaleError, UsageError, one_line, shown
from pxs.expressions import BASIC, EXPRESSIONS, NEUTRAL, Mix, check_domain
from pxs.images import read_text
from pxs.storage.paths import PathName, check_path
from pxs.storage.provenance import write_json

if TYPE_CHECKING:
    from pxs.editing.group import Alone

NAMED = {NEUTRAL: (Mix(),), **{e: (Mix({e: 1}),) for e in EXPRESSIONS}, "basic": tuple(Mix({e: 1}) for e in BASIC)}
MOST_BYTES, MOST_MIXES, MOST_SEED, MOST_STEPS = 1_000_000, 1000, 2**63 - 1, 10_000
_PICTURES = (b"\x89PNG", b"\xff\xd8", b"RIFF")  # how PNG, JPEG and WebP files begin
_KEYS = ("mix", "mixes", "seed", "steps", "domain", "calibrated", "zero")


@dataclass(frozen=True)
class Preset:
    """What to make of each picture: an edit for each of the mixes, at least one. seed and steps: of the sampling.

    faces: those that are edited alone, the whole picture where None; not in the files. calibrated: as in
    `Portrait.edit`; zero: as in `LoadOptions`.
    """

    mixes: tuple[Mix, ...]
    seed: int = 42
    steps: int = 50
    domain: str = "human"
    faces: Alone | None = None
    calibrated: bool = False
    zero: str = "neutral"


def read_preset(name: PathName) -> Preset:
    """The preset in a file, of an edited picture, or of this name.

    Raises UsageError if there is neither or the file cannot be used.
    """
    text = str(name)
    if text in NAMED:
        return Preset(NAMED[text])
    if not Path(name).is_file():
        raise UsageError(f"no preset {text!r}: give a JSON file, an expression, {NEUTRAL} or basic")
    try:
        with open(name, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if content.startswith(_PICTURES):
            return _preset(_edit_in(check_path(name)))
        if len(content) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes")
        return _preset(json.loads(content))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"preset {text!r} cannot be used ({one_line(error)})") from None


def _preset(found: Any) -> Preset:
    if not isinstance(found, dict):
        raise ValueError('it is not an object such as {"mix": {"happy": 0.7}}')
    if "data_type" in found:
        raise ValueError('"data_type" is now called "domain": rename it')
    unknown = [key for key in found if key not in _KEYS]
    if unknown:
        raise ValueError(f"unknown entry {unknown[0]!r}: there are {', '.join(_KEYS)}")
    if ("mix" in found) == ("mixes" in found):
        raise ValueError('give either "mix" or "mixes"')
    mixes = [found["mix"]] if "mix" in found else found["mixes"]
    if not isinstance(mixes, list) or not 1 <= len(mixes) <= MOST_MIXES:
        raise ValueError(f'"mixes" is not a list of 1 to {MOST_MIXES} mixes')
    read = tuple(map(_mix, mixes))
    if len(set(read)) < len(read):
        raise ValueError('"mixes" holds a mix twice')
    domain = found.get("domain", "human")
    if not isinstance(domain, str):
        raise ValueError(f'"domain" {domain!r} is not a text')
    seed, steps = _whole(found, "seed", 42, 0, MOST_SEED), _whole(found, "steps", 50, 1, MOST_STEPS)
    calibrated = found.get("calibrated", False)
    if not isinstance(calibrated, bool):
        raise ValueError(f'"calibrated" {shown(calibrated)} is neither true nor false')
    zero = check_zero(found.get("zero", "neutral"))
    return Preset(read, seed, steps, check_domain(domain), calibrated=calibrated, zero=zero)


def _edit_in(file: Path) -> dict[str, Any]:
    """What the text of an edited picture says, as the content of a preset file; ValueError for another picture."""
    said = read_text(file)
    if not {"mix", "seed", "steps"} <= said.keys():
        raise ValueError("the picture does not say by which settings it was edited")
    mix = json.loads(said["mix"])
    if isinstance(mix, list):
        raise ValueError("each of its faces has a mix of its own: give them with --face and --mix")
    named: dict[str, Any] = {key: said[key] for key in ("domain", "zero") if key in said}
    calibrated = said.get("calibrated", "no") != "no"
    return {"mix": mix, "seed": int(said["seed"]), "steps": int(said["steps"]), "calibrated": calibrated, **named}


def _mix(entries: Any) -> Mix:
    if not isinstance(entries, Mapping):
        raise ExpressionError('a mix is not an object such as {"happy": 0.7}')
    for name, value in entries.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScaleError(f"intensity of {name} {value!r} is not a number")
    return Mix(entries)


def _whole(found: Mapping[str, Any], key: str, default: int, least: int, most: int) -> int:
    value = found.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f'"{key}" {value!r} is not a whole number from {least} to {most}')
    return value


def write_preset(preset: Preset, path: PathName, overwrite: bool = False) -> Path:
    """Write a preset as a JSON file; return its path. Raises OutputError if it exists (unless `overwrite`)."""
    target = check_path(path)
    if target.exists() and not overwrite:
        raise OutputError(f"{str(path)!r} exists already: choose another name or allow overwriting")
    mixes = [dict(mix) for mix in preset.mixes]
    said = {"mix": mixes[0]} if len(mixes) == 1 else {"mixes": mixes}
    sampling = {"seed": preset.seed, "steps": preset.steps, "domain": preset.domain}
    chosen = {"calibrated": True} if preset.calibrated else {}
    zero = {} if preset.zero == "neutral" else {"zero": preset.zero}
    return write_json(target, {**said, **sampling, **chosen, **zero})
