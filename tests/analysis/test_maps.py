"""Maps: repeatable, faithful to clusters, refused without enough points; and the content of their figures."""

import base64
import io

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.figures import save_figure
from analysis.maps import Map, around, check_neighbours, interactive_map, map_figure, umap_map
from pxs.errors import DataError
from pxs.expressions import COLOURS

NAMES = ("fear", "surprised", "sad")


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    return np.repeat(np.eye(3, 10), 8, axis=0) + 0.05 * rng.normal(size=(24, 10))


@pytest.fixture
def table():
    rows = {"face": "1", "seed": 42, "expression": np.repeat(NAMES, 8), "intensity": np.tile([0.5, 1.0], 12)}
    return pd.DataFrame(rows)


@pytest.fixture
def pictures():
    return [Image.new("RGB", (32, 32), (10 * i, 0, 0)) for i in range(24)]


def test_one_seed_is_one_map_and_it_keeps_clusters(points):
    first, again = (umap_map(points, 5, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.position, again.position)
    assert first.position.shape == (24, 2)
    assert first.trust > 0.8
    centres = first.position.reshape(3, 8, 2).mean(axis=1)
    within = np.linalg.norm(first.position.reshape(3, 8, 2) - centres[:, None], axis=2).max()
    between = min(np.linalg.norm(centres[i] - centres[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert within < between


@pytest.mark.parametrize(("count", "neighbours"), [(15, 15), (3, 15), (24, 1), (0, 2)])
def test_too_few_points_are_refused(count, neighbours, points):
    with pytest.raises(DataError, match=f"a UMAP of {count} points with {neighbours} neighbours is not possible"):
        umap_map(points[:count], neighbours)
    with pytest.raises(DataError):
        check_neighbours(count, neighbours)


def test_the_figure_shows_every_point_in_its_colour(table, pictures, tmp_path):
    found = Map(np.random.default_rng(0).normal(size=(24, 2)), 0.9, 5)
    panels = {"base": found, "adapter": found}
    both = dict.fromkeys(panels, table)
    figure = map_figure(panels, both, dict.fromkeys(panels, pictures), [("fear", "surprised")])
    axes = figure.axes[0]
    assert len(figure.axes) == 2
    assert "0.90" in axes.get_title()
    assert sum(len(c.get_offsets()) for c in axes.collections) == 24
    colours = {matplotlib.colors.to_hex(c[:3]) for group in axes.collections for c in group.get_facecolor()}
    assert colours == {COLOURS[name].lower() for name in NAMES}
    assert {t.get_text() for t in axes.texts} == set(NAMES)
    save_figure(figure, tmp_path, "map")
    first = (tmp_path / "map.svg").read_bytes()
    save_figure(figure, tmp_path, "map")
    assert (tmp_path / "map.svg").read_bytes() == first
    assert (tmp_path / "map.png").stat().st_size > 1000


def test_labels_are_around_the_map_near_their_points():
    corners = np.array([[0.5, 0.1], [0.9, 0.5], [0.5, 0.9], [0.1, 0.5]])
    places = around(corners)
    assert ((places > 0.05) & (places < 0.95)).all()
    assert np.linalg.norm(places - corners, axis=1).max() < 0.1
    assert len({tuple(p) for p in around(np.full((12, 2), 0.5)).tolist()}) == 12


def test_hovering_shows_the_picture_of_the_point_in_the_colour_of_its_expression(table, pictures, monkeypatch):
    position = np.random.default_rng(0).normal(size=(24, 2))
    widget = interactive_map(Map(position, 0.9, 5), table, pictures)
    answers = []
    monkeypatch.setattr(type(widget), "send", lambda self, answer: answers.append(answer))
    asked = {"type": "tooltip", "index": 9, "properties": ["face"], "preview": "picture"}
    widget._handle_custom_msg(asked, None)
    (answer,) = answers
    shown = Image.open(io.BytesIO(base64.b64decode(answer["preview"].partition(",")[2])))
    assert answer["properties"] == {"face": "1"} and abs(shown.getpixel((5, 5))[0] - 90) < 5
    assert not widget.tooltip_histograms  # with them, the browser shows no face and no picture
    for point, name in zip(widget.points, table.expression, strict=True):
        assert np.allclose(widget.color[int(point[2])], matplotlib.colors.to_rgba(COLOURS[name]), atol=1e-3)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (np.ones((40, 5)), "all 40 points are equal"),
        (np.arange(40.0)[:, None], "two features or more"),
        (np.full((40, 3), np.nan), "not finite"),
        (np.zeros(40), "two features or more"),
    ],
)
def test_points_that_cannot_be_mapped_are_refused_in_one_line(points, says):
    with pytest.raises(DataError, match=says):
        umap_map(points, 5)
