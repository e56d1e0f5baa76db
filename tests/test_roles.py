"""Training and scoring are separate: no class has both roles, no weights are shared, training imports no judge."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import pxs.encoders
import pxs.judging
import pxs.judging.outside
from pxs.encoders.arcface import ArcFaceEncoder
from pxs.encoders.features import CLIP_MODELS
from pxs.encoders.networks import WEIGHTS as ENCODER_WEIGHTS
from pxs.judging.arcface import ArcFaceIdentity
from pxs.judging.weights import WEIGHTS as JUDGE_WEIGHTS


def classes_with_role(package):
    """Every class defined in a package that has a role, by name."""
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    classes = {c for module in modules for _, c in inspect.getmembers(module, inspect.isclass)}
    return {c.__name__: c for c in classes if c.__module__.startswith(f"{package.__name__}.") and hasattr(c, "role")}


def test_every_encoder_trains_and_every_judge_scores():
    encoders = classes_with_role(pxs.encoders)
    judges = classes_with_role(pxs.judging) | classes_with_role(pxs.judging.outside)
    photographs = {"ClipFeatures", "PooledClipFeatures", "ArcFaceEncoder"}
    assert set(encoders) == {"MiniFeatures", "MiniIdentityEncoder", *photographs}
    assert set(judges) >= {
        *("MiniExpression", "MiniIdentity", "EndpointJudge", "LocalQwenJudge", "PyFeatJudge", "ArcFaceIdentity"),
        *("FerJudge", "FacexJudge", "UnitsJudge", "DlibIdentity", "FacenetIdentity", "LocalVlmJudge"),
    }
    assert {c.role for c in encoders.values()} == {"train"} and {c.role for c in judges.values()} == {"score"}


def test_no_weights_are_shared():
    encoders, judges = (
        {f.read_bytes() for f in folder.glob("*.safetensors")} for folder in (ENCODER_WEIGHTS, JUDGE_WEIGHTS)
    )
    assert len(encoders) == len(judges) == 2 and not encoders & judges
    judge, encoder = (inspect.signature(c).parameters["pack"].default for c in (ArcFaceIdentity, ArcFaceEncoder))
    assert judge != encoder
    assert not {judge, encoder} & set(CLIP_MODELS.values())


@pytest.mark.parametrize("module", ["pxs.training.trainer", "pxs.encoders.arcface", "pxs.encoders.identity"])
def test_training_imports_no_judge(module):
    code = f"import sys, {module}; print([m for m in sys.modules if m.startswith('pxs.judging')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
