"""Alignment: landmarks are moved onto the template by the fit of Umeyama, as by the affine warp of Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image

from pxs.encoders.alignment import SIDE, TEMPLATE, align

GOAL = np.array(TEMPLATE)


def face(seed, scale=3.0, angle=0.4, noise=0.0):
    """Landmarks (5, 2) of a face in a picture: the template rotated, scaled, shifted, and with noise."""
    random = np.random.default_rng(seed)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (GOAL - GOAL.mean(0)) @ turn.T + (210, 190) + noise * random.standard_normal((5, 2))


def umeyama(points):
    """The matrix (2, 2) and shift of the similarity from `points` to the template, by singular values as published."""
    mean, goal = points.mean(0), GOAL.mean(0)
    covariance = (GOAL - goal).T @ (points - mean) / 5
    u, values, v = np.linalg.svd(covariance)
    signs = np.array([1, np.sign(np.linalg.det(u) * np.linalg.det(v))])
    matrix = (u * signs) @ v * (values @ signs) / points.var(0).sum()
    return matrix, goal - matrix @ mean


def aligned(pixels, points):
    return align(torch.as_tensor(pixels)[None], torch.as_tensor(np.array(points))[None])[0]


def ramp(width=400, height=380):
    """A picture whose channels hold x and y, which bilinear sampling keeps: x / 1000 is at the centre of pixel x."""
    y, x = np.mgrid[:height, :width] / 1000
    return np.stack([x, y, 0 * x])


@pytest.mark.parametrize("noise", [0, 8])
@pytest.mark.parametrize(("scale", "angle"), [(1, 0), (3, 0.4), (2, -1.2), (1.5, 3.0)])
def test_every_pixel_is_sampled_at_the_position_of_umeyamas_fit(scale, angle, noise):
    points = face(1, scale, angle, noise)
    matrix, shift = umeyama(points)
    positions = np.stack(np.meshgrid(range(SIDE), range(SIDE)), axis=-1)
    expected = (positions - shift) @ np.linalg.inv(matrix).T
    sampled = aligned(ramp(), points)[:2].permute(1, 2, 0).numpy() * 1000
    inside = ((expected > 1) & (expected < (398, 378))).all(-1)
    assert inside.mean() > 0.5
    assert np.abs(sampled - expected)[inside].max() < 1e-6


def test_landmarks_are_moved_onto_the_template():
    points = face(0)
    y, x = np.mgrid[:380, :400]
    for point, goal in zip(points, GOAL, strict=True):
        spot = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 2 / 9**2) * 2 - 1
        sampled = aligned(np.stack([spot] * 3), points)[0].numpy() + 1
        v, u = np.mgrid[:SIDE, :SIDE]
        assert ((u * sampled).sum() / sampled.sum(), (v * sampled).sum() / sampled.sum()) == pytest.approx(
            tuple(goal), abs=0.05
        )


def test_alignment_equals_the_affine_warp_of_pillow():
    y, x = np.mgrid[:380, :400] / 40
    image = Image.fromarray((np.stack([np.sin(x + y), np.cos(x), np.sin(y)], -1) * 127 + 128).astype(np.uint8))
    points = face(2, scale=2, noise=4)
    matrix, shift = umeyama(points)
    back = np.linalg.inv(matrix)
    corner = 0.5 - back @ (shift + 0.5)  # Pillow counts from the corner of the first pixel
    data = (*back[0], corner[0], *back[1], corner[1])
    expected = np.asarray(image.transform((SIDE, SIDE), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR))
    pixels = np.asarray(image).transpose(2, 0, 1) / 127.5 - 1
    sampled = (aligned(pixels, points).permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(sampled - expected).max() < 1.01


def test_positions_outside_the_picture_are_black():
    points = face(0) - (210, 190)
    sampled = aligned(np.ones((3, 380, 400)), points)
    assert sampled[:, 0, 0].tolist() == [-1, -1, -1] and float(sampled.max()) == 1


def test_each_picture_has_its_own_landmarks():
    pixels = torch.rand(2, 3, 380, 400, generator=torch.Generator().manual_seed(0)) * 2 - 1
    points = torch.tensor(np.stack([face(0), face(1, 2, -0.2, 3)]))
    both = align(pixels, points)
    assert both.shape == (2, 3, SIDE, SIDE) and both.dtype == torch.float32
    for i in range(2):
        torch.testing.assert_close(both[i], align(pixels[i : i + 1], points[i : i + 1])[0], atol=1e-3, rtol=0)


def test_gradients_reach_the_sampled_pixels_only():
    pixels = torch.zeros(1, 3, 380, 400, requires_grad=True)
    align(pixels, torch.tensor(face(0, scale=1.0))[None]).sum().backward()
    assert float(pixels.grad.sum()) == pytest.approx(3 * SIDE**2, rel=1e-4)
    assert (pixels.grad[0, 0, 170:210, 190:230] > 0).all() and pixels.grad[0, :, :50].abs().sum() == 0
