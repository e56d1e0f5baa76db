"""Why are some expressions confused? Tables of how well they separate, where in the model, and with which adapter.

The tables combine the features of analysis/features.py with the measures of analysis/separation.py: one row per place,
per pair, or per block and step. For two editors of the same faces a test shows whether they differ by more than chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import pandas as pd
from sklearn.metrics import silhouette_samples
from tqdm.auto import tqdm

from analysis.features import Collection, Place, explained
from analysis.separation import Array, Labels, Measured, Space, against_chance, angle, pair_rows, sign_flip
from pxs.errors import DataError
from pxs.expressions import CONFUSABLE, Pair

PERMUTATIONS = 200
MEASURES = ("silhouette", "purity", "probe")
PAIR_MEASURES = ("overlap", "pair silhouette", "angle")


def check_pairs(pairs: Sequence[Sequence[str]], names: Sequence[str]) -> list[Pair]:
    """The pairs as tuples. `names` are the expressions that will be collected.

    Raises ExpressionError for two names that are not a pair, DataError for a pair that will not be collected, without
    pairs, and for fewer than 3 names.
    """
    if not len(pairs) or len(names) < 3:
        raise DataError(f"{len(pairs)} pairs of {len(names)} expressions are too few: give a pair, and 3 expressions")
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2:
            raise DataError(f"{pair!r} is not a pair: give two names, such as ['fear', 'surprised']")
        pair_rows(names, *pair)
    return [(first, second) for first, second in pairs]


def measure_places(
    collections: Mapping[str, Collection], places: Sequence[Place], permutations: int = PERMUTATIONS
) -> pd.DataFrame:
    """All expressions at once: one row for each editor, place and measure of MEASURES, with its chance level and p."""
    rows = []
    for editor, place in tqdm(list(product(collections, places)), desc="places", leave=False):
        table = collections[editor].table
        faces, labels = table.face.to_numpy(), table.expression.to_numpy(dtype=str)
        space = Space(collections[editor].points(place), faces)
        for name in MEASURES:
            found = against_chance(getattr(space, name), labels, faces, permutations)
            rows.append({"editor": editor, "place": str(place), "measure": name, **vars(found)})
    return pd.DataFrame(rows)


def measure_pairs(
    collections: Mapping[str, Collection],
    places: Sequence[Place],
    pairs: Sequence[Pair] = CONFUSABLE,
    permutations: int = PERMUTATIONS,
) -> pd.DataFrame:
    """Two expressions at a time: one row for each editor, place, pair and measure of PAIR_MEASURES.

    The pair silhouette uses the points of the two classes only. The angle is between the two directions, in degrees.
    Raises ExpressionError for two names that are not a pair, DataError for a pair that was not collected.
    """
    rows = []
    for editor, place, pair in tqdm(list(product(collections, places, pairs)), desc="pairs", leave=False):
        for name, found in _measure_pair(collections[editor], place, pair, permutations).items():
            where = {"editor": editor, "place": str(place), "first": pair[0], "second": pair[1]}
            rows.append({**where, "measure": name, **vars(found)})
    return pd.DataFrame(rows)


def _measure_pair(collection: Collection, place: Place, pair: Pair, permutations: int) -> dict[str, Measured]:
    space, labels, intensities = _pair_space(collection, place, pair)
    faces = space.faces
    return {
        "overlap": against_chance(space.overlap, labels, faces, permutations, larger=False),
        "pair silhouette": against_chance(space.silhouette, labels, faces, permutations),
        "angle": against_chance(lambda x: angle(space.points, x, intensities, *pair), labels, faces, permutations),
    }


def _pair_space(collection: Collection, place: Place, pair: Pair) -> tuple[Space, Labels, Array]:
    """The points of two expressions, their labels and their intensities."""
    table = collection.table
    rows = pair_rows(table.expression.to_numpy(dtype=str), *pair)
    part = table[rows]
    space = Space(collection.points(place)[rows], part.face.to_numpy())
    return space, part.expression.to_numpy(dtype=str), part.intensity.to_numpy(dtype=float)


def by_face(collection: Collection, place: Place, pair: Pair) -> pd.DataFrame:
    """For each face, its mean pair silhouette, and the accuracy on it of a probe trained on others; index: face."""
    space, labels, _ = _pair_space(collection, place, pair)
    scores = {
        "pair silhouette": silhouette_samples(space.distances, labels, metric="precomputed"),
        "probe": (space.predictions(labels) == labels).astype(float),
    }
    return pd.DataFrame({"face": space.faces, **scores}).groupby("face", sort=False).mean()


def compare_pairs(
    base: Collection, adapter: Collection, places: Sequence[Place], pairs: Sequence[Pair] = CONFUSABLE
) -> pd.DataFrame:
    """Does the adapter separate pairs better? One row for each place, pair and measure, with a paired test over faces.

    `rise` is the mean over faces of adapter - base. `p` is that of a two-sided sign-flip test. `faces` is the number of
    faces: with 8 faces no p is below 2 / 256. Raises DataError if the two collections have different faces.
    """
    rows = []
    for place in places:
        for pair in pairs:
            before, after = by_face(base, place, pair), by_face(adapter, place, pair)
            if list(before.index) != list(after.index):
                raise DataError("the two collections have different faces: collect both under one plan")
            for name in before:
                d = (after[name] - before[name]).to_numpy(dtype=float)
                key = {"place": str(place), "first": pair[0], "second": pair[1], "measure": name}
                means = {"base": before[name].mean(), "adapter": after[name].mean(), "rise": d.mean()}
                rows.append({**key, **means, "p": sign_flip(d), "faces": len(d)})
    return pd.DataFrame(rows)


def landscape(collection: Collection, kind: str, pair: Pair | None = None) -> pd.DataFrame:
    """Separation over blocks (rows) and denoising steps (columns), for features of one kind.

    With a pair: the silhouette among its two classes. Without: the accuracy of the probe over all expressions.
    `kind` is "image", "text" or "clean"; "clean" has no blocks and one row, numbered -1.
    """
    rows = [(p.block, p.step, separation_at(collection, p, pair)) for p in collection.places(kind)]
    return pd.DataFrame(rows, columns=["block", "step", "value"]).pivot(index="block", columns="step", values="value")


def separation_at(collection: Collection, place: Place, pair: Pair | None = None) -> float:
    """The measure of `landscape` at one place."""
    if pair is not None:
        space, labels, _ = _pair_space(collection, place, pair)
        return space.silhouette(labels)
    table = collection.table
    return Space(collection.points(place), table.face.to_numpy()).probe(table.expression.to_numpy(dtype=str))


def variance_table(collections: Mapping[str, Collection], places: Sequence[Place]) -> pd.DataFrame:
    """The shares of variance between faces and between expressions: raw, and relative to each face's neutral edit."""
    rows = []
    for editor, collection in collections.items():
        for place in places:
            for relative in (False, True):
                points = collection.points(place, relative)
                shares = {name: explained(points, collection.table[name]) for name in ("face", "expression")}
                rows.append({"editor": editor, "place": str(place), "relative to neutral": relative, **shares})
    return pd.DataFrame(rows)
