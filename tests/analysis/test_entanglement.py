"""Tables of entanglement: found where the test data has it; the rise between two collections, with its p."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis import entanglement
from analysis.entanglement import check_pairs, compare_pairs, landscape, measure_pairs, measure_places, variance_table
from analysis.entanglement_figures import cosine_figure, landscape_figure, line_figure, pair_figure
from analysis.features import Collection, Place
from pxs.errors import DataError, ExpressionError

NAMES = ("fear", "surprised", "sad")
PLACES = [Place("image", 0, 0), Place("picture")]
PAIR = ("fear", "surprised")


def made(apart, faces=8, seed=0):
    """A collection; fear and surprise are `apart` (0: equal, 1: at right angles) in "picture", "clean", 1 elsewhere."""
    rng = np.random.default_rng(seed)
    rows = [(str(f), 42, name, a) for f in range(faces) for name in ("neutral", *NAMES) for a in _intensities(name)]
    table = pd.DataFrame(rows, columns=["face", "seed", "expression", "intensity"])
    who = 20 * rng.normal(size=(faces, 16))[table.face.astype(int)]

    def features(share):
        axes = {"neutral": np.zeros(16), "fear": np.eye(16)[0], "sad": np.eye(16)[2]}
        axes["surprised"] = (1 - share) * np.eye(16)[0] + share * np.eye(16)[1]
        shown = np.stack([a * axes[e] for e, a in zip(table.expression, table.intensity, strict=True)])
        return (who + shown + 0.1 * rng.normal(size=who.shape)).astype(np.float32)

    raw = {Place("image", b, s): features(1) for b in (0, 1) for s in (0, 2)}
    raw |= {Place("picture"): features(apart), Place("clean", step=0): features(apart)}
    return Collection(table, raw, [Image.new("RGB", (16, 16))] * len(table), [1.0, 0.6, 0.3])


def _intensities(name):
    return (0.0,) if name == "neutral" else (0.5, 1.0, 1.5)


@pytest.fixture(scope="module")
def both():
    return {"base": made(0.0), "adapter": made(1.0, seed=1)}


def test_identity_is_most_of_the_raw_variance_and_little_of_the_relative(both):
    table = variance_table(both, [Place("picture")])
    raw, relative = table[~table["relative to neutral"]], table[table["relative to neutral"]]
    assert (raw.face > 0.95).all()
    assert (raw.expression < 0.05).all()
    assert (relative.expression > relative.face).all()


def test_entanglement_is_found_where_the_data_has_it(both):
    table = measure_pairs(both, PLACES, [PAIR], 19).set_index(["editor", "place", "measure"])
    assert table.value["base", "picture", "overlap"] > 0.5
    assert table.value["adapter", "picture", "overlap"] < 0.1
    assert table.value["base", "image, block 0, step 0", "overlap"] < 0.1
    assert table.p["adapter", "picture", "overlap"] <= 0.1
    assert table.value["adapter", "picture", "angle"] > 70 > 20 > table.value["base", "picture", "angle"]
    assert (
        table.value["adapter", "picture", "pair silhouette"] > 0.6 > table.value["base", "picture", "pair silhouette"]
    )


def test_all_classes_together(both):
    table = measure_places(both, PLACES, 19)
    assert len(table) == 2 * 2 * 3
    assert ((table.value >= -1) & (table.value <= 1)).all()
    probe = table[(table.measure == "probe") & (table.place == "picture")].set_index("editor").value
    assert probe.adapter > 0.95 > probe.base + 0.1


def test_a_rise_is_tested_over_faces(both):
    table = compare_pairs(both["base"], both["adapter"], [Place("picture")], [PAIR]).set_index("measure")
    rise = table.loc["pair silhouette"]
    assert rise.rise == pytest.approx(rise.adapter - rise.base)
    assert rise.rise > 0.3
    assert rise.p == pytest.approx(2 / 256)
    none = compare_pairs(both["base"], both["base"], [Place("picture")], [PAIR])
    assert (none.p == 1).all()
    with pytest.raises(DataError, match="different faces"):
        compare_pairs(both["base"], made(1, faces=5), [Place("picture")], [PAIR])


def test_the_landscape_has_a_row_a_block(both):
    table = landscape(both["base"], "image", PAIR)
    assert (list(table.index), list(table.columns), table.shape) == ([0, 1], [0, 2], (2, 2))
    assert (table > 0.5).all(axis=None)
    assert landscape(both["base"], "clean").shape == (1, 1)
    probe = landscape(both["base"], "image")
    assert (probe > 0.9).all(axis=None)


def test_figures_have_a_panel_for_each_pair_and_editor(both):
    table = measure_pairs(both, PLACES, [PAIR, ("fear", "sad")], 9)
    assert [a.get_title() for a in pair_figure(table, "angle").axes] == ["fear and surprised", "fear and sad"]
    lands = {("fear and surprised", name): landscape(c, "image", PAIR) for name, c in both.items()}
    figure = landscape_figure(lands, both["base"].sigmas, "image stream", "silhouette")
    assert [a.get_title() for a in figure.axes[:2]] == ["fear and surprised: base", "fear and surprised: adapter"]
    lines = {("fear and surprised", name): landscape(c, "clean", PAIR).iloc[0] for name, c in both.items()}
    assert len(line_figure(lines, both["base"].sigmas, "clean", "silhouette").axes[0].lines) == 3
    assert len(cosine_figure({"base": np.eye(3)}, NAMES, [PAIR]).axes[0].patches) == 2


def test_pairs_are_checked():
    assert check_pairs([["fear", "sad"]], NAMES) == [("fear", "sad")]
    mistakes = {
        "are too few": ([], NAMES),
        "3 expressions": ([PAIR], NAMES[:2]),
        "is not a pair": (["fear"], NAMES),
        "no point shows 'angry'": ([["fear", "angry"]], NAMES),
    }
    for message, (pairs, names) in mistakes.items():
        with pytest.raises(DataError, match=message):
            check_pairs(pairs, names)
    with pytest.raises(ExpressionError, match="is one expression"):
        check_pairs([["sad", "sad"]], NAMES)
    assert entanglement.PERMUTATIONS == 200
