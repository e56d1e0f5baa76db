"""Other methods of linear control edit tasks of a bench as their articles say."""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from pxs.benchmark.methods.attributecontrol import NaiveAttributeControl
from pxs.benchmark.methods.context import Context
from pxs.benchmark.methods.flowslider import FlowSlider
from pxs.benchmark.methods.reference import Source
from pxs.benchmark.methods.sliders import Trained, paced
from pxs.benchmark.run import run
from pxs.benchmark.table import write_results
from pxs.data.synthetic_bench import mini_bench
from pxs.data.tasks import Task
from pxs.editing.sampling import pack, seeded_noise, stock_velocity
from pxs.editing.sliders import NAMES
from pxs.editing.sliders.registry import SLIDERS
from pxs.errors import DataError, ModelError
from pxs.expressions import EXPRESSIONS, NEUTRAL, Mix

STEPS = 3


@pytest.fixture(scope="module")
def context(editor):
    """A context whose editor is already loaded."""
    found = Context(steps=STEPS)
    found._editors["None"] = editor
    return found


@pytest.fixture(scope="module")
def portrait(editor):
    task = mini_bench()[0]
    return editor.open(task.open(), task.domain)


def weights(*alphas):
    rows = torch.zeros(len(alphas), len(EXPRESSIONS))
    rows[:, EXPRESSIONS.index("fear")] = torch.tensor(alphas)
    return rows


def sigmas(scheduler, steps, tokens):
    """The noise levels of the scheduler at the resolution shift, computed apart."""
    c = scheduler.config
    slope = (c.max_shift - c.base_shift) / (c.max_image_seq_len - c.base_image_seq_len)
    mu = c.base_shift + slope * (tokens - c.base_image_seq_len)
    t = torch.linspace(1, 1 / steps, steps, dtype=torch.float64)
    shifted = torch.e**mu / (torch.e**mu + (1 / t - 1))
    stretched = 1 - (1 - shifted) * (1 - c.shift_terminal) / (1 - shifted[-1])
    return torch.cat([stretched, torch.zeros(1)]).float()


@torch.no_grad()
def by_hand(portrait, alpha, steps):
    """FlowEdit's update with the steering scaled, step by step, on the stock transformer."""
    e, transformer = portrait.embeddings, portrait.editor.pipe.transformer
    x = pack(portrait.latents)
    noise = seeded_noise(42, 16, portrait.grid)
    levels = sigmas(portrait.editor.pipe.scheduler, steps, x.shape[1])

    def v(latents, word, s):
        run = stock_velocity(transformer, s[None], x, e[word][None], portrait.grid)
        return run(0, latents)

    y = x
    for s, following in zip(levels[:-1], levels[1:], strict=True):
        z_s = (1 - s) * x + s * noise
        y_s = y + z_s - x
        fidelity = v(y_s, NEUTRAL, s) - v(z_s, NEUTRAL, s)
        steering = v(y_s, "fear", s) - v(y_s, NEUTRAL, s)
        y = y + (following - s) * (fidelity + alpha * steering)
    return y


def test_flowslider_moves_the_source_by_fidelity_and_steering(context, portrait):
    *_, last = FlowSlider(context).steps_of(portrait, "fear", weights(0.0, 0.6, 1.5))
    assert torch.allclose(last.latents[:1], pack(portrait.latents), atol=1e-4)
    for row, alpha in ((1, 0.6), (2, 1.5)):
        expected = by_hand(portrait, alpha, STEPS)
        assert torch.allclose(last.latents[row], expected[0], rtol=1e-2, atol=2e-3)


def test_naive_attributecontrol_moves_the_word_of_the_neutral_prompt(context, portrait):
    *_, last = NaiveAttributeControl(context).steps_of(portrait, "fear", weights(0.0, 0.7))
    text = portrait.embeddings[NEUTRAL][None].repeat(2, 1, 1)
    text[1, -7] += 0.7 * (portrait.embeddings["fear"] - portrait.embeddings[NEUTRAL])[-7]
    *_, expected = portrait.denoise(text, 42, STEPS)
    assert torch.allclose(last.latents, expected.latents, atol=1e-4)


class Told:
    """A slider that gives the sum of its weights as text."""

    def __init__(self, paced):
        self.paced, self.calls = paced, 0

    def steer(self, neutral, text, weights):
        self.calls += 1
        return weights.sum(dim=1)


def texts(slider, steps=10):
    """The text of each step, for the intensities 0.5 and 1."""

    def prepare(transformer, times, control, text, grid):
        return lambda index, latents: text

    run = paced(prepare, slider, None, None, weights(0.5, 1.0))(None, torch.zeros(steps), None, None, None)
    return torch.stack([run(index, None) for index in range(steps)])


def test_attributecontrol_starts_after_a_fifth_of_the_steps(editor):
    slider = Told(SLIDERS["attributecontrol"](editor.pipe.transformer).paced)
    expected = torch.tensor([[0, 0]] * 2 + [[0.5, 1]] * 8)
    assert torch.equal(texts(slider), expected)
    assert slider.calls == 2


def test_saedit_rises_exponentially_up_to_its_strength(editor):
    share = torch.arange(10)[:, None] / 10
    alphas = torch.tensor([0.5, 1.0])
    expected = torch.minimum(torch.e ** (15 * alphas * share) - 1, 15 * alphas)
    assert torch.allclose(texts(Told(SLIDERS["saedit"](editor.pipe.transformer).paced)), expected, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_each_trained_method_comes_with_weights_for_mini(name, context):
    method, task = Trained(context, name), mini_bench()[0]
    images = method.edit(task, [Mix(), Mix({task.expression: 1})])
    assert [i.size for i in images] == [task.open().size] * 2
    assert images[0].tobytes() != images[1].tobytes()
    assert method.cost.steps > 0 and method.cost.parameters > 0
    assert not any(m._forward_hooks for m in context.editor(None).pipe.transformer.modules())


def test_a_mix_of_another_expression_is_refused(context):
    task = mini_bench()[0]
    other = next(e for e in EXPRESSIONS if e != task.expression)
    with pytest.raises(DataError, match=f"edits one expression at a time, here {task.expression}"):
        FlowSlider(context).edit(task, [Mix({other: 1})])


def test_a_method_without_weights_for_a_model_says_how_to_train_them():
    other = Context(model="other")
    other._editors["None"] = SimpleNamespace(checkpoint=SimpleNamespace(fingerprint="of another model"))
    with pytest.raises(ModelError, match="no weights for 'other': train them with pxs train --method slideredit"):
        _ = Trained(other, "slideredit").provenance


class Partial:
    """A method for happy faces alone, which leaves every picture as it is."""

    def supports(self, expression):
        return expression == "happy"

    def edit(self, task, mixes):
        return [task.open()] * len(mixes)


def test_what_a_method_does_not_support_is_left_out_and_measures_over_all_expressions_are_not_given(judges, tmp_path):
    tasks = [Task(e, "human", e, picture=Image.new("RGB", (64, 64)), box=(0, 0, 64, 64)) for e in ("happy", "shy")]
    records = run({"partial": Partial(), "source": Source()}, tasks, judges, tmp_path, progress=False)
    rows = write_results(records, tmp_path)
    assert (rows["partial"]["left_out"], rows["source"]["left_out"]) == (1, 0)
    assert rows["partial"]["acc_12"] is None and rows["partial"]["cls_12"] is None
    assert rows["partial"]["acc_6"] is not None and rows["source"]["acc_12"] is not None
    assert records["partial"][1].fault == "partial does not support shy"
