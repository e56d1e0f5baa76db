"""Maps of features: UMAP with its trustworthiness, as a figure with pictures and as an interactive widget.

A UMAP preserves neighbourhoods, not distances: the distance and the size of clusters on the map mean nothing.
Trustworthiness measures how well neighbourhoods are preserved (1: every neighbour on the map is a neighbour in feature
space; 0.5: chance level). Conclusions about separation must use the measures of analysis/separation.py.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import linear_sum_assignment
from sklearn.manifold import trustworthiness

from pxs.errors import DataError
from pxs.expressions import COLOURS, CONFUSABLE, Pair

Array = NDArray[np.float64]
NEIGHBOURS = 15


@dataclass(frozen=True)
class Map:
    """A map of N points: position (N, 2), and its trustworthiness for `neighbours` neighbours, in [0, 1]."""

    position: Array
    trust: float
    neighbours: int


def umap_map(points: Array, neighbours: int = NEIGHBOURS, seed: int = 0) -> Map:
    """A UMAP of points (N, D) by cosine distance; on one machine, the same seed gives the same map.

    It starts from the first two principal components and runs on one thread, as a fixed seed requires. Raises DataError
    unless there are more points than neighbours and at least 2 neighbours, and for points that cannot be mapped: not
    finite, of fewer than two features, or all equal.
    """
    check_neighbours(len(points), neighbours)
    check_points(points)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # umap warns that TensorFlow is not installed
        from umap import UMAP
    reducer = UMAP(n_neighbors=neighbours, metric="cosine", init="pca", random_state=seed, n_jobs=1)
    position = reducer.fit_transform(points)
    count = min(neighbours, (len(points) - 1) // 2)
    trust = trustworthiness(points, position, n_neighbors=count, metric="cosine")
    return Map(np.asarray(position, dtype=float), float(trust), count)


def check_neighbours(points: int, neighbours: int) -> None:
    """Raise DataError unless `neighbours` is at least 2 and less than the number of `points`."""
    if neighbours < 2 or points <= neighbours:
        raise DataError(
            f"a UMAP of {points} points with {neighbours} neighbours is not possible: give 2 neighbours or more, and "
            "more points than that"
        )


def check_points(points: Array) -> None:
    """Raise DataError unless the points (N, D) are finite, differ, and have two features or more."""
    if points.ndim != 2 or points.shape[1] < 2:
        raise DataError(f"points of shape {points.shape} cannot be mapped: give rows of two features or more")
    if not np.isfinite(points).all():
        raise DataError("some features are not finite, so no map can be made: leave those pictures out")
    if (points == points[0]).all():
        raise DataError(f"all {len(points)} points are equal, so no map can be made: take another place or more faces")


def map_figure(
    maps: Mapping[str, Map],
    tables: Mapping[str, pd.DataFrame],
    thumbnails: Mapping[str, Sequence[Image.Image]] | None = None,
    highlight: Sequence[Pair] = CONFUSABLE,
    title: str = "",
) -> Figure:
    """One map a panel: colour is the expression, size the intensity; expressions of `highlight` are outlined.

    `tables` have columns face, expression and intensity, one row a point. The label of each expression, and with
    `thumbnails` its picture, belongs to the first face's point nearest to intensity 1.
    """
    figure = Figure(figsize=(6.6 * len(maps), 6.8), layout="constrained")
    outlined = list(dict.fromkeys(name for pair in highlight for name in pair))
    figure.suptitle(f"{title}\nsize: intensity; outlined: {', '.join(outlined)}", fontsize=11)
    for axes, (name, found) in zip(figure.subplots(1, len(maps), squeeze=False).flat, maps.items(), strict=True):
        _scatter(axes, found.position, tables[name], outlined)
        axes.set_title(f"{name}\ntrustworthiness {found.trust:.2f}", fontsize=11)
        figure.draw_without_rendering()
        _label_classes(axes, found.position, tables[name], thumbnails[name] if thumbnails else None)
    return figure


def _scatter(axes: Axes, position: Array, table: pd.DataFrame, outlined: Sequence[str]) -> None:
    """All points in random order, so that no expression covers another."""
    order = np.random.default_rng(0).permutation(len(table))
    shuffled, strong = table.iloc[order], table.expression.isin(outlined).to_numpy(dtype=bool)[order]
    for some, alpha, edge in ((~strong, 0.45, "white"), (strong, 0.95, "black")):
        x, y = position[order][some].T
        axes.scatter(
            x,
            y,
            s=14 + 40 * shuffled.intensity[some] / table.intensity.max(),
            color=[COLOURS[name] for name in shuffled.expression[some]],
            alpha=alpha,
            edgecolor=edge,
            linewidth=0.7,
            zorder=3,
        )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#cccccc")
    axes.margins(0.34)


def _label_classes(axes: Axes, position: Array, table: pd.DataFrame, thumbnails: Sequence[Image.Image] | None) -> None:
    """Write the name of each expression, with its picture if there are `thumbnails`, on a frame around the map."""
    names = list(dict.fromkeys(table.expression))
    where = (axes.transData + axes.transAxes.inverted()).transform(position)
    examples = [_example(table, name) for name in names]
    for index, name, place in zip(examples, names, around(where[examples]), strict=True):
        line = np.stack([where[index], place]).T
        axes.plot(*line, color=COLOURS[name], linewidth=0.9, transform=axes.transAxes, zorder=1)
        if thumbnails:
            picture = OffsetImage(np.asarray(thumbnails[index].resize((64, 64))), zoom=0.62)
            frame = {"edgecolor": COLOURS[name], "linewidth": 2, "boxstyle": "square,pad=0.05"}
            box = AnnotationBbox(picture, place, xycoords="axes fraction", bboxprops=frame)
            axes.add_artist(box).set_zorder(5)
        x, y = place - [0, 0.062 if thumbnails else 0]
        text = axes.text(
            x,
            y,
            name,
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=9,
            weight="bold",
            color=COLOURS[name],
            zorder=6,
        )
        text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="white")])


def _example(table: pd.DataFrame, name: str) -> int:
    """The row of an expression with the first face and the intensity nearest to 1."""
    mine = table[(table.expression == name) & (table.face == table.face.iloc[0])]
    return int((mine.intensity - 1).abs().idxmin())


def around(points: Array) -> Array:
    """Positions (N, 2) for the labels of points (N, 2): evenly spaced on a frame inside the unit square.

    The assignment minimises the sum of squared distances between points and labels.
    """
    turns = 2 * np.pi * np.arange(len(points)) / len(points)
    rim = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    rim /= np.maximum(abs(rim).max(axis=1, keepdims=True), np.sqrt(0.5)) ** 0.75  # between a circle and a square
    places = [0.5, 0.52] + rim * [0.42, 0.40]
    _, taken = linear_sum_assignment(((points[:, None] - places[None]) ** 2).sum(axis=2))
    assigned: Array = places[taken]
    return assigned


def interactive_map(found: Map, table: pd.DataFrame, thumbnails: Sequence[Image.Image], height: int = 520) -> Any:
    """A jupyter-scatter widget that shows the picture of a point under the mouse; it contains the pictures.

    `table` has columns face, expression and intensity, one row a point.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The inplace keyword", category=DeprecationWarning)
        import jscatter

        names = list(dict.fromkeys(table.expression))
        data = table.assign(
            x=found.position[:, 0],
            y=found.position[:, 1],
            picture=[_url(t) for t in thumbnails],
            expression=pd.Categorical(table.expression, categories=names),  # fixes the order of the colours
            face=table.face.astype(str),
        )
        scatter = jscatter.Scatter(data=data, x="x", y="y", height=height)
        scatter.color(by="expression", map={name: COLOURS[name] for name in names})
        scatter.size(by="intensity", map=(6, 14, 8))
        scatter.x(scale=_padded(data.x)).y(scale=_padded(data.y))
        scatter.legend(True)
        scatter.axes(False)
        scatter.tooltip(
            True,
            properties=["expression", "intensity", "face"],
            histograms=False,  # a histogram of text hides everything after it (jupyter-scatter issue 187)
            preview="picture",
            preview_type="image",
            preview_image_height=96,
        )
        return scatter.show()


def _padded(values: pd.Series) -> tuple[float, float]:
    """The range of the values, extended by 5% at both ends, so that the frame does not cut off a point."""
    margin = 0.05 * (values.max() - values.min())
    return float(values.min() - margin), float(values.max() + margin)


def _url(picture: Image.Image) -> str:
    """A data URL of a thumbnail, so that no file is needed."""
    buffer = io.BytesIO()
    picture.convert("RGB").resize((64, 64)).save(buffer, format="JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
