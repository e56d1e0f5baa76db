"""The measures equal the formulas of the article, written out edit by edit; the published record is complete."""

import math
from collections import Counter

import numpy as np
import pytest

from pxs.benchmark.published import ABLATION, PUBLISHED
from pxs.benchmark.table import COLUMNS, markdown
from pxs.expressions import EXPRESSIONS
from pxs.judging.measures import accuracy, cls, hes, identity_similarity, mscr, scr

RNG = np.random.default_rng(0)
SCORES, TARGETS = RNG.uniform(0.05, 1, (240, 12)), RNG.integers(0, 12, 240)
DOMINANT = [EXPRESSIONS[max(range(12), key=row.__getitem__)] for row in SCORES.tolist()]
NAMES = [EXPRESSIONS[t] for t in TARGETS]


def directed_confusion(i, j):
    """C(i->j): the share of the edits towards i whose dominant expression is j."""
    towards = [dominant for target, dominant in zip(NAMES, DOMINANT, strict=True) if target == i]
    return Counter(towards)[j] / len(towards)


def bcr(i, j):
    return (directed_confusion(i, j) + directed_confusion(j, i)) / 2


def test_the_confusion_rates_are_those_of_the_article():
    assert scr(SCORES, TARGETS, "fear", "surprised") == pytest.approx(bcr("fear", "surprised"))
    assert bcr("fear", "surprised") > 0
    expected = (bcr("fear", "surprised") + bcr("angry", "disgust")) / 2
    assert mscr(SCORES, TARGETS) == pytest.approx(expected)


def test_the_accuracy_is_the_share_of_edits_whose_dominant_expression_is_the_target():
    hits = sum(a == b for a, b in zip(NAMES, DOMINANT, strict=True))
    assert accuracy(SCORES, TARGETS) == hits / len(NAMES) > 0


def test_the_linearity_score_is_the_mean_correlation_of_pearson_over_uniform_intensities():
    alphas, sweeps = [3 * i / 6 for i in range(7)], RNG.uniform(0, 1, (4, 7)).tolist()

    def pearson(x, y):
        mx, my = sum(x) / len(x), sum(y) / len(y)
        dx, dy = [v - mx for v in x], [v - my for v in y]
        return sum(map(float.__mul__, dx, dy)) / math.sqrt(sum(v * v for v in dx) * sum(v * v for v in dy))

    assert cls(alphas, sweeps) == pytest.approx(sum(pearson(alphas, s) for s in sweeps) / 4)


def test_the_harmonic_score_of_one_edit_is_the_formula_and_of_many_at_most_that_of_the_means():
    for e, i in RNG.uniform(0.01, 1, (20, 2)).tolist():
        assert hes([e], [i]) == pytest.approx(2 * e * i / (e + i))
    expression, identity = RNG.uniform(0, 1, (2, 50))
    e, i = expression.mean(), identity.mean()
    assert hes(expression, identity) < 2 * e * i / (e + i)


def test_one_recogniser_is_one_third_of_the_articles_identity_score():
    source, edits = RNG.normal(size=(3, 5, 8)), RNG.normal(size=(3, 5, 8))  # three recognisers, five edits
    cosine = [
        [sum(s * e) / math.sqrt(sum(s * s) * sum(e * e)) for s, e in zip(a, b, strict=True)]
        for a, b in zip(source, edits, strict=True)
    ]
    article = [sum(column) / 3 for column in zip(*cosine, strict=True)]
    ours = sum(identity_similarity(a, b) for a, b in zip(source, edits, strict=True)) / 3
    assert ours == pytest.approx(article)


def test_sliders_of_two_expressions_are_marked_as_such():
    for name in ("ConceptSlider", "AttributeControl"):
        assert "cls_2" in PUBLISHED[name] and "cls_6" not in PUBLISHED[name]
    table = markdown({})
    assert "| *ConceptSlider* | 0.316 (2 expressions) | – | 0.366 | 0.625 |" in table


def test_the_row_without_training_and_the_ablation_are_in_the_record():
    bare = PUBLISHED["PixelSmile without training"]
    assert (bare["mscr"], bare["acc_6"], bare["cls_6"], bare["hes"]) == (0.24, 0.5294, 0.6892, 0.4086)
    assert ABLATION["full"] == PUBLISHED["PixelSmile"]
    assert len(ABLATION) == 7 and all(row.keys() <= COLUMNS.keys() for row in ABLATION.values())
    assert max(ABLATION, key=lambda name: ABLATION[name]["hes"]) == "log ratio"
    assert max(ABLATION, key=lambda name: ABLATION[name]["acc_12"]) == "hinge"
