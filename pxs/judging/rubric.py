"""What a vision-language model is asked about a face: all 12 intensities as one JSON object, with a cue for each.

The cues are those of the PixelSmile article in our words, and so is the care for the two pairs that are confused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from PIL import Image

from pxs.expressions import CONFUSABLE, EXPRESSIONS, Mix
from pxs.judging.answers import mix_of

CUES = {
    "happy": "corners of the mouth raised, from a smile to laughter",
    "sad": "downcast eyes, a frown, tears",
    "angry": "furrowed brows, a glare",
    "surprised": "eyes wide open or a dropped jaw",
    "fear": "brows drawn together and raised, small pupils, a tense mouth",
    "disgust": "a wrinkled nose or a raised upper lip",
    "anxious": "sweat, tense muscles, a restless gaze",
    "contempt": "a smirk on one side, looking down on somebody",
    "confident": "a slight, smug smile with a firm gaze",
    "shy": "a bashful smile, a blush, eyes averted or lowered, a covered face",
    "sleepy": "heavy eyelids, a yawn",
    "confused": "knitted brows, a look to the side, a tilted head",
}


def _of_mix(mix: Mix) -> dict[str, Any]:
    return dict(zip(EXPRESSIONS, mix.vector(), strict=True))


Asked = Image.Image | str
"""What a question is about: a picture of any mode and size, or words, which follow the question."""


class Rubric(NamedTuple):
    """A question about a picture, or about words.

    prompt: its text. schema: of the answer, a JSON object. version: a hash of both, so that answers to another question
    are not taken for answers to this one. read: what the text of an answer says; raises UnusableError or RefusedError
    (answers.py). written: the same as a JSON object that `read` reads again as text.
    """

    prompt: str
    schema: dict[str, Any]
    version: str
    read: Callable[[str], Any] = mix_of
    written: Callable[[Any], dict[str, Any]] = _of_mix


def version_of(prompt: str, schema: Mapping[str, Any]) -> str:
    """The hash of a question."""
    return hashlib.sha256(json.dumps([prompt, schema]).encode()).hexdigest()[:8]


def rubric(order: Sequence[str] = EXPRESSIONS) -> Rubric:
    """The question with the expressions in some order, which must name each of the 12 once; else ValueError.

    Models lean towards what comes first or last: asked in two orders, they show how much.
    """
    if sorted(order) != sorted(EXPRESSIONS):
        raise ValueError(f"an order names each of the 12 expressions once, not {order}")
    prompt = (
        "Rate the expression of the face in this picture. For each of the 12 expressions below give its intensity as a "
        "number from 0 to 1: 0 is absent, 0.25 a trace, 0.5 clearly there, 0.75 strong, 1 as strong as this face could "
        "show it. Several can be present together; for a neutral face all are near 0. Judge what the face shows, not "
        "what the scene suggests. What to look for:\n"
        + "\n".join(f"- {name}: {CUES[name]}" for name in order)
        + "\nTake care to tell apart "
        + " and ".join(f"{a} from {b}" for a, b in CONFUSABLE)
        + ". Answer with one JSON object that has exactly these keys: "
        + ", ".join(order)
        + "."
    )
    schema = {
        "type": "object",
        "properties": {name: {"type": "number", "minimum": 0, "maximum": 1} for name in order},
        "required": list(order),
        "additionalProperties": False,
    }
    return Rubric(prompt, schema, version_of(prompt, schema))


RUBRIC = rubric()
"""The question in the order of EXPRESSIONS."""
PROMPT, SCHEMA, PROMPT_VERSION = RUBRIC[:3]
