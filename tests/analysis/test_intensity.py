"""Intensity measured against drawings: exact for drawings, robust to noise, refused for unknown expressions."""

import numpy as np
import pytest
from PIL import Image

from analysis.intensity import intensity_figure, measured_intensity, truth
from pxs.errors import ExpressionError
from pxs.expressions import COLOURS, sweep
from pxs.faces.identity import Identity, seeds
from pxs.images import from_array, to_array

ASKED = [0, 0.3, 0.75, 1, 1.4]


@pytest.mark.parametrize("style", ["human", "anime"])
def test_a_drawing_has_the_intensity_it_was_drawn_at(style):
    identity = Identity.sample(seeds("held_out", 1, 6_000)[0])
    drawings = truth(identity, sweep("sad", ASKED), style)
    np.testing.assert_allclose(measured_intensity(drawings, identity, "sad", style), ASKED, atol=0.01)


def test_noise_changes_the_measure_little():
    identity = Identity.sample(3)
    rng = np.random.default_rng(0)
    noisy = [
        from_array(np.clip(to_array(d) + rng.normal(0, 0.05, (128, 128, 3)), 0, 1).astype(np.float32))
        for d in truth(identity, sweep("surprised", ASKED))
    ]
    np.testing.assert_allclose(measured_intensity(noisy, identity, "surprised"), ASKED, atol=0.1)


def test_an_unknown_expression_is_refused():
    with pytest.raises(ExpressionError, match="did you mean 'sad'"):
        measured_intensity([Image.new("RGB", (128, 128))], Identity.sample(1), "sadd")


def test_the_figure_shows_the_measured_values():
    figure = intensity_figure(ASKED, [0, 0.2, 0.5, 0.9, 1.0], "sad")
    line = figure.axes[0].lines[1]
    assert line.get_color() == COLOURS["sad"]
    np.testing.assert_allclose(line.get_ydata(), [0, 0.2, 0.5, 0.9, 1.0])
