"""The identities of synthetic faces: everything about a face that no expression changes.

A seed gives an identity. `seeds` returns the seeds for one purpose, such as training the editor or the benchmark.
Different purposes share no seed, so no model is tested on an identity that it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pxs.errors import ScaleError
from pxs.quantities import COUNT, SEED

SKINS = ("#f6d3bd", "#eec0a0", "#e2aa84", "#cd9168", "#b47a52", "#98633f", "#7a4b2f", "#5d3824")
HAIRS = ("#1e1a1c", "#37251b", "#5c3a22", "#8a5a2d", "#c99a4b", "#e3c583", "#a3421f", "#8f8f94", "#d9d9dc")
FANTASY_HAIRS = ("#3a4f9e", "#c8577e", "#5b9a7d", "#7d5aa8", "#e0a13c", "#31363f")
IRISES = ("#5b3a1e", "#3c2a1c", "#7a5a2a", "#4d7a4a", "#3f77a8", "#6d8fa6", "#6a5b8c")
BACKDROPS = ("#a9c0d6", "#cdb9a5", "#b9cfb0", "#c9b2d1", "#d8c7a0", "#9fb7b8", "#d3aeb0", "#b4b6c6")
CLOTHES = ("#33415c", "#7d3c3c", "#3f5d45", "#8b7355", "#5b4a7a", "#b0b7c3", "#2b2b33", "#c58b4e")
HAIRSTYLES = ("cropped", "side", "bob", "long", "bun", "curly")


@dataclass(frozen=True)
class Identity:
    """Everything about a face that no expression changes. Lengths are in pixels of a 128 x 128 picture.

    Colours are "#rrggbb". `jaw`, `lips`, `brow_arch`, `age` and `fringe` are in 0 to 1. `pose` is (shift right, shift
    down, rotation in degrees, scale).
    """

    seed: int
    skin: str
    hair: str
    fantasy_hair: str
    hairstyle: str
    fringe: float
    iris: str
    backdrop: str
    clothes: str
    glasses: str
    half_width: float
    chin: float
    jaw: float
    eye_size: float
    eye_gap: float
    eye_tilt: float
    brow_height: float
    brow_weight: float
    brow_arch: float
    nose_width: float
    nose_length: float
    mouth_width: float
    mouth_height: float
    lips: float
    age: float
    pose: tuple[float, float, float, float]

    @classmethod
    def sample(cls, seed: int) -> Identity:
        """The identity of this seed; the same on every machine. Raises ScaleError for another than a SEED."""
        seed = SEED.named("identity seed")(seed)
        rng = np.random.Generator(np.random.PCG64(seed))

        def pick(choices: Sequence[str]) -> str:
            return choices[int(rng.integers(len(choices)))]

        def between(low: float, high: float) -> float:
            return float(rng.uniform(low, high))

        age = between(0, 1) ** 1.5
        return cls(
            seed=seed,
            skin=_jitter(pick(SKINS), rng, 8),
            hair=_jitter(pick(HAIRS if age < 0.6 else HAIRS[3:]), rng, 8),
            fantasy_hair=_jitter(pick((*FANTASY_HAIRS, *HAIRS)), rng, 10),
            hairstyle=pick(HAIRSTYLES),
            fringe=between(0, 1),
            iris=_jitter(pick(IRISES), rng, 8),
            backdrop=_jitter(pick(BACKDROPS), rng, 14),
            clothes=_jitter(pick(CLOTHES), rng, 12),
            glasses=pick(("none", "none", "none", "none", "round", "square")),
            half_width=between(33.5, 38.5),
            chin=between(39, 43.5),
            jaw=between(0, 1),
            eye_size=between(0.92, 1.1),
            eye_gap=between(15.0, 17.5),
            eye_tilt=between(-0.8, 1.6),
            brow_height=between(-1.0, 1.2),
            brow_weight=between(1.5, 2.7),
            brow_arch=between(0, 1),
            nose_width=between(4.6, 7.0),
            nose_length=between(11.5, 15.0),
            mouth_width=between(11.0, 14.0),
            mouth_height=between(23.5, 26.0),
            lips=between(0, 1),
            age=age,
            pose=(between(-2.5, 2.5), between(-1.5, 1.5), between(-2.5, 2.5), between(0.96, 1.04)),
        )


SEED_RANGES = {
    "editor": range(0, 100_000),
    "judge": range(100_000, 200_000),
    "held_out": range(200_000, 300_000),
    "dev": range(300_000, 350_000),
    "test": range(350_000, 400_000),
    "gallery": range(400_000, 500_000),
}
"""Seeds by purpose: training the editor, training judges and encoders, checks, both parts of the benchmark, pictures to
show. Settings are chosen on "dev", figures are reported on "test"."""


def seeds(purpose: str, count: int, start: int = 0) -> list[int]:
    """`count` seeds of one purpose (a key of SEED_RANGES), from the one at index `start` on.

    Raises ScaleError for a count that is not a COUNT, a start that is not a SEED, and seeds beyond the range of the
    purpose.
    """
    count, start = COUNT(count), SEED.named("number of the first person")(start)
    chosen = SEED_RANGES[purpose][start : start + count]
    if len(chosen) < count:
        raise ScaleError(f"{purpose} has {len(SEED_RANGES[purpose])} identities: {count} from {start} are too many")
    return list(chosen)


def _jitter(colour: str, rng: np.random.Generator, spread: int) -> str:
    """The colour with a random integer in -spread to spread added to each channel."""
    channels = [int(colour[i : i + 2], 16) + int(rng.integers(-spread, spread + 1)) for i in (1, 3, 5)]
    return "#" + "".join(f"{min(max(c, 0), 255):02x}" for c in channels)
