"""The rule that nothing both trains and scores: no judge and no weights."""

import importlib
import inspect
import pkgutil

import pxs.judging
from pxs.judging.arcface import ArcFaceIdentity, ArcFaceLoss
from pxs.judging.features import CLIP_MODELS


def judges():
    """Every class in pxs.judging that has a role."""
    modules = [importlib.import_module(f"pxs.judging.{m.name}") for m in pkgutil.iter_modules(pxs.judging.__path__)]
    classes = {c for module in modules for _, c in inspect.getmembers(module, inspect.isclass)}
    return {c for c in classes if c.__module__.startswith("pxs.judging.") and hasattr(c, "role")}


def role(which):
    return {c for c in judges() if c.role == which}


def mini_weights(classes, monkeypatch):
    """The names of the weights that the judges of these classes load, of those that ship with the package."""
    names = []

    def load_network(name, *_):
        names.append(name)
        return None, "version"

    for module in ("expression", "networks"):
        monkeypatch.setattr(f"pxs.judging.{module}.load_network", load_network)
    for judge in classes:
        if judge.__name__.startswith("Mini"):
            judge()
    return set(names)


def test_every_judge_either_trains_or_scores():
    assert {c.__name__ for c in role("train")} == {"MiniFeatures", "MiniIdentityLoss", "ClipFeatures", "ArcFaceLoss"}
    assert {c.__name__ for c in role("score")} >= {
        *("MiniExpression", "MiniIdentity", "EndpointJudge", "LocalQwenJudge", "PyFeatJudge", "ArcFaceIdentity")
    }
    assert judges() == role("train") | role("score")


def test_what_trains_shares_no_weights_with_what_scores(monkeypatch):
    trains, scores = (mini_weights(role(which), monkeypatch) for which in ("train", "score"))
    assert trains and scores
    assert not trains & scores
    scorer, trainer = (inspect.signature(c).parameters["pack"].default for c in (ArcFaceIdentity, ArcFaceLoss))
    assert scorer != trainer
    assert not {scorer, trainer} & set(CLIP_MODELS.values())
