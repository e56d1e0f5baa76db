"""Confusion matrices and their correlation, in closed form."""

import numpy as np
import pytest

from analysis.confusion import (
    annotators,
    classifier,
    confusion_figure,
    correlation,
    correlations,
    generator,
    off_diagonal,
    soft_confusion,
)
from analysis.faces import Face, drawn_faces
from pxs.errors import DataError, JudgeError
from pxs.expressions import EXPRESSIONS, Mix
from pxs.mini.data import CONFUSION

FOUR = ("fear", "surprised", "angry", "disgust")


class Constant:
    """A judge with the same answer for every picture: fear, partly taken for surprise."""

    name, role = "constant", "score"

    def judge(self, images):
        return [Mix(fear=0.3, surprised=0.1)] * len(images)


def test_annotators_follow_the_table_of_the_training_labels():
    matrix = annotators()
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    for shown, given in CONFUSION.items():
        for label, share in given.items():
            assert matrix[EXPRESSIONS.index(shown), EXPRESSIONS.index(label)] == pytest.approx(share)
    np.testing.assert_allclose(annotators(FOUR)[0], [0.65, 0.30, 0, 0])


def test_soft_confusion_is_the_mean_of_shares_over_pictures():
    mixes = [Mix(fear=0.6, surprised=0.2), Mix(fear=1), Mix(), Mix(sad=0.5)]
    matrix = soft_confusion(mixes, ["fear", "fear", "fear", "angry"], FOUR)
    np.testing.assert_allclose(matrix, [[0.875, 0.125, 0, 0], [0] * 4, [0] * 4, [0] * 4])
    with pytest.raises(JudgeError, match="1 mixes for 2 pictures"):
        soft_confusion([Mix()], ["fear", "fear"])


def test_classifier_and_generator_use_the_same_judge():
    import pandas as pd

    faces = drawn_faces([1], size=16)
    np.testing.assert_allclose(classifier(Constant(), faces, (1,), FOUR), np.tile([0.75, 0.25, 0, 0], (4, 1)))
    table = pd.DataFrame({"expression": ["fear", "angry", "angry"], "intensity": [1.0, 1.0, 1.5]})
    matrix = generator(Constant(), [f.picture for f in faces * 3], table, [1], FOUR)
    np.testing.assert_allclose(matrix, [[0.75, 0.25, 0, 0], [0] * 4, [0.75, 0.25, 0, 0], [0] * 4])
    with pytest.raises(DataError, match="was not drawn"):
        classifier(Constant(), [Face("me", faces[0].picture, "human")])


def test_a_matrix_correlates_with_itself_and_not_with_noise():
    itself = correlation(annotators(), 2 * annotators() + 0.1)
    assert itself["pearson"] == pytest.approx(1)
    assert itself["spearman"] == pytest.approx(1)
    assert itself["p"] < 0.01
    noise = np.random.default_rng(0).random((12, 12))
    assert correlation(annotators(), noise)["p"] > 0.05
    assert correlation(annotators(), noise) == correlation(annotators(), noise)


def test_correlation_is_off_the_diagonal():
    np.testing.assert_array_equal(off_diagonal(np.arange(9).reshape(3, 3)), [1, 2, 3, 5, 6, 7])
    a, b = np.random.default_rng(1).random((2, 4, 4))
    expected = np.corrcoef(off_diagonal(a), off_diagonal(b))[0, 1]
    np.fill_diagonal(a, 99)
    assert correlation(a, b)["pearson"] == pytest.approx(expected)


def test_matrices_without_a_correlation_are_refused():
    with pytest.raises(DataError, match="nothing to correlate"):
        correlation(np.eye(12), annotators())
    with pytest.raises(DataError, match="2 expressions are too few"):
        correlation(np.eye(2), np.eye(2))


def test_every_two_are_compared_and_drawn():
    matrices = {"a": annotators(FOUR), "b": annotators(FOUR).T, "c": annotators(FOUR)}
    table = correlations(matrices)
    assert table[["first", "second"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert table.pearson[1] == pytest.approx(1)
    figure = confusion_figure(matrices, FOUR)
    assert [axes.get_title() for axes in figure.axes[:3]] == ["a", "b", "c"]
