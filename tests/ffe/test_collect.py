"""Collecting: what is kept, what is left out and why, who is the same person, and what the copies say."""

import json

import numpy as np
import pytest
from fake_faces import FakeFinder, face
from ffe_sets import CRITERIA, collected, finder_of, write_people
from PIL import Image, ImageFilter
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pxs.batch.finding import find_pictures
from pxs.errors import DataError
from pxs.ffe.collect import SHEET, Criteria, Terms, collect, kept
from pxs.ffe.faces import Limits, difference, near, sharpness
from pxs.ffe.grouping import people, same_person
from pxs.images import open_image, read_text


def noise(seed, size=(80, 80)):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


def by_stem(subjects):
    return {subject.name.rpartition("-")[0]: subject for subject in subjects}


class ByColour:
    """Recognises people by the mean colour of a picture."""

    name, role = "by colour", "score"

    def embed(self, images):
        rows = np.array([np.asarray(image, float).mean(axis=(0, 1)) - 127 for image in images])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_each_fault_of_a_face_has_its_reason(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    noise(1).save(folder / "good.png")
    noise(2).filter(ImageFilter.GaussianBlur(6)).save(folder / "soft.png")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:200])
    found = {(80, 80): [face(40, 36, 80)]}
    for name, size, faces in (
        ("small", (81, 80), [face(20, 20, 30)]),
        ("turned", (82, 80), [face(40, 36, 80, roll=50)]),
        ("none", (83, 80), []),
        ("two", (84, 80), [face(20, 36, 40), face(60, 36, 40)]),
    ):
        noise(3, size).save(folder / f"{name}.png")
        found[size] = faces

    class BySize(FakeFinder):
        def find(self, picture):
            return found[picture.size]

    limits = Criteria(Limits(size=40, sharpness=20, turn=35))
    subjects = collect(find_pictures([str(folder)], tmp_path / "out"), tmp_path / "out", BySize(), None, {}, limits)
    reasons = {stem: subject.dropped.partition(":")[0] for stem, subject in by_stem(subjects).items()}
    assert reasons == {
        "cut": "unreadable",
        "good": "",
        "none": "no face",
        "small": "face too small",
        "soft": "blurred",
        "turned": "head turned",
        "two": "several faces",
    }
    assert [path.stem.rpartition("-")[0] for path in (tmp_path / "out" / "sources").iterdir()] == ["good"]


