"""The area under identity over expression, against integrals known in closed form."""

import numpy as np
import pytest

from pxs.errors import JudgeError
from pxs.judging.curves import identity_area


def test_areas_known_in_closed_form():
    assert identity_area([0, 0.5, 1], [1, 1, 1]) == pytest.approx(1)
    assert identity_area([0, 1], [1, 0]) == pytest.approx(0.5)
    assert identity_area([0.2, 0.8], [0.6, 0.4]) == pytest.approx(0.2 * 0.6 + 0.6 * 0.5)
    assert identity_area([0], [1]) == 0
    assert identity_area([0, 0.5, 0.5, 1], [1, 1, 0, 0.5]) == pytest.approx(0.5 * 0.75 + 0.5 * 0.5)


def test_who_goes_further_at_equal_identity_has_more_and_order_does_not_matter():
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.uniform(0, 0.5, 6)), rng.uniform(0.3, 0.9, 6)
    order = rng.permutation(6)
    assert identity_area(x[order], y[order]) == pytest.approx(identity_area(x, y))
    assert identity_area([*x, 0.9], [*y, 0.5]) > identity_area(x, y)


@pytest.mark.parametrize(
    "bad", [([], []), ([0, 1], [1]), ([0, float("nan")], [1, 1]), ([0, 1.5], [1, 1]), ([[0]], [[1]])]
)
def test_what_is_no_curve_is_refused(bad):
    with pytest.raises(JudgeError):
        identity_area(*bad)
