"""Methods asked for calibrated intensities: what they get, whose curves are refused, which methods have such a row."""

from types import SimpleNamespace

import pytest

from pxs.benchmark.methods import CONTROLLED, METHODS, choose
from pxs.benchmark.methods.calibrated import Calibrated
from pxs.benchmark.methods.context import Context
from pxs.editing.calibration import Calibration
from pxs.editing.options import LoadOptions
from pxs.errors import DataError, ModelError
from pxs.expressions import Mix

CURVES = Calibration("weights", {"happy": [0, 1.0, 1.5]}, {"happy": [0, 0.5, 1.0]})


class Method:
    """Returns the mixes themselves."""

    def __init__(self, **provenance):
        self.provenance = provenance

    def edit(self, task, mixes):
        return mixes

    def supports(self, expression):
        return expression != "shy"


@pytest.fixture
def calibrated(tmp_path):
    """A function that makes a calibrated method with CURVES of a method with some provenance."""
    (tmp_path / "c.json").write_bytes(CURVES.content())
    context = SimpleNamespace(weights={"some_calibrated": tmp_path / "c.json"})
    return lambda **provenance: Calibrated(context, "some", lambda _: Method(**provenance))


def test_the_method_gets_the_mixes_of_the_curves(calibrated):
    method = calibrated(weights_hash="weights", adapter_hash="", model_hash="model")
    mixes = [Mix(happy=0.25), Mix(sad=0.3), Mix(happy=0.75, sad=1)]
    assert method.edit(None, mixes) == [Mix(happy=0.5), Mix(sad=0.3), Mix(happy=1.25, sad=1)]
    assert method.supports("happy") and not method.supports("shy")
    assert method.provenance["method"] == "some_calibrated" and method.provenance["calibration_hash"] == CURVES.sha256


@pytest.mark.parametrize("own", [{"weights_hash": "weights"}, {"adapter_hash": "weights"}, {"model_hash": "weights"}])
def test_the_curves_are_those_of_weights_adapter_or_model(calibrated, own):
    given = {"adapter_hash": "", "model_hash": "other", **own}
    assert calibrated(**given).provenance["model_hash"] == given["model_hash"]
    with pytest.raises(ModelError, match="of other weights"):
        _ = calibrated(**{key: value and "new" for key, value in given.items()}).provenance


def test_every_method_with_a_number_has_a_calibrated_row():
    assert {f"{name}_calibrated" for name in CONTROLLED} <= METHODS.keys()
    assert choose(["pixelsmile_calibrated"])["pixelsmile_calibrated"].calibration.asked
    with pytest.raises(DataError, match="--method flowslider --out FILE"):
        choose(["flowslider_calibrated"])


def test_methods_are_compared_from_the_neutral_edit():
    with pytest.raises(DataError, match="'source'"):
        Context(options=LoadOptions(zero="source"))
