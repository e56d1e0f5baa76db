"""The errors of the measures: invalid input gives one line that says what to do."""

import math

import numpy as np
import pytest

from pxs.errors import ExpressionError, JudgeError, PxsError, ScaleError
from pxs.expressions import EXPRESSIONS
from pxs.judging.measures import (
    accuracy,
    cls,
    confusion_matrix,
    harmonic,
    hes,
    hits,
    identity_similarity,
    intensity_error,
    intensity_errors,
    leakage,
    linearity,
    mscr,
    mscr_within,
    predictions,
    scr,
    separability,
)

ALPHAS = np.array([0, 0.25, 0.5, 0.75, 1, 1.5])


NAN = float("nan")


def column(*names: str) -> np.ndarray:
    """Targets, or predictions, by name."""
    return np.array([EXPRESSIONS.index(name) for name in names])


def with_value(value: float, shape: tuple[int, ...] = (3, 12)) -> np.ndarray:
    """An array of halves of which one is another value."""
    array = np.full(shape, 0.5)
    array.flat[1] = value
    return array


HALVES = with_value(0.5)


THREE = column("happy", "sad", "shy")


@pytest.mark.parametrize("measure", [accuracy, confusion_matrix, mscr, lambda s, t: scr(s, t, "fear", "surprised")])
@pytest.mark.parametrize(
    ("scores", "targets", "expected"),
    [
        (with_value(NAN), THREE, "scores hold nan at [0, 1]"),
        (with_value(-math.inf), THREE, "scores hold -inf at [0, 1]"),
        (HALVES[:, :11], THREE, "shape (3, 11)"),
        (HALVES[0], THREE[:1], "shape (12,)"),
        (HALVES[:0], THREE[:0], "shape (0, 12)"),
        ([["much"] * 12], [0], "'much'"),
        ([[0.5], [0.5, 1]], [0, 1], "scores are not an array"),
        (HALVES, [[0], [1, 2]], "targets are not an array"),
        (HALVES, THREE[:2], "shape (2,)"),
        (HALVES, [0.0, 1.0, 2.0], "float64"),
        (HALVES, [0, 1, 12], "target 12"),
        (HALVES, [0, -1, 1], "target -1"),
    ],
)
def test_invalid_scores_and_targets_are_rejected(measure, scores, targets, expected):
    assert expected in message_of(JudgeError, measure, scores, targets)


@pytest.mark.parametrize(
    ("error", "expected", "measure", "arguments"),
    [
        (JudgeError, "among 7", accuracy, (HALVES, THREE, 7)),
        (JudgeError, "among 7", cls, (ALPHAS, [ALPHAS], [0], 7)),
        (JudgeError, "targets are None", cls, (ALPHAS, [ALPHAS], None, 6)),
        (JudgeError, "shape (2,)", cls, (ALPHAS, [ALPHAS], [0, 1])),
        (ExpressionError, "'scared'", scr, (HALVES, THREE, "scared", "surprised")),
        (ExpressionError, "'fear', 'fear'", scr, (HALVES, THREE, "fear", "fear")),
        (ExpressionError, "no pairs", mscr, (HALVES, THREE, ())),
        (ScaleError, "scales hold inf at [1]", linearity, ([0, math.inf], [0, 1])),
        (ScaleError, "shape (0,)", linearity, ([], [])),
        (ScaleError, "only scale is 0.5", linearity, ([0.5, 0.5], [0, 1])),
        (ScaleError, "only scale is 1", linearity, ([1], [1])),
        (JudgeError, "shape (3,)", linearity, ([0, 1], [0, 0.5, 1])),
        (JudgeError, "target are not an array", cls, ([0, 1], [[0, 1], [0]])),
        (JudgeError, "shape (1, 3)", linearity, ([0, 1], [[0, 0.5, 1]])),
        (JudgeError, "shape (0, 2)", linearity, ([0, 1], np.empty((0, 2)))),
        (JudgeError, "shape ()", linearity, ([0, 1], 0.5)),
        (JudgeError, "hold nan at [0, 1]", linearity, ([0, 1], [[0, NAN]])),
        (JudgeError, "vector 1 of the source is 0", identity_similarity, ([[1, 2], [0, 0]], [[1, 2], [1, 2]])),
        (JudgeError, "vector 0 of the edits is 0", identity_similarity, ([[1, 2]], [[0, 0]])),
        (JudgeError, "edits hold nan at [0, 1]", identity_similarity, (HALVES, with_value(NAN))),
        (JudgeError, "shape (2, 12)", identity_similarity, (HALVES, HALVES[:2])),
        (JudgeError, "shape (2,)", identity_similarity, ([1, 2], [1, 2])),
        (JudgeError, "expression scores hold nan at [0]", harmonic, ([NAN], [1])),
        (JudgeError, "similarities hold inf at [0]", hes, ([1], [math.inf])),
        (JudgeError, "shape (1,)", harmonic, ([1, 2], [1])),
        (JudgeError, "shape (0,)", hes, ([], [])),
        (ScaleError, "asked hold nan at [0, 1]", intensity_error, (with_value(NAN), HALVES)),
        (ScaleError, "shape (2, 12)", leakage, (HALVES[:2], HALVES)),
        (JudgeError, "intensities hold nan at [0, 1]", leakage, (HALVES, with_value(NAN))),
        (JudgeError, "shape (3, 11)", intensity_errors, (HALVES[:, :11], HALVES[:, :11])),
        (ExpressionError, "no pairs", mscr_within, (HALVES, THREE, ())),
        (ExpressionError, "'fear', 'fear'", separability, (HALVES, THREE, [("fear", "fear")])),
        (JudgeError, "shape (2,)", hits, (HALVES, THREE[:2])),
        (JudgeError, "scores hold nan at [0, 1]", predictions, (with_value(NAN),)),
    ],
)
def test_every_other_invalid_argument_is_rejected(error, expected, measure, arguments):
    assert expected in message_of(error, measure, *arguments)


def message_of(error: type[PxsError], measure, *arguments, **options) -> str:
    """The message of the error that a measure raises, which is one line and says what to do."""
    with pytest.raises(PxsError) as caught:
        measure(*arguments, **options)
    message = str(caught.value)
    assert caught.type is error and len(message.splitlines()) == 1 and ": " in message
    return message
