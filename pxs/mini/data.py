"""Sets of drawn faces for training and checking `mini`, and their labels.

The base model learns from labels like those of annotators: discrete (one expression, no intensity) and partly wrong.
`CONFUSION` states how often a picture of one expression is labelled as another. The confusable pairs are confused most.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pxs.expressions import EXPRESSIONS, Mix
from pxs.faces import STYLES
from pxs.faces.render import Drawing

CONFUSION: dict[str, dict[str, float]] = {
    "happy": {"confident": 0.05},
    "sad": {"anxious": 0.06, "shy": 0.03},
    "angry": {"disgust": 0.30, "contempt": 0.03},
    "surprised": {"fear": 0.30},
    "fear": {"surprised": 0.30, "anxious": 0.05},
    "disgust": {"angry": 0.30},
    "anxious": {"fear": 0.08, "sad": 0.05},
    "contempt": {"confident": 0.06, "disgust": 0.04},
    "confident": {"happy": 0.05, "contempt": 0.05},
    "shy": {"happy": 0.04, "anxious": 0.04},
    "sleepy": {"sad": 0.04},
    "confused": {"anxious": 0.05},
}
"""CONFUSION[shown][label]: the share of the pictures that show one expression and are labelled as another."""


def label_probabilities(shown: str) -> NDArray[np.float64]:
    """Probabilities (12,) of the labels for a picture of one expression, in the order of EXPRESSIONS; the sum is 1."""
    p = np.array([CONFUSION[shown].get(label, 0.0) for label in EXPRESSIONS])
    p[EXPRESSIONS.index(shown)] = 1 - p.sum()
    return p


def assorted(identities: Sequence[int], style: str, per_identity: int, seed: int = 0) -> list[Drawing]:
    """`per_identity` random drawings of each identity: neutral faces, single expressions and blends of two.

    15% are neutral, 60% show one expression and 25% a blend of two, at intensities from 0.1 to 1.5. Equal arguments
    give equal drawings.
    """
    rng = np.random.default_rng((seed, STYLES.index(style)))
    drawings = []
    for number in identities:
        for _ in range(per_identity):
            kind = rng.random()
            count = 0 if kind < 0.15 else 1 if kind < 0.75 else 2
            names = rng.choice(EXPRESSIONS, size=count, replace=False)
            drawings.append(Drawing(number, Mix({str(n): float(rng.uniform(0.1, 1.5)) for n in names}), style))
    return drawings
