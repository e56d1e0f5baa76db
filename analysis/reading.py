"""Fits how the expression of a face is read from its face units, and measures it: `python -m analysis.reading`.

People are rendered with mixes that are known, the finder of the extra `photos` looks at them, and a linear map from
what it states to the 12 intensities is fitted with a ridge penalty. People are numbered by group, as in
analysis/judges.py: the map is fitted on "calibrate", its errors come from "report". Prints, for every
expression, the standard error and the correlation of what is read with the truth. `--out FILE` writes the map, which
lies in pxs/editing/photographs/reading.safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from analysis.judges import GROUPS
from pxs.editing.photographs import finder
from pxs.editing.photographs.reading import features
from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces.portraits import Person, render
from pxs.parsing import Parser, argument
from pxs.quantities import COUNT

SINGLES, PAIRS = 6, 2  # pictures a person with one and with two expressions; one more is neutral
RANGE = (0.3, 1.2)  # of the intensities
RIDGE = 0.3

Floats = NDArray[np.float64]


def mixes(number: int) -> Iterator[Mix]:
    """The mixes that person `number` shows."""
    rng = np.random.default_rng(number)
    yield Mix()
    for count in (1,) * SINGLES + (2,) * PAIRS:
        yield Mix({EXPRESSIONS[i]: float(rng.uniform(*RANGE)) for i in rng.choice(12, count, replace=False)})


def look(numbers: Sequence[int]) -> tuple[Floats, Floats]:
    """Features (N, F) and intensities (N, 12) of all pictures of these people in which a face is found."""
    seen, truth = [], []
    for number in numbers:
        person = Person.sample(number)
        for mix in mixes(number):
            found = finder().find(render(person, mix))
            if found:
                seen.append(features(found[0]))
                truth.append(mix.vector())
    return np.array(seen), np.array(truth)


def fitted(seen: Floats, truth: Floats, ridge: float = RIDGE) -> Floats:
    """Weights (12, F) of the map with the least squared error plus `ridge` times their squares, but for the last's."""
    penalty = ridge * np.eye(seen.shape[1])
    penalty[-1, -1] = 0
    return np.linalg.solve(seen.T @ seen + penalty, seen.T @ truth).T


def report(people: int, out: Path | None) -> None:
    """Fit on `people` of one group, measure on a third as many of the other, print, and write."""
    weights = fitted(*look(range(GROUPS["calibrate"], GROUPS["calibrate"] + people)))
    seen, truth = look(range(GROUPS["report"], GROUPS["report"] + max(1, people // 3)))
    answers = np.clip(seen @ weights.T, 0, None)
    errors = np.sqrt(((answers - truth) ** 2).mean(axis=0))
    print(f"{len(truth)} pictures of people that the map was not fitted on")
    for i, name in enumerate(EXPRESSIONS):
        print(f"{name:<10} error {errors[i]:.2f}  correlation {np.corrcoef(answers[:, i], truth[:, i])[0, 1]:.2f}")
    if out is not None:
        save_file({"weights": np.ascontiguousarray(weights, np.float32), "errors": errors.astype(np.float32)}, out)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 2 without the extra `photos`."""
    parser = Parser(prog="python -m analysis.reading", description=__doc__)
    parser.add_argument(
        "--people", type=argument(COUNT.named("people")), default=60, help="how many to fit on (default 60)"
    )
    parser.add_argument("--out", type=Path, help="file to write the map to")
    return parser.run(lambda options: report(options.people, options.out), arguments)


if __name__ == "__main__":
    raise SystemExit(main())
