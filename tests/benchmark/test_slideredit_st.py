"""SliderEdit's ST in a bench: mixes of several expressions, each with a slider, and the row without weights."""

import pytest
import torch
from PIL import ImageChops

from analysis.rivals import method_table
from pxs.benchmark.methods import choose, sliders
from pxs.commands.editor_flags import cannot_run
from pxs.data.synthetic_bench import mini_bench
from pxs.editing.sliders.files import Cost, content
from pxs.editing.sliders.registry import SLIDERS
from pxs.errors import DataError, ModelError
from pxs.expressions import EXPRESSIONS, Mix

STEPS = 2
TRAINED = [word for word in EXPRESSIONS if word != "shy"]


@pytest.fixture(scope="module")
def method(editor, tmp_path_factory):
    """The method with random weights, trained for all expressions but one, and an editor that is already loaded."""
    slider = SLIDERS["slideredit_st"](editor.pipe.transformer).requires_grad_(False)
    g = torch.Generator().manual_seed(1)
    for p in slider.parameters():
        p.copy_(0.1 * torch.randn(p.shape, generator=g))
    file = tmp_path_factory.mktemp("weights") / "st.safetensors"
    file.write_bytes(content(slider, "slideredit_st", editor.checkpoint.fingerprint, TRAINED, Cost(7, 60.0, 331776)))
    found = choose(["slideredit_st"], steps=STEPS, weights={"slideredit_st": file})["slideredit_st"]
    found.context._editors["None"] = editor
    return found


@pytest.fixture(scope="module")
def task():
    return next(t for t in mini_bench() if t.expression in TRAINED)


def differ(one, other):
    return ImageChops.difference(one, other).getbbox() is not None


def test_each_mix_has_its_own_prompt_and_its_picture_keeps_its_place(method, task):
    word = task.expression
    other = next(e for e in TRAINED if e != word)
    mixes = [Mix({word: 1}), Mix({word: 0.5, other: 1}), Mix(), Mix({other: 1, word: 0.5}), Mix({other: 1})]
    images = method.edit(task, mixes)
    assert [i.size for i in images] == [task.open().size] * 5
    assert not differ(images[1], images[3])
    assert all(differ(images[a], images[b]) for a, b in ((0, 1), (0, 2), (1, 2), (1, 4), (0, 4)))
    assert not any(m._forward_hooks for m in method.context.editor(None).pipe.transformer.modules())


def test_two_expressions_at_full_are_the_edit_of_the_model_by_the_whole_prompt(method, task):
    portrait = method.context.editor(None).open(task.open(), task.domain)
    subject = {"human": "person", "anime": "character"}[task.domain]
    text = f"Edit the {subject} to show a happy expression and Edit the {subject} to show a surprised expression"
    plain = portrait.edit_with_prompt(text, method.context.seed, STEPS)
    assert not differ(method.edit(task, [Mix(happy=1, surprised=1)])[0], plain)
    for mix in (Mix(happy=0.5, surprised=1), Mix(happy=1, surprised=0.5)):
        assert differ(method.edit(task, [mix])[0], plain)


def test_an_expression_that_it_was_not_trained_for_is_refused(method, task):
    assert method.supports("happy") and not method.supports("shy")
    with pytest.raises(DataError, match="slideredit_st was not trained for shy"):
        method.edit(task, [Mix(happy=1), Mix(happy=1, shy=0.5)])


def test_without_weights_the_row_says_which_command_makes_them(method, task, editor, tmp_path, monkeypatch):
    monkeypatch.setattr(sliders, "BUNDLED", tmp_path)
    methods = choose(["source", "slideredit_st"])
    absent = methods["slideredit_st"]
    absent.context._editors["None"] = editor
    told = "train them with pxs train --method slideredit_st, and give --weights slideredit_st=FILE"
    assert cannot_run(methods, [task], str(tmp_path)) == {"slideredit_st": f"no weights: {told}"}
    with pytest.raises(ModelError, match="has no weights for 'mini': train them with pxs train"):
        absent.edit(task, [Mix(happy=1)])
    assert not absent.supports("happy")
    with_weights, without = (method_table({"slideredit_st": m}).splitlines()[-1] for m in (method, absent))
    assert with_weights.endswith("| pictures | 331,776 | 7 | 1.0 |") and without.endswith("| pictures |  |  |  |")
