"""Tests of the fit that turns face units into a mix."""

import numpy as np
from fake_faces import face, smooth

from analysis.reading import PAIRS, SINGLES, fitted, mixes
from pxs.editing.photographs import reading
from pxs.expressions import EXPRESSIONS, Mix


def test_a_linear_truth_is_found_again():
    random = np.random.default_rng(0)
    seen = np.concatenate([random.normal(size=(400, 6)), np.ones((400, 1))], axis=1)
    weights = random.normal(size=(12, 7))
    assert np.allclose(fitted(seen, seen @ weights.T, ridge=1e-9), weights, atol=1e-6)


def test_everybody_shows_one_and_two_expressions():
    shown = list(mixes(5))
    assert [len(mix) for mix in shown] == [0, *(1,) * SINGLES, *(2,) * PAIRS]
    assert shown == list(mixes(5)) != list(mixes(6))


def test_what_is_read_is_the_map_of_what_the_finder_states(monkeypatch):
    """A map that reads "b" as sad, and half of it as happy; the error of happy is larger than that."""
    weights, errors = np.zeros((12, 6)), np.full(12, 0.1)
    weights[EXPRESSIONS.index("sad"), 1], weights[EXPRESSIONS.index("happy"), 1] = 1, 0.5
    errors[EXPRESSIONS.index("happy")] = 0.5
    monkeypatch.setattr(reading, "_table", lambda: {"weights": weights, "errors": errors})

    class Finder:
        def find(self, picture):
            return [face(units={"b": 0.6, "a": 0.9})]

    found = reading.read(smooth(), by=Finder())
    assert found.mix == Mix(sad=0.6)
    assert str(found) == "sad 0.60 ± 0.10"
    assert found.uncertainty["happy"] == 0.5
