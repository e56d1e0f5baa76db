"""Measures of separation: closed forms on synthetic clusters, equality with scikit-learn, chance level on noise."""

from itertools import product
from math import comb

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from analysis import separation
from analysis.separation import Space, against_chance, angle, angles, centroid_cosines, directions, pair_rows, sign_flip
from pxs.errors import DataError, ExpressionError

FACES, EACH = 8, 6


def clusters(spread, seed=0, names=("fear", "surprised", "sad"), size=12):
    """Points around one orthogonal axis a class, EACH of them for each face and class; with their labels and faces."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat(names, EACH), FACES)
    faces = np.repeat(np.arange(FACES), EACH * len(names))
    centres = np.stack([np.eye(size)[list(names).index(label)] for label in labels])
    return centres + spread * rng.normal(size=centres.shape), labels, faces


def test_clusters_far_apart_are_separated_in_every_measure():
    points, labels, faces = clusters(1e-3)
    space = Space(points, faces)
    assert space.silhouette(labels) > 0.999
    assert space.purity(labels) == space.probe(labels) == 1
    rows = pair_rows(labels, "fear", "surprised")
    assert Space(points[rows], faces[rows]).overlap(labels[rows]) == 0


def test_one_cluster_with_random_labels_overlaps():
    points, _, faces = clusters(1.0, names=("fear",))
    labels = np.resize(["fear", "surprised"], len(points))
    found = against_chance(Space(points, faces).overlap, labels, faces, 99, larger=False)
    assert found.value > 0.6
    assert found.p > 0.05
    assert found.low <= found.chance <= found.high


def test_the_silhouette_of_two_points_a_class_is_the_formula():
    points = np.array([[1, 0], [1, 1], [0, 1], [-1, 1]], float)
    labels = np.array(["a", "a", "b", "b"])
    root = 1 - 1 / np.sqrt(2)  # cosine distance of 45 degrees
    b = np.array([(1 + 1 + 1 / np.sqrt(2)) / 2, (root + 1) / 2, (1 + root) / 2, (1 + 1 / np.sqrt(2) + 1) / 2])
    expected = np.mean((b - root) / np.maximum(b, root))
    assert Space(points, [0, 1, 0, 1]).silhouette(labels) == pytest.approx(expected)


def test_the_silhouette_is_that_of_scikit_learn():
    points, labels, faces = clusters(0.5)
    expected = silhouette_score(points, labels, metric="cosine")
    assert Space(points, faces).silhouette(labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("size", [12, 400])
def test_the_probe_is_the_ridge_classifier_of_scikit_learn(size):
    points, labels, faces = clusters(0.6, size=size)
    space = Space(points, faces)
    for train, test in space.folds:
        centred = points[train] - points[train].mean(axis=0)
        model = RidgeClassifier(alpha=separation.RIDGE * (centred**2).sum(axis=1).mean())
        expected = model.fit(points[train], labels[train]).predict(points[test])
        np.testing.assert_array_equal(space.predictions(labels)[test], expected)


def test_accuracy_is_that_of_cross_validation_by_face():
    points, labels, faces = clusters(0.6)
    points -= points.mean(axis=0)
    alpha = separation.RIDGE * (points**2).sum(axis=1).mean()
    folds = GroupKFold(n_splits=separation.FOLDS)
    predicted = cross_val_predict(RidgeClassifier(alpha=alpha), points, labels, groups=faces, cv=folds)
    assert Space(points, faces).probe(labels) == pytest.approx((predicted == labels).mean(), abs=0.03)


def test_no_face_is_in_training_and_test():
    points, _, faces = clusters(1)
    for train, test in Space(points, faces).folds:
        assert not set(faces[train]) & set(faces[test])


def test_neighbours_are_of_other_faces():
    """Each face is a cluster; within it, points of one label lie together. Purity must not count that."""
    rng = np.random.default_rng(1)
    faces = np.repeat(np.arange(6), 20)
    labels = np.tile(np.repeat(["fear", "sad"], 10), 6)
    points = 10 * rng.normal(size=(6, 8))[faces] + rng.normal(size=(12, 8))[np.repeat(np.arange(12), 10)]
    assert against_chance(Space(points, faces).purity, labels, faces, 99).p > 0.05
    near = Space(points, faces).neighbours[:, :100]
    assert not (faces[near] == faces[:, None]).any()


def test_purity_counts_shares():
    angles = np.radians([0, 1, 2, 3, 4])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labels = np.array(["a", "a", "a", "b", "b"])
    assert Space(points[[0, 1, 3, 4]], np.arange(4)).purity(labels[[0, 1, 3, 4]], 1) == 1
    assert Space(points, np.arange(5)).purity(labels, 4) == pytest.approx((3 * 2 / 4 + 2 * 1 / 4) / 5)


def test_labels_without_meaning_are_at_chance_level():
    points, labels, faces = clusters(1e-3)
    rng = np.random.default_rng(2)
    noise = rng.normal(size=points.shape)
    real = against_chance(Space(points, faces).probe, labels, faces, 99)
    none = against_chance(Space(noise, faces).probe, labels, faces, 99)
    assert (real.value, real.p) == (1, 0.01)
    assert real.chance == pytest.approx(1 / 3, abs=0.06)
    assert none.p > 0.05


def test_permutations_exchange_names_within_a_face_and_repeat():
    faces = np.repeat([0, 1], 6)
    labels = np.array([*"aabbcc", *"xyzxyz"])
    first = separation.permuted(labels, faces, np.random.default_rng(3))
    np.testing.assert_array_equal(first, separation.permuted(labels, faces, np.random.default_rng(3)))
    assert "".join(labels) == "aabbccxyzxyz"
    assert sorted(first[:6]) == [*"aabbcc"]
    np.testing.assert_array_equal(first[0:6:2], first[1:6:2])
    np.testing.assert_array_equal(first[6:9], first[9:])
    seen = {"".join(separation.permuted(labels, faces, np.random.default_rng(i))[:6:2]) for i in range(60)}
    assert len(seen) == 6


def test_points_of_one_face_are_not_independent_samples():
    """Each face shows its two expressions as two tight clusters, anywhere: shuffling points would find a link."""
    rng = np.random.default_rng(5)
    significant = 0
    for _ in range(20):
        faces, labels = np.repeat(np.arange(6), 20), np.tile(np.repeat(["fear", "sad"], 10), 6)
        points = rng.normal(size=(12, 8))[np.repeat(np.arange(12), 10)] + 0.01 * rng.normal(size=(120, 8))
        significant += against_chance(Space(points, faces).purity, labels, faces, 39).p <= 0.05
    assert significant <= 4


def test_a_direction_is_the_slope_through_neutral():
    a = np.array([0.5, 1.0, 1.5])
    points = np.concatenate([a[:, None] * [3, 0], a[:, None] * [1, 1]])
    labels, intensities = np.repeat(["fear", "sad"], 3), np.tile(a, 2)
    np.testing.assert_allclose(directions(points, labels, intensities, ["sad", "fear"]), [[1, 1], [3, 0]])
    assert angle(points, labels, intensities, "fear", "sad") == pytest.approx(45)
    np.testing.assert_allclose(angles(points, labels, intensities, ["fear", "sad"]), [[0, 45], [45, 0]], atol=1e-9)


def test_centres_are_compared_about_their_mean():
    points = 5 + np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], float)
    cosines = centroid_cosines(points, ["a", "b", "c", "d"], ["a", "b", "c", "d"])
    expected = [[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]]
    np.testing.assert_allclose(cosines, expected, atol=1e-12)


def test_a_sign_flip_test_has_a_closed_form_for_equal_differences():
    """N differences of +-1: the sum of flipped signs is 2 B - N, where B is binomial with N trials of 1/2."""
    for count in range(1, 13):
        for positive in range(count + 1):
            far = [b for b in range(count + 1) if abs(2 * b - count) >= abs(2 * positive - count)]
            expected = sum(comb(count, b) for b in far) / 2**count
            assert sign_flip([1] * positive + [-1] * (count - positive)) == pytest.approx(expected, abs=1e-15)


def test_a_small_sign_flip_test_is_exact():
    rng = np.random.default_rng(4)
    for differences in (rng.normal(0.5, 1, 8), rng.normal(size=5), rng.integers(-3, 4, 7), [0.1, 0.2, -0.3], [2.5]):
        flips = np.array([np.dot(signs, differences) for signs in product((1, -1), repeat=len(differences))])
        expected = (abs(flips) >= abs(np.sum(differences)) - 1e-12).mean()
        assert sign_flip(differences) == pytest.approx(expected, abs=1e-15)
    assert sign_flip([0, 0, 0]) == 1


def test_a_large_sign_flip_test_is_sampled_and_repeats():
    assert sign_flip(np.ones(30)) == pytest.approx(1 / 10_001)
    many = np.random.default_rng(5).normal(size=30)
    assert sign_flip(many) == sign_flip(many)
    assert sign_flip(many, seed=1) == pytest.approx(sign_flip(many), abs=0.03)
    with pytest.raises(DataError, match="no differences"):
        sign_flip([])


def test_mistakes_have_clear_messages():
    points, labels, faces = clusters(1)
    with pytest.raises(DataError, match="all points are of one face"):
        Space(points, np.zeros(len(points)))
    with pytest.raises(DataError, match="not all finite"):
        Space(np.where(points == points.max(), np.nan, points), faces)
    with pytest.raises(ExpressionError, match="did you mean 'fear'"):
        pair_rows(labels, "feer", "surprised")
    with pytest.raises(ExpressionError, match="is one expression"):
        pair_rows(labels, "fear", "fear")
    with pytest.raises(DataError, match="no point shows 'angry'"):
        pair_rows(labels, "fear", "angry")
