"""The two styles of drawing: proportions of the features, and how they are painted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Proportions in head coordinates: pixels of a 128 x 128 picture, x right, y down, from the middle of the face."""

    shaded: bool  # True: gradients and soft shadows; False: flat colours and outlines
    eye_y: float
    eye_half_width: float
    lid_up: float  # height of the open upper lid above the eye line
    lid_down: float  # depth of the lower lid below it
    iris: float  # half width of the iris
    iris_tall: float  # height of the iris divided by its width
    brow_y: float
    brow_length: float
    brow_weight: float  # factor on the thickness of the identity's brows
    mouth_width: float  # factor on the width of the identity's mouth
    lip_weight: float  # factor on the thickness of the lips; 0 draws no lips
    chin_point: float  # 0 round, 1 pointed
    cheek: float  # factor on the width of the lower face
    line: float  # width of the outlines


STYLES = {
    "human": Style(
        shaded=True,
        eye_y=-4.0,
        eye_half_width=8.4,
        lid_up=4.7,
        lid_down=2.9,
        iris=4.0,
        iris_tall=1.0,
        brow_y=-15.0,
        brow_length=17.0,
        brow_weight=1.0,
        mouth_width=1.0,
        lip_weight=1.0,
        chin_point=0.0,
        cheek=1.0,
        line=0.7,
    ),
    "anime": Style(
        shaded=False,
        eye_y=1.0,
        eye_half_width=9.6,
        lid_up=8.6,
        lid_down=6.4,
        iris=5.9,
        iris_tall=1.3,
        brow_y=-15.5,
        brow_length=16.0,
        brow_weight=0.95,
        mouth_width=0.88,
        lip_weight=0.0,
        chin_point=1.0,
        cheek=0.94,
        line=1.1,
    ),
}
