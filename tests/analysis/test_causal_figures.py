"""Figures of patching and attention: every panel is there and shows its numbers."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.causal_figures import attention_figure, block_figure
from analysis.patching import ALL

PAIRS = [("fear", "surprised"), ("angry", "disgust")]


@pytest.fixture
def patches():
    """Text loses and image gains from block to block; two faces lie 0.2 apart."""
    rows = [
        (editor, str(face), *pair, stream, block, ALL, 0.1 * (2 * face - 1) + value, 0.9, 0.25, 0.5)
        for editor in ("base", "adapter")
        for face in (0, 1)
        for pair in PAIRS
        for stream in ("text", "image")
        for block, value in enumerate((0.8, 0.2) if stream == "text" else (0.1, 1.0))
    ]
    columns = ["editor", "face", "first", "second", "stream", "block", "step", "position", "a", "b", "distance"]
    return pd.DataFrame(rows, columns=columns)


def test_outcomes_are_drawn_for_every_pair_and_editor(patches):
    figure = block_figure(patches, PAIRS)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [f"{a} ← {b}: {editor}" for a, b in PAIRS for editor in ("base", "adapter")]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[3].lines}
    np.testing.assert_allclose(lines["text stream: position"], [0.8, 0.2])
    np.testing.assert_allclose(lines["image stream: position"], [0.1, 1.0])
    np.testing.assert_allclose(lines["text stream: judged"], [0.25, 0.25])


def test_attention_lies_over_the_picture_on_one_scale():
    maps = {"fear": np.arange(8.0).reshape(2, 2, 2), "surprised": np.ones((2, 2, 2))}
    changes = {"fear": np.eye(2), "surprised": 2 * np.eye(2)}
    figure = attention_figure(maps, changes, Image.new("RGB", (16, 16)))
    panels = [axes for axes in figure.axes if len(axes.images) == 2]
    assert len(panels) == 2 * 3
    assert [axes.get_title() for axes in panels[:3]] == ["block 0", "block 1", "edit - neutral"]
    assert [axes.get_ylabel() for axes in panels[::3]] == ["fear", "surprised"]
    np.testing.assert_array_equal(panels[1].images[1].get_array(), [[4, 5], [6, 7]])
    assert {axes.images[1].get_clim() for axes in panels[:2] + panels[3:5]} == {(0.0, 7.0)}
    assert panels[5].images[1].get_clim() == (0.0, 2.0)
