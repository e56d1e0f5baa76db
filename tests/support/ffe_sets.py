"""Small data sets of drawn people, as `pxs ffe` builds them, with a finder that finds a face in every picture."""

from pathlib import Path

from fake_faces import FakeFinder, face

from pxs.batch.finding import find_pictures
from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.reference import Truth
from pxs.expressions import Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.ffe.annotate import annotate
from pxs.ffe.collect import Choice, Terms, collect
from pxs.ffe.compose import compose
from pxs.ffe.faces import Limits
from pxs.ffe.generate import Generator, generate
from pxs.ffe.judges import ByTruth
from pxs.images import save_png

SIDE = 64
NUMBERS = (400_000, 400_001, 400_002)
CHOICE = Choice(Limits(size=16, sharpness=0))


def write_people(folder: Path, numbers=NUMBERS, side=SIDE) -> Path:
    for number in numbers:
        text = {"identity": str(number), "style": "human", "mix": "neutral"}
        save_png(draw(Identity.sample(number), Mix(), "human", side), folder / f"p{number}.png", text)
    return folder


def finder_of(side=SIDE):
    """A finder that finds one face in every picture."""
    return FakeFinder(face(x=side / 2, y=0.45 * side, side=side))


def truth_generator():
    return Generator("truth", Truth(), Context())


def collected(people: Path, folder: Path, **changes):
    given = {"recogniser": None, "terms": {"": Terms("CC0-1.0", "drawn")}, "choice": CHOICE, **changes}
    return collect(find_pictures([str(people)], folder), folder, finder_of(), **given)


def make_set(folder: Path, stages: int) -> Path:
    """The first stages of a data set in folder/set: 2 for prompts, 3 for pictures, 4 for labels that are the truth."""
    people, out = write_people(folder / "people"), folder / "set"
    collected(people, out)
    compose(out)
    if stages > 2:
        generate(out, truth_generator())
    if stages > 3:
        annotate(out, [ByTruth()])
    return out
