"""Small data sets of drawn people, as `pxs ffe` builds them, with a finder that finds a face in every picture."""

from pathlib import Path

from fake_faces import FakeFinder, face
from PIL import Image

from pxs.batch.finding import find_pictures
from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.reference import Truth
from pxs.expressions import Mix
from pxs.faces.draw import draw
from pxs.faces.identity import Identity
from pxs.ffe import manifest
from pxs.ffe.annotate import annotate
from pxs.ffe.collect import Criteria, Subject, Terms, collect
from pxs.ffe.compose import compose
from pxs.ffe.faces import Limits
from pxs.ffe.generate import Generator, Made, generate
from pxs.ffe.judges import ByTruth
from pxs.images import save_png
from pxs.storage.hashes import file_hash

SIDE = 64
NUMBERS = (400_000, 400_001, 400_002)
CRITERIA = Criteria(Limits(size=16, sharpness=0))


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
    given = {"recogniser": None, "terms": {"": Terms("CC0-1.0", "drawn")}, "criteria": CRITERIA, **changes}
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


def tiny_set(folder: Path, stages: int) -> Path:
    """A data set in folder/set of one grey person with four flat pictures, whose manifests are written here."""
    out = folder / "set"
    compose(out)
    save_png(Image.new("RGB", (32, 32), "grey"), out / "sources" / "s-000000.png", {"sha256": "a"})
    subject = Subject(
        "s-000000", "k", "s.png", "a", "sources/s-000000.png", "s-000000", "human", [4.0, 4.0, 28.0, 28.0], 24.0, 50.0,
        0.0, "0", 400_000, "human", "CC0-1.0", "drawn", "",
    )  # fmt: skip
    manifest.write(out, "identities", 1, {"recogniser": ""}, [subject])
    made = [_flat(out, word, asked) for word in ("fear", "surprised") for asked in (0.3, 0.8)] if stages > 2 else []
    if made:
        manifest.write(out, "pictures", len(made), {"generator": {"generator": "truth"}}, made)
    if stages > 3:
        annotate(out, [ByTruth()])
    return out


def _flat(out: Path, word: str, asked: float) -> Made:
    name = f"s-000000/{word}_{asked:g}"
    file = save_png(Image.new("RGB", (32, 32), (round(200 * asked), len(word), 9)), out / f"pictures/{name}.png", {})
    text, method = f"Edit the person to show a {word} expression.", {"generator": "truth"}
    return Made(
        name, "k", "s-000000", "s-000000", word, asked, "weak", f"{word}_weak_00", text, 42, 1, method,
        f"pictures/{name}.png", file_hash(file), "",
    )  # fmt: skip
