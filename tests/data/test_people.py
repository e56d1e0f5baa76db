"""The people in pictures: read from the pictures, and refused in a training and in a benchmark of trained people."""

import json

import pytest
from PIL import Image

from pxs.data.people import (
    number_of,
    people_of,
    person_of,
    refuse_people_but_of_tests,
    refuse_test_people,
    refuse_trained_people,
)
from pxs.errors import DataError
from pxs.faces.identity import seeds
from pxs.images import save_png


def picture(folder, name, text, colour="tan"):
    return save_png(Image.new("RGB", (32, 32), colour), folder / name, text)


def test_a_synthetic_picture_names_its_person(tmp_path):
    assert number_of(picture(tmp_path, "a.png", {"identity": "300007"})) == 300007


@pytest.mark.parametrize("text", ["", "-3", "x", "1.5", "9" * 30, "٣"])
def test_what_is_no_number_names_nobody(text, tmp_path):
    assert number_of(picture(tmp_path, "a.png", {"identity": text} if text else {})) is None


def test_a_file_that_is_no_png_names_nobody(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "a.jpg")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n")
    assert [number_of(tmp_path / name) for name in ("a.jpg", "b.png", "gone.png")] == [None] * 3


def test_equal_photographs_are_one_person_and_others_are_not(tmp_path):
    first, copy = (picture(tmp_path, name, {}) for name in ("a.png", "b.png"))
    other = picture(tmp_path, "c.png", {}, "teal")
    assert person_of(first) == person_of(copy) != person_of(other)
    with pytest.raises(DataError, match="cannot be read"):
        person_of(tmp_path / "gone.png")


@pytest.mark.parametrize("purpose", ["dev", "test", "held_out"])
def test_people_who_are_kept_for_tests_are_refused(purpose):
    number = seeds(purpose, 1, 5)[0]
    with pytest.raises(DataError, match=f"person {number} .1 in all. is kept for testing .{purpose}."):
        refuse_test_people({number, 3})
    refuse_test_people({3, seeds("editor", 1, 99_999)[0]})


def test_a_drawn_set_of_the_editor_has_only_its_own_people(tmp_path):
    from pxs.data.ffe import read
    from pxs.data.synthetic_ffe import write_synthetic_set

    people = people_of(read(write_synthetic_set(tmp_path, 2)))
    assert people == set(seeds("editor", 2, 50_000))


def test_a_benchmark_of_trained_people_is_refused(tmp_path):
    adapter = tmp_path / "adapter.safetensors"
    refuse_trained_people([4], adapter)
    adapter.touch()
    refuse_trained_people([4], adapter)
    (tmp_path / "people.json").write_text(json.dumps({"people": [1, 4]}))
    refuse_trained_people([2, 3], adapter)
    for place in (adapter, tmp_path):
        with pytest.raises(DataError, match="person 4 of the benchmark .1 in all. is in the training set"):
            refuse_trained_people([2, 4], place)
    (tmp_path / "people.json").write_text("[")
    with pytest.raises(DataError, match="cannot be read"):
        refuse_trained_people([2], adapter)


def test_a_test_refuses_everybody_who_served_a_choice_or_a_training():
    refuse_people_but_of_tests(seeds("test", 3))
    for purpose in ("dev", "editor", "judge", "held_out", "gallery"):
        number = seeds(purpose, 1, 7)[0]
        with pytest.raises(DataError, match=f"person {number} .1 in all. is one of '{purpose}'"):
            refuse_people_but_of_tests([seeds("test", 1)[0], number])
