"""Tests of resizing a picture to the size of a model, and of restoring edits at full size."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pxs.errors import ImageError
from pxs.images import fit, psnr, to_array
from pxs.images.fitting import CHANGED

SIDES = st.integers(64, 900)


@given(SIDES, SIDES, st.sampled_from([256, 500, 512]), st.sampled_from([8, 16, 64]))
@settings(max_examples=60, deadline=None)
def test_fitted_size_is_near_the_resolution_and_a_multiple(
    pixels_of: Callable, width: int, height: int, resolution: int, multiple: int
) -> None:
    if max(width, height) > 3 * min(width, height):
        height = width
    fitted, record = fit(Image.new("RGB", (width, height), (9, 90, 200)), resolution, multiple)
    assert fitted.width % multiple == 0
    assert fitted.height % multiple == 0
    ideal = np.sqrt(np.array([width / height, height / width])) * resolution
    assert np.abs(np.array(fitted.size) - ideal).max() <= multiple
    assert np.abs(pixels_of(fitted) - (9, 90, 200)).max() == 0  # no border of another colour
    again, _ = fit(fitted, resolution, multiple)
    assert again.tobytes() == fitted.tobytes()
    assert record.resized == (fitted.size != (width, height))
    assert record.restore(fitted).size == (width, height)


@pytest.mark.parametrize("size", [(512, 512), (640, 400), (256, 1024)])
def test_picture_that_has_the_models_size_is_not_changed(noise: Callable, size: tuple[int, int]) -> None:
    source, edited = noise(*size), noise(*size, seed=1)
    fitted, record = fit(source, 512)
    assert not record.resized
    assert fitted.tobytes() == source.tobytes()
    assert record.restore(edited).tobytes() == edited.tobytes()


@pytest.mark.parametrize("size", [(300, 200), (90, 120)], ids=["larger", "smaller"])
def test_unedited_picture_is_restored_bit_for_bit(noise: Callable, size: tuple[int, int]) -> None:
    source = noise(*size)
    fitted, record = fit(source, 128)
    assert fitted.size != source.size
    assert record.restore(fitted).tobytes() == source.tobytes()


def test_restoring_keeps_detail_where_nothing_was_edited(noise: Callable) -> None:
    source = noise(512, 512)
    fitted, record = fit(source, 128)
    edited = fitted.copy()
    edited.paste((255, 0, 0), (0, 0, 64, 128))
    restored = record.restore(edited)
    same = np.zeros((512, 512), bool)
    same[:, 256 + 16 :] = True  # beyond the reach of the resampling kernel
    assert psnr(to_array(restored), to_array(source), same) == math.inf
    assert psnr(to_array(restored), to_array(source), ~same) < 20


def test_constant_change_is_restored_exactly(pixels_of: Callable) -> None:
    """A change that is the same at every pixel is the same at full size, whether positive or negative."""
    calm = Image.new("RGB", (300, 300), (100, 100, 100))
    small, record = fit(calm, 96)
    brighter = Image.fromarray((pixels_of(small) + np.array([20, -30, 155])).astype(np.uint8))
    assert np.abs(pixels_of(record.restore(brighter)) - (120, 70, 255)).max() <= 1


def test_restored_values_are_clipped(pixels_of: Callable) -> None:
    source = Image.fromarray(np.tile(np.array([[[0], [255]]], np.uint8), (256, 128, 3)))
    fitted, record = fit(source, 64)
    darker = Image.fromarray((pixels_of(fitted) - 3).clip(0, 255).astype(np.uint8))
    restored = pixels_of(record.restore(darker))
    assert np.abs(restored[:, 0::2] - 0).max() == 0
    assert np.abs(restored[32:-32, 33:-32:2] - 252).max() <= 1


def test_restoring_takes_no_detail_of_the_source_where_the_picture_changed(noise: Callable) -> None:
    source, other = noise(512, 512), noise(128, 128, seed=1)
    fitted, way = fit(source, 128)
    calm = Image.new("RGB", (128, 128), (60, 200, 60))
    for edited in (calm, Image.blend(calm, other, 0.1)):
        change = np.abs(np.asarray(edited, int) - np.asarray(fitted, int)).max(axis=2)
        assert change.min() > CHANGED  # everywhere
        plain = edited.resize((512, 512), Image.Resampling.LANCZOS)
        assert np.abs(np.asarray(way.restore(edited), int) - np.asarray(plain, int)).max() <= 1


def test_a_change_that_can_hardly_be_seen_keeps_the_detail_of_the_source(noise: Callable) -> None:
    source = noise(512, 512)
    fitted, way = fit(source, 128)
    brighter = Image.fromarray((np.asarray(fitted).clip(0, 251) + 4).astype(np.uint8))
    difference = np.asarray(way.restore(brighter), int) - np.asarray(source, int)
    assert np.abs(difference[np.asarray(source) < 250] - 4).max() <= 1


def test_fit_keeps_copies_of_its_pictures(noise: Callable) -> None:
    source = noise(300, 300)
    fitted, record = fit(source, 96)
    edited, expected = fitted.copy(), source.tobytes()
    source.paste((0, 0, 0), (0, 0, 300, 300))
    fitted.paste((0, 0, 0), (0, 0, 96, 96))
    assert record.restore(edited).tobytes() == expected


def test_fit_refuses_invalid_pictures_and_sizes(noise: Callable) -> None:
    fit(Image.new("RGB", (400, 100)), 64)
    with pytest.raises(ImageError, match="401 x 100"):
        fit(Image.new("RGB", (401, 100)), 64)
    with pytest.raises(ImageError, match="100 x 401"):
        fit(Image.new("RGB", (100, 401)), 64)
    with pytest.raises(ImageError, match="mode L"):
        fit(Image.new("L", (64, 64)), 64)
    with pytest.raises(ImageError, match="ndarray"):
        fit(np.zeros((64, 64, 3), np.uint8), 64)
    for resolution, multiple in [(0, 16), (8, 16), (64, 0)]:
        with pytest.raises(ImageError, match=f"resolution {resolution} with multiple {multiple}"):
            fit(noise(64, 64), resolution, multiple)


def test_restore_refuses_another_size_or_mode(noise: Callable) -> None:
    _, record = fit(noise(100, 100), 64)
    with pytest.raises(ImageError, match=r"\(100, 100\).*\(64, 64\)"):
        record.restore(noise(100, 100))
    with pytest.raises(ImageError, match="RGBA"):
        record.restore(Image.new("RGBA", (64, 64)))