def test_sharpness_falls_with_blur_and_not_with_brightness():
    sharp = noise(4, (200, 200))
    values = [sharpness(sharp.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 1, 2, 4, 8)]
    assert values == sorted(values, reverse=True) and values[-1] < values[0] / 4
    assert sharpness(sharp.point(lambda v: v // 2 + 60)) == pytest.approx(values[0] / 4, rel=0.05)


def test_near_duplicates_are_near_and_others_are_not():
    picture = noise(5, (9, 8)).resize((200, 200), Image.Resampling.BICUBIC)
    print_of = difference(picture)
    assert near(print_of, difference(picture.resize((150, 150))))
    assert near(print_of, difference(picture.point(lambda v: min(255, v + 9))))
    others = [difference(noise(seed, (9, 8)).resize((200, 200))) for seed in range(6, 26)]
    assert not any(near(print_of, other) for other in others)


def test_of_duplicates_the_largest_face_is_kept_and_copies_of_a_file_are_named(tmp_path):
    folder = write_people(tmp_path / "in", (400_000,))
    first = folder / "p400000.png"
    (folder / "again.png").write_bytes(first.read_bytes())
    open_image(first).save(folder / "saved.jpg", quality=95)
    subjects = by_stem(collected(folder, tmp_path / "out"))
    dropped = {stem: subject.dropped.partition(":")[0] for stem, subject in subjects.items()}
    assert sorted(dropped.values()) == ["", "near duplicate", "same file"]
    (only,) = kept(tmp_path / "out")
    assert all(only.name in subject.dropped for subject in subjects.values() if subject.dropped)


def test_one_person_has_one_name_by_recogniser_or_by_number(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, colour in {"a": (200, 40, 40), "b": (210, 30, 50), "c": (40, 40, 200)}.items():
        pixels = np.clip(np.asarray(noise(ord(name)), float) / 6 + colour, 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}.png")
    found = by_stem(collected(folder, tmp_path / "out", recogniser=ByColour(), criteria=Criteria(CRITERIA.limits, 0.9)))
    assert found["a"].person == found["b"].person == found["a"].name
    assert found["c"].person == found["c"].name
    alone = by_stem(collected(folder, tmp_path / "out"))
    assert len({subject.person for subject in alone.values()}) == 3


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_the_connected_components_of_similar_pictures(seed):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(40, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T >= 0.9
    _, labels = connected_components(csr_array(alike))
    assert people(vectors, [-1] * 40, 0.9) == [int(np.flatnonzero(labels == label)[0]) for label in labels]


def test_numbers_of_synthetic_people_are_believed_more_than_a_recogniser():
    same = np.ones((4, 1), np.float32)
    assert people(same, [7, 8, 7, 8], 0.5) == [0, 1, 0, 1]
    assert people(np.zeros((3, 0), np.float32), [7, -1, 7], 0.5) == [0, 1, 0]


def test_copies_keep_the_person_of_a_synthetic_picture_and_nothing_of_a_camera(tmp_path):
    folder = write_people(tmp_path / "in", (400_000,))
    exif = Image.Exif()
    exif[0x010F] = "a camera of Ada"
    noise(3).save(folder / "photo.jpg", exif=exif)
    collected(folder, tmp_path / "out")
    copies = {path.stem.rpartition("-")[0]: path for path in (tmp_path / "out" / "sources").iterdir()}
    assert read_text(copies["p400000"])["identity"] == "400000"
    assert b"Ada" in (folder / "photo.jpg").read_bytes() and b"Ada" not in copies["photo"].read_bytes()
    assert set(read_text(copies["photo"])) == {"sha256"}


def test_rejected_pictures_stay_rejected_and_terms_are_those_of_the_nearest_folder(tmp_path):
    folder = write_people(tmp_path / "in" / "a")
    noise(3).save(tmp_path / "in" / "b.png")
    terms = {"": Terms("CC-BY-4.0", "all"), "a": Terms("CC0-1.0", "drawn"), "a/p400001.png": Terms("MIT", "own")}
    first = by_stem(collected(tmp_path / "in", tmp_path / "out", terms=terms))
    assert {stem: s.licence for stem, s in first.items()} == {
        "p400000": "CC0-1.0",
        "p400001": "MIT",
        "p400002": "CC0-1.0",
        "b": "CC-BY-4.0",
    }
    collected(folder.parent, tmp_path / "out", terms=terms, rejected=[first["b"].name[-6:]])
    later = collected(folder.parent, tmp_path / "out", terms=terms)
    assert [s.name for s in later if s.dropped == "rejected"] == [first["b"].name]
    assert first["b"].name not in {s.name for s in kept(tmp_path / "out")}
    with pytest.raises(DataError, match="no picture has the name 'nobody'"):
        collected(folder.parent, tmp_path / "out", rejected=["nobody"])


def test_a_second_run_looks_at_new_pictures_alone(tmp_path):
    folder = write_people(tmp_path / "in", (400_000, 400_001))
    before = collected(folder, tmp_path / "out")
    looked = []

    class Watched(FakeFinder):
        def find(self, picture):
            looked.append(picture)
            return super().find(picture)

    write_people(folder, (400_005,))
    finder = Watched(*finder_of().faces)
    pictures = find_pictures([str(folder)], tmp_path / "out")
    terms = {"": Terms("CC0-1.0", "drawn")}
    after = collect(pictures, tmp_path / "out", finder, None, terms, CRITERIA)
    assert len(looked) == 1 and after[:2] == before
    (folder / "p400000.png").unlink()
    collected(folder, tmp_path / "out")
    assert len(list((tmp_path / "out" / "sources").iterdir())) == 2
    lines = (tmp_path / "out" / "identities.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["count"] == len(lines) - 1 == 2


def test_nothing_kept_is_an_error_that_counts_the_reasons_and_leaves_nothing(tmp_path):
    folder = write_people(tmp_path / "in")
    with pytest.raises(DataError, match=r"none of 3 pictures is kept \(face too small: 3\)"):
        collected(folder, tmp_path / "out", criteria=Criteria(Limits(size=1000)))
    assert not (tmp_path / "out").exists()


def test_the_sheet_shows_all_that_are_kept(tmp_path):
    collected(write_people(tmp_path / "in"), tmp_path / "out")
    assert open_image(tmp_path / "out" / SHEET).width > 3 * 112


def test_a_recogniser_has_its_own_threshold():
    class Named:
        def __init__(self, name):
            self.name = name

    given = {"dlib 1f2e": 0.9, "mini-identity 3a": 0.6, "facenet 20180402": 0.7, "eyes": 0.5}
    assert {name: same_person(Named(name)) for name in given} == given and same_person(None) == 0.5
