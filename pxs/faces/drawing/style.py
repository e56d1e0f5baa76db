"""What separates the two styles: proportions of the features, and how they are painted. One value per difference."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Proportions (units of a 128 x 128 picture, in head coordinates: x right, y down from the middle of the face)."""

    shaded: bool  # gradients and soft shadows, or flat colours
    eye_y: float
    eye_half_width: float
    lid_up: float  # height of the open upper lid above the eye line
    lid_down: float  # depth of the lower lid below it
    iris: float  # half width of the iris
    iris_tall: float  # its height over its width
    brow_y: float
    brow_length: float
    brow_weight: float  # factor on the identity's own
    mouth_width: float  # factor on the identity's own
    lip_weight: float  # factor on the thickness of the lips; 0 draws none
    chin_point: float  # 0 round, 1 pointed
    cheek: float  # factor on the width of the lower face
    line: float  # width of outlines


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
